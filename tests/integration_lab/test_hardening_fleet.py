# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""playbooks/harden.yml on a mixed fleet: Debian 11, 12 and 13 made on two clouds, and a rack's machines, hardened together and brought back.

Needs a lab with google, amazon, metal, hosts and all three releases: ``python3 tests/run.py --only hardening`` (as root).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "tests" / "lab"))

from fleetlab.core import Lab  # noqa: E402
from fleetlab.hosts import image  # noqa: E402

LAB = Lab(Path(os.environ.get("FLEET_LAB_STATE", CHECKOUT / ".lab")).resolve())
NEEDED = {"gce", "ec2", "metal", "hosts"}
pytestmark = [
    pytest.mark.skipif(not set(LAB.state()["endpoints"]) >= NEEDED, reason="no lab with google, amazon, metal and hosts runs"),
    pytest.mark.skipif(
        set(image.suites(os.environ.get("FLEET_LAB_SUITES"))) != set(image.SUITES), reason="FLEET_LAB_SUITES does not name all three releases")]
FLEET = """
plugin: hybridops.fleet.nodes
clouds:
  amazon: {provider: aws, profile: lab, regions: [us-east-1]}
  google: {provider: gce, projects: [acme-prod]}
  metal:
    provider: metal
    sources: [{kind: file, path: "{{ lookup('ansible.builtin.env', 'FLEET_LAB_RACK') }}"}]
keyed_groups: [{prefix: role, key: fleet_tags.role}]
"""


def play(fleet: Path, folder: Path, book: str, *words: str) -> str:
    """A playbook of the collection, as the lab's controller."""
    lab = [sys.executable, str(CHECKOUT / "tests" / "lab"), "--state", str(LAB.root), "exec"]
    environment = {**os.environ, "FLEET_LAB_FLEET": str(fleet), "ANSIBLE_HOST_KEY_CHECKING": "0", "ANSIBLE_PIPELINING": "1", "ANSIBLE_NOCOLOR": "1"}
    command = [*lab, "ansible-playbook", "-i", str(fleet), str(CHECKOUT / "playbooks" / book), *words]
    done = subprocess.run(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=900, check=False)
    failures = [line[:700] for line in done.stdout.splitlines() if re.match(r"fatal|\[ERROR|\[WARNING|.*failed=[1-9]", line)]
    assert done.returncode == 0, "\n".join(failures) or done.stdout[-3000:]
    return done.stdout


def test_a_mixed_fleet_is_hardened_reached_reported_and_brought_back(tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.nodes.yml"
    fleet.write_text(FLEET, encoding="utf-8")
    machine = {"ansible_ssh_private_key_file": str(LAB.run / "keys" / "install"), "ssh_hardening_root_login": "prohibit-password"}
    (tmp_path / "host_vars").mkdir()
    (tmp_path / "host_vars" / "r42-u01.json").write_text(json.dumps(machine), encoding="utf-8")  # its installer's key opens root
    nodes = ["-e", f"@{CHECKOUT / 'inventories/lab/requirements/hardening.yml'}"]
    play(fleet, tmp_path, "provision.yml", *nodes)
    try:
        _harden(fleet, tmp_path)
    finally:
        play(fleet, tmp_path, "deprovision.yml", *nodes)


def _harden(fleet: Path, folder: Path) -> None:
    key = LAB.run / "keys" / "fleet"
    on = ["-e", "fleet_hardening_hosts=role_hardening:r42-u01", "--private-key", str(key)]
    strict = [*on, "-e", "fleet_hardening_profile=strict", "-e", f"fleet_hardening_report={folder / 'report'}"]
    play(fleet, folder, "harden.yml", *strict)
    again = play(fleet, folder, "harden.yml", *strict)
    assert not re.findall(r"changed=[1-9]\d*", again), "a second run changes something"
    reports = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in (folder / "report").glob("*.json")}
    page = (folder / "report" / "index.html").read_text(encoding="utf-8")
    assert len(reports) == 6 and all(name in page for name in reports), sorted(reports)
    assert not re.search(r"(?:src|href)=[\"']https?:", page), "the page needs the network"
    play(fleet, folder, "harden.yml", *on, "-e", "fleet_hardening_state=absent")
    play(fleet, folder, "ping.yml", "--private-key", str(key), "-e", "ping_hosts=role_hardening:r42-u01")
