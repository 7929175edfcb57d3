# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who is in a cluster, who leads it and by which address each is used: decided on the controller, for all members at once."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster import addresses, answer, member, members
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.config import plain

SEEN = "mesh_seen"


class ActionModule(ActionBase):
    """Documented in plugins/modules/cluster_members.py."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        self.vars: dict[str, Any] = task_vars or {}
        names = {"type": "list", "elements": "str", "default": []}
        _checked, given = self.validate_argument_spec(argument_spec={
            "kind": {"type": "str", "choices": ["", "swarm", "kubernetes"], "default": ""},
            "name": {"type": "str", "default": "fleet"},
            "managers": {"type": "int", "default": 0},
            "network": {"type": "str", "choices": list(addresses.VIA), "default": "auto"},
            "size": {"type": "int", "default": 0},
            "removed": names,
            "mesh_ipv4_pool": {"type": "str", "default": ""},
            "mesh_ipv6_pool": {"type": "str", "default": ""},
            "mesh_port": {"type": "int", "default": 51820},
            "mesh_mtu": {"type": "int", "default": 0},
            "avoid": names,
            "decided": {"type": "dict"},
        })
        self.given: dict[str, Any] = plain(given)
        me = str(plain(self.vars.get("inventory_hostname")))
        if self.given["decided"] is not None:
            return {**result, "changed": False, "ansible_facts": self.given["decided"]["hosts"].get(me, {})}
        try:
            told = self._work()
        except FleetError as failure:
            return {**result, "failed": True, "msg": str(failure), "code": failure.code}
        facts = {} if self._task.run_once else {"ansible_facts": told["hosts"].get(me, {})}
        return {**result, "changed": False, **told, **facts}

    def _work(self) -> dict[str, Any]:
        hosts: Mapping[str, Mapping[str, Any]] = self.vars.get("hostvars") or {}
        played = [str(name) for name in plain(self.vars.get("ansible_play_hosts_all") or [])]
        inventory = [str(name) for name in plain((self.vars.get("groups") or {}).get("all") or [])]
        removed = {str(name) for name in self.given["removed"]}
        names = [name for name in played if name not in removed]
        found = []
        for name in names:
            seen = plain(hosts[name].get(SEEN)) or {}
            found.append(member.read(name, {key: plain(hosts[name].get(key)) for key in member.READ}, seen if "interfaces" in seen else None))
        known = {peer.name for one in found if one.seen and one.seen.mesh for peer in one.seen.mesh.peers}
        members.refuse_parts(known | {one.name for one in found if one.seen and one.seen.mesh}, played, inventory,
                             limit=str(plain(self.vars.get("ansible_limit") or "")),
                             variables={name: plain(self.vars.get(name)) for name in members.SLICES}, expected=self.given["size"], leaving=removed)
        wish = answer.Wish(
            kind=self.given["kind"], name=self.given["name"], managers=self.given["managers"], network=self.given["network"],
            ipv4_pool=self.given["mesh_ipv4_pool"], ipv6_pool=self.given["mesh_ipv6_pool"], port=self.given["mesh_port"], mtu=self.given["mesh_mtu"],
            others={**_addresses(hosts, [name for name in inventory if name not in names]),
                    **dict.fromkeys(self.given["avoid"], "the cluster's own settings")}, leaving=tuple(sorted(removed)))
        told = answer.answer(found, wish)
        for facts in told["hosts"].values():
            facts["fleet_cluster_members"] = told["members"]
        return told


def _addresses(hosts: Mapping[str, Mapping[str, Any]], names: list[str]) -> dict[str, str]:
    """Addresses of hosts that are no members: members may have to reach those too."""
    return {str(row["ip"]): name for name in names for interface in plain(hosts[name].get("fleet_interfaces")) or ()
            for row in interface.get("addresses") or ()}
