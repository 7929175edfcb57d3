# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The mesh of WireGuard as one plan for all members: who is reached where, who keeps a way through NAT open, how large packets may be. Pure."""
from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Sequence
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

from .member import FAMILIES, Address, Member
from .pools import Pools

INTERNET = 1500
"""MTU between two networks in bytes, whatever each of them carries inside."""
HEADERS = {4: 60, 6: 80}
"""What WireGuard adds to a packet, by the family that carries it: IP, UDP and its own 32 bytes."""
SMALLEST = 1280  # below which an interface has no IPv6 (RFC 8200)
KEEPALIVE = 25
"""Seconds between packets that keep a NAT's or firewall's memory of a member alive; the usual ones forget after 30."""


@dataclasses.dataclass(frozen=True, slots=True)
class Link:
    """How one member reaches another. endpoint: empty where only the other one can begin. keepalive: seconds, 0 for none."""

    peer: str
    endpoint: str
    keepalive: int
    why: str


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """ips: name -> (IPv4, IPv6). links: name -> its links, by name of the other. mtu: of the mesh's interface, in bytes."""

    ips: dict[str, tuple[str, str]]
    links: dict[str, tuple[Link, ...]]
    mtu: int
    mtu_why: str
    pools: Pools
    port: int

    def told(self, name: str) -> dict[str, Any]:
        """What one node is to have, but for the keys."""
        return {"ipv4": self.ips[name][0], "ipv6": self.ips[name][1], "ipv4_pool": str(self.pools.ipv4), "ipv6_pool": str(self.pools.ipv6),
                "mtu": self.mtu, "port": self.port,
                "peers": [{"name": link.peer, "ipv4": self.ips[link.peer][0], "ipv6": self.ips[link.peer][1], "endpoint": link.endpoint,
                           "keepalive": link.keepalive, "why": link.why} for link in self.links[name]]}


def plan(members: Sequence[Member], pools: Pools, numbers: dict[str, int], port: int = 51820, mtu: int = 0) -> Plan:
    """mtu: what the operator wants, 0 for a choice. Raises FleetError naming the pairs that cannot reach each other at all."""
    if not 1 <= port <= 65535:
        raise FleetError("mesh", why=f"mesh_port is {port}", fix="Ports go from 1 to 65535.", code="argument")
    links: dict[str, tuple[Link, ...]] = {}
    apart: list[str] = []
    for one in members:
        mine = [_link(one, other, port) for other in members if other.name != one.name]
        links[one.name] = tuple(sorted(mine, key=lambda link: link.peer))
    reached = {(name, link.peer): bool(link.endpoint) for name, mine in links.items() for link in mine}
    for one in members:
        for other in members:
            if one.name < other.name and not reached[(one.name, other.name)] and not reached[(other.name, one.name)]:
                apart.append(f"{one.name} ({_has(one)}) and {other.name} ({_has(other)})")
    if apart:
        more = f" and {len(apart) - 5} more" if len(apart) > 5 else ""
        raise FleetError(
            "mesh", why=f"neither has an address that the other can reach: {'; '.join(apart[:5])}{more}", code="unreachable",
            fix="Give one of each pair a public address (node: network.reachable: public), a common fleet_network_domain where their private "
                "addresses are routed to each other, or fleet_mesh_endpoint, an address and port that leads to it.")
    size, why = _mtu(members, links, mtu)
    return Plan({one.name: pools.address(numbers[one.name]) for one in members}, links, size, why, pools, port)


# ---------------------------------------------------------------------------------------------------- details
def _link(one: Member, other: Member, port: int) -> Link:
    """How one reaches other."""
    near = bool(one.domain) and one.domain == other.domain
    endpoint, why = _endpoint(one, other, port, near)
    hidden = _hidden(one) and not near
    if not endpoint:
        return Link(other.name, "", 0, f"begins from there: {why}")
    return Link(other.name, endpoint, KEEPALIVE if hidden else 0, why + ("; kept open through NAT" if hidden else ""))


