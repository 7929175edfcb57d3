# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Classes of IP addresses by a table of our own: what the internet routes, and what it does not.

Python's ``ipaddress.is_global`` answers differently between releases and calls documentation ranges private. Here the
documentation ranges (RFC 5737, RFC 3849) count as public, because the lab and the tests use only those.
Source of the ranges: the IANA IPv4 and IPv6 special-purpose address registries.
"""
from __future__ import annotations

import functools
import ipaddress
import socket

PUBLIC = "public"

_V4 = (
    ("0.0.0.0/8", "this-network (RFC 791)"),
    ("10.0.0.0/8", "private (RFC 1918)"),
    ("100.64.0.0/10", "carrier-grade NAT (RFC 6598)"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local"),
    ("172.16.0.0/12", "private (RFC 1918)"),
    ("192.0.0.0/24", "protocol assignments (RFC 6890)"),
    ("192.88.99.0/24", "6to4 relay (RFC 7526)"),
    ("192.168.0.0/16", "private (RFC 1918)"),
    ("198.18.0.0/15", "benchmarking (RFC 2544)"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved (RFC 1112)"),
)
_V6 = (
    ("2001:db8::/32", PUBLIC),
    ("2001::/23", "protocol assignments (RFC 2928)"),
    ("2002::/16", "6to4 (RFC 3056)"),
    ("2000::/3", PUBLIC),
    ("fc00::/7", "unique local (RFC 4193)"),
    ("fe80::/10", "link-local"),
    ("fec0::/10", "site-local (RFC 3879)"),
    ("ff00::/8", "multicast"),
    ("::1/128", "loopback"),
    ("64:ff9b:1::/48", "local NAT64 (RFC 8215)"),
    ("64:ff9b::/96", "NAT64 (RFC 6052)"),
    ("::ffff:0:0/96", "IPv4-mapped"),
    ("::/0", "not global unicast"),
)


def _rows(table: tuple[tuple[str, str], ...]) -> tuple[tuple[int, int, str], ...]:
    rows = []
    for prefix, name in table:
        network = ipaddress.ip_network(prefix)
        rows.append((int(network.network_address), int(network.netmask), name))
    return tuple(rows)


_V4_ROWS = _rows(_V4)
_V6_ROWS = _rows(_V6)


@functools.lru_cache(maxsize=65536)
def classify(ip: str) -> tuple[int, str]:
    """Family (4 or 6) and class of an address: ``"public"`` or the name of a range the internet does not route.

    Raises ValueError when ip is not an address.
    """
    family, number = _number(ip)
    if family == 4:
        for start, mask, name in _V4_ROWS:
            if number & mask == start:
                return 4, name
        return 4, PUBLIC
    for start, mask, name in _V6_ROWS:
        if number & mask == start:
            return 6, name
    raise AssertionError("the last row of the table matches every address")


def _number(ip: str) -> tuple[int, int]:
    """Family and value of an address. IPv4, nearly all there is, without ipaddress: it takes the same and eight times as
    long."""
    try:
        return 4, int.from_bytes(socket.inet_pton(socket.AF_INET, ip), "big")
    except (OSError, TypeError):
        address = ipaddress.ip_address(ip)
        return address.version, int(address)
