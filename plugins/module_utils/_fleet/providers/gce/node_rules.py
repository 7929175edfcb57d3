# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The firewall rules that are marked as a node's: made, brought into line, found, removed.

A firewall rule is in the project of its network. In a Shared VPC that is the host project, where nodes of other projects are as
well, so that mark and network tag name the node's project, too.
"""
from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ...errors import FleetError
from ..actions import Order, SecurityRule
from ..base import Run, together
from . import api, firewall
from .calls import Calls
from .insertion import network_owner, network_path
from .lists import WITHHELD
from .names import mark_words, marked_by, network_tag
from .shared_vpc import SharedVpc

Row = Mapping[str, Any]

_FIREWALLS = {"maxResults": str(api.PAGE_SIZE), "fields": "kind,id,nextPageToken,warning,items(name,description)"}


class Rule(NamedTuple):
    """A firewall rule. owner: the project that it is in; mark: the node's name."""

    owner: str
    name: str
    mark: str


class NodeRules:
    """The firewall rules of the nodes of one project."""

    def __init__(self, calls: Calls, shared: SharedVpc, run: Run) -> None:
        self._calls = calls
        self._run = run
        self._own = calls.project
        self._shared = shared

    def secure(self, order: Order) -> None:
        """See that the rules of the order are the node's firewall rules, and no others."""
        if order.rules is None:
            return
        owner = network_owner(order, self._own)
        try:
            self._bring_into_line(order, order.rules, owner)
        except FleetError as failure:
            if failure.code != "forbidden" or owner == self._own:
                raise
            raise FleetError(
                failure.what, why=failure.why, code="forbidden",
                fix=f"The network is of project {owner} (Shared VPC), and so are its firewall rules: grant roles/compute.securityAdmin there, "
                    "or leave 'security' out, so that the rules of the network's owner hold.") from failure

    def _bring_into_line(self, order: Order, rules: Sequence[SecurityRule], owner: str) -> None:
        families = tuple(order.network.reach) if order.network else ("ipv4",)
        bodies = firewall.wanted(order.name, network_path(order, self._own), rules, families, self._guest_of(owner))
        wanted = {body["name"]: body for body in bodies}
        present = {rule.name: rule for rule in self._listed(owner, order.name)}
        make = [functools.partial(self._make, owner, body) for name, body in wanted.items() if name not in present]
        remove = [functools.partial(self.remove, rule) for name, rule in present.items() if name not in wanted]
        for changes in (make, remove):
            if changes:
                together(*changes)

    def bring(self, name: str, instance: Row, part: str, rules: Sequence[SecurityRule], *, check: bool) -> list[str]:
        """See that the rules of that part of a node's own are these. instance: its networkInterfaces and tags. Words of what changed, or with
        ``check`` would."""
        interface = (instance.get("networkInterfaces") or [{}])[0]
        network = str(interface.get("network")).partition("/projects/")[2]
        owner = network.partition("/")[0] or self._own
        project = self._guest_of(owner)
        if network_tag(name, project) not in ((instance.get("tags") or {}).get("items") or ()):
            if rules:
                self._run.warn(f"node {name} was made without firewall rules of its own, so nothing was opened for it: those of its network hold")
            return []
        families = ("ipv4", "ipv6") if interface.get("ipv6Address") or interface.get("ipv6AccessConfigs") else ("ipv4",)
        bodies = firewall.of_part(name, part, f"projects/{network}", rules, families, project)
        wanted = {body["name"]: body for body in bodies}
        present = {rule.name: rule for rule in self._listed(owner, name) if firewall.is_of_part(rule.name, name, part)}
        add, drop = [body for key, body in wanted.items() if key not in present], [rule for key, rule in present.items() if key not in wanted]
        for changes in () if check else (
                [functools.partial(self._make, owner, body) for body in add], [functools.partial(self.remove, rule) for rule in drop]):
            if changes:
                together(*changes)
        return [*(f"lets in {firewall.words(body)}" for body in add), *(f"no {self.words(rule)} any more" for rule in drop)]

    def found(self, name: str = "") -> list[Rule]:
        """The rules of a node, of all without a name, wherever their networks are."""
        own, host = together(lambda: self._listed(self._own, name), lambda: self._listed_at_host(name))
        return [*own, *host]

    def remove(self, rule: Rule) -> str | None:
        """Remove a rule; in words what was removed, None when it was gone."""
        gone = self._calls.of(rule.owner).remove(f"remove firewall rule {rule.name}", f"global/firewalls/{rule.name}")
        return self.words(rule) if gone else None

    def words(self, rule: Rule) -> str:
        return f"firewall rule {rule.name}" + (f" of project {rule.owner}" if rule.owner != self._own else "")

    def _listed_at_host(self, name: str) -> list[Rule]:
        host = self._shared.host()
        try:
            return self._listed(host, name) if host else []
        except FleetError as failure:
            if failure.code not in WITHHELD:
                raise
            return []  # whoever may not see rules there has made none

    def _listed(self, owner: str, name: str) -> list[Rule]:
        """The firewall rules in a project that carry the mark of that node of ours, or of any without a name."""
        project = self._guest_of(owner)
        query = {**_FIREWALLS, **({"filter": f'description = "{mark_words(name, project)}"'} if name else {})}
        what = f"list firewall rules of {f'node {name}' if name else 'nodes'}"
        rows = self._calls.lists.rows(what, owner, "global/firewalls", query, _page)
        marks = ((row["name"], marked_by(str(row.get("description") or ""), project)) for row in rows)
        return [Rule(owner, rule, mark) for rule, mark in marks if mark and mark == (name or mark)]

    def _make(self, owner: str, body: Row) -> None:
        try:
            self._calls.of(owner).do("POST", f"make firewall rule {body['name']}", "global/firewalls", body)
        except FleetError as failure:
            if failure.code != "exists":  # another run makes the same one: its name tells what it says
                raise

    def _guest_of(self, owner: str) -> str | None:
        """The nodes' project, where the rules are in another one."""
        return self._own if owner != self._own else None


def _page(what: str, answer: Row) -> api.Page:
    return api.plain(what, answer, "compute#firewallList")
