# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""By which address the members of a cluster use each other, and why. Pure.

In order: what the operator wrote; private addresses, when all members are in one layer-3 domain; public addresses, when each is on an interface
of its member (kubelet and Docker cannot use one that is mapped by NAT); else the mesh. Equal or overlapping private ranges of different
domains never count as one network.
"""
from __future__ import annotations

import dataclasses
import ipaddress
from collections import Counter
from collections.abc import Callable, Sequence

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

from .member import FAMILIES, Member

VIA = ("auto", "private", "public", "mesh")
GIVEN = "given"


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """via: private, public, mesh, or given where the operator wrote all. family: 4 or 6, of the address that is used; with the mesh always 4.
    ips: name -> {4: ..., 6: ...}; empty for the mesh, whose addresses are decided elsewhere. why: chosen because, and what was rejected.
    given: name -> what the operator wrote."""

    via: str
    family: int
    ips: dict[str, dict[int, str]]
    why: str
    given: dict[str, str] = dataclasses.field(default_factory=dict)


def choose(members: Sequence[Member], wanted: str = "auto") -> Choice:
    """wanted: one of VIA. Raises FleetError when what is wanted cannot be, or would give a running cluster other addresses."""
    if wanted not in VIA:
        raise FleetError("cluster", why=f"fleet_cluster_network is '{wanted}'", fix=f"Choose one of {', '.join(VIA)}.", code="argument")
    if not members:
        raise FleetError("cluster", why="it has no members", fix="Look at the hosts of the play, fleet_cluster_hosts.", code="argument")
    given = {one.name: _given(one) for one in members if one.told_ip}
    if len(given) == len(members):
        family = ipaddress.ip_address(next(iter(given.values()))).version
        found = Choice(GIVEN, family, {name: {ipaddress.ip_address(ip).version: ip} for name, ip in given.items()}, "fleet_cluster_ip says so", given)
    else:
        found = dataclasses.replace(_ruled(members, wanted), given=given)
    _no_twins(found)
    _no_move(members, found)
    return found


# ---------------------------------------------------------------------------------------------------- the rule
def _ruled(members: Sequence[Member], wanted: str) -> Choice:
    rejected: list[str] = []
    there = [one.name for one in members if _runs_in_mesh(one)]
    if wanted == "auto" and there:
        return Choice("mesh", 4, {}, f"by the mesh: the cluster runs in it on {_some(there)}")
    for via, rule in (("private", _private), ("public", _public)):
        if wanted not in ("auto", via):
            continue
        answer = rule(members)
        if isinstance(answer, Choice):
            return dataclasses.replace(answer, why="; ".join([answer.why, *rejected])) if rejected else answer
        if wanted == via:
            raise FleetError("cluster", why=f"fleet_cluster_network is '{via}', and {answer}", code="argument",
                             fix="Write auto, which takes what works for these members, or mesh.")
        rejected.append(f"not {via} addresses: {answer}")
    return Choice("mesh", 4, {}, "; ".join(["by the mesh", *(rejected or ["fleet_cluster_network says so"])]))


def _private(members: Sequence[Member]) -> Choice | str:
    where = sorted({one.domain or "" for one in members})
    if len(members) > 1:
        unknown = [one.name for one in members if one.domain is None]
        if unknown:
            return f"the network domain of {_some(unknown)} is not known"
        if len(where) > 1:
            return f"members are in {len(where)} network domains ({_some(where)})"
    told = f"all members are in network domain {where[0]}" if where[0] else "there is one member"
    return _of_families(members, lambda one, family: one.private(family), "private", told)


def _public(members: Sequence[Member]) -> Choice | str:
    return _of_families(members, _on_interface, "public", "every member's public address is on an interface of its own")


def _on_interface(member: Member, family: int) -> str | None:
    address = member.public(family)
    return address.ip if address and address.role == "public" and not address.nat_of and member.carries(address.ip) else None


def _of_families(members: Sequence[Member], of: Callable[[Member, int], str | None], kind: str, told: str) -> Choice | str:
    """The first family of which every member has an address."""
    without: dict[int, list[str]] = {}
    ips: dict[str, dict[int, str]] = {one.name: {} for one in members}
    for family in FAMILIES:
        for one in members:
            ip = of(one, family)
            if ip:
                ips[one.name][family] = ip
        without[family] = [one.name for one in members if family not in ips[one.name]]
    for family in FAMILIES:
        if not without[family]:
            less = f" (IPv4: none for {_some(without[4])})" if family == 6 else ""
            return Choice(kind, family, ips, f"{told}; IPv{family}{less}")
    where = " on an interface" if kind == "public" else ""
    return " and ".join(f"{_some(names)} {'has' if len(names) == 1 else 'have'} none of IPv{family}{where}" for family, names in without.items())


# ---------------------------------------------------------------------------------------------------- refusals
def _given(member: Member) -> str:
    try:
        ip = str(ipaddress.ip_address(member.told_ip))
    except ValueError:
        raise FleetError("cluster", why=f"fleet_cluster_ip of {member.name} is '{member.told_ip}'", fix="Write an address.",
                         code="argument") from None
    if member.seen is not None and member.seen.interfaces and not member.carries(ip):
        raise FleetError("cluster", why=f"fleet_cluster_ip of {member.name} is {ip}, which is on none of its interfaces", code="argument",
                         fix="Write one that is: what the cloud maps by NAT cannot be listened on.")
    return ip


def _no_twins(choice: Choice) -> None:
    used = Counter([*choice.given.values(), *(of[choice.family] for name, of in choice.ips.items() if name not in choice.given)])
    twins = [ip for ip, times in used.items() if times > 1]
    if twins:
        names = sorted(name for name, of in choice.ips.items() if choice.given.get(name, of.get(choice.family)) in twins)
        raise FleetError("cluster", why=f"{_some(names)} have the same address {', '.join(twins)}", code="argument",
                         fix="Hosts of separate networks need different fleet_network_domain, or are listed twice in the inventory.")


def _no_move(members: Sequence[Member], choice: Choice) -> None:
    """A cluster that runs keeps its addresses: neither Docker nor Kubernetes lets a leading member change its own. Where most of a swarm's members
    have the right one, the others joined it with a wrong one: role docker_swarm tells of them, and takes them in again when asked to."""
    running = [one for one in members if one.seen and one.seen.cluster_ip]
    moving = {one.name: _new(one, choice) for one in running if _new(one, choice) != (one.seen and one.seen.cluster_ip)}
    if 2 * len(moving) < len(running) and all(one.seen and one.seen.cluster_kind == "swarm" for one in running):
        return
    for one in running:
        if one.seen and one.name in moving:
            raise FleetError(
                "cluster", why=f"{one.name} runs in a {one.seen.cluster_kind} cluster by {one.seen.cluster_ip}, and would now be "
                f"{moving[one.name] or 'in the mesh'}: {choice.why}", code="moves",
                fix="Members that are in another network cannot join a cluster without mesh. Leave the new hosts out, or reset the cluster and "
                    "make it anew with fleet_cluster_network: mesh.")


def _new(one: Member, choice: Choice) -> str | None:
    """The address that a member of a running cluster would have; that of the mesh is decided elsewhere, and stays."""
    if choice.via == "mesh" and one.seen and _runs_in_mesh(one):
        return one.seen.cluster_ip
    return choice.given.get(one.name) or choice.ips.get(one.name, {}).get(choice.family)


def _runs_in_mesh(member: Member) -> bool:
    seen = member.seen
    return bool(seen and seen.mesh and seen.cluster_ip and seen.cluster_ip in (seen.mesh.ipv4, seen.mesh.ipv6))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
