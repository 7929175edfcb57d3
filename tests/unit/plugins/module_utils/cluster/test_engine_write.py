# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Settings of container engines on a tree of files: what is laid over what, what needs a restart, TOML as containerd reads it."""
from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster import engine_write, networks, toml
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import Ran, System


class Node:
    """A tree of files, and dockerd's and systemd's answers."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.validates, self.refuses, self.said = folder, False, "", {}
        self.system = System(str(folder), self.run)
        (folder / "run/systemd/system").mkdir(parents=True)

    def run(self, words: Sequence[str], text: str | None, timeout: float) -> Ran:
        if words[:2] == ["dockerd", "--help"]:
            return Ran(0, "--validate" if self.validates else "", "")
        if words[0] == "dockerd":
            return Ran(1 if self.refuses else 0, "", self.refuses)
        if words[:2] == ["systemctl", "show"]:
            return Ran(0, "Id=docker.service\nLoadState=loaded\nActiveState=active\n", "")
        return Ran(0, self.said.get(words[-2] if words[-1] == "show" else words[-1], ""), "")

    def daemon(self, text: str | None = None) -> dict[str, object]:
        path = self.folder / "etc/docker/daemon.json"
        if text is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return json.loads(path.read_text()) if path.exists() else {}


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_keys_of_others_stay_and_ours_go_when_they_are_no_longer_wanted(node: Node) -> None:
    node.daemon('{"dns": ["192.0.2.1"], "mtu": 1500}')
    engine_write.docker(node.system, {"mtu": 1420, "log-driver": "local"}, False)
    assert node.daemon() == {"dns": ["192.0.2.1"], "mtu": 1420, "log-driver": "local"}
    engine_write.docker(node.system, {"mtu": 1420}, False)
    assert node.daemon() == {"dns": ["192.0.2.1"], "mtu": 1420}
    engine_write.docker(node.system, {}, False)
    assert node.daemon() == {"dns": ["192.0.2.1"]}


def test_a_second_time_changes_nothing_and_check_mode_writes_nothing(node: Node) -> None:
    assert engine_write.docker(node.system, {"mtu": 1420}, True).changed and node.daemon() == {}
    assert engine_write.docker(node.system, {"mtu": 1420}, False).changed
    again = engine_write.docker(node.system, {"mtu": 1420}, False)
    assert (again.changed, again.restart, again.reload) == (False, False, False)


def test_only_some_settings_need_a_restart(node: Node) -> None:
    engine_write.docker(node.system, {"mtu": 1420}, False)
    marker = node.folder / "run/hybridops-fleet/restart-docker"
    marker.unlink()
    mirrored = engine_write.docker(node.system, {"mtu": 1420, "registry-mirrors": ["https://m"]}, False)
    assert mirrored.reload and not mirrored.restart and not marker.exists()
    assert engine_write.docker(node.system, {"mtu": 1400, "registry-mirrors": ["https://m"]}, False).restart and marker.exists()


def test_what_dockerd_refuses_is_not_put(node: Node) -> None:
    node.daemon('{"mtu": 1500}')
    node.validates, node.refuses = True, "unable to configure the Docker daemon: directives don't match: mtuu"
    with pytest.raises(engine_write.EngineError, match="mtuu"):
        engine_write.docker(node.system, {"mtuu": 1}, False)
    assert node.daemon() == {"mtu": 1500}


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_file_that_is_broken_is_left_alone(node: Node, text: str) -> None:
    path = node.folder / "etc/docker/daemon.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(engine_write.EngineError, match="Mend or remove it"):
        engine_write.docker(node.system, {"mtu": 1}, False)
    assert path.read_text() == text


def test_toml_comes_back_as_it_was() -> None:
    data = {"version": 2, "on": True, "list": ["a", 'b"c'], "empty": {}, "plugins": {"io.containerd.grpc.v1.cri": {"a": {"x-y": 1}, "b": "é\\n"}}}
    assert tomllib.loads(toml.text(data)) == data
    with pytest.raises(ValueError, match=r"plugins\.x: a setting of containerd cannot be empty"):
        toml.text({"plugins": {"x": None}})


def test_containerd_is_written_once_and_registries_need_no_restart(node: Node) -> None:
    first = engine_write.containerd(node.system, {"version": 2}, {"docker.io": {"host": {"http://m": {"capabilities": ["pull"]}}}}, False)
    assert first.changed and first.restart
    assert tomllib.loads((node.folder / "etc/containerd/certs.d/docker.io/hosts.toml").read_text())["host"]["http://m"]["capabilities"] == ["pull"]
    assert not engine_write.containerd(node.system, {"version": 2}, {}, False).changed
    other = engine_write.containerd(node.system, {"version": 2}, {"quay.io": {}}, False)
    assert other.changed and not other.restart
    assert engine_write.no_containerd(node.system, False).changed and not (node.folder / "etc/containerd/config.toml").exists()


def test_a_configuration_of_containerd_that_others_wrote_stays(node: Node) -> None:
    path = node.folder / "etc/containerd/config.toml"
    path.parent.mkdir(parents=True)
    path.write_text("version = 2\n")
    assert not engine_write.no_containerd(node.system, False).changed and path.exists()


def test_networks_that_containers_made_are_not_the_nodes_own(node: Node) -> None:
    rows = [{"ifname": name, "addr_info": [{"local": address, "prefixlen": 16}]} for name, address in (
        ("eth0", "10.4.0.7"), ("docker0", "172.17.0.1"), ("br-0123456789ab", "172.18.0.1"), ("lo", "127.0.0.1"))]
    routes = [{"dst": "default", "dev": "eth0"}, {"dst": "10.9.0.0/24", "dev": "eth0"}, {"dst": "172.17.0.0/16", "dev": "docker0"}]
    node.said = {"address": json.dumps(rows), "route": json.dumps(routes)}
    assert networks.known(node.system) == ["10.4.0.7/16", "10.9.0.0/24"]
