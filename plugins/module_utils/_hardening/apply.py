# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What module harden_apply does between its arguments and the engine. Knows no Ansible."""
from __future__ import annotations

import fcntl
import os
from typing import Any

from . import former
from .engine import Engine
from .record import Record
from .switch import Switch
from .system import System

LOCK = "/run/hybridops-fleet-hardening.lock"
"""Two runs on a node at once would mix their records."""


class Request:
    """The arguments of harden_apply."""

    def __init__(self, area: str, state: str = "present", items: list[dict[str, Any]] | None = None, switch: dict[str, Any] | None = None,
                 installed: list[str] | None = None, removed: list[str] | None = None, check: bool = False) -> None:
        self.area, self.state, self.items, self.switch = area, state, items or [], switch or {}
        self.installed, self.removed, self.check = installed or [], removed or [], check


def perform(system: System, request: Request) -> dict[str, Any]:
    """The result of the module; ``msg`` in it means that it failed. Raises OSError, or ValueError in words."""
    with _Alone(system):
        record = Record(system, request.area)
        if request.state == "former":
            return {"changed": False, "former": former.look(system, record)}
        switch = Switch(system, int(request.switch["seconds"]), str(request.switch["nonce"])) if request.switch else None
        put_back = Switch(system, 0, "").take_back_left() if not request.check else ""
        engine = Engine(system, record, check=request.check, guard=switch)
        packages = _packages(record)
        if request.state == "absent":
            return dict(engine.restore(), packages=packages, put_back=put_back)
        if not request.check:
            for name in request.installed:
                record.remember("package:" + name, [], "installed")
            for name in request.removed:
                record.remember("package:" + name, [], "removed")
        return dict(engine.apply(request.items), packages=_packages(record), put_back=put_back)


def _packages(record: Record) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"installed": [], "removed": []}
    for entry in record.entries:
        if entry["key"].startswith("package:") and entry.get("control") in found:
            found[entry["control"]].append(entry["key"].split(":", 1)[1])
    return found


class _Alone:
    """Waits for no other run: it would do the same work. Raises ValueError in words."""

    def __init__(self, system: System) -> None:
        self._path = system.real(LOCK)
        os.makedirs(os.path.dirname(self._path), exist_ok=True)

    def __enter__(self) -> None:
        self._number = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._number)
            raise ValueError("another hardening run is at work on this node; run again when it is over") from None

    def __exit__(self, *exception: object) -> None:
        os.close(self._number)
