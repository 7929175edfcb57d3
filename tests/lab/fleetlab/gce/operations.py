# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Long-running operations: accepted at once, done after a delay, by one worker in the order they fall due."""

from __future__ import annotations

import heapq
import itertools
import sys
import threading
import time
import uuid
from collections.abc import Callable

from .errors import ApiError, Json
from .store import Store, link, name_of, new_id, scope_of, timestamp

WAIT_LIMIT = 120.0  # seconds; Google's wait methods answer after two minutes at the latest, done or not

Effect = Callable[[], None]


class Operations:
    """Runs the effect of each accepted change."""

    def __init__(self, store: Store, delay: float) -> None:
        """:param delay: seconds between accepting a change and its being done."""
        self.delay = delay
        self._store = store
        self._due: list[tuple[float, int, str, Effect]] = []
        self._order = itertools.count()
        self._by_request: dict[tuple[str, str], str] = {}
        threading.Thread(target=self._work, name="operations", daemon=True).start()

    def repeated(self, project: str, request_id: str | None) -> Json | None:
        """The operation an earlier request with the same requestId started.

        :raises ApiError: 400 when the requestId is not a UUID.
        """
        if not request_id:
            return None
        try:
            valid = uuid.UUID(request_id).int != 0
        except ValueError:
            valid = False
        if not valid:
            raise ApiError(
                400, "invalid", f"Invalid value for field 'requestId': '{request_id}'. Must be a valid, non-zero UUID."
            )
        known = self._by_request.get((project, request_id))
        return self._store.find(known) if known else None

    def begin(self, verb: str, target: str, user: str, effect: Effect, request_id: str | None = None) -> Json:
        """Accept a change; ``effect`` runs when it is done. The caller holds the store's lock.

        :param target: path of the resource that changes.
        :returns: the operation as Google answers it, RUNNING.
        """
        parts = target.split("/")
        project, scope = parts[1], scope_of(target) if len(parts) > 3 else "global"
        unique = uuid.uuid4().hex
        name = f"operation-{time.time_ns() // 1_000_000}-{unique[:13]}-{unique[13:21]}-{unique[21:29]}"
        path = f"projects/{project}/{scope}/operations/{name}"
        known = self._store.find(target)
        now = timestamp()
        content: Json = {
            "name": name,
            "operationType": verb,
            "targetLink": link(target),
            "targetId": known["id"] if known else new_id(),
            "status": "RUNNING",
            "progress": 0,
            "user": user,
            "insertTime": now,
            "startTime": now,
        }
        if scope != "global":
            content["zone" if scope.startswith("zones/") else "region"] = link(f"projects/{project}/{scope}")
        operation = self._store.add(path, "compute#operation", content)
        operation.pop("creationTimestamp")  # deprecated for operations; Google no longer sends it
        if request_id:
            self._by_request[project, request_id] = path
        heapq.heappush(self._due, (time.monotonic() + self.delay, next(self._order), path, effect))
        self._store.changed.notify_all()
        return operation

    def wait(self, path: str, seconds: float = WAIT_LIMIT) -> Json:
        """The operation once it is done, or as it is when the time is over. The caller holds the store's lock."""
        self._store.changed.wait_for(lambda: self._store.get(path)["status"] == "DONE", timeout=seconds)
        return self._store.get(path)

    def _work(self) -> None:
        with self._store.lock:
            while True:
                if not self._due:
                    self._store.changed.wait()
                    continue
                left = self._due[0][0] - time.monotonic()
                if left > 0:
                    self._store.changed.wait(left)
                    continue
                _when, _order, path, effect = heapq.heappop(self._due)
                self._finish(path, effect)

    def _finish(self, path: str, effect: Effect) -> None:
        operation = self._store.get(path)
        try:
            effect()
        except ApiError as failure:
            operation["error"] = {"errors": [{"code": _error_code(failure), "message": failure.message}]}
            operation |= {"httpErrorStatusCode": failure.code, "httpErrorMessage": failure.reason}
        except Exception as failure:  # a fault of the emulator must show in the answer, not end the worker
            print(f"gce: BROKEN: effect of {name_of(path)}: {failure!r}", file=sys.stderr, flush=True)
            operation["error"] = {
                "errors": [{"code": "INTERNAL_ERROR", "message": f"fault of the emulator: {failure!r}"}]
            }
            operation |= {"httpErrorStatusCode": 500, "httpErrorMessage": "internalError"}
        operation |= {"status": "DONE", "progress": 100, "endTime": timestamp()}
        self._store.changed.notify_all()


def _error_code(failure: ApiError) -> str:
    """notFound -> RESOURCE_NOT_FOUND and the like, as operations spell it."""
    known = {
        "notFound": "RESOURCE_NOT_FOUND",
        "alreadyExists": "RESOURCE_ALREADY_EXISTS",
        "resourceInUseByAnotherResource": "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE",
        "resourceNotReady": "RESOURCE_NOT_READY",
        "ipSpaceExhausted": "IP_SPACE_EXHAUSTED",
    }
    return failure.reason if failure.reason.isupper() else known.get(failure.reason, "INVALID_FIELD_VALUE")
