# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Modules node_power, node_tags, node_info and catalog_info."""
from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.outcomes import Making
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.actions import MARK
from ansible_collections.hybridops.fleet.plugins.module_utils._modules import power as power_work
from ansible_collections.hybridops.fleet.plugins.modules import catalog_info, node_info, node_power, node_tags
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.fake_cloud import World
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.modules.module_stub import runner, undocumented

ARGUMENTS = {"definitions": json.dumps({"fake": {"provider": "openstack", "password": "hunter2-very-secret"}}), "cloud": "fake"}

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(scopes=("one", "two")).register(monkeypatch)
    monkeypatch.setattr(power_work, "Making", lambda **more: Making(**{**more, "clock": world.clock, "sleep": world.sleep}))
    world.add("shop-1", tags={MARK: "shop-1", "role": "web"})
    world.add("shop-2", scope="two", tags={"role": "db"})
    world.add("other", ours=False)
    return world


@pytest.fixture
def power(world: World, monkeypatch: pytest.MonkeyPatch) -> Run:
    return runner(monkeypatch, node_power, **ARGUMENTS)


@pytest.fixture
def tags(world: World, monkeypatch: pytest.MonkeyPatch) -> Run:
    return runner(monkeypatch, node_tags, **ARGUMENTS)


@pytest.fixture
def info(world: World, monkeypatch: pytest.MonkeyPatch) -> Run:
    return runner(monkeypatch, node_info, **ARGUMENTS)


@pytest.fixture
def offer(world: World, monkeypatch: pytest.MonkeyPatch) -> Run:
    return runner(monkeypatch, catalog_info, **ARGUMENTS)


def shown(result: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in result.items() if key not in ("changed", "failed", "msg", "diff", "invocation", "warnings")}


def looks(world: World) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """(names, ids) of each look at the cloud, which is one for each of its two scopes."""
    assert world.logins == 1
    return [(filters.names, filters.ids) for filters in world.asked[::2]]


# ------------------------------------------------------------------------------------------------------- power
def test_power_looks_for_the_nodes_that_are_meant_and_logs_in_once(power: Run, world: World) -> None:
    power(names=["shop-1"], state="stopped")
    assert looks(world) == [(("shop-1",), ()), ((), ("i-1",))]  # to find it, and to read it again


def test_tags_and_host_keys_look_for_the_node_that_is_meant_and_log_in_once(tags: Run, info: Run, world: World) -> None:
    tags(id="i-2", tags={"team": "shop"})
    assert looks(world) == [((), ("i-2",))]
    world.logins = 0
    world.asked.clear()
    assert info(ids=["i-1"], host_keys=True)["nodes"][0]["host_keys"] == ["ssh-ed25519 AAAAi-1"]
    assert looks(world) == [((), ("i-1",))]


def test_nodes_by_pattern_tag_id_and_all(power: Run, world: World) -> None:
    result = power(names=["shop-*"], state="stopped", diff=True)
    assert [(row["name"], row["state"], row["changed"]) for row in result["results"]] == [("shop-1", "stopped", True), ("shop-2", "stopped", True)]
    assert result["diff"] == {"before": "shop-1: running\nshop-2: running\n", "after": "shop-1: stopped\nshop-2: stopped\n"}
    assert undocumented(yaml.safe_load(node_power.RETURN), shown(result)) == []
    assert power(names=["shop-*"], state="stopped")["changed"] is False
    assert [row["name"] for row in power(tags={"role": "web"}, state="started")["results"]] == ["shop-1"]
    assert [row["name"] for row in power(ids=["i-2"], state="started")["results"]] == ["shop-2"]
    assert len(power(all=True, state="rebooted")["results"]) == 3


def test_what_must_exist_and_does_not(power: Run, world: World) -> None:
    result = power(names=["shop-1", "nobody", "nobody-*"], ids=[], state="stopped")
    assert result["failed"]
    assert result["msg"] == ("1 of 2 nodes failed: cloud 'fake': find node nobody: the cloud has no such node. "
                             "Correct it; node_info lists the nodes.")
    assert result["changed"] is True
    assert power(ids=["i-99"], state="stopped")["results"][0]["error"]["code"] == "not_found"


def test_no_node_is_chosen_by_accident(power: Run, world: World) -> None:
    assert "no node is chosen" in power(state="stopped")["msg"]
    assert not world.did()


def test_power_in_check_mode(power: Run, world: World) -> None:
    result = power(names=["shop-1"], state="stopped", check=True)
    assert (result["changed"], world.did()) == (True, [])


