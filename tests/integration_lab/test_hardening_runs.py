# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""All three hardening roles in one run, on fresh Debian hosts of each release that the lab has, and on hosts on which Docker works.

Check mode says what the run then does; a second run changes nothing; who could log in can; Docker's published port and IPv6 ssh stay; a
restore brings every file, setting and unit back. Needs a running lab with hosts: ``python3 tests/run.py --only hardening`` (as root).

What a lab host cannot show, as it has no kernel of its own: that audit rules, AppArmor profiles and forbidden kernel modules bite. Their files
are compared; kernel.*, vm.* and fs.* settings are files of the host.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hardened import CHECKOUT, LAB, LOOK, RUNNING, differences

sys.path.insert(0, str(CHECKOUT / "tests" / "lab"))

from fleetlab.hosts import docker, image
from fleetlab.hosts.endpoint import inside
from fleetlab.hosts.fresh import Machine, Rack

SUITES = image.suites(os.environ.get("FLEET_LAB_SUITES"))
pytestmark = pytest.mark.skipif(not RUNNING, reason="there is no running lab with hosts: tests/lab up --only metal --hosts")
TREE = next((parent.parent for parent in Path(__file__).parents if parent.name == "ansible_collections"), None) or os.environ.get(
    "ANSIBLE_COLLECTIONS_PATH", "")
AREAS = ("os", "ssh", "firewall")
ROLES = {"os": "os_hardening", "ssh": "ssh_hardening", "firewall": "firewall"}


