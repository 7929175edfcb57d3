# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The firewall rules and disks that are marked as a node's: made, brought into line, found, removed.

A firewall rule is in the project of its network, which in a Shared VPC is the host project.
"""
from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ...errors import FleetError
from ..actions import MARK, Order, SecurityRule
from ..base import together
from . import api, firewall
from .calls import Calls
from .insertion import network_owner, network_path
from .lists import WITHHELD
from .names import is_name, mark_words
from .shape import last_part
from .shared_vpc import SharedVpc

Row = Mapping[str, Any]

_FIREWALLS = {"maxResults": str(api.PAGE_SIZE), "fields": "kind,id,nextPageToken,warning,items(name,description)"}
_DISKS = {
    "maxResults": str(api.PAGE_SIZE),
    "fields": "kind,id,nextPageToken,warning,unreachables,items/*/warning,items/*/disks(name,zone,users,labels)"}


class _Rule(NamedTuple):
    """A firewall rule. owner: the project that it is in."""

    owner: str
    name: str


class Belongings:
    """What belongs to nodes in one project."""

    def __init__(self, calls: Calls, shared: SharedVpc) -> None:
        self._calls = calls
        self._shared = shared

    def secure(self, order: Order) -> None:
        """See that the rules of the order are the node's firewall rules, and no others."""
        if order.rules is None:
            return
        own = self._calls.project
        owner = network_owner(order, own)
        try:
            self._bring_into_line(order, order.rules, own, owner)
        except FleetError as failure:
            if failure.code != "forbidden" or owner == own:
                raise
            raise FleetError(
                failure.what, why=failure.why, code="forbidden",
                fix=f"The network is of project {owner} (Shared VPC), and so are its firewall rules: grant roles/compute.securityAdmin there, "
                    "or leave 'security' out, so that the rules of the network's owner hold.") from failure

    def _bring_into_line(self, order: Order, rules: Sequence[SecurityRule], own: str, owner: str) -> None:
        network = network_path(order, own)
        families = tuple(order.network.reach) if order.network else ("ipv4",)
        bodies = firewall.wanted(order.name, network, rules, families, own if owner != own else None)
        wanted = {body["name"]: body for body in bodies}
        present = self._firewalls(owner, order.name)
        missing = [(owner, body) for name, body in wanted.items() if name not in {rule.name for rule in present}]
        self._each(self._make_firewall, missing)
        self._each(self._remove_firewall, [rule for rule in present if rule.name not in wanted])

    def found(self, name: str) -> list[str]:
        """What there is, in words."""
        if not is_name(name):
            return []
        firewalls, disks = together(lambda: self._all_firewalls(name), lambda: self._disks(name))
        return [*map(self._rule_words, firewalls), *map(_disk_words, disks)]

    def remove(self, name: str) -> list[str]:
        """Remove it; in words what was removed."""
        if not is_name(name):
            return []
        firewalls, disks = together(lambda: self._all_firewalls(name), lambda: self._disks(name))
        removed = self._each(self._remove_firewall, firewalls)
        removed += self._each(self._remove_disk, disks)
        return [word for word in removed if word]

    def _each(self, act: Callable[[Any], str | None], things: list[Any]) -> list[str | None]:
        return together(*(functools.partial(act, thing) for thing in things)) if things else []

    # -- firewall rules ----------------------------------------------------------------------------------------
    def _all_firewalls(self, name: str) -> list[_Rule]:
        """The firewall rules of a node, wherever its network is."""
        own, host = together(lambda: self._firewalls(self._calls.project, name), lambda: self._firewalls_of_host(name))
        return [*own, *host]

    def _firewalls_of_host(self, name: str) -> list[_Rule]:
        host = self._shared.host()
        try:
            return self._firewalls(host, name) if host else []
        except FleetError as failure:
            if failure.code not in WITHHELD:
                raise
            return []  # whoever may not see rules there has made none

    def _firewalls(self, owner: str, name: str) -> list[_Rule]:
        """The firewall rules in a project that carry the node's mark."""
        mark = mark_words(name, self._calls.project if owner != self._calls.project else None)
        query = {**_FIREWALLS, "filter": f'description = "{mark}"'}
        rows = self._calls.lists.rows(f"list firewall rules of node {name}", owner, "global/firewalls", query, _firewall_page)
        return [_Rule(owner, row["name"]) for row in rows if row.get("description") == mark]

    def _make_firewall(self, place: tuple[str, Row]) -> None:
        owner, body = place
        try:
            self._calls.of(owner).do("POST", f"make firewall rule {body['name']}", "global/firewalls", body)
        except FleetError as failure:
            if failure.code != "exists":  # another run makes the same one: its name tells what it says
                raise

    def _remove_firewall(self, rule: _Rule) -> str | None:
        gone = self._remove(self._calls.of(rule.owner), f"remove firewall rule {rule.name}", f"global/firewalls/{rule.name}")
        return self._rule_words(rule) if gone else None

    def _rule_words(self, rule: _Rule) -> str:
        return f"firewall rule {rule.name}" + (f" of project {rule.owner}" if rule.owner != self._calls.project else "")

    # -- disks -------------------------------------------------------------------------------------------------
    def _disks(self, name: str) -> list[Row]:
        """Disks with the node's mark that no instance uses. Normally none: they go with their instance."""
        query = {**_DISKS, "filter": f'labels.{MARK} = "{name}"'}
        rows = self._calls.lists.rows(f"list disks of node {name}", self._calls.project, "aggregated/disks", query, _disk_page)
        return [row for row in rows if (row.get("labels") or {}).get(MARK) == name and not row.get("users")]

    def _remove_disk(self, disk: Row) -> str | None:
        path = f"zones/{last_part(disk['zone'])}/disks/{disk['name']}"
        return _disk_words(disk) if self._remove(self._calls, f"remove disk {disk['name']}", path) else None

    def _remove(self, calls: Calls, what: str, path: str) -> bool:
        """Whether it was there."""
        try:
            calls.do("DELETE", what, path)
        except FleetError as failure:
            if failure.code == "not_found":
                return False
            raise
        return True


def _disk_words(disk: Row) -> str:
    return f"disk {disk['name']} in {last_part(disk['zone'])}"


def _firewall_page(what: str, answer: Row) -> api.Page:
    return api.plain(what, answer, "compute#firewallList")


def _disk_page(what: str, answer: Row) -> api.Page:
    return api.aggregated(what, answer, "compute#diskAggregatedList", "disks")
