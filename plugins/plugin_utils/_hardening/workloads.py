# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a host works for: what runs there, what its cluster is going to bring, what the operator says. Pure."""
from __future__ import annotations

from collections.abc import Iterable, Mapping

OF_CLUSTER: Mapping[str, tuple[str, ...]] = {"swarm": ("docker", "swarm"), "kubernetes": ("containerd", "kubernetes")}
"""A host is hardened before it becomes a member, and has to be fit for it then."""


def workloads(seen: Mapping[str, str], told: Iterable[str], cluster: str = "", via: str = "") -> dict[str, str]:
    """Name -> how it is known. told: fleet_workloads, "no-NAME" takes one away. cluster: fleet_cluster. via: fleet_cluster_via."""
    words = list(told)
    coming = dict.fromkeys(OF_CLUSTER.get(cluster, ()), "fleet_cluster says so")
    if via == "mesh":
        coming["mesh"] = "fleet_cluster_via says so"
    found = {**coming, **seen, **dict.fromkeys(words, "fleet_workloads says so")}
    return {name: why for name, why in found.items() if not name.startswith("no-") and f"no-{name}" not in words}
