# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lab's part "hosts": installs, starts and ends what stands behind the clouds' machines."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path

from ..controller import ansible_core, environment_with_ansible
from ..core import LAB_SOURCE, Endpoint, Lab, LabError
from . import base, image, inotify, netns
from .container import Container, cgroup_trees, remove_cgroup
from .place import Numbers, Place


def why_not() -> str | None:
    """The reason why this machine or user cannot have hosts; None when all is well."""
    if not sys.platform.startswith("linux"):
        return "real hosts need Linux"
    if os.geteuid() != 0:
        return "real hosts need root"
    if not Path("/sys/fs/cgroup").is_dir():
        return "real hosts need cgroups"
    return None


class Part(Endpoint):
    """Containers with systemd, and the network they are in."""

    name = "hosts"

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab)
        self.place = Place(lab.root)
        try:
            self.suites = image.suites(os.environ.get("FLEET_LAB_SUITES") or os.environ.get("FLEET_LAB_SUITE"))
        except ValueError as told:
            raise LabError(f"hosts: {told}") from None

    def prepare(self) -> None:
        """:raises LabError: where hosts are not possible."""
        reason = why_not()
        if reason:
            raise LabError(f"{reason}; without --hosts the lab has everything else")
        base.install_tools()
        for suite in self.suites:
            base.Images(self.lab.cache, self.lab.say).build(suite)

    def start(self) -> None:
        if any(child.name == self.name and child.alive for child in self.lab.children()):
            return
        self._make_keys()
        self.place.folder.mkdir(parents=True, exist_ok=True)
        ready = self.place.folder / "ready"
        ready.unlink(missing_ok=True)
        python = environment_with_ansible(self.lab, "controller", "runtime.txt", ansible_core()) / "bin/python"  # it reads rack files: YAML
        child = self.lab.start(
            self.name,
            [python, "-m", "fleetlab.hosts.daemon", "--state", self.lab.root, "--suites", ",".join(self.suites), "--boot",
             os.environ.get("FLEET_LAB_BOOT") or "*"],
            {"PYTHONPATH": str(LAB_SOURCE.parent), "PYTHONDONTWRITEBYTECODE": "1"},
        )
        deadline = time.monotonic() + 30
        while not ready.exists():
            if not child.alive or time.monotonic() > deadline:
                tail = (self.lab.log / "hosts.log").read_text(encoding="utf-8", errors="replace")[-1500:]
                raise LabError(f"the hosts' daemon did not start; the end of its log:\n{tail}")
            time.sleep(0.05)

    def env(self) -> dict[str, str]:
        return {
            "FLEET_LAB_KEY": str(self.place.fleet_key),
            "FLEET_LAB_INSTALL_KEY": str(self.place.install_key),
            "FLEET_LAB_INSTALL_PASSWORD_FILE": str(self.place.password),
            "FLEET_LAB_HOSTS": str(self.place.folder),
        }

    def _make_keys(self) -> None:
        self.place.keys.mkdir(mode=0o700, parents=True, exist_ok=True)
        for key, comment in ((self.place.install_key, "fleet-lab-install"), (self.place.fleet_key, "fleet")):
            if not key.exists():
                subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(key)], check=True)
        if not self.place.password.exists():
            self.place.password.touch(mode=0o600)
            self.place.password.write_text(secrets.token_urlsafe(12) + "\n", encoding="ascii")


def inside(lab: Lab) -> list[str]:
    """The command prefix that runs something as the controller, in its namespace. Raises LabError where there are no hosts."""
    place = Place(lab.root)
    if not netns.exists(place.core):
        raise LabError("there is no controller namespace: bring the lab up with --hosts (as root)")
    return ["nsenter", f"--net={netns.FOLDER / place.core}", "--"]


def clean(lab: Lab) -> None:
    """Remove every trace of the hosts, from any half-way state. The daemon must have ended."""
    place = Place(lab.root)
    numbers = Numbers(place.folder / "numbers.json")
    folders = {int(path.name) for path in (place.folder / "h").glob("*") if path.name.isdecimal()} | set(numbers.all("hosts").values())
    for number in sorted(folders):
        Container(place.host_folder(number), place.name, number).kill()
    for number in sorted(folders):
        Container(place.host_folder(number), place.name, number).remove()
    if os.geteuid() == 0:
        for namespace in netns.named(f"{place.name}-"):
            netns.delete(namespace)
        for tree in cgroup_trees():
            remove_cgroup(tree / place.name)
        inotify.put_back(lab.root)
    shutil.rmtree(place.folder, ignore_errors=True)
