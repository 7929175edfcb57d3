# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The end of nodes, and of everything that was made for them."""
from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from .errors import FleetError
from .finding import GONE, look_in
from .fleet_file import Cloud
from .opened import Opened
from .outcomes import POLL, Making, Outcome, at_once, failures_into
from .providers.actions import MARK, Actions
from .shape import Node


def absent(cloud: Cloud, names: Sequence[str], ids: Sequence[str], making: Making) -> list[Outcome]:
    """The end of nodes, and of everything made for them, also of what an earlier run left. A node that this collection did
    not make (no mark) goes only when its id is given, and then nothing else does."""
    opened = Opened(cloud, making.settings)
    there = _there(opened, names, ids)
    ends = [_named(cloud, name, there) for name in names] + [_identified(node_id, there) for node_id in ids]
    _spare(ends, there)
    todo = [end for end in ends if not end.outcome.failure]
    act = _foretell if making.check else _end

    def go(end: _End) -> None:
        with failures_into(end.outcome, cloud, end.nodes[0][0] if end.nodes else None):
            act(end, opened, making)

    at_once(todo, go, making.workers)
    return [end.outcome for end in ends]


def _there(opened: Opened, names: Sequence[str], ids: Sequence[str]) -> list[tuple[str, Node]]:
    """The nodes of these names and of these ids, and those that carry a mark: one that was renamed carries that of another name."""
    found = look_in(opened, names=names) if names else []
    meant = look_in(opened, ids=ids) if ids else []
    marks = {*names, *(node.tags[MARK] for _scope, node in found + meant if MARK in node.tags)}
    if marks:
        found += look_in(opened, tags={MARK: marks.pop() if len(marks) == 1 else None})
    return list({(scope, node.id): (scope, node) for scope, node in found + meant}.values())


@dataclasses.dataclass(slots=True)
class _End:
    """What goes for one name or id. dying: nodes of that name that are on their way out already; marks: values of the mark
    whose bearers go too."""

    outcome: Outcome
    nodes: list[tuple[str, Node]] = dataclasses.field(default_factory=list)
    dying: list[tuple[str, Node]] = dataclasses.field(default_factory=list)
    marks: tuple[str, ...] = ()


def _named(cloud: Cloud, name: str, there: Sequence[tuple[str, Node]]) -> _End:
    """What goes with a name. Nothing, with the failure, when a machine of that name is not ours."""
    rows = [(scope, node) for scope, node in there if (node.name or node.id) == name]
    alive = [(scope, node) for scope, node in rows if node.state not in GONE]
    end = _End(Outcome(name, alive[0][1] if alive else None))
    strangers = [node.id for _scope, node in alive if MARK not in node.tags]
    if strangers:
        end.outcome.failure = FleetError(
            f"remove node {name}", code="not_ours", cloud=cloud.name,
            why=f"{', '.join(strangers)} of that name was not made by this collection (no tag {MARK})",
            fix="If this machine is meant, give its id instead of its name.")
        return end
    end.nodes = alive
    end.dying = [(scope, node) for scope, node in rows if node.state in GONE and MARK in node.tags]
    end.marks = tuple(dict.fromkeys([name, *(node.tags[MARK] for _scope, node in alive)]))
    return end


def _identified(node_id: str, there: Sequence[tuple[str, Node]]) -> _End:
    """What goes with an id."""
    rows = [(scope, node) for scope, node in there if node.id == node_id]
    if not rows:
        return _End(Outcome(node_id))
    scope, node = rows[0]
    alive = node.state not in GONE
    end = _End(Outcome(node.name or node_id, node if alive else None))
    (end.nodes if alive else end.dying).append((scope, node))
    end.marks = tuple(filter(None, [node.tags.get(MARK)]))
    return end


def _spare(ends: Sequence[_End], there: Sequence[tuple[str, Node]]) -> None:
    """What carries the mark of a node that stays is not touched: it may be that one's."""
    going = {node.id for end in ends for _scope, node in end.nodes}
    stays = {node.tags.get(MARK) for _scope, node in there if node.id not in going and node.state not in GONE}
    for end in ends:
        end.marks = tuple(mark for mark in end.marks if mark not in stays)


def _foretell(end: _End, opened: Opened, making: Making) -> None:
    end.outcome.did += [f"would remove {node.id}" for _scope, node in end.nodes]
    for mark in end.marks:
        end.outcome.did += [f"would remove {word}" for scope in opened.scopes for word in opened.actions(scope).leftovers(mark)]


def _end(end: _End, opened: Opened, making: Making) -> None:
    outcome = end.outcome
    if end.nodes:
        making.say(outcome.name, "being removed")
    for scope, node in end.nodes:
        opened.actions(scope).delete(node.id)
    for scope in dict.fromkeys(scope for scope, _node in end.nodes + end.dying):
        wait_gone(opened.actions(scope), [node.id for place, node in end.nodes + end.dying if place == scope], making.timeout, making)
    outcome.did += [f"removed {node.id}" for _scope, node in end.nodes]
    if end.nodes:
        making.say(outcome.name, "removed")
    for scope in opened.scopes:
        actions = opened.actions(scope)
        for mark in end.marks:
            # also without a node: what a run that was killed has left
            if any(place == scope for place, _node in end.nodes) or actions.leftovers(mark):
                outcome.did += [f"removed {word}" for word in actions.clean(mark)]


def wait_gone(actions: Actions, node_ids: Sequence[str], seconds: float, making: Making) -> None:
    """Until the cloud does not know the nodes any more, or only as deleted ones. Raises FleetError (timeout)."""
    ends = making.clock() + seconds
    while True:
        try:
            statuses = actions.status(node_ids)
        except FleetError as failure:
            if not failure.transient or making.clock() >= ends:
                raise
            statuses = None
        if statuses is not None and not statuses:
            return
        if statuses and making.clock() >= ends:
            told = ", ".join(f"{node} is {status.state}" + (f" ({status.doing})" if status.doing else "") for node, status in statuses.items())
            raise FleetError("remove nodes", why=f"waited {seconds:g} s for their end; {told}", code="timeout",
                             fix="Raise 'timeout' and run again, or ask the cloud why it takes so long.")
        making.sleep(POLL)
