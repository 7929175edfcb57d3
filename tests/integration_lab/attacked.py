# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Playbooks against machines of the lab's rack, for tests that attack the hardening roles."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "tests" / "lab"))

from fleetlab.core import Lab, LabError  # noqa: E402
from fleetlab.hosts import image, netns  # noqa: E402
from fleetlab.hosts.endpoint import inside  # noqa: E402
from fleetlab.hosts.fresh import Machine, Rack  # noqa: E402
from fleetlab.hosts.place import Place  # noqa: E402

LAB = Lab(Path(os.environ.get("FLEET_LAB_STATE", CHECKOUT / ".lab")).resolve())
TREE = next((parent.parent for parent in Path(__file__).parents if parent.name == "ansible_collections"), None) or os.environ.get(
    "ANSIBLE_COLLECTIONS_PATH", "")
STATE = "/var/lib/hybridops-fleet/hardening"
PENDING = f"{STATE}/pending"
SECONDS = 20
"""Of the dead man's switch in these tests, the least that is allowed."""
SUITE = image.suites(os.environ.get("FLEET_LAB_SUITES"))[0]
RESTORE = "    - ansible.builtin.include_role: {{name: hybridops.fleet.{}, tasks_from: restore}}\n"
SHUT = """printf 'account required pam_exec.so quiet seteuid /usr/local/bin/shut\\n' >>/etc/pam.d/sshd
printf '#!/bin/sh\\n%s\\n' '{}' >/usr/local/bin/shut; chmod 755 /usr/local/bin/shut
"""
"""A trap in the login: the script's end decides."""
OPEN_AGAIN = "sed -i '/usr.local.bin.shut/d' /etc/pam.d/sshd /etc/pam.d/sudo; rm -f /usr/local/bin/shut; pkill -f daemon-reload-loop; true"
needs_lab = pytest.mark.skipif(
    os.geteuid() != 0 or not netns.exists(Place(LAB.root).core), reason="there is no running lab with hosts: tests/lab up --only metal --hosts")
__all__ = ["LabError", "Machine", "Rack"]


def role(name: str, **variables: Any) -> str:
    """A task that does one of the roles."""
    return f"    - ansible.builtin.include_role: {{name: hybridops.fleet.{name}}}\n      vars: {json.dumps(variables)}\n"


class Play:
    """One controller: a folder with its inventory, settings and reports."""

    def __init__(self, folder: Path, rack: Rack) -> None:
        self.folder, self.rack, self.strategy = folder, rack, "linear"

    def command(self, machines: Sequence[Machine], tasks: str, words: Sequence[str], variables: dict[str, Any]) -> list[str]:
        inventory, book = self.folder / "inventory.json", self.folder / "play.yml"
        switches = {f"{name}_switch_seconds": SECONDS for name in ("os_hardening", "ssh_hardening", "firewall")}
        own = variables.pop("own", {})
        hosts = {machine.name: {**self.rack.variables(machine), **switches, **variables, **own.get(machine.name, {})} for machine in machines}
        inventory.write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
        book.write_text(f"- hosts: all\n  gather_facts: false\n  become: true\n  tasks:\n{tasks}", encoding="utf-8")
        program = Path(sys.executable).with_name("ansible-playbook")
        return [*inside(LAB), str(program), "-i", str(inventory), *(words if any(word.endswith(".yml") for word in words) else [str(book), *words])]

    def environment(self) -> dict[str, str]:
        return {**os.environ, "HOME": str(self.folder), "ANSIBLE_COLLECTIONS_PATH": str(TREE), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_PIPELINING": "1",
                "ANSIBLE_HOME": str(self.folder / ".ansible"), "ANSIBLE_HOST_KEY_CHECKING": "0", "LC_ALL": "C.UTF-8", "PWD": str(self.folder),
                "ANSIBLE_STRATEGY": self.strategy}

    def run(self, machines: Machine | Sequence[Machine], tasks: str, *words: str, ok: bool = True, **variables: Any) -> str:
        """All that was said, in one line. ok: whether it is to succeed."""
        command = self.command([machines] if isinstance(machines, Machine) else machines, tasks, words, variables)
        done = subprocess.run(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=400, env=self.environment(), check=False)
        (self.folder / "out").write_text(done.stdout, encoding="utf-8")
        assert (done.returncode == 0) is ok, done.stdout[-5000:]
        assert "Traceback" not in done.stdout
        return " ".join(done.stdout.split())

    def killed(self, machine: Machine, tasks: str, seen: Callable[[], bool], **variables: Any) -> None:
        """End the controller, hard, with all that it has started, as soon as something is seen on the machine."""
        with subprocess.Popen(self.command([machine], tasks, (), variables), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, env=self.environment(), start_new_session=True) as process:
            try:
                wait(seen, 120, lambda: process.poll() is None)
            finally:
                os.killpg(process.pid, signal.SIGKILL)


