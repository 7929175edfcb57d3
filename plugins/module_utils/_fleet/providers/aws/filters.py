# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What EC2 itself can filter, so that unwanted instances need not be sent. Pure.

Filters are applied again to what arrives, for all providers alike; here nothing may be asked that could leave out a
wanted instance. In EC2's filters ``*`` and ``?`` are wildcards, ``\\`` escapes them, and upper case counts.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...name_patterns import Start, start_of
from .shape import STATES

if TYPE_CHECKING:
    from ...fleet_file import Filters

_PATTERN = frozenset("*?[]\\")
_MOST_VALUES = 200  # of one request, over all its filters (EC2 API: using filtering)


def for_instances(filters: Filters, states: frozenset[str]) -> list[dict[str, Any]] | None:
    """The ``Filters`` of DescribeInstances; None when no instance can be wanted.

    states: the normalised states that are wanted.
    """
    wanted = [theirs for theirs, ours in STATES.items() if ours in states]
    if not wanted:
        return None
    pushed: list[tuple[str, list[str]]] = []
    if len(wanted) < len(STATES):
        pushed.append(("instance-state-name", wanted))
    for tag, values in filters.tags.items():
        if values and _exact(values):
            pushed.append((f"tag:{tag}", list(values)))
        elif not values and _exact((tag,)):
            pushed.append(("tag-key", [tag]))
    starts = [start_of(pattern) for pattern in filters.names]
    if starts and "Name" not in filters.tags and not any(map(_fits_an_id, starts)):
        pushed.append(("tag:Name", [_literally(start.text) + ("" if start.whole else "*") for start in starts]))
    if filters.ids:
        pushed.append(("instance-id", [_literally(node_id) for node_id in filters.ids]))
    return _within_limits(pushed)


def exactly(name: str, values: Sequence[str]) -> dict[str, Any]:
    """One filter of a list call for exactly these values, whatever signs they hold."""
    return {"Name": name, "Values": [_literally(value) for value in values]}


def within(region_wide: Mapping[str, Any], vpcs: Sequence[str]) -> dict[str, Any]:
    """Parameters of a list call for what is in these VPCs, of one for the whole region; they stay where the VPCs are many."""
    return {**region_wide, "Filters": [exactly("vpc-id", vpcs)]} if 0 < len(vpcs) <= _MOST_VALUES else dict(region_wide)


def beginning(name: str, start: str) -> dict[str, Any]:
    """One filter of a list call for all values that begin so, whatever signs that holds."""
    return {"Name": name, "Values": [_literally(start) + "*"]}


def _literally(value: str) -> str:
    return "".join(f"\\{sign}" if sign in "*?\\" else sign for sign in value)


def _fits_an_id(start: Start) -> bool:
    """Whether the name of an instance without a Name may begin so: it is named by its id, which a filter on the tag would
    leave out."""
    return start.text.startswith("i-") or (not start.whole and "i-".startswith(start.text))


def _within_limits(pushed: list[tuple[str, list[str]]]) -> list[dict[str, Any]]:
    """As many of the filters as one request takes; two of one name would not mean "both"."""
    names = [name for name, _values in pushed]
    room, kept = _MOST_VALUES, []
    for name, values in pushed:
        if names.count(name) == 1 and len(values) <= room:
            room -= len(values)
            kept.append({"Name": name, "Values": values})
    return kept


def _exact(values: Sequence[str]) -> bool:
    """Whether none of the values is empty or a pattern, in the fleet file's meaning or in EC2's."""
    return all(value and not _PATTERN & set(value) for value in values)
