# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The record: what everything was before the first run, kept on the node until it is restored.

A line of JSON for each changed thing, written and on the disk before the change, so that a killed run leaves nothing that is not in it.
"""
from __future__ import annotations

import json
import os
import shutil
from typing import Any

from .system import System
from .undo import Step, blob_name

STATE = "/var/lib/hybridops-fleet/hardening"


class Record:
    """area: os, ssh or firewall; each can be restored without the others."""

    def __init__(self, system: System, area: str) -> None:
        self.folder = STATE + "/" + area
        self._system = system
        self._file = system.real(self.folder + "/record.jsonl")
        self._blobs = system.real(self.folder + "/blobs")
        self.entries: list[dict[str, Any]] = self._load()
        self._known = {entry["key"] for entry in self.entries}

    def knows(self, key: str) -> bool:
        return key in self._known

    def remember(self, key: str, steps: list[Step], control: str = "") -> None:
        """The former state of ``key``, unless an earlier run has told it already. Raises OSError."""
        if key in self._known:
            return
        entry = {"key": key, "control": control, "steps": steps}
        self._make_folder()
        with open(self._file, "ab") as file:
            if file.tell() and not self._ends_line():
                file.write(b"\n")  # a line that a killed run could not finish stands alone
            file.write(json.dumps(entry, sort_keys=True).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self.entries.append(entry)
        self._known.add(key)

    def keep(self, data: bytes) -> str:
        """A content into safe-keeping; gives its name."""
        name = blob_name(data)
        self._make_folder()
        path = self._blobs + "/" + name
        if not os.path.exists(path):
            with open(path + ".new", "wb") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.rename(path + ".new", path)
        return name

    def blob(self, name: str) -> bytes:
        with open(self._blobs + "/" + name, "rb") as file:
            return file.read()

    def forget(self, keep: list[str]) -> None:
        """After a restore: all is over but the keys in ``keep``, which could not be brought back."""
        if not keep:
            shutil.rmtree(self._system.real(self.folder), ignore_errors=True)
            for folder in (STATE, os.path.dirname(STATE)):
                try:
                    os.rmdir(self._system.real(folder))
                except OSError:
                    break
            self.entries, self._known = [], set()
            return
        self._write(self.folder + "/record.jsonl", keep)
        self.entries = [entry for entry in self.entries if entry["key"] in keep]
        self._known = {entry["key"] for entry in self.entries}

    @property
    def left(self) -> str:
        """What takes the record's place once a restore that could not bring all back is confirmed."""
        return self.folder + "/left.jsonl"

    def leave(self, keep: list[str]) -> None:
        """Have exactly these keys there; without any, no such file of an earlier restore either."""
        if keep:
            self._write(self.left, keep)
        elif self._system.exists(self.left):
            os.unlink(self._system.real(self.left))

    # ------------------------------------------------------------------------------------------------ details
    def _write(self, path: str, keep: list[str]) -> None:
        text = "".join(json.dumps(entry, sort_keys=True) + "\n" for entry in self.entries if entry["key"] in keep)
        self._system.write(path, text.encode(), 0o600)

    def _load(self) -> list[dict[str, Any]]:
        try:
            with open(self._file, encoding="utf-8") as file:
                lines = file.read().splitlines()
        except FileNotFoundError:
            return []
        entries = []
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # not finished: the change itself was never begun
            if isinstance(entry, dict) and "key" in entry:
                entries.append(entry)
        return entries

    def _ends_line(self) -> bool:
        with open(self._file, "rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"

    def _make_folder(self) -> None:
        if not os.path.isdir(self._blobs):
            folder = self._system.real(self.folder)
            os.makedirs(self._blobs, mode=0o700, exist_ok=True)
            for path in (self._system.real(STATE), folder, self._blobs):
                os.chmod(path, 0o700)