def wait(seen: Callable[[], bool], seconds: float, alive: Callable[[], bool] = lambda: True) -> float:
    """Until something is seen; the seconds that it took."""
    begin = time.monotonic()
    while not seen():
        assert alive(), "it ended before"
        assert time.monotonic() < begin + seconds, f"not seen within {seconds:.0f} s"
        time.sleep(0.2)
    return time.monotonic() - begin


@pytest.fixture(scope="module")
def rack() -> Iterator[Rack]:
    """Two machines with a /home of its own."""
    made = Rack(LAB, "safety")
    made.renew([Machine(f"safe-{number}", SUITE, 40 + number) for number in (1, 2)])
    for machine in made.machines:
        made.root(machine, """cp -a /home /root/homes; mount -t tmpfs -o mode=755 tmpfs /home; cp -a /root/homes/. /home
cd /; tar -cpf /root/state.tar etc/ssh etc/pam.d etc/sudoers.d etc/security root/.ssh home; rm -rf /root/homes""")
    yield made
    made.write(())


@pytest.fixture
def machine(rack: Rack) -> Iterator[Machine]:
    """A machine as its image made it."""
    for one in rack.machines:
        rack.root(one, OPEN_AGAIN + f"""
systemctl stop 'hybridops-fleet-hardening-restore-*' 2>/dev/null; nft delete table inet cut 2>/dev/null
[ ! -e {PENDING}/switch.sh ] || sh {PENDING}/switch.sh now; rm -rf {PENDING}""")
    yield rack.machines[0]
    rack.root(rack.machines[0], OPEN_AGAIN)


@pytest.fixture
def play(tmp_path: Path, rack: Rack) -> Iterator[Play]:
    """Back to how the image made the machines, when it is over."""
    made = Play(tmp_path, rack)
    yield made
    for one in rack.machines:
        rack.root(one, OPEN_AGAIN + "; cd /; rm -rf /etc/ssh/sshd_config.d/*; tar -xpf /root/state.tar; systemctl reload ssh")
    for name in ("firewall", "ssh_hardening", "os_hardening"):
        if any((STATE + "/" + name.partition("_")[0]) in rack.root(one, f"ls -d {STATE}/* 2>/dev/null; true").stdout for one in rack.machines):
            made.run(rack.machines, RESTORE.format(name), ansible_ssh_args="-o ControlMaster=no -o ControlPath=none")


def opens(rack: Rack, machine: Machine, **more: Any) -> bool:
    """A fresh login that may become root."""
    return rack.ssh(machine, "sudo -n id -u", **more).stdout.strip() == "0"


def shows(rack: Rack, machine: Machine, test: str) -> bool:
    return rack.root(machine, test, check=False).returncode == 0


def report(play: Play, machine: Machine) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((play.folder / "report" / f"{machine.name}.json").read_text(encoding="utf-8"))
    return found
