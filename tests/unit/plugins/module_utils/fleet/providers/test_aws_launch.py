# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What RunInstances is asked for an order, and with which token."""
from __future__ import annotations

import dataclasses
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import CatalogFlavor, CatalogImage, CatalogNetwork
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.actions import MARK, Order
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.aws import launch

DUAL = CatalogNetwork(
    "subnet-1", "dual", {"ipv4": "floating", "ipv6": "public"}, {"ipv4": "assigned", "ipv6": "direct"}, zones=("us-east-1a",), extra={"vpc": "vpc-1"})
PLAIN = CatalogNetwork("subnet-2", "plain", {"ipv4": "floating"}, {"ipv4": "floating"}, extra={"vpc": "vpc-1"})
CLOSED = CatalogNetwork("subnet-3", "closed", {"ipv4": "private"}, {"ipv4": "none"}, extra={"vpc": "vpc-1"})
SIX = CatalogNetwork("subnet-6", "six", {"ipv6": "public"}, {"ipv6": "direct"}, extra={"vpc": "vpc-1"})
ORDER = Order("web-1", CatalogImage("ami-1", "debian-12"), CatalogFlavor("t3.small", "t3.small", 2, 2048), DUAL, "token", tags={MARK: "web-1"})


def image(*disks: str) -> Element:
    return fromstring(f"<item><imageId>ami-1</imageId><rootDeviceName>/dev/xvda</rootDeviceName><blockDeviceMapping>{''.join(disks)}"
                      f"</blockDeviceMapping></item>")


def disk(name: str, size: int, goes: str) -> str:
    return (f"<item><deviceName>{name}</deviceName><ebs><volumeSize>{size}</volumeSize><deleteOnTermination>{goes}</deleteOnTermination>"
            f"</ebs></item>")


ROOT = disk("/dev/xvda", 8, "true")


def interface(**changes: Any) -> dict[str, Any]:
    (found,) = launch.parameters(dataclasses.replace(ORDER, **changes), image(ROOT), changes.pop("group", None))["NetworkInterfaces"]
    return {key: value for key, value in found.items() if key not in ("DeviceIndex", "SubnetId", "DeleteOnTermination")}


BOTH = ("ipv4", "ipv6")


@pytest.mark.parametrize(("changes", "asked"), [
    ({"reachable": "public"}, {"AssociatePublicIpAddress": True}),
    ({"reachable": "public", "families": BOTH}, {"AssociatePublicIpAddress": True, "Ipv6AddressCount": 1}),
    ({"reachable": "public", "families": ("ipv6",)}, {"AssociatePublicIpAddress": False, "Ipv6AddressCount": 1}),
    ({"reachable": "private"}, {"AssociatePublicIpAddress": False, "Ipv6AddressCount": 0}),
    ({"reachable": "any"}, {}),
    ({"reachable": "public", "network": PLAIN}, {"AssociatePublicIpAddress": True}),
    ({"reachable": "any", "network": PLAIN}, {}),
    ({"reachable": "public", "network": CLOSED}, {"AssociatePublicIpAddress": False}),
    ({"reachable": "private", "network": CLOSED}, {"AssociatePublicIpAddress": False}),
    ({"reachable": "public", "network": SIX, "families": ("ipv6",)}, {}),
])
def test_addresses_are_asked_for_at_launch(changes: dict[str, Any], asked: dict[str, Any]) -> None:
    assert interface(**changes) == asked


