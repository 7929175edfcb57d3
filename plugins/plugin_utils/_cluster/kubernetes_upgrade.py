# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""In which order the nodes of a cluster come to the next version, and which need it at all. Pure.

The order is Kubernetes' own: a control plane by ``kubeadm upgrade apply``, the other control planes, the workers, one after another. What has been
done is seen on the nodes, so a run after a failure goes on where it ended.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

from .kubernetes_config import version_of
from .kubernetes_plan import Member, leader


@dataclass(frozen=True)
class Upgrade:
    """For one member. first: the control plane that moves pods; order: of those that need it; packages: what the node gets in its turn.

    apply: it brings the cluster's own settings along, as the first of all; cordoned: somebody keeps pods away from it, which stays so.
    """

    node: str
    first: str
    order: Sequence[str]
    kubeadm: str
    packages: Sequence[str]
    apply: bool = False
    cordoned: bool = False


def decide(members: Sequence[Member], asked: str) -> dict[str, Upgrade]:
    """Name -> what it needs. asked: 1.34, the newest of the minor, or 1.34.3. Raises FleetError, before anything changes."""
    strangers = sorted(member.name for member in members if not member.inside)
    if strangers:
        raise FleetError("kubernetes: nothing was changed", why=f"{', '.join(strangers)}: not in the cluster", code="preflight",
                         fix="Have them join first, or leave them out of the play.")
    first = leader(members)
    _possible(members, first, asked)
    leads = sorted((member for member in members if member.leads), key=lambda member: (member is not first, member.name))
    others = sorted((member for member in members if not member.leads), key=lambda member: member.name)
    order = tuple(member.name for member in (*leads, *others) if needs(member, asked))
    exact = f"{asked}-*" if asked.count(".") == 2 else f"{asked}.*"
    began = any(member.leads and member.name not in order for member in members)
    cordoned = {row["name"] for row in (first.seen.get("cluster") or {}).get("nodes") or () if not row.get("schedulable", True)}
    return {member.name: Upgrade(member.node, first.name, order, f"kubeadm={exact}", [f"kubelet={exact}", f"kubectl={exact}"],
                                 bool(order) and not began and member.name == order[0], member.node in cordoned and not _under_way(member))
            for member in members}


def needs(member: Member, asked: str) -> bool:
    """A part of it is older than what was asked for, or its last upgrade did not come to its end."""
    versions = [str((member.seen.get("versions") or {}).get("kubelet") or "0.0"), *([str(member.seen["api_version"])] if member.leads else [])]
    parts = 3 if asked.count(".") == 2 else 2
    return _under_way(member) or any(
        version_of(version)[:parts] < version_of(asked)[:parts] for version in versions)


def _possible(members: Sequence[Member], first: Member, asked: str) -> None:
    wrong = []
    try:
        wanted = version_of(asked)
    except ValueError as said:
        raise FleetError("kubernetes_version", why=str(said), code="argument", fix="Write 1.34 or 1.34.3.") from None
    for member in members:
        if member.leads:
            now = version_of(str(member.seen["api_version"]))
            if wanted[:2] < now[:2] or (asked.count(".") == 2 and wanted < now):
                wrong.append(f"{member.name} runs {member.seen['api_version']}, which is newer than {asked}; there is no way back but a snapshot")
            elif (wanted[0], wanted[1]) > (now[0], now[1] + 1):
                wrong.append(f"{member.name} runs {member.seen['api_version']}: one minor at a time, {now[0]}.{now[1] + 1} comes next")
    ready = {row["name"]: row["ready"] for row in (first.seen.get("cluster") or {}).get("nodes") or ()}
    wrong += [f"{member.name} is not ready" for member in members if not ready.get(member.node) and not _under_way(member)]
    if wrong:
        raise FleetError("kubernetes: nothing was changed", why="; ".join(wrong), code="preflight")


def _under_way(member: Member) -> bool:
    step = member.seen.get("step") or {}
    return step.get("step") == "upgrade" and not step.get("finished")
