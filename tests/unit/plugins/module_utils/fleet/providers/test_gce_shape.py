# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Compute Engine's instance resources, as literal payloads, to evidence and through ``assemble`` to the one shape."""
from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet import assemble
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.gce.login import (
    ProjectLogin,
    items_of,
    project_login,
)
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.gce.shape import (
    STATES,
    Translator,
    host_projects,
    network_path,
)
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import Node, NodeEvidence

NOW = datetime.datetime(2026, 11, 20, 12, 0, tzinfo=datetime.UTC)
API = "https://www.googleapis.com/compute/v1/projects"
DEFAULT = "projects/acme-prod/global/networks/default"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample"


def instance(**changes: Any) -> dict[str, Any]:
    """A running Debian machine with one NIC and a NAT address, as instances.aggregatedList gives it."""
    record: dict[str, Any] = {
        "id": "4242424242424242424",
        "name": "web-1",
        "status": "RUNNING",
        "zone": f"{API}/acme-prod/zones/europe-west1-b",
        "machineType": f"{API}/acme-prod/zones/europe-west1-b/machineTypes/e2-medium",
        "creationTimestamp": "2024-05-07T05:34:56.789-07:00",
        "cpuPlatform": "Intel Broadwell",
        "hostname": "web-1.example.test",
        "labels": {"env": "prod", "web": "labelled"},
        "tags": {"items": ["web", "https-server"], "fingerprint": "x"},
        "disks": [
            {"boot": False, "licenses": []},
            {"boot": True, "architecture": "X86_64",
             "licenses": [f"{API}/debian-cloud/global/licenses/debian-12-bookworm"]},
        ],
        "networkInterfaces": [nic("10.132.0.2", "198.51.100.7")],
    }
    record.update(changes)
    return record


def nic(inside: str | None, outside: str | None = None, network: str = DEFAULT, **more: Any) -> dict[str, Any]:
    record: dict[str, Any] = {"network": f"https://www.googleapis.com/compute/v1/{network}", **more}
    if inside:
        record["networkIP"] = inside
    if outside:
        record["accessConfigs"] = [{"type": "ONE_TO_ONE_NAT", "name": "External NAT", "natIP": outside}]
    return record


def metadata(**items: str) -> dict[str, Any]:
    return {"items": [{"key": key.replace("_", "-"), "value": value} for key, value in items.items()]}


def evidence(
    record: dict[str, Any], *, project: ProjectLogin | None = None, extra: tuple[str, ...] = (),
) -> NodeEvidence:
    return Translator("acme-prod", project or ProjectLogin(), {DEFAULT: 1460}, extra, NOW).node(record)


def node(record: dict[str, Any], project: ProjectLogin | None = None) -> Node:
    return assemble.node(evidence(record, project=project), provider="gce", cloud="google")


def test_all_facts_of_an_ordinary_machine() -> None:
    found = node(instance())
    assert (found.id, found.name, found.account) == ("4242424242424242424", "web-1", "acme-prod")
    assert (found.region, found.zone, found.state) == ("europe-west1", "europe-west1-b", "running")
    assert (found.created, found.flavor, found.arch) == ("2024-05-07T12:34:56Z", "e2-medium", "x86_64")
    assert (found.image.id, found.image.name, found.image.distro, found.image.version) == (None, None, "debian", "12")
    assert (found.public_ip, found.public_ip_on_interface, found.private_ip) == ("198.51.100.7", False, "10.132.0.2")
    assert found.network_role == "floating"
    assert [(a.ip, a.role, a.nat_of, a.why) for a in found.interfaces[0].addresses] == [
        ("10.132.0.2", "private", None, "VPC addresses leave only through NAT"),
        ("198.51.100.7", "floating", "10.132.0.2", "natIP for 10.132.0.2"),
    ]
    assert (found.interfaces[0].network, found.interfaces[0].network_id) == ("default", DEFAULT)
    assert (found.network_domain, found.mtu, found.interfaces[0].mac) == (f"network:{DEFAULT}", 1460, None)
    assert (found.ssh_port, found.host_keys) == (22, None)


def test_labels_win_over_network_tags_of_the_same_name() -> None:
    found = evidence(instance())
    assert found.tags == {"web": "labelled", "https-server": "", "env": "prod"}
    assert found.security_groups == ("web", "https-server")


