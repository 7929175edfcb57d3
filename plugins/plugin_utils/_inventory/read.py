# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read the clouds and apply the operator's policy to those that failed."""
from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.collect import Answer, Settings, collect
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import Failure, FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import Cloud
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.records import as_dict

from .store import LastGood, Records, cloud_key


@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    """on_cloud_failure, and where the last good answers are."""

    on_failure: str
    last_good: LastGood


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """The nodes of the fleet; complete is False when a cloud is missing or stale in it."""

    records: Records
    complete: bool


def read(clouds: Sequence[Cloud], settings: Settings, policy: Policy, keyed_by: Mapping[str, Any]) -> Reading:
    """All nodes of all clouds. keyed_by: settings that change what a cloud answers.

    Raises FleetError naming every cloud that failed when the policy is ``fail``, or ``stale`` with nothing kept.
    """
    answers = collect(clouds, settings)
    failed = [answer for answer in answers if answer.failure]
    if policy.on_failure == "stale":
        return _with_last_good(clouds, answers, settings, policy.last_good, keyed_by)
    if failed and policy.on_failure == "fail":
        raise _all_failures([answer.failure for answer in failed if answer.failure],
                            "To go on without it, set on_cloud_failure: warn, or stale for its last good answer.")
    for answer in failed:
        settings.warn(f"{_sentence(answer.failure)} Its machines are missing from this inventory (on_cloud_failure: warn)."
                      if answer.failure else "")
    return Reading([as_dict(node) for answer in answers for node in answer.nodes], complete=not failed)


def _with_last_good(
    clouds: Sequence[Cloud], answers: Sequence[Answer], settings: Settings, last_good: LastGood, keyed_by: Mapping[str, Any]
) -> Reading:
    records: Records = []
    hopeless: list[Failure] = []
    complete = True
    for cloud in clouds:
        key = cloud_key(cloud, keyed_by, settings.environ, settings.base_dir)
        own = [answer for answer in answers if answer.cloud is cloud]
        scopes = {str(answer.scope): [as_dict(node) for node in answer.nodes] for answer in own if not answer.failure}
        failures = [answer.failure for answer in own if answer.failure]
        if failures:
            complete = False
            kept = last_good.load(key)
            for failure in failures:
                wanted = list(kept) if failure.scope is None else [failure.scope]
                if not wanted or any(scope not in kept for scope in wanted):
                    hopeless.append(failure)
                    continue
                settings.warn(f"{_sentence(failure)} Showing its last good answer instead, marked fleet_stale.")
                scopes.update({scope: [{**record, "stale": True} for record in kept[scope]] for scope in wanted})
        for scope_records in scopes.values():
            records += scope_records
        if not failures:
            try:
                last_good.save(key, scopes)
            except OSError as problem:
                settings.warn(f"cloud '{cloud.name}': its good answer could not be kept for later: {problem.strerror} ({problem.filename})")
    if hopeless:
        raise _all_failures(hopeless, "There is no earlier good answer to show instead.")
    return Reading(records, complete)


def _sentence(failure: Failure) -> str:
    return str(failure.error).rstrip(".") + "."


def _all_failures(failures: Sequence[Failure], advice: str) -> FleetError:
    first = failures[0].error
    if len(failures) == 1:
        return FleetError(str(first), fix=advice, code=first.code)
    return FleetError(f"{len(failures)} clouds or parts of them could not be read: "
                      + os.linesep.join(f"[{number}] {failure.error}" for number, failure in enumerate(failures, start=1)),
                      fix=advice, code=first.code)
