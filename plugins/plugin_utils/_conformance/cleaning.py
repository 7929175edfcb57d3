# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Removing what the suite made: of one run at its end, and of any earlier run by its tag and its names."""
from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Sequence

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.ending import absent
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.finding import look_up
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import Cloud
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.opened import Opened
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.outcomes import Making
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.actions import MARK
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import Node

from .wishes import PREFIX, run_of


def clean(cloud: Cloud, names: Sequence[str], making: Making) -> tuple[list[str], list[str]]:
    """Remove nodes of those names, what was made for them, and their keys: (what was removed, what is left), in words. Never raises:
    what cannot be removed is told."""
    removed: list[str] = []
    left: list[str] = []
    if not names:
        return removed, left
    _try(left, f"nodes {', '.join(names)}", lambda: _nodes(cloud, names, making, removed, left))
    _try(left, f"keys {', '.join(names)}", lambda: _keys(cloud, names, making, removed))
    return removed, left


def _nodes(cloud: Cloud, names: Sequence[str], making: Making, removed: list[str], left: list[str]) -> None:
    for outcome in absent(cloud, names, [], making):
        removed += [word.removeprefix("removed ") for word in outcome.did]
        if outcome.failure:
            left.append(f"{outcome.name}: {outcome.failure}")


def _keys(cloud: Cloud, names: Sequence[str], making: Making, removed: list[str]) -> None:
    opened = Opened(cloud, making.settings)
    for scope in opened.scopes:
        actions = opened.actions(scope)
        if not actions.key_store:
            continue
        for name in names:
            # asked first: some clouds answer the removal of a key that never was as if there had been one
            if actions.find_key(name) and actions.remove_key(name):
                removed.append(f"key {name}" + (f" in {scope}" if len(opened.scopes) > 1 else ""))


def _try(left: list[str], what: str, act: Callable[[], None]) -> None:
    try:
        act()
    except FleetError as failure:
        left.append(f"{what}: {failure}")
    except Exception as surprise:  # whatever it is, the other things must be removed all the same
        left.append(f"{what}: {type(surprise).__name__}: {surprise}")


# --------------------------------------------------------------------------------------------------- sweep
@dataclasses.dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep did in one cloud, in words. spared: runs that are still going, and were left alone."""

    cloud: str
    removed: tuple[str, ...]
    left: tuple[str, ...]
    spared: tuple[str, ...] = ()


def sweep(cloud: Cloud, noted: Collection[str], spared: Collection[str], making: Making, *, only: str | None = None) -> Swept:
    """Remove what any earlier run left in a cloud. noted: names from the journal; spared: runs to leave alone; only: the one run
    that is meant."""
    left: list[str] = []
    found: set[str] = set(noted)
    _try(left, "look for what was left", lambda: found.update(names_found(cloud, making)))
    names = meant(found, spared, only)
    removed, more = clean(cloud, names, making)
    still: list[str] = []
    if not left and not more:
        _try(left, "look whether all is gone", lambda: still.extend(sorted(names_found(cloud, making))))
    left += [*more, *(f"{name} is still there" for name in meant(still, spared, only))]
    going = sorted({run for name in found if (run := run_of(name)) in spared and run})
    return Swept(cloud.name, tuple(removed), tuple(left), tuple(going))


def names_found(cloud: Cloud, making: Making) -> set[str]:
    """Names under the suite's prefix that nodes, keys, addresses, security groups and volumes carry, whoever made them."""
    names = set(_names_of(node for answer in look_up(cloud, [], making.settings) for node in answer.nodes if node.state != "deleting"))
    opened = Opened(cloud, making.settings)
    for scope in opened.scopes:
        names |= {name for name in opened.actions(scope).marked(PREFIX) if run_of(name) is not None}
    return names


def _names_of(nodes: Iterable[Node]) -> Iterable[str]:
    """Its own name and its mark: a run that ended while it asked for a second node of the name has left two that differ."""
    for node in nodes:
        yield from (name for name in (node.name, node.tags.get(MARK)) if name and MARK in node.tags and run_of(name) is not None)


def meant(names: Iterable[str], spared: Collection[str], only: str | None) -> list[str]:
    """Those of the names that a sweep removes, in order. spared, only: as ``sweep`` takes them."""
    return sorted(name for name in names if (run := run_of(name)) is not None and run not in spared and only in (None, run))
