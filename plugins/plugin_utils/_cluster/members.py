# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who belongs to a cluster and who leads it: whole or not at all, spread over failure domains, and no change without need. Pure."""
from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

from .member import Member

LEADS = {"swarm": "manager", "kubernetes": "control_plane"}
"""What a leading member is called, by kind of cluster."""
MEMBER = "member"
"""Role of all where no cluster is asked for."""
WORKER = "worker"
_LEADING = ("manager", "control_plane", "control-plane", "controlplane", "master", "server")
_WORKING = ("worker", "agent", "node")
SLICES = ("awx_job_slice_count", "tower_job_slice_count", "job_slice_count")


def refuse_parts(known: Collection[str], played: Sequence[str], inventory: Collection[str], *, limit: str = "",
                 variables: Mapping[str, Any] | None = None, expected: int = 0, leaving: Collection[str] = ()) -> None:
    """Raises FleetError when this run sees only a part of the cluster; it would cut the rest off.

    known: members as the nodes of this run have written down. played: hosts of the play. inventory: all hosts. limit: of the command line.
    expected: how many members there must be, 0 for any. leaving: members that the operator says are gone for good.
    """
    for name in SLICES:
        slices = str((variables or {}).get(name) or "1")
        if slices.isdigit() and int(slices) > 1:
            raise FleetError("cluster", why=f"this job is a slice ({name} is {slices}), and sees only a part of the cluster", code="part",
                             fix="Set the job template's slices to 1: members of a cluster have to know each other.")
    if expected and len(played) < expected:
        raise FleetError("cluster", why=f"{len(played)} members are in this run, and fleet_cluster_size says {expected}", code="part",
                         fix="Run it on all members (no --limit, no job slices), or correct fleet_cluster_size.")
    missing = sorted(set(known) - set(played) - set(leaving))
    if not missing:
        return
    if limit:
        cut = [name for name in missing if name in inventory]
        if cut:
            raise FleetError("cluster", why=f"the run is limited to '{limit}', and {_some(cut)} of the same cluster would be left out", code="part",
                             fix="Run it without --limit: members that need no change cost seconds.")
    gone = [name for name in missing if name not in inventory]
    if gone and 2 * len(gone) >= len(known):
        raise FleetError(
            "cluster", why=f"{len(gone)} of {len(known)} members are no longer in the inventory ({_some(gone)}); this may be a part of it only "
            "(a job slice, a cloud that did not answer)", code="part",
            fix="Set the job template's slices to 1 and look at the inventory. If they are gone for good, name them in fleet_cluster_removed.")


def roles(members: Sequence[Member], kind: str = "", wanted: int = 0) -> dict[str, tuple[str, str]]:
    """Role of each member and the reason. wanted: number of leading members, 0 for three, or one where there are fewer members.

    Raises FleetError for an even number, more than there are, or a role that is none.
    """
    if not kind:
        return {one.name: (MEMBER, "no cluster is asked for") for one in members}
    lead = LEADS[kind]
    told = {one.name: _told(one, kind) for one in members if one.told_role}
    leading = sorted(name for name, role in told.items() if role == lead)
    if leading:
        if len(leading) % 2 == 0:
            raise FleetError("cluster", why=f"{len(leading)} members are told to be {lead} ({_some(leading)}); an even number survives no more "
                             "failures than one less", fix=f"Give fleet_cluster_role: {lead} to an odd number of hosts.", code="argument")
        if wanted and wanted != len(leading):
            raise FleetError("cluster", why=f"fleet_cluster_managers is {wanted}, and {len(leading)} hosts are told to be {lead} ({_some(leading)})",
                             fix="Say one or the other.", code="argument")
        return {one.name: (lead, "told by fleet_cluster_role or its tag") if one.name in leading else
                (WORKER, "told by fleet_cluster_role or its tag" if one.name in told else f"others are told to be {lead}") for one in members}
    free = [one for one in members if told.get(one.name) != WORKER]
    number = wanted or (3 if len(free) >= 3 else 1)
    if number % 2 == 0:
        raise FleetError("cluster", why=f"fleet_cluster_managers is {number}; an even number survives no more failures than one less",
                         fix=f"Choose {number - 1} or {number + 1}.", code="argument")
    if len(free) < number:
        raise FleetError("cluster", why=f"fleet_cluster_managers is {number}, and {len(free)} members may be {lead}",
                         fix="Choose fewer, or add hosts.", code="argument")
    chosen = _spread(free, number, lead)
    rest = f"{number} other members are {lead}"
    worker = {one.name: "told by fleet_cluster_role or its tag" if one.name in told else rest for one in members}
    return {name: (lead, chosen[name]) if name in chosen else (WORKER, why) for name, why in worker.items()}


def joining(members: Sequence[Member], through: str, kind: str) -> dict[str, tuple[str, str]]:
    """The same where a run sees hosts that join and one member through whom they do. Whether the number of leading ones stays odd is told by
    that member's list of all."""
    return {one.name: (LEADS[kind], "is it already") if one.name == through else
            (_told(one, kind), "told by fleet_cluster_role or its tag") if one.told_role else (WORKER, "nobody told that it leads")
            for one in members}


def network_of(through: Member, kind: str, wanted: str) -> str:
    """By which addresses the members use each other, from those of the one through whom others join. Raises FleetError when nobody can."""
    seen = through.seen
    if seen is None or seen.cluster_kind != kind or seen.cluster_role != LEADS[kind]:
        raise FleetError("cluster", why=f"fleet_cluster_through is {through.name}, which is no {LEADS[kind]} of a cluster", code="argument",
                         fix=f"Name a {LEADS[kind]} that runs, or run it over all members without fleet_cluster_through.")
    if seen.mesh and seen.cluster_ip in (seen.mesh.ipv4, seen.mesh.ipv6):
        raise FleetError("cluster", why="its members use each other by the mesh, in which each of them has to learn who is new", code="part",
                         fix="Run it over all members, without fleet_cluster_through and --limit; those that need no change are looked at only.")
    if wanted != "auto":
        return wanted
    return "private" if seen.cluster_ip in (through.private(4), through.private(6)) else "public"


# ---------------------------------------------------------------------------------------------------- details
def _told(member: Member, kind: str) -> str:
    word = member.told_role.strip().lower()
    if word in _LEADING:
        return LEADS[kind]
    if word in _WORKING:
        return WORKER
    raise FleetError("cluster", why=f"fleet_cluster_role of {member.name} is '{member.told_role}'", fix=f"Choose {LEADS[kind]} or {WORKER}.",
                     code="argument")


def _spread(free: Sequence[Member], number: int, lead: str) -> dict[str, str]:
    """Name -> why. Members that lead already stay; each next one comes from the failure domain that has fewest so far."""
    chosen: dict[str, str] = {}
    taken: list[Member] = []
    while len(chosen) < number:
        rest = [one for one in free if one.name not in chosen]
        stay = [one for one in rest if one.seen is not None and one.seen.cluster_role == lead]
        best = min(stay or rest, key=lambda one: (*_crowd(one, taken), one.name))
        taken.append(best)
        place = " ".join(part for part in best.failure_domain if part)
        chosen[best.name] = f"is {lead} already" if stay else "first by name of the failure domain" + (f" {place}" if place else "") + " with fewest"
    return chosen


def _crowd(member: Member, taken: Sequence[Member]) -> tuple[int, int, int]:
    cloud, region, zone = member.failure_domain
    return (sum(one.failure_domain[0] == cloud for one in taken),
            sum(one.failure_domain[:2] == (cloud, region) for one in taken),
            sum(one.failure_domain == (cloud, region, zone) for one in taken))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
