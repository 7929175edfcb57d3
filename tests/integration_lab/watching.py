# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Waiting for something, and watching whether a service answers all the time."""
from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any


def until(check: Callable[[], object], what: str = "it", seconds: float = 90) -> Any:
    """The first answer that is true. Raises AssertionError when there is none in time."""
    deadline = time.monotonic() + seconds
    last: object = None
    while True:
        try:
            last = check()
        except Exception as failure:
            last = failure
        if last and not isinstance(last, Exception):
            return last
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s, last {last!r}"
        time.sleep(0.7)


class Watch:
    """Asks the whole time whether a service answers; ``longest`` is the longest span in seconds in which it did not."""

    def __init__(self, answers: Callable[[], object]) -> None:
        self._ask, self._end, self.longest, self.answers = answers, threading.Event(), 0.0, 0
        self._thread = threading.Thread(target=self._work, daemon=True)

    def _work(self) -> None:
        last = time.monotonic()
        while not self._end.wait(0.3):
            if self._ask():
                last, self.answers = time.monotonic(), self.answers + 1
            self.longest = max(self.longest, time.monotonic() - last)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None) -> None:
        self._end.set()
        self._thread.join(20)
        print(f"answered {self.answers} times; longest time without an answer {self.longest:.1f} s")
