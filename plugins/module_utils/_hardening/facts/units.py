# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Packages that are installed and units of systemd with their states."""
from __future__ import annotations

from ..system import System


def packages(system: System) -> list[str]:
    """Names of what is installed (dpkg or rpm), sorted; raises ValueError where neither is."""
    if system.has("dpkg-query"):
        answer = system.run(["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}\n"])
        return sorted({line.split()[1] for line in answer.out.splitlines() if line.startswith("installed ")})
    if system.has("rpm"):
        return sorted(set(system.run(["rpm", "-qa", "--qf", "%{NAME}\\n"]).out.split()))
    raise ValueError("neither dpkg nor rpm is here")


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
