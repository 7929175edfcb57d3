# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Machines behind a Redfish service: held in a file, switched by their boards."""
from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import PARTS
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import parse_clouds
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.actions import MARK, Order
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.base import Run
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.metal import redfish
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.metal.client import Metal
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.metal.redfish_actions import RedfishActions
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.retry import Patience
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import NodeEvidence

RESETS = ["On", "ForceOff", "GracefulShutdown", "GracefulRestart", "ForceRestart"]


class Board(ThreadingHTTPServer):
    """Systems one to three. slow: power changes only show when settle() is called."""

    def settle(self) -> None:
        for system in self.systems.values():
            system["PowerState"] = system.pop("Coming", system["PowerState"])

    systems: dict[str, dict[str, Any]]
    asked: list[tuple[str, str, Any]]
    faults: list[int]


@pytest.fixture
def board() -> Iterator[Board]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server: Any = self.server
            if self.path == "/redfish/v1/":
                self.answer(200, {"Systems": {"@odata.id": "/redfish/v1/Systems"}})
            elif self.path == "/redfish/v1/Systems":
                self.answer(200, {"Members": [{"@odata.id": path} for path in server.systems]})
            else:
                system = server.systems[self.path]
                self.answer(200, {key: value for key, value in system.items() if key != "Coming"})

        def do_PATCH(self) -> None:
            self.change("PATCH")

        def do_POST(self) -> None:
            self.change("POST")

        def change(self, method: str) -> None:
            server: Any = self.server
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.asked.append((method, self.path, body))
            if server.faults:
                self.answer(server.faults.pop(0), {"error": {"code": "x", "message": "the board is busy"}})
                return
            if method == "POST":
                system = server.systems[self.path.removesuffix("/reset")]
                kind = body["ResetType"]
                system["Coming"] = "Off" if kind in ("ForceOff", "GracefulShutdown") else "On"
            self.answer(204, None)

        def answer(self, status: int, body: Any) -> None:
            data = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = Board(("127.0.0.1", 0), Handler)
    server.asked, server.faults = [], []
    server.systems = {
        f"/redfish/v1/Systems/{number}": {
            "@odata.id": f"/redfish/v1/Systems/{number}", "UUID": f"uuid-{number}", "Name": name, "PowerState": power,
            "ProcessorSummary": {"Count": 2, "CoreCount": 32}, "MemorySummary": {"TotalSystemMemoryGiB": 96},
            "Boot": {"BootSourceOverrideTarget@Redfish.AllowableValues": ["Pxe", "Hdd"]},
            "Actions": {"#ComputerSystem.Reset": {
                "target": f"/redfish/v1/Systems/{number}/reset", "ResetType@Redfish.AllowableValues": RESETS}}}
        for number, name, power in ((1, "one", "Off"), (2, "two", "On"), (3, "three", "On"))}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


Open = Callable[..., Metal]


@pytest.fixture
def metal(board: Board, tmp_path: Path) -> Open:
    def opened(**keys: Any) -> Metal:
        cloud, = parse_clouds({"metal": {"provider": "metal", "sources": [{
            "kind": "redfish", "baseuri": f"http://127.0.0.1:{board.server_port}", "username": "u", "password": "s3cr3t", "reservations": "held.yml",
            "pool": ["one", "uuid-2"], "addresses": {"one": ["198.51.100.1"], "two": ["198.51.100.2"]}, **keys}]}}, "fleet.yml")
        now = [0.0]

        def sleep(seconds: float) -> None:
            now[0] += seconds

        return Metal(cloud, Run(Patience(ends=60, retries=3, timeout=60, clock=lambda: now[0], sleep=sleep), frozenset(), base_dir=str(tmp_path)))

    return opened


def act(metal: Metal) -> RedfishActions:
    actions = metal.actions(metal.scopes()[0])
    assert isinstance(actions, RedfishActions)
    return actions


def order(metal: Open, machine: str = "one", name: str = "web-1", **keys: Any) -> Order:
    flavor = next(flavor for flavor in act(metal(**keys)).catalog(frozenset(PARTS)).flavors if flavor.name == machine)
    return Order(name=name, image=None, flavor=flavor, network=None, token=f"of {name}", reachable="public")


def shown(metal: Open) -> dict[str, NodeEvidence]:
    opened = metal()
    return {node.id: node for node in opened.evidence(opened.scopes()[0])}


def resets(board: Board) -> list[str]:
    return [body["ResetType"] for method, _path, body in board.asked if method == "POST"]


def test_the_offer(metal: Open) -> None:
    first, second, third = act(metal()).catalog(frozenset(PARTS)).flavors
    assert (first.id, first.vcpus, first.memory_mib, first.disk_gib) == ("uuid-1", 32, 98304, None)
    assert (first.why_not, second.why_not, bool(third.why_not)) == ("", "", True)
    assert [dict(network.reach) for network in first.networks] == [{"ipv4": "public"}]
    assert [network.usable for network in third.networks] == [False]


