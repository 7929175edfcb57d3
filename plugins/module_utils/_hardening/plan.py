# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a kind of item answers: right as it is, or the changes that make it so, each with the steps back."""
from __future__ import annotations

from typing import Any, Callable, Dict

from .undo import Keep, Step

Item = Dict[str, Any]


class NotPossible(ValueError):
    """Found out while doing it: this node cannot have it. Told, and no failure."""


class Change:
    """One thing to change. key: what it is, the same in every run ("path:/etc/issue"). undo: the steps back, asked for right before
    ``act``. before, after: for --diff, without secrets. detail: a few words for the report."""

    def __init__(self, key: str, undo: Callable[[Keep], list[Step]], act: Callable[[], None], before: str = "", after: str = "",
                 detail: str = "") -> None:
        self.key = key
        self.undo = undo
        self.act = act
        self.before = before
        self.after = after
        self.detail = detail


class Plan:
    """changes: empty when all is right. not_possible: why some of it cannot be had on this node. failed: why it cannot be done at all,
    though it should; nothing of such an item is changed."""

    def __init__(self, changes: list[Change] | None = None, not_possible: str = "", failed: str = "") -> None:
        self.changes = changes or []
        self.not_possible = not_possible
        self.failed = failed
