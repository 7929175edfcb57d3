# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Starting, stopping and rebooting many nodes: asked for at the same time, waited for together, each with its own outcome."""
from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from .errors import FleetError
from .finding import living_in
from .fleet_file import Cloud
from .opened import Opened
from .outcomes import POLL, Making, Outcome, at_once, copied, failures_into
from .providers.actions import Status
from .shape import Node

ACTIONS = {"started": "start", "stopped": "stop", "rebooted": "reboot"}
"""State asked for -> action of the provider."""

_TARGET = {"started": "running", "stopped": "stopped", "rebooted": "running"}
_ON_ITS_WAY = {"started": "pending", "stopped": "stopping", "rebooted": ""}


@dataclasses.dataclass(slots=True)
class _Switch:
    outcome: Outcome
    scope: str
    node: Node


def bring(
    cloud: Cloud, outcomes: Sequence[Outcome], state: str, making: Making, *, wait: bool = True, opened: Opened | None = None,
    scopes: Mapping[str, str] | None = None,
) -> None:
    """Bring the nodes of these outcomes to a state of power; failures and what was done go into the outcomes.

    opened: the cloud, when it is open already; scopes: node's id -> its scope, when that is known already.
    """
    todo = [outcome for outcome in outcomes if outcome.node and not outcome.failure and _needs(outcome.node, state)]
    if making.check:
        for outcome in todo:
            if outcome.node and outcome.node.state != _ON_ITS_WAY[state]:
                outcome.did.append(f"would be {state}")
        return
    if not todo:
        return
    try:
        opened = opened or Opened(cloud, making.settings)
        if scopes is None:
            scopes = {node_id: scope for node_id, (scope, _node) in living_in(opened, [outcome.node.id for outcome in todo if outcome.node]).items()}
        switches = [_Switch(outcome, scopes.get(outcome.node.id) or opened.first_scope(), outcome.node) for outcome in todo if outcome.node]
    except FleetError as failure:
        for outcome in todo:  # what became of the nodes before stays told
            outcome.failure = copied(failure).at(cloud.name)
        return
    at_once(switches, lambda switch: _ask(switch, opened, state, making), making.workers)
    if wait:
        _wait([switch for switch in switches if not switch.outcome.failure], opened, state, making)
        _read_again(opened, switches)


def _needs(node: Node, state: str) -> bool:
    return state == "rebooted" or node.state != _TARGET[state]


def _ask(switch: _Switch, opened: Opened, state: str, making: Making) -> None:
    if switch.node.state == _ON_ITS_WAY[state]:
        return  # only to be waited for; asked now, most clouds refuse
    with failures_into(switch.outcome, opened.cloud, switch.scope):
        if opened.actions(switch.scope).power(switch.node.id, ACTIONS[state]):
            switch.outcome.did.append(state)
            making.say(switch.outcome.name, f"asked to be {state}")


def _wait(switches: Sequence[_Switch], opened: Opened, state: str, making: Making) -> None:
    waiting = {(switch.scope, switch.node.id): switch for switch in switches}
    ends = making.clock() + making.timeout
    seen: dict[tuple[str, str], Status] = {}
    if state == "rebooted":
        making.sleep(POLL)  # the cloud needs a moment to say that it is busy
    while waiting:
        late = making.clock() >= ends
        for scope in dict.fromkeys(scope for scope, _node in waiting):
            ids = [node for place, node in waiting if place == scope]
            try:
                statuses = opened.actions(scope).status(ids)
            except FleetError as failure:
                if failure.transient and not late:
                    continue  # a cloud that is away for a moment has not lost its nodes
                for node in ids:
                    waiting.pop((scope, node)).outcome.failure = copied(failure).at(opened.cloud.name, scope or None)
                continue
            for node in ids:
                status = statuses.get(node, Status("deleting"))
                seen[scope, node] = status
                if status.state == _TARGET[state]:
                    making.say(waiting.pop((scope, node)).outcome.name, f"is {_TARGET[state]}")
                elif status.state in ("error", "deleting"):
                    switch = waiting.pop((scope, node))
                    switch.outcome.failure = FleetError(
                        f"bring node {switch.outcome.name} to {state}", cloud=opened.cloud.name, scope=scope or None, code="node_error",
                        why=f"{node} went to state {status.state}" + (f": {status.fault}" if status.fault else ""),
                        fix="Read the cloud's words, or ask its operator.")
        if not waiting:
            return
        if late:
            for key, switch in waiting.items():
                status = seen.get(key, Status("unknown"))
                switch.outcome.failure = FleetError(
                    f"bring node {switch.outcome.name} to {state}", cloud=opened.cloud.name, scope=key[0] or None, code="timeout",
                    why=f"waited {making.timeout:g} s; {key[1]} is {status.state}" + (f" ({status.doing})" if status.doing else ""),
                    fix="Raise 'timeout', or ask the cloud why it takes so long.")
            return
        making.sleep(POLL)


def _read_again(opened: Opened, switches: Sequence[_Switch]) -> None:
    """The nodes as they are now: addresses may have come or gone with the power."""
    changed = [switch for switch in switches if not switch.outcome.failure]
    try:
        found = living_in(opened, [switch.node.id for switch in changed])
    except FleetError as failure:
        for switch in changed:
            switch.outcome.failure = copied(failure).at(opened.cloud.name)
        return
    for switch in changed:
        if switch.node.id in found:
            switch.outcome.node = found[switch.node.id][1]
