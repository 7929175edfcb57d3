# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is asked of Compute Engine for an order, and what its answers mean: names, labels, keys, firewall rules, bodies, causes."""
from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import CatalogFlavor, CatalogImage, CatalogNetwork
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.actions import Order, SecurityRule
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.gce import faults, firewall, insertion, keys, names

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAabQkGZ9m1Zf0T1rcpB3bq1dVDJ1oPmJrYl0sWm1zPk me@desk"
DUAL = CatalogNetwork(
    "projects/p/regions/us-east1/subnetworks/dual", "dual", reach={"ipv4": "floating", "ipv6": "public"},
    how={"ipv4": "assigned", "ipv6": "direct"},
    extra={"network": "projects/p/global/networks/wide", "region": "us-east1", "ipv6_access": "EXTERNAL"})
IMAGE = CatalogImage("projects/debian-cloud/global/images/debian-12", "debian-12")
ORDER = Order("web-1", IMAGE, CatalogFlavor("e2-small", "e2-small", 2, 2048), DUAL, "t1")


def order(**changes: Any) -> Order:
    return dataclasses.replace(ORDER, **changes)


# ----------------------------------------------------------------------------------------------------- names
@pytest.mark.parametrize("name", ["Web", "1web", "web-", "web_1", "web.1", "", "w" * 64, "web\n"])
def test_names_that_no_instance_can_have(name: str) -> None:
    with pytest.raises(FleetError) as refused:
        names.check_name(name)
    assert refused.value.code == "refused"


@pytest.mark.parametrize("name", ["w", "web-1", "w" * 63])
def test_names_that_are_fine(name: str) -> None:
    names.check_name(name)
    assert names.is_name(names.short(name))
    assert names.is_name(names.short(name, 54))


def test_long_names_stay_apart() -> None:
    assert names.short("w" * 62 + "a") != names.short("w" * 62 + "b")
    assert names.short("web-1") == "fleet-web-1"


def test_tags_become_labels() -> None:
    assert names.labels({"Role": "Web Server", "cost/center": "A.1", "straße": "Köln", "empty": ""}) == {
        "role": "web_server", "cost_center": "a_1", "straße": "köln", "empty": ""}


@pytest.mark.parametrize("tags", [
    {"9lives": "x"}, {"_x": "y"}, {"": "x"}, {"Role": "a", "role": "a"}, {"a b": "1", "a_b": "1"}, {"k": "x" * 64}, {"k" * 64: "x"},
    {f"k{number}": "x" for number in range(65)},
])
def test_tags_that_cannot_be_kept(tags: dict[str, str]) -> None:
    with pytest.raises(FleetError) as refused:
        names.labels(tags)
    assert refused.value.code == "refused"


def test_request_ids_are_the_same_for_the_same() -> None:
    assert names.request_id("t", "zone", "x", 0) == names.request_id("t", "zone", "x", 0)
    assert len({names.request_id("t", "zone", "x", life) for life in range(5)}) == 5


def test_zones_are_spread_and_every_run_has_the_same_order() -> None:
    zones = ["us-b", "us-a", "us-c"]
    assert names.rotated("web-1", zones) == names.rotated("web-1", zones[::-1])
    assert sorted(names.rotated("web-1", zones)) == sorted(zones)
    assert len({names.rotated(f"web-{number}", zones)[0] for number in range(20)}) == 3
    assert names.rotated("web-1", []) == []


# ------------------------------------------------------------------------------------------------------ keys
def test_key_entries() -> None:
    assert keys.entry("ops", KEY) == f"ops:{KEY}"
    assert keys.entry("ops", "ssh-ed25519 AAAA") == "ops:ssh-ed25519 AAAA ops"
    assert keys.entry("ops", 'ssh-ed25519 AAAA google-ssh {"expireOn": "2020-01-01"}') == "ops:ssh-ed25519 AAAA ops"


@pytest.mark.parametrize(("user", "key"), [("ops", "AAAA"), ("ops", f"{KEY}\nssh-rsa B c"), ("Ops", KEY), ("a:b", KEY), ("", KEY)])
def test_keys_that_are_none(user: str, key: str) -> None:
    with pytest.raises(FleetError):
        keys.entry(user, key)


