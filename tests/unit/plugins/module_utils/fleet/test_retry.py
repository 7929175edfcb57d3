# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Retries: what is tried again, how long is waited, when it ends. No real time passes."""
from __future__ import annotations

import email.utils
import time

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.retry import Patience, parse_retry_after


class Clock:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def patience(clock: Clock, timeout: float = 60.0, retries: int = 5, spread: float = 1.0) -> Patience:
    return Patience(ends=clock.now + timeout, retries=retries, timeout=timeout, clock=lambda: clock.now, sleep=clock.sleep, spread=lambda: spread)


class Service:
    """Fails a number of times, then answers."""

    def __init__(self, failures: int, **kind: object) -> None:
        self.left, self.calls, self.kind = failures, 0, {"transient": True, **kind}

    def __call__(self) -> str:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise FleetError("list servers", why="HTTP 503", **self.kind)  # type: ignore[arg-type]
        return "answer"


def test_a_passing_failure_is_tried_again_with_growing_waits() -> None:
    clock, service = Clock(), Service(4)
    assert patience(clock).run(service) == "answer"
    assert clock.slept == [0.5, 1.0, 2.0, 4.0]


def test_jitter_keeps_at_least_half_of_the_wait() -> None:
    clock = Clock()
    patience(clock, spread=0.0).run(Service(3))
    assert clock.slept == [0.25, 0.5, 1.0]


def test_retries_end() -> None:
    clock, service = Clock(), Service(99)
    with pytest.raises(FleetError, match="HTTP 503"):
        patience(clock, retries=2).run(service)
    assert service.calls == 3


def test_what_will_not_pass_is_not_tried_again() -> None:
    clock, service = Clock(), Service(1, transient=False)
    with pytest.raises(FleetError):
        patience(clock).run(service)
    assert service.calls == 1
    assert clock.slept == []


def test_retry_after_is_a_lower_bound() -> None:
    clock = Clock()
    patience(clock).run(Service(1, retry_after=7.0))
    assert clock.slept == [7.0]


def test_no_wait_beyond_the_deadline() -> None:
    clock = Clock()
    with pytest.raises(FleetError) as caught:
        patience(clock, timeout=10.0).run(Service(1, retry_after=30.0))
    assert caught.value.code == "timeout"
    assert "within 10 s" in str(caught.value)
    assert "HTTP 503" in str(caught.value)
    assert clock.slept == []


def test_a_request_gets_no_more_time_than_is_left() -> None:
    clock = Clock()
    waiting = patience(clock, timeout=45.0)
    assert waiting.request_timeout() == 30.0
    clock.now += 40.0
    assert waiting.request_timeout() == 5.0
    clock.now += 5.0
    with pytest.raises(FleetError, match="within 45 s"):
        waiting.request_timeout()


@pytest.mark.parametrize(("header", "seconds"), [(None, None), ("", None), ("3", 3.0), ("0.5", 0.5), ("-1", 0.0), ("soon", None)])
def test_retry_after_header(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header) == seconds


def test_retry_after_date() -> None:
    found = parse_retry_after(email.utils.formatdate(time.time() + 20, usegmt=True))
    assert found is not None
    assert 17 < found <= 20
