# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""All clouds side by side: each in a thread of its own, its checks one after another."""
from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import Cloud
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.registry import load_libraries

from .checks import ERROR, Finding
from .course import Course, Plan
from .probes import PROBES
from .report import CloudReport, Report, ordered

T = TypeVar("T")

AT_ONCE = 16  # clouds worked on at the same time
LOOK = 0.2  # seconds between two looks for a signal


def run(
    clouds: Sequence[Cloud], names: Mapping[str, str], given: Mapping[str, Mapping[str, Any]], plan: Plan, *, fleet: str, max_nodes: int,
    yardstick: str | None, measured: bool,
) -> Report:
    """The report of a whole run. names: cloud -> name of its node; given: cloud -> the operator's part of its requirement. Never
    raises for what a cloud does."""
    began = plan.clock()
    moment = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

    def course(cloud: Cloud) -> CloudReport:
        return Course(cloud, names[cloud.name], given.get(cloud.name, {}), plan).run(PROBES)

    def lost(cloud: Cloud, surprise: Exception) -> CloudReport:
        finding = {check: Finding(check, ERROR, f"{type(surprise).__name__}: {surprise}") for check in plan.checks}
        return CloudReport(cloud.name, cloud.provider, "", ordered(finding, plan.checks), 0.0, left=("perhaps everything: sweep",))

    reports = side_by_side(clouds, course, lost)
    first = [report for report in reports if report.name == yardstick]
    others = [report for report in reports if report.name != yardstick]
    return Report(
        run=plan.run, fleet=fleet, began=moment, seconds=plan.clock() - began, clouds=(*first, *others),
        yardstick=yardstick, measured=measured, max_nodes=max_nodes, made=plan.budget.made, ended=plan.stop.why if plan.stop.asked else "")


def side_by_side(clouds: Sequence[Cloud], act: Callable[[Cloud], T], lost: Callable[[Cloud, Exception], T]) -> list[T]:
    """What act returns for every cloud, in their order; lost tells what to take for one where it raised. The main thread stays free for
    signals; their handler raises a flag, and the threads end by it."""
    load_libraries(clouds)
    results: dict[int, T] = {}
    gate = threading.Semaphore(AT_ONCE)

    def work(number: int, cloud: Cloud) -> None:
        with gate:
            try:
                results[number] = act(cloud)
            except Exception as surprise:  # handed on, so that the other clouds are told
                results[number] = lost(cloud, surprise)

    threads = [threading.Thread(target=work, args=pair, daemon=True) for pair in enumerate(clouds)]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(LOOK)
    return [results[number] for number in range(len(clouds))]


def yardstick_of(clouds: Sequence[Cloud], named: str | None) -> tuple[str | None, bool]:
    """(name of the cloud whose column comes first, whether its answers are the yardstick)."""
    if named and named != "aws":
        return named, True
    return next((cloud.name for cloud in clouds if cloud.provider == "aws"), None), False
