# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The machines of the recorded clouds: the same names, tags and addresses whichever cloud shows them."""
from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

ROLES = ("web", "db", "app", "cache", "queue")
ENVIRONMENTS = ("prod", "stage", "dev")
OWNERS = ("payments", "search", "platform", "mobile", None)  # one in five has no such tag
ZONES = ("a", "b", "c")
PUBLIC_V4 = ("192.0.2", "198.51.100", "203.0.113")


class Machine(NamedTuple):
    """One machine. zone is a letter; public_v4 is None for three of four, public_v6 for all but every third."""

    number: int
    name: str
    tags: dict[str, str]
    zone: str
    image: int
    private_v4: str
    public_v4: str | None
    public_v6: str | None
    mac: str


FIRST = {"aws": 0, "openstack": 30_000, "gce": 60_000}
"""Number of the first machine of each cloud: no name and no inside address is in two clouds."""


def machines(count: int, first: int = 0) -> Iterator[Machine]:
    """That many machines, the same ones every time; their names hold their numbers, from first on.

    Inside addresses are all different. Public IPv4 addresses repeat, as only documentation ranges are allowed here.
    """
    for number in range(first, first + count):
        role, environment = ROLES[number % 5], ENVIRONMENTS[number % 3]
        owner = OWNERS[number // 15 % 5]
        tags = {"env": environment, "role": role, "team": f"team-{number % 20}", "cost-center": str(4000 + number % 50)}
        if owner:
            tags["owner"] = owner
        yield Machine(
            number=number,
            name=f"{role}-{environment}-{number:05}",
            tags=tags,
            zone=ZONES[number // 7 % 3],
            image=number // 11 % 4,
            private_v4=f"10.{number >> 14 & 255}.{number >> 6 & 255}.{(number & 63) + 10}",
            public_v4=f"{PUBLIC_V4[number // 4 % 3]}.{number // 12 % 250 + 1}" if number % 4 == 0 else None,
            public_v6=f"2001:db8:{number >> 16:x}::{number & 65535:x}" if number % 3 == 0 else None,
            mac=f"06:00:{number >> 24 & 255:02x}:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}",
        )
