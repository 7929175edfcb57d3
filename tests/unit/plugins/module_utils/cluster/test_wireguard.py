# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The texts of the mesh, how what runs compares with them, and what a node does about it."""
from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster import facts, record, wireguard
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster.mesh import Mesh, MeshError
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import Ran, System


def key(name: str) -> str:
    return base64.b64encode(name.encode().ljust(32, b"-")).decode()


VALUES: dict[str, Any] = {
    "cluster": "fleet", "ipv4": "10.213.0.1", "ipv6": "fd00::1", "ipv4_pool": "10.213.0.0/16", "ipv6_pool": "fd00::/64", "mtu": 1420, "port": 51820,
    "peers": [{"name": "b", "ipv4": "10.213.0.2", "ipv6": "fd00::2", "endpoint": "198.51.100.2:51820", "keepalive": 25, "why": ""},
              {"name": "c", "ipv4": "10.213.0.3", "ipv6": "fd00::3", "endpoint": "", "keepalive": 0, "why": ""}]}
KEYS = {"b": key("b"), "c": key("c")}


class Node:
    """A node with wg and systemd, as its programs would answer."""

    def __init__(self, root: Path, *, kernel: bool = True) -> None:
        self.kernel, self.asked, self.up, self.enabled = kernel, [], False, False  # type: list[str]
        self.configuration = ""
        self.addresses: list[str] = []
        self.mtu = self.made = 0
        self.root = root
        for folder in ("etc/systemd/system", "run/systemd/system", "usr/bin", "sys/class/net", "proc/net"):
            (root / folder).mkdir(parents=True)
        (root / "proc/net/if_inet6").write_text("")
        for program in ("wg", "ip", *([] if kernel else ["wireguard-go"])):
            (root / "usr/bin" / program).write_text("")
            (root / "usr/bin" / program).chmod(0o755)
        (root / "dev/net").mkdir(parents=True)
        (root / "dev/net/tun").write_text("")
        self.system = System(str(root), self.run)

    def run(self, words: Sequence[str], text: str | None = None, timeout: float = 60) -> Ran:
        line = " ".join(words)
        self.asked.append(line)
        if words[0] == "wg":
            return self._wg(words, text)
        if line.startswith("systemctl restart"):
            unit = (self.root / "etc/systemd/system/hybridops-fleet-mesh.service").read_text()
            self.up, self.configuration = True, (self.root / "etc/hybridops-fleet/mesh/fleet0.conf").read_text()
            self.addresses = [row.split()[3] for row in unit.splitlines() if "address add" in row]
            self.mtu = int(next(row.split()[6] for row in unit.splitlines() if "mtu" in row))
        elif line.startswith(("systemctl disable", "ip link delete")):
            self.up = False
        elif line.startswith("ip link show"):
            return Ran(0 if self.up else 1, "", "")
        elif line.startswith("systemctl enable"):
            self.enabled = True
        elif line.startswith("systemctl show"):
            return Ran(0, f"Id=hybridops-fleet-mesh.service\nLoadState=loaded\nUnitFileState={'enabled' if self.enabled else 'disabled'}\n"
                          f"ActiveState={'active' if self.up else 'inactive'}\n", "")
        elif line.startswith("ip link add dev fleetprobe0"):
            return Ran(0 if self.kernel else 2, "", "")
        elif line == "ip -json address":
            rows = [{"local": one.split("/")[0], "prefixlen": int(one.split("/")[1]), "scope": "global"} for one in self.addresses]
            return Ran(0, json.dumps([{"ifname": "fleet0", "mtu": self.mtu, "addr_info": rows}]), "")
        elif line.startswith("ip address add"):
            self.addresses.append(words[3])
        elif line.startswith("ip address delete"):
            self.addresses.remove(words[3])
        elif line.startswith("ip link set dev fleet0 mtu"):
            self.mtu = int(words[6])
        return Ran(0, "", "")

    def _wg(self, words: Sequence[str], text: str | None) -> Ran:
        if words[1] == "genkey":
            self.made += 1
            return Ran(0, key(f"private{self.made}") + "\n", "")
        if words[1] == "pubkey":
            return Ran(0, key("of " + base64.b64decode(text or "").decode().rstrip("-")) + "\n", "")
        if words[1] == "show":
            return Ran(0, self._dump(), "") if self.up else Ran(1, "", "No such device")
        self.configuration = Path(words[3]).read_text()
        return Ran(0, "", "")

    def _dump(self) -> str:
        private = next(row.split(" = ")[1] for row in self.configuration.splitlines() if row.startswith("PrivateKey"))
        port = next(row.split(" = ")[1] for row in self.configuration.splitlines() if row.startswith("ListenPort"))
        public = self.run(["wg", "pubkey"], private).out.strip()
        rows = [f"{private}\t{public}\t{port}\toff"]
        for block in self.configuration.split("[Peer]\n")[1:]:
            found = dict(row.split(" = ") for row in block.splitlines() if " = " in row)
            allowed = found["AllowedIPs"].replace(", ", ",")
            rows.append(f"{found['PublicKey']}\t(none)\t-\t{allowed}\t0\t0\t0\t{found.get('PersistentKeepalive', 'off')}")
        return "\n".join(rows) + "\n"

    def mesh(self, check: bool = False) -> Mesh:
        self.asked.clear()
        return Mesh(self.system, "fleet0", check)

    def present(self, values: dict[str, Any] | None = None, keys: dict[str, str] | None = None, check: bool = False) -> Mesh:
        self.mesh().key()
        mesh = self.mesh(check)
        mesh.present(values or VALUES, KEYS if keys is None else keys)
        return mesh

    @property
    def restarts(self) -> int:
        return sum(line.startswith("systemctl restart") for line in self.asked)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_the_interface_comes_up_once_and_a_second_run_asks_only(node: Node) -> None:
    first = node.present()
    assert first.started and node.restarts == 1
    assert node.addresses == ["10.213.0.1/16", "fd00::1/64"] and node.mtu == 1420
    second = node.present()
    assert second.changes == [] and not second.started
    assert not any(line.startswith(("systemctl restart", "wg syncconf", "ip address add", "systemctl daemon-reload")) for line in node.asked)


