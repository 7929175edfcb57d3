# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every part of the lab shares: folders, free ports, virtual environments, child processes.

A lab is a folder (``.lab`` in the checkout unless told otherwise). ``cache/`` in it survives ``down``
(virtual environments, database snapshots); ``run/`` is one running lab and goes with it.
"""
from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

LAB_SOURCE = Path(__file__).resolve().parent
CHECKOUT = LAB_SOURCE.parents[2]
PYTHON_TAG = f"py{sys.version_info.major}.{sys.version_info.minor}"


class LabError(Exception):
    """Something a person can mend; its text says what failed and what to do."""


@dataclasses.dataclass(frozen=True)
class Child:
    """A process the lab started. A pid alone may have been reused, so its start time is kept with it."""

    name: str
    pid: int
    started: int  # clock ticks since boot, field 22 of /proc/<pid>/stat

    @staticmethod
    def start_ticks(pid: int) -> int | None:
        """Start time of a live process; None when it is gone or only waits to be reaped."""
        try:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] == "Z" else int(fields[19])

    @property
    def alive(self) -> bool:
        return self.start_ticks(self.pid) == self.started

    def memory_mib(self) -> float:
        """Resident memory of this process and its descendants, in MiB."""
        total, todo = 0, [self.pid]
        while todo:
            pid = todo.pop()
            try:
                total += int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
                for children in Path(f"/proc/{pid}/task").glob("*/children"):
                    todo += [int(child) for child in children.read_text(encoding="ascii").split()]
            except (OSError, IndexError):
                continue
        return total * os.sysconf("SC_PAGE_SIZE") / 1048576


class Lab:
    """One lab on this machine: where its files are, and the processes that belong to it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cache = root / "cache"
        self.run = root / "run"
        self.log = self.run / "log"
        self._state_file = self.run / "lab.json"
        self._t0 = time.monotonic()

    # -- progress ---------------------------------------------------------------------------------------------
    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self._t0:7.1f} s  {text}", file=sys.stderr, flush=True)

    # -- state ------------------------------------------------------------------------------------------------
    def state(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = json.loads(self._state_file.read_text(encoding="utf-8"))
            return state
        except FileNotFoundError:
            return {"children": [], "ports": {}, "endpoints": {}}

    def update(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the state file in one step, so that an interrupted run leaves the old or the new one."""
        state = self.state()
        change(state)
        self.run.mkdir(parents=True, exist_ok=True)
        spare = self._state_file.with_suffix(".new")
        spare.write_text(json.dumps(state, indent=1), encoding="utf-8")
        spare.replace(self._state_file)

    def children(self) -> list[Child]:
        return [Child(**child) for child in self.state()["children"]]

    # -- ports ------------------------------------------------------------------------------------------------
    def port(self, name: str) -> int:
        """The loopback port of that name: chosen free on first use, the same one afterwards."""
        known = self.state()["ports"].get(name)
        if known:
            return int(known)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            chosen: int = probe.getsockname()[1]
        self.update(lambda state: state["ports"].update({name: chosen}))
        return chosen

    # -- virtual environments ---------------------------------------------------------------------------------
    def venv(self, name: str, requirements: Path, constraints: Path | None = None) -> Path:
        """A virtual environment with those requirements, made once and kept in the cache; returns its folder.

        Made anew when the requirement files change. Safe to interrupt: it counts only once it is complete.
        """
        wanted = hashlib.sha256(requirements.read_bytes() + (constraints.read_bytes() if constraints else b"")).hexdigest()
        folder = self.cache / f"venv-{name}-{PYTHON_TAG}"
        done = folder / "complete"
        if done.exists() and done.read_text(encoding="ascii") == wanted:
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        self.say(f"{name}: making the virtual environment (once; kept for later starts)")
        make_venv(folder)
        command = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", "-r", str(requirements)]
        if constraints:
            command += ["-c", str(constraints)]
        finished = subprocess.run(command, check=False, capture_output=True, text=True)
        if finished.returncode:
            raise LabError(f"{name}: pip could not install {requirements.name}: {finished.stderr.strip()[-800:]}")
        done.write_text(wanted, encoding="ascii")
        return folder

    # -- processes --------------------------------------------------------------------------------------------
    def start(self, name: str, command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> Child:
        """Start a server in the background; its output goes to log/<name>.log. It belongs to the lab until down."""
        self.log.mkdir(parents=True, exist_ok=True)
        with (self.log / f"{name}.log").open("ab") as out:
            process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True, cwd=self.run,
                env={**os.environ, "FLEET_LAB_CONSOLES": str(self.run / "hosts" / "consoles"), **(env or {})},
            )
        child = Child(name, process.pid, Child.start_ticks(process.pid) or 0)

        def replace(state: dict[str, Any]) -> None:
            state["children"] = [other for other in state["children"] if other["name"] != name] + [dataclasses.asdict(child)]

        self.update(replace)  # one that died under this name is forgotten
        return child

    def stop(self) -> None:
        """End every process of this lab, and only those: by pid, and only while the pid is still that process."""
        living = [child for child in self.children() if child.alive]
        for child in living:
            _signal_group(child, signal.SIGTERM)
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline and any(child.alive for child in living):
            time.sleep(0.05)
        for child in living:
            if child.alive:
                _signal_group(child, signal.SIGKILL)

    def wait_http(self, child: Child, url: str, seconds: float = 180) -> None:
        """Wait until url gives any HTTP answer; a server that died first is reported with the end of its log."""
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback needs no proxy
        deadline = time.monotonic() + seconds
        while True:
            try:
                direct.open(url, timeout=5).close()
                return
            except urllib.error.HTTPError:
                return
            except OSError:
                pass
            if not child.alive or time.monotonic() > deadline:
                tail = (self.log / f"{child.name}.log").read_text(encoding="utf-8", errors="replace")[-1500:]
                happened = "gave no answer in time" if child.alive else "ended"
                raise LabError(f"{child.name} {happened} before {url} answered; the end of its log:\n{tail}")
            time.sleep(0.1)


class Endpoint:
    """One part of the lab. Each method may be called again after an interrupted run."""

    name: str = ""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def prepare(self) -> None:
        """Install what is needed (network use belongs here only)."""

    def start(self) -> None:
        """Start the servers and return when they answer."""

    def seed(self) -> None:
        """Fill them with the lab's part of the mixed fleet; a second call changes nothing."""

    def env(self) -> dict[str, str]:
        """Environment variables with which the cloud's own tools and the fleet file find this endpoint."""
        return {}


def make_venv(folder: Path, python: str = sys.executable) -> None:
    """python -m venv; on Debian without python3-venv, say what to install (or install it when we are root)."""
    command = [python, "-m", "venv", str(folder)]
    finished = subprocess.run(command, check=False, capture_output=True, text=True)
    if finished.returncode == 0:
        return
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise LabError(f"This Python cannot make virtual environments ({finished.stdout.strip()[-200:]}). Install {package}, then run again.")
    subprocess.run(["apt-get", "update", "-qq"], check=False, stdout=subprocess.DEVNULL)
    subprocess.run(["apt-get", "install", "-y", "-qq", package], check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run(command, check=True)


def _signal_group(child: Child, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, number)  # start() made each child the leader of its own session
