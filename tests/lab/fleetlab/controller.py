# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller of the lab: an Ansible with this collection and the clouds' libraries, and the tour of the README."""
from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from .core import CHECKOUT, Lab, LabError

NEWEST_CORE = {(3, 11): "2.19", (3, 12): "2.21", (3, 13): "2.21"}
"""Python -> the newest ansible-core that supports it as a controller."""


def ansible_core() -> str:
    """The ansible-core series for the Python that runs this. Raises LabError where there is none."""
    series = NEWEST_CORE.get(sys.version_info[:2])
    if not series:
        known = ", ".join(f"{major}.{minor}" for major, minor in NEWEST_CORE)
        raise LabError(f"Python {sys.version_info.major}.{sys.version_info.minor} is not supported; use one of {known}.")
    return series


def environment_with_ansible(lab: Lab, name: str, requirements: str, core: str) -> Path:
    """A virtual environment with that ansible-core and tests/requirements/<requirements>; returns its folder."""
    wanted = lab.cache / f"requirements-{name}.txt"
    wanted.parent.mkdir(parents=True, exist_ok=True)
    listed = (CHECKOUT / "tests" / "requirements" / requirements).read_text(encoding="utf-8")
    wanted.write_text(f"ansible-core=={core}.*\n{listed}", encoding="utf-8")
    return lab.venv(name, wanted)


def controller(lab: Lab) -> dict[str, str]:
    """Environment variables with which ansible commands find Ansible and the collection of this checkout."""
    folder = environment_with_ansible(lab, "controller", "runtime.txt", ansible_core())
    tree = lab.cache / "collections"
    place = tree / "ansible_collections" / "hybridops" / "fleet"
    if not place.is_symlink() or place.resolve() != CHECKOUT:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.symlink_to(CHECKOUT)
    return {
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "ANSIBLE_COLLECTIONS_PATH": str(tree),
        "ANSIBLE_LOCALHOST_WARNING": "false",
    }


def tour(lab: Lab, variables: Mapping[str, str]) -> None:
    """Show the fleet of the lab as an operator would: the graph, one host with its reasons, the table, JSON and a page."""
    environment = {**os.environ, **variables, **controller(lab)}
    report = lab.run / "report"
    report.mkdir(parents=True, exist_ok=True)
    inventory = ["-i", "inventories/lab/fleet.yml"]
    for command in (
        ["ansible-inventory", *inventory, "--graph"],
        ["ansible-playbook", *inventory, "playbooks/show.yml",
         "-e", f"show_json={report / 'fleet.json'}", "-e", f"show_html={report / 'fleet.html'}"],
    ):
        lab.say("$ " + " ".join(command))
        if subprocess.run(command, cwd=CHECKOUT, env=environment, stdin=subprocess.DEVNULL, check=False).returncode:
            raise LabError(f"{command[0]} failed; what it said stands above")
    relative = os.path.relpath(report, Path.cwd())
    lab.say(f"the same as JSON and as a page: {relative}/fleet.json, {relative}/fleet.html")
    if "hosts" in lab.state()["endpoints"]:
        _tour_of_hosts(lab, environment, inventory)


def _tour_of_hosts(lab: Lab, environment: Mapping[str, str], inventory: list[str]) -> None:
    """A node on each kind of infrastructure, through all eight steps, and all of them managed over SSH."""
    ssh = f"-o UserKnownHostsFile={lab.run / 'tour_known_hosts'} -o StrictHostKeyChecking=accept-new"
    inside = [sys.executable, str(CHECKOUT / "tests" / "lab"), "--state", str(lab.root), "exec"]
    for command in (
        ["ansible-playbook", *inventory, "playbooks/provision.yml", "-e", "@inventories/lab/requirements/tour.yml"],
        ["ansible", *inventory, "role_tour", "-m", "ansible.builtin.ping", "--private-key", environment["FLEET_LAB_KEY"], f"--ssh-common-args={ssh}"],
    ):
        lab.say("$ " + " ".join(command))
        if subprocess.run([*inside, *command], cwd=CHECKOUT, env=environment, stdin=subprocess.DEVNULL, check=False).returncode:
            raise LabError(f"{command[0]} failed; what it said stands above")
