# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rule order of network roles: each rule alone, and each against the weaker ones."""
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.network_role import OperatorRoles, role_of
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import AddressEvidence, InterfaceEvidence

NET = InterfaceEvidence(network="tenant-net", network_id="net-1")


def role(ip: str, network: str | None = "tenant-net", **seen: Any) -> str:
    context = {key: seen.pop(key) for key in ("access_ips", "nat_targets", "operator") if key in seen}
    decision = role_of(AddressEvidence(ip, **seen), InterfaceEvidence(network=network, network_id="net-1"), **context)
    assert decision.why, "every decision has a reason"
    return str(decision.value)


EXTERNAL = {"routed": True, "routed_why": "network 'Ext-Net' is router:external"}
KNOWN = {"network_known": True, "routed_why": "network 'tenant-net' is not external"}
NAT = {"nat_of": "10.0.0.5", "nat_kind": "floating IP"}


@pytest.mark.parametrize(
    ("ip", "seen", "expected"),
    [
        # 2: 1:1 NAT
        ("203.0.113.5", NAT, "floating"),
        ("10.8.0.5", NAT, "external"),
        ("100.64.0.9", NAT, "external"),
        ("203.0.113.5", {"nat_kind": "floating IP"}, "floating"),
        # 3: the network
        ("198.51.100.5", EXTERNAL, "public"),
        ("10.8.0.5", EXTERNAL, "external"),
        ("100.64.0.5", EXTERNAL, "external"),
        ("2001:db8::5", EXTERNAL, "public"),
        ("fd00::5", EXTERNAL, "external"),
        ("2001:db8::5", {"routed": False, "routed_why": "no route to an internet gateway"}, "private"),
        ("203.0.113.5", {"routed": False, "routed_why": "VPC addresses leave only through NAT"}, "private"),
        ("198.51.100.5", KNOWN, "public"),
        ("10.0.0.5", KNOWN, "private"),
        ("fd00::5", KNOWN, "private"),
        ("100.64.0.5", KNOWN, "private"),
        ("198.51.100.5", {"nat_targets": frozenset({"198.51.100.5"}), **KNOWN}, "private"),
        # 4: the advertised address, when the node has it
        ("10.8.0.5", {"access_ips": ("10.8.0.5",), **KNOWN}, "external"),
        ("10.8.0.5", {"access_ips": ("192.0.2.99",), **KNOWN}, "private"),
        # 5: names, with nothing better
        ("10.0.0.5", {"network": "private"}, "private"),
        ("10.0.0.5", {"network": "inap-100-LAN1234"}, "private"),
        ("10.5.5.5", {"network": "public"}, "external"),
        ("10.5.5.5", {"network": "Ext-Net"}, "external"),
        ("fd00::5", {"network": "public"}, "external"),
        ("10.5.5.5", {"network": "public", **KNOWN}, "private"),
        ("198.51.100.5", {"network": "private"}, "public"),
        # 6: otherwise
        ("10.0.0.5", {"network": "net7"}, "unknown"),
        ("10.0.0.5", {"network": None}, "unknown"),
        ("10.0.0.5", {"network": "net7", "nat_targets": frozenset({"10.0.0.5"})}, "private"),
        ("10.0.0.5", {"network": "publication"}, "unknown"),
        ("fe80::1", EXTERNAL, "private"),
        ("2001:db8::5", {"routed_why": "subnet-1 has a route table that could not be read"}, "unknown"),
    ],
)
def test_rules(ip: str, seen: dict[str, Any], expected: str) -> None:
    assert role(ip, **seen) == expected


@pytest.mark.parametrize("stronger", [NAT, EXTERNAL, KNOWN, {"access_ips": ("203.0.113.5",)}])
def test_the_operator_has_the_first_word(stronger: dict[str, Any]) -> None:
    by_cidr = OperatorRoles({"203.0.113.0/24": "management"}, "fleet.yml")
    assert role("203.0.113.5", operator=by_cidr, **stronger) == "management"


def test_clouds_yaml_comes_before_the_cloud() -> None:
    decided = role_of(AddressEvidence("198.51.100.5", operator_role="private", operator_why="clouds.yaml says so", **EXTERNAL), NET)
    assert decided == ("private", "clouds.yaml says so")


def test_a_network_statement_does_not_speak_of_nat_addresses() -> None:
    operator = OperatorRoles({"tenant-net": "private"}, "fleet.yml")
    assert role("203.0.113.5", operator=operator, **NAT) == "floating"
    assert role("198.51.100.5", operator=operator) == "private"


def test_the_longest_prefix_wins_and_ids_work() -> None:
    operator = OperatorRoles({"10.0.0.0/8": "private", "10.8.0.0/16": "external", "net-1": "management"}, "fleet.yml")
    assert role("10.8.0.1", operator=operator) == "external"
    assert role("10.9.0.1", operator=operator) == "private"
    assert role("192.168.0.1", operator=operator) == "management"
