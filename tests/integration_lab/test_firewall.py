# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Role firewall on hosts that really boot, with traffic: two machines of the lab's rack, seen by the inventory plugin as in every fleet.

Needs a lab with its metal and hosts (``tests/lab up --only metal --hosts``) in FLEET_LAB_STATE. r42-u01 has a public network, both families, and the
rack's private one; r42-u02 is on the private one only.
"""
from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

STATE = Path(os.environ.get("FLEET_LAB_STATE", "/nowhere"))
KEY = STATE / "run/keys/install"
READY = (STATE / "run/hosts/ready").exists() and (STATE / "run/racks/r42.yml").exists()
pytestmark = pytest.mark.skipif(not READY, reason="needs a rack of booted hosts: python3 tests/run.py --only firewall, as root on Linux")

EXEC = [sys.executable, str(Path(__file__).resolve().parents[1] / "lab"), "--state", str(STATE), "exec"]
TREE = next((parent.parent for parent in Path(__file__).parents if parent.name == "ansible_collections"), None) or os.environ.get(
    "ANSIBLE_COLLECTIONS_PATH", "")
OPTIONS = ["-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=4", "-o",
           "BatchMode=yes"]
ADDRESS, ADDRESS6, INSIDE, MEMBER = "198.51.100.21", "2001:db8:42::21", "10.42.0.21", "10.42.0.22"
CONTROLLERS = ["192.0.2.0/24", "198.51.100.0/24", "2001:db8::/32"]
BOOK = """
- hosts: r42-u01
  gather_facts: false
  become: true
  pre_tasks: {before}
  roles: [{{role: hybridops.fleet.firewall}}]
