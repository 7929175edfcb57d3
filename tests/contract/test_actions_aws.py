# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Instances made and ended on the lab's EC2, through the same actions as the modules: one instance for each order whatever
happens, and nothing left afterwards."""
from __future__ import annotations

import dataclasses
import json
import os
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet import assemble
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import PARTS, Catalog
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import parse_clouds
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.actions import MARK, Order, SecurityRule
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.aws import creation, operations
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.aws.actions import AwsActions
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.aws.client import Ec2
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.base import Provider, Run, together
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.registry import PROVIDERS
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.retry import Patience
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import STATES, Node

from .conftest import described

EAST, WEST = "us-east-1", "eu-west-1"
PREFIX = "act-"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHUfUIVOO4h0mGWlGpzhBnxvJHFBcZ7dFEKlcbcZ1Xyz lab"
RULES = (
    SecurityRule(22, 22, "tcp", ("198.51.100.0/24", "2001:db8::/64")), SecurityRule(60000, 60010, "udp", ("0.0.0.0/0",)),
    SecurityRule(None, None, "icmp", ("0.0.0.0/0", "::/0")))


def opened_provider(name: str = "amazon") -> Provider:
    cloud = parse_clouds({name: described(name)}, "fleet.yml")[0]
    return PROVIDERS["aws"].open(cloud, Run(Patience.seconds(240, 3), frozenset(STATES), environ=os.environ))


def opened(region: str = EAST, name: str = "amazon") -> AwsActions:
    """Actions of one region, new ones each time: runs know nothing of each other."""
    found = opened_provider(name).actions(region)
    assert isinstance(found, AwsActions)
    return found


def items(actions: AwsActions, operation: operations.Operation) -> list[Any]:
    return actions._ec2.items(actions.scope, operation, {})


def everything(actions: AwsActions) -> dict[str, list[str]]:
    """Ids of all that the API lists for the account in the region and that no other test has made."""

    def told(operation: operations.Operation, field: str) -> list[str]:
        rows = [
            item for item in items(actions, operation)
            if not any(tag.findtext("key") == MARK and not tag.findtext("value", "").startswith(PREFIX) for tag in item.iterfind("tagSet/item"))]
        return sorted(item.findtext(field, "") for item in rows)

    instances = [
        row.findtext("instanceId", "") for item in items(actions, operations.INSTANCES) for row in item.iterfind("instancesSet/item")
        if row.findtext("instanceState/name") != "terminated"
        and all(tag.findtext("value", "").startswith(PREFIX) for tag in row.iterfind("tagSet/item") if tag.findtext("key") == MARK)]
    return {
        "instances": sorted(instances), "addresses": told(operations.ADDRESSES, "publicIp"), "groups": told(operations.GROUPS, "groupId"),
        "volumes": told(operations.VOLUMES, "volumeId"),
        "keys": [key for key in told(operations.KEY_PAIRS, "keyName") if key.startswith(PREFIX)]}


def node_of(node_id: str, region: str = EAST) -> Node:
    """The node as the inventory shows it."""
    provider = opened_provider()
    evidence = next(node for node in provider.evidence(region) if node.id == node_id)
    return assemble.node(
        evidence, provider="aws", cloud="amazon", operator_login_user=None, operator_ssh_port=None, operator_roles=provider.cloud.roles)


def raw(actions: AwsActions, node_id: str) -> Any:
    (reservation,) = actions._ec2.items(
        actions.scope, operations.INSTANCES, {"Filters": [{"Name": "instance-id", "Values": [node_id]}]})
    return reservation.find("instancesSet/item")


def order_for(catalog: Catalog, network: str, **changes: Any) -> Order:
    name = f"{PREFIX}{uuid.uuid4().hex[:8]}"
    order = Order(
        name=name, image=next(image for image in catalog.images if image.distro == "debian" and image.version == "12" and image.arch == "x86_64"),
        flavor=next(flavor for flavor in catalog.flavors if flavor.name == "t3.small"),
        network=next(row for row in catalog.networks if row.name == network), token=uuid.uuid4().hex, tags={MARK: name, "role": "web"})
    return dataclasses.replace(order, **changes)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return opened().catalog(frozenset(PARTS), ("debian",))


@pytest.fixture(scope="module")
def control() -> Callable[..., None]:
    """Tells the lab's EC2 to show a fault; without one, to forget all."""

    def told(**fault: Any) -> None:
        url = f"{os.environ['AWS_ENDPOINT_URL']}/_lab/{'fault' if fault else 'clear'}"
        request = urllib.request.Request(url, json.dumps(fault).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200

    return told


Control = Callable[..., None]


def wait_for(actions: AwsActions, node_id: str, state: str) -> None:
    ends = time.monotonic() + 120
    while True:
        status = actions.status([node_id]).get(node_id)
        if status and status.state == state:
            return
        assert status is None or status.state != "error", status
        assert time.monotonic() < ends, status
        time.sleep(0.5)


def wait_gone(actions: AwsActions, ids: list[str]) -> None:
    ends = time.monotonic() + 120
    while actions.status(ids):
        assert time.monotonic() < ends
        time.sleep(0.5)


def living(actions: AwsActions, name: str) -> list[str]:
    rows = actions._ec2.items(actions.scope, operations.INSTANCES, {"Filters": [{"Name": f"tag:{MARK}", "Values": [name]}]})
    return [row.findtext("instanceId", "") for item in rows for row in item.iterfind("instancesSet/item")
            if row.findtext("instanceState/name") not in ("terminated", "shutting-down")]


@pytest.fixture
def clean() -> Iterator[Callable[..., Order]]:
    """Ends what a test ordered, and checks that the API then lists what it listed before."""
    orders: list[tuple[AwsActions, Order, dict[str, list[str]]]] = []

    def noted(order: Order, region: str = EAST) -> Order:
        actions = opened(region)
        orders.append((actions, order, everything(actions)))
        return order

    yield noted
    for actions, order, _before in orders:
        ids = living(actions, order.name)
        for node in ids:
            actions.delete(node)
        wait_gone(actions, ids)
        actions.clean(order.name)
        assert actions.leftovers(order.name) == []
        assert actions.clean(order.name) == []
    for actions, _order, before in orders:
        assert everything(actions) == before


Clean = Callable[..., Order]


# ---------------------------------------------------------------------------------------------------- catalog
def test_networks_are_what_the_layout_makes_true(catalog: Catalog) -> None:
    told = {row.name: {family: (row.reach[family], row.how[family]) for family in row.reach}
            for row in catalog.networks if not row.default}
    assert told == {
        "public": {"ipv4": ("floating", "assigned")},
        "private": {"ipv4": ("private", "none")},
        "dual": {"ipv4": ("floating", "assigned"), "ipv6": ("public", "direct")},
        "ipv6-only": {"ipv6": ("public", "direct")},
        "boston": {"ipv4": ("floating", "assigned")},
    }
    by_name = {row.name: row for row in catalog.networks}
    assert by_name["boston"].zones == ("us-east-1-bos-1a",)
    assert "nat" in by_name["private"].why["ipv4"].lower()
    assert "igw-" in by_name["public"].why["ipv4"]
    assert all(row.usable and row.zones for row in catalog.networks)
    defaults = [row for row in catalog.networks if row.default]
    assert defaults
    assert all((row.reach["ipv4"], row.how["ipv4"]) == ("floating", "assigned") for row in defaults)


def test_what_the_fleet_file_says_of_networks_counts() -> None:
    said = {"private": {"role": "external"}, "2001:db8::/32": {"role": "private"}}
    cloud = parse_clouds({"amazon": {**described("amazon"), "networks": said}}, "fleet.yml")[0]
    provider = PROVIDERS["aws"].open(cloud, Run(Patience.seconds(60, 1), frozenset(STATES), environ=os.environ))
    rows = {row.name: row for row in provider.actions(EAST).catalog(frozenset(("networks",))).networks}
    assert (rows["private"].reach["ipv4"], rows["private"].how["ipv4"]) == ("external", "direct")
    assert (rows["dual"].reach["ipv4"], rows["dual"].reach["ipv6"]) == ("floating", "private")


def test_images_by_distribution(catalog: Catalog) -> None:
    named = {image.name for image in catalog.images if image.public}
    assert named == {
        "debian-12-amd64-20261103-2286", "debian-12-amd64-20260210-2019", "debian-12-arm64-20261103-2286", "debian-13-amd64-20261110-2293"}
    image = next(image for image in catalog.images if image.name == "debian-12-amd64-20261103-2286")
    assert (image.distro, image.version, image.arch, image.owner, image.created, image.usable) == (
        "debian", "12", "x86_64", "136693071363", "2026-11-03T08:22:41Z", True)
    assert "prod-base-2026-10" in {image.name for image in catalog.images if not image.public}


@pytest.mark.parametrize(("word", "name"), [
    ("ubuntu", "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20261028"), ("rocky", "Rocky-9-EC2-Base-9.6-20260601.0.x86_64"),
    ("almalinux", "AlmaLinux OS 9.6.20260522 x86_64"), ("amazon", "al2023-ami-2023.9.20261105.0-kernel-6.12-x86_64"),
    ("rhel", "RHEL-9.6.0_HVM-20260910-x86_64-0-Hourly2-GP3"), ("centos", "CentOS Stream 9 x86_64 20261109"),
    ("fedora", "Fedora-Cloud-Base-AmazonEC2.x86_64-43-20261015.0"), ("fcos", "fedora-coreos-43.20261026.3.0-x86_64"),
    ("freebsd", "FreeBSD 14.3-RELEASE-amd64 base UFS"), ("flatcar", "Flatcar-stable-4459.2.1-hvm"),
    ("sles", "suse-sles-15-sp7-v20261012-hvm-ssd-x86_64"), ("windows", "Windows_Server-2025-English-Full-Base-2026.11.12"),
    ("rocky-9-ec2-base-9.6-20260601.0.x86_64", "Rocky-9-EC2-Base-9.6-20260601.0.x86_64"),
    ("rocky-9-ec2-base-*", "Rocky-9-EC2-Base-9.6-20260601.0.x86_64"), ("almalinux os 9.6.20260522 x86_64", "AlmaLinux OS 9.6.20260522 x86_64"),
    ("debian-12-amd64-20260210-2019", "debian-12-amd64-20260210-2019"),
])
def test_images_by_word(word: str, name: str) -> None:
    found = opened().catalog(frozenset(("images",)), (word,)).images
    assert name in {image.name for image in found}
    assert len({image.id for image in found}) == len(found)
    if word in ("rocky", "freebsd", "flatcar", "sles"):
        assert [image.distro for image in found if image.public] == [word]


def test_images_by_id_and_without_words() -> None:
    every = opened().catalog(frozenset(("images",))).images
    assert {"debian", "ubuntu", "rocky", "almalinux", "amazon", "rhel", "fedora", "flatcar"} <= {image.distro for image in every}
    wanted = next(image for image in every if image.distro == "freebsd")
    assert wanted in opened().catalog(frozenset(("images",)), (wanted.id,)).images
    gone = opened().catalog(frozenset(("images",)), ("ami-00000000000000000",)).images
    assert "ami-00000000000000000" not in {image.id for image in gone}


def test_flavors_and_zones(catalog: Catalog) -> None:
    flavors = {flavor.name: flavor for flavor in catalog.flavors}
    small = flavors["t3.small"]
    assert (small.vcpus, small.memory_mib, small.disk_gib, small.arch) == (2, 2048, None, "x86_64")
    assert flavors["t4g.small"].arch == "aarch64"
    equal = sorted((flavor for flavor in catalog.flavors if (flavor.vcpus, flavor.memory_mib) == (2, 8192) and flavor.arch == "x86_64"
                    and not flavor.why_not), key=lambda flavor: (flavor.price_rank, flavor.name))
    assert equal[0].name == "t3.large"
    assert flavors["m5.large"].price_rank < flavors["m5d.large"].price_rank
    assert "us-east-1a" in {zone.name for zone in catalog.zones if zone.usable}


# ------------------------------------------------------------------------------------------------ whole lives
@pytest.mark.parametrize(("network", "families", "reachable"), [
    ("public", ("ipv4",), "public"), ("dual", ("ipv4", "ipv6"), "public"), ("ipv6-only", ("ipv6",), "public"), ("private", ("ipv4",), "private"),
    ("boston", ("ipv4",), "public"), ("dual", ("ipv6",), "public")])
def test_from_order_to_end(catalog: Catalog, clean: Clean, network: str, families: tuple[str, ...], reachable: str) -> None:
    actions = opened()
    key = f"{PREFIX}{uuid.uuid4().hex[:8]}"
    order = clean(order_for(catalog, network, reachable=reachable, families=families, key_name=key, rules=RULES,
                            user_data="#cloud-config\n", disk_gib=30))
    actions.add_key(key, KEY)
    try:
        actions.add_key(key, KEY + "-again")
        with pytest.raises(FleetError) as refused:
            actions.add_key(key, KEY.replace("AAAAIH", "AAAAIG"))
        assert refused.value.code == "key_differs"
        found = actions.find_key(key)
        assert found is not None
        assert found.public_key is not None
        assert found.public_key.split()[:2] == KEY.split()[:2]
        node = actions.create(order)
        assert actions.create(order) == node
        assert opened().create(order) == node
        wait_for(actions, node, "running")
        assert actions.confirm(order, node) == node
        assert actions.publish(order, node) is None
        shown = node_of(node)
        assert (shown.name, shown.tags[MARK], shown.tags["role"]) == (order.name, order.name, "web")
        assert bool(shown.public_ipv4) == (reachable == "public" and "ipv4" in families), shown.why
        assert bool(shown.public_ipv6) == (reachable == "public" and "ipv6" in families), shown.why
        assert f"fleet-{order.name}" in shown.security_groups
        assert raw(actions, node).findtext("metadataOptions/httpTokens") == "required"
        assert not actions.power(node, "start")
        assert actions.power(node, "stop")
        wait_for(actions, node, "stopped")
        assert not actions.power(node, "stop")
        with pytest.raises(FleetError) as stopped:
            actions.power(node, "reboot")
        assert stopped.value.code == "wrong_state"
        assert actions.power(node, "start")
        wait_for(actions, node, "running")
        assert actions.power(node, "reboot")
        assert actions.tag(node, {"role": "db", "env": "lab", "gone": None})
        assert not actions.tag(node, {"role": "db", "env": "lab"})
        assert actions.tag(node, {"env": None})
        assert not actions.tag(node, {"env": None})
        actions.delete(node)
        wait_gone(actions, [node])
        actions.delete(node)
        assert actions.leftovers(order.name) == [f"security group fleet-{order.name}"]
        assert {order.name, key} <= actions.marked(PREFIX)
        assert actions.marked(key) == {key}
    finally:
        assert actions.remove_key(key)
    assert not actions.remove_key(key)
    assert actions.find_key(key) is None


def test_unknown_nodes(catalog: Catalog) -> None:
    actions = opened()
    unknown = "i-0123456789abcdef0"
    assert actions.status([unknown]) == {}
    actions.delete(unknown)
    for act in (lambda: actions.power(unknown, "start"), lambda: actions.tag(unknown, {"a": "b"}),
                lambda: actions.publish(order_for(catalog, "public", reachable="public"), unknown)):
        with pytest.raises(FleetError) as refused:
            act()
        assert refused.value.code == "not_found"


def test_security_rules_come_into_line(catalog: Catalog, clean: Clean) -> None:
    actions = opened()
    order = clean(order_for(catalog, "public", rules=RULES))
    node = actions.create(order)

    def permissions() -> set[tuple[str, ...]]:
        (group,) = [item for item in items(actions, operations.GROUPS) if item.findtext("groupName") == f"fleet-{order.name}"]
        return {
            (*(row.findtext(field, "") for field in ("ipProtocol", "fromPort", "toPort")),
             source.findtext("cidrIp") or source.findtext("cidrIpv6", ""))
            for row in group.iterfind("ipPermissions/item") for source in (*row.iterfind("ipRanges/item"), *row.iterfind("ipv6Ranges/item"))}

    assert permissions() == {
        ("tcp", "22", "22", "198.51.100.0/24"), ("tcp", "22", "22", "2001:db8::/64"), ("udp", "60000", "60010", "0.0.0.0/0"),
        ("icmp", "-1", "-1", "0.0.0.0/0"), ("icmpv6", "-1", "-1", "::/0")}
    made = permissions()
    mesh = (SecurityRule(51820, 51820, "udp", ("203.0.113.9/32", "2001:db8:9::9/128")), SecurityRule(60000, 60010, "udp", ("0.0.0.0/0",)))
    told = ["lets in udp 51820 from 2001:db8:9::9/128", "lets in udp 51820 from 203.0.113.9/32"]
    assert actions.bring_rules(order.name, node, "mesh", mesh, check=True) == told and permissions() == made
    assert actions.bring_rules(order.name, node, "mesh", mesh) == told
    assert actions.bring_rules(order.name, node, "mesh", mesh) == []
    assert permissions() - made == {("udp", "51820", "51820", "203.0.113.9/32"), ("udp", "51820", "51820", "2001:db8:9::9/128")}
    assert actions.bring_rules(order.name, node, "cluster", ()) == []
    assert actions.bring_rules(order.name, node, "mesh", ()) == [f"no longer {word}" for word in told]
    assert permissions() == made
    actions.delete(node)
    wait_gone(actions, [node])
    again = dataclasses.replace(order, rules=(SecurityRule(443, 443, "tcp", ("0.0.0.0/0",)), RULES[1]))
    other = actions.create(again)
    assert other != node
    assert permissions() == {("tcp", "443", "443", "0.0.0.0/0"), ("udp", "60000", "60010", "0.0.0.0/0")}
    assert f"fleet-{order.name}" in node_of(other).security_groups


# --------------------------------------------------------------------------------- one node, whatever happens
@pytest.mark.parametrize("runs", [2, 4])
def test_runs_that_race_agree_on_one(catalog: Catalog, clean: Clean, runs: int) -> None:
    order = clean(order_for(catalog, "public", rules=RULES, reachable="public"))

    def run() -> str:
        actions = opened()
        node = actions.create(order)
        wait_for(actions, node, "running")
        return actions.confirm(order, node)

    answers = together(*[run] * runs)
    assert len(set(answers)) == 1, answers
    assert living(opened(), order.name) == [answers[0]]


@pytest.mark.parametrize("method", ["RunInstances", "CreateSecurityGroup", "AuthorizeSecurityGroupIngress"])
def test_an_answer_that_was_lost(catalog: Catalog, clean: Clean, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """The connection breaks after the request has been carried out."""
    actions = opened()
    order = clean(order_for(catalog, "public", rules=RULES))
    lost = _losing(monkeypatch, method)
    node = actions.create(order)
    assert lost == [method]
    assert living(actions, order.name) == [node]


def _losing(monkeypatch: pytest.MonkeyPatch, method: str, times: int = 1) -> list[str]:
    send = Ec2._send
    lost: list[str] = []

    def broken(self: Ec2, region: str, operation: operations.Operation, parameters: Any) -> bytes:
        body = send(self, region, operation, parameters)
        if operation.name == method and len(lost) < times:
            lost.append(method)
            raise FleetError(operation.what, why="the connection broke", code="unreachable", transient=True)
        return body

    monkeypatch.setattr(Ec2, "_send", broken)
    return lost


@pytest.mark.parametrize("fault", [
    {"code": "RequestLimitExceeded", "http": 503}, {"code": "InternalError", "http": 500}, {"drop": True}, {"raw": "<html>", "http": 502}])
def test_passing_failures(catalog: Catalog, clean: Clean, control: Control, fault: dict[str, Any]) -> None:
    actions = opened()
    order = clean(order_for(catalog, "public", rules=RULES))
    try:
        for action in ("RunInstances", "CreateSecurityGroup", "DescribeInstances"):
            control(action=action, **fault)
        node = actions.create(order)
    finally:
        control()
    assert living(actions, order.name) == [node]


@pytest.mark.parametrize(("code", "meaning"), [
    ("InsufficientInstanceCapacity", "capacity"), ("VcpuLimitExceeded", "quota"), ("InstanceLimitExceeded", "quota"),
    ("InvalidAMIID.NotFound", "image_gone"), ("InvalidAMIID.Unavailable", "image_gone"), ("UnauthorizedOperation", "denied"),
    ("InvalidParameterCombination", "refused")])
def test_refusals_and_then_nothing_is_left(catalog: Catalog, clean: Clean, control: Control, code: str, meaning: str) -> None:
    actions = opened()
    order = clean(order_for(catalog, "public", rules=RULES))
    control(action="RunInstances", code=code, http=403 if meaning == "denied" else 400)
    try:
        with pytest.raises(FleetError) as refused:
            actions.create(order)
    finally:
        control()
    assert refused.value.code == meaning
    assert code in refused.value.why
    assert refused.value.fix
    if meaning == "denied":
        assert "ec2:RunInstances" in refused.value.fix
    assert living(actions, order.name) == []


def test_a_wrong_flavor_image_and_key(catalog: Catalog, clean: Clean) -> None:
    actions = opened()
    order = clean(order_for(catalog, "public"))
    assert order.image is not None
    arm = next(flavor for flavor in catalog.flavors if flavor.name == "t4g.small")
    for wrong, code in ((dataclasses.replace(order, flavor=arm), "refused"), (dataclasses.replace(order, key_name="no-such-key"), "refused"),
                        (dataclasses.replace(order, image=dataclasses.replace(order.image, id="ami-00000000000000000")), "image_gone")):
        with pytest.raises(FleetError) as refused:
            actions.create(dataclasses.replace(wrong, token=uuid.uuid4().hex))
        assert refused.value.code == code, refused.value


def test_the_token_of_a_dead_node(catalog: Catalog, clean: Clean) -> None:
    """EC2 answers an old token with the instance it made, dead as it is: the next one must live, three times over."""
    actions = opened()
    order = clean(order_for(catalog, "public"))
    made: list[str] = []
    for _life in range(4):
        node = opened().create(order)
        assert node not in made
        assert opened().create(order) == node
        made.append(node)
        actions.delete(node)
        wait_gone(actions, [node])


def test_the_token_of_a_dead_node_that_is_not_listed_any_more(
        catalog: Catalog, clean: Clean, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminated instance is listed for an hour; its token is remembered for a day."""
    actions = opened()
    order = clean(order_for(catalog, "public"))
    made = []
    for _life in range(2):
        made.append(opened().create(order))
        actions.delete(made[-1])
        wait_gone(actions, [made[-1]])
    read = Ec2.pages

    def forgetful(self: Ec2, region: str, operation: operations.Operation, *args: Any, **kwargs: Any) -> Any:
        for page in read(self, region, operation, *args, **kwargs):
            for item in page if operation is operations.INSTANCES else ():
                instances = item.find("instancesSet")
                for row in list(instances):
                    if row.findtext("instanceState/name") == "terminated":
                        instances.remove(row)
            yield page

    monkeypatch.setattr(Ec2, "pages", forgetful)
    monkeypatch.setattr(creation, "LISTED", 0.0)
    node = actions.create(order)
    assert node not in made
    assert living(actions, order.name) == [node]
    # other settings than those that the forgotten token is for
    actions.delete(node)
    wait_gone(actions, [node])
    other = actions.create(dataclasses.replace(order, flavor=next(flavor for flavor in catalog.flavors if flavor.name == "t3.medium")))
    assert other not in (*made, node)
    assert living(actions, order.name) == [other]


def test_the_same_name_with_other_settings_is_one_node(catalog: Catalog, clean: Clean) -> None:
    order = clean(order_for(catalog, "public"))
    other = dataclasses.replace(order, user_data="#!/bin/sh\n")
    answers = together(lambda: opened().create(order), lambda: opened().create(other))
    final = {opened().confirm(order, node) for node in answers}
    assert len(final) == 1
    assert living(opened(), order.name) == list(final)


# -------------------------------------------------------------------------------------------------- addresses
def test_an_elastic_ip_for_a_node_without_address(catalog: Catalog, clean: Clean) -> None:
    actions = opened()
    order = clean(order_for(catalog, "public", reachable="private"))
    node = actions.create(order)
    wait_for(actions, node, "running")
    assert node_of(node).public_ip is None
    assert actions.publish(order, node) is None
    public = dataclasses.replace(order, reachable="public")
    word = actions.publish(public, node)
    shown = node_of(node)
    assert word is not None
    assert str(shown.public_ipv4) in word
    assert actions.publish(public, node) is None
    assert actions.leftovers(order.name) == [f"elastic IP {shown.public_ipv4}"]
    assert actions.marked(order.name) == {order.name}
    actions.power(node, "stop")
    wait_for(actions, node, "stopped")
    actions.power(node, "start")
    wait_for(actions, node, "running")
    assert node_of(node).public_ipv4 == shown.public_ipv4
    actions.delete(node)
    wait_gone(actions, [node])
    assert actions.marked(order.name) == {order.name}, "its address is left"
    assert actions.clean(order.name) == [f"elastic IP {shown.public_ipv4}"]
    assert actions.marked(order.name) == set()


@pytest.fixture
def free_address() -> Iterator[Any]:
    """An elastic IP that somebody else has allocated and does not use."""
    actions = opened()
    root = actions._ec2.ask(EAST, operations.ALLOCATE, {"Domain": "vpc"})
    yield root
    actions._ec2.ask(EAST, operations.RELEASE, {"AllocationId": root.findtext("allocationId")})


def test_a_free_elastic_ip_is_reused_and_not_released(catalog: Catalog, free_address: Any, clean: Clean) -> None:
    actions = opened()
    order = clean(order_for(catalog, "public", reachable="private"))
    node = actions.create(order)
    wait_for(actions, node, "running")
    word = actions.publish(dataclasses.replace(order, reachable="public"), node)
    assert free_address.findtext("publicIp") in str(word)
    assert node_of(node).public_ipv4 == free_address.findtext("publicIp")
    assert actions.leftovers(order.name) == []
    actions.delete(node)
    wait_gone(actions, [node])
    assert actions.clean(order.name) == []


def test_two_nodes_that_race_for_one_free_elastic_ip(catalog: Catalog, free_address: Any, clean: Clean) -> None:
    orders = [clean(order_for(catalog, "public", reachable="private")) for _number in range(2)]
    nodes = [opened().create(order) for order in orders]
    for node in nodes:
        wait_for(opened(), node, "running")
    publics = [dataclasses.replace(order, reachable="public") for order in orders]
    together(*[lambda order=order, node=node: opened().publish(order, node) for order, node in zip(publics, nodes, strict=True)])
    shown = {node_of(node).public_ipv4 for node in nodes}
    assert len(shown) == 2
    assert None not in shown
    assert free_address.findtext("publicIp") in shown


def test_an_allocation_whose_answer_was_lost(catalog: Catalog, clean: Clean, monkeypatch: pytest.MonkeyPatch) -> None:
    actions = opened()
    order = clean(order_for(catalog, "public", reachable="private"))
    node = actions.create(order)
    wait_for(actions, node, "running")
    lost = _losing(monkeypatch, "AllocateAddress")
    assert actions.publish(dataclasses.replace(order, reachable="public"), node)
    assert lost
    assert len(actions.leftovers(order.name)) == 1


@pytest.mark.parametrize(("action", "code", "meaning"), [
    ("AllocateAddress", "AddressLimitExceeded", "address_pool"), ("AssociateAddress", "Gateway.NotAttached", "refused")])
def test_no_address_to_be_had(catalog: Catalog, clean: Clean, control: Control, action: str, code: str, meaning: str) -> None:
    actions = opened()
    order = clean(order_for(catalog, "public", reachable="private"))
    node = actions.create(order)
    wait_for(actions, node, "running")
    control(action=action, code=code)
    try:
        with pytest.raises(FleetError) as refused:
            actions.publish(dataclasses.replace(order, reachable="public"), node)
    finally:
        control()
    assert refused.value.code == meaning
    actions.delete(node)
    wait_gone(actions, [node])


def test_what_others_made_is_never_removed(catalog: Catalog, clean: Clean) -> None:
    actions = opened()
    before = everything(actions)
    for name in ("web-1", "router-1", "default"):
        assert actions.leftovers(name) == []
        assert actions.clean(name) == []
    assert everything(actions) == before


def test_many_nodes_at_once(catalog: Catalog, clean: Clean) -> None:
    orders = [clean(order_for(catalog, "public", reachable="public")) for _number in range(8)]
    actions = opened()
    began = time.monotonic()
    nodes = together(*[lambda order=order: actions.create(order) for order in orders])
    assert len(set(nodes)) == 8
    assert set(actions.status(nodes)) == set(nodes)
    assert time.monotonic() - began < 60


def test_the_other_region(clean: Clean) -> None:
    actions = opened(WEST)
    catalog = actions.catalog(frozenset(PARTS), ("debian",))
    order = clean(order_for(catalog, "public", reachable="public"), WEST)
    node = actions.create(order)
    wait_for(actions, node, "running")
    assert node_of(node, WEST).public_ipv4
    assert living(opened(EAST), order.name) == []
