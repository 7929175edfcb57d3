# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The machines behind the lab's Redfish endpoint, as data."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class System:
    """One machine as its BMC knows it. A BMC knows MAC addresses, not the addresses of the system that runs."""

    uuid: str
    name: str
    serial: str
    asset: str
    model: str
    power: str  # "On" or "Off"
    macs: tuple[str, ...]


SYSTEMS = (
    System(
        "43000000-0000-4000-8000-000000000001",
        "r43-u01",
        "SN-4301",
        "r43/u01",
        "PowerEdge R650",
        "On",
        ("52:54:00:43:01:01", "52:54:00:43:01:02"),
    ),
    System(
        "43000000-0000-4000-8000-000000000002",
        "r43-u02",
        "SN-4302",
        "r43/u02",
        "PowerEdge R650",
        "On",
        ("52:54:00:43:02:01",),
    ),
    System(
        "43000000-0000-4000-8000-000000000003",
        "r43-u03",
        "SN-4303",
        "r43/u03",
        "ProLiant DL360",
        "Off",
        ("52:54:00:43:03:01",),
    ),
    System(
        "43000000-0000-4000-8000-000000000004",
        "r43-u04",
        "SN-4304",
        "r43/u04",
        "ProLiant DL360",
        "On",
        ("52:54:00:43:04:01", "52:54:00:43:04:02"),
    ),
)


def fake_driver_systems() -> list[dict[str, Any]]:
    """The systems in the form of sushy-tools' SUSHY_EMULATOR_FAKE_SYSTEMS."""
    return [
        {
            "uuid": system.uuid,
            "name": system.name,
            "power_state": system.power,
            "external_notifier": False,
            "nics": [{"mac": mac} for mac in system.macs],
        }
        for system in SYSTEMS
    ]
