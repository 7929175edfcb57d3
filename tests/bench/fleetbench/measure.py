# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Start the recorded clouds, measure plugins on them, each time in a process of its own."""
from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .chain import Request
from .contestants import CLOUDS, Contestant, credentials
from .environment import BENCH, Environment

LIMIT = 3600  # seconds for one measurement


class MeasuringError(Exception):
    """A measurement that did not come about; its text says which and how it ended."""


@dataclasses.dataclass(frozen=True)
class Sample:
    """One run. cpu and wall: seconds inside parse; peak_mib: of the whole process; results: what the expressions
    made; requests: what was asked of the clouds."""

    cpu: float
    wall: float
    hosts: int
    peak_mib: float
    results: Mapping[str, Any]
    requests: tuple[Request, ...]


class Server:
    """The recorded clouds, running."""

    def __init__(self, environment: Environment, url: str, folder: Path) -> None:
        self._environment = environment
        self.url = url
        self.folder = folder

    def delay(self, milliseconds: float) -> None:
        """Answer every request so much later."""
        self._control(f"latency?ms={milliseconds}")

    def measure(self, contestant: Contestant, expressions: int, *, cold: bool = False) -> Sample:
        """Run the contestant once. cold: without the clouds' libraries imported before. Raises MeasuringError."""
        file = contestant.write(self.folder, expressions)
        command = [
            str(self._environment.bin / "python"), str(BENCH / "fleetbench" / "child.py"),
            contestant.plugin, str(file), contestant.cloud, self.url, *(["--cold"] if cold else [])]
        self._control("log")
        try:
            done = subprocess.run(
                command, env=self._variables(contestant), cwd=self.folder, stdin=subprocess.DEVNULL,
                capture_output=True, text=True, check=False, timeout=LIMIT)
        except subprocess.TimeoutExpired:
            raise MeasuringError(f"{contestant.plugin} on {contestant.cloud}: not ready after {LIMIT} s") from None
        requests = tuple(Request(*row) for row in self._control("log"))
        try:
            told = json.loads(done.stdout)
            sample = Sample(requests=requests, **told)
        except (ValueError, TypeError):
            ending = "\n".join(done.stderr.strip().splitlines()[-12:])
            raise MeasuringError(
                f"{contestant.plugin} on {contestant.cloud} gave no figures; what it said last:\n{ending}") from None
        unknown = sorted({request.name for request in requests if request.name.startswith("unknown")})
        if unknown:
            raise MeasuringError(f"{contestant.plugin} asked for what is not recorded: {', '.join(unknown)}")
        return sample

    def start_up(self, contestant: Contestant | None) -> float:
        """CPU seconds of a whole ``ansible-inventory --list``; without a contestant of one that has no host to read."""
        source = str(contestant.write(self.folder, 0)) if contestant else "localhost,"
        process = subprocess.Popen(
            [str(self._environment.bin / "ansible-inventory"), "-i", source, "--list"], env=self._variables(contestant),
            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise MeasuringError(f"ansible-inventory on {source}: exit status {process.returncode}")
        return usage.ru_utime + usage.ru_stime

    def _variables(self, contestant: Contestant | None) -> dict[str, str]:
        own = credentials(self.folder)
        if contestant:
            own["ANSIBLE_INVENTORY_ENABLED"] = contestant.plugin
        return self._environment.variables(self.folder, own)

    def _control(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}/bench/{path}", timeout=60) as answer:
            return json.load(answer)


@contextlib.contextmanager
def serving(environment: Environment, counts: Mapping[str, int]) -> Iterator[Server]:
    """The recorded clouds with so many machines each, until the block ends."""
    folder = environment.folder / "clouds"
    folder.mkdir(parents=True, exist_ok=True)
    command = [str(environment.bin / "python"), "-m", "fleetbench.server", "--folder", str(folder)]
    for cloud in CLOUDS:
        command += [f"--{cloud}", str(counts[cloud])]
    process = subprocess.Popen(
        command, env=environment.variables(folder, {}), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin and process.stdout
    try:
        url = process.stdout.readline().strip()
        if not url:
            raise MeasuringError("the server of the recorded clouds did not start; what it said stands above")
        yield Server(environment, url, folder)
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait()
