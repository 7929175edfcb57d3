# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Waiting for nodes that were asked for: all of them together, bounded, with a word on what was waited for."""
from __future__ import annotations

from collections.abc import Sequence

from .errors import FleetError
from .finding import living, look_in
from .jobs import Job, fail
from .opened import Opened
from .outcomes import POLL, Making
from .providers.actions import MARK, Status

UNSEEN = 20  # looks at a node that was made and is not listed, before it is taken for gone


class Arrivals:
    """The nodes of one cloud on their way; seconds are told from when this was made."""

    def __init__(self, opened: Opened, making: Making, began: float) -> None:
        self._opened = opened
        self._making = making
        self._began = began

    def wait(self, jobs: Sequence[Job]) -> None:
        """Until all run, failed or time is out; one look at all of a scope's nodes at a time."""
        waiting = {(job.scope, str(job.node_id)): job for job in jobs}
        missing: dict[tuple[str, str], int] = {}
        seen: dict[tuple[str, str], Status] = {}
        ends = self._making.clock() + self._making.timeout
        while waiting:
            late = self._making.clock() >= ends
            for scope in dict.fromkeys(scope for scope, _node in waiting):
                ids = [node for place, node in waiting if place == scope]
                try:
                    statuses = self._opened.actions(scope).status(ids)
                except FleetError as failure:
                    if failure.transient and not late:
                        continue  # a cloud that is away for a moment has not lost its nodes
                    for node in ids:
                        job = waiting.pop((scope, node))
                        fail(self._opened.cloud, job, failure)
                    continue
                for node in ids:
                    key = scope, node
                    status = statuses.get(node)
                    # what was made a moment ago may not be listed yet (eventual consistency)
                    missing[key] = 0 if status else missing.get(key, 0) + 1
                    if status:
                        seen[key] = status
                    job = waiting[key]
                    if self._arrived(job, status, missing[key]):
                        del waiting[key]
                    elif job.node_id != node:
                        waiting[scope, str(job.node_id)] = waiting.pop(key)
            if not waiting:
                return
            if late:
                for key, job in waiting.items():
                    fail(self._opened.cloud, job, self._too_late(job, seen.get(key)))
                return
            self._making.sleep(POLL)

    def _arrived(self, job: Job, status: Status | None, times_missing: int) -> bool:
        """Whether waiting for a node is over: it runs, it failed, or it has vanished."""
        if status is None:
            if times_missing < UNSEEN or self._superseded(job):
                return False
            fail(self._opened.cloud, job, FleetError(
                f"make node {job.name}", code="vanished", why=f"the cloud does not know {job.node_id} any more",
                fix="Somebody or something removed it; run again."))
            return True
        if status.state == "running":
            self._making.say(job.name, f"runs after {self._making.clock() - self._began:.0f} s")
            return True
        if status.state == "deleting" and self._superseded(job):
            return False
        if status.state in ("error", "deleting", "stopped"):
            fail(self._opened.cloud, job, FleetError(
                f"make node {job.name}", code="node_error", fix="Read the cloud's words; correct the requirement or ask the cloud's operator.",
                why=f"{job.node_id} went to state {status.state}" + (f": {status.fault}" if status.fault else "")))
            return True
        return False

    def _superseded(self, job: Job) -> bool:
        """Whether another run has made a node of that name, too, and removed this one as the surplus: then that one is waited for."""
        try:
            rows = living(look_in(self._opened, names=[job.name])).get(job.name, [])
        except FleetError:  # then it is told as it looks from here
            return False
        others = [node.id for scope, node in rows if scope == job.scope and node.id != job.node_id and node.tags.get(MARK) == job.name]
        if len(others) != 1:
            return False
        self._making.say(job.name, f"another run made {others[0]} at the same time; waiting for that one")
        job.outcome.did.append(f"{job.node_id} gave way to {others[0]} of another run")
        job.node_id, job.others = others[0], True
        return True

    def _too_late(self, job: Job, status: Status | None) -> FleetError:
        told = f"it is {status.state}" + (f" ({status.doing})" if status.doing else "") if status else "it has not shown up"
        return FleetError(
            f"make node {job.name}", code="timeout", why=f"waited {self._making.timeout:g} s for {job.node_id} to run; {told}",
            fix="Raise 'timeout', or ask the cloud why it takes so long.")
