# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The dead man's switch on the node: what can cut access comes back by itself unless a fresh connection confirms it.

Armed before the first guarded change. From then on ``pending/switch.sh`` lies beside the former contents and needs nothing else, neither Python
nor Ansible: a process that waits for the deadline, or the next boot before sshd starts, runs it. ``pending`` holds what one run has not
confirmed yet; the record of what was before the first run is another thing, and stays as it is.

A process and not a timer of systemd: such a timer begins anew with each daemon-reload, which any task may cause at any time.
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
"""Seconds for which a run that is still changing things holds the switch up; one that dies is taken back at once."""
PATIENCE = 15
"""Seconds for which a later run lets an earlier one confirm; nobody does any more when its controller has died."""
WAITER = ["--collect", "--property=Restart=on-abnormal", "--property=RestartSec=100ms", "--property=IgnoreOnIsolate=yes",
          "--property=OOMScoreAdjust=-1000"]
"""The process outlives a kill, a lack of memory and a change of target."""


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
        end = time.monotonic() + PATIENCE
        while self._system.exists(PENDING + "/switch.sh") and not self._system.exists(PENDING + "/changing") and time.monotonic() < end:
            time.sleep(0.2)
        if not self._system.exists(PENDING + "/switch.sh"):
            return ""
        self._script("now")
        return "what an earlier run had left unconfirmed is as it was before"

    def arm(self, entries: Sequence[dict[str, Any]], reloads: Sequence[str], kept: Sequence[str] = ()) -> None:
        """entries: {"key", "steps"} of all that is guarded and going to change; reloads: what must read its configuration again when they come
        back; kept: lines of sh that are due once all is confirmed. Raises ValueError in words; nothing of the node has changed then."""
        if self._system.exists(PENDING + "/nonce"):
            raise ValueError("what an earlier run had changed is not confirmed yet; nothing that is guarded was changed")
        self._hold()
        new, gone = (self._system.real(PENDING + end) for end in (".new", ".gone"))
        for folder in (new, gone):
            shutil.rmtree(folder, ignore_errors=True)
        try:
            self._prepare(new, entries, reloads, kept)
            os.rename(new, self._system.real(PENDING))
            self._arm_boot()
            self._write("waiter", self._start())
        except (OSError, ValueError) as failure:
            self._disarm()
            words = getattr(failure, "strerror", None) or str(failure)
            raise ValueError(f"the dead man's switch cannot be armed ({words}), so nothing that it guards was changed") from None

    def settle(self) -> None:
        """All is changed: from now on the seconds count. Raises ValueError; what was changed is back then."""
        try:
            self._write("deadline", str(_uptime() + self._seconds))
            os.unlink(self._system.real(PENDING + "/changing"))
        except (OSError, ValueError) as failure:
            self.back()
            raise ValueError("the dead man's switch cannot be set to {} s ({}); what it guards is as it was before".format(
                self._seconds, getattr(failure, "strerror", None) or failure)) from None
        self._release()

    def back(self) -> None:
        """Put everything back now, as something went wrong."""
        self._release()
        self._script("now")

    # ------------------------------------------------------------------------------------------------ details
    def _prepare(self, new: str, entries: Sequence[dict[str, Any]], reloads: Sequence[str], kept: Sequence[str]) -> None:
        os.makedirs(new, 0o700)
        lines: list[str] = []
        for entry in reversed(list(entries)):
            for step in entry["steps"]:
                lines.append(switch_script.step(step, len(lines), self._system.real))
                if step["do"] == "path" and step["type"] == "file":
                    self._copy(step, f"{new}/{len(lines) - 1}")
        state, run, units = (self._system.real(path) for path in (STATE, RUN, "/etc/systemd/system"))
        text = switch_script.whole(lines, list(reloads), state, run, UNIT, units, kept)
        deadline = _uptime() + LONGEST
        for name, content in (("nonce", self._nonce), ("deadline", str(deadline)), ("changing", str(os.getpid())), ("switch.sh", text.rstrip("\n"))):
            with open(new + "/" + name, "w", encoding="utf-8") as file:
                file.write(content + "\n")
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

    def _start(self) -> str:
        """What waits for the deadline: the name of a unit, or the number of a group of processes. Raises ValueError."""
        script, said = self._system.real(PENDING + "/switch.sh"), ""
        if self._system.systemd:
            name = f"{UNIT}-{self._nonce}"
            for more in (WAITER, []):  # an old systemd knows less
                answer = self._system.run(["systemd-run", "--quiet", "--unit=" + name, *more, "/bin/sh", script, "wait", self._nonce])
                if not answer.rc and not self._system.run(["systemctl", "is-active", "--quiet", name + ".service"]).rc:
                    return name
            said = " ".join(answer.err.split())
        # a session of its own outlives the connection
        process = subprocess.Popen(["/bin/sh", "-c", 'trap "" HUP; exec /bin/sh "$1" wait "$2"', "fleet", script, self._nonce],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, cwd="/")
        time.sleep(0.1)
        if process.poll() is not None:
            raise ValueError(said or "neither systemd-run nor a process of its own works here")
        return str(process.pid)

    def _disarm(self) -> None:
        pending = self._system.real(PENDING)
        if self._system.exists(PENDING + "/switch.sh"):
            self._script("drop")  # who waits ends by itself when all this is gone
        for folder in (pending, pending + ".new", pending + ".gone"):
            shutil.rmtree(folder, ignore_errors=True)
        self._release()

    def _script(self, *words: str) -> None:
        self._system.run(["/bin/sh", self._system.real(PENDING + "/switch.sh"), *list(words)], None, 180)

    def _write(self, name: str, text: str) -> None:
        path = self._system.real(PENDING + "/" + name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text + "\n")
        os.rename(path + ".new", path)


def _uptime() -> int:
    """Whole seconds since the boot. Raises OSError, ValueError."""
    with open("/proc/uptime", encoding="ascii") as file:
        return int(float(file.read().split()[0]))
