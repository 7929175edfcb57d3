# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Requirements: what is understood, and that everything else is refused in a sentence that names the place."""
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetFileError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.actions import SecurityRule
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.requirement import (
    FlavorWish,
    ImageWish,
    NetworkWish,
    Requirement,
    parse,
    with_key,
)

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 someone"


def test_all_of_it() -> None:
    wanted = parse({
        "name": "web-1", "image": {"distro": "debian", "version": "12", "arch": "AMD64"}, "flavor": {"vcpus": 2, "memory_mib": "2048"},
        "network": {"name": "dmz", "reachable": "any", "families": ["ipv6"]}, "scope": "r1", "zone": "z1", "ssh_key": "k", "public_key": KEY,
        "login_user": "fleet-boot", "tags": {"role": "web", "n": 3, "on": True}, "user_data": "#cloud-config\n",
        "security": {"allow": [{"port": 22, "from": ["203.0.113.0/24"]}, {"port": 80, "last_port": 81}, {"protocol": "icmp"}]},
    }, "x")
    assert wanted == Requirement(
        "web-1", ImageWish(distro="debian", version="12", arch="x86_64"), FlavorWish(None, 2, 2048), NetworkWish("dmz", "any", ("ipv6",)),
        "r1", "z1", "k", KEY, "fleet-boot", {"role": "web", "n": "3", "on": "true"},
        (SecurityRule(22, 22, "tcp", ("203.0.113.0/24",)), SecurityRule(80, 81, "tcp", ("0.0.0.0/0", "::/0")),
         SecurityRule(None, None, "icmp", ("0.0.0.0/0", "::/0"))), "#cloud-config\n")


def test_the_least() -> None:
    assert parse({"name": "a"}, "x") == Requirement("a")
    assert parse({"name": "a"}, "x").network == NetworkWish(None, "public", ())
    assert parse({"name": "a", "security": None, "image": None, "network": {"reachable": None, "families": None}}, "x").rules is None
    assert parse({"name": "a", "security": {}}, "x").rules == ()
    assert parse({"name": "a", "security": {"allow": []}}, "x").rules == ()


def test_a_version_that_yaml_took_for_a_number() -> None:
    assert parse({"name": "a", "image": {"version": 12}}, "x").image.version == "12"
    with pytest.raises(FleetFileError, match="Put it in quotes"):
        parse({"name": "a", "image": {"version": 24.10}}, "x")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "name: is missing"),
        ([], "expected a mapping, found a list"),
        (None, "expected a mapping"),
        ({"name": "-a"}, "'-a' is not a node's name"),
        ({"name": "a" * 64}, "at most 63"),
        ({"name": "a b"}, "is not a node's name"),
        ({"name": "a\n"}, "is not a node's name"),
        ({"name": "a*"}, "is not a node's name"),
        ({"name": 5}, "name: expected a string, found 5"),
        ({"name": "a", "flavour": {}}, "unknown key 'flavour'. Did you mean 'flavor'?"),
        ({"name": "a", "image": "debian"}, "image: expected a mapping, found the string 'debian'"),
        ({"name": "a", "image": {"os": "debian"}}, "image: unknown key 'os'"),
        ({"name": "a", "flavor": {"vcpus": 0}}, "flavor.vcpus: 0 is not more than 0"),
        ({"name": "a", "flavor": {"memory_mib": "2 GiB"}}, "flavor.memory_mib: expected a whole number, found the string '2 GiB'"),
        ({"name": "a", "flavor": {"vcpus": True}}, "flavor.vcpus: expected a whole number, found true"),
        ({"name": "a", "network": {"reachable": "yes"}}, "'yes' is not possible here. Choose of: public, private, any."),
        ({"name": "a", "network": {"families": ["ipv5"]}}, "'ipv5' is not possible here"),
        ({"name": "a", "network": {"families": ["ipv4", "ipv4"]}}, "names one family twice"),
        ({"name": "a", "network": {"families": "ipv4"}}, "Write families: [ipv4]."),
        ({"name": "a", "tags": {"x": None}}, "tag 'x' must be a string"),
        ({"name": "a", "tags": {"x": ["y"]}}, "tag 'x' must be a string"),
        ({"name": "a", "tags": {"fleet_node": "b"}}, "the collection's own mark"),
        ({"name": "a", "tags": ["x"]}, "tags: expected a mapping, found a list"),
        ({"name": "a", "security": {"allow": [{}]}}, "security.allow[0].port: is missing"),
        ({"name": "a", "security": {"allow": [{"port": 70000}]}}, "70000 is not a port (1 to 65535)"),
        ({"name": "a", "security": {"allow": [{"port": 0}]}}, "0 is not a port"),
        ({"name": "a", "security": {"allow": [{"port": 80, "last_port": 22}]}}, "security.allow[0].last_port: 22 is below port 80"),
        ({"name": "a", "security": {"allow": [{"protocol": "icmp", "port": 8}]}}, "icmp has no ports"),
        ({"name": "a", "security": {"allow": [{"protocol": "gre", "port": 8}]}}, "'gre' is not possible here"),
        ({"name": "a", "security": {"allow": [{"port": 1, "from": []}]}}, "write 0.0.0.0/0 and ::/0 for everywhere"),
        ({"name": "a", "security": {"allow": [{"port": 1, "from": ["203.0.113.7/24"]}]}}, "is not a network in CIDR form"),
        ({"name": "a", "security": {"allow": [{"port": 1, "from": ["everywhere"]}]}}, "'everywhere' is not a network in CIDR form"),
        ({"name": "a", "security": {"allow": {"port": 1}}}, "security.allow: expected a list of mappings, found a mapping"),
        ({"name": "a", "login_user": "root; reboot"}, "'root; reboot' is not a user name"),
        ({"name": "a", "public_key": "AAAA"}, "public_key: is not a line of the form 'ssh-ed25519 AAAA... comment'"),
        ({"name": "a", "public_key": f"{KEY}\n{KEY}"}, "is not a line of the form"),
        ({"name": "a", "public_key": "-----BEGIN OPENSSH PRIVATE KEY-----\nsecret"}, "but a private key"),
    ])
def test_what_cannot_be_meant(given: Any, said: str) -> None:
    with pytest.raises(FleetFileError) as caught:
        parse(given, "node 'a'")
    assert said in str(caught.value)
    assert str(caught.value).startswith("node 'a': ")
    assert "secret" not in str(caught.value)


def test_words_by_which_a_provider_narrows_its_list() -> None:
    assert parse({"name": "a", "image": {"distro": "Debian", "version": "12", "name": "X*"}}, "x").image.words() == ("x*", "debian")


def test_with_key() -> None:
    assert with_key(Requirement("a"), KEY).public_key == KEY
