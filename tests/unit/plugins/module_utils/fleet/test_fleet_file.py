# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fleet file: what is accepted, and the sentence for everything else."""
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import Bastion, check_settings, parse_clouds
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.network_role import role_of
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import AddressEvidence, InterfaceEvidence

FILE = {"kind": "file", "path": "r.yml"}
METAL: dict[str, Any] = {"provider": "metal", "sources": [FILE]}


def test_the_issue_s_example_is_accepted() -> None:
    clouds = parse_clouds({
        "dream": {"provider": "openstack", "cloud": "dreamcompute", "regions": ["RegionOne"], "all_projects": False},
        "amazon": {"provider": "aws", "regions": ["us-east-1", "eu-west-1"], "profile": "prod",
                   "assume_role": {"arn": "arn:aws:iam::111111111111:role/x", "external_id": "y"}, "endpoint_url": None},
        "google": {"provider": "gce", "projects": ["acme-prod"], "zones": [], "credentials_file": None,
                   "impersonate_service_account": None, "endpoint": None},
        "rack42": {"provider": "metal", "sources": [
            {"kind": "file", "path": "racks/r42.yml"}, {"kind": "ironic", "cloud": "bifrost"},
            {"kind": "redfish", "baseuri": "https://bmc.example.com"}]},
    }, "fleet.yml")
    assert [(cloud.name, cloud.provider) for cloud in clouds] == [
        ("dream", "openstack"), ("amazon", "aws"), ("google", "gce"), ("rack42", "metal")]
    assert clouds[1].options["assume_role"]["arn"] == "arn:aws:iam::111111111111:role/x"


def test_common_keys() -> None:
    cloud, = parse_clouds({"rack": {
        **METAL, "login_user": "ops", "ssh_port": 2222, "bastion": {"host": "b.example.com"},
        "networks": {"10.8.0.0/16": {"role": "management"}},
        "filters": {"states": ["running"], "tags": {"env": ["prod", "test"], "k8s": None, "canary": True}, "names": ["web-*"]},
    }}, "fleet.yml")
    assert (cloud.login_user, cloud.ssh_port, cloud.bastion) == ("ops", 2222, Bastion("b.example.com", None, 22))
    assert cloud.filters.tags == {"env": ("prod", "test"), "k8s": (), "canary": ("true",)}
    assert cloud.filters.states == ("running",)
    decided = role_of(AddressEvidence("10.8.1.1"), InterfaceEvidence(), operator=cloud.roles)
    assert decided.value == "management"
    assert "fleet.yml" in decided.why
    assert "rack" in decided.why


def test_a_disabled_cloud_is_not_read_but_is_checked() -> None:
    assert parse_clouds({"rack": {**METAL, "enabled": False}}, "fleet.yml") == []
    with pytest.raises(FleetError):
        parse_clouds({"rack": {**METAL, "enabled": False, "sauces": []}}, "fleet.yml")