class Play:
    """Runs of Ansible against machines of a rack file."""

    def __init__(self, folder: Path, rack: Rack) -> None:
        self.folder, self.rack = folder, rack

    def run(self, machine: Machine, tasks: str, *words: str, ok: bool = True, **variables: Any) -> str:
        inventory, book = self.folder / "inventory.json", self.folder / "play.yml"
        host = {**self.rack.variables(machine), **variables}
        inventory.write_text(json.dumps({"all": {"hosts": {machine.name: host}}}), encoding="utf-8")
        book.write_text(f"- hosts: all\n  gather_facts: false\n  become: true\n  tasks:\n{tasks}", encoding="utf-8")
        environment = {
            **os.environ, "HOME": str(self.folder), "ANSIBLE_COLLECTIONS_PATH": str(TREE), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_HOME": str(self.folder / ".ansible"), "ANSIBLE_HOST_KEY_CHECKING": "0", "LC_ALL": "C.UTF-8"}
        program = Path(sys.executable).with_name("ansible-playbook")
        done = subprocess.run([*inside(LAB), str(program), "-i", str(inventory), str(book), *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=400, env=environment, check=False)
        (self.folder / "out").write_text(done.stdout, encoding="utf-8")
        assert (done.returncode == 0) is ok, "\n".join(line[:600] for line in done.stdout.splitlines() if re.match(r"fatal|\[ERROR|TASK", line))
        assert "Traceback" not in done.stdout
        return done.stdout

    def harden(self, machine: Machine, *words: str, **variables: Any) -> dict[str, dict[str, Any]]:
        """All roles; returns the row of each control, by area."""
        told = self.folder / "told"
        told.mkdir(exist_ok=True)
        for old in told.glob("*.json"):
            old.unlink()
        tasks = "".join(f"    - ansible.builtin.include_role: {{name: hybridops.fleet.{role}}}\n" for role in ROLES.values())
        tasks += "".join(
            f"    - ansible.builtin.copy: {{content: \"{{{{ {result}.report | to_json }}}}\", dest: {told}/{area}.json}}\n"
            "      delegate_to: localhost\n      become: false\n      check_mode: false\n      changed_when: false\n"
            for area, result in (("os", "os_hardening_done"), ("ssh", "ssh_hardening_done"), ("firewall", "firewall_done")))
        out = self.run(machine, tasks, *words, **variables)
        self.changed = int(re.search(r"changed=(\d+)", out).group(1))  # type: ignore[union-attr]
        return {area: {row["control"]: row for row in json.loads((told / f"{area}.json").read_text())} for area in AREAS}


@pytest.fixture(scope="module")
def rack() -> Iterator[Rack]:
    """For each release a fresh host, and one on which Docker works and the packages of the roles are there already."""
    made = Rack(LAB, "runs")
    machines = []
    for number, suite in enumerate(SUITES):
        machines += [Machine(f"fresh-{suite}", suite, 11 + 2 * number), Machine(f"docker-{suite}", suite, 12 + 2 * number)]
    made.renew(machines)
    for machine in machines:
        if machine.name.startswith("docker"):
            made.root(machine, docker.SCRIPT)
        made.ssh(machine, "sudo -n true")  # which leaves its own mark in the account's home at its first use
    yield made
    made.write(())


@pytest.fixture
def play(tmp_path: Path, rack: Rack) -> Play:
    return Play(tmp_path, rack)


def machine(rack: Rack, kind: str, suite: str) -> Machine:
    return next(found for found in rack.machines if found.name == f"{kind}-{suite}")


STRICT = {"fleet_hardening_profile": "strict", "hardening_profile": "strict", "ssh_hardening_profile": "strict", "firewall_profile": "strict"}


@pytest.mark.parametrize("suite", SUITES)
def test_check_mode_tells_what_the_run_does_and_a_second_run_does_nothing(rack: Rack, play: Play, suite: str) -> None:
    host = machine(rack, "fresh", suite)
    before = rack.root(host, LOOK).stdout
    predicted = play.harden(host, "--check", "--diff", **STRICT)
    touched = differences(before.splitlines(), rack.root(host, LOOK).stdout.splitlines())
    assert not touched, f"check mode changed something: {touched}"
    done = play.harden(host, **STRICT)
    _foretold(predicted, done)
    assert all(any(row["status"] == "changed" for row in rows.values()) for rows in done.values()), "an area changed nothing on a fresh host"
    again = play.harden(host, **STRICT)
    assert play.changed == 0, [name for rows in again.values() for name, row in rows.items() if row["status"] == "changed"]
    for address in (host.ipv4, host.ipv6):
        assert "0" in rack.ssh(host, "sudo -n id -u", address=address).stdout, f"nobody gets in over {address}"


@pytest.mark.parametrize("suite", SUITES)
def test_docker_goes_on_and_a_restore_brings_all_back(rack: Rack, play: Play, suite: str) -> None:
    host = machine(rack, "docker", suite)
    _have_packages(rack, play, host)
    before = rack.root(host, LOOK).stdout.splitlines()
    assert _page(host) == "served"
    strict = {**STRICT, "fleet_firewall_rules": [{"name": "web", "port": 8080}]}
    foretold = play.harden(host, "--check", "--diff", **strict)
    assert not differences(before, rack.root(host, LOOK).stdout.splitlines()), "check mode changed something"
    _foretold(foretold, play.harden(host, **strict))
    assert _page(host) == "served", "the published port is shut"
    _reach_out(rack, host)
    assert "served" in rack.root(host, "systemctl restart docker && sleep 2 && curl -s --max-time 5 http://127.0.0.1:8080/page").stdout
    assert _page(host) == "served", "the published port is shut once Docker has been restarted"
    _reach_out(rack, host)
    play.harden(host, **strict)
    assert play.changed == 0, "a second run changes something beside Docker"
    assert rack.root(host, "cat /proc/sys/net/ipv4/ip_forward").stdout.strip() == "1"
    assert "0" in rack.ssh(host, "sudo -n id -u", address=host.ipv6).stdout, "ssh over IPv6 is shut"
    include = "    - ansible.builtin.include_role: {{name: hybridops.fleet.{}, tasks_from: restore}}\n"
    play.run(host, "".join(include.format(role) for role in reversed(ROLES.values())))
    after = rack.root(host, LOOK).stdout.splitlines()
    assert not differences(before, after), f"after the restore {differences(before, after)}"
    _reach_out(rack, host)
    assert _page(host) == "served"


def _have_packages(rack: Rack, play: Play, host: Machine) -> None:
    """What the roles would install: a restore leaves packages, whose own files are not what is compared here."""
    tasks = ("    - ansible.builtin.include_role: {name: hybridops.fleet.os_hardening}\n"
             "    - ansible.builtin.debug: {msg: \"WANTED {{ os_hardening_plan.packages.present | join(' ') }} END\"}\n")
    out = play.run(host, tasks, "--check", **STRICT)
    wanted = re.search(r"WANTED (.*?) END", out).group(1)  # type: ignore[union-attr]
    rack.root(host, f"apt-get -qq update; apt-get install -y -qq --no-install-recommends {wanted} >/dev/null" if wanted.strip() else "true")


def _foretold(predicted: dict[str, dict[str, Any]], done: dict[str, dict[str, Any]]) -> None:
    """Check mode told the very items that the run then changed. What a package brings is told with words of its own before it is there."""
    for area in AREAS:
        would = {(name, item) for name, row in predicted[area].items() if row["status"] == "would_change" for item in row["details"]}
        did = {(name, item) for name, row in done[area].items() if row["status"] == "changed" for item in row["details"]}
        coming = {name for name, item in would if "after its package is installed" in item}
        assert {name for name, _item in would} == {name for name, _item in did}, f"{area}: {sorted(would ^ did)}"
        differ = sorted((name, item) for name, item in would ^ did if name not in coming)
        assert not differ, f"{area}: told and done differ: " + "; ".join(f"{'foretold' if pair in would else 'done'}: {pair}" for pair in differ)


def _reach_out(rack: Rack, host: Machine) -> None:
    """A container reaches the controller, which refuses at that port; what is dropped on the way is not refused."""
    out = rack.root(host, "timeout 6 docker exec web busybox wget -O - http://192.0.2.1:9/ 2>&1 || true").stdout
    assert "refused" in out, f"a container does not get out: {out}"


def _page(host: Machine) -> str:
    """The container's page as somebody outside gets it."""
    command = [*inside(LAB), "curl", "-s", "--max-time", "8", f"http://{host.ipv4}:8080/page"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()
