# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What holds for every cloud, whoever made it."""
from __future__ import annotations

import fnmatch
import ipaddress
import json
import re
from datetime import datetime

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.records import as_dict, from_dict
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import ROLES, STATES

from .conftest import CLOUDS, Read, nodes

pytestmark = pytest.mark.parametrize("cloud", CLOUDS)


def test_every_node_is_whole(read: Read, cloud: str) -> None:
    found = nodes(read(cloud))
    assert found, "the lab's seed put nodes into every cloud"
    assert len({(node.region, node.account, node.id) for node in found}) == len(found)
    for node in found:
        assert node.state in STATES
        assert node.cloud == cloud
        assert node.network_role in ROLES
        assert node.why.public_ip
        assert node.why.login_user
        assert node.why.network_role.startswith(node.network_role)
        assert all(isinstance(key, str) and isinstance(value, str) for key, value in node.tags.items())
        assert node.created is None or datetime.strptime(node.created, "%Y-%m-%dT%H:%M:%SZ")
        assert node.arch in (None, "x86_64", "aarch64")
        assert from_dict(json.loads(json.dumps(as_dict(node)))) == node


def test_addresses_belong_to_interfaces(read: Read, cloud: str) -> None:
    for node in nodes(read(cloud)):
        addresses = {address.ip: address for interface in node.interfaces for address in interface.addresses}
        for family, public, private in ((4, node.public_ipv4, node.private_ipv4), (6, node.public_ipv6, node.private_ipv6)):
            assert public is None or addresses[public].family == family
            assert public is None or addresses[public].role in ("public", "floating", "external")
            assert private is None or addresses[private].role in ("private", "unknown")
        for ip, address in addresses.items():
            assert ipaddress.ip_address(ip).version == address.family
            assert address.role in ROLES
            assert address.why
            assert address.nat_of is None or address.nat_of in addresses, "NAT is bound to the address it maps to"
        if node.public_ip:
            assert node.public_ip_on_interface is (addresses[node.public_ip].nat_of is None)


def test_public_addresses_are_of_documentation_ranges(read: Read, cloud: str) -> None:
    ranges = [ipaddress.ip_network(text) for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")]
    for node in nodes(read(cloud)):
        for ip in filter(None, (node.public_ipv4, node.public_ipv6)):
            address = ipaddress.ip_address(ip)
            assert node.network_role == "external" or any(address.version == net.version and address in net for net in ranges)


def test_two_readings_are_equal(read: Read, cloud: str) -> None:
    assert nodes(read(cloud)) == nodes(read(cloud))


def test_filters_leave_the_same_nodes_as_sorting_out_afterwards(read: Read, cloud: str) -> None:
    every = nodes(read(cloud))
    running = [node.id for node in every if node.state == "running"]
    assert [node.id for node in nodes(read(cloud, filters={"states": ["running"]}))] == running
    named = every[0].name or every[0].id
    for pattern in (named, named[:3] + "*"):
        wanted = [node.id for node in every if fnmatch.fnmatchcase(node.name or node.id, pattern)]
        assert [node.id for node in nodes(read(cloud, filters={"names": [pattern]}))] == wanted
    tag, value = next(((tag, value) for node in every for tag, value in node.tags.items()), ("none", "x"))
    wanted = [node.id for node in every if node.tags.get(tag) == value]
    plain = value if not re.search(r"[*?\[]", value) else re.sub(r"[*?\[]", "?", value)
    assert [node.id for node in nodes(read(cloud, filters={"tags": {tag: plain}}))] == wanted
    assert [node.id for node in nodes(read(cloud, filters={"tags": {tag: None}}))] == [node.id for node in every if tag in node.tags]
    assert nodes(read(cloud, filters={"tags": {"no-such-tag": "x"}})) == []


def test_the_operator_has_the_first_word(read: Read, cloud: str) -> None:
    everything = {"0.0.0.0/0": {"role": "management"}, "::/0": {"role": "management"}}
    for node in nodes(read(cloud, login_user="ops", ssh_port=2222, networks=everything)):
        assert (node.login_user, node.ssh_port) == ("ops", 2222)
        assert {interface.role for interface in node.interfaces if interface.addresses} <= {"management"}
        assert node.public_ip is None


def test_secrets_and_user_data_are_not_kept(read: Read, cloud: str) -> None:
    asked = ("userData", "user_data", "OS-EXT-SRV-ATTR:user_data", "adminPass", "metadata", "driver_info", "instance_info")
    text = json.dumps([as_dict(node) for node in nodes(read(cloud, extra=asked))])
    for secret in ("#cloud-config", "ssh-rsa AAAA", "ssh-ed25519 AAAA", "PRIVATE KEY", "adminPass"):
        assert secret not in text
