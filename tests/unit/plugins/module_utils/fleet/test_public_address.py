# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which address a node is reached by, per family."""
from __future__ import annotations

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.address_class import classify
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.public_address import Reach, choose
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import Address, Interface


def reach(*addresses: tuple[str, str], stale: tuple[str, ...] = ()) -> Reach:
    """One interface for each (ip, role); roles floating and external+ are NATed."""
    return choose([
        Interface(f"net{number}", None, role, None, 1500, (
            Address(ip, classify(ip)[0], role.rstrip("+"), "10.0.0.5" if role in ("floating", "external+") else None, "seen"),))
        for number, (ip, role) in enumerate(addresses)
    ], stale)


@pytest.mark.parametrize(
    ("addresses", "public", "private", "role", "on_interface"),
    [
        ([], (None, None), (None, None), "unknown", None),
        ([("10.0.0.5", "private")], (None, None), ("10.0.0.5", None), "private", None),
        ([("10.0.0.5", "private"), ("203.0.113.9", "floating")], ("203.0.113.9", None), ("10.0.0.5", None), "floating", False),
        ([("203.0.113.9", "floating"), ("198.51.100.7", "public")], ("198.51.100.7", None), (None, None), "public", True),
        ([("192.168.1.4", "private"), ("198.51.100.7", "public"), ("2001:db8::7", "public")],
         ("198.51.100.7", "2001:db8::7"), ("192.168.1.4", None), "public", True),
        ([("10.0.0.5", "private"), ("203.0.113.9", "floating"), ("2001:db8::7", "public")],
         ("203.0.113.9", "2001:db8::7"), ("10.0.0.5", None), "public", False),
        ([("2001:db8::7", "public")], (None, "2001:db8::7"), (None, None), "public", True),
        ([("10.8.0.4", "external")], ("10.8.0.4", None), (None, None), "external", True),
        ([("10.0.0.5", "private"), ("10.8.0.4", "external+")], ("10.8.0.4", None), ("10.0.0.5", None), "external", False),
        ([("10.8.0.4", "external"), ("2001:db8::7", "public")], (None, "2001:db8::7"), (None, None), "public", True),
        ([("10.1.0.1", "management"), ("10.0.0.5", "private")], (None, None), ("10.0.0.5", None), "private", None),
        ([("10.0.0.5", "unknown")], (None, None), ("10.0.0.5", None), "unknown", None),
        ([("198.51.100.5", "unknown")], (None, None), (None, None), "unknown", None),
        ([("fd00::5", "private"), ("10.0.0.5", "private")], (None, None), ("10.0.0.5", "fd00::5"), "private", None),
        ([("169.254.1.1", "private"), ("10.0.0.5", "private")], (None, None), ("10.0.0.5", None), "private", None),
    ],
)
def test_choice(addresses, public, private, role, on_interface) -> None:  # type: ignore[no-untyped-def]
    found = reach(*addresses)
    assert (found.public_ipv4, found.public_ipv6) == public
    assert (found.private_ipv4, found.private_ipv6) == private
    assert found.role == role
    assert found.on_interface is on_interface
    assert found.public_ip == (public[0] or public[1])


def test_the_reason_names_what_was_rejected() -> None:
    found = reach(("198.51.100.7", "public"), ("203.0.113.9", "floating"), stale=("192.0.2.99",))
    assert "198.51.100.7: seen" in found.why_public
    assert "not chosen: 203.0.113.9 (floating)" in found.why_public
    assert "192.0.2.99 ignored" in found.why_public


def test_the_reason_for_an_external_address_says_that_nothing_better_was_found() -> None:
    assert "nothing better" in reach(("10.8.0.4", "external")).why_public


def test_without_a_public_address_the_reason_says_what_was_seen() -> None:
    assert reach(("10.0.0.5", "private")).why_public == "none: 10.0.0.5 is private (seen)"
    assert "no address" in reach().why_public