def test_a_bare_record_leaves_the_rest_unknown() -> None:
    found = node({"id": "7", "name": "bare", "status": "PROVISIONING"})
    assert found.state == "pending"
    for value in (found.zone, found.region, found.created, found.flavor, found.arch, found.image.distro, found.mtu,
                  found.public_ip, found.private_ip, found.network_domain):
        assert value is None
    assert (found.tags, found.interfaces, found.network_role) == ({}, (), "unknown")


@pytest.mark.parametrize("missing", ["id", "name", "status"])
def test_a_record_without_its_identity_is_malformed(missing: str) -> None:
    record = instance()
    del record[missing]
    with pytest.raises(KeyError, match=missing):
        evidence(record)


# -------------------------------------------------------------------------------------------------- addresses
def test_private_only() -> None:
    found = node(instance(networkInterfaces=[nic("10.132.0.9")]))
    assert (found.public_ip, found.private_ip, found.network_role) == (None, "10.132.0.9", "private")


def test_stopped_machine_keeps_its_access_config_without_address() -> None:
    stopped = nic("10.132.0.9")
    stopped["accessConfigs"] = [{"type": "ONE_TO_ONE_NAT", "name": "External NAT", "networkTier": "PREMIUM"}]
    found = node(instance(status="TERMINATED", networkInterfaces=[stopped]))
    assert (found.state, found.public_ip, found.private_ip) == ("stopped", None, "10.132.0.9")


def test_ipv6_only_machine_is_reached_by_its_external_address() -> None:
    found = node(instance(networkInterfaces=[nic(
        None, stackType="IPV6_ONLY", ipv6AccessType="EXTERNAL",
        ipv6AccessConfigs=[{"type": "DIRECT_IPV6", "externalIpv6": "2001:db8:4000:bf:0:0:0:0"}])]))
    assert (found.public_ip, found.public_ipv6, found.public_ipv4) == ("2001:db8:4000:bf::", "2001:db8:4000:bf::", None)
    assert (found.network_role, found.public_ip_on_interface) == ("public", True)
    assert found.interfaces[0].addresses[0].why == "ipv6AccessType EXTERNAL"


def test_dual_stack_has_one_public_address_of_each_family() -> None:
    found = node(instance(networkInterfaces=[nic(
        "10.0.0.3", "203.0.113.9", stackType="IPV4_IPV6", ipv6AccessType="EXTERNAL",
        ipv6AccessConfigs=[{"externalIpv6": "2001:db8::5"}])]))
    assert (found.public_ipv4, found.public_ipv6, found.private_ipv4) == ("203.0.113.9", "2001:db8::5", "10.0.0.3")


def test_internal_ipv6_is_private_even_from_a_global_range() -> None:
    found = node(instance(networkInterfaces=[
        nic("10.0.0.3", ipv6AccessType="INTERNAL", ipv6Address="2001:db8:0:0:0:0:0:7")]))
    assert (found.public_ip, found.private_ipv6) == (None, "2001:db8::7")


def test_publicly_used_private_range_is_private() -> None:
    found = node(instance(networkInterfaces=[nic("203.0.113.77")]))
    assert (found.public_ip, found.private_ip, found.network_role) == (None, "203.0.113.77", "private")


def test_several_nics_keep_their_order_networks_and_domains() -> None:
    found = node(instance(networkInterfaces=[
        nic("10.1.0.2", network="projects/acme-prod/global/networks/inside"),
        nic("10.2.0.2", "198.51.100.20", network="projects/acme-prod/global/networks/edge",
            aliasIpRanges=[{"ipCidrRange": "10.200.0.0/24"}]),
    ]))
    assert [interface.network for interface in found.interfaces] == ["inside", "edge"]
    assert [interface.role for interface in found.interfaces] == ["private", "floating"]
    assert (found.public_ip, found.private_ip) == ("198.51.100.20", "10.1.0.2")
    assert found.network_domain == "network:projects/acme-prod/global/networks/inside"
    assert "10.200.0.0" not in json.dumps([address.ip for i in found.interfaces for address in i.addresses])


def test_shared_vpc_is_a_domain_of_the_host_project() -> None:
    shared = "projects/acme-net/global/networks/shared"
    records = [instance(networkInterfaces=[nic("10.9.0.2", network=shared)]), instance()]
    found = node(records[0])
    assert (found.account, found.interfaces[0].network_id) == ("acme-prod", shared)
    assert found.network_domain == f"network:{shared}"
    assert host_projects(records, "acme-prod") == ["acme-net"]