def _endpoint(one: Member, other: Member, port: int, near: bool) -> tuple[str, str]:
    if other.told_endpoint:
        return _told(other, port), "fleet_mesh_endpoint says so"
    if near:
        for family in FAMILIES:
            ip = other.private(family)
            if ip and one.private(family):
                return _with_port(ip, port), f"private address of the same network domain {one.domain}"
    for family in FAMILIES:
        address = other.public(family)
        if address and _gets_out(one, family):
            return _with_port(address.ip, port), {"public": "public address", "floating": "public address, mapped to it by NAT"}.get(
                address.role, "address that is reached from outside of its cloud")
    return "", f"{other.name} has no address that {one.name} reaches ({_has(other)})"


def _gets_out(member: Member, family: int) -> bool:
    """Whether it can send to the internet by that family: from a public address, or (IPv4) through its network's NAT."""
    return bool(member.public(family)) or (family == 4 and member.private(4) is not None)


def _hidden(member: Member) -> bool:
    """Whether answers find it only while something remembers that it asked: behind NAT of either kind, or a stateful cloud firewall."""
    return not any(_direct(member, member.public(family)) for family in FAMILIES)


def _direct(member: Member, address: Address | None) -> bool:
    return address is not None and address.role != "floating" and not address.nat_of and member.carries(address.ip)


def _told(other: Member, port: int) -> str:
    text = other.told_endpoint
    bare = text.strip("[]")
    try:
        return _with_port(str(ipaddress.ip_address(bare)), port)
    except ValueError:
        pass
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[0-9.]+|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?):(\d{1,5})", text)
    if match and 1 <= int(match[3]) <= 65535:
        return text
    raise FleetError("mesh", why=f"fleet_mesh_endpoint of {other.name} is '{text}'", code="argument",
                     fix="Write an address, or address:port, [IPv6]:port or name:port.")


def _with_port(ip: str, port: int) -> str:
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def _mtu(members: Sequence[Member], links: dict[str, tuple[Link, ...]], wanted: int) -> tuple[int, str]:
    if wanted:
        if not 576 <= wanted <= 65535:
            raise FleetError("mesh", why=f"mesh_mtu is {wanted}", fix="Choose 1280 to 9000; 0 computes it.", code="argument")
        return wanted, "mesh_mtu says so"
    paths = {one.name: own_mtu(one) for one in members}
    smallest = min(paths, key=lambda name: (paths[name], name))
    under, whose = paths[smallest], f"the network of {smallest} carries {paths[smallest]} bytes"
    wide = len({one.domain or one.name for one in members}) > 1
    if wide and under > INTERNET:
        under, whose = INTERNET, f"between networks packets have at most {INTERNET} bytes"
    six = any(link.endpoint.startswith("[") or not link.endpoint[:1].isdigit() for mine in links.values() for link in mine if link.endpoint)
    family = 6 if six else 4
    size = under - HEADERS[family]
    why = f"{whose}, less {HEADERS[family]} for WireGuard over IPv{family}"
    if size < SMALLEST:
        return SMALLEST, f"{why}, but no less than {SMALLEST}, which IPv6 needs: larger packets are sent in fragments"
    return size, why


def own_mtu(member: Member) -> int:
    """Of the interfaces that the node's own addresses are on, as it tells; else what its cloud told; else what the internet carries."""
    seen = member.seen.interfaces if member.seen else ()
    known = {one.ip for one in member.addresses}
    mine = [row.mtu for row in seen if row.mtu and any(text.partition("/")[0] in known for text in row.addresses)]
    told = [member.mtu] if member.mtu else []
    return min(mine + told) if mine or told else INTERNET


def _has(member: Member) -> str:
    found = [f"{one.role} {one.ip}" for one in member.addresses]
    return ", ".join(found[:3]) or "no address known"
