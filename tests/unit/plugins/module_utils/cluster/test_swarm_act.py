# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a manager does for its swarm, against an engine that answers as Docker does; and what goes over the socket."""
from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster import kernel, swarm_look
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster.docker_api import Docker, DockerError
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster.swarm_act import Manager, SwarmError, port
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import System


class Engine:
    """Nodes as a manager keeps them; a version that grows with each change."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows = {row["ID"]: row for row in rows}
        self.asked: list[tuple[str, str]] = []
        self.stale = 0
        self.running: list[dict[str, Any]] = []

    def get(self, path: str, timeout: float | None = None) -> Any:
        self.asked.append(("GET", path))
        if path == "/nodes":
            return list(self.rows.values())
        return self.running if path.startswith("/tasks") else self.rows[path.split("/")[2]]

    def post(self, path: str, body: Any = None, timeout: float | None = None) -> Any:
        self.asked.append(("POST", path))
        row = self.rows[path.split("/")[2]]
        if self.stale:
            self.stale -= 1
            raise DockerError("rpc error: code = Unknown desc = update out of sequence", 500)
        assert path.endswith(f"version={row['Version']['Index']}")
        row.update(Spec=body, Version={"Index": row["Version"]["Index"] + 1})

    def ask(self, method: str, path: str, body: Any = None, timeout: float | None = None) -> Any:
        self.asked.append((method, path))
        del self.rows[path.split("/")[2].split("?")[0]]


def node(number: int, manager: bool = False, state: str = "ready", **spec: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "ID": f"id{number}", "Version": {"Index": 10}, "Description": {"Hostname": f"n{number}"},
        "Status": {"State": state, "Addr": f"10.0.0.{number}"},
        "Spec": {"Role": "manager" if manager else "worker", "Availability": "active", "Labels": {}, **spec}}
    return {**told, "ManagerStatus": {"Addr": f"10.0.0.{number}:2377", "Reachability": "reachable"}} if manager else told


def manager(engine: Engine) -> Manager:
    return Manager(engine, 0.2)  # type: ignore[arg-type]


def test_labels_of_others_stay_and_a_second_time_nothing_is_changed() -> None:
    engine = Engine(node(1, Labels={"theirs": "1", "zone": "b"}))
    wish = [{"id": "id1", "labels": {"provider": "aws", "zone": None}, "role": "worker"}]
    assert manager(engine).settle(wish, True) == ["labels of n1"] and ("POST", "/nodes/id1/update?version=10") not in engine.asked
    assert manager(engine).settle(wish, False) == ["labels of n1"]
    assert engine.rows["id1"]["Spec"]["Labels"] == {"theirs": "1", "provider": "aws"}
    assert manager(engine).settle(wish, False) == []


def test_a_change_that_somebody_else_was_quicker_with_is_tried_again() -> None:
    engine = Engine(node(1))
    engine.stale = 2
    assert manager(engine).settle([{"id": "id1", "availability": "pause"}], False) == ["n1 is pause"]
    engine.stale = 9
    with pytest.raises(DockerError, match="out of sequence"):
        manager(engine).settle([{"id": "id1", "availability": "active"}], False)


def test_a_drained_node_goes_back_to_what_it_was() -> None:
    engine = Engine(node(1, Availability="pause"))
    assert manager(engine).drain("n1", False) and engine.rows["id1"]["Spec"]["Availability"] == "drain"
    assert not manager(engine).drain("n1", False)
    assert manager(engine).activate("n1", False)
    assert engine.rows["id1"]["Spec"] == {"Role": "worker", "Availability": "pause", "Labels": {}}
    assert not manager(engine).activate("n1", False)


def test_a_run_that_ended_between_drain_and_back_is_mended_by_the_next() -> None:
    engine = Engine(node(1))
    manager(engine).drain("n1", False)
    manager(engine).settle([{"id": "id1", "labels": {}}], False)
    assert engine.rows["id1"]["Spec"] == {"Role": "worker", "Availability": "active", "Labels": {}}


def test_no_manager_is_drained_while_too_few_others_are_there() -> None:
    engine = Engine(*(node(number, manager=True) for number in (1, 2, 3)))
    engine.rows["id2"]["ManagerStatus"]["Reachability"] = "unreachable"
    with pytest.raises(SwarmError, match=r"n1 is not drained.*managers n2 are away"):
        manager(engine).drain("n1", False)
    engine.rows["id2"]["ManagerStatus"]["Reachability"] = "reachable"
    assert manager(engine).drain("n1", False)


def test_tasks_that_do_not_go_are_named() -> None:
    engine = Engine(node(1))
    engine.running = [{"ID": "t1", "Status": {"State": "running", "ContainerStatus": {"ContainerID": "abcdef0123456789"}}}]
    with pytest.raises(SwarmError, match=r"n1 is drained, but after .*abcdef012345"):
        manager(engine).drain("n1", False)


def test_the_only_manager_stays_and_an_entry_that_a_restore_left_goes() -> None:
    engine = Engine(node(1, manager=True), node(2))
    with pytest.raises(SwarmError, match="only manager"):
        manager(engine).demote("n1", False)
    left = Engine(node(1, manager=True), node(3, state="unknown", Role="manager"))
    assert manager(left).remove("id3", False) and list(left.rows) == ["id1"]
    assert not manager(left).remove("id3", False)


def test_of_two_entries_with_one_name_the_one_that_is_ready_is_meant() -> None:
    old, new = node(1, state="down"), {**node(2), "Description": {"Hostname": "n1"}}
    found = manager(Engine(old, new)).node("n1")
    assert found and found["id"] == "id2"


def test_addresses_with_ports() -> None:
    assert port("10.0.0.1", 2377) == "10.0.0.1:2377" and port("fd00::1", 2377) == "[fd00::1]:2377"
    assert [swarm_look.bare(text) for text in ("10.0.0.1:2377", "[fd00::1]:2377", "fd00::1", "")] == ["10.0.0.1", "fd00::1", "fd00::1", ""]


def test_managers_that_elect_a_leader_are_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swarm_look.time, "sleep", lambda _seconds: None)
    monkeypatch.setattr(swarm_look.kernel, "lacks", lambda _system: {})
    monkeypatch.setattr(swarm_look.networks, "known", lambda _system: [])

    class Electing:
        def __init__(self, tries: int, why: str) -> None:
            self.tries, self.why = tries, why

        def get(self, path: str, timeout: float | None = None) -> Any:
            if path == "/info":
                return {"Swarm": {"LocalNodeState": "active", "ControlAvailable": True}}
            self.tries -= path == "/nodes"
            if self.tries >= 0 and path == "/nodes":
                raise DockerError(self.why)
            return {} if path == "/swarm" else []

    def told(tries: int, why: str = "rpc error: The swarm does not have a leader.") -> dict[str, Any]:
        return swarm_look.gather(System(str(tmp_path)), Electing(tries, why))  # type: ignore[arg-type]

    assert told(3)["quorum"] and not told(3)["error"]
    assert "another thing" in told(1, "another thing")["error"]
    monkeypatch.setattr(swarm_look, "ELECTION", -1)
    assert "does not have a leader" in (lost := told(3))["error"] and not lost["quorum"]


# ------------------------------------------------------------------------------------------------- what services ask of the kernel
@pytest.mark.parametrize(("endpoint", "networks", "needs"), [
    ({"Mode": "vip"}, ["plain"], ["ingress"]),
    ({"Mode": "dnsrr"}, ["plain"], []),
    ({"Mode": "vip"}, [], []),
    ({"Mode": "vip", "Ports": [{"PublishMode": "host"}]}, [], []),
    ({"Mode": "vip", "Ports": [{"PublishMode": "ingress"}]}, [], ["ingress"]),
    ({"Mode": "dnsrr"}, ["secret"], ["encryption"]),
])
def test_what_a_service_relies_on(endpoint: dict[str, Any], networks: list[str], needs: list[str]) -> None:
    class Told:
        def get(self, path: str, timeout: float) -> Any:
            if path == "/networks":
                return [{"Id": "plain", "Options": None}, {"Id": "secret", "Options": {"encrypted": ""}}]
            return [{"Spec": {"Name": "web", "EndpointSpec": endpoint, "TaskTemplate": {"Networks": [{"Target": name} for name in networks]}}}]

    assert swarm_look.services(Told()) == [{"name": "web", "needs": needs}]  # type: ignore[arg-type]


def test_the_kernel_is_asked_itself() -> None:
    assert kernel.generic_family("nlctrl") == 0, "the family that every kernel has"
    assert kernel.generic_family("nobodys") != 0


# ------------------------------------------------------------------------------------------------- the socket
@pytest.fixture
def engine(tmp_path: Path) -> Iterator[tuple[str, list[bytes], list[bytes]]]:
    """A socket that answers what it is given, in order, and keeps what it was asked."""
    path, answers, asked = str(tmp_path / "s"), [], []
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()

    def serve() -> None:
        while True:
            try:
                client, _address = server.accept()
            except OSError:
                return
            data = client.recv(65536)
            while b"Content-Length" in data and int(data.split(b"Content-Length: ")[1].split(b"\r")[0]) > len(data.split(b"\r\n\r\n", 1)[1]):
                data += client.recv(65536)
            asked.append(data)
            if answers:
                client.sendall(answers.pop(0))
            client.close()

    threading.Thread(target=serve, daemon=True).start()
    yield path, answers, asked
    server.close()


def answer(status: str, body: Any) -> bytes:
    text = json.dumps(body).encode() if body is not None else b""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text


def test_answers_and_refusals_of_the_engine(engine: tuple[str, list[bytes], list[bytes]]) -> None:
    path, answers, asked = engine
    answers += [answer("200 OK", {"Name": "n1"}), answer("503 Service Unavailable", {"message": "This node is not a swarm manager."}),
                answer("200 OK", None)]
    docker = Docker(path, 5)
    assert docker.get("/info") == {"Name": "n1"}
    with pytest.raises(DockerError, match="not a swarm manager") as refused:
        docker.get("/nodes")
    assert refused.value.status == 503
    assert docker.post("/swarm/leave?force=true") is None
    assert asked[2].startswith(b"POST /swarm/leave?force=true") and asked[2].endswith(b"{}")


def test_no_engine_and_one_that_hangs_up(engine: tuple[str, list[bytes], list[bytes]], tmp_path: Path) -> None:
    with pytest.raises(DockerError, match="Docker does not run"):
        Docker(str(tmp_path / "none")).get("/info")
    with pytest.raises(DockerError, match="cannot be asked"):
        Docker(engine[0], 2).get("/info")
