# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Looking nodes up before anything is asked for, by the inventory's own reading, so that module results and inventory never differ."""
from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

from .collect import Answer, Settings, collect
from .errors import FleetError
from .fleet_file import Cloud, Filters
from .name_patterns import pattern_of
from .opened import Opened
from .outcomes import Making, Outcome
from .requirement import Requirement
from .shape import STATES, Node

GONE = ("deleting",)
_ALL_STATES = tuple(STATES)


def look_up(cloud: Cloud, names: Sequence[str], settings: Settings) -> list[Answer]:
    """The nodes of those names (all nodes without names) in every scope of the cloud. Raises the first FleetError: a part
    that cannot be asked may hold the node."""
    return _whole(collect([dataclasses.replace(cloud, filters=exactly(names))], dataclasses.replace(settings, states=_ALL_STATES)))


def look_in(
    opened: Opened, *, names: Sequence[str] = (), ids: Sequence[str] = (), tags: Mapping[str, str | None] | None = None,
) -> list[tuple[str, Node]]:
    """(scope, node) of those with one of the names, one of the ids, all the tags (None: any value), whatever their state. In a
    cloud that is open, of which as little is listed as it can filter by. Raises the first FleetError, as ``look_up``."""
    wanted = {key: () if value is None else (pattern_of(value),) for key, value in (tags or {}).items()}
    return passing(opened, exactly(names, ids, wanted))


def passing(opened: Opened, filters: Filters) -> list[tuple[str, Node]]:
    """(scope, node) of those that pass the filters. Raises the first FleetError: a part that cannot be asked may hold a node."""
    return list(nodes_of(_whole(opened.read(filters))))


def exactly(names: Sequence[str], ids: Sequence[str] = (), tags: Mapping[str, tuple[str, ...]] | None = None) -> Filters:
    """Filters for those with one of the names, one of the ids and all the tags, whatever their state."""
    return Filters(_ALL_STATES, tags or {}, tuple(map(pattern_of, names)), tuple(ids))


def _whole(answers: list[Answer]) -> list[Answer]:
    for answer in answers:
        if answer.failure:
            raise answer.failure.error
    return answers


def living(rows: Iterable[tuple[str, Node]]) -> dict[str, list[tuple[str, Node]]]:
    """Name -> (scope, node) of every node that is not on its way out."""
    found: dict[str, list[tuple[str, Node]]] = {}
    for scope, node in rows:
        if node.state not in GONE:
            found.setdefault(node.name or node.id, []).append((scope, node))
    return found


def living_in(opened: Opened, ids: Sequence[str]) -> dict[str, tuple[str, Node]]:
    """Id -> (scope, node) of those that are there and not on their way out."""
    return {node.id: (scope, node) for scope, node in look_in(opened, ids=ids) if node.state not in GONE} if ids else {}


def nodes_of(answers: Sequence[Answer]) -> Iterator[tuple[str, Node]]:
    for answer in answers:
        for node in answer.nodes:
            yield answer.scope or "", node


def there(cloud: Cloud, names: Sequence[str], making: Making) -> list[Outcome]:
    """The nodes of those names, which must be there, one of each."""
    found = living(nodes_of(look_up(cloud, names, making.settings)))
    outcomes = []
    for name in names:
        nodes = [node for _scope, node in found.get(name, [])]
        outcome = Outcome(name, nodes[0] if len(nodes) == 1 else None)
        if len(nodes) != 1:
            outcome.failure = FleetError(
                f"find node {name}", cloud=cloud.name, code="ambiguous" if nodes else "not_found",
                why=f"{len(nodes)} machines have that name: {', '.join(node.id for node in nodes)}" if nodes else "the cloud has no such node",
                fix="Choose by id with node_power." if nodes else "Make it with state: present or started.")
        outcomes.append(outcome)
    return outcomes


def has_address(node: Node, requirement: Requirement, families: Sequence[str]) -> bool:
    """Whether the node has the address that was asked for: of all these families, of any one when there are none."""
    known = {"ipv4": node.public_ipv4, "ipv6": node.public_ipv6}
    if requirement.network.reachable != "public":
        known = {"ipv4": node.public_ipv4 or node.private_ipv4, "ipv6": node.public_ipv6 or node.private_ipv6}
        families = requirement.network.families
    return all(known[family] for family in families) if families else any(known.values())


def tag_changes(node: Node, wanted: Mapping[str, str]) -> dict[str, str | None]:
    """Tags that are wanted and that the node has not, or has with another value. Others are nobody's business."""
    return {key: value for key, value in wanted.items() if node.tags.get(key) != value}
