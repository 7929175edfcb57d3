# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The decisions on a cluster together, and the facts that its members get from them. Pure."""
from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from . import addresses, members, mesh_plan, pools
from .member import TOLD, Member

INTERFACE = "fleet0"


@dataclasses.dataclass(frozen=True, slots=True)
class Wish:
    """What the operator wants, as the options of cluster_members. others: networks of hosts that are no members, with who has them.
    through: the member through whom all others of the run join a cluster that is there; it is told among the members, and gets no facts."""

    kind: str = ""
    name: str = "fleet"
    managers: int = 0
    network: str = "auto"
    ipv4_pool: str = ""
    ipv6_pool: str = ""
    port: int = 51820
    mtu: int = 0
    others: Mapping[str, str] = dataclasses.field(default_factory=dict)
    leaving: tuple[str, ...] = ()
    through: str = ""


def answer(found: Sequence[Member], wish: Wish) -> dict[str, Any]:
    """via, why, hosts (facts of each member by its name), mesh (what each node is to have, by name; {} without a mesh), comers, which are not in the
    mesh yet, and whether the mesh, or the cluster as a whole, grows."""
    choice = addresses.choose(found, wish.network)
    roles = members.joining(found, wish.through, wish.kind) if wish.through else members.roles(found, wish.kind, wish.managers)
    plan = _mesh(found, wish) if choice.via == "mesh" else None
    mtu = plan.mtu if plan else _mtu(found, choice.via)
    ips: dict[str, dict[int, str]] = {}
    for one in found:
        own = choice.ips.get(one.name, {}) if plan is None else dict(zip((4, 6), plan.ips[one.name], strict=True))
        given = choice.given.get(one.name)
        ips[one.name] = {**own, (6 if ":" in given else 4): given} if given else own
    chosen = {one.name: choice.given.get(one.name) or ips[one.name][choice.family] for one in found}
    rows = []
    for one in sorted(found, key=lambda one: one.name):
        reached = one.public(4) or one.public(6)
        rows.append({
            "name": one.name, "ip": chosen[one.name], "role": roles[one.name][0], "provider": one.provider,
            "cloud": one.cloud, "region": one.region, "zone": one.zone, "domain": one.domain, "endpoint": reached.ip if reached else None})
    hosts = {}
    for one in (one for one in found if one.name != wish.through):
        given = choice.given.get(one.name)
        interface = one.seen.interface_of(chosen[one.name]) if one.seen else None
        hosts[one.name] = {
            "fleet_cluster_ip": chosen[one.name],
            "fleet_cluster_ips": {f"ipv{family}": ips[one.name].get(family) for family in (4, 6)},
            "fleet_cluster_interface": INTERFACE if plan and not given else interface.name if interface else "",
            "fleet_cluster_mtu": mtu,
            "fleet_cluster_via": addresses.GIVEN if given else choice.via,
            "fleet_cluster_role": roles[one.name][0],
            "fleet_cluster_why": f"address: {'fleet_cluster_ip says so' if given else choice.why}; role: {roles[one.name][1]}",
            "fleet_mesh_addresses": list(plan.ips[one.name]) if plan else [],
            TOLD: {"ip": one.told_ip, "role": one.told_role},
        }
    mesh = {one.name: plan.told(one.name) for one in found} if plan else {}
    why = f"{choice.why}; pool {plan.pools.ipv4}: {plan.pools.why}; MTU {plan.mtu}: {plan.mtu_why}" if plan else choice.why
    mesh_grows = bool(plan) and _grows(found)
    return {"via": choice.via, "why": why, "members": rows, "hosts": hosts, "mesh": mesh, "mesh_grows": mesh_grows,
            "grows": mesh_grows or any(not one.seen or one.seen.cluster_kind != wish.kind for one in found),
            "comers": sorted(one.name for one in found if plan and not (one.seen and one.seen.mesh))}


def _grows(found: Sequence[Member]) -> bool:
    """Whether it has to be proved that members reach each other: one does not know another yet, or has never spoken with it."""
    names = {one.name for one in found}
    known = [(one.name, one.seen.mesh) for one in found if one.seen]
    return any(mesh is None or not names - {name} <= {peer.name for peer in mesh.peers} or names & set(mesh.silent) for name, mesh in known)


def _mesh(found: Sequence[Member], wish: Wish) -> mesh_plan.Plan:
    chosen = pools.pools(found, wish.others, wish.name, wish.ipv4_pool, wish.ipv6_pool, INTERFACE)
    numbers = pools.numbers(found, chosen, wish.name, wish.leaving)
    return mesh_plan.plan(found, chosen, numbers, wish.port, wish.mtu)


def _mtu(found: Sequence[Member], via: str) -> int:
    """Of the networks by which members use each other, in bytes."""
    smallest = min(mesh_plan.own_mtu(one) for one in found)
    return min(smallest, mesh_plan.INTERNET) if via != "private" else smallest
