# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an operator may write as rules, and what is told about each mistake."""
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening.firewall.rules import Rule, parse, sources


def test_defaults_and_everything_given() -> None:
    assert parse([{"name": "web", "port": "80"}]) == (Rule("web", "tcp", 80, None, ("any",), "any"),)
    everything = {"name": "nodes", "port": 30000, "last_port": "32767", "protocol": "UDP", "from": ["10.0.0.0/8", "members", "db"], "role": "private"}
    assert parse([everything]) == (
        Rule("nodes", "udp", 30000, 32767, ("10.0.0.0/8", "members", "db"), "private"),)
    assert parse(None) == parse([]) == ()


def test_networks_are_written_as_the_kernel_shows_them() -> None:
    assert sources(["192.0.2.7", "2001:DB8:0::/64"], "x") == ("192.0.2.7/32", "2001:db8::/64")


@pytest.mark.parametrize(("rule", "words"), [
    ({"port": 80}, ["entry 1", "no name"]),
    ({"name": "a\"; flush ruleset", "port": 80}, ["its name is"]),
    ({"name": "a"}, ["rule 'a'", "no port"]),
    ({"name": "a", "port": 0}, ["port is 0", "1 to 65535"]),
    ({"name": "a", "port": 65536}, ["port is 65536"]),
    ({"name": "a", "port": "http"}, ["port is 'http'"]),
    ({"name": "a", "port": True}, ["port is True"]),
    ({"name": "a", "port": 80.5}, ["port is 80.5"]),
    ({"name": "a", "last_port": 80}, ["last_port and no port"]),
    ({"name": "a", "port": 90, "last_port": 80}, ["last_port 80 is below port 90"]),
    ({"name": "a", "port": 80, "last_port": 70000}, ["last_port is 70000"]),
    ({"name": "a", "port": 80, "protocol": "http"}, ["protocol is 'http'", "tcp, udp"]),
    ({"name": "a", "port": 80, "protocol": "icmp"}, ["icmp has no ports"]),
    ({"name": "a", "port": 80, "role": "internet"}, ["role is 'internet'", "public"]),
    ({"name": "a", "port": 80, "source": "10.0.0.0/8"}, ["'source' is no part of a rule"]),
    ({"name": "a", "port": 80, True: "private"}, ["write role"]),
    ({"name": "a", "port": 80, "from": []}, ["names no source"]),
    ({"name": "a", "port": 80, "from": ["10.0.0.5/24"]}, ["10.0.0.0/24 for the network", "10.0.0.5 for the address"]),
    ({"name": "a", "port": 80, "from": ["10.0.0.300"]}, ["'10.0.0.300' is no address"]),
    ({"name": "a", "port": 80, "from": ["2001:db8::/200"]}, ["'2001:db8::/200' is no address"]),
    ({"name": "a", "port": 80, "from": [None]}, ["None is no source"]),
    ({"name": "a", "protocol": "icmp", "from": ["2001:db8::/64"]}, ["icmp goes over IPv4", "icmpv6"]),
    ({"name": "a", "protocol": "icmpv6", "from": ["10.0.0.0/8"]}, ["icmpv6 goes over IPv6"]),
    ("web", ["entry 1", "dictionary"]),
])
def test_each_mistake_is_told_in_one_sentence(rule: Any, words: list[str]) -> None:
    with pytest.raises(FleetError) as failure:
        parse([rule])
    told = str(failure.value)
    assert "nothing was changed" in told and "fleet_firewall_rules" in told
    for word in words:
        assert word in told


@pytest.mark.parametrize("given", ["web", {"name": "a", "port": 80}, 7])
def test_rules_are_a_list(given: Any) -> None:
    with pytest.raises(FleetError, match="is no list"):
        parse(given)


def test_a_name_stands_for_one_rule() -> None:
    with pytest.raises(FleetError, match="is there twice"):
        parse([{"name": "a", "port": 80}, {"name": "a", "port": 81}])
