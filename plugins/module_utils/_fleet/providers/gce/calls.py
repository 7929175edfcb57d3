# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Requests below one project, and the operations that changes become."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ...errors import FleetError
from ..base import Run
from . import faults
from .client import Client
from .lists import Lists
from .names import fresh_id
from .shape import last_part

Row = Mapping[str, Any]
T = TypeVar("T")

_FIRST_PAUSE = 0.2  # seconds between two looks at an operation; grows
_LONGEST_PAUSE = 2.0
_REWRITES = 10  # times a change is made anew because somebody else changed the same thing


class Calls:
    """Reads with tokens that can only read, changes with others, which are asked for by the first change."""

    def __init__(self, reader: Client, writer: Callable[[], Client], run: Run, project: str) -> None:
        self.lists = Lists(reader, run)
        self.project = project
        self._reader = reader
        self._writer = writer
        self._run = run
        self._patience = run.patience

    def of(self, project: str) -> Calls:
        """The same below another project."""
        return Calls(self._reader, self._writer, self._run, project)

    def now(self) -> float:
        """The clock of the run, in seconds."""
        return self._patience.clock()

    def get(self, what: str, path: str, query: Mapping[str, str] | None = None) -> Row:
        """One resource. Raises FleetError (not_found)."""
        return self._reader.get(what, self.project, path, query or {}, _as_it_is)

    def get_as_writer(self, what: str, path: str, query: Mapping[str, str] | None = None) -> Row:
        """One resource that Google shows only to tokens that may change things."""
        return self._writer().get(what, self.project, path, query or {}, _as_it_is)

    def find(self, what: str, path: str, query: Mapping[str, str] | None = None) -> Row | None:
        """One resource, None when there is none."""
        try:
            return self.get(what, path, query)
        except FleetError as failure:
            if failure.code == "not_found":
                return None
            raise

    def begin(
        self, method: str, what: str, path: str, body: Any = None, *, query: Mapping[str, str] | None = None,
        request_id: str | None = None,
    ) -> Row:
        """The operation that a change becomes, accepted and not done yet. Sent again under the same id when the answer is
        lost; without a request_id it is a new request."""
        asked = {**(query or {}), "requestId": request_id or fresh_id()}
        return self._writer().change(method, what, self.project, path, asked, body)

    def finish(self, what: str, operation: Row, seconds: float | None = None) -> bool:
        """Wait for an operation; False when it is not done after that many seconds. Raises FleetError when it failed, or
        when the time of the whole run is over."""
        patience = self._patience
        ends = patience.clock() + (patience.remaining() if seconds is None else seconds)
        pause = _FIRST_PAUSE
        path = operation_path(operation)
        while operation.get("status") != "DONE":
            if patience.clock() + pause >= ends:
                if seconds is None or patience.remaining() <= pause:
                    raise patience.out_of_time(FleetError(what, why=f"Google's operation {operation.get('name')} is not done"))
                return False
            patience.sleep(pause)
            pause = min(_LONGEST_PAUSE, pause * 1.5)
            operation = self.get(what, path)
        failure = faults.operation_error(what, operation)
        if failure:
            raise failure
        return True

    def do(self, method: str, what: str, path: str, body: Any = None, *, query: Mapping[str, str] | None = None) -> None:
        """A change, and the end of its operation."""
        self.finish(what, self.begin(method, what, path, body, query=query))

    def rewritten(self, what: str, attempt: Callable[[], T]) -> T:
        """A change made from the newest reading: made anew when somebody else was faster."""
        for number in range(_REWRITES):
            try:
                return attempt()
            except FleetError as failure:
                if failure.code != "stale":
                    raise
                self._patience.request_timeout()  # raises when the time is over
                self._patience.sleep((0.1 + 0.2 * self._patience.spread()) * (number + 1))
        raise FleetError(what, why=f"somebody else changed the same {_REWRITES} times meanwhile", code="conflict", fix="Try again.")

    def remove(self, what: str, path: str) -> bool:
        """Delete a resource, and see its end; whether it was there."""
        try:
            self.do("DELETE", what, path)
        except FleetError as failure:
            if failure.code == "not_found":
                return False
            raise
        return True

    def operation(self, what: str, path: str) -> Row | None:
        """An operation as it stands, None when Google has forgotten it."""
        return self.find(what, path)


def operation_path(operation: Row) -> str:
    """Where an operation is asked for, below its project."""
    for place in ("zone", "region"):
        if operation.get(place):
            return f"{place}s/{last_part(operation[place])}/operations/{operation.get('name')}"
    return f"global/operations/{operation.get('name')}"


def _as_it_is(what: str, answer: Row) -> Row:
    return answer
