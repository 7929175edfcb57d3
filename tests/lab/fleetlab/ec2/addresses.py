# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lab's public IPv4 addresses: a documentation range, so that no packet can reach somebody's real machine."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection

RANGE = ipaddress.IPv4Network("203.0.113.0/24")
# Upper halves of each quarter: the lab's OpenStack gives the lower ones (seed_network.py), for no two machines may share an address.
# Each region has its own part, so an address tells at a glance where it is from; further regions share the rest.
PARTS = {
    "us-east-1": ipaddress.IPv4Network("203.0.113.32/27"),
    "eu-west-1": ipaddress.IPv4Network("203.0.113.96/27"),
    "us-west-2": ipaddress.IPv4Network("203.0.113.160/27"),
}
REST = ipaddress.IPv4Network("203.0.113.224/27")


class PublicAddresses:
    """Gives out addresses in turn, so that a released one comes back late (AWS gives another after stop and start).

    It keeps no list of what is given: the caller says what is in use, which cannot go stale.
    """

    def __init__(self) -> None:
        self._next: dict[ipaddress.IPv4Network, int] = {}

    def take(self, region: str, in_use: Collection[str]) -> str | None:
        """The next free address of that region as text, or None when all of its part are in use."""
        part = PARTS.get(region, REST)
        hosts = [str(host) for host in part.hosts()][::-1]
        first = self._next.get(part, 0)
        for step in range(len(hosts)):
            place = (first + step) % len(hosts)
            if hosts[place] not in in_use:
                self._next[part] = place + 1
                return hosts[place]
        return None


class Ipv6Blocks:
    """Blocks for VPCs with an Amazon-provided IPv6 range: /56 each, out of the documentation range."""

    RANGE = ipaddress.IPv6Network("2001:db8:ec20::/44")

    def __init__(self) -> None:
        self._blocks = self.RANGE.subnets(new_prefix=56)

    def take(self) -> str:
        """The next block as text. There are 4096; running out raises StopIteration."""
        return str(next(self._blocks))