def test_keys_are_added_and_removed_among_others() -> None:
    items = {"ssh-keys": "ann:ssh-rsa AAAA ann", "sshKeys": f"old:{KEY}", "startup-script": "#!/bin/sh"}
    with_it = keys.added(items, "ops", KEY)
    assert with_it["ssh-keys"] == f"ann:ssh-rsa AAAA ann\nops:{KEY}"
    assert keys.added(with_it, "ops", KEY.rpartition(" ")[0]) == with_it
    assert keys.lines(with_it) == ("ssh-rsa AAAA ann", KEY)
    without = keys.removed(with_it, KEY.replace("me@desk", "another comment"))
    assert without == {"ssh-keys": "ann:ssh-rsa AAAA ann", "startup-script": "#!/bin/sh"}
    assert keys.removed(without, KEY) == without
    assert keys.removed({"ssh-keys": f"ops:{KEY}"}, KEY) == {}
    assert keys.added({"ssh-keys": f"ann:{KEY}"}, "ops", KEY)["ssh-keys"].count("ssh-ed25519") == 2


# --------------------------------------------------------------------------------------------- firewall rules
def rules(*wanted: SecurityRule, families: tuple[str, ...] = ("ipv4", "ipv6")) -> list[dict[str, Any]]:
    return firewall.wanted("web-1", "projects/p/global/networks/wide", wanted, families)


def test_families_and_sources_are_rules_of_their_own() -> None:
    made = rules(
        SecurityRule(22, 22, "tcp", ("203.0.113.0/24", "2001:db8::/32")), SecurityRule(80, 90, "udp", ("203.0.113.0/24",)),
        SecurityRule(None, None, "icmp", ("0.0.0.0/0", "::/0")), SecurityRule(None, None, "tcp", ("198.51.100.1/32",)))
    told = {(rule["priority"], rule["sourceRanges"][0]): rule.get("allowed") or rule["denied"] for rule in made}
    assert told == {
        (1000, "203.0.113.0/24"): [{"IPProtocol": "tcp", "ports": ["22"]}, {"IPProtocol": "udp", "ports": ["80-90"]}],
        (1000, "2001:db8::/32"): [{"IPProtocol": "tcp", "ports": ["22"]}],
        (1000, "0.0.0.0/0"): [{"IPProtocol": "icmp"}],
        (1000, "::/0"): [{"IPProtocol": "58"}],
        (1000, "198.51.100.1/32"): [{"IPProtocol": "tcp"}],
        (65533, "0.0.0.0/0"): [{"IPProtocol": "all"}],
        (65533, "::/0"): [{"IPProtocol": "all"}],
    }
    assert {tuple(rule["targetTags"]) for rule in made} == {("fleet-web-1",)}
    assert {rule["description"] for rule in made} == {"fleet_node=web-1"}
    assert len({rule["name"] for rule in made}) == len(made)
    assert all(names.is_name(rule["name"]) for rule in made)


def test_no_rules_let_nothing_in() -> None:
    assert [(rule["priority"], rule["denied"]) for rule in rules(families=("ipv4",))] == [(65533, [{"IPProtocol": "all"}])]


def test_a_rule_of_the_other_family_alone_opens_nothing() -> None:
    made = rules(SecurityRule(22, 22, "tcp", ("2001:db8::/32",)), families=("ipv4",))
    assert [rule["priority"] for rule in made] == [65533]


def test_names_of_rules_tell_what_they_say() -> None:
    one, _deny = rules(SecurityRule(22, 22, "tcp", ("203.0.113.0/24", "198.51.100.0/24")), families=("ipv4",))
    same, _deny = rules(SecurityRule(22, 22, "tcp", ("198.51.100.0/24", "203.0.113.0/24")), families=("ipv4",))
    other, _deny = rules(SecurityRule(23, 23, "tcp", ("198.51.100.0/24", "203.0.113.0/24")), families=("ipv4",))
    assert one["name"] == same["name"] != other["name"]


