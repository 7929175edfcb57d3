# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What becomes of each of many nodes, and how they are worked on: bounded, at the same time, one failure not losing the others."""
from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from .collect import Settings
from .errors import FleetError, defect
from .fleet_file import Cloud
from .selection import Choice
from .shape import Node

K = TypeVar("K")

POLL = 1.0  # seconds between two looks at nodes that are waited for


@dataclasses.dataclass(slots=True)
class Outcome:
    """What became of one requirement. did: what was done, in words, in order; left: what a failure left behind (only when
    told to keep it, or when it could not be removed)."""

    name: str
    node: Node | None = None
    choice: Choice | None = None
    did: list[str] = dataclasses.field(default_factory=list)
    failure: FleetError | None = None
    left: list[str] = dataclasses.field(default_factory=list)

    @property
    def changed(self) -> bool:
        return bool(self.did)


@dataclasses.dataclass(frozen=True, slots=True)
class Making:
    """How to make nodes. timeout: seconds to wait for each; workers: requests at the same time; keep_failed: leave what a
    failed creation has made, to be looked at; say: told a node's name and a word on its progress, from any thread."""

    timeout: float
    workers: int
    settings: Settings
    check: bool = False
    keep_failed: bool = False
    say: Callable[[str, str], None] = lambda name, word: None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def copied(failure: FleetError) -> FleetError:
    """One failure may be that of several nodes, each of which adds its own words."""
    return FleetError(
        failure.what, why=failure.why, fix=failure.fix, code=failure.code, cloud=failure.cloud, scope=failure.scope,
        transient=failure.transient, retry_after=failure.retry_after)


@contextlib.contextmanager
def failures_into(outcome: Outcome, cloud: Cloud, scope: str | None) -> Iterator[None]:
    """What goes wrong with one node becomes its outcome, so that the others are not lost."""
    try:
        yield
    except FleetError as failure:
        outcome.failure = copied(failure).at(cloud.name, scope or None)
    except Exception as surprise:
        outcome.failure = defect(f"see to node {outcome.name}", surprise).at(cloud.name, scope or None)


def at_once(items: Sequence[K], act: Callable[[K], Any], workers: int) -> None:
    """Do it for all items, that many at a time; the first exception of any is raised when all are done."""
    if not items:
        return
    with concurrent.futures.ThreadPoolExecutor(max_workers=min(workers, len(items))) as pool:
        for done in [pool.submit(act, item) for item in items]:
            done.result()