def test_check_mode_foretells_and_touches_nothing(node: Node) -> None:
    foretold = node.mesh(check=True)
    assert foretold.key() == "" and foretold.changes == ["a key"]
    foretold.present(VALUES, KEYS)
    assert not (node.root / "etc/hybridops-fleet").exists()
    node.present()
    before = {path: path.read_bytes() for path in (node.root / "etc").rglob("*") if path.is_file()}
    changed = node.present({**VALUES, "mtu": 1300}, check=True)
    assert "MTU 1420 -> 1300" in changed.changes and node.mtu == 1420
    assert {path: path.read_bytes() for path in (node.root / "etc").rglob("*") if path.is_file()} == before


def test_peers_come_and_go_without_a_restart(node: Node) -> None:
    node.present()
    fewer = node.present({**VALUES, "peers": VALUES["peers"][:1]})
    assert node.restarts == 0 and any("goes" in change for change in fewer.changes)
    assert key("c") not in node.configuration and key("b") in node.configuration
    more = node.present()
    assert node.restarts == 0 and "peer c comes" in more.changes


def test_addresses_and_mtu_change_in_place(node: Node) -> None:
    node.present()
    node.present({**VALUES, "ipv4": "10.213.0.77", "mtu": 1380})
    assert node.restarts == 0
    assert sorted(node.addresses) == ["10.213.0.77/16", "fd00::1/64"] and node.mtu == 1380


def test_what_somebody_changed_by_hand_is_put_right(node: Node) -> None:
    node.present()
    node.configuration = node.configuration.replace(key("b"), key("stranger"))
    assert "peer b comes" in node.present().changes
    assert key("b") in node.configuration
    node.up = False
    assert node.present().started


def test_a_new_key_waits_beside_the_old_one_until_it_is_put_in_place(node: Node) -> None:
    node.present()
    now, before = (node.root / record.KEY[1:]), (node.root / record.KEY[1:]).read_text()
    waiting = node.mesh().key(rotate=True)
    assert now.read_text() == before and waiting == node.mesh().key()  # a run that was killed here goes on with it
    told = node.mesh().present(VALUES, KEYS)
    assert told["public_key"] == waiting and now.read_text() != before
    assert not (node.root / record.NEXT_KEY[1:]).exists() and node.restarts == 0
    assert node.present().changes == []


def test_a_member_that_was_not_reached_keeps_its_key_and_an_unknown_one_waits(node: Node) -> None:
    node.present(keys={"b": key("b")})
    assert [peer["name"] for peer in (record.read(node.system) or {})["peers"]] == ["b"]
    node.present(keys={"c": key("c"), "b": ""})
    assert {peer["name"]: peer["public_key"] for peer in (record.read(node.system) or {})["peers"]} == KEYS


def test_the_key_is_readable_by_root_alone_and_in_no_diff_or_record(node: Node) -> None:
    mesh = node.present()
    secret = (node.root / record.KEY[1:]).read_text().strip()
    assert (node.root / record.KEY[1:]).stat().st_mode & 0o777 == 0o600
    assert (node.root / wireguard.configuration_file("fleet0")[1:]).stat().st_mode & 0o777 == 0o600
    assert secret not in json.dumps([mesh.before, mesh.after, mesh.changes]) and secret not in (node.root / record.RECORD[1:]).read_text()


