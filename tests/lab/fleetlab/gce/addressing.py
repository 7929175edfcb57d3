# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Addresses the emulator hands out; public ones from the ranges kept for documentation (RFC 5737, RFC 3849)."""

from __future__ import annotations

import ipaddress
import secrets

from .errors import ApiError

EXTERNAL_IPV4 = ("192.0.2.128/25",)  # the other parts of the lab live elsewhere: one mixed fleet, no address twice
EXTERNAL_IPV6 = "2001:db8:6ce::/48"  # subnetworks take their /64 here
ULA = "fd20::/20"  # networks take their /48 here, as Google does

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Pool:
    """Addresses, or blocks of one size, out of some ranges.

    They are handed out in turn, so that one given back is not handed out again at once: a client that remembers an
    old address finds somebody else there only after a while, as in the cloud.
    """

    def __init__(self, ranges: tuple[str, ...], block: int, first: int = 2, kept_at_end: int = 2) -> None:
        """
        :param block: prefix length of what is handed out (32 or 128: single addresses).
        :param first: how many blocks at the start of each range stay unused (network address, gateway).
        """
        self._ranges: list[_Network] = [ipaddress.ip_network(text) for text in ranges]
        self._block, self._first, self._kept_at_end = block, first, kept_at_end
        self._used: set[str] = set()
        self._next = 0

    def _at(self, position: int) -> str:
        """The address at a position counted over all ranges."""
        for network in self._ranges:
            count = self._count(network)
            if position < count:
                size = int(2 ** (network.max_prefixlen - self._block))
                return str(network.network_address + (position + self._first) * size)
            position -= count
        raise IndexError(position)

    def _count(self, network: _Network) -> int:
        return max(0, int(2 ** (self._block - network.prefixlen)) - self._first - self._kept_at_end)

    def __contains__(self, address: str) -> bool:
        return any(ipaddress.ip_address(address) in network for network in self._ranges)

    def take(self) -> str:
        """The next free one.

        :raises ApiError: 400 IP_SPACE_EXHAUSTED.
        """
        total = sum(self._count(network) for network in self._ranges)
        for _attempt in range(min(total, len(self._used) + 1)):
            address = self._at(self._next % total)
            self._next += 1
            if address not in self._used:
                self._used.add(address)
                return address
        space = ", ".join(str(network) for network in self._ranges)
        raise ApiError(400, "ipSpaceExhausted", f"IP space of '{space}' is exhausted.")

    def take_this(self, address: str) -> bool:
        """Take a chosen one; False when it is taken or not of this pool."""
        if address in self._used or address not in self:
            return False
        self._used.add(address)
        return True

    def give_back(self, address: str) -> None:
        self._used.discard(address)


class AddressPlan:
    """All pools of one emulator."""

    def __init__(self, external_ipv4: tuple[str, ...] = EXTERNAL_IPV4) -> None:
        self.external_ipv4 = Pool(external_ipv4, 32, first=1, kept_at_end=1)
        self._external_prefixes = Pool((EXTERNAL_IPV6,), 64, first=1, kept_at_end=0)
        self._subnets: dict[str, Pool] = {}

    def external_prefix(self) -> str:
        """A fresh public /64 for a subnetwork."""
        return f"{self._external_prefixes.take()}/64"

    @staticmethod
    def ula_range() -> str:
        """A fresh private /48 for a network, chosen at random as RFC 4193 asks."""
        base = int(ipaddress.IPv6Network(ULA).network_address)
        return f"{ipaddress.IPv6Address(base + (secrets.randbelow(2**28) << 80))}/48"

    @staticmethod
    def ula_prefix(network_range: str, number: int) -> str:
        """The /64 of the numbered subnetwork of a network's /48."""
        base = int(ipaddress.IPv6Network(network_range).network_address)
        return f"{ipaddress.IPv6Address(base + (number << 64))}/64"

    def ipv4(self, cidr: str, subnetwork: str) -> Pool:
        """Private addresses of one subnetwork (Google keeps the first two and the last two of a range)."""
        return self._subnets.setdefault(f"{subnetwork} {cidr}", Pool((cidr,), 32))

    def ipv6(self, prefix: str, subnetwork: str) -> Pool:
        """The /96 blocks of one subnetwork's /64: an interface gets a block, and uses its first address."""
        return self._subnets.setdefault(f"{subnetwork} {prefix}", Pool((prefix,), 96, first=1, kept_at_end=0))
