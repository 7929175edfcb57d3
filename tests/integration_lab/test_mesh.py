# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Role mesh on booted hosts: two behind the NAT of one cloud, one behind that of another, and machines of a rack; traffic is sent for real.

Needs a lab with google, amazon, metal and hosts: ``python3 tests/run.py --only mesh`` (as root). The kernel of most machines that run this has no
WireGuard for containers, so it is wireguard-go that carries the packets.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "tests" / "lab"))

from fleetlab.core import Lab, LabError  # noqa: E402
from fleetlab.hosts.endpoint import inside  # noqa: E402
from fleetlab.hosts.fresh import Machine, Rack  # noqa: E402

LAB = Lab(Path(os.environ.get("FLEET_LAB_STATE", CHECKOUT / ".lab")).resolve())
NEEDED = {"gce", "ec2", "metal", "hosts"}
RUNS = os.geteuid() == 0 and set(LAB.state()["endpoints"]) >= NEEDED
pytestmark = pytest.mark.skipif(not RUNS, reason="no lab with google, amazon, metal and hosts runs: tests/run.py --only mesh")

FLEET = """
plugin: hybridops.fleet.nodes
clouds:
  amazon: {{provider: aws, profile: lab, regions: [us-east-1]}}
  google: {{provider: gce, projects: [acme-prod]}}
  metal: {{provider: metal, sources: [{{kind: file, path: "{rack}"}}]}}
keyed_groups: [{{prefix: role, key: fleet_tags.role}}]
"""
ECHO = """
import selectors, socket
chosen = selectors.DefaultSelector()
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    one = socket.socket(socket.AF_INET6, kind)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    one.bind(("::", 8099))
    if kind == socket.SOCK_STREAM:
        one.listen()
    chosen.register(one, selectors.EVENT_READ, kind)
while True:
    for key, _events in chosen.select():
        if key.data == socket.SOCK_DGRAM:
            data, source = key.fileobj.recvfrom(100)
            key.fileobj.sendto(data, source)
        elif key.data == socket.SOCK_STREAM:
            chosen.register(key.fileobj.accept()[0], selectors.EVENT_READ, None)
        else:
            data = key.fileobj.recv(100)
            if data:
                key.fileobj.sendall(data)
            else:
                chosen.unregister(key.fileobj)
                key.fileobj.close()
"""
"""Sends back what comes, TCP and UDP, both families."""
ASK = """
import socket, sys
for address in sys.argv[1:]:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind) as one:
            one.settimeout(3)
            try:
                one.connect((address, 8099))
                one.send(b"there?")
                assert one.recv(100) == b"there?"
            except OSError as failure:
                print(address, kind.name, failure)
"""
SESSION = """
import os, socket, sys, time
one = socket.create_connection((sys.argv[1], 8099), 5)
one.settimeout(20)
worst, ends = 0.0, time.monotonic() + 900
while not os.path.exists("/run/session.end") and time.monotonic() < ends:
    began = time.monotonic()
    one.sendall(b"x")
    assert one.recv(1) == b"x"
    worst = max(worst, time.monotonic() - began)
    time.sleep(0.1)
print("worst", worst)
"""
"""One TCP session until it is told to end; fails when it breaks, and tells the longest wait for an answer in seconds."""