@pytest.mark.parametrize(
    ("clouds", "sentence"),
    [
        (None, "f.yml: clouds: expected a mapping of cloud names"),
        ({}, "f.yml: clouds: expected a mapping of cloud names"),
        (["a"], "f.yml: clouds: expected a mapping of cloud names"),
        ({7: METAL}, "f.yml: clouds.7: a cloud's name must be a string"),
        ({"a": None}, "f.yml: clouds.a: expected a mapping, found a NoneType"),
        ({"a": "aws"}, "f.yml: clouds.a: expected a mapping, found the string 'aws'"),
        ({"a": {}}, "f.yml: clouds.a.provider: is missing"),
        ({"a": {"provider": "azure", "region": "x"}},
         "f.yml: clouds.a.provider: 'azure' is not possible here. Choose of: openstack, aws, gce, metal"),
        ({"a": {"provider": ["aws"]}}, "f.yml: clouds.a.provider: expected a string, found a list"),
        ({"a": {"provider": "aws", "region": ["x"]}}, "f.yml: clouds.a: unknown key 'region'. Did you mean 'regions'?"),
        ({"a": {"provider": "aws", "projects": ["x"]}}, "f.yml: clouds.a: unknown key 'projects'"),
        ({"a": {"provider": "aws", "regions": "us-east-1"}},
         "clouds.a.regions: expected a list of strings, found the string 'us-east-1'. Write regions: [us-east-1]."),
        ({"a": {"provider": "aws", "regions": [1]}}, "clouds.a.regions: expected a list of strings"),
        ({"a": {"provider": "aws", "assume_role": {"external_id": "x"}}}, "clouds.a.assume_role.arn: is missing"),
        ({"a": {"provider": "gce", "credentials_file": True}}, "clouds.a.credentials_file: expected a string, found true"),
        ({"a": {"provider": "openstack", "all_projects": "yes"}}, "clouds.a.all_projects: expected true or false, found the string 'yes'"),
        ({"a": {"provider": "openstack", "cloud": 7}}, "clouds.a.cloud: expected a string, found 7. Put it in quotes"),
        ({"a": {**METAL, "ssh_port": 0}}, "clouds.a.ssh_port: 0 is not a TCP port"),
        ({"a": {**METAL, "ssh_port": "ssh"}}, "clouds.a.ssh_port: expected a whole number, found the string 'ssh'"),
        ({"a": {**METAL, "ssh_port": True}}, "clouds.a.ssh_port: expected a whole number, found true"),
        ({"a": {**METAL, "login_user": "-oProxyCommand=x"}}, "clouds.a.login_user: '-oProxyCommand=x' is not a user name"),
        ({"a": {**METAL, "bastion": {"user": "x"}}}, "clouds.a.bastion.host: is missing"),
        ({"a": {**METAL, "bastion": {"host": "-oProxyCommand=x"}}}, "clouds.a.bastion.host: '-oProxyCommand=x' is not a host"),
        ({"a": {**METAL, "networks": {"10.0.0.0/8": {"role": "inside"}}}}, "clouds.a.networks: '10.0.0.0/8' must hold 'role:' with one of public"),
        ({"a": {**METAL, "networks": {"10.0.0.0/8": "private"}}}, "clouds.a.networks: '10.0.0.0/8' must hold 'role:'"),
        ({"a": {**METAL, "networks": {"10.0.0.0/64": {"role": "private"}}}}, "clouds.a.networks: '10.0.0.0/64' is not a network in CIDR form"),
        ({"a": {**METAL, "filters": {"states": ["up"]}}}, "clouds.a.filters.states: 'up' is not possible here. Choose of: pending, running"),
        ({"a": {**METAL, "filters": {"tags": {"x": {"y": 1}}}}}, "clouds.a.filters.tags: tag 'x' must be a string"),
        ({"a": {"provider": "metal"}}, "clouds.a.sources: is missing"),
        ({"a": {"provider": "metal", "sources": []}}, "clouds.a.sources: names no source"),
        ({"a": {"provider": "metal", "sources": [{"kind": "file"}]}}, "clouds.a.sources: source 0 of kind file needs 'path'"),
        ({"a": {"provider": "metal", "sources": [FILE, {"kind": "redfish"}]}}, "clouds.a.sources: source 1 of kind redfish needs 'baseuri'"),
        ({"a": {"provider": "metal", "sources": [{"kind": "redfish", "baseuri": "http://u", "password": 12345}]}},
         "clouds.a.sources[0].password: expected a string, found a int"),
    ],
)
def test_one_sentence_for_what_cannot_be_meant(clouds: Any, sentence: str) -> None:
    with pytest.raises(FleetError) as caught:
        parse_clouds(clouds, "f.yml")
    assert sentence in str(caught.value)
    assert "12345" not in str(caught.value)
    assert caught.value.code == "fleet_file"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"timeout": "abc"}, "f.yml: timeout: expected a whole number, found the string 'abc'"),
        ({"timeout": 0}, "f.yml: timeout: must be at least 1"),
        ({"retries": -1}, "f.yml: retries: must be at least 0"),
        ({"workers": 0}, "f.yml: workers: must be at least 1"),
        ({"connect_to": ["public"]}, "f.yml: connect_to: 'public' is not possible here. Choose of: public_ipv4"),
        ({"connect_to": "public_ipv4"}, "f.yml: connect_to: expected a list of strings"),
        ({"on_cloud_failure": "ignore"}, "f.yml: on_cloud_failure: 'ignore' is not possible here. Choose of: fail, warn, stale"),
        ({"on_duplicate": "merge"}, "f.yml: on_duplicate: 'merge' is not possible here"),
        ({"ip_family": "v4"}, "f.yml: ip_family: 'v4' is not possible here"),
        ({"states": ["runing"]}, "f.yml: states: 'runing' is not possible here"),
    ],
)
def test_settings(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(FleetError) as caught:
        check_settings(settings, "f.yml")
    assert sentence in str(caught.value)


def test_good_settings_pass_and_other_keys_are_not_looked_at() -> None:
    check_settings({"timeout": "30", "retries": 0, "compose": {"a": "b"}, "connect_to": None}, "f.yml")