@pytest.mark.parametrize(("url", "path"), [
    ("https://compute.googleapis.com/compute/v1/projects/p/global/networks/n", "projects/p/global/networks/n"),
    ("http://127.0.0.1:8085/projects/example.com:p/global/networks/n", "projects/example.com:p/global/networks/n"),
    ("projects/p/global/networks/n", "projects/p/global/networks/n"),
    ("global/networks/n", "projects/mine/global/networks/n"),
    (None, None),
])
def test_network_path(url: str | None, path: str | None) -> None:
    assert network_path(url, "mine") == path


# ------------------------------------------------------------------------------------------- states and kinds
@pytest.mark.parametrize(("theirs", "ours"), [
    ("PROVISIONING", "pending"), ("STAGING", "pending"), ("RUNNING", "running"), ("STOPPING", "stopping"),
    ("SUSPENDING", "stopping"), ("SUSPENDED", "paused"), ("REPAIRING", "error"), ("TERMINATED", "stopped"),
    ("STOPPED", "stopped"), ("DEPROVISIONING", "stopping"), ("SOMETHING_NEW", "unknown"),
])
def test_states(theirs: str, ours: str) -> None:
    assert evidence(instance(status=theirs)).state == ours


def test_every_status_of_the_api_is_known() -> None:
    documented = {  # enum of Instance.status, discovery document of compute.v1
        "DEPROVISIONING", "PENDING", "PENDING_STOP", "PROVISIONING", "REPAIRING", "RUNNING", "STAGING", "STOPPED",
        "STOPPING", "SUSPENDED", "SUSPENDING", "TERMINATED"}
    assert set(STATES) == documented


@pytest.mark.parametrize(("disk", "cpu", "arch"), [
    ("ARM64", "Unknown CPU Platform", "aarch64"),
    ("X86_64", "", "x86_64"),
    ("ARCHITECTURE_UNSPECIFIED", "Ampere Altra", "aarch64"),
    ("ARCHITECTURE_UNSPECIFIED", "AMD Milan", "x86_64"),
    ("ARCHITECTURE_UNSPECIFIED", "Unknown CPU Platform", None),
])
def test_architecture(disk: str, cpu: str, arch: str | None) -> None:
    assert evidence(instance(cpuPlatform=cpu, disks=[{"boot": True, "architecture": disk}])).arch == arch


@pytest.mark.parametrize(("license_path", "distro", "version"), [
    ("ubuntu-os-cloud/global/licenses/ubuntu-2404-lts", "ubuntu", "24.04"),
    ("rocky-linux-cloud/global/licenses/rocky-linux-9", "rocky", "9"),
    ("acme/global/licenses/golden", None, None),
])
def test_distribution_from_licenses(license_path: str, distro: str | None, version: str | None) -> None:
    image = evidence(instance(disks=[{"boot": True, "licenses": [f"{API}/{license_path}"]}])).image
    assert (image.distro, image.version) == (distro, version)


@pytest.mark.parametrize(("told", "utc"), [
    ("2024-05-07T12:34:56Z", "2024-05-07T12:34:56Z"),
    ("2024-12-31T23:30:00.000+01:00", "2024-12-31T22:30:00Z"),
])
def test_created_is_utc(told: str, utc: str) -> None:
    assert evidence(instance(creationTimestamp=told)).created == utc


# ---------------------------------------------------------------------------------------------- login, secrets
def project(**items: str) -> ProjectLogin:
    return project_login(items_of(metadata(**items)), NOW)


def test_instance_keys_come_before_project_keys() -> None:
    found = evidence(instance(metadata=metadata(ssh_keys=f"ann:{KEY} ann@pc\nbob:{KEY}\nann:{KEY} other")),
                     project=project(ssh_keys=f"ops:{KEY} ops\nbob:{KEY}"))
    assert found.login.key_users == ("ann", "bob", "ops")
    assert found.login.key_source == "instance metadata ssh-keys"


def test_project_keys_alone() -> None:
    found = node(instance(), project(ssh_keys=f"ops:{KEY} ops@example"))
    assert found.login_user == "ops"
    assert "project metadata ssh-keys" in found.why.login_user


@pytest.mark.parametrize("word", ["TRUE", "true", "1", "yes", "Y"])
def test_blocked_project_keys(word: str) -> None:
    found = node(instance(metadata=metadata(block_project_ssh_keys=word)), project(ssh_keys=f"ops:{KEY}"))
    assert found.login_user is None
    assert "blocks the project's keys" in found.why.login_user