def test_a_machine_that_is_off_is_switched_on_and_off_again(metal: Open, board: Board) -> None:
    before = shown(metal)
    wanted = order(metal)
    assert act(metal()).create(wanted) == "uuid-1"
    assert act(metal()).create(wanted) == "uuid-1"
    assert resets(board) == ["On"]
    node = shown(metal)["uuid-1"]
    assert (node.name, node.state, node.tags[MARK]) == ("web-1", "pending", "web-1"), "boards answer late"
    assert act(metal()).status(["uuid-1"])["uuid-1"].state == "pending"
    board.settle()
    assert act(metal()).status(["uuid-1"])["uuid-1"].state == "running"
    assert act(metal()).publish(wanted, "uuid-1") is None
    act(metal()).delete("uuid-1")
    assert resets(board) == ["On", "GracefulShutdown"]
    assert act(metal()).status(["uuid-1"]) == {}
    assert act(metal()).catalog(frozenset(PARTS)).flavors[0].why_not == "it is being switched off"
    board.settle()
    assert act(metal()).catalog(frozenset(PARTS)).flavors[0].why_not == ""
    assert shown(metal) == before
    act(metal()).delete("uuid-1")
    assert len(resets(board)) == 2


def test_a_machine_that_runs_is_left_running(metal: Open, board: Board) -> None:
    act(metal()).create(order(metal, "two"))
    act(metal()).delete("uuid-2")
    assert board.asked == []


def test_installing_from_the_network(metal: Open, board: Board) -> None:
    for machine in ("one", "two"):
        act(metal(boot="pxe")).create(order(metal, machine, f"on-{machine}"))
    boot = {"Boot": {"BootSourceOverrideTarget": "Pxe", "BootSourceOverrideEnabled": "Once"}}
    assert board.asked == [
        ("PATCH", "/redfish/v1/Systems/1", boot), ("POST", "/redfish/v1/Systems/1/reset", {"ResetType": "On"}),
        ("PATCH", "/redfish/v1/Systems/2", boot), ("POST", "/redfish/v1/Systems/2/reset", {"ResetType": "ForceRestart"})]


def test_a_fault_on_the_way_leaves_it_for_the_next_run(metal: Open, board: Board) -> None:
    wanted = order(metal)
    board.faults = [400]
    with pytest.raises(FleetError, match="the board is busy") as caught:
        act(metal()).create(wanted)
    assert caught.value.code == "refused"
    assert MARK not in shown(metal)["uuid-1"].tags
    assert len(act(metal()).leftovers("web-1")) == 1
    assert act(metal()).create(wanted) == "uuid-1"
    assert act(metal()).leftovers("web-1") == []


def test_a_passing_fault_is_tried_again(metal: Open, board: Board) -> None:
    wanted = order(metal)
    board.faults = [503, 500]
    assert act(metal()).create(wanted) == "uuid-1"
    assert resets(board) == ["On"] * 3


def test_power(metal: Open, board: Board) -> None:
    actions = act(metal())
    with pytest.raises(FleetError, match="is free"):
        actions.power("uuid-1", "start")
    actions.create(order(metal))
    assert not actions.power("uuid-1", "start"), "it is on its way"
    board.settle()
    assert actions.power("uuid-1", "stop")
    board.settle()
    assert actions.status(["uuid-1"])["uuid-1"].state == "stopped", "however lately it was switched on"
    assert not actions.power("uuid-1", "stop")
    with pytest.raises(FleetError) as caught:
        actions.power("uuid-1", "reboot")
    assert caught.value.code == "wrong_state"
    assert actions.power("uuid-1", "start")
    board.settle()
    assert actions.power("uuid-1", "reboot")
    assert resets(board) == ["On", "GracefulShutdown", "On", "GracefulRestart"]
    assert actions.power("uuid-3", "reboot"), "a machine in use is switched, too"
    actions.delete("uuid-1")
    assert resets(board)[-1] == "GracefulShutdown"
    with pytest.raises(FleetError) as caught:
        actions.delete("uuid-3")
    assert caught.value.code == "not_ours"


def test_what_a_system_does_not_offer() -> None:
    system = {"Name": "one", "Actions": {"#ComputerSystem.Reset": {"target": "/r", "ResetType@Redfish.AllowableValues": ["ForceOff"]}}}
    assert redfish.reset(system, "stop") == ("/r", "ForceOff")
    with pytest.raises(FleetError, match="offers only ForceOff"):
        redfish.reset(system, "start")
    with pytest.raises(FleetError, match="offers no reset"):
        redfish.reset({"Name": "one"}, "start")
    with pytest.raises(FleetError, match="it boots from Hdd only"):
        redfish.network_boot({"Boot": {"BootSourceOverrideTarget@Redfish.AllowableValues": ["Hdd"]}})
