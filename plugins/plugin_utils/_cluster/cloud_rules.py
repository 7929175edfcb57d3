# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the security groups of clouds have to let in for members to reach each other, and nothing more. Pure."""
from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .member import Member
from .ports import LEAD, Needed
from .preflight import LEADING

FILTERING = ("aws", "gce", "openstack")
"""Providers that have security groups, or rules in their place."""
ANYWHERE = ("0.0.0.0/0", "::/0")
OUTSIDE = ("public", "floating", "external")
"""Roles of addresses by which a member's packets come to another network."""

Rule = dict[str, Any]


def mesh(members: Mapping[str, Member], nodes: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Rule]]:
    """nodes: the mesh as cluster_members tells it, name -> port and peers. Its UDP port for each peer's addresses; for everybody where a peer comes
    by an address that nobody knows beforehand (behind NAT), as the mesh answers to its members' keys only."""
    found: dict[str, list[Rule]] = {}
    for name, node in nodes.items():
        sources: set[str] = set()
        for peer in node["peers"]:
            sources |= set(_sources(members[name], members[str(peer["name"])]))
        if sources:
            listed = sorted(ANYWHERE) if sources & set(ANYWHERE) else sorted(sources)
            found[name] = [{"port": int(node["port"]), "protocol": "udp", "from": listed}]
    return found


def cluster(hosts: Mapping[str, Mapping[str, Any]], wanted: Sequence[Needed]) -> dict[str, list[Rule]]:
    """hosts: as cluster_members tells them, with ip and role. The ports of the cluster from the members that use them."""
    found: dict[str, list[Rule]] = {}
    for name, host in hosts.items():
        rules = []
        for port in wanted:
            if _means(port.to, host["role"]):
                sources = sorted(_network(str(other["ip"])) for far, other in hosts.items() if far != name and _means(port.by, other["role"]))
                rules += [{"port": port.port, "protocol": port.protocol, "from": sources}] if sources else []
        found[name] = rules
    return found


# ---------------------------------------------------------------------------------------------------- details
def _means(word: str, role: str) -> bool:
    return word != LEAD or role in LEADING


def _sources(here: Member, peer: Member) -> Iterable[str]:
    """Networks from which a peer's packets come."""
    near = bool(here.domain) and here.domain == peer.domain
    inside = [one.ip for one in peer.addresses if near and one.role == "private"]
    outside = [one.ip for one in peer.addresses if one.role in OUTSIDE]
    return map(_network, [*inside, *outside]) if inside or outside else ANYWHERE


def _network(ip: str) -> str:
    address = ipaddress.ip_address(ip)
    return f"{address}/{address.max_prefixlen}"
