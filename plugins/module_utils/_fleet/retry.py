# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Try again, politely and within a deadline: exponential backoff with jitter, Retry-After honoured."""
from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable
from typing import TypeVar

from .errors import FleetError

T = TypeVar("T")

FIRST_WAIT = 0.5  # seconds; doubles with each try
LONGEST_WAIT = 20.0  # seconds, unless the other side asks for more
REQUEST_TIMEOUT = 30.0  # seconds for a single request, less when the deadline is nearer


@dataclasses.dataclass(frozen=True, slots=True)
class Patience:
    """How long and how often to try. ends: time.monotonic() at which the answer must be there; retries: tries after
    the first."""

    ends: float
    retries: int
    timeout: float = 0.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    spread: Callable[[], float] = random.random

    @classmethod
    def seconds(cls, timeout: float, retries: int) -> Patience:
        return cls(ends=time.monotonic() + timeout, retries=retries, timeout=timeout)

    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.ends - self.clock())

    def request_timeout(self) -> float:
        """Seconds to give the next single request. Raises FleetError when no time is left."""
        left = self.remaining()
        if left <= 0:
            raise self.out_of_time()
        return min(left, REQUEST_TIMEOUT)

    def out_of_time(self, last: FleetError | None = None) -> FleetError:
        what = last.what if last else "read the cloud"
        why = f"no complete answer within {self.timeout:g} s" + (f" (last: {last.why})" if last and last.why else "")
        return FleetError(what, why=why, code="timeout", fix="Check that the endpoint is reachable, or raise 'timeout'.")

    def run(self, action: Callable[[], T]) -> T:
        """Call action until it returns, fails for good, or tries or time run out.

        Only a FleetError with transient=True is tried again; the last one is raised when trying ends.
        """
        for attempt in range(self.retries + 1):
            try:
                return action()
            except FleetError as failure:
                if not failure.transient or attempt == self.retries:
                    raise
                wait = self._wait(attempt, failure.retry_after)
                if wait >= self.remaining():
                    raise self.out_of_time(failure) from failure
                self.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def _wait(self, attempt: int, asked: float | None) -> float:
        """Half of the doubled wait is fixed and half random, so that many clients do not come back together; what the
        other side asked for is a lower bound."""
        backoff = min(LONGEST_WAIT, FIRST_WAIT * 2.0**attempt)
        return max(asked or 0.0, backoff * (0.5 + 0.5 * self.spread()))


def parse_retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header: a number, or an HTTP date (RFC 9110, section 10.2.3); None if absent or odd."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    import email.utils

    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
