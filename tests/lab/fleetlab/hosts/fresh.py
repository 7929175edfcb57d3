# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Machines for one purpose, as their image made them: a rack file beside the lab's own, and a way into them that needs no sshd.

Such a machine costs no cloud: ``up --only metal --hosts`` is enough. Its disk goes when it leaves the file; writing it back gives a new one.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..core import Lab, LabError
from .container import Container
from .endpoint import inside
from .place import Numbers, Place

_FIRST = 200
"""The last number of the first machine's addresses; the lab's other machines in these networks stay below."""
VERSIONS = {"bullseye": "11", "bookworm": "12", "trixie": "13"}


@dataclasses.dataclass(frozen=True)
class Machine:
    """One machine of the rack file. account: who may log in with the installer's key; kubelet: it may run one."""

    name: str
    suite: str
    place: int  # from 1
    account: str = "debian"
    kubelet: bool = False

    @property
    def ipv4(self) -> str:
        return f"198.51.100.{_FIRST + self.place}"

    @property
    def ipv6(self) -> str:
        return f"2001:db8:4a::{_FIRST + self.place}"

    @property
    def private(self) -> str:
        """Its address on a wire that all machines of the file share."""
        return f"10.74.0.{self.place}"


class Rack:
    """Machines of one rack file in a running lab."""

    def __init__(self, lab: Lab, name: str) -> None:
        """:param name: the file's, without its ending."""
        self._lab, self._place, self._name = lab, Place(lab.root), name
        self.machines: tuple[Machine, ...] = ()

    @property
    def file(self) -> Path:
        return self._lab.run / "racks" / f"{self._name}.yml"

    def write(self, machines: Sequence[Machine]) -> None:
        """Have these machines, and no others in this file."""
        self.machines = tuple(machines)
        self.file.parent.mkdir(parents=True, exist_ok=True)
        spare = self.file.with_suffix(".new")
        spare.write_text(json.dumps({"site": self._name, "nodes": [_node(machine) for machine in machines]}, indent=1) + "\n", encoding="utf-8")
        spare.replace(self.file)

    def wait(self, seconds: float = 180) -> None:
        """Return when all of them have booted. Raises LabError when one has not in time."""
        deadline = time.monotonic() + seconds
        waiting = list(self.machines)
        while waiting:
            waiting = [machine for machine in waiting if not self._ready(machine)]
            if waiting and time.monotonic() > deadline:
                raise LabError(f"{', '.join(machine.name for machine in waiting)}: not booted within {seconds:.0f} s; see {self._place.folder}/h")
            time.sleep(0.25)

    def renew(self, machines: Sequence[Machine], seconds: float = 180) -> None:
        """These machines with new disks, booted; whatever the file had before is gone, also of other names, as it has their addresses."""
        self.write(())
        deadline = time.monotonic() + 90
        numbers = Numbers(self._place.folder / "numbers.json")
        while any(key.startswith(self._key("")) for key in numbers.all("hosts")):
            if time.monotonic() > deadline:
                raise LabError("the machines of the last run do not go")
            time.sleep(0.25)
            numbers = Numbers(self._place.folder / "numbers.json")
        self.write(machines)
        self.wait(seconds)

    def _key(self, name: str) -> str:
        return f"metal/{self.file.name}/{name}"

    def container(self, machine: Machine) -> Container:
        """Raises LabError where there is none yet."""
        number = Numbers(self._place.folder / "numbers.json").all("hosts").get(self._key(machine.name))
        if number is None:
            raise LabError(f"{machine.name} has no host yet")
        return Container(self._place.host_folder(number), self._place.name, number)

    def _ready(self, machine: Machine) -> bool:
        try:
            return self.container(machine).ready()
        except LabError:
            return False

    # -- ways in ----------------------------------------------------------------------------------------------
    def root(self, machine: Machine, script: str, *, check: bool = True, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Run a shell script in the machine as root, see ``enter``. Raises LabError when it fails and ``check``."""
        return enter(self.container(machine), machine.name, script, check=check, timeout=timeout)

    def ssh(self, machine: Machine, command: str, *options: str, account: str | None = None, address: str | None = None,
            key: Path | None = None) -> subprocess.CompletedProcess[str]:
        """A login over a connection of its own, as the controller."""
        words = ["ssh", "-F", "none", "-i", str(key or self._place.install_key), "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no",
                 "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=8", "-o", "ControlMaster=no",
                 "-o", "ControlPath=none", *options, f"{account or machine.account}@{address or machine.ipv4}", command]
        return subprocess.run([*inside(self._lab), *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)

    def variables(self, machine: Machine) -> dict[str, Any]:
        """What an inventory says of it."""
        return {
            "ansible_host": machine.ipv4,
            "ansible_user": machine.account,
            "ansible_ssh_private_key_file": str(self._place.install_key),
            "ansible_ssh_common_args": "-o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o LogLevel=ERROR",
            "ansible_python_interpreter": "/usr/bin/python3",
        }

    def cpu_seconds(self, machine: Machine) -> float:
        """What it has used since it booted."""
        return self.container(machine).cost().get("cpu_seconds", 0.0)


def enter(container: Container, name: str, script: str, *, check: bool = True, timeout: float = 600) -> subprocess.CompletedProcess[str]:
    """Run a shell script in any host as root without asking its sshd, PAM or firewall. name: for words; timeout: seconds.

    Raises LabError when the host does not run, or the script fails and ``check``.
    """
    leader = container.leader()
    if leader is None:
        raise LabError(f"{name} does not run")
    command = ["nsenter", f"--target={leader}", "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd", "env", "-i"]
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    variables = ["HOME=/root", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", path]
    done = subprocess.run([*command, *variables, "sh", "-s"], input=script, capture_output=True, text=True, timeout=timeout, check=False)
    if check and done.returncode:
        said = (done.stderr or done.stdout).strip()[-1500:]
        raise LabError(f"{name}: {script.strip().splitlines()[0][:120]}: exit {done.returncode}: {said}")
    return done


def _node(machine: Machine) -> dict[str, Any]:
    return {
        "name": machine.name,
        "id": f"{machine.name}-{machine.place}",
        "login_user": machine.account,
        **({"kubelet": True} if machine.kubelet else {}),
        "image": {"distro": "debian", "version": VERSIONS[machine.suite]},
        "interfaces": [
            {"name": "eth0", "network": "dmz", "role": "public", "addresses": [machine.ipv4, machine.ipv6]},
            {"name": "eth1", "network": "inner", "role": "private", "addresses": [machine.private]},
        ],
    }
