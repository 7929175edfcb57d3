# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module node_rules on a cloud in memory."""
from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.actions import MARK, SecurityRule
from ansible_collections.hybridops.fleet.plugins.modules import node_rules
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.fake_cloud import World
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.modules.module_stub import runner, undocumented
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.modules.test_other_modules import ARGUMENTS, Run, shown

MESH: dict[str, Any] = {"port": 51820, "protocol": "udp", "from": ["203.0.113.9/32"]}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(scopes=("one", "two")).register(monkeypatch)
    world.add("shop-1", tags={MARK: "shop-1"})
    world.add("shop-2", scope="two", tags={MARK: "shop-2"})
    world.add("other", tags={"role": "db"})
    return world


@pytest.fixture
def rules(world: World, monkeypatch: pytest.MonkeyPatch) -> Run:
    return runner(monkeypatch, node_rules, **ARGUMENTS)


def test_a_part_comes_stays_and_goes(rules: Run, world: World) -> None:
    nodes = [{"id": "i-1", "allow": [MESH]}, {"id": "i-2", "cloud": "fake", "allow": [{"port": 80}]}]
    result = rules(nodes=nodes, part="mesh")
    assert [(row["name"], row["did"], row["error"]) for row in result["results"]] == [
        ("shop-1", ["mesh is 1 rules"], None), ("shop-2", ["mesh is 1 rules"], None)]
    assert world.machines["i-1"].rules == {"mesh": (SecurityRule(51820, 51820, "udp", ("203.0.113.9/32",)),)}
    assert world.machines["i-2"].rules["mesh"][0].sources == ("0.0.0.0/0", "::/0")
    assert undocumented(yaml.safe_load(node_rules.RETURN), shown(result)) == []
    assert rules(nodes=nodes, part="mesh")["changed"] is False
    assert rules(nodes=[{"id": "i-1"}], part="mesh")["changed"] is True
    assert world.machines["i-1"].rules == {"mesh": ()}


def test_check_mode_tells_and_changes_nothing(rules: Run, world: World) -> None:
    result = rules(nodes=[{"id": "i-1", "allow": [MESH]}], check=True, diff=True)
    assert (result["changed"], world.machines["i-1"].rules) == (True, {})
    assert result["diff"]["after"] == "shop-1: cluster is 1 rules\n"


def test_one_that_fails_is_told_and_the_others_are_opened(rules: Run, world: World) -> None:
    world.fails["bring_rules"] = [FleetError("change security group", why="forbidden")]
    result = rules(nodes=[{"id": "i-1", "allow": [MESH]}, {"id": "i-2", "allow": [MESH]}, {"id": "i-99"}], workers=1)
    assert [bool(row["error"]) for row in result["results"]] == [True, False, True]
    assert result["msg"].startswith("2 of 3 nodes failed: ") and "the cloud has no such node" in result["msg"]


def test_a_node_of_somebody_else_is_left_alone(rules: Run, world: World) -> None:
    result = rules(nodes=[{"id": "i-3", "allow": [MESH]}])
    assert (result["changed"], world.did()) == (False, [])


@pytest.mark.parametrize(("given", "word"), [
    ({"part": "Mesh 1"}, "'part' is not a word"), ({"nodes": [{"id": "i-1", "allow": [{"protocol": "udp"}]}]}, "nodes[0]: allow[0].port: is missing"),
    ({"nodes": [{"id": "i-1", "allow": [{"port": 1, "from": ["x"]}]}]}, "nodes[0]")])
def test_what_cannot_be_meant_is_refused(rules: Run, world: World, given: dict[str, Any], word: str) -> None:
    assert word in rules(**{"nodes": [], **given})["msg"]
    assert not world.did()
