# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is marked as a node's beside the node: firewall rules and disks, found and removed."""
from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from ..actions import MARK
from ..base import together
from . import api
from .calls import Calls
from .names import is_name
from .node_rules import NodeRules
from .shape import last_part

Row = Mapping[str, Any]

_DISKS = {
    "maxResults": str(api.PAGE_SIZE),
    "fields": "kind,id,nextPageToken,warning,unreachables,items/*/warning,items/*/disks(name,zone,users,labels)"}


class Belongings:
    """What belongs to nodes in one project."""

    def __init__(self, calls: Calls, rules: NodeRules) -> None:
        self._calls = calls
        self._rules = rules

    def found(self, name: str) -> list[str]:
        """What there is, in words."""
        if not is_name(name):
            return []
        rules, disks = together(lambda: self._rules.found(name), lambda: self._disks(name))
        return [*map(self._rules.words, rules), *map(_disk_words, disks)]

    def marks(self) -> set[str]:
        """The nodes that anything was made for."""
        rules, disks = together(self._rules.found, lambda: self._disk_rows("list disks of nodes", f"labels.{MARK} : *"))
        return {*(rule.mark for rule in rules), *(str(disk["labels"][MARK]) for disk in disks)}

    def remove(self, name: str) -> list[str]:
        """Remove it; in words what was removed."""
        if not is_name(name):
            return []
        rules, disks = together(lambda: self._rules.found(name), lambda: self._disks(name))
        removed = self._each(self._rules.remove, rules)
        removed += self._each(self._remove_disk, disks)
        return [word for word in removed if word]

    def _each(self, act: Callable[[Any], str | None], things: list[Any]) -> list[str | None]:
        return together(*(functools.partial(act, thing) for thing in things)) if things else []

    def _disks(self, name: str) -> list[Row]:
        """Disks with the node's mark that no instance uses. Normally none: they go with their instance."""
        rows = self._disk_rows(f"list disks of node {name}", f'labels.{MARK} = "{name}"')
        return [row for row in rows if row["labels"][MARK] == name]

    def _disk_rows(self, what: str, wanted: str) -> list[Row]:
        """Disks with a mark that no instance uses. A server may have left out the filter."""
        rows = self._calls.lists.rows(what, self._calls.project, "aggregated/disks", {**_DISKS, "filter": wanted}, _disk_page)
        return [row for row in rows if (row.get("labels") or {}).get(MARK) and not row.get("users")]

    def _remove_disk(self, disk: Row) -> str | None:
        path = f"zones/{last_part(disk['zone'])}/disks/{disk['name']}"
        return _disk_words(disk) if self._calls.remove(f"remove disk {disk['name']}", path) else None


def _disk_words(disk: Row) -> str:
    return f"disk {disk['name']} in {last_part(disk['zone'])}"


def _disk_page(what: str, answer: Row) -> api.Page:
    return api.aggregated(what, answer, "compute#diskAggregatedList", "disks")
