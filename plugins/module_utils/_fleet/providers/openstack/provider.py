# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""OpenStack as a provider: what to ask of a region, in which order, and what is an error."""
from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ...errors import FleetError
from ...name_patterns import Start, common_start
from ...shape import NodeEvidence
from ..base import Provider, Run, together
from . import shape
from .actions import OpenStackActions
from .clouds_yaml import declarations
from .failures import bad_answer
from .lookups import Lookups, read_networks

if TYPE_CHECKING:
    from ...fleet_file import Cloud, Filters
    from .client import Account
    from .region import Region

LIST = "list servers"
PAGE = 1000  # servers; what Nova gives at most unless its operator says otherwise

FEW = 5  # servers asked for one by one; beyond that the listing is cheaper

_PATTERN = re.compile(r"[*?[]")  # of shell patterns


class OpenStack(Provider):
    """One cloud of clouds.yaml; its scopes are regions."""

    def __init__(self, cloud: Cloud, run: Run, account: Account) -> None:
        super().__init__(cloud, run)
        self._account = account

    def scopes(self) -> Sequence[str]:
        return self._account.regions()

    def actions(self, scope: str) -> OpenStackActions:
        return OpenStackActions(self.cloud, self.run, self._account.region(scope))

    def evidence(self, scope: str) -> Iterator[NodeEvidence]:
        region = self._account.region(scope)
        _check_offered(region)
        everybody = bool(self.cloud.options["all_projects"])
        pages = self._pages(region)
        declared = declarations(region.access.written_networks)
        if self.cloud.filters.single:
            first = next(pages, [])
            if not first:
                return  # nothing is asked about servers that are elsewhere
            networks = read_networks(region, declared, self.run.note)
        else:
            first, networks = together(lambda: next(pages), lambda: read_networks(region, declared, self.run.note))
        lookups = Lookups(region, networks, self.run.note, all_projects=everybody)
        known = shape.Knowledge(
            region.name or None, region.access.project(), networks, lookups.images, lookups.flavors, self.run.extra)
        for page in itertools.chain([first], pages):
            lookups.prepare(page)
            for server in page:
                yield _evidence(server, known)

    def _pages(self, region: Region) -> Iterator[list[dict[str, Any]]]:
        """The servers that may be wanted, page by page: at least one, which is empty only when there are none."""
        everybody = bool(self.cloud.options["all_projects"])
        ids = tuple(dict.fromkeys(self.cloud.filters.ids))
        few = by_id(region, ids, all_projects=everybody) if 0 < len(ids) <= FEW else None
        if few is not None:
            yield few
            return
        query = listing_query(self.cloud.filters, self.run.states, all_projects=everybody)
        pages = region.pages("compute", "/servers/detail", "servers", query, what=LIST, check=problem_of)
        yield _first_page(pages, everybody)
        yield from pages


def by_id(region: Region, ids: Sequence[str], *, all_projects: bool) -> list[dict[str, Any]] | None:
    """The servers of these ids, asked for one by one. None when an answer leaves in doubt whether there is such a server: then
    the listing tells."""
    answers = together(*[
        lambda node_id=node_id: region.send(
            "GET", "compute", f"/servers/{quote(node_id, safe='')}", what=f"read server {node_id}", ok=(400, 403, 404))
        for node_id in ids])
    own, _name = region.access.project()
    servers = []
    for status, told in answers:
        if status == 404 and "itemNotFound" in told:  # Nova's own words, not those of something in between
            continue
        server = told.get("server")
        if status >= 400 or not isinstance(server, dict) or problem_of([server]):
            return None
        # an administrator may read servers of other projects by their ids, which the listing of this one does not show
        if all_projects or own is None or server.get("tenant_id") in (None, own):
            servers.append(server)
    return servers


def listing_query(filters: Filters, states: frozenset[str], *, all_projects: bool) -> dict[str, Any]:
    """Query of the server listing. Only filters that leave no wanted server out are handed to Nova; the collector
    applies all of them afterwards."""
    query: dict[str, Any] = {"limit": PAGE}
    if all_projects:
        query["all_tenants"] = 1
    status = shape.status_for(states)
    if status:
        query["status"] = status
    name = _name_query(filters.names)
    if name:
        query["name"] = name
    exact = {key: values[0] for key, values in filters.tags.items()
             if len(values) == 1 and values[0] and not _PATTERN.search(values[0])}
    if exact:  # server tags have no values, so a tag with one can only be metadata
        query["metadata"] = json.dumps(exact)
    return query


def _name_query(patterns: Sequence[str]) -> str | None:
    """A regular expression for how all wanted names begin; one that fits names of several kinds would not do, as Nova takes
    "|" for itself on MySQL.

    It is in the dialect of Nova's database: "." for all but letters and digits is right in each, but for one byte only.
    """
    start = common_start(patterns)
    known = re.match("[ -~]*", start.text)
    if not known or not known[0]:
        return None
    ends = "$" if start == Start(known[0], True) else ""
    return "^" + re.sub(r"[^A-Za-z0-9]", ".", known[0]) + ends


def problem_of(page: Sequence[Mapping[str, Any]]) -> FleetError | None:
    """What is wrong with a page of servers: one without an id, or one of a cell that is down."""
    if not all(isinstance(server.get("id"), str) for server in page):
        return bad_answer(LIST, "a server has no id")
    partial = sum(1 for server in page if shape.is_partial(server))
    if partial:
        return FleetError(
            LIST, why=f"Nova knows only the ids of {partial} servers: the cell that holds them does not answer",
            fix="Ask the cloud's operator; 'on_cloud_failure: stale' uses the last good answer meanwhile.",
            code="partial", transient=True)
    return None


def _check_offered(region: Region) -> None:
    offered = region.access.regions()
    if region.name and offered and region.name not in offered:
        raise FleetError(
            "find the region",
            why=f"the catalogue has no compute service in region '{region.name}', only in {', '.join(offered)}",
            fix="Correct 'regions' in the fleet file, or region_name in clouds.yaml (letter case counts).",
            code="region")


def _first_page(pages: Iterator[list[dict[str, Any]]], all_projects: bool) -> list[dict[str, Any]]:
    try:
        return next(pages)
    except FleetError as failure:
        if all_projects and failure.code == "denied":
            failure.fix = "all_projects needs an administrator's role: use one that has it, or set all_projects: false."
        raise


def _evidence(server: shape.Record, known: shape.Knowledge) -> NodeEvidence:
    try:
        return shape.evidence(server, known)
    except (AttributeError, KeyError, TypeError, ValueError) as cause:
        raise bad_answer(LIST, f"server {server['id']} is malformed ({type(cause).__name__}: {cause})") from cause
