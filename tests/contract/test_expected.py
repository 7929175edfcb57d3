# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The right answers on the lab's clouds: role of every address, login user, network role, written down beforehand."""
from __future__ import annotations

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import Node
from fleetlab.openstack.clouds import CLOUDS as OPENSTACK
from fleetlab.openstack.layout import Cloud
from fleetlab.openstack.racks import NODES as IRONIC

from .conftest import CLOUDS, Read, nodes

STATE = {"ACTIVE": "running", "SHUTOFF": "stopped", "ERROR": "error"}


@pytest.mark.parametrize("cloud", OPENSTACK, ids=lambda cloud: cloud.name)
def test_openstack(read: Read, cloud: Cloud) -> None:
    found = {node.name: node for node in nodes(read(cloud.name))}
    assert set(found) == {server.name for server in cloud.servers}
    for server in cloud.servers:
        node = found[server.name]
        expected = {ip: role for nic in server.nics for ip, role in nic.addresses.items()}
        expected |= {nic.floating: nic.floating_role for nic in server.nics if nic.floating}
        assert {address.ip: address.role for interface in node.interfaces for address in interface.addresses} == expected
        assert node.login_user == cloud.expected_login(server), node.why.login_user
        assert node.state == STATE[server.status]
        assert server.metadata.items() <= node.tags.items()
        assert set(server.tags) <= set(node.tags)
        if server.access_ipv4:
            assert f"{server.access_ipv4} ignored" in node.why.public_ip


def roles(node: Node) -> list[str]:
    """Roles of all addresses in order, with their family, such as ``4private 4floating``."""
    return [f"{address.family}{address.role}" for interface in node.interfaces for address in interface.addresses]


# name -> (login user, network role, roles of the addresses). Twins are told apart by their login user.
AMAZON = [
    ("web-1", "admin", "floating", "4private 4floating"),
    ("web-2", "ubuntu", "floating", "4private 4floating"),
    ("db-1", "ec2-user", "private", "4private"),
    ("bastion-1", "rocky", "floating", "4private 4floating"),
    ("dual-1", "ec2-user", "public", "4private 4floating 6public"),
    ("six-1", "admin", "public", "6public"),
    ("router-1", None, "floating", "4private 4floating 4private"),
    ("edge-1", "ec2-user", "floating", "4private 4floating"),
    ("old-1", "ec2-user", "private", "4private"),
    ("gone-1", "admin", "unknown", ""),
    ("api-1", "admin", "floating", "4private 4floating"),
    ("worker", "fedora", "private", "4private"),
    ("worker", "ubuntu", "private", "4private"),
    ("bsd-1", "ec2-user", "floating", "4private 4floating"),
    ("core-1", "core", "floating", "4private 4floating"),
    ("orphan-1", None, "floating", "4private 4floating"),
    ("win-1", "Administrator", "floating", "4private 4floating"),
]
AMAZON_SECOND = [("partner-web-1", "ubuntu", "floating", "4private 4floating"), ("partner-db-1", "admin", "private", "4private")]
GOOGLE = [
    ("web-1", "bob", "floating", "4private 4floating"),  # keys of its own beside the project's
    ("lb-1", "ops", "floating", "4private 4floating"),
    ("db-1", "ops", "private", "4private"),
    ("gw-1", "ops", "floating", "4private 4private 4floating"),  # the public address is on the second interface
    ("dual-1", "ops", "public", "4private 4floating 6public"),
    ("v6-1", "ops", "public", "6public"),
    ("ula-1", "ops", "private", "4private 6private"),
    ("batch-1", "ops", "private", "4private"),  # stopped: no natIP
    ("locked-1", "breakglass", "floating", "4private 4floating"),  # project keys blocked
    ("oslogin-1", None, "floating", "4private 4floating"),
    ("arm-1", None, "floating", "4private 4floating"),
    ("web-1", None, "private", "4private"),  # the other project has no keys
]
METAL = [
    ("r42-u01", "root", "public", "4public 6public 4private"),
    ("r42-u02", "root", "private", "4private"),
    ("r42-u03", "ubuntu", "public", "6public"),
    ("r42-u04", "rocky", "external", "4external 4management"),
    ("r42-u05", "debian", "public", "4public 4private"),  # free
    ("r42-u06", "debian", "public", "4public 4private"),  # free
    *((node.name, node.login_user, "public" if node.address else "unknown", "4public" if node.address else "") for node in IRONIC),
    *((f"r43-u0{number}", None, "unknown", "") for number in (1, 2, 3, 4)),
]


@pytest.mark.parametrize(
    ("cloud", "expected"), [("amazon", AMAZON), ("amazon-second", AMAZON_SECOND), ("google", GOOGLE), ("metal", METAL)],
    ids=["amazon", "amazon-second", "google", "metal"])
def test_roles_and_login_users(read: Read, cloud: str, expected: list[tuple[str, str | None, str, str]]) -> None:
    found = [(node.name, node.login_user, node.network_role, " ".join(roles(node))) for node in nodes(read(cloud))
             if "fleet_node" not in node.tags]  # EC2 shows what other tests have made and ended for a while
    assert sorted(found, key=str) == sorted(expected, key=str)


def test_the_reason_says_what_the_cloud_s_word_hides(read: Read) -> None:
    by_name = {node.name: node for node in nodes(read("amazon"))}
    assert "not reached from outside" in by_name["bastion-1"].why.public_ip
    assert "OS Login" in {node.name: node for node in nodes(read("google"))}["oslogin-1"].why.login_user


def test_no_two_machines_of_the_lab_have_one_public_address(read: Read) -> None:
    seen: dict[str, str] = {}
    for cloud in CLOUDS:
        for node in nodes(read(cloud)):
            for ip in filter(None, (node.public_ipv4, node.public_ipv6)):
                assert ip not in seen, f"{node.name} and {seen[ip]}"
                seen[ip] = f"{node.name} of {cloud}"


def test_nodes_of_one_network_share_a_domain_and_others_do_not(read: Read) -> None:
    amazon = {node.name: node for node in nodes(read("amazon"))}
    assert amazon["web-1"].network_domain == amazon["db-1"].network_domain
    assert amazon["web-1"].network_domain != amazon["api-1"].network_domain
    floating = {node.name: node for node in nodes(read("floating"))}
    assert floating["web-1"].network_domain
    assert floating["web-1"].network_domain == floating["web-2"].network_domain
    google = {(node.name, node.account): node for node in nodes(read("google"))}
    assert google["lb-1", "acme-prod"].network_domain == google["db-1", "acme-prod"].network_domain
    assert google["web-1", "acme-prod"].network_domain != google["web-1", "acme-dev"].network_domain