# ------------------------------------------------------------------------------------------------------ bodies
def test_body_of_a_full_order() -> None:
    body = insertion.body(order(
        families=("ipv4", "ipv6"), public_key=KEY, login_user="ops", tags={"Role": "Web"}, rules=(), disk_gib=30,
        user_data="#cloud-config\n{}"), "us-east1-b", project="p", os_login=True)
    assert body == {
        "name": "web-1", "machineType": "zones/us-east1-b/machineTypes/e2-small", "labels": {"role": "web"},
        "disks": [{"boot": True, "autoDelete": True, "initializeParams": {
            "diskType": "zones/us-east1-b/diskTypes/pd-balanced", "labels": {"role": "web"},
            "sourceImage": "projects/debian-cloud/global/images/debian-12", "diskSizeGb": "30"}}],
        "networkInterfaces": [{
            "subnetwork": DUAL.id, "stackType": "IPV4_IPV6", "accessConfigs": [{"type": "ONE_TO_ONE_NAT", "name": "External NAT"}],
            "ipv6AccessConfigs": [{"type": "DIRECT_IPV6", "name": "external-ipv6", "networkTier": "PREMIUM"}]}],
        "metadata": {"items": [
            {"key": "enable-guest-attributes", "value": "TRUE"}, {"key": "ssh-keys", "value": f"ops:{KEY}"},
            {"key": "enable-oslogin", "value": "FALSE"}, {"key": "user-data", "value": "#cloud-config\n{}"}]},
        "tags": {"items": ["fleet-web-1"]},
    }


def test_the_tag_in_a_network_of_another_project_is_not_that_of_its_nodes() -> None:
    tags = [insertion.body(order(rules=()), "z", project=project, os_login=False)["tags"]["items"] for project in ("p", "spoke", "other")]
    assert tags[0] == ["fleet-web-1"]
    assert len({tag for (tag,) in tags}) == 3
    for project, (tag,) in zip((None, "spoke", "other"), tags, strict=True):
        rows = firewall.wanted("web-1", "projects/p/global/networks/wide", (SecurityRule(22, 22, "tcp", ("203.0.113.0/24",)),), ("ipv4",), project)
        assert {row["targetTags"][0] for row in rows} == {tag}
        assert {row["description"] for row in rows} == {"fleet_node=web-1" + (f" project={project}" if project else "")}


def test_metadata_says_no_more_than_it_must() -> None:
    assert insertion.metadata(order(), os_login=True) == {"enable-guest-attributes": "TRUE"}
    items = insertion.metadata(order(public_key=KEY, user_data="#!/bin/sh\ntrue"), os_login=False)
    assert items == {"enable-guest-attributes": "TRUE", "ssh-keys": f"fleet:{KEY}", "startup-script": "#!/bin/sh\ntrue"}


V4 = dataclasses.replace(DUAL, reach={"ipv4": "floating"}, how={"ipv4": "assigned"}, extra={**DUAL.extra, "ipv6_access": ""})
V6 = dataclasses.replace(DUAL, reach={"ipv6": "public"}, how={"ipv6": "direct"})
ULA = dataclasses.replace(DUAL, extra={**DUAL.extra, "ipv6_access": "INTERNAL"})


@pytest.mark.parametrize(("changes", "stack", "nat", "nat6"), [
    ({}, "IPV4_ONLY", True, False),
    ({"reachable": "private"}, "IPV4_ONLY", False, False),
    ({"families": ("ipv4", "ipv6")}, "IPV4_IPV6", True, True),
    ({"families": ("ipv6",)}, "IPV4_IPV6", False, True),
    ({"families": ("ipv4", "ipv6"), "reachable": "private"}, "IPV4_IPV6", False, False),
    ({"network": V4, "families": ("ipv4", "ipv6")}, "IPV4_ONLY", True, False),
    ({"network": V6, "families": ("ipv4", "ipv6")}, "IPV6_ONLY", False, True),
    ({"network": ULA, "families": ("ipv4", "ipv6")}, "IPV4_IPV6", True, False),
])
def test_interfaces(changes: dict[str, Any], stack: str, nat: bool, nat6: bool) -> None:
    nic = insertion.interface(order(**changes))
    assert (nic["stackType"], "accessConfigs" in nic, "ipv6AccessConfigs" in nic) == (stack, nat, nat6)


def test_without_a_network_the_default_one() -> None:
    assert insertion.interface(order(network=None, reachable="private")) == {"network": "global/networks/default"}