def test_everything_carries_name_and_mark_and_ends_with_the_node() -> None:
    asked = launch.parameters(dataclasses.replace(ORDER, tags={MARK: "web-1", "role": "web"}), image(ROOT), "sg-1")
    assert {row["ResourceType"] for row in asked["TagSpecifications"]} == {"instance", "volume", "network-interface"}
    for row in asked["TagSpecifications"]:
        assert row["Tags"] == [{"Key": "Name", "Value": "web-1"}, {"Key": MARK, "Value": "web-1"}, {"Key": "role", "Value": "web"}]
    (only,) = asked["NetworkInterfaces"]
    assert (only["Groups"], only["DeleteOnTermination"], only["SubnetId"]) == (["sg-1"], True, "subnet-1")
    assert asked["MetadataOptions"]["HttpTokens"] == "required"
    assert (asked["ImageId"], asked["InstanceType"], asked["MinCount"], asked["MaxCount"]) == ("ami-1", "t3.small", 1, 1)
    assert not {"KeyName", "UserData", "BlockDeviceMappings", "ClientToken"} & set(asked)
    more = launch.parameters(dataclasses.replace(ORDER, key_name="k", user_data="#!/bin/sh"), image(ROOT), None)
    assert (more["KeyName"], more["UserData"]) == ("k", "#!/bin/sh")
    assert "Groups" not in more["NetworkInterfaces"][0]


@pytest.mark.parametrize(("disks", "wanted", "asked"), [
    ((ROOT,), None, None),
    ((ROOT,), 30, [("/dev/xvda", 30)]),
    ((disk("/dev/xvda", 8, "false"),), None, [("/dev/xvda", 8)]),
    ((ROOT, disk("/dev/xvdb", 100, "false")), 30, [("/dev/xvda", 30), ("/dev/xvdb", 100)]),
    ((ROOT, "<item><deviceName>/dev/xvdc</deviceName><virtualName>ephemeral0</virtualName></item>"), None, None),
    ((), 20, [("/dev/xvda", 20)]),
])
def test_disks(disks: tuple[str, ...], wanted: int | None, asked: list[tuple[str, int]] | None) -> None:
    told = launch.parameters(dataclasses.replace(ORDER, disk_gib=wanted), image(*disks), None).get("BlockDeviceMappings")
    assert (told and [(row["DeviceName"], row["Ebs"]["VolumeSize"]) for row in told]) == asked
    assert all(row["Ebs"]["DeleteOnTermination"] for row in told or ())


@pytest.mark.parametrize(("changes", "word"), [
    ({"tags": {"aws:x": "1"}}, "aws:x"), ({"tags": {"AWS:x": "1"}}, "AWS:x"), ({"tags": {"": "1"}}, "1 to 128"),
    ({"tags": {"k" * 129: "1"}}, "1 to 128"),
    ({"tags": {"k": "v" * 257}}, "256"), ({"tags": {"Name": "x"}}, "Name"), ({"tags": {f"k{n}": "" for n in range(50)}}, "50"),
    ({"zone": "us-east-1b"}, "us-east-1a"), ({"user_data": "ü" * 8193}, "16386"), ({"image": None}, "image"), ({"network": None}, "subnet"),
])
def test_what_cannot_be_asked_for_is_told_before(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(FleetError) as refused:
        launch.check(dataclasses.replace(ORDER, **changes))
    assert refused.value.code == "refused"
    assert word in refused.value.why
    assert refused.value.fix


def test_limits_themselves_are_kept() -> None:
    launch.check(dataclasses.replace(
        ORDER, user_data="x" * 16384, zone="us-east-1a", tags={**{f"k{n}": "v" * 256 for n in range(48)}, "k" * 128: ""}))


def test_tokens_follow_a_chain_that_every_run_walks() -> None:
    second = launch.salted("t", "i-1")
    third = launch.salted(second, "i-2")
    assert launch.unused("t", {}) == "t"
    assert launch.unused("t", {"other": "i-9"}) == "t"
    assert launch.unused("t", {"t": "i-1"}) == second
    assert launch.unused("t", {"t": "i-1", second: "i-2"}) == third
    assert len({"t", second, third, launch.salted("t", "i-3"), launch.salted("u", "i-1")}) == 5
    assert all(len(token) <= 64 for token in (second, third))


def test_the_digest_is_that_of_the_settings() -> None:
    one, same = launch.parameters(ORDER, image(ROOT), "sg-1"), launch.parameters(ORDER, image(ROOT), "sg-1")
    assert launch.digest(one) == launch.digest(same)
    assert launch.digest(one) != launch.digest(launch.parameters(ORDER, image(ROOT), "sg-2"))
