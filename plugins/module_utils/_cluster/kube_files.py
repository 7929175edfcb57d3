# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files of a node and the units that live by them, all in one go. Runs on nodes: Python 3.7 is enough."""
from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import System

_UNITS = ("/etc/systemd/system/", "/usr/lib/systemd/system/")


class Done(NamedTuple):
    """paths: of the files that were changed (or would be). units: what was started, restarted or ended. diff: as Ansible shows it."""

    paths: list[str]
    units: list[str]
    diff: list[dict[str, str]]


class FilesError(Exception):
    """A unit does not start; its text says what its log says."""


def lay(system: System, files: Sequence[dict[str, Any]], absent: Sequence[str], units: Sequence[dict[str, Any]], check: bool) -> Done:
    """Have these files and not those, and each unit as it is to be. Raises FilesError and OSError.

    files: path, content, mode (text of octal digits, default 0644), and ``secret`` where no diff may show it.
    units: name, ``files`` that it reads (a change to one restarts it; with ``reload`` it is told to read them again, unless ``unit_file`` is
    among them), ``stopped`` to have it off instead.
    """
    diff: list[dict[str, str]] = []
    paths: list[str] = []
    off = [unit for unit in units if unit.get("stopped")]
    system.look_at_units([unit["name"] for unit in off])
    changed = [unit["name"] for unit in off if _unit(system, unit, paths, check)]  # first: without its file systemd knows a timer that runs no more
    for file in files:
        path, data, mode = file["path"], file["content"].encode(), int(file.get("mode") or "0644", 8)
        before = system.read(path)
        if before == data and os.stat(system.real(path)).st_mode & 0o7777 == mode:
            continue
        paths.append(path)
        if not file.get("secret"):
            diff.append({"before_header": path, "after_header": path, "before": (before or b"").decode("utf-8", "replace"), "after": file["content"]})
        if not check:
            os.makedirs(os.path.dirname(system.real(path)), mode=0o755, exist_ok=True)
            system.write(path, data, mode)
    for path in absent:
        if system.exists(path):
            paths.append(path)
            if not check:
                os.unlink(system.real(path))
    if not check:
        system.relabel()
        if any(path.startswith(_UNITS) for path in paths):
            system.run(["systemctl", "daemon-reload"])
            system.forget_units()
    on = [unit for unit in units if not unit.get("stopped")]
    system.look_at_units([unit["name"] for unit in on])
    changed += [unit["name"] for unit in on if _unit(system, unit, paths, check)]
    return Done(paths, changed, diff)


def _unit(system: System, unit: dict[str, Any], paths: Sequence[str], check: bool) -> bool:
    """True when it was changed."""
    name, state = unit["name"], system.unit(unit["name"])
    if unit.get("stopped"):
        on = state.get("ActiveState") == "active" or state.get("UnitFileState") == "enabled"
        if on and not check:
            system.run(["systemctl", "disable", "--now", name], timeout=90)
        return on
    enabled, active = state.get("UnitFileState") in ("enabled", "static", "enabled-runtime"), state.get("ActiveState") == "active"
    again = bool(set(paths) & set(unit.get("files") or ()))
    if check or (enabled and active and not again):
        return not (enabled and active and not again)
    ran = system.run(["systemctl", "enable", "--quiet", name])
    if not ran.rc:
        verb = "start" if not again else "reload-or-restart" if unit.get("reload") and unit.get("unit_file") not in paths else "restart"
        ran = system.run(["systemctl", verb, name], timeout=120)
    if ran.rc:
        log = system.run(["journalctl", "--unit", name, "--lines", "8", "--no-pager", "--output", "cat"]).out
        raise FilesError("{} does not start: {} {}".format(name, ran.err.strip()[:300], " | ".join(log.split("\n"))[-700:]))
    return True
