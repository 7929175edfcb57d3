# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs a contestant on a machine as an operator would, with pipelining, and tells what it cost and who still gets in."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from fleetlab.core import Lab, LabError
from fleetlab.hosts.endpoint import inside
from fleetlab.hosts.fresh import Machine, Rack
from fleetlab.hosts.place import Place

from .contestants import Contestant

_RECAP = re.compile(r"ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)\s+skipped=(\d+)")


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of a playbook. seconds: wall. cpu: the machine's own, in seconds. tasks: those that ran on it."""

    ok: bool
    seconds: float
    cpu: float
    tasks: int
    changed: int
    log: str


@dataclasses.dataclass(frozen=True)
class Reach:
    """Fresh connections with the fleet's key."""

    admin: bool
    admin_ipv6: bool
    admin_crowded: bool  # with four other keys offered before it
    sudo: bool
    root: bool


class Measurer:
    """Measures in one lab."""

    def __init__(self, lab: Lab, rack: Rack) -> None:
        self._lab, self._rack = lab, rack
        self._folder = lab.run / "bench-hardening"
        self._folder.mkdir(parents=True, exist_ok=True)

    def run(self, contestant: Contestant, machine: Machine, name: str) -> Run:
        """Raises LabError where the playbook cannot be started at all; a failing run is a result."""
        assert contestant.playbook and contestant.collections and contestant.bin
        book, inventory = self._folder / f"{name}.yml", self._folder / f"{name}.json"
        book.write_text(contestant.playbook, encoding="utf-8")
        inventory.write_text(json.dumps({"all": {"hosts": {machine.name: self._rack.variables(machine)}}}), encoding="utf-8")
        environment = {
            "PATH": f"{contestant.bin}{os.pathsep}{os.environ['PATH']}", "HOME": str(self._folder), "LC_ALL": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": str(contestant.collections), "ANSIBLE_HOME": str(self._folder / f"home-{contestant.name}"),
            "ANSIBLE_PIPELINING": "1", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOST_KEY_CHECKING": "0", "ANSIBLE_SSH_CONTROL_PATH_DIR": self._sockets(),
            "ANSIBLE_DEPRECATION_WARNINGS": "0", "ANSIBLE_LOG_PATH": str(self._folder / f"{name}.times"),
        }
        before, began = self._rack.cpu_seconds(machine), time.monotonic()
        done = subprocess.run([*inside(self._lab), str(contestant.bin / "ansible-playbook"), "-i", str(inventory), str(book)], cwd=self._folder,
                              env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        seconds, cpu = time.monotonic() - began, self._rack.cpu_seconds(machine) - before
        (self._folder / f"{name}.log").write_text(done.stdout, encoding="utf-8")
        recap = _RECAP.search(done.stdout)
        if not recap:
            raise LabError(f"{name}: the playbook did not run:\n{done.stdout[-2000:]}")
        ok, changed, unreachable, failed, _skipped = map(int, recap.groups())
        return Run(done.returncode == 0, round(seconds, 1), round(cpu, 1), ok + failed + unreachable, changed, done.stdout)

    def _sockets(self) -> str:
        return f"/tmp/{Place(self._lab.root).name}-cp"  # a socket's path has to be short

    def reach(self, machine: Machine) -> Reach:
        """Who gets in now, each over a new connection."""
        def opens(command: str = "true", *options: str, **more: str) -> bool:
            return self._rack.ssh(machine, command, *options, **more).returncode == 0  # type: ignore[arg-type]

        with self._strangers() as agent:
            crowded = opens("true", "-o", f"IdentityAgent={agent}", "-o", "IdentitiesOnly=no") if agent else False
        return Reach(opens(), opens(address=machine.ipv6), crowded, opens("sudo -n true"), opens(account="root"))

    @contextlib.contextmanager
    def _strangers(self) -> Iterator[str]:
        """An agent that holds four keys that no host knows."""
        keys = [self._folder / f"stranger{number}" for number in range(4)]
        for key in keys:
            if not key.exists():
                subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        socket = f"/tmp/{Place(self._lab.root).name}-agent"
        Path(socket).unlink(missing_ok=True)
        agent = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 5
            while not Path(socket).exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            subprocess.run(["ssh-add", "-q", *map(str, keys)], env={**os.environ, "SSH_AUTH_SOCK": socket}, check=True)
            yield socket
        finally:
            agent.terminate()
            agent.wait()


