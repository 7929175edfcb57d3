# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""In which order the nodes of a cluster come to the next version, and which need it at all. Pure.

The order is Kubernetes' own: a control plane by ``kubeadm upgrade apply``, the other control planes, the workers, one after another. What has been
done is seen on the nodes, so a run after a failure goes on where it ended.
"""
from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

from .kubernetes_config import version_of
from .kubernetes_plan import Member, leader

OLDEST = 3
"""By how many minors a kubelet may be older than the API."""


@dataclass(frozen=True)
class Turn:
    """For one member. apply: it brings the cluster's own settings along, as the first of all; cordoned: somebody keeps pods away from it, which
    stays so."""

    node: str
    apply: bool = False
    cordoned: bool = False


@dataclass(frozen=True)
class Upgrade:
    """For all members. first: the control plane that moves pods; order: of those that need it; packages: what a node gets in its turn."""

    first: str
    order: Sequence[str]
    kubeadm: str
    packages: Sequence[str]
    hosts: Mapping[str, Turn]


def decide(members: Sequence[Member], asked: str) -> Upgrade:
    """asked: 1.34, the newest of the minor, or 1.34.3. Raises FleetError, before anything changes."""
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
    unused = {row["name"] for row in (first.seen.get("cluster") or {}).get("nodes") or () if not row.get("schedulable", True)}
    turns = {member.name: Turn(member.node, bool(order) and not began and member.name == order[0], _cordoned(member, unused)) for member in members}
    return Upgrade(first.name, order, f"kubeadm={exact}", [f"kubelet={exact}", f"kubectl={exact}"], turns)


def _cordoned(member: Member, unused: Collection[str]) -> bool:
    """By somebody else: what an upgrade that did not come to its end found is written down there."""
    return bool((member.seen.get("step") or {}).get("cordoned")) if _under_way(member) else member.node in unused


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
        kubelet = version_of(str((member.seen.get("versions") or {}).get("kubelet") or asked))
        if wanted[1] - kubelet[1] > OLDEST:
            wrong.append(f"{member.name} has kubelet {_text(kubelet)}, which an API of {asked} does not take: bring it to "
                         f"{kubelet[0]}.{wanted[1] - OLDEST} at least")
        elif kubelet[:2] > wanted[:2]:
            wrong.append(f"{member.name} has kubelet {_text(kubelet)}, which is newer than {asked}")
    ready = {row["name"]: row["ready"] for row in (first.seen.get("cluster") or {}).get("nodes") or ()}
    wrong += [f"{member.name} is not ready" for member in members if not ready.get(member.node) and not _under_way(member)]
    if wrong:
        raise FleetError("kubernetes: nothing was changed", why="; ".join(wrong), code="preflight")


def _text(version: tuple[int, int, int]) -> str:
    return ".".join(map(str, version))


def _under_way(member: Member) -> bool:
    step = member.seen.get("step") or {}
    return step.get("step") == "upgrade" and not step.get("finished")
