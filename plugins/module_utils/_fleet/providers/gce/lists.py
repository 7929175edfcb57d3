# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lists read to their last page, for the inventory and for the actions alike."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...errors import FleetError
from ..base import Run
from . import api
from .client import Client

Rows = list[Mapping[str, Any]]
Reader = Callable[[str, Mapping[str, Any]], api.Page]

WITHHELD = frozenset({"forbidden", "not_found", "refused"})
"""Codes of what an account meets that may see less than it asks for."""


class Lists:
    """Reads the lists of one endpoint."""

    def __init__(self, client: Client, run: Run) -> None:
        self._client = client
        self._run = run

    def rows(self, what: str, project: str, path: str, query: Mapping[str, str], read: Reader) -> Rows:
        """All rows of all pages. A server that refuses filter or fields is asked without them: they only save time."""
        try:
            return self.pages(what, project, path, query, read)
        except FleetError as refused:
            if refused.code != "refused":
                raise
            self._run.note(f"{what}: {refused.why}; asking again without filter and fields")
            return self.pages(what, project, path, {"maxResults": query["maxResults"]}, read)

    def pages(self, what: str, project: str, path: str, query: Mapping[str, str], read: Reader) -> Rows:
        """All rows of all pages, asked exactly so."""
        rows: Rows = []
        tokens: set[str] = set()
        page_query = dict(query)
        while True:
            page = self._client.get(what, project, path, page_query, read)
            rows += page.rows
            if page.next_token is None:
                return rows
            if page.next_token in tokens:
                raise api.bad_answer(what, "the list never ends: a page token came twice", transient=False)
            tokens.add(page.next_token)
            page_query["pageToken"] = page.next_token
