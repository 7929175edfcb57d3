# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Trouble on demand: faults injected into chosen requests, zones out of reach, and the log of all requests."""

from __future__ import annotations

import dataclasses
import fnmatch
import threading
from collections import deque
from typing import Any

from .errors import ApiError, Json

_LOG_LENGTH = 20_000


@dataclasses.dataclass
class Fault:
    """One order, such as {"match": "instances.list", "code": 429, "reason": "rateLimitExceeded", "times": 2}."""

    match: str  # method id with wildcards: instances.*, token, metadata.*
    code: int = 0  # HTTP status of the answer; 0 lets the request through (a delay alone)
    reason: str = "backendError"
    message: str = "injected by the lab"
    times: int = 1  # how many requests it hits; 0 is all of them
    skip: int = 0  # how many pass first
    delay: float = 0.0  # seconds before the answer
    drop: bool = False  # close the connection without an answer
    late: bool = False  # all that after the request was carried out, so that only its answer is lost
    operation: bool = False  # the request is accepted, and its operation ends with this error (reason is its code)
    raw: str | None = None  # this text instead of an answer, with status `code` or 200
    headers: dict[str, str] = dataclasses.field(default_factory=dict)  # such as Retry-After
    query: dict[str, str] = dataclasses.field(
        default_factory=dict
    )  # only requests with these parameters (project, zone, pageToken...)

    def error(self) -> ApiError:
        return ApiError(self.code or 400, self.reason, self.message)


class Faults:
    """Orders in force. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._unreachable: set[str] = set()
        self.partial_needs_flag = True
        self.log: deque[Json] = deque(maxlen=_LOG_LENGTH)

    def add(self, order: Json) -> None:
        """:raises ApiError: 400 for words it does not know."""
        names = {field.name for field in dataclasses.fields(Fault)}
        if not order.get("match") or set(order) - names:
            raise ApiError(400, "invalid", f"a fault has 'match' and any of: {', '.join(sorted(names))}")
        with self._lock:
            self._faults.append(Fault(**order))

    def take(self, method: str, values: dict[str, Any]) -> Fault | None:
        """The fault that hits this request, if one does; counts it."""
        with self._lock:
            for fault in self._faults:
                if not fnmatch.fnmatchcase(method, fault.match) or any(
                    str(values.get(k, "")) != v for k, v in fault.query.items()
                ):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                if fault.times == 1:
                    self._faults.remove(fault)
                elif fault.times > 1:
                    fault.times -= 1
                return fault
        return None

    def set_unreachable(self, scopes: list[str], needs_flag: bool) -> None:
        """Which scopes (zones/us-central1-b) cannot be reached from now on.

        :param needs_flag: without returnPartialSuccess an aggregated list fails; False gives the partial answer anyway.
        """
        with self._lock:
            self._unreachable, self.partial_needs_flag = set(scopes), needs_flag

    def is_unreachable(self, scope: str) -> bool:
        return scope in self._unreachable

    def clear(self) -> None:
        """No faults, everything reachable, an empty log."""
        with self._lock:
            self._faults.clear()
            self._unreachable.clear()
            self.partial_needs_flag = True
            self.log.clear()
