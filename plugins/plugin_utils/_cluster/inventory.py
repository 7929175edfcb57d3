# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Networks and addresses of the inventory's hosts, read once for a run. At the edge: variables of hosts are Ansible's."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.config import plain

from . import free_networks

LOOKED_AT = ("fleet_interfaces", "fleet_private_ipv4", "fleet_cluster_ip", "ansible_host")


def networks(variables: Mapping[str, Any]) -> list[str]:
    """All of them, as CIDR. variables: of any host of the play."""
    hostvars = variables.get("hostvars") or {}
    return sorted(str(one) for one in free_networks.taken((_told(hostvars, name) for name in hostvars), (), ()))


def addresses(hostvars: Any, names: Iterable[str]) -> dict[str, str]:
    """Address -> host, of the interfaces of these hosts."""
    return {str(row["ip"]): name for name in names for interface in _told(hostvars, name).get("fleet_interfaces") or ()
            for row in interface.get("addresses") or ()}


def _told(hostvars: Any, name: str) -> dict[str, Any]:
    """Raw, as no template can stand in what the inventory tells, and evaluating every variable of every host takes long."""
    raw = hostvars.raw_get(name) if hasattr(hostvars, "raw_get") else hostvars[name]
    return {"inventory_hostname": str(name), **{key: plain(raw[key]) for key in LOOKED_AT if key in raw}}
