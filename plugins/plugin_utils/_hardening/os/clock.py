# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Control ``time_sync``: one service keeps the clock, by the cloud's own servers where it has any."""
from __future__ import annotations

from ..decision import Decision, Item
from .asked import Asked, file, plain_file

TIMESYNCD = "systemd-timesyncd.service"
OTHERS = ("chrony.service", "chronyd.service", "ntpsec.service", "ntp.service", "ntpd.service", "openntpd.service")
CLOUDS = {"aws": "169.254.169.123", "gce": "169.254.169.254"}
"""Servers of the cloud's own link: nothing has to be opened for them, and they are the nearest."""


def time_sync(asked: Asked) -> Decision:
    if asked.container and not asked.options.variables.get("time_sync_in_containers"):
        return asked.leave("the clock belongs to the machine below this container")
    other = next((unit for unit in OTHERS if asked.state(unit).get("active") or asked.state(unit).get("enabled") == "enabled"), "")
    if other:
        items: list[Item] = [{"kind": "unit", "name": other, "enabled": True, "active": True}]
        if asked.state(TIMESYNCD):
            items.append({"kind": "unit", "name": TIMESYNCD, "enabled": False, "active": False, "masked": True})
        return asked.do([*_sources(asked, other), *items] if other.startswith("chrony") else items, notes=[f"{other} keeps the clock already"])
    chrony = asked.packages("chrony") if asked.values["chrony"] else ()
    present = chrony or asked.packages("time_sync")
    if "chrony" in present:
        unit = asked.units("chrony")[0]
        runs = {"kind": "unit", "name": unit, "enabled": True, "active": True, "package": "chrony"}
        return asked.do([*_sources(asked, unit), runs], present=present,
                        replaced=[name for name in asked.packages("time_sync") if name not in present and asked.has(name)])
    servers = _servers(asked) or _pool(asked)
    return asked.do([file("/etc/systemd/timesyncd.conf.d/hybridops-fleet.conf", f"[Time]\nNTP={' '.join(servers)}\n", notify=["timesyncd"]),
                     {"kind": "unit", "name": asked.unit("timesyncd"), "masked": False, "enabled": True, "active": True,
                      "package": "systemd-timesyncd"}],
                    present=present)


# ---------------------------------------------------------------------------------------------------- details
def _servers(asked: Asked) -> list[str]:
    """What the operator says, else the cloud's."""
    own = CLOUDS.get(str(asked.options.node.get("fleet_provider")))
    return [str(server) for server in asked.values["servers"]] or ([own] if own else [])


def _pool(asked: Asked) -> list[str]:
    ubuntu = (asked.facts.get("os") or {}).get("id") == "ubuntu"
    return ["ntp.ubuntu.com"] if ubuntu else [f"{number}.debian.pool.ntp.org" for number in range(4)]


def _sources(asked: Asked, unit: str) -> list[Item]:
    """Servers for chrony, besides the distribution's pool, which stays for when none of them answers."""
    servers = _servers(asked)
    if not servers:
        return []
    lines = "".join(f"server {server} iburst prefer\n" for server in servers)
    if asked.debian:
        return [plain_file("/etc/chrony/sources.d/hybridops-fleet.sources", lines, notify=[f"unit:{unit}"])]
    return [{"kind": "block", "path": "/etc/chrony.conf", "content": lines, "notify": [f"unit:{unit}"]}]
