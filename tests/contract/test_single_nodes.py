# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What clouds are asked to filter never hides a node: whatever names and ids are wanted, the answer is the one that a listing of all gives."""
from __future__ import annotations

import dataclasses
import fnmatch

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.finding import look_in, passing
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import Filters, parse_clouds
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.name_patterns import pattern_of
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.opened import Opened
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import STATES, Node

from .conftest import CLOUDS, FLEET_FILE, described
from .gce_project import settings

Row = tuple[str, Node]


def name_of(row: Row) -> str:
    return row[1].name or row[1].id


def wanted_names(names: list[str]) -> list[tuple[str, ...]]:
    """Single names, several, and patterns that fit some, all and none of them."""
    single = [(pattern_of(name),) for name in names]
    starts = [(f"{name[:length]}*",) for name in names[:6] for length in (1, 4)]
    inside = [(f"{name[:1]}?{pattern_of(name[2:])}",) for name in names[:6] if len(name) > 2] + [(f"*{names[0][-2:]}",), ("[a-m]*",), ("[!a-m]*",)]
    return [*single, *starts, *inside, tuple(map(pattern_of, names[:2])), (pattern_of(names[0]), "i-*"), ("*",), ("nobody",), ("nobody", "no*")]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_same_nodes_as_in_a_listing_of_all(cloud: str) -> None:
    opened = Opened(parse_clouds({cloud: described(cloud)}, "fleet.yml")[0], dataclasses.replace(settings(), base_dir=str(FLEET_FILE.parent)))
    everything = look_in(opened)
    assert everything
    ids = [node.id for _scope, node in everything]
    for patterns in wanted_names(sorted({name_of(row) for row in everything})):
        found = passing(opened, Filters(tuple(STATES), {}, patterns))
        fitting = [row for row in everything if any(fnmatch.fnmatchcase(name_of(row), pattern) for pattern in patterns)]
        assert sorted(node.id for _scope, node in found) == sorted(node.id for _scope, node in fitting), patterns
    for scope, node in everything:
        assert [(place, one.id) for place, one in look_in(opened, ids=[node.id])] == [(scope, node.id)]
    assert sorted(node.id for _scope, node in look_in(opened, ids=ids[:3])) == sorted(ids[:3])
    assert sorted(node.id for _scope, node in look_in(opened, ids=ids)) == sorted(ids)
    assert look_in(opened, ids=["i-0000", "999", "no id at all/.."]) == []
