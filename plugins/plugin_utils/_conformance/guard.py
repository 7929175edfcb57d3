# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The cost guard: how many nodes a run needs, and that no more are ever asked for."""
from __future__ import annotations

import threading
from collections.abc import Collection, Sequence

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

from .checks import BY_ID, CHECKS

PER_CLOUD = 2
"""Nodes that all checks together need of a cloud: the node itself, and one more of the same name."""


def selected(only: Collection[str], skip: Collection[str]) -> list[str]:
    """Ids of the checks to be made, in order. Raises FleetError for an id nobody knows."""
    known = [check.id for check in CHECKS]
    strange = [name for name in (*only, *skip) if name not in known]
    if strange:
        raise FleetError(f"there is no check '{strange[0]}'", fix=f"There are: {', '.join(known)}.", code="argument")
    needed: set[str] = set()

    def need(name: str) -> None:
        if name not in needed:
            needed.add(name)
            for other in (*BY_ID[name].needs, *BY_ID[name].after):
                need(other)

    for name in only or known:
        need(name)
    return [name for name in known if name in needed and name not in skip]


def nodes_for(checks: Collection[str], provider: str) -> int:
    """Nodes that those checks need of one cloud, at most."""
    if "request" not in checks:
        return 0
    return 2 if "same_name" in checks and provider != "metal" else 1


def refuse(needed: int, allowed: int, clouds: Sequence[str]) -> None:
    """Raises FleetError when the plan needs more nodes than are allowed."""
    if needed > allowed:
        raise FleetError(
            "run the conformance suite", code="cost_guard", why=f"it would make up to {needed} nodes on {len(clouds)} clouds, {allowed} are allowed",
            fix=f"Allow them (max_nodes: {needed}), name fewer clouds, or skip check 'same_name', which needs a second node.")


class Budget:
    """Counts what is asked for, so that a defect cannot make more than was allowed. For several threads."""

    def __init__(self, allowed: int) -> None:
        self._left = allowed
        self._lock = threading.Lock()
        self.made = 0

    def take(self) -> None:
        """One node is about to be asked for. Raises FleetError when none is left."""
        with self._lock:
            if self._left <= 0:
                raise FleetError("make a node", why="the number of nodes that are allowed is used up", code="cost_guard", fix="Raise max_nodes.")
            self._left -= 1
            self.made += 1
