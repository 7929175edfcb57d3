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
    """Unit -> enabled ("enabled", "disabled", "masked", "static", ...) and active. Services, sockets, timers; {} where no systemd runs."""
    if not system.systemd:
        return {}
    found: dict[str, dict[str, object]] = {}
    kinds = "--type=service,socket,timer"
    for line in system.run(["systemctl", "list-unit-files", "--no-legend", "--no-pager", kinds]).out.splitlines():
        fields = line.split()
        if len(fields) >= 2:
            found[fields[0]] = {"enabled": fields[1], "active": False}
    for line in system.run(["systemctl", "list-units", "--no-legend", "--no-pager", "--plain", "--state=active", kinds]).out.splitlines():
        fields = line.split()
        if fields:
            found.setdefault(fields[0], {"enabled": "", "active": True})["active"] = True
    return found
