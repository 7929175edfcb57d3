# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Power of many nodes: asked at once, waited for once, each with its own outcome."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.finding import look_up
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.outcomes import Outcome
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.powering import bring
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.fake_cloud import World


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch) -> Callable[..., World]:
    def make(*names: str, **more: Any) -> World:
        world = World(scopes=("one", "two")).register(monkeypatch)
        for number, name in enumerate(names):
            world.add(name, scope=world.scopes[number % 2], **more)
        return world

    return make


def outcomes(world: World) -> list[Outcome]:
    found = look_up(world.cloud(), [], world.making().settings)
    return sorted((Outcome(node.name or "", node) for answer in found for node in answer.nodes), key=lambda outcome: outcome.name)


def go(world: World, state: str, *, wait: bool = True, **more: Any) -> list[Outcome]:
    rows = outcomes(world)
    bring(world.cloud(), rows, state, world.making(**more), wait=wait)
    return rows


def test_a_hundred_nodes_start_in_the_time_of_one(begin: Callable[..., World]) -> None:
    world = begin(*(f"n{number:03}" for number in range(100)), power="stopped")
    world.pending = 20.0
    rows = go(world, "started", workers=16)
    assert [row.failure for row in rows] == [None] * 100
    assert {(row.node.state, row.changed) for row in rows if row.node} == {("running", True)}
    assert world.now == 20.0
    assert world.most_inside <= 16
    again = go(world, "started")
    assert not any(row.changed for row in again)
    assert len(world.did("power")) == 100


def test_stop_and_reboot(begin: Callable[..., World]) -> None:
    world = begin("a", "b")
    assert {row.node.state for row in go(world, "stopped") if row.node} == {"stopped"}
    world = begin("a")
    rows = go(world, "rebooted")
    assert (rows[0].did, len(world.did("power"))) == (["rebooted"], 1)


def test_each_in_its_own_scope(begin: Callable[..., World]) -> None:
    world = begin("a", "b")
    go(world, "stopped")
    assert sorted((scope, told) for _method, scope, told in world.did("power")) == [("one", ("i-1", "stop")), ("two", ("i-2", "stop"))]


def test_one_that_fails_does_not_keep_the_others(begin: Callable[..., World]) -> None:
    world = begin("a", "b", "c")
    world.fails["power"] = [FleetError("stop node", why="locked", fix="Unlock it."), KeyError("x")]
    rows = go(world, "stopped", workers=1)
    assert [row.failure.code if row.failure else None for row in rows].count(None) == 1
    told = " ".join(str(row.failure) for row in rows if row.failure)
    assert "locked. Unlock it." in told
    assert "KeyError" in told


def test_a_node_that_goes_to_error_or_away(begin: Callable[..., World]) -> None:
    world = begin("a", "b", power="stopped")
    rows = outcomes(world)
    world.machines["i-1"].fault = "disk on fire"
    world.machines["i-2"].ends = world.now
    bring(world.cloud(), rows, "started", world.making())
    assert "i-1 went to state error: disk on fire" in str(rows[0].failure)
    assert rows[1].failure is not None


def test_a_wait_ends_and_says_for_what(begin: Callable[..., World]) -> None:
    world = begin("a", power="stopped")
    world.pending = 1000.0
    row, = go(world, "started", timeout=30.0)
    assert "waited 30 s; i-1 is pending (spawning)" in str(row.failure)
    assert row.changed


def test_a_moment_s_trouble_is_ridden_out(begin: Callable[..., World]) -> None:
    world = begin("a", power="stopped")
    world.fails["status"] = [FleetError("read nodes", why="HTTP 503", transient=True)] * 3
    row, = go(world, "started")
    assert row.failure is None


def test_one_on_its_way_is_only_waited_for(begin: Callable[..., World]) -> None:
    world = begin("a", runs_at=10.0)
    row, = go(world, "started")
    assert (row.failure, row.changed, world.did("power")) == (None, False, [])
    assert row.node is not None
    assert row.node.state == "running"


def test_a_cloud_that_cannot_be_asked_keeps_what_was_done(begin: Callable[..., World]) -> None:
    world = begin("a", power="stopped")
    rows = outcomes(world)
    rows[0].did.append("made i-1")
    world.lists["two"] = [FleetError("list nodes", why="HTTP 500")]
    bring(world.cloud(), rows, "started", world.making())
    assert "HTTP 500" in str(rows[0].failure)
    assert (rows[0].did, rows[0].node is not None) == (["made i-1"], True)


def test_check_mode_and_no_wait(begin: Callable[..., World]) -> None:
    world = begin("a", power="stopped")
    assert go(world, "started", check=True)[0].did == ["would be started"]
    assert not world.did()
    go(world, "started", wait=False)
    assert world.now == 0
    assert len(world.did("power")) == 1
    assert not world.did("status")
