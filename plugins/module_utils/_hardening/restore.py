# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Back to what was before the first run, behind the dead man's switch like every other change: what was before may let nobody in today."""
from __future__ import annotations

from typing import Any, Sequence

from . import redo, reloads, undo
from .record import STATE, Record
from .switch import Switch
from .switch_script import line
from .system import System


class Restore:
    """record: what was before. guard: armed with how things are now; without one the record ends at once, with one when it is confirmed."""

    def __init__(self, system: System, record: Record, check: bool = False, guard: Switch | None = None) -> None:
        self._system = system
        self._record = record
        self._check = check
        self._guard = guard

    def perform(self) -> dict[str, Any]:
        """The latest change first. Result: ``restored`` (keys), ``differs`` (what is not as before, in words), ``changed``, ``armed``."""
        entries = list(reversed(self._record.entries))
        wrong = self._wrong(entries)
        answer: dict[str, Any] = {"changed": bool(entries), "restored": [entry["key"] for entry in entries], "differs": [], "reloads": {},
                                  "was": wrong, "armed": False}
        if self._check or not entries:
            return answer
        guard = self._guard if wrong else None
        if guard:
            guard.arm([redo.entry(self._system, entry) for entry in entries], reloads_of(entries), self._kept())
        failed = self._put_all_back(entries, answer)
        if not guard:
            self._record.forget(failed)
            return answer
        self._record.leave(failed)
        guard.settle()
        answer["armed"] = True
        return answer

    # ------------------------------------------------------------------------------------------------ details
    def _put_all_back(self, entries: Sequence[dict[str, Any]], answer: dict[str, Any]) -> list[str]:
        """Keys of what could not be brought back."""
        units = [entry for entry in entries if entry["key"].startswith("unit:")]
        others = [entry for entry in entries if not entry["key"].startswith("unit:")]
        for entry in units:  # what was started stops while its files are still there; what needs the old files follows below
            self._put_back(entry, [])
        failed = [entry["key"] for entry in others if not self._put_back(entry, answer["differs"])]
        answer["reloads"] = reloads.perform(self._system, reloads_of(entries))
        self._system.forget_units()
        failed += [entry["key"] for entry in units if self._wrong([entry]) and not self._put_back(entry, answer["differs"])]
        self._system.relabel()
        self._system.forget_units()
        answer["differs"] += [word for word in self._wrong(entries) if word not in answer["differs"]]
        return failed

    def _kept(self) -> list[str]:
        """What ends the record once all is confirmed, or keeps what could not be brought back."""
        folder, left = self._system.real(self._record.folder), self._system.real(self._record.left)
        state = self._system.real(STATE)
        return [f"if [ -f {line(left)} ]; then {line('mv', '-f', left, folder + '/record.jsonl')}; else {line('rm', '-rf', folder)}; fi",
                f"if [ -z \"$(ls -A {line(state)} | grep -vx 'pending.*')\" ]; then empty={line(state)}; fi"]

    def _put_back(self, entry: dict[str, Any], told: list[str]) -> bool:
        try:
            for step in entry["steps"]:
                undo.put_back(self._system, step, self._record.blob)
        except (OSError, ValueError) as failure:
            told.append("{}: {}".format(entry["key"].split(":", 1)[-1], getattr(failure, "strerror", None) or failure))
            return False
        return True

    def _wrong(self, entries: Sequence[dict[str, Any]]) -> list[str]:
        """What differs, by the earliest step of each thing: a later one of the same path knows its mode as we had made it."""
        found: list[str] = []
        known: set[str] = set()
        places = {entry["key"]: number for number, entry in enumerate(self._record.entries)}
        for entry in sorted(entries, key=lambda row: places.get(row["key"], 0)):
            for step in entry["steps"]:
                path = step.get("path", "")
                words = undo.differs(self._system, step, self._record.blob, modes=path not in known)
                known.add(path)
                if words:
                    found.append(words)
        return found


def reloads_of(entries: Sequence[dict[str, Any]]) -> list[str]:
    """What must read its configuration again after these came back."""
    paths = [step.get("path", "") for entry in entries for step in entry["steps"]]
    rules = (("/etc/systemd/system", "systemd"), ("/etc/ssh", "sshd"), ("/etc/systemd/journald", "journald"), ("/etc/audit/", "auditd"),
             ("/etc/rsyslog", "rsyslog"), ("/etc/systemd/timesyncd", "timesyncd"), ("/etc/default/grub", "grub"),
             ("/etc/grub.d/", "grub"))
    return [name for start, name in rules if any(path.startswith(start) for path in paths)]