def test_one_that_fails_is_told_and_the_others_are_stopped(power: Run, world: World) -> None:
    world.fails["power"] = [FleetError("stop node", why="locked")]
    result = power(names=["shop-*"], state="stopped", workers=1)
    assert sorted(bool(row["error"]) for row in result["results"]) == [False, True]
    assert result["msg"].startswith("1 of 2 nodes failed: ")


# -------------------------------------------------------------------------------------------------------- tags
def test_tags_are_set_and_removed_and_others_stay(tags: Run, world: World) -> None:
    result = tags(id="i-1", tags={"role": None, "team": "shop", "on": True}, diff=True)
    assert result["tags"] == {MARK: "shop-1", "team": "shop", "on": "true"} == world.machines["i-1"].tags
    assert result["diff"] == {"before": "fleet_node: shop-1\nrole: web\n", "after": "fleet_node: shop-1\non: true\nteam: shop\n"}
    assert undocumented(yaml.safe_load(node_tags.RETURN), shown(result)) == []
    again = tags(id="i-1", tags={"role": None, "team": "shop", "on": True})
    assert (again["changed"], len(world.did("tag"))) == (False, 1)


def test_tags_in_check_mode_of_nobody_and_refused(tags: Run, world: World) -> None:
    foretold = tags(id="i-1", tags={"team": "shop"}, check=True)
    assert (foretold["changed"], foretold["tags"]["team"], world.did()) == (True, "shop", [])
    assert "the cloud has no such node" in tags(id="i-99", tags={"a": "b"})["msg"]
    world.hidden_labels = True
    assert tags(id="i-1", tags={"bad": "x"})["msg"] == "cloud 'fake' (one): keep the tags: 'bad' cannot be a label"
    assert tags(id="i-1", tags={"role": "WEB"})["changed"] is False  # the cloud would show it so


# -------------------------------------------------------------------------------------------------------- info
def test_nodes_by_every_filter(info: Run, world: World) -> None:
    world.add("broken", fault="x")
    everything = info()
    assert [row["name"] for row in everything["nodes"]] == ["shop-1", "other", "broken", "shop-2"]
    assert undocumented(yaml.safe_load(node_info.RETURN), shown(everything)) == []
    assert everything["changed"] is False
    for arguments, names in (
        ({"names": ["shop-*"]}, ["shop-1", "shop-2"]), ({"ids": ["i-3"]}, ["other"]), ({"tags": {"role": ["web", "x"]}}, ["shop-1"]),
        ({"tags": {"role": None}}, ["shop-1", "shop-2"]), ({"states": ["error"]}, ["broken"]), ({"names": ["shop-1"], "ids": ["i-2"]}, []),
    ):
        assert [row["name"] for row in info(**arguments)["nodes"]] == names, arguments


def test_host_keys_are_asked_for_only_on_request(info: Run, world: World) -> None:
    info(names=["shop-1"])
    assert not world.did("host_keys")
    assert info(names=["shop-1"], host_keys=True)["nodes"][0]["host_keys"] == ["ssh-ed25519 AAAAi-1"]


def test_a_scope_that_fails_is_no_short_answer(info: Run, world: World) -> None:
    world.lists["two"] = [FleetError("list nodes", why="HTTP 500", fix="Ask.")]
    result = info()
    assert result["failed"]
    assert result["msg"] == "cloud 'fake' (two): list nodes: HTTP 500. Ask."
    assert result["error"] == {"what": "list nodes", "why": "HTTP 500", "fix": "Ask.", "code": "error", "cloud": "fake", "scope": "two"}


# ----------------------------------------------------------------------------------------------------- catalog
def test_the_catalog_as_documented(offer: Run, world: World) -> None:
    result = offer(images=["Debian"])
    assert undocumented(yaml.safe_load(catalog_info.RETURN), shown(result)) == []
    assert result["scope"] == "one"
    assert world.did("catalog")[-1][2][1] == ("debian",)
    assert offer(region="two")["scope"] == "two"
    part = offer(parts=["zones"])
    assert (part["images"], part["zones"][0]["name"]) == ([], "a")
    assert "the cloud has no scope 'x', only one, two" in offer(scope="x")["msg"]


def test_a_defect_is_one_sentence_without_secrets(offer: Run, world: World) -> None:
    world.fails["catalog"] = [KeyError("hunter2-very-secret")]
    result = offer()
    assert result["msg"].startswith("KeyError: ")
    assert "This is a defect of the collection" in result["msg"]
    assert "hunter2" not in json.dumps(result)
