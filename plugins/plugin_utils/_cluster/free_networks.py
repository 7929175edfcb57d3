# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Networks for containers that overlap nothing which the fleet uses. Pure."""
from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

BRIDGES = ("172.17.0.0/16", "172.18.0.0/15", "172.20.0.0/14", "172.24.0.0/14", "172.28.0.0/14", "192.168.0.0/16", "10.192.0.0/12")
"""Where a Docker engine may take its local networks from, best first; the first are those that it uses by itself."""
SWARM = tuple(f"10.{second}.0.0/16" for second in (*range(201, 213), *range(214, 256), *range(128, 201)))
"""Where a swarm may take its networks from, best first. Docker's own choice, 10.0.0.0/8, overlaps the private networks of every cloud."""


def network(text: str, place: str) -> Network:
    """Raises FleetError when it is none."""
    try:
        return ipaddress.ip_network(str(text).strip(), strict=False)
    except ValueError as problem:
        raise FleetError(f"{place}: {text} is no network", why=str(problem), code="argument", fix="Write it as 10.20.0.0/16.") from None


def taken(hosts: Iterable[Mapping[str, Any]], seen: Iterable[str], avoid: Iterable[str]) -> dict[Network, str]:
    """Networks that are in use, each with who uses it. hosts: host variables in the one shape, of which single addresses are known: the /24 around
    each is taken as its network. seen: what nodes told of their own routes. avoid: what the operator says."""
    found: dict[Network, str] = {}
    for text in avoid:
        found.setdefault(network(text, "networks to avoid"), "the operator's list")
    for text in seen:
        found.setdefault(network(text, "routes"), "a route of the node")
    for host in hosts:
        name = str(host.get("inventory_hostname") or host.get("fleet_name") or "a host")
        for interface in host.get("fleet_interfaces") or ():
            for address in interface.get("addresses") or ():
                _add(found, address.get("ip"), name)
        for key in ("fleet_private_ipv4", "fleet_cluster_ip", "ansible_host"):
            _add(found, host.get(key), name)
    return found


def _add(found: dict[Network, str], text: Any, name: str) -> None:
    try:
        address = ipaddress.ip_address(str(text))
    except ValueError:
        return
    if address.version == 4:
        found.setdefault(ipaddress.ip_network((address, 24), strict=False), f"an address of {name}")


def clash(wanted: str, used: Mapping[Network, str]) -> str:
    """Who uses a part of that network already, empty when nobody does."""
    one = network(wanted, "network")
    return next((f"{other} ({who})" for other, who in used.items() if other.version == one.version and one.overlaps(other)), "")


def free(candidates: Sequence[str], used: Mapping[Network, str], prefix: int, number: int) -> list[str]:
    """The first that overlap nothing, at most ``number``, none wider than ``prefix``."""
    chosen: list[str] = []
    for text in candidates:
        whole = network(text, "network")
        for part in whole.subnets(new_prefix=prefix) if whole.prefixlen < prefix else (whole,):
            if len(chosen) < number and not clash(str(part), used):
                chosen.append(str(part))
    return chosen
