# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Classes of addresses: the table's borders, and what other libraries answer differently."""
from __future__ import annotations

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.address_class import PUBLIC, classify


@pytest.mark.parametrize(
    ("ip", "family", "klass"),
    [
        ("9.255.255.255", 4, PUBLIC), ("10.0.0.0", 4, "private (RFC 1918)"), ("10.255.255.255", 4, "private (RFC 1918)"),
        ("11.0.0.0", 4, PUBLIC), ("172.15.255.255", 4, PUBLIC), ("172.16.0.1", 4, "private (RFC 1918)"),
        ("172.31.255.255", 4, "private (RFC 1918)"), ("172.32.0.0", 4, PUBLIC), ("192.168.1.1", 4, "private (RFC 1918)"),
        ("100.63.255.255", 4, PUBLIC), ("100.64.0.1", 4, "carrier-grade NAT (RFC 6598)"),
        ("100.127.255.255", 4, "carrier-grade NAT (RFC 6598)"), ("100.128.0.0", 4, PUBLIC),
        ("169.254.169.254", 4, "link-local"), ("127.0.0.1", 4, "loopback"), ("198.18.0.1", 4, "benchmarking (RFC 2544)"),
        ("224.0.0.1", 4, "multicast"), ("255.255.255.255", 4, "reserved (RFC 1112)"), ("0.0.0.0", 4, "this-network (RFC 791)"),
        ("192.0.2.1", 4, PUBLIC), ("198.51.100.7", 4, PUBLIC), ("203.0.113.5", 4, PUBLIC),
        ("2001:db8::1", 6, PUBLIC), ("2600::1", 6, PUBLIC), ("3fff::1", 6, PUBLIC), ("2001:200::1", 6, PUBLIC),
        ("2001::1", 6, "protocol assignments (RFC 2928)"), ("2002:a00::1", 6, "6to4 (RFC 3056)"),
        ("fd00::5", 6, "unique local (RFC 4193)"), ("fc00::1", 6, "unique local (RFC 4193)"), ("fe80::1", 6, "link-local"),
        ("fec0::1", 6, "site-local (RFC 3879)"), ("ff02::1", 6, "multicast"), ("::1", 6, "loopback"),
        ("64:ff9b::1", 6, "NAT64 (RFC 6052)"), ("64:ff9b:1::1", 6, "local NAT64 (RFC 8215)"),
        ("::ffff:10.0.0.1", 6, "IPv4-mapped"), ("::", 6, "not global unicast"), ("4000::1", 6, "not global unicast"),
    ],
)
def test_classify(ip: str, family: int, klass: str) -> None:
    assert classify(ip) == (family, klass)


def test_no_address() -> None:
    with pytest.raises(ValueError, match="not-an-ip"):
        classify("not-an-ip")
