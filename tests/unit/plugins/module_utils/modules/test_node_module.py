# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module node between its arguments and the engine: shapes of results, lists, several clouds, secrets."""
from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import Catalog
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.outcomes import Making
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.actions import MARK
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import Node
from ansible_collections.hybridops.fleet.plugins.module_utils._modules import node as work
from ansible_collections.hybridops.fleet.plugins.modules import node, node_info, node_power
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.fake_cloud import FLAVORS, IMAGES, TENANT, World
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.modules.module_stub import runner, undocumented

SECRET = "hunter2-very-secret"
DEFINITIONS = json.dumps({"fake": {"provider": "openstack", "password": SECRET}, "amazon": {"provider": "aws", "password": SECRET}})
WISH: dict[str, Any] = {"image": {"distro": "debian"}, "flavor": {"vcpus": 1}}
RETURN = yaml.safe_load(node.RETURN)
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 someone"

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(Catalog(IMAGES, FLAVORS, (TENANT,)), pending=0.0, dying=0.0).register(monkeypatch)


@pytest.fixture
def run(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.setattr(work, "Making", lambda **more: Making(**{**more, "clock": world.clock, "sleep": world.sleep}))
    return runner(monkeypatch, node, definitions=DEFINITIONS, cloud="fake", key_dir=str(tmp_path / "ring"), retries=0)


def test_the_documented_fields_of_a_node_are_those_of_the_shape() -> None:
    fields = {field.name: field.metadata for field in dataclasses.fields(Node)}
    documented = yaml.safe_load(node_info.RETURN)["nodes"]["contains"]
    assert list(documented) == list(fields)
    assert {name: (row["description"], row["type"]) for name, row in documented.items()} == {
        name: (row["doc"], row["type"]) for name, row in fields.items()}
    for module in (node, node_power):  # the fields are documented once, as RETURN knows no fragments
        assert "RV(hybridops.fleet.node_info#module:nodes)" in module.RETURN


def test_hidden_user_data_is_that_of_the_task_and_of_each_row(run: Run, world: World) -> None:
    hidden = json.dumps({"all": "#of all", "0": "#of a", "2": "#of c"})
    nodes = [{"name": "a"}, {"name": "b"}, {"name": "c"}, {"name": "d", "user_data": None}]
    result = run(nodes=nodes, hidden_user_data=hidden, **WISH)
    assert {order.name: order.user_data for order in world.orders} == {"a": "#of a", "b": "#of all", "c": "#of c", "d": None}
    assert "#of" not in json.dumps(result)
    run(name="e", hidden_user_data=hidden, **WISH)
    run(name="f", user_data="#in sight", **WISH)
    assert [order.user_data for order in world.orders[-2:]] == ["#of all", "#in sight"]
    assert "'hidden_user_data' is not a mapping" in run(name="g", hidden_user_data="[1]", **WISH)["msg"]


def test_results_are_as_documented(run: Run, world: World) -> None:
    made = run(name="web", security={"allow": [{"port": 22}]}, **WISH)
    again = run(name="web", **WISH)
    broken = run(nodes=[{"name": "a"}, {"name": "b", "image": {"distro": "plan9"}}], **WISH)
    gone = run(name="web", state="absent")
    assert [result["changed"] for result in (made, again, broken, gone)] == [True, False, True, True]
    assert (made["failed"], broken["failed"]) == (False, True)
    for result in (made, again, broken, gone):
        shown = {key: value for key, value in result.items() if key not in ("changed", "failed", "msg", "invocation", "warnings", "diff")}
        assert undocumented(RETURN, shown) == []
    assert made["node"]["public_ip"] == "203.0.113.1"
    assert made["nodes"] == [made["node"]]
    assert made["chosen"]["because"]["image"].startswith("first of 2")
    assert again["chosen"] is None
    assert gone["nodes"][0]["name"] == "web"
    assert [one.name for one in world.living()] == ["a"]


def test_a_failure_of_one_keeps_the_others_and_says_which(run: Run) -> None:
    result = run(nodes=[{"name": "a"}, {"name": "b", "image": {"distro": "plan9"}}, {"name": "c", "flavor": {"vcpus": 99}}], **WISH)
    assert result["msg"].startswith("2 of 3 nodes failed (1 are there): cloud 'fake' (one): choose the image: nothing fits 'plan9'")
    assert [row["error"]["code"] if row["error"] else None for row in result["results"]] == [None, "no_match", "no_match"]
    assert [row["name"] for row in result["nodes"]] == ["a"]


def test_count_names_them_by_number(run: Run, world: World) -> None:
    result = run(name="w", count=3, **WISH)
    assert [row["name"] for row in result["nodes"]] == ["w-1", "w-2", "w-3"]
    assert run(name="w", count=3, **WISH)["changed"] is False
    assert len(world.living()) == 3
    run(name="w", count=3, state="absent")
    assert not world.living()


def test_nodes_differ_from_the_task_s_own_options(run: Run, world: World) -> None:
    run(nodes=[{"name": "a", "tags": {"role": "db"}}, {"name": "b", "flavor": {"vcpus": "4"}, "image": {"distro": "debian", "version": 11}}],
        tags={"role": "web", "env": "prod"}, **WISH)
    orders = {order.name: order for order in world.orders}
    assert orders["a"].tags == {"role": "db", "env": "prod", MARK: "a"}
    assert orders["b"].tags == {"role": "web", "env": "prod", MARK: "b"}
    assert orders["b"].flavor.name == "large"
    assert orders["b"].image is not None
    assert orders["b"].image.version == "11"


def test_several_clouds_at_once_and_one_that_fails(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    other = World(provider="aws", pending=0.0).register(monkeypatch)
    result = run(nodes=[{"name": "a"}, {"name": "a", "cloud": "amazon"}, {"name": "b"}], **WISH)
    assert [(row["cloud"], row["name"]) for row in result["nodes"]] == [("fake", "a"), ("amazon", "a"), ("fake", "b")]
    other.lists["one"] = [FleetError("list nodes", why="HTTP 500")]
    result = run(nodes=[{"name": "c"}, {"name": "d", "cloud": "amazon"}], **WISH)
    assert [bool(row["error"]) for row in result["results"]] == [False, True]
    assert "cloud 'amazon' (one): list nodes: HTTP 500" in result["msg"]
    assert len(world.living()) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "one of the following is required: name, nodes, id"),
        ({"name": "a", "nodes": []}, "mutually exclusive"),
        ({"nodes": []}, "'nodes' is empty"),
        ({"nodes": [{"name": "a"}, {"name": "a"}]}, "'nodes' names a more than once"),
        ({"nodes": [{"name": "a"}], "count": 3}, "'count' and 'nodes' are both given"),
        ({"nodes": [{"name": "a", "colour": "red"}]}, "nodes[0]: unknown key 'colour'"),
        ({"nodes": [{"image": {"distro": "debian"}}]}, "name: is missing"),
        ({"nodes": [{"name": "a", "cloud": "nowhere"}]}, "find the cloud"),
        ({"name": "a", "count": 0}, "count: 0 is not between 1 and 1000"),
        ({"name": "a", "count": 1001}, "count: 1001 is not between"),
        ({"name": "a b"}, "is not a node's name"),
        ({"id": "i-1"}, "'id' is for state: absent only"),
        ({"name": "a", "state": "dancing"}, "value of state must be one of"),
        ({"name": "a", "timeout": 0}, "timeout: 0 is too small"),
        ({"name": "a", "workers": 0}, "workers: 0 is too small"),
        ({"name": "a", "network": {"reachable": "maybe"}}, "value of reachable must be one of"),
        ({"name": "a", "cloud": "nowhere"}, "find the cloud"),
        ({"name": "a"}, "the requirement names none. Write for example image: {distro: debian"),
        ({"name": "a", "definitions": "[1]"}, "'definitions' is not a mapping"),
    ])
