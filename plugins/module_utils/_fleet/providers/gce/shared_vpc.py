# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asks for the subnetworks that a Shared VPC lets a project use: they are in another project, the host project.

Which project that is, Google tells only to tokens that may change things (``projects.getXpnHost`` takes no read-only scope).
Whoever is not told, or may use nothing there, has the networks of the own project.
"""
from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from ...errors import FleetError
from ..base import Run
from . import api
from .calls import Calls
from .lists import WITHHELD, Rows
from .shape import last_part

_USABLE = "subnetwork,network,ipCidrRange,stackType,ipv6AccessType,externalIpv6Prefix,internalIpv6Prefix,purpose"


class SharedVpc:
    """The host project of one project. It is asked for once."""

    def __init__(self, calls: Calls, run: Run) -> None:
        self._calls = calls
        self._run = run
        self._lock = threading.Lock()
        self._asked = False
        self._host: str | None = None

    def host(self) -> str | None:
        """The host project, None when there is none or we are not told."""
        with self._lock:
            if not self._asked:
                self._host = self._ask()
                self._asked = True
            return self._host

    def _ask(self) -> str | None:
        what = f"find the Shared VPC host of project {self._calls.project}"
        try:
            answer = self._calls.get_as_writer(what, "getXpnHost", {"fields": "name"})
        except FleetError as failure:
            if failure.code not in (*WITHHELD, "unsupported"):
                raise
            self._run.note(f"{what}: {failure.why}; networks of a Shared VPC are left out")
            return None
        return str(answer["name"]) if answer.get("name") else None

    def subnetworks(self) -> Rows:
        """Those of the host project that we may use, as ``UsableSubnetwork``; none without a host project."""
        host = self.host()
        if not host:
            return []
        what = f"list subnetworks of Shared VPC host {host} that project {self._calls.project} may use"
        query = {
            "maxResults": str(api.PAGE_SIZE), "serviceProject": self._calls.project,
            "fields": f"kind,id,nextPageToken,warning,unreachables,scopedWarnings(scopeName,warning/code),items({_USABLE})"}
        try:
            return self._calls.lists.rows(what, host, "aggregated/subnetworks/listUsable", query, _page)
        except FleetError as failure:
            if failure.code not in WITHHELD:
                raise
            self._run.note(f"{what}: {failure.why}; they are left out (they need roles/compute.networkUser on {host})")
            return []


def _page(what: str, answer: Mapping[str, Any]) -> api.Page:
    lost = {last_part(place) or place: "UNREACHABLE" for place in answer.get("unreachables") or ()}
    for row in answer.get("scopedWarnings") or ():
        lost |= api.warned(row.get("warning"), last_part(row.get("scopeName")) or "a region")
    if lost:
        raise api.partial(what, lost)
    return api.plain(what, answer, "compute#usableSubnetworksAggregatedList")
