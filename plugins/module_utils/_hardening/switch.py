# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The dead man's switch on the node: what can cut access comes back by itself unless a fresh connection confirms it.

Armed before the first guarded change. From then on ``pending/switch.sh`` lies beside the former contents and needs nothing else, neither Python
nor Ansible: a timer, or the next boot before sshd starts, runs it. ``pending`` holds what one run has not confirmed yet; the record of what
was before the first run is another thing, and stays as it is.
"""
from __future__ import annotations

import errno
import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from typing import Any

from . import switch_script
from .record import STATE
from .system import System

UNIT = "hybridops-fleet-hardening-restore"
PENDING = STATE + "/pending"
RUN = "/run/hybridops-fleet"
LONGEST = 600
"""Seconds for which a run that is still changing things holds the switch up."""


class Switch:
    """seconds: until what was not confirmed comes back, counted from ``settle``. nonce: names this run to the one who confirms."""

    def __init__(self, system: System, seconds: int, nonce: str) -> None:
        self._system = system
        self._seconds = seconds
        self._nonce = nonce
        self._lock: int | None = None

    def take_back_left(self) -> str:
        """What an earlier run has left unconfirmed is not what this one may take for the former state: it comes back first. The words for
        the report, empty when there was nothing."""
        if not self._system.exists(PENDING + "/switch.sh"):
            return ""
        self._script("now")
        return "what an earlier run had left unconfirmed is as it was before"

    def arm(self, entries: Sequence[dict[str, Any]], reloads: Sequence[str]) -> None:
        """entries: {"key", "steps"} of all that is guarded and going to change; reloads: what must read its configuration again when they come
        back. Raises ValueError in words; nothing of the node has changed then."""
        if self._system.exists(PENDING + "/nonce"):
            raise ValueError("what an earlier run had changed is not confirmed yet; nothing that is guarded was changed")
        self._hold()
        new, gone = (self._system.real(PENDING + end) for end in (".new", ".gone"))
        for folder in (new, gone):
            shutil.rmtree(folder, ignore_errors=True)
        try:
            self._prepare(new, entries, reloads)
            os.rename(new, self._system.real(PENDING))
            self._arm_boot()
            self._write("timer", self._start_timer(LONGEST))
        except (OSError, ValueError) as failure:
            self._disarm()
            words = getattr(failure, "strerror", None) or str(failure)
            raise ValueError(f"the dead man's switch cannot be armed ({words}), so nothing that it guards was changed") from None

    def settle(self) -> None:
        """All is changed: from now on the seconds count. Raises ValueError; what was changed is back then."""
        before = self._read("timer")
        try:
            self._write("timer", self._start_timer(self._seconds))
        except (OSError, ValueError) as failure:
            self.back()
            raise ValueError("the dead man's switch cannot be set to {} s ({}); what it guards is as it was before".format(
                self._seconds, getattr(failure, "strerror", None) or failure)) from None
        self._stop_timer(before)
        self._release()

    def back(self) -> None:
        """Put everything back now, as something went wrong."""
        self._release()
        self._script("now")

    # ------------------------------------------------------------------------------------------------ details
    def _prepare(self, new: str, entries: Sequence[dict[str, Any]], reloads: Sequence[str]) -> None:
        os.makedirs(new, 0o700)
        lines: list[str] = []
        for entry in reversed(list(entries)):
            for step in entry["steps"]:
                lines.append(switch_script.step(step, len(lines), self._system.real))
                if step["do"] == "path" and step["type"] == "file":
                    self._copy(step, f"{new}/{len(lines) - 1}")
        state, run, units = (self._system.real(path) for path in (STATE, RUN, "/etc/systemd/system"))
        text = switch_script.whole(lines, list(reloads), state, run, UNIT, units)
        for name, content in (("nonce", self._nonce + "\n"), ("switch.sh", text)):
            with open(new + "/" + name, "w", encoding="utf-8") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())

    def _copy(self, step: dict[str, Any], path: str) -> None:
        """The former file, with mode and owner, ready to be renamed into its place: that needs no room on a full disk."""
        data = self._system.read(step["path"]) or b""
        with open(path, "wb") as file:
            file.write(data)
            file.flush()
            os.fchown(file.fileno(), step["uid"], step["gid"])
            os.fchmod(file.fileno(), step["mode"])
            os.fsync(file.fileno())

    def _hold(self) -> None:
        """One at a time: the timer must not put back what is still being changed, nor may two runs meet."""
        folder = self._system.real(RUN)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        number = os.open(folder + "/lock", os.O_RDWR | os.O_CREAT, 0o600)
        end = time.monotonic() + 30
        while True:
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as failure:
                if failure.errno not in (errno.EAGAIN, errno.EACCES) or time.monotonic() > end:
                    os.close(number)
                    raise ValueError("another run is changing this node; nothing that is guarded was changed") from None
                time.sleep(0.2)
        self._lock = number

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _arm_boot(self) -> None:
        if not self._system.systemd:
            return
        folder = self._system.real("/etc/systemd/system")
        with open(f"{folder}/{UNIT}.service", "w", encoding="utf-8") as file:
            file.write(switch_script.unit(self._system.real(PENDING)))
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        wants = folder + "/sysinit.target.wants"
        os.makedirs(wants, mode=0o755, exist_ok=True)
        link = f"{wants}/{UNIT}.service"
        if not os.path.lexists(link):
            os.symlink(f"../{UNIT}.service", link)

    def _start_timer(self, seconds: int) -> str:
        """What stops it again: the name of a unit, or the number of a group of processes. Raises ValueError."""
        script, said = self._system.real(PENDING + "/switch.sh"), ""
        if self._system.systemd:
            name = f"{UNIT}-{self._nonce}-{seconds}"
            answer = self._system.run(["systemd-run", "--quiet", "--unit=" + name, f"--on-active={seconds}",
                                       "--timer-property=AccuracySec=1s", "/bin/sh", script, "timer"])
            if not self._system.run(["systemctl", "is-active", "--quiet", name + ".timer"]).rc:
                return name
            said = " ".join(answer.err.split())
        # a session of its own outlives the connection; no timer of systemd is there to be had
        process = subprocess.Popen(["/bin/sh", "-c", 'trap "" HUP; sleep "$1"; exec /bin/sh "$2" timer', "fleet", str(seconds), script],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, cwd="/")
        time.sleep(0.1)
        if process.poll() is not None:
            raise ValueError(said or "neither systemd-run nor a process of its own works here")
        return str(process.pid)

    def _stop_timer(self, timer: str) -> None:
        self._script("stop", timer)

    def _disarm(self) -> None:
        pending = self._system.real(PENDING)
        timer = self._read("timer")
        if timer:
            self._stop_timer(timer)
        if self._system.exists(PENDING + "/switch.sh"):
            self._script("drop")
        for folder in (pending, pending + ".new", pending + ".gone"):
            shutil.rmtree(folder, ignore_errors=True)
        self._release()

    def _script(self, *words: str) -> None:
        self._system.run(["/bin/sh", self._system.real(PENDING + "/switch.sh"), *list(words)], None, 180)

    def _read(self, name: str) -> str:
        return self._system.text(PENDING + "/" + name).strip()

    def _write(self, name: str, text: str) -> None:
        path = self._system.real(PENDING + "/" + name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text + "\n")
        os.rename(path + ".new", path)