"""
LOOK = """nft list ruleset
find /etc /var/lib/hybridops-fleet -xdev ! -type d ! -path '/etc/.*' 2>/dev/null | sort | xargs -d '\\n' sha256sum 2>/dev/null
systemctl is-enabled nftables hybridops-fleet-firewall 2>&1; systemctl is-active nftables hybridops-fleet-firewall; true"""


def ssh(script: str, *options: str, check: bool = True, address: str = ADDRESS) -> str:
    done = subprocess.run([*EXEC, "ssh", "-i", str(KEY), *OPTIONS, *options, f"root@{address}", "sh -s"], input=script,
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 or not check, done.stderr + done.stdout
    return done.stdout


def member(script: str) -> str:
    """On r42-u02, which is reached by r42-u01 only."""
    jump = f"ProxyCommand=ssh -i {KEY} {' '.join(OPTIONS)} -W %h:%p root@{ADDRESS}"
    return ssh(script, "-o", jump, address=MEMBER)


def reaches(address: str, port: int, *, from_member: bool = False) -> bool:
    """Whether a TCP connection is answered, be it by a refusal of the host itself."""
    script = ("import socket\n"
              f"try:\n    socket.create_connection(('{address}', {port}), 2)\n    print('open')\n"
              "except ConnectionRefusedError:\n    print('open')\nexcept OSError:\n    print('closed')\n")
    if from_member:
        return member(f"python3 - <<'END'\n{script}END\n") == "open\n"
    return subprocess.run([*EXEC, sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "open\n"


def play(folder: Path, *words: str, ok: bool = True, before: str = "[]", **variables: Any) -> str:
    (folder / "rack.yml").write_text(json.dumps({"plugin": "hybridops.fleet.nodes", "clouds": {"metal": {
        "provider": "metal", "sources": [{"kind": "file", "path": str(STATE / "run/racks/r42.yml")}]}}}))
    (folder / "play.yml").write_text(BOOK.format(before=before))
    given = {"firewall_members": ["r42-u02"], "firewall_ssh_from": CONTROLLERS, "firewall_switch_seconds": 20,
             "ansible_ssh_private_key_file": str(KEY),
             "fleet_firewall_rules": [{"name": "web", "port": 80, "role": "public"}], "ansible_python_interpreter": "/usr/bin/python3",
             "ansible_ssh_extra_args": " ".join(OPTIONS), **variables}
    (folder / "vars.json").write_text(json.dumps(given))
    environment = {**os.environ, "HOME": str(folder), "ANSIBLE_HOME": str(folder / ".ansible"), "ANSIBLE_COLLECTIONS_PATH": str(TREE),
                   "LC_ALL": "C.UTF-8",
                   "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_HOST_KEY_CHECKING": "0", "ANSIBLE_PIPELINING": "1"}
    done = subprocess.run([*EXEC, str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(folder / "rack.yml"), str(folder / "play.yml"),
                           "-e", f"@{folder / 'vars.json'}", *words], capture_output=True, text=True, timeout=240, check=False, env=environment)
    out = done.stdout + done.stderr
    assert (done.returncode == 0) is ok, out
    assert "Traceback" not in out
    return out


def changed(out: str) -> int:
    found = re.search(r"changed=(\d+)", out)
    assert found, out
    return int(found[1])


@pytest.fixture(scope="session")
def booted() -> None:
    """Both machines answer; a lab that came up a moment ago is still booting them."""
    ends = time.monotonic() + 180
    for look in (lambda: ssh("echo up", check=False), lambda: member("echo up")):
        while True:
            try:
                assert look() == "up\n"
                break
            except AssertionError:
                assert time.monotonic() < ends, "the rack's machines do not let the install key in"
                time.sleep(1)


@pytest.fixture
def folder(booted: None, tmp_path: Path) -> Iterator[Path]:
    """A host as it was before: no firewall, and neither is one left behind."""
    if "record.jsonl" in ssh("ls /var/lib/hybridops-fleet/hardening/firewall 2>/dev/null; true"):
        play(tmp_path, firewall_state="absent")
    ssh("systemctl disable -q --now nftables; nft flush ruleset")
    yield tmp_path
    play(tmp_path, firewall_state="absent")


def test_the_role_from_check_to_restore(folder: Path) -> None:
    ssh("nft 'add table ip docker_like; add chain ip docker_like FORWARD { type filter hook forward priority 0; policy drop; }'")
    before = ssh(LOOK)
    check = play(folder, "--check", "--diff")
    assert ssh(LOOK) == before
    assert "+table inet hybridops_fleet {" in check
    assert changed(play(folder)) == changed(check) == 1
    assert changed(play(folder)) == 0

    assert reaches(ADDRESS, 22) and reaches(ADDRESS6, 22) and reaches(ADDRESS, 80) and reaches(ADDRESS6, 80)
    assert not reaches(ADDRESS, 8081) and not reaches(ADDRESS6, 8081)
    assert reaches(INSIDE, 8081, from_member=True)
    assert "docker_like" in ssh("nft list tables")

    ssh("nft add rule inet hybridops_fleet input accept")
    assert reaches(ADDRESS, 8081)
    assert changed(play(folder)) == 1
    assert not reaches(ADDRESS, 8081)

    assert changed(play(folder, firewall_members=[])) == 1
    assert not reaches(ADDRESS, 8081)
    assert changed(play(folder, firewall_state="absent")) == 1
    assert ssh(LOOK) == before


def test_it_lives_through_boots_and_through_what_empties_the_ruleset(folder: Path) -> None:
    play(folder)
    ssh("systemctl restart nftables; systemctl reload nftables")  # Debian's file begins with 'flush ruleset'
    assert "hybridops_fleet" in ssh("nft list tables") and not reaches(ADDRESS, 8081)
    ssh("systemctl stop nftables")
    assert "hybridops_fleet" in ssh("nft list tables")
    ssh("nft flush ruleset; systemctl restart hybridops-fleet-firewall")
    assert "hybridops_fleet" in ssh("nft list tables")
    assert ssh("systemctl is-enabled hybridops-fleet-firewall; systemd-analyze verify hybridops-fleet-firewall.service 2>&1") == "enabled\n"
    assert "Before=network-pre.target" in ssh("systemctl cat hybridops-fleet-firewall")


def test_the_service_of_nftables_takes_nobodys_tables_away(folder: Path) -> None:
    ssh("nft 'add table ip docker_like; add chain ip docker_like FORWARD { type filter hook forward priority 0; policy accept; }'")
    play(folder, firewall_profile="strict")
    ssh("systemctl restart nftables; systemctl reload nftables; systemctl stop nftables; systemctl start nftables")
    assert ssh("nft list tables") == "table ip docker_like\ntable inet hybridops_fleet\n" and ssh("systemctl is-active nftables") == "active\n"
    assert changed(play(folder, firewall_profile="strict")) == 0
    play(folder, firewall_state="absent")
    left = ssh("nft list tables; systemctl is-enabled nftables; systemctl is-active nftables", check=False)
    assert left == "table ip docker_like\ndisabled\ninactive\n"


@pytest.mark.parametrize(("variables", "word"), [
    ({"firewall_ssh_from": ["203.0.113.0/24"]}, "would not be let in again"),
    ({"firewall_ssh_ports": [2222]}, "Add 22 to firewall_ssh_ports"),
    ({"firewall_ssh_on": "private"}, "firewall_ssh_on"),
    ({"firewall_ssh_from": ["nobody"]}, "'nobody' is neither"),
    ({"fleet_firewall_rules": [{"name": "x", "port": 80, "last_port": 70}]}, "last_port 70 is below port 80"),
    ({"fleet_firewall_rules": [{"name": "x", "protocol": "icmp", "from": ["2001:db8::/64"]}]}, "icmp goes over IPv4"),
])
def test_refused_before_anything_changes(folder: Path, variables: dict[str, Any], word: str) -> None:
    before = ssh(LOOK)
    assert word in play(folder, ok=False, **variables)
    assert ssh(LOOK) == before


def test_another_firewall_is_refused(folder: Path) -> None:
    ssh("mkdir -p /etc/ufw; echo ENABLED=yes >/etc/ufw/ufw.conf")
    try:
        assert "firewall_take_over: true" in play(folder, ok=False)
        assert "hybridops_fleet" not in ssh("nft list tables")
    finally:
        ssh("rm /etc/ufw/ufw.conf")


def test_rules_that_nobody_confirms_go_back_by_themselves(folder: Path) -> None:
    """Something else cuts new connections in that very moment: the host cannot know, and goes back."""
    before = ssh(LOOK)
    # no timer of systemd ends it: those begin anew with each daemon-reload
    cut = ("printf 'table inet cut { chain input { type filter hook input priority -20; tcp dport 22 ct state new drop; }; }' >/run/cut.nft; "
           "setsid sh -c 'until nft list table inet hybridops_fleet; do sleep 0.1; done; nft -f /run/cut.nft; sleep 60; nft delete table inet cut' "
           "</dev/null >/dev/null 2>&1 &")
    out = play(folder, ok=False, before=json.dumps([{"ansible.builtin.shell": cut}]))
    assert "does not succeed within 20 s" in out and "is as it was before" in out
    ends = time.monotonic() + 120
    while not reaches(ADDRESS, 22):
        assert time.monotonic() < ends, "the host lets nobody in"
    kept = "/var/lib/hybridops-fleet"  # the record of what was before stays until a restore
    assert [line for line in ssh(LOOK).splitlines() if kept not in line] == before.splitlines()
    assert changed(play(folder)) == 1
    assert not reaches(ADDRESS, 8081)


def test_an_open_session_outlives_being_shut_out(folder: Path) -> None:
    play(folder)
    session = subprocess.Popen([*EXEC, "ssh", "-i", str(KEY), *OPTIONS, f"root@{ADDRESS}", "cat"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    assert session.stdin and session.stdout
    try:
        play(folder, ansible_host=ADDRESS6, firewall_ssh_from=["2001:db8::/32"], firewall_controls={"log": False})
        assert not reaches(ADDRESS, 22) and reaches(ADDRESS6, 22)
        session.stdin.write("still here\n")
        session.stdin.flush()
        assert select.select([session.stdout], [], [], 10)[0] and session.stdout.readline() == "still here\n"
    finally:
        session.kill()
        session.wait()
        play(folder, ansible_host=ADDRESS6, firewall_state="absent")
