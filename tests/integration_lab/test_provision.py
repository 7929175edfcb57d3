# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The whole way on booted hosts: two nodes on every cloud of the lab, reached by the fleet's key, and gone without a trace."""
from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
import yaml
from lab_commands import ROOT, lab_environment, running_lab

INVENTORY = ["-i", "inventories/lab/fleet.yml"]
NODES = "inventories/lab/requirements/two_on_each.yml"
EXEC = [sys.executable, "tests/lab", "exec"]


@pytest.fixture(scope="module")
def lab() -> dict[str, str]:
    if "hosts" not in running_lab().state()["endpoints"]:
        pytest.skip("needs booted hosts: python3 tests/lab up --hosts, as root on Linux")
    return {**lab_environment(), "ANSIBLE_FORKS": "20", "FLEET_LAB_STATE": str(running_lab().root)}


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The fleet's key and the variables of a run."""
    folder = tmp_path_factory.mktemp("operator")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "fleet")], check=True)
    return {
        "access_authorized_keys": [(folder / "fleet.pub").read_text(encoding="utf-8").strip()],
        "access_private_key_file": str(folder / "fleet"), "access_known_hosts": str(folder / "known_hosts"),
        "allocate_key_dir": str(folder / "node_keys"),
    }


def play(lab: dict[str, str], book: str, variables: dict[str, Any], *more: str) -> subprocess.CompletedProcess[str]:
    words = [*EXEC, "ansible-playbook", *INVENTORY, f"playbooks/{book}.yml", "-e", f"@{NODES}", "-e", json.dumps(variables), *more]
    return subprocess.run(words, cwd=ROOT, env=lab, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def good(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout


def fleet(lab: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Host variables by inventory name, as the controller sees them."""
    done = subprocess.run([*EXEC, "ansible-inventory", *INVENTORY, "--list"], cwd=ROOT, env=lab, capture_output=True, text=True, check=True)
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)["_meta"]["hostvars"]
    return found


def belongings(lab: dict[str, str]) -> set[str]:
    """Everything nodes could leave behind in the APIs, asked by the clouds' own tools."""
    script = ROOT / "tests" / "integration_lab" / "api_listing.py"
    done = subprocess.run([sys.executable, str(script)], cwd=ROOT, env=lab, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return set(json.loads(done.stdout))


def wanted() -> list[tuple[str, str]]:
    document = yaml.safe_load((ROOT / NODES).read_text(encoding="utf-8"))
    return [(row["cloud"], row["name"]) for row in document["fleet_nodes"]]


@pytest.fixture(scope="module")
def before(lab: dict[str, str]) -> set[str]:
    return belongings(lab)


def test_two_nodes_on_every_cloud_are_made_and_opened_by_the_fleet_s_key(
        lab: dict[str, str], operator: dict[str, Any], before: set[str]) -> None:
    began = time.monotonic()
    good(play(lab, "provision", operator))
    print(f"\n{len(wanted())} nodes on {len({cloud for cloud, _name in wanted()})} clouds: {time.monotonic() - began:.0f} s")
    hosts = {(host["fleet_cloud"], host["fleet_name"]): name for name, host in fleet(lab).items()}
    assert set(wanted()) <= set(hosts)
    names = ",".join(hosts[place] for place in wanted())
    known = operator["access_known_hosts"]
    words = [*EXEC, "ansible", *INVENTORY, names, "-m", "ansible.builtin.command", "-a", "sudo -n id -u", "--private-key",
             operator["access_private_key_file"], f"--ssh-common-args=-o UserKnownHostsFile={known}.ping -o StrictHostKeyChecking=accept-new"]
    done = subprocess.run(words, cwd=ROOT, env=lab, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout[-6000:]
    assert len(re.findall(r"CHANGED", done.stdout)) == len(wanted())


def test_a_second_run_changes_nothing(lab: dict[str, str], operator: dict[str, Any]) -> None:
    began = time.monotonic()
    output = good(play(lab, "provision", operator))
    print(f"\nsecond run: {time.monotonic() - began:.0f} s")
    recap = output.partition("PLAY RECAP")[2]
    assert set(re.findall(r"changed=(\d+)", recap)) == {"0"}, recap


def test_the_end_leaves_every_api_as_it_was(lab: dict[str, str], operator: dict[str, Any], before: set[str]) -> None:
    good(play(lab, "deprovision", operator))
    left = belongings(lab)
    assert left - before == set()
    assert before - left == set()
    recap = good(play(lab, "deprovision", operator)).partition("PLAY RECAP")[2]
    assert "changed=0" in recap


def test_the_readme_s_commands_on_booted_hosts(lab: dict[str, str]) -> None:
    tour = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Five minutes")[2].partition("\n## ")[0]
    commands = re.findall(r"^python3 (tests/lab exec .*)$", tour, re.MULTILINE)
    assert len(commands) >= 2
    for command in commands:
        good(subprocess.run([sys.executable, *command.split()], cwd=ROOT, env=lab, capture_output=True, text=True, check=False,
                            stdin=subprocess.DEVNULL))


FEW = [{"cloud": "floating", "name": "kill-1", "image": {"distro": "debian"}, "flavor": {"vcpus": 1}},
       {"cloud": "google", "name": "kill-2", "image": {"distro": "debian"}, "flavor": {"vcpus": 1}},
       {"cloud": "amazon", "name": "kill-3", "image": {"distro": "debian"}, "flavor": {"vcpus": 1}}]


def test_a_controller_that_is_killed_goes_on_where_it_was(lab: dict[str, str], operator: dict[str, Any], before: set[str]) -> None:
    """Killed hard again and again, a little later each time, until a run comes through: one node each, nothing orphaned."""
    variables = {**operator, "fleet_nodes": FEW}
    words = [*EXEC, "ansible-playbook", *INVENTORY, "playbooks/provision.yml", "-e", f"@{NODES}", "-e", json.dumps(variables)]
    for seconds in (8, 14, 20, 28, 40):
        process = subprocess.Popen(words, cwd=ROOT, env=lab, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                                   start_new_session=True)
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    good(play(lab, "provision", variables))
    hosts = [(host["fleet_cloud"], host["fleet_name"]) for host in fleet(lab).values()]
    for row in FEW:
        assert hosts.count((row["cloud"], row["name"])) == 1
    good(play(lab, "deprovision", variables))
    assert belongings(lab) == before
