# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Addresses inside the mesh: a pool that overlaps no network of the members, and one number for each member, which it keeps. Pure.

Nothing central remembers them. A member's number comes from its name, so that it gets the same one again; where two names meet in one number, or
the operator changed pools, what the nodes have written down of themselves and of each other decides.
"""
from __future__ import annotations

import dataclasses
import hashlib
import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Network

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

from .member import Member

IPV4_POOLS = ("10.213.0.0/16", "10.199.0.0/16", "172.29.0.0/16", "10.77.0.0/16", "192.168.216.0/21", "100.127.0.0/16")
"""Tried in this order unless the operator names one: what clouds, Docker and Kubernetes rarely use."""
_LARGEST = 65534  # numbers in a pool, so that IPv4 and IPv6 pools of any size give the same


@dataclasses.dataclass(frozen=True, slots=True)
class Pools:
    """why: how they were chosen."""

    ipv4: IPv4Network
    ipv6: IPv6Network
    why: str

    @property
    def numbers(self) -> int:
        return min(self.ipv4.num_addresses - 2, self.ipv6.num_addresses - 2, _LARGEST)

    def address(self, number: int) -> tuple[str, str]:
        return str(self.ipv4[number]), str(self.ipv6[number])


def pools(members: Sequence[Member], others: Mapping[str, str], cluster: str, ipv4: str = "", ipv6: str = "", interface: str = "fleet0") -> Pools:
    """others: networks and addresses that the mesh must not hide, with who has them; the members' own are added. ipv4, ipv6: what the operator
    wants, empty for a choice. interface: the mesh's own, whose routes do not count.

    Raises FleetError when a pool overlaps something, naming what.
    """
    taken = {**others, **_used(members, interface)}
    now = next((one.seen.mesh for one in sorted(members, key=lambda one: one.name) if one.seen and one.seen.mesh), None)
    pool6 = _network(ipv6 or (now.ipv6_pool if now else _unique_local(cluster)), "mesh_ipv6_pool", 6, 112)
    clash = _overlap(pool6, taken)
    if clash:
        raise _clash(pool6, clash, "mesh_ipv6_pool")
    if not isinstance(pool6, IPv6Network):
        raise AssertionError("its family was asked for")
    if ipv4 or now:
        pool4 = _network(ipv4 or (now.ipv4_pool if now else ""), "mesh_ipv4_pool", 4, 28)
        clash = _overlap(pool4, taken)
        if clash:
            raise _clash(pool4, clash, "mesh_ipv4_pool", now is not None and not ipv4)
        if not isinstance(pool4, IPv4Network):
            raise AssertionError("its family was asked for")
        return Pools(pool4, pool6, "mesh_ipv4_pool says so" if ipv4 else "as it is on the members")
    moved: list[str] = []
    for text in IPV4_POOLS:
        pool4 = IPv4Network(text)
        clash = _overlap(pool4, taken)
        if not clash:
            return Pools(pool4, pool6, "; ".join([f"{text} overlaps no network of the members", *moved]))
        moved.append(f"{text} would overlap {clash}")
    raise FleetError("mesh", why="; ".join(moved), fix="Set mesh_ipv4_pool to a private network that no member uses.", code="argument")


def numbers(members: Sequence[Member], chosen: Pools, cluster: str, leaving: Iterable[str] = ()) -> dict[str, int]:
    """Name -> number. Members keep theirs; those of members that are not in this run are not given to others.

    Raises FleetError when the pool is full.
    """
    if len(members) > chosen.numbers:
        raise FleetError("mesh", why=f"{len(members)} members do not fit into {chosen.ipv4}", fix="Set mesh_ipv4_pool to a larger network.",
                         code="argument")
    kept: dict[str, int] = {}
    for one in sorted(members, key=lambda one: one.name):
        mine = one.seen.mesh if one.seen else None
        number = _number(mine.ipv4, chosen) if mine else None
        if number and number not in kept.values():
            kept[one.name] = number
    gone, names = set(leaving), {one.name for one in members}
    for one in members:
        for peer in one.seen.mesh.peers if one.seen and one.seen.mesh else ():
            number = _number(peer.ipv4, chosen)
            if number and peer.name not in kept and peer.name not in gone and number not in kept.values():
                kept[peer.name] = number
    used = set(kept.values())
    for one in sorted(members, key=lambda one: one.name):
        if one.name not in kept:
            number = first(f"{cluster}/{one.name}", chosen.numbers)
            while number in used:
                number = number % chosen.numbers + 1
            kept[one.name] = number
            used.add(number)
    return {name: number for name, number in kept.items() if name in names}


def first(name: str, count: int) -> int:
    """The number from 1 to count that a name gets when nobody else has it."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % count + 1


# ---------------------------------------------------------------------------------------------------- details
def _number(ipv4: str, chosen: Pools) -> int | None:
    try:
        address = IPv4Address(ipv4)
    except ValueError:
        return None
    number = int(address) - int(chosen.ipv4.network_address)
    return number if 1 <= number <= chosen.numbers else None


def _used(members: Sequence[Member], interface: str) -> dict[str, str]:
    """Networks and addresses of the members, with the first that has each. Default routes lead everywhere and are none."""
    used: dict[str, str] = {}
    for one in members:
        for address in one.addresses:
            used.setdefault(address.ip, one.name)
        if one.seen is None:
            continue
        for row in one.seen.interfaces:
            if row.name != interface:
                used.update({text: f"{one.name} ({row.name})" for text in row.addresses if text not in used})
        for text, name in one.seen.routes:
            if name != interface and not text.endswith("/0"):
                used.setdefault(text, f"{one.name} ({name})" if name else one.name)
    return used


def _overlap(pool: IPv4Network | IPv6Network, taken: Mapping[str, str]) -> str:
    for text, who in taken.items():
        try:
            network = ipaddress.ip_interface(text).network
        except ValueError:
            continue
        if network.version == pool.version and network.overlaps(pool) and network.prefixlen > 0:
            return f"{text} of {who}"
    return ""


def _network(text: str, variable: str, version: int, longest: int) -> IPv4Network | IPv6Network:
    try:
        network = ipaddress.ip_network(text)
    except ValueError as failure:
        raise FleetError("mesh", why=f"{variable} is '{text}': {failure}", fix="Write a network such as 10.213.0.0/16 or fd00:77::/64.",
                         code="argument") from None
    if network.version != version or network.prefixlen > longest:
        raise FleetError("mesh", why=f"{variable} is {text}", fix=f"Write an IPv{version} network of /{longest} or larger.", code="argument")
    return network


def _clash(pool: IPv4Network | IPv6Network, clash: str, variable: str, running: bool = False) -> FleetError:
    return FleetError("mesh", why=f"its pool {pool} overlaps {clash}, which members could then not reach", code="overlap",
                      fix=("The mesh runs already with this pool. Leave that host out, or give every member new addresses: " if running else "") +
                      f"Set {variable} to a network that no member uses.")


def _unique_local(cluster: str) -> str:
    """A /64 of fd00::/8 that comes from the cluster's name, as RFC 4193 asks for: unlikely to be anybody else's."""
    digest = hashlib.sha256(f"hybridops.fleet mesh {cluster}".encode()).digest()
    return str(IPv6Network((bytes([0xFD]) + digest[:7] + bytes(8), 64)))
