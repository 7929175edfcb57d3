# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who holds which machine, for sources that keep no such record themselves: a file beside the rack file.

    # r42.yml.reservations.yml
    machines:
      SN-0003:
        node: web-1
        token: 4f1c...
        since: "2026-03-04T05:06:07Z"
        by: ops@controller
        tags: {fleet_node: web-1, role: web}

It is changed under a lock (the same name with .lock) and replaced as a whole, so two runs never take the same machine, and
a run that is killed leaves the old file or the new one. It may be kept in version control with the rack file.
"""
from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import getpass
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn, TypeVar

try:
    import yaml
except ImportError:  # told when a file is read; Ansible itself needs it
    yaml = None  # type: ignore[assignment]

from ...errors import FleetError, FleetFileError, library_missing
from ...options import Option, check_all
from ...retry import Patience

T = TypeVar("T")

_LOCK_POLL = 0.05  # seconds between two tries to get the lock
_HEADER = "---\n# Machines that are held for nodes, written by hybridops.fleet. Change it only while no playbook runs.\n"


def _tags(value: Mapping[Any, Any]) -> str | None:
    return None if all(isinstance(item, str) for pair in value.items() for item in pair) else "must hold strings only"


_RECORD = (
    Option("node"),
    Option("token"),
    Option("since"),
    Option("by"),
    Option("ready", "bool", default=True),
    Option("switched_on"),
    Option("switched_off"),
    Option("tags", "dict", default={}, check=_tags),
)
_FILE = (Option("machines", "dict", default={}),)


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """What is kept of one machine. node: name of the node that holds it, None when only tags were set. token: of the order.
    ready: False from the moment it is held until everything that makes it a node was asked for. switched_on: when power was
    asked for, so that it is switched off again when the node goes; switched_off: when that was asked for. Times are ISO 8601,
    UTC."""

    node: str | None = None
    token: str | None = None
    since: str | None = None
    by: str | None = None
    ready: bool = True
    switched_on: str | None = None
    switched_off: str | None = None
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)


Records = dict[str, Record]


def parse(data: Any, source: str) -> Records:
    """The records of a file's data, by machine id. Raises FleetFileError for anything unclear."""
    machines = check_all(_FILE, data if data is not None else {}, source, "")["machines"]
    records = {}
    holders: dict[str, str] = {}
    for machine, entry in machines.items():
        place = f"machines.{machine}"
        if not isinstance(machine, str):
            raise FleetFileError(source, place, "a machine's id must be a string", f'Put it in quotes: "{machine}".')
        record = records[machine] = Record(**check_all(_RECORD, entry, source, place))
        if record.node is not None and record.node in holders:
            raise FleetFileError(source, place, f"node '{record.node}' holds machine '{holders[record.node]}', too",
                                 "Remove the record that is wrong.")
        if record.node is not None:
            holders[record.node] = machine
    return records


def plain(records: Records) -> dict[str, Any]:
    """The file's data for records; what says nothing is left out."""
    return {"machines": {
        machine: {name: value for name, value in dataclasses.asdict(record).items() if value not in (None, {}) and (name, value) != ("ready", True)}
        for machine, record in sorted(records.items())}}


def held_by(records: Records, node: str) -> str | None:
    """Id of the machine that is held for a node of that name."""
    return next((machine for machine, record in records.items() if record.node == node), None)


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def myself() -> str:
    """user@host of this process, for those who read the file."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in some containers
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


class Ledger:
    """The file of one source. Several processes and threads may use it at the same time."""

    def __init__(self, path: str, patience: Patience) -> None:
        self.path = os.path.realpath(path)  # a link stays one
        self.name = os.path.basename(path)
        self._patience = patience

    def read(self) -> Records:
        """The records as they are now; none when there is no file. Raises FleetError."""
        if yaml is None:
            raise library_missing("PyYAML", "metal", ImportError("No module named 'yaml'"))
        try:
            with open(self.path, encoding="utf-8") as text:
                return parse(yaml.safe_load(text), self.name)
        except FileNotFoundError:
            return {}
        except OSError as problem:
            self._refuse("read", problem)
        except (yaml.YAMLError, UnicodeDecodeError) as problem:
            mark = getattr(problem, "problem_mark", None)
            raise FleetFileError(self.name, "", "is not YAML" + (f" in line {mark.line + 1}" if mark else ""), "Correct the file.") from problem

    def change(self, act: Callable[[Records], T]) -> T:
        """Let act change the records; what it returns. Nobody else changes them meanwhile; nothing changes if it raises."""
        with self._locked():
            records = self.read()
            before = dict(records)
            result = act(records)
            if records != before:
                self._write(records)
            return result

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            number = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as problem:
            self._refuse("lock", problem)
        try:
            while True:
                try:
                    fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if self._patience.remaining() <= _LOCK_POLL:
                        raise FleetError("change the reservations", why=f"{self.path}.lock is held by another run", code="timeout",
                                         fix="Wait for the other run, or raise 'timeout'.") from None
                    self._patience.sleep(_LOCK_POLL)
            yield
        finally:
            os.close(number)  # and with it the lock

    def _write(self, records: Records) -> None:
        spare = f"{self.path}.new"  # one name is enough: who writes holds the lock
        text = _HEADER + yaml.safe_dump(plain(records), default_flow_style=False, sort_keys=False, allow_unicode=True)
        try:
            mode = os.stat(self.path).st_mode & 0o7777 if os.path.exists(self.path) else 0o644
            number = os.open(spare, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
            with os.fdopen(number, "w", encoding="utf-8") as file:
                os.fchmod(number, mode)
                file.write(text)
                file.flush()
                os.fsync(number)
            os.replace(spare, self.path)
            folder = os.open(os.path.dirname(self.path), os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as problem:
            self._refuse("write", problem)

    def _refuse(self, verb: str, problem: OSError) -> NoReturn:
        raise FleetError(f"{verb} the reservations", why=f"{problem.strerror}: {self.path}", code="disk",
                         fix="Make file and folder accessible, or name another file with 'reservations' of the source.") from problem
