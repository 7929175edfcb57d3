# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The journal of what happened to instances: how another process (the lab's hosts) follows this cloud."""

from __future__ import annotations

import threading
import time
from collections import deque

from .errors import Json

_KEPT = 10_000


class Journal:
    """A listener of the store; readers ask for what came after the last event they know."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._events: deque[Json] = deque(maxlen=_KEPT)
        self._count = 0

    def __call__(self, event: str, path: str, instance: Json) -> None:
        with self._news:
            self._count += 1
            self._events.append({"number": self._count, "event": event, "instance": path, "id": instance["id"]})
            self._news.notify_all()

    def after(self, number: int, seconds: float) -> list[Json]:
        """Events later than the numbered one; waits that long for one to happen."""
        deadline = time.monotonic() + seconds
        with self._news:
            while self._count <= number and (left := deadline - time.monotonic()) > 0:
                self._news.wait(left)
            return [event for event in self._events if event["number"] > number]
