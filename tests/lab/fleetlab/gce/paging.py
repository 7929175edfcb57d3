# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Page tokens over snapshots: what is listed is sorted and filtered once, when its first page is asked for."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

from .errors import invalid

MAX_RESULTS = 500  # documented upper bound, and the default
_KEPT = 2000  # tokens remembered; the oldest go first

Item = TypeVar("Item")


class Pages(Generic[Item]):
    """Remembers how far each reader of a list has come."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, tuple[Hashable, Sequence[Item], int]] = OrderedDict()

    def page(
        self, query: Hashable, token: str, size: int | None, snapshot: Callable[[], Sequence[Item]]
    ) -> tuple[Sequence[Item], str]:
        """One page and the token of the next ("" after the last).

        :param query: everything that says which list this is; a token is good for the same query only.
        :param size: maxResults; None or 0 means the default.
        :raises ApiError: 400 for a size above 500 or a token that is not of this list.
        """
        if size is not None and size > MAX_RESULTS:
            raise invalid("maxResults", size, f"Must be less than or equal to {MAX_RESULTS}")
        if token:
            known, items, start = self._open.get(token, (None, [], 0))
            if known != query:
                raise invalid("pageToken", token, "The token is not valid for this list.")
        else:
            items, start = snapshot(), 0
        end = start + (size or MAX_RESULTS)
        return items[start:end], self._remember(query, items, end) if end < len(items) else ""

    def _remember(self, query: Hashable, items: Sequence[Item], start: int) -> str:
        token = secrets.token_urlsafe(48)
        self._open[token] = (query, items, start)
        if len(self._open) > _KEPT:
            self._open.popitem(last=False)
        return token
