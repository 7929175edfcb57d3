# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The measurements of the benchmark, in the order in which they are printed."""
from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Iterator
from typing import Any

from . import goals
from .chain import longest_list, sequential
from .contestants import CLOUDS, ours, theirs
from .environment import Environment
from .goals import Verdict
from .measure import MeasuringError, Sample, Server, serving

LATENCY = 0.05  # s
REPEATED_UP_TO = 1000
"""Hosts up to which the median of three runs is taken; above, a run is long enough to speak for itself."""
WITH = 8
FURTHER = 16

Say = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Cost:
    """What one plugin needed: CPU and wall seconds inside parse (medians), peak MiB, requests."""

    plugin: str
    hosts: int
    cpu: float
    wall: float
    peak_mib: float
    requests: int

    @property
    def per_host(self) -> float:
        """CPU milliseconds."""
        return self.cpu / self.hosts * 1000


@dataclasses.dataclass(frozen=True)
class Duel:
    """Ours beside the plugin of one cloud; other is None where upstream is left out."""

    cloud: str
    hosts: int
    expressions: int
    ours: Cost
    other: Cost | None

    @property
    def ratio(self) -> float | None:
        return self.other.cpu / self.ours.cpu if self.other else None

    @property
    def verdict(self) -> Verdict | None:
        return goals.ratio(self.ratio, expressions=bool(self.expressions)) if self.ratio else None


@dataclasses.dataclass(frozen=True)
class Fleet:
    """Ours on three clouds at once, the libraries' imports included; each the run with the median CPU time of three.
    further: with 16 expressions; slow: with 50 ms a request, one run."""

    plain: Sample
    composed: Sample
    further: Sample
    slow: Sample

    @property
    def per_expression(self) -> float:
        """CPU milliseconds that one more expression costs for each host."""
        return (self.further.cpu - self.composed.cpu) / (FURTHER - WITH) / self.composed.hosts * 1000

    def verdicts(self) -> dict[str, Verdict]:
        chain = sequential(self.slow.requests)
        return {
            "cpu": goals.fleet_cpu(self.composed.cpu, self.composed.hosts),
            "memory": goals.fleet_memory(self.composed.peak_mib, self.composed.hosts),
            "expression": goals.expression_cost(self.per_expression),
            "wall": goals.wall(seconds=self.slow.wall, cpu=self.slow.cpu, latency=LATENCY, sequential=chain,
                               pages=longest_list(self.slow.requests)),
        }


@dataclasses.dataclass(frozen=True)
class StartUp:
    """CPU seconds of a whole ``ansible-inventory --list``: of Ansible alone, and with so many hosts of each cloud."""

    floor: float
    clouds: dict[str, dict[int, float]]


def start_up(environment: Environment) -> StartUp:
    """0 and 100 hosts of one cloud; median of three."""
    costs: dict[str, dict[int, float]] = {cloud: {} for cloud in CLOUDS}
    floor = 0.0
    for hosts in (0, 100):
        with serving(environment, dict.fromkeys(CLOUDS, hosts)) as server:
            for cloud in CLOUDS:
                contestant = ours(cloud, server.url)
                server.start_up(contestant)  # writes bytecode
                costs[cloud][hosts] = statistics.median(server.start_up(contestant) for _number in range(3))
            floor = statistics.median(server.start_up(None) for _number in range(3))
    return StartUp(floor, costs)


def duels(environment: Environment, hosts: int, *, upstream: bool, say: Say) -> Iterator[Duel | MeasuringError]:
    """Every cloud with and without expressions at one size; a measurement that failed comes as its error."""
    repeats = 3 if hosts <= REPEATED_UP_TO else 1
    with serving(environment, dict.fromkeys(CLOUDS, hosts)) as server:
        for cloud in reversed(CLOUDS):  # the slowest upstream plugin last
            for expressions in (0, WITH):
                say(f"{cloud}, {hosts} hosts, {expressions} expressions")
                try:
                    yield _duel(server, cloud, hosts, expressions, repeats, upstream=upstream)
                except MeasuringError as failure:
                    yield failure


def _duel(server: Server, cloud: str, hosts: int, expressions: int, repeats: int, *, upstream: bool) -> Duel:
    """One pair of figures. Raises MeasuringError also when the two did not come to the same result."""
    first = [server.measure(ours(cloud, server.url), expressions) for _number in range(repeats)]
    mine = _cost(ours(cloud, server.url).plugin, hosts, first)
    if not upstream:
        return Duel(cloud, hosts, expressions, mine, None)
    rival = theirs(cloud, server.url, server.folder)
    second = [server.measure(rival, expressions) for _number in range(repeats)]
    if first[0].results != second[0].results:
        raise MeasuringError(f"the expressions made other variables or groups with {rival.plugin} than with ours")
    return Duel(cloud, hosts, expressions, mine, _cost(rival.plugin, hosts, second))


def _cost(plugin: str, hosts: int, samples: list[Sample]) -> Cost:
    for sample in samples:
        if sample.hosts != hosts:
            raise MeasuringError(f"{plugin} showed {sample.hosts} hosts of {hosts}")
    return Cost(
        plugin, hosts, statistics.median(sample.cpu for sample in samples),
        statistics.median(sample.wall for sample in samples), max(sample.peak_mib for sample in samples),
        len(samples[0].requests))


def fleet(environment: Environment, hosts: int, say: Say) -> Fleet:
    """That many hosts over three clouds. Raises MeasuringError."""
    share, rest = divmod(hosts, len(CLOUDS))
    counts = {cloud: share + (place < rest) for place, cloud in enumerate(CLOUDS)}
    with serving(environment, counts) as server:
        contestant = ours("fleet", server.url)

        def measured(expressions: int) -> Sample:
            say(f"three clouds, {hosts} hosts, {expressions} expressions")
            samples = [server.measure(contestant, expressions, cold=True) for _number in range(3)]
            for sample in samples:
                if sample.hosts != hosts:
                    raise MeasuringError(f"three clouds showed {sample.hosts} hosts of {hosts}")
            return sorted(samples, key=lambda sample: sample.cpu)[1]

        plain, composed, further = measured(0), measured(WITH), measured(FURTHER)
        say(f"three clouds, {LATENCY * 1000:.0f} ms a request")
        server.delay(LATENCY * 1000)
        return Fleet(plain, composed, further, server.measure(contestant, WITH, cold=True))


def as_data(value: Any) -> Any:
    """A result as plain data for JSON, its derived figures and verdicts included; requests as their number."""
    if isinstance(value, Verdict):
        return {"goal": value.goal, "met": value.met}
    if isinstance(value, Duel):
        return {**_fields(value), "ratio": value.ratio, "verdict": as_data(value.verdict)}
    if isinstance(value, Fleet):
        return {
            **_fields(value), "ms_per_further_expression": value.per_expression,
            "sequential_requests": sequential(value.slow.requests),
            "longest_list_pages": longest_list(value.slow.requests),
            "verdicts": as_data(value.verdicts())}
    if isinstance(value, Sample):
        return {**{k: v for k, v in _fields(value).items() if k != "results"}, "requests": len(value.requests)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _fields(value)
    if isinstance(value, dict):
        return {str(key): as_data(item) for key, item in value.items()}
    return value


def _fields(value: Any) -> dict[str, Any]:
    return {field.name: as_data(getattr(value, field.name)) for field in dataclasses.fields(value)}
