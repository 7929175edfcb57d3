# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run is about to make, on disk before it makes it: so a later sweep knows names that no cloud can be asked for."""
from __future__ import annotations

import dataclasses
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet import home
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

VARIABLE = "HYBRIDOPS_FLEET_CONFORMANCE_DIR"
_FILE = "run.json"


def folder(given: str | None, environ: Mapping[str, str]) -> str:
    """Where runs are noted: the folder given, else the environment's, else the default."""
    return os.path.expanduser(given or environ.get(VARIABLE) or home.kept(environ, "conformance"))


@dataclasses.dataclass(frozen=True, slots=True)
class Note:
    """One run that was begun and not cleaned up. names: cloud -> names of what it may have made there."""

    run: str
    names: Mapping[str, tuple[str, ...]]
    pid: int
    started: int

    @property
    def alive(self) -> bool:
        """Whether the run is still going, on this machine."""
        return _ticks(self.pid) == self.started != 0


class Journal:
    """The notes of runs in one folder. A run's own folder holds its keys, too, readable by the owner only."""

    def __init__(self, root: str) -> None:
        self.root = root

    def begin(self, run: str, names: Mapping[str, Sequence[str]]) -> str:
        """Note a run; its own folder. Raises FleetError."""
        place = os.path.join(self.root, run)
        note = {"run": run, "names": {cloud: list(row) for cloud, row in names.items()}, "pid": os.getpid(), "started": _ticks(os.getpid())}
        try:
            os.makedirs(self.root, mode=0o700, exist_ok=True)
            os.mkdir(place, mode=0o700)
            self._write(place, note)
        except FileExistsError:
            raise FleetError("begin the run", why=f"there is a run '{run}' already: {place}", code="exists",
                             fix="Sweep it, or choose another 'run'.") from None
        except OSError as problem:
            raise FleetError("note what will be made", why=f"{problem.strerror}: {place}", code="disk",
                             fix=f"Make the folder writable, or choose another one with 'state_dir' or {VARIABLE}.") from None
        return place

    @staticmethod
    def _write(place: str, note: Mapping[str, Any]) -> None:
        number, spare = tempfile.mkstemp(dir=place)
        with os.fdopen(number, "w", encoding="utf-8") as file:
            json.dump(note, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(spare, os.path.join(place, _FILE))

    def notes(self) -> list[Note]:
        """All runs that were begun and not forgotten; what cannot be read is left out."""
        try:
            runs = sorted(os.listdir(self.root))
        except OSError:
            return []
        return [note for note in map(self._read, runs) if note]

    def _read(self, run: str) -> Note | None:
        try:
            with open(os.path.join(self.root, run, _FILE), encoding="utf-8") as file:
                data = json.load(file)
            names = {str(cloud): tuple(map(str, row)) for cloud, row in data["names"].items()}
            return Note(run, names, int(data["pid"]), int(data["started"]))
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            return None

    def forget(self, run: str) -> None:
        """Remove a run's folder with its keys: nothing of it is left in any cloud."""
        shutil.rmtree(os.path.join(self.root, run), ignore_errors=True)

    def keep(self, run: str, clouds: Sequence[str]) -> None:
        """Of a run, only these clouds are still to be swept; none: forget it."""
        note = self._read(run)
        if note is None:
            return
        names = {cloud: row for cloud, row in note.names.items() if cloud in clouds}
        if not names:
            self.forget(run)
            return
        self._write(os.path.join(self.root, run), {
            "run": run, "names": {cloud: list(row) for cloud, row in names.items()}, "pid": note.pid, "started": note.started})


def _ticks(pid: int) -> int:
    """Start time of a process, so that a number that was used again is not taken for it; 0 when there is none, or none is told."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0
