# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The firewall rules and disks that are marked as a node's: made, brought into line, found, removed."""
from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from ...errors import FleetError
from ..actions import MARK, Order
from ..base import together
from . import api, firewall
from .calls import Calls
from .names import is_name, mark_words, marked_by
from .shape import last_part

Row = Mapping[str, Any]

_FIREWALLS = {"maxResults": str(api.PAGE_SIZE), "fields": "kind,id,nextPageToken,warning,items(name,description)"}
_DISKS = {
    "maxResults": str(api.PAGE_SIZE),
    "fields": "kind,id,nextPageToken,warning,unreachables,items/*/warning,items/*/disks(name,zone,users,labels)"}


class Belongings:
    """What belongs to nodes in one project."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def secure(self, order: Order) -> None:
        """See that the rules of the order are the node's firewall rules, and no others."""
        if order.rules is None:
            return
        network = order.network.extra["network"] if order.network else f"projects/{self._calls.project}/global/networks/default"
        families = tuple(order.network.reach) if order.network else ("ipv4",)
        wanted = {body["name"]: body for body in firewall.wanted(order.name, network, order.rules, families)}
        present = self._firewalls(order.name)
        self._each(self._make_firewall, [body for name, body in wanted.items() if name not in present])
        self._each(self._remove_firewall, [name for name in present if name not in wanted])

    def found(self, name: str) -> list[str]:
        """What there is, in words."""
        if not is_name(name):
            return []
        firewalls, disks = together(lambda: self._firewalls(name), lambda: self._disks(name))
        return [*map(_rule_words, firewalls), *map(_disk_words, disks)]

    def marks(self) -> set[str]:
        """The nodes that anything was made for."""
        firewalls, disks = together(
            lambda: self._firewall_rows("list firewall rules of nodes", {}), lambda: self._disk_rows("list disks of nodes", f"labels.{MARK} : *"))
        told = [marked_by(str(row.get("description") or "")) for row in firewalls]
        return {str(mark) for mark in (*told, *(disk["labels"][MARK] for disk in disks)) if mark}

    def remove(self, name: str) -> list[str]:
        """Remove it; in words what was removed."""
        if not is_name(name):
            return []
        firewalls, disks = together(lambda: self._firewalls(name), lambda: self._disks(name))
        removed = self._each(self._remove_firewall, firewalls)
        removed += self._each(self._remove_disk, disks)
        return [word for word in removed if word]

    def _each(self, act: Callable[[Any], str | None], things: list[Any]) -> list[str | None]:
        return together(*(functools.partial(act, thing) for thing in things)) if things else []

    # -- firewall rules ----------------------------------------------------------------------------------------
    def _firewalls(self, name: str) -> list[str]:
        """Names of the firewall rules that carry the node's mark."""
        mark = mark_words(name)
        rows = self._firewall_rows(f"list firewall rules of node {name}", {"filter": f'description = "{mark}"'})
        return [row["name"] for row in rows if row.get("description") == mark]

    def _firewall_rows(self, what: str, wanted: Mapping[str, str]) -> list[Row]:
        return self._calls.lists.rows(what, self._calls.project, "global/firewalls", {**_FIREWALLS, **wanted}, _firewall_page)

    def _make_firewall(self, body: Row) -> None:
        try:
            self._calls.do("POST", f"make firewall rule {body['name']}", "global/firewalls", body)
        except FleetError as failure:
            if failure.code != "exists":  # another run makes the same one: its name tells what it says
                raise

    def _remove_firewall(self, rule: str) -> str | None:
        return _rule_words(rule) if self._remove(f"remove firewall rule {rule}", f"global/firewalls/{rule}") else None

    # -- disks -------------------------------------------------------------------------------------------------
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
        return _disk_words(disk) if self._remove(f"remove disk {disk['name']}", path) else None

    def _remove(self, what: str, path: str) -> bool:
        """Whether it was there."""
        try:
            self._calls.do("DELETE", what, path)
        except FleetError as failure:
            if failure.code == "not_found":
                return False
            raise
        return True


def _rule_words(rule: str) -> str:
    return f"firewall rule {rule}"


def _disk_words(disk: Row) -> str:
    return f"disk {disk['name']} in {last_part(disk['zone'])}"


def _firewall_page(what: str, answer: Row) -> api.Page:
    return api.plain(what, answer, "compute#firewallList")


def _disk_page(what: str, answer: Row) -> api.Page:
    return api.aggregated(what, answer, "compute#diskAggregatedList", "disks")
