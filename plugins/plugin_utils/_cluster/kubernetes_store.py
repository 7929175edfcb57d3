# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Copies of a Kubernetes cluster's store: what they are of, and how one is brought back on all control planes. Pure, but for reading the file."""
from __future__ import annotations

import json
import tarfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

from .kubernetes_plan import CONTROL_PLANE, Member, leader, node_name


@dataclass(frozen=True)
class Restore:
    """leads: host -> name and address (url) as members of etcd; cluster: all of these, as etcd takes it; nodes: names of all members."""

    first: str
    leads: Mapping[str, Mapping[str, str]]
    cluster: str
    nodes: Sequence[str]


def about(members: Sequence[Member], name: str) -> tuple[str, dict[str, str]]:
    """The control plane that is copied, and what a copy tells of itself. Raises FleetError when none answers."""
    inside = [member for member in members if member.leads]
    if not inside:
        raise FleetError("kubernetes: no copy was made", why="none of these hosts is a control plane", code="argument")
    first = leader(inside)
    seen = first.seen
    return first.name, {"name": name, "authority": str(seen.get("authority")), "version": str(seen.get("api_version")), "node": first.node}


def read(path: str) -> dict[str, Any]:
    """What a copy tells of itself. Raises FleetError."""
    try:
        with tarfile.open(path, "r:gz") as archive:
            names = archive.getnames()
            file = archive.extractfile("about.json")
            told = json.loads(file.read()) if file else {}
    except (OSError, KeyError, ValueError, tarfile.TarError) as failure:
        raise FleetError(f"{path}: not a copy of a Kubernetes cluster", why=str(failure), code="argument",
                         fix="Name a file that playbook cluster_backup made.") from None
    if not isinstance(told, dict) or told.get("kind") != "kubernetes" or "snapshot.db" not in names:
        raise FleetError(f"{path}: not a copy of a Kubernetes cluster", why="it has another content", code="argument",
                         fix="Name a file that playbook cluster_backup made.")
    return told


def restore(members: Sequence[Member], copy: Mapping[str, Any], name: str, elsewhere: Collection[str]) -> Restore:
    """copy: what it tells of itself; name: the cluster's; elsewhere: hosts of the inventory that are not in this run. Raises FleetError."""
    leads = sorted((member for member in members if member.leads), key=lambda member: member.name)
    wrong = []
    if copy.get("name") != name:
        wrong.append(f"the copy is of cluster {copy.get('name')}, not of {name}")
    if not leads:
        wrong.append("no control plane is left among these hosts: it takes kubelet's account, the certificates and the manifests there")
    bare = [member.name for member in members if member.role == CONTROL_PLANE and not member.leads]
    if leads and bare:
        wrong.append(f"{', '.join(bare)}: no files of a control plane are there; take it out of the play, and have it join again afterwards")
    outside = sorted(member.name for member in members if not member.inside and member.name not in bare)
    if outside:
        wrong.append(f"{', '.join(outside)}: not in the cluster; take it out of the play, and have it join again afterwards")
    others = sorted(member.name for member in leads if member.seen.get("authority") != copy.get("authority"))
    if others:
        wrong.append(f"{', '.join(others)}: another cluster than that of the copy, by its certificate authority")
    peers = {peer for member in leads for peer in (*(member.seen.get("etcd") or {}).get("peers", ()), *_known(member))}
    peers -= {member.node for member in leads}
    cut = sorted(host for host in elsewhere if node_name(host) in peers)
    if cut:
        wrong.append(f"{', '.join(cut)}: a control plane that is not in this run, which would go on with what there was; run it on all of them")
    if wrong:
        raise FleetError("kubernetes: nothing was changed", why="; ".join(wrong), code="preflight")
    rows = {member.name: {"name": member.node, "url": f"https://{member.ip}:2380"} for member in leads}
    return Restore(leads[0].name, rows, ",".join(f"{row['name']}={row['url']}" for row in rows.values()), tuple(member.node for member in members))


def _known(member: Member) -> list[str]:
    """Control planes that its API knows, where that answers."""
    return [row["name"] for row in (member.seen.get("cluster") or {}).get("nodes") or () if row.get("control_plane")]


def due(members: Sequence[Member], days: int) -> list[str]:
    """Control planes of which a certificate ends in fewer days; in the order in which they get new ones. The API need not answer."""
    return sorted(member.name for member in members if member.leads and member.days_left < days)
