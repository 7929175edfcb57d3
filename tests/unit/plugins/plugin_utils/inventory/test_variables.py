# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Host variables and groups of one node."""
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import Bastion
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.variables import address_for, group_names, host_variables

DEFAULT = ["public_ipv4", "public_ipv6", "private_ipv4", "private_ipv6"]


def record(**values: Any) -> dict[str, Any]:
    return {
        "id": "1", "name": "web-1", "cloud": "dream-1", "provider": "openstack", "region": "RegionOne", "zone": "nova", "state": "running",
        "network_role": "floating", "arch": "x86_64", "image": {"distro": "debian"}, "tags": {}, "interfaces": [], "login_user": "debian",
        "ssh_port": 22, "public_ipv4": "203.0.113.9", "public_ipv6": "2001:db8::9", "private_ipv4": "10.0.0.5", "private_ipv6": None, **values}


@pytest.mark.parametrize(
    ("values", "connect_to", "family", "expected"),
    [
        ({}, DEFAULT, "any", "203.0.113.9"),
        ({}, ["private_ipv4", *DEFAULT], "any", "10.0.0.5"),
        ({}, DEFAULT, "ipv6", "2001:db8::9"),
        ({"public_ipv4": None}, DEFAULT, "any", "2001:db8::9"),
        ({"public_ipv4": None}, DEFAULT, "ipv4", "10.0.0.5"),
        ({"public_ipv4": None, "public_ipv6": None, "private_ipv4": None}, DEFAULT, "any", None),
        ({}, ["private_ipv6", "name"], "any", "web-1"),
        ({"name": "-oProxyCommand=x"}, ["name", "public_ipv4"], "any", "203.0.113.9"),
        ({"name": "two words"}, ["name"], "any", None),
        ({"name": None}, ["name"], "any", None),
        ({}, ["management_ipv4", "public_ipv4"], "any", "203.0.113.9"),
        ({"interfaces": [{"addresses": [
            {"role": "management", "family": 6, "ip": "fd00::1"}, {"role": "management", "family": 4, "ip": "10.9.0.1"}]}]},
         ["management_ipv4", "public_ipv4"], "any", "10.9.0.1"),
    ],
)
def test_the_address_to_connect_to(values: dict[str, Any], connect_to: list[str], family: str, expected: str | None) -> None:
    assert address_for(record(**values), connect_to, family) == expected


def test_connection_variables() -> None:
    variables = host_variables(record(ssh_port=2222), connect_to=DEFAULT)
    assert (variables["ansible_host"], variables["ansible_user"], variables["ansible_port"]) == ("203.0.113.9", "debian", 2222)
    assert "ansible_ssh_common_args" not in variables
    assert variables["fleet_name"] == "web-1"


def test_what_is_not_known_is_left_to_the_operator() -> None:
    variables = host_variables(record(login_user=None, public_ipv4=None, public_ipv6=None, private_ipv4=None), connect_to=DEFAULT)
    assert "ansible_user" not in variables
    assert "ansible_host" not in variables
    assert variables["fleet_login_user"] is None


@pytest.mark.parametrize(
    ("bastion", "expected"),
    [
        (Bastion("bastion.example.com", "ops", 22), "-o ProxyJump=ops@bastion.example.com:22"),
        (Bastion("bastion.example.com", None, 2222), "-o ProxyJump=bastion.example.com:2222"),
        (Bastion("2001:db8::1", "ops", 22), "-o 'ProxyJump=ops@[2001:db8::1]:22'"),
        (Bastion("203.0.113.9", "ops", 22), None),  # the bastion itself is reached directly
    ],
)
def test_bastion(bastion: Bastion, expected: str | None) -> None:
    assert host_variables(record(), connect_to=DEFAULT, bastion=bastion).get("ansible_ssh_common_args") == expected


def test_groups_need_no_template() -> None:
    assert group_names(record(zone="us-east-1a")) == [
        "fleet", "provider_openstack", "cloud_dream_1", "region_RegionOne", "zone_us_east_1a", "state_running", "network_role_floating",
        "distro_debian", "arch_x86_64"]
    assert group_names(record(zone=None, arch=None, image={"distro": None}))[-1] == "network_role_floating"


def test_tags_make_groups_on_request() -> None:
    tagged = record(tags={"role": "web", "k8s-node": "", "owner": "{{ x }}"})
    assert not [name for name in group_names(tagged) if name.startswith("tag_")]
    assert [name for name in group_names(tagged, ["role", "k8s-node"]) if name.startswith("tag_")] == ["tag_role_web", "tag_k8s_node"]
    assert "tag_owner____x___" in group_names(tagged, ["*"])