class World:
    """The inventory, the rack, and ways into the hosts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rack = Rack(LAB, "meshrack")
        self.file = folder / "fleet.nodes.yml"
        self.key = LAB.run / "keys" / "fleet"
        self.lab = [sys.executable, str(CHECKOUT / "tests" / "lab"), "--state", str(LAB.root), "exec"]
        self.file.write_text(FLEET.format(rack=folder / "rack.yml"), encoding="utf-8")
        (folder / "host_vars").mkdir()
        (folder / "group_vars").mkdir()
        (folder / "group_vars" / "all.json").write_text(json.dumps({"ansible_ssh_private_key_file": str(self.key)}), encoding="utf-8")

    def machines(self, *names: str, fresh: bool = False) -> None:
        """These machines of the rack, booted. One that was there before keeps its disk unless fresh ones are wanted."""
        places = {"m1": 31, "m2": 32, "m3": 33}
        found = [Machine(name, "bookworm", places[name]) for name in names]
        for machine in found:
            key = {"ansible_ssh_private_key_file": self.rack.variables(machine)["ansible_ssh_private_key_file"]}
            (self.folder / "host_vars" / f"{machine.name}.json").write_text(json.dumps(key), encoding="utf-8")
        (self.rack.renew if fresh else self.rack.write)(found)
        told = json.loads(self.rack.file.read_text(encoding="utf-8"))
        for interface in (interface for node in told["nodes"] for interface in node["interfaces"]):
            interface["addresses"] = [text.partition("/")[0] for text in interface["addresses"]]  # prefixes are for the lab alone
        (self.folder / "rack.yml").write_text(json.dumps(told), encoding="utf-8")
        self.rack.wait()

    def play(self, book: str, *words: str, ok: bool = True) -> str:
        environment = {**os.environ, "FLEET_LAB_FLEET": str(self.file), "ANSIBLE_HOST_KEY_CHECKING": "0", "ANSIBLE_PIPELINING": "1",
                       "ANSIBLE_NOCOLOR": "1"}
        command = [*self.lab, "ansible-playbook", "-i", str(self.file), str(CHECKOUT / "playbooks" / book), *words]
        done = subprocess.run(command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=600, check=False)
        (self.folder / "out").write_text(done.stdout, encoding="utf-8")
        assert "Traceback" not in done.stdout, done.stdout[-3000:]
        failures = "\n".join(line[:900] for line in done.stdout.splitlines() if re.match(r"fatal|\[ERROR|.*failed=[1-9]", line))
        assert (done.returncode == 0) is ok, failures or done.stdout[-3000:]
        return done.stdout

    def mesh(self, *words: str, hosts: str = "role_mesh:m1", ok: bool = True) -> str:
        return self.play("mesh.yml", "-e", f"fleet_cluster_hosts={hosts}", *words, ok=ok)

    def variables(self) -> dict[str, dict[str, Any]]:
        command = [*self.lab, "ansible-inventory", "-i", str(self.file), "--list"]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=True, env={**os.environ, "ANSIBLE_NOCOLOR": "1"})
        found: dict[str, dict[str, Any]] = json.loads(done.stdout)["_meta"]["hostvars"]
        return found

    def ssh(self, name: str, script: str, *words: str, check: bool = True, timeout: float = 90) -> str:
        return self.started(name, script, *words).wait(check, timeout)

    def started(self, name: str, script: str, *words: str) -> Running:
        """A program on a host: Python when it imports something, else sh; as root."""
        host = self.variables_once()[name]
        key = host["ansible_ssh_private_key_file"]
        runner = "python3 - " if script.lstrip().startswith("import ") else "sh -s "
        options = ["-i", key, "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
                   "-o", "ConnectTimeout=8", "-o", "ControlMaster=no", "-o", "ControlPath=none"]
        user = host["ansible_user"] if name.startswith("m") and not name.startswith("mesh") else "fleet"
        command = [*inside(LAB), "ssh", "-F", "none", *options, f"{user}@{host['ansible_host']}", "sudo " + runner + " ".join(words)]
        return Running(name, subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True), script)

    def variables_once(self) -> dict[str, dict[str, Any]]:
        stamp = self.rack.file.read_text(encoding="utf-8")
        if getattr(self, "_stamp", None) != stamp:
            self._stamp, self._known = stamp, self.variables()
        return self._known

    @contextmanager
    def session(self, name: str, other: str) -> Iterator[None]:
        """A TCP session through the mesh that goes on, unbroken and without long waits, while something is done."""
        running = self.started(name, SESSION, self.record(other)["ipv4"])
        try:
            yield
        finally:
            self.ssh(name, "touch /run/session.end; sleep 1")
            told = running.wait()
            self.ssh(name, "rm /run/session.end")
        assert float(told.split()[1]) < 15, told

    # -- what the hosts tell -----------------------------------------------------------------------------------
    def record(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ssh(name, "cat /etc/hybridops-fleet/mesh/record.json"))
        return found

    def process(self, name: str) -> str:
        """What makes the interface, and since when: another value means that it was restarted."""
        properties = "MainPID,ActiveEnterTimestampMonotonic,NRestarts"
        return self.ssh(name, f"systemctl show hybridops-fleet-mesh --property {properties}; ip -o link show fleet0 | cut -d: -f1")

    def echo(self, *names: str) -> None:
        for name in names:
            self.ssh(name, "systemctl stop echo 2>/dev/null; cat >/run/echo.py <<'END'\n" + ECHO +
                     "END\nsystemd-run -q --unit echo python3 /run/echo.py")

    def silent_pairs(self, *names: str) -> list[str]:
        """Pairs that do not answer each other, by TCP and UDP, IPv4 and IPv6, in the mesh."""
        ips = {name: [record["ipv4"], record["ipv6"]] for name in names for record in [self.record(name)]}
        asked = {name: self.started(name, ASK, *(ip for other in names if other != name for ip in ips[other])) for name in names}
        return [f"{name}: {line}" for name, one in asked.items() for line in one.wait().splitlines()]


class Running:
    """A program that runs on a host."""

    def __init__(self, name: str, process: subprocess.Popen[str], script: str) -> None:
        self._name, self._process, self._script = name, process, script
        assert process.stdin
        process.stdin.write(script)
        process.stdin.close()
        process.stdin = None

    def wait(self, check: bool = True, timeout: float = 90) -> str:
        out, err = self._process.communicate(timeout=timeout)
        if check and self._process.returncode:
            raise LabError(f"{self._name}: {self._script.strip().splitlines()[0][:80]}: exit {self._process.returncode}: {(err or out)[-1500:]}")
        return out


def changed(out: str) -> dict[str, int]:
    return {name: int(number) for name, number in re.findall(r"(?m)^(\S+)\s+: ok=\d+\s+changed=(\d+)", out)}


TRACES = ("ls -d /etc/hybridops-fleet/mesh /etc/systemd/system/*mesh* /etc/systemd/system/*/*mesh* 2>/dev/null; ip -o link show fleet0 2>/dev/null; "
          "pgrep wireguard; true")
BOOTED = "cat /proc/sys/kernel/random/boot_id; cut -d' ' -f22 /proc/1/stat"
CLOUD = ("mesh-g1", "mesh-g2", "mesh-a1")
ALL = (*CLOUD, "m1")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("mesh"))
    nodes = ["-e", f"@{CHECKOUT / 'inventories/lab/requirements/mesh.yml'}"]
    made.machines("m1", "m2", fresh=True)
    made.play("provision.yml", *nodes)
    yield made
    made.play("deprovision.yml", *nodes)
    made.rack.write(())


def test_check_mode_changes_nothing(world: World) -> None:
    world.mesh("--check", "--diff")
    assert world.ssh("m1", TRACES) == ""


def test_two_clouds_behind_nat_and_metal_reach_each_other_by_both_families(world: World) -> None:
    world.mesh()
    world.echo(*ALL)
    assert world.silent_pairs(*ALL) == []
    ends = {name: {peer["name"]: peer["endpoint"] for peer in world.record(name)["peers"]} for name in ALL}
    public = {name: world.variables_once()[name]["fleet_public_ipv4"] for name in ALL}
    inner = world.variables_once()["mesh-g2"]["fleet_private_ipv4"]
    assert ends["mesh-g1"] == {"mesh-g2": f"{inner}:51820", "mesh-a1": f"{public['mesh-a1']}:51820", "m1": f"{public['m1']}:51820"}
    assert world.record("m1")["peers"][0]["keepalive"] == 0
    assert {peer["name"]: peer["keepalive"] for peer in world.record("mesh-g1")["peers"]} == {"mesh-g2": 0, "mesh-a1": 25, "m1": 25}


def test_a_second_run_changes_nothing(world: World) -> None:
    before = {name: world.process(name) for name in ALL}
    out = world.mesh()
    assert set(changed(out).values()) == {0}, out[-2000:]
    assert {name: world.process(name) for name in ALL} == before
    assert "Every member probes all others" not in out


def test_no_key_leaves_its_node(world: World) -> None:
    out = world.mesh("-vvv", "--diff")
    for name in ALL:
        secret = world.ssh(name, "cat /etc/hybridops-fleet/mesh/private.key").strip()
        assert len(secret) == 44
        assert secret not in out
        assert world.ssh(name, "stat -c %a:%U /etc/hybridops-fleet/mesh /etc/hybridops-fleet/mesh/private.key /etc/hybridops-fleet/mesh/fleet0.conf"
                         ).split() == ["700:root", "600:root", "600:root"]


def test_packets_as_large_as_the_mtu_pass_and_larger_ones_are_told_to_be_too_large(world: World) -> None:
    mtu = world.record("m1")["mtu"]
    ips = [world.record(name)["ipv4"] for name in CLOUD]
    for ip in ips:
        assert "1 received" in world.ssh("m1", f"ping -c 1 -W 3 -M do -s {mtu - 28} {ip}")
        assert "message too long" in world.ssh("m1", f"ping -c 1 -W 3 -M do -s {mtu - 27} {ip} 2>&1 | cat")


def test_a_member_comes_and_a_session_of_others_goes_on(world: World) -> None:
    before = {name: world.process(name) for name in ALL}
    ips = {name: world.record(name)["ipv4"] for name in ALL}
    with world.session("mesh-g1", "m1"):
        world.mesh(hosts="role_mesh:m1:m2")
    assert {name: world.process(name) for name in ALL} == before
    assert {name: world.record(name)["ipv4"] for name in ALL} == ips
    world.echo("m2")
    assert world.silent_pairs(*ALL, "m2") == []


def test_a_part_of_the_members_is_refused(world: World) -> None:
    out = world.mesh("--limit", "m1:m2", hosts="role_mesh:m1:m2", ok=False)
    assert "would be left out" in out and "mesh-a1" in out


def test_keys_are_made_anew_and_all_go_on(world: World) -> None:
    names = (*ALL, "m2")
    before = {name: world.record(name)["public_key"] for name in names}
    processes = {name: world.process(name) for name in names}
    with world.session("mesh-a1", "m1"):
        world.mesh("-e", "mesh_rotate_key=true", hosts="role_mesh:m1:m2")
    assert all(world.record(name)["public_key"] != before[name] for name in names)
    assert {name: world.process(name) for name in names} == processes
    assert world.silent_pairs(*names) == []
    assert set(changed(world.mesh(hosts="role_mesh:m1:m2")).values()) == {0}


def test_a_member_leaves_and_nothing_is_left_of_it(world: World) -> None:
    before = {name: world.process(name) for name in ALL}
    world.mesh("-e", json.dumps({"fleet_cluster_removed": ["m2"]}), hosts="role_mesh:m1:m2")
    assert world.ssh("m2", TRACES) == ""
    assert all("m2" not in {peer["name"] for peer in world.record(name)["peers"]} for name in ALL)
    assert len(world.ssh("m1", "wg show fleet0 peers").split()) == 3
    assert {name: world.process(name) for name in ALL} == before
    assert world.silent_pairs(*ALL) == []


def test_a_pair_that_a_rule_cuts_is_named_and_nothing_changes(world: World) -> None:
    cut = world.variables_once()["mesh-a1"]["fleet_public_ipv4"]
    world.ssh("m2", f"nft 'add table inet cut; add chain inet cut in {{ type filter hook input priority -10; }}; "
                    f"add rule inet cut in ip saddr {cut} udp dport 51820 drop'")
    try:
        out = world.mesh(hosts="role_mesh:m1:m2", ok=False)
        assert "mesh-a1 cannot reach m2 on udp 51820" in out and "mesh-g1" not in re.findall(r"preflight: .*", out)[0]
        assert cut in re.findall(r"Let udp 51820 in to m2 from ([0-9.]+)", out)
        assert "m2" not in {peer["name"] for peer in world.record("m1")["peers"]}
    finally:
        world.ssh("m2", "nft delete table inet cut")
    world.mesh(hosts="role_mesh:m1:m2")
    world.echo("m2")
    assert world.silent_pairs(*ALL, "m2") == []


def test_it_comes_back_after_a_reboot_and_when_its_program_dies(world: World) -> None:
    names = (*ALL, "m2")
    machine = next(one for one in world.rack.machines if one.name == "m2")
    boot = world.ssh("m2", BOOTED)
    world.ssh("m2", "systemd-run -q --on-active=1 systemctl reboot")
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        time.sleep(2)
        try:
            if world.ssh("m2", BOOTED, timeout=20) != boot and world.rack.container(machine).ready():
                break
        except (LabError, subprocess.TimeoutExpired):
            continue
    world.echo("m2")
    world.ssh("m1", "pkill -KILL -x wireguard-go; sleep 6")
    world.echo("m1")
    assert world.silent_pairs(*names) == []
    assert set(changed(world.mesh(hosts="role_mesh:m1:m2")).values()) == {0}


def test_the_firewall_lets_the_mesh_pass_and_strangers_out(world: World) -> None:
    names = (*ALL, "m2")
    hosts = "role_mesh:m1:m2"
    world.play("harden.yml", "-e", f"fleet_hardening_hosts={hosts}", "--tags", "firewall", "-e", f"fleet_hardening_report={world.folder / 'report'}")
    assert world.silent_pairs(*names) == []
    rules = world.ssh("m1", "nft list table inet hybridops_fleet")
    assert "udp dport 51820" in rules
    sources = {str(ip) for line in rules.splitlines() if "udp dport 51820" in line for text in re.findall(r"\d+\.\d+\.\d+\.\d+(?:/\d+)?", line)
               for ip in ipaddress.ip_network(text)}
    assert sources == {str(world.variables_once()[name]["fleet_public_ipv4"]) for name in CLOUD} | {"10.74.0.32"}
    assert set(changed(world.mesh(hosts=hosts)).values()) == {0}
    world.machines("m1", "m2", "m3")
    out = world.mesh(hosts=f"{hosts}:m3", ok=False)
    assert "m3 cannot reach m1 on udp 51820 (nothing comes through the mesh" in out and "mesh_firewall: true" in out
    world.mesh("-e", "mesh_firewall=true", hosts=f"{hosts}:m3")
    world.echo("m3")
    assert world.silent_pairs(*names, "m3") == []
