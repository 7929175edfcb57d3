# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a packet for an address could arrive at all, so that none is sent to nowhere.

Addresses that are set aside for documentation belong to nobody on the internet; a lab that uses them has routes of its own to
them, on links of its own. Without such a route they are sent neither to the default gateway nor to the link it is on.
"""
from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

NOBODY_S = tuple(map(ipaddress.ip_network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20")))
"""RFC 5737, RFC 3849, RFC 9637."""


def why_not(address: str, read: Callable[[str], str] | None = None) -> str:
    """Why nothing can arrive there; empty when it may. read: the contents of a file."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if not any(ip in network for network in NOBODY_S):
        return ""
    routes = list(_routes(ip.version, read or _contents))
    uplinks = {link for network, link in routes if network.prefixlen == 0 and link != "lo"}
    if any(network.prefixlen > 0 and ip in network and link not in uplinks for network, link in routes):
        return ""
    return f"{address} is an address for documentation and laboratories, and this machine has no route of its own to it"


def _contents(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except OSError:
        return ""


def _routes(version: int, read: Callable[[str], str]) -> Iterable[tuple[Network, str]]:
    """This machine's routes with the name of their link, those to the machine itself among them, but those that refuse."""
    if version == 4:
        for line in read("/proc/net/route").splitlines()[1:]:
            fields = line.split()
            if len(fields) > 7 and int(fields[3], 16) & 0x201 == 0x001:  # up, and not a rejecting one
                target, mask = (ipaddress.IPv4Address(int.from_bytes(bytes.fromhex(fields[number]), "little")) for number in (1, 7))
                yield ipaddress.ip_network(f"{target}/{mask}", strict=False), fields[0]
        for line in read("/proc/net/fib_trie").splitlines():
            word = line.strip().removeprefix("|-- ")
            if line.strip().startswith("|-- ") and not word.endswith((".0", ".255")):
                yield ipaddress.ip_network(f"{word}/32"), "lo"  # addresses of this machine
        return
    for line in read("/proc/net/ipv6_route").splitlines():
        fields = line.split()
        if len(fields) > 9 and int(fields[8], 16) & 0x201 == 0x001:
            yield ipaddress.IPv6Network((int(fields[0], 16), int(fields[1], 16))), fields[9]
