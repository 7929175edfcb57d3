# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ask all clouds at once: open the providers, read every scope concurrently, keep what failed beside what did not."""
from __future__ import annotations

import contextlib
import dataclasses
import fnmatch
import gc
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from . import assemble
from .errors import Failure, FleetError, defect
from .fleet_file import Cloud, Filters
from .providers.base import Provider, Run
from .providers.registry import PROVIDERS, load_libraries
from .retry import Patience
from .shape import Node, NodeEvidence

Place = tuple[int, int]
"""Where an answer belongs in the order of the fleet file: cloud, scope (-1 for opening the cloud)."""

GRACE = 2.0  # seconds beyond the timeout before a cloud that ignores its deadline is given up


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """How to read: seconds a cloud may take, tries after the first, scopes read at the same time, states wanted,
    names of extra fields."""

    timeout: float
    retries: int
    workers: int
    states: tuple[str, ...]
    extra: tuple[str, ...] = ()
    base_dir: str = "."
    environ: Mapping[str, str] = dataclasses.field(default_factory=dict)
    warn: Callable[[str], None] = lambda text: None
    note: Callable[[str], None] = lambda text: None


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What one scope of one cloud answered. scope is None when the cloud could not even be opened."""

    cloud: Cloud
    scope: str | None
    nodes: tuple[Node, ...] = ()
    failure: Failure | None = None


def collect(clouds: Sequence[Cloud], settings: Settings) -> list[Answer]:
    """The answers of all scopes of all clouds, in the order of the fleet file; failures are answers too."""
    return _Collector(settings).run(clouds)


def read(provider: Provider, scopes: Sequence[str], settings: Settings) -> list[Answer]:
    """The answers of these scopes of a cloud that is open, in their order; failures are answers too."""
    return _Collector(settings).run_opened(provider, scopes)


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Python's cyclic garbage collector off for the duration.

    Reading a large fleet makes millions of objects, all of them kept: the collector would walk them again and again
    (up to half of the CPU time at 10,000 nodes) and find nothing.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _Collector:
    """Workers take jobs from one queue: first "open this cloud", which adds a "read this scope" for each of its scopes."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.jobs: queue.SimpleQueue[tuple[Place, Callable[[], None]] | None] = queue.SimpleQueue()
        self.answers: dict[Place, Answer] = {}
        self.waiting: dict[Place, tuple[Cloud, str | None]] = {}
        self.begun: dict[Place, float] = {}
        self.changed = threading.Condition()

    def run(self, clouds: Sequence[Cloud]) -> list[Answer]:
        load_libraries(clouds)
        for number, cloud in enumerate(clouds):
            self._add((number, -1), cloud, None, lambda number=number, cloud=cloud: self._open(number, cloud))  # type: ignore[misc]
        return self._answers(self.settings.workers)

    def run_opened(self, provider: Provider, scopes: Sequence[str]) -> list[Answer]:
        self._add_scopes(0, provider, scopes)
        return self._answers(min(self.settings.workers, len(scopes)))

    def _answers(self, workers: int) -> list[Answer]:
        for _number in range(workers):
            self._start_worker()
        self._wait()
        for _number in range(workers):
            self.jobs.put(None)
        return [self.answers[place] for place in sorted(self.answers)]

    def _start_worker(self) -> None:
        # daemon: a connection that hangs beyond every timeout must not keep the process alive
        threading.Thread(target=self._work, daemon=True).start()

    def _add(self, place: Place, cloud: Cloud, scope: str | None, job: Callable[[], None]) -> None:
        with self.changed:
            self.waiting[place] = (cloud, scope)
        self.jobs.put((place, job))

    def _work(self) -> None:
        while True:
            task = self.jobs.get()
            if task is None:
                return
            place, job = task
            with self.changed:
                self.begun[place] = time.monotonic()
            try:
                job()
            except FleetError as failure:
                self._fail(place, failure)
            except Exception as surprise:  # a defect in a provider must name its cloud, not lose the others
                self._fail(place, defect("read the cloud", surprise))

    def _fail(self, place: Place, error: FleetError) -> None:
        with self.changed:
            pending = self.waiting.get(place)
            if pending:
                cloud, scope = pending
                self._finish(place, Answer(cloud, scope, failure=Failure(cloud.name, scope, error.at(cloud.name, scope))))

    def _finish(self, place: Place, answer: Answer | None) -> None:
        with self.changed:
            if self.waiting.pop(place, None) and answer:
                self.answers[place] = answer
            self.changed.notify()

    def _wait(self) -> None:
        """Until every job has answered; a job that ignores its deadline is answered for, and its worker replaced."""
        limit = self.settings.timeout + GRACE
        with self.changed:
            while self.waiting:
                self.changed.wait(0.25)
                for place in [place for place in self.waiting if time.monotonic() - self.begun.get(place, time.monotonic()) > limit]:
                    self._fail(place, Patience.seconds(self.settings.timeout, 0).out_of_time())
                    self._start_worker()

    def _open(self, number: int, cloud: Cloud) -> None:
        run = run_for(cloud, self.settings)
        provider = PROVIDERS[cloud.provider].open(cloud, run)
        self._add_scopes(number, provider, provider.scopes())
        self._finish((number, -1), None)

    def _add_scopes(self, number: int, provider: Provider, scopes: Sequence[str]) -> None:
        for order, scope in enumerate(scopes):
            self._add((number, order), provider.cloud, scope,
                      lambda order=order, scope=scope: self._read(number, order, provider, scope))  # type: ignore[misc]

    def _read(self, number: int, order: int, provider: Provider, scope: str) -> None:
        cloud, run = provider.cloud, provider.run
        nodes = tuple(
            _concluded(evidence, cloud) for evidence in provider.evidence(scope) if wanted(evidence, cloud.filters, run.states))
        self._finish((number, order), Answer(cloud, scope, nodes))


def run_for(cloud: Cloud, settings: Settings) -> Run:
    """What a provider needs to work on one cloud; its time begins now."""
    return Run(
        patience=Patience.seconds(settings.timeout, settings.retries),
        states=frozenset(cloud.filters.states or settings.states),
        extra=settings.extra, base_dir=settings.base_dir, environ=settings.environ,
        warn=lambda text: settings.warn(f"cloud '{cloud.name}': {text}"),
        note=lambda text: settings.note(f"cloud '{cloud.name}': {text}"),
    )


def _concluded(evidence: NodeEvidence, cloud: Cloud) -> Node:
    try:
        return assemble.node(
            evidence, provider=cloud.provider, cloud=cloud.name, operator_login_user=cloud.login_user,
            operator_ssh_port=cloud.ssh_port, operator_roles=cloud.roles)
    except ValueError as odd:  # an address that is none
        raise FleetError(
            "read the nodes", why=f"unusable answer: node {evidence.id}: {odd}", code="bad_answer",
            fix="Check that the endpoint is the cloud's and that no proxy answers in its place.") from None


def wanted(evidence: NodeEvidence, filters: Filters, states: frozenset[str]) -> bool:
    """Whether a node passes the filters: its state, all tags, any of the names (shell patterns, case kept), any of the ids."""
    if evidence.state not in states or (filters.ids and evidence.id not in filters.ids):
        return False
    if filters.names and not any(fnmatch.fnmatchcase(evidence.name or evidence.id, pattern) for pattern in filters.names):
        return False
    for tag, patterns in filters.tags.items():
        value = evidence.tags.get(tag)
        if value is None or (patterns and not any(fnmatch.fnmatchcase(value, pattern) for pattern in patterns)):
            return False
    return True