@pytest.mark.parametrize(("flavor", "disk"), [
    ("e2-small", "pd-balanced"), ("n1-standard-1", "pd-balanced"), ("c3-standard-4", "pd-balanced"), ("c4-standard-2", "hyperdisk-balanced"),
    ("n4-standard-2", "hyperdisk-balanced"), ("c4a-standard-1", "hyperdisk-balanced")])
def test_disks_that_the_series_takes(flavor: str, disk: str) -> None:
    body = insertion.body(order(flavor=CatalogFlavor(flavor, flavor, 2, 2048)), "z", project="p", os_login=False)
    assert body["disks"][0]["initializeParams"]["diskType"].endswith(disk)


# ------------------------------------------------------------------------------------------------------- causes
@pytest.mark.parametrize(("status", "reason", "message", "code"), [
    (403, "quotaExceeded", "Quota 'CPUS' exceeded.  Limit: 24.0 in region us-central1.", "quota"),
    (403, "quotaExceeded", "Quota 'IN_USE_ADDRESSES' exceeded.  Limit: 8.0", "address_pool"),
    (503, "ZONE_RESOURCE_POOL_EXHAUSTED", "x", "capacity"),
    (400, "invalid", "Invalid value for field 'resource.disks[0].initializeParams.sourceImage': 'x'. The referenced image resource cannot be found.",
     "image_gone"),
    (404, "notFound", "The resource 'projects/debian-cloud/global/images/debian-9' was not found", "image_gone"),
    (400, "invalid", "Invalid value for field 'resource.accessConfigs[0].natIP': '192.0.2.1'. External IP address was already used.",
     "address_taken"),
    (409, "alreadyExists", "The resource 'x' already exists", "exists"), (409, "", "", "exists"),
    (412, "conditionNotMet", "Supplied fingerprint does not match", "stale"), (501, "notImplemented", "no", "unsupported"),
    (400, "resourceNotReady", "The resource is not ready", "conflict"),
    (412, "conditionNotMet", "Constraint constraints/compute.vmExternalIpAccess violated for project p", "refused"),
    (400, "invalid", "Resource cannot be deleted if it's protected against deletion.", "protected"),
])
def test_causes_of_refusals(status: int, reason: str, message: str, code: str) -> None:
    cause = faults.cause(status, [reason], message)
    assert cause is not None
    assert cause.code == code
    assert cause.fix


@pytest.mark.parametrize(("status", "reason"), [
    (401, "authError"), (429, "rateLimitExceeded"), (403, "forbidden"), (404, "notFound"), (503, "backendError"),
])
def test_what_the_status_tells_is_left_to_it(status: int, reason: str) -> None:
    assert faults.cause(status, [reason], "no more words") is None


@pytest.mark.parametrize(("error", "code"), [
    ({"code": "QUOTA_EXCEEDED", "message": "Quota 'CPUS' exceeded."}, "quota"),
    ({"code": "QUOTA_EXCEEDED", "message": "Quota 'STATIC_ADDRESSES' exceeded."}, "address_pool"),
    ({"code": "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS", "message": "The zone 'z' does not have enough resources available"}, "capacity"),
    ({"code": "RESOURCE_NOT_FOUND", "message": "The resource 'projects/d/global/images/x' was not found"}, "image_gone"),
    ({"code": "RESOURCE_NOT_FOUND", "message": "The resource 'projects/p/global/networks/x' was not found"}, "not_found"),
    ({"code": "IP_SPACE_EXHAUSTED", "message": "x"}, "address_pool"), ({"code": "RESOURCE_ALREADY_EXISTS"}, "exists"),
    ({"code": "CONDITION_NOT_MET", "message": "x"}, "stale"), ({"code": "INTERNAL_ERROR", "message": "x"}, "unavailable"),
    ({"code": "INVALID_FIELD_VALUE", "message": "x"}, "refused"),
])
def test_errors_of_operations(error: dict[str, str], code: str) -> None:
    failure = faults.operation_error("make it", {"error": {"errors": [error]}})
    assert failure is not None
    assert failure.code == code
    assert error["code"] in failure.why
    assert faults.operation_error("make it", {"status": "DONE"}) is None
