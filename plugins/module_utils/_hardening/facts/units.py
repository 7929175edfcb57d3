# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Packages that are installed and units of systemd with their states."""
from __future__ import annotations

import glob
import os
import time
from typing import Sequence

from ..system import System

DAY = 86400  # seconds after which lists of packages are fetched anew
UNIT_FOLDERS = ("/etc/systemd/system", "/run/systemd/system", "/run/systemd/generator", "/run/systemd/generator.late",
                "/usr/local/lib/systemd/system", "/lib/systemd/system", "/usr/lib/systemd/system")
"""Where units lie, those that count first. Links of the first two enable."""
KINDS = (".service", ".socket", ".timer")


def packages(system: System) -> list[str]:
    """Names of what is installed (dpkg or rpm), sorted; raises ValueError where neither is."""
    if system.has("dpkg-query"):
        answer = system.run(["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}\n"])
        return sorted({line.split()[1] for line in answer.out.splitlines() if line.startswith("installed ")})
    if system.has("rpm"):
        return sorted(set(system.run(["rpm", "-qa", "--qf", "%{NAME}\\n"]).out.split()))
    raise ValueError("neither dpkg nor rpm is here")


def unavailable(system: System, names: Sequence[str]) -> dict[str, object]:
    """Which of these packages cannot be had by the lists of apt, and whether these are to be fetched anew. Lists that are missing tell
    nothing, nor do other package managers, which fetch theirs by themselves."""
    if not system.has("apt-cache"):
        return {"unavailable": [], "refresh": False}
    folder = system.real("/var/lib/apt/lists")
    # a list of a mirror in a folder is a link to it, which leads nowhere once that folder is gone
    lists = [path for path in glob.glob(glob.escape(folder) + "/*_Packages") if os.path.exists(path)]
    refresh = not lists or max(os.path.getmtime(path) for path in lists) < time.time() - DAY
    if not lists:
        return {"unavailable": [], "refresh": True}
    found = {}
    name = ""
    for line in system.run(["apt-cache", "policy", *names]).out.splitlines():
        if line and not line.startswith(" "):
            name = line.rstrip(":")
        elif line.strip().startswith("Candidate:"):
            found[name] = line.split()[-1]
    return {"unavailable": [name for name in names if found.get(name, "(none)") == "(none)"], "refresh": refresh}


def states(system: System) -> dict[str, dict[str, object]]:
    """Unit -> enabled ("enabled", "masked", "alias", or "" for all else) and active. Services, sockets, timers; {} where no systemd runs.

    From the folders themselves: systemctl list-unit-files asks the manager about each of some hundred files, which takes longer than all else."""
    if not system.systemd:
        return {}
    found: dict[str, dict[str, object]] = {}
    for folder in UNIT_FOLDERS:
        for name in _names(system, folder):
            if name.endswith(KINDS):
                found.setdefault(name, {"enabled": _link(system, folder + "/" + name, name), "active": False})
    for folder in UNIT_FOLDERS[:2]:
        for wants in _names(system, folder):
            if wants.endswith((".wants", ".requires")):
                for name in _names(system, folder + "/" + wants):
                    unit = found.get(name) or found.get(name.split("@")[0] + "@." + name.rpartition(".")[2])
                    if unit and not unit["enabled"]:
                        unit["enabled"] = "enabled"
    kinds = "--type=service,socket,timer"
    for line in system.run(["systemctl", "list-units", "--no-legend", "--no-pager", "--plain", "--state=active", kinds]).out.splitlines():
        fields = line.split()
        if fields:
            found.setdefault(fields[0], {"enabled": "", "active": True})["active"] = True
    return found


# ---------------------------------------------------------------------------------------------------- details
def _names(system: System, folder: str) -> list[str]:
    try:
        return os.listdir(system.real(folder))
    except OSError:
        return []


def _link(system: System, path: str, name: str) -> str:
    real = system.real(path)
    if not os.path.islink(real):
        return ""
    target = os.readlink(real)
    return "masked" if target == "/dev/null" else "alias" if os.path.basename(target) != name else ""