def test_not_blocked_by_false() -> None:
    record = instance(metadata=metadata(block_project_ssh_keys="FALSE"))
    assert node(record, project(ssh_keys=f"ops:{KEY}")).login_user == "ops"


def test_legacy_instance_keys_replace_those_of_the_project() -> None:
    found = evidence(instance(metadata=metadata(sshKeys=f"old:{KEY}")), project=project(ssh_keys=f"ops:{KEY}"))
    assert found.login.key_users == ("old",)


@pytest.mark.parametrize(("comment", "users"), [
    ('google-ssh {"userName":"ann@example.com","expireOn":"2026-11-20T11:59:59+0000"}', ()),
    ('google-ssh {"userName":"ann@example.com","expireOn":"2026-11-20T12:30:00+0000"}', ("ann",)),
    ('google-ssh {"userName":"ann@example.com","expireOn":"2030-01-01T00:00:00Z"}', ("ann",)),
    ('google-ssh {"userName":"ann@example.com","expireOn":"soon"}', ()),
    ("google-ssh not-json", ()),
    ("google-ssh", ()),
    ("ann with a long comment", ("ann",)),
])
def test_expiring_keys(comment: str, users: tuple[str, ...]) -> None:
    assert evidence(instance(metadata=metadata(ssh_keys=f"ann:{KEY} {comment}"))).login.key_users == users


@pytest.mark.parametrize("line", ["", "   ", KEY, f":{KEY}", "ann:", "ann:ssh-ed25519"])
def test_malformed_keys_make_no_user(line: str) -> None:
    assert evidence(instance(metadata=metadata(ssh_keys=line))).login.key_users == ()


@pytest.mark.parametrize(("own", "common", "why"), [
    (None, "TRUE", "OS Login is on (project metadata enable-oslogin)"),
    ("true", None, "OS Login is on (instance metadata enable-oslogin)"),
    ("FALSE", "TRUE", ""),
    ("TRUE", "FALSE", "OS Login is on (instance metadata enable-oslogin)"),
    (None, None, ""),
])
def test_os_login_the_instance_wins(own: str | None, common: str | None, why: str) -> None:
    record = instance(metadata=metadata(**({"enable_oslogin": own} if own else {}), ssh_keys=f"ann:{KEY}"))
    found = evidence(record, project=project(**({"enable_oslogin": common} if common else {})))
    assert found.login.os_login == why


def test_os_login_means_no_user_of_the_metadata() -> None:
    found = node(instance(metadata=metadata(enable_oslogin="TRUE", ssh_keys=f"ann:{KEY}")))
    assert found.login_user is None
    assert "OS Login is on (instance metadata enable-oslogin)" in found.why.login_user


def test_unreadable_project_metadata_is_said() -> None:
    found = node(instance(), ProjectLogin(readable=False))
    assert found.login_user is None
    assert "could not be read" in found.why.login_user


def test_what_the_operator_says_in_metadata_and_labels() -> None:
    record = instance(labels={"ssh_user": "labelled", "ssh_port": "2222"})
    assert (node(record).login_user, node(record).ssh_port) == ("labelled", 2222)
    record["metadata"] = {"items": [{"key": "ssh_user", "value": "told"}]}
    assert node(record).login_user == "told"


def test_windows_has_no_ssh_user() -> None:
    licenses = [f"{API}/windows-cloud/global/licenses/windows-server-2022-dc"]
    record = instance(disks=[{"boot": True, "licenses": licenses}])
    found = evidence(record, project=project(ssh_keys=f"ops:{KEY}"))
    assert found.login.platform == "windows"
    assert node(record, project(ssh_keys=f"ops:{KEY}")).login_user is None


def test_metadata_values_stay_out_of_the_evidence() -> None:
    record = instance(metadata=metadata(
        startup_script="export PASSWORD=s3cret", user_data="s3cret", windows_keys="s3cret",
        ssh_keys=f"ann:{KEY} s3cret"))
    found = evidence(record, extra=("metadata", "hostname", "absent", "instanceEncryptionKey"))
    assert found.extra == {"hostname": "web-1.example.test"}
    assert "s3cret" not in repr(found)
    assert "AAAA" not in repr(found)


def test_templates_in_values_are_kept_as_they_are() -> None:
    assert evidence(instance(labels={"note": "{{ 7*7 }}"})).tags["note"] == "{{ 7*7 }}"