def test_arguments_that_cannot_be_meant(run: Run, world: World, arguments: dict[str, Any], said: str) -> None:
    result = run(**arguments)
    assert result["failed"]
    assert said in result["msg"]
    assert not world.did()
    assert SECRET not in json.dumps(result)


@pytest.mark.parametrize("check", [False, True])
def test_no_secret_in_any_result(run: Run, world: World, check: bool) -> None:
    quoted = FleetError("make node", why=f"the cloud quotes {SECRET}", code="refused")
    world.fails["create"] = [quoted]
    results = [run(name="a", check=check, diff=True, **WISH), run(name="a", check=check, **WISH), run(name="a", state="absent", check=check)]
    assert SECRET not in json.dumps(results)


def test_no_secret_of_a_definition_in_the_task(run: Run) -> None:
    for definition in ({"provider": "openstack", "password": SECRET, "typo": 1}, {"provider": "openstack", "password": SECRET}):
        result = run(name="a", cloud=None, definitions=json.dumps({"inline": definition}), **WISH)
        assert SECRET not in json.dumps(result)
    assert result["node"]["cloud"] == "inline"


def test_a_stranger_is_told_of(run: Run, world: World) -> None:
    world.add("web", ours=False)
    result = run(name="web", tags={"role": "web"}, **WISH)
    assert not result["failed"]
    assert result["warnings"] == ["cloud 'fake': not made by this collection, and taken as it is: web (i-1)"]
    refused = run(name="web", state="absent")
    assert refused["results"][0]["error"]["code"] == "not_ours"
    gone = run(id="i-1", state="absent")
    assert (gone["changed"], gone["nodes"][0]["id"]) == (True, "i-1")