def test_without_the_kernel_wireguard_go_carries_it_and_comes_back_when_it_ends(tmp_path: Path) -> None:
    node = Node(tmp_path, kernel=False)
    node.present()
    unit = (tmp_path / "etc/systemd/system/hybridops-fleet-mesh.service").read_text()
    assert "ExecStart=/usr/bin/wireguard-go fleet0" in unit and "Restart=always" in unit and "Type=forking" in unit
    node.kernel = True  # a newer kernel does not restart what runs
    assert node.present().changes == []


@pytest.mark.parametrize(("wanted", "words"), [("kernel", "kernel has no WireGuard"), ("auto", "/dev/net/tun")])
def test_what_cannot_be_is_said_with_what_to_do(tmp_path: Path, wanted: str, words: str) -> None:
    node = Node(tmp_path, kernel=False)
    (tmp_path / "dev/net/tun").unlink()
    mesh = node.mesh()
    mesh.key()
    with pytest.raises(MeshError, match=words):
        mesh.present(VALUES, KEYS, wanted)


def test_absent_leaves_nothing_and_again_does_nothing(node: Node) -> None:
    node.present()
    node.mesh().absent()
    assert not (node.root / record.FOLDER[1:]).exists() and not list((node.root / "etc/systemd/system").iterdir())
    again = node.mesh()
    again.absent()
    assert again.changes == []


def test_a_name_cannot_end_its_comment() -> None:
    values = {**VALUES, "interface": "fleet0", "peers": [{**VALUES["peers"][0], "name": "b\n[Interface]\nPostUp = true"}]}
    wanted = wireguard.wanted_of(values, {"b\n[Interface]\nPostUp = true": key("b")}, ())
    assert wireguard.configuration(wanted, key("p")).count("\n[Interface]") == 1


@pytest.mark.parametrize("text", ["", "one line\n", "a\tb\tc\td\nshort\trow\n"])
def test_a_dump_that_is_not_understood_is_none(text: str) -> None:
    assert wireguard.parse_dump(text) is None


# ------------------------------------------------------------------------------------------------- facts
def test_a_running_cluster_is_seen_with_its_role_and_address(tmp_path: Path) -> None:
    system = System(str(tmp_path), lambda words, text, timeout: Ran(0, "", ""))
    assert facts.cluster(system) == {}
    (tmp_path / "var/lib/docker/swarm/raft").mkdir(parents=True)
    (tmp_path / "var/lib/docker/swarm/docker-state.json").write_text('{"LocalAddr": "", "AdvertiseAddr": "10.213.0.1:2377"}')
    assert facts.cluster(system) == {"kind": "swarm", "role": "manager", "ip": "10.213.0.1"}
    (tmp_path / "var/lib/docker/swarm/docker-state.json").write_text('{"AdvertiseAddr": "fd00::1"}')
    assert facts.cluster(system)["ip"] == "fd00::1"
    (tmp_path / "etc/kubernetes/manifests").mkdir(parents=True)
    (tmp_path / "etc/kubernetes/kubelet.conf").write_text("")
    (tmp_path / "etc/default").mkdir()
    (tmp_path / "etc/default/kubelet").write_text('KUBELET_EXTRA_ARGS="--node-ip=10.213.0.4"\n')
    assert facts.cluster(system) == {"kind": "kubernetes", "role": "worker", "ip": "10.213.0.4"}
    (tmp_path / "etc/kubernetes/manifests/kube-apiserver.yaml").write_text("    - --advertise-address=10.213.0.5\n")
    assert facts.cluster(system) == {"kind": "kubernetes", "role": "control_plane", "ip": "10.213.0.5"}


def test_peers_that_never_answered_are_told_silent(node: Node) -> None:
    node.present()
    assert (facts.mesh(node.system) or {})["silent"] == ["b", "c"]
    said = f"{key('b')}\t1790000000\n{key('c')}\t0\n"
    spoken = System(str(node.root), lambda words, text, timeout: Ran(0, said, ""))
    assert (facts.mesh(spoken) or {})["silent"] == ["c"]


def test_routes_leave_out_what_leads_everywhere_or_nowhere(tmp_path: Path) -> None:
    rows = [{"dst": "default", "dev": "eth0"}, {"dst": "10.0.0.0/24", "dev": "eth0"}, {"dst": "10.9.0.0/16", "dev": "docker0", "table": "77"},
            {"type": "local", "dst": "10.0.0.5", "dev": "eth0", "table": "local"}, {"dst": "fe80::/64", "dev": "eth0"},
            {"dst": "10.0.0.0/24", "dev": "eth0"}]
    system = System(str(tmp_path), lambda words, text, timeout: Ran(0, json.dumps(rows if "-4" in words else []), ""))
    assert facts.routes(system) == [{"network": "10.0.0.0/24", "interface": "eth0"}, {"network": "10.9.0.0/16", "interface": "docker0"}]