def test_states_of_power(run: Run, world: World) -> None:
    made = run(name="web", state="started", **WISH)
    assert made["node"]["state"] == "running"
    assert run(name="web", state="started", **WISH)["changed"] is False
    stopped = run(name="web", state="stopped")
    assert (stopped["changed"], stopped["node"]["state"]) == (True, "stopped")
    assert run(name="web", state="stopped")["changed"] is False
    assert run(name="web", **WISH)["changed"] is False  # present: stays so
    assert world.living()[0].power == "stopped"
    assert run(name="web", state="started", **WISH)["node"]["state"] == "running"
    assert run(name="web", state="rebooted")["changed"] is True
    nobody = run(name="nobody", state="stopped")
    assert nobody["results"][0]["error"]["code"] == "not_found"


def test_check_mode_and_diff(run: Run, world: World) -> None:
    foretold = run(name="web", check=True, diff=True, **WISH)
    assert (foretold["changed"], foretold["nodes"], world.did()) == (True, [], [])
    assert foretold["diff"] == {"before": "", "after": "web: there (would be made)\n"}
    assert foretold["chosen"]["flavor"]["name"] == "small"
    made = run(name="web", diff=True, **WISH)
    assert made["diff"] == {"before": "", "after": "web: there (made i-1; allocated floating IP 203.0.113.1)\n"}
    assert run(name="web", diff=True, **WISH)["diff"] == {"before": "web: there\n", "after": "web: there\n"}
    assert run(name="web", state="absent", check=True)["results"][0]["did"] == ["would remove i-1", "would remove floating IP 203.0.113.1"]
    assert run(name="web", state="absent", diff=True)["diff"] == {"before": "web: there\n", "after": ""}
    failed = run(name="web", diff=True, flavor={"vcpus": 1}, image={"distro": "plan9"})
    assert failed["diff"] == {"before": "", "after": ""}


def test_a_key_from_the_ring_is_the_node_s_key(run: Run, world: World, tmp_path: Path) -> None:
    (tmp_path / "ring" / "fake").mkdir(parents=True)
    (tmp_path / "ring" / "fake" / "web.pub").write_text(KEY + "\n", encoding="utf-8")
    run(nodes=[{"name": "web", "ssh_key": "web"}, {"name": "own", "ssh_key": "web", "public_key": KEY + "-own"}, {"name": "none"}], **WISH)
    orders = {order.name: order for order in world.orders}
    assert [orders[name].public_key for name in ("web", "own", "none")] == [KEY, KEY + "-own", None]
    assert orders["web"].login_user == "fleet-boot"


def test_progress_is_written_line_by_line(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "progress"
    run(name="w", count=2, progress_file=str(path), **WISH)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert {"w-1: requested", "w-2: requested", "w-1: runs after 0 s"} <= set(lines)
    assert run(name="v", progress_file="/nowhere/at/all", **WISH)["failed"] is False


def test_a_defect_is_a_sentence_and_loses_no_result(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    other = World(provider="aws", pending=0.0).register(monkeypatch)
    other.scopes = None  # type: ignore[assignment]
    result = run(nodes=[{"name": "a"}, {"name": "b", "cloud": "amazon"}], **WISH)
    assert [bool(row["error"]) for row in result["results"]] == [False, True]
    assert "This is a defect of the collection" in result["msg"]
