# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lab's EC2 and STS as boto3 sees them: the fleet of its README, and AWS's behaviour where moto has another.

Uses the lab of FLEET_LAB_STATE when that one serves EC2, else starts and ends one of its own. Needs boto3.
"""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from ec2_lab import (
    DOCUMENTATION,
    PLAYGROUND,
    client,
    control,
    error,
    instances,
    lab,
    launch,
    make_subnet,
    seeded,
    serves_ec2,
    session,
    tags,
)


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables of `lab env`, with the fleet in place."""
    given = os.environ.get("FLEET_LAB_STATE")
    own = not (given and serves_ec2(Path(given)))
    state = tmp_path_factory.mktemp("lab") if own else Path(str(given))
    try:
        if own:
            lab(state, "up", "--only", "ec2")
        lab(state, "seed", "--only", "ec2")
        yield dict(re.findall(r"^export (\w+)='?(.*?)'?$", lab(state, "env"), re.MULTILINE))
    finally:
        if own:
            lab(state, "down", "--purge")


@pytest.fixture(autouse=True)
def settings(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in [name for name in environment if name.startswith("AWS_")]:
        monkeypatch.setenv(name, environment[name])
    control("clear")
    yield
    control("clear")


@pytest.fixture
def ec2() -> Iterator[Any]:
    """A region the fleet does not use, so that tests leave no trace in it; what they launch ends with them."""
    made = client(PLAYGROUND)
    yield made
    running = [item["InstanceId"] for item in instances(PLAYGROUND) if item["State"]["Name"] != "terminated"]
    if running:
        made.terminate_instances(InstanceIds=running)


# -- the fleet --------------------------------------------------------------------------------------------------
def test_seeded_fleet_is_complete_and_a_second_seed_changes_nothing(environment: dict[str, str]) -> None:
    before = {region: seeded(region) for region in ("us-east-1", "eu-west-1")}
    lab(Path(environment["FLEET_LAB_STATE"]), "seed", "--only", "ec2")
    assert {region: seeded(region) for region in before} == before
    assert set(before["us-east-1"]) == {
        "web-1",
        "web-2",
        "db-1",
        "bastion-1",
        "dual-1",
        "six-1",
        "router-1",
        "edge-1",
        "old-1",
        "gone-1",
    }
    assert set(before["eu-west-1"]) == {"api-1", "worker-a", "worker-b", "bsd-1", "core-1", "orphan-1", "win-1"}
    assert set(seeded("us-east-1", "lab-second")) == {"partner-web-1"}
    assert set(seeded("eu-west-1", "lab-second")) == {"partner-db-1"}


def test_every_public_address_is_a_documentation_address_and_unique() -> None:
    found = []
    for profile in ("lab", "lab-second"):
        for region in ("us-east-1", "eu-west-1"):
            for item in instances(region, profile):
                found += [item[key] for key in ("PublicIpAddress", "Ipv6Address") if key in item]
            found += [
                item["PublicIp"]
                for item in client(region, profile).describe_addresses()["Addresses"]
                if "InstanceId" not in item
            ]
    assert len(found) == len(set(found)) >= 14
    assert all(any(ipaddress.ip_address(text) in network for network in DOCUMENTATION) for text in found)


def test_addresses_tell_elastic_from_auto_assigned() -> None:
    fleet = seeded("us-east-1")

    def owner(key: str) -> str:
        return fleet[key]["NetworkInterfaces"][0]["Association"]["IpOwnerId"]

    assert [owner(key) for key in ("web-1", "web-2", "bastion-1")] == ["amazon", "111111111111", "111111111111"]
    assert "PublicIpAddress" not in fleet["db-1"] and "Association" not in fleet["db-1"]["NetworkInterfaces"][0]
    public = fleet["web-1"]["PublicIpAddress"]
    assert fleet["web-1"]["PublicDnsName"] == f"ec2-{public.replace('.', '-')}.compute-1.amazonaws.com"


def test_an_instance_shows_its_security_group() -> None:
    web = seeded("us-east-1")["web-1"]
    assert [group["GroupName"] for group in web["SecurityGroups"]] == ["default"]
    assert web["SecurityGroups"] == web["NetworkInterfaces"][0]["Groups"]


def test_dual_stack_and_ipv6_only_instances() -> None:
    fleet = seeded("us-east-1")
    dual, six = fleet["dual-1"], fleet["six-1"]
    assert dual["PublicIpAddress"] and dual["PrivateIpAddress"].startswith("10.10.3.")
    assert dual["Ipv6Address"] == dual["NetworkInterfaces"][0]["Ipv6Addresses"][0]["Ipv6Address"]
    assert "PrivateIpAddress" not in six and "PublicIpAddress" not in six
    assert "PrivateIpAddress" not in six["NetworkInterfaces"][0]
    blocks = [client().describe_subnets(SubnetIds=[item["SubnetId"]])["Subnets"][0] for item in (dual, six)]
    assert [block["Ipv6Native"] for block in blocks] == [False, True]
    for item, block in zip((dual, six), blocks, strict=True):
        cidr = block["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
        assert ipaddress.ip_address(item["Ipv6Address"]) in ipaddress.ip_network(cidr)


def test_stopped_terminated_twins_and_hostile_tag() -> None:
    us, eu = seeded("us-east-1"), seeded("eu-west-1")
    assert us["old-1"]["State"]["Name"] == "stopped" and "PublicIpAddress" not in us["old-1"]
    gone = us["gone-1"]
    assert gone["State"]["Name"] == "terminated" and gone["NetworkInterfaces"] == []
    assert not {"SubnetId", "VpcId", "PrivateIpAddress"} & set(gone)
    assert tags(eu["worker-a"])["Name"] == tags(eu["worker-b"])["Name"] == "worker"
    assert tags(us["db-1"])["note"] == "{{ 7*7 }}"


def test_images_tell_owner_name_and_platform_and_one_is_gone() -> None:
    us, eu = seeded("us-east-1"), seeded("eu-west-1")
    images = {image["ImageId"]: image for image in client().describe_images()["Images"]}
    assert len({images[item["ImageId"]]["OwnerId"] for item in us.values()}) >= 8
    red_hat = images[us["edge-1"]["ImageId"]]
    assert red_hat["PlatformDetails"] == us["edge-1"]["PlatformDetails"] == "Red Hat Enterprise Linux"
    assert images[us["router-1"]["ImageId"]]["Name"] == "prod-base-2026-10"
    there = client("eu-west-1")
    (copy,) = there.describe_images(ImageIds=[eu["api-1"]["ImageId"]])["Images"]
    (source,) = there.describe_images(ImageIds=[copy["SourceImageId"]])["Images"]
    assert (copy["OwnerId"], source["OwnerId"]) == ("111111111111", "136693071363")
    assert eu["win-1"]["Platform"] == "windows"
    assert there.describe_images(Filters=[{"Name": "image-id", "Values": [eu["orphan-1"]["ImageId"]]}])["Images"] == []
    assert error(there.describe_images, ImageIds=[eu["orphan-1"]["ImageId"], copy["ImageId"]]) == (
        "InvalidAMIID.Unavailable",
        400,
    )


def test_newest_image_can_be_found_by_date() -> None:
    found = client().describe_images(
        Owners=["136693071363"], Filters=[{"Name": "name", "Values": ["debian-12-amd64-*"]}]
    )["Images"]
    assert max(found, key=lambda image: image["CreationDate"])["Name"] == "debian-12-amd64-20261103-2286"


def test_routes_tell_public_from_private_subnets() -> None:
    def way_out(region: str, key: str) -> set[tuple[str, str]]:
        tables = client(region).describe_route_tables()["RouteTables"]
        item = seeded(region)[key]
        named = [
            table for table in tables for joined in table["Associations"] if joined.get("SubnetId") == item["SubnetId"]
        ]
        main = [
            table
            for table in tables
            if table["VpcId"] == item["VpcId"] and any(joined["Main"] for joined in table["Associations"])
        ]
        (table,) = named or main
        kinds = ("GatewayId", "NatGatewayId", "EgressOnlyInternetGatewayId")
        ways = [
            (route.get("DestinationCidrBlock") or route["DestinationIpv6CidrBlock"], route[kind].partition("-")[0])
            for route in table["Routes"]
            for kind in kinds
            if route.get(kind)
        ]
        return {way for way in ways if way[1] != "local"}

    assert way_out("us-east-1", "web-1") == {("0.0.0.0/0", "igw"), ("::/0", "igw")}
    assert way_out("us-east-1", "db-1") == {("0.0.0.0/0", "nat"), ("::/0", "eigw")}
    assert way_out("eu-west-1", "worker-a") == set()
    assert way_out("eu-west-1", "bsd-1") == {("0.0.0.0/0", "igw")}  # the default VPC


def test_local_zone_names_its_region() -> None:
    edge = seeded("us-east-1")["edge-1"]
    assert edge["Placement"]["AvailabilityZone"] == "us-east-1-bos-1a"
    (zone,) = client().describe_availability_zones(ZoneNames=["us-east-1-bos-1a"])["AvailabilityZones"]
    assert (zone["RegionName"], zone["ZoneType"], zone["ParentZoneName"]) == ("us-east-1", "local-zone", "us-east-1a")


# -- behaviour ----------------------------------------------------------------------------------------------------
def test_pages_count_instances_and_one_launch_spans_pages(ec2: Any) -> None:
    reservation = launch(
        ec2,
        MinCount=1,
        MaxCount=12,
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "batch", "Value": "paging"}]}],
    )
    made = {item["InstanceId"] for item in reservation["Instances"]}
    assert len(made) == 12
    where = [{"Name": "tag:batch", "Values": ["paging"]}, {"Name": "instance-state-name", "Values": ["running"]}]
    pages = list(ec2.get_paginator("describe_instances").paginate(Filters=where, PaginationConfig={"PageSize": 5}))
    sizes = [[len(part["Instances"]) for part in page["Reservations"]] for page in pages]
    assert sizes == [[5], [5], [2]]
    assert {part["ReservationId"] for page in pages for part in page["Reservations"]} == {reservation["ReservationId"]}
    assert {
        item["InstanceId"] for item in instances(PLAYGROUND, Filters=where, PaginationConfig={"PageSize": 7})
    } == made


def test_other_lists_are_paged_too() -> None:
    whole = client().describe_subnets()["Subnets"]
    pages = list(client().get_paginator("describe_subnets").paginate(PaginationConfig={"PageSize": 5}))
    assert len(pages) == -(-len(whole) // 5)
    assert [subnet for page in pages for subnet in page["Subnets"]] == whole


def test_client_token_makes_a_launch_idempotent(ec2: Any) -> None:
    once = secrets.token_hex(8)
    first = launch(ec2, ClientToken=once)
    again = launch(ec2, ClientToken=once)
    assert first["Instances"][0]["InstanceId"] == again["Instances"][0]["InstanceId"]
    assert error(launch, ec2, ClientToken=once, InstanceType="t3.large") == ("IdempotentParameterMismatch", 400)
    assert launch(ec2)["Instances"][0]["InstanceId"] != launch(ec2)["Instances"][0]["InstanceId"]


def test_stop_and_start_keep_an_elastic_address_and_change_another(ec2: Any) -> None:
    subnet = make_subnet(ec2, public=True)
    plain, fixed = (launch(ec2, SubnetId=subnet)["Instances"][0]["InstanceId"] for _number in range(2))
    address = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=fixed)

    def public() -> tuple[str | None, str | None]:
        found = {item["InstanceId"]: item.get("PublicIpAddress") for item in instances(PLAYGROUND)}
        return found[plain], found[fixed]

    before = public()
    ec2.stop_instances(InstanceIds=[plain, fixed])
    assert public() == (None, address["PublicIp"])
    ec2.start_instances(InstanceIds=[plain, fixed])
    after = public()
    assert after[1] == address["PublicIp"] and after[0] not in (None, before[0])
    ec2.terminate_instances(InstanceIds=[plain, fixed])
    (free,) = ec2.describe_addresses(AllocationIds=[address["AllocationId"]])["Addresses"]
    assert "InstanceId" not in free and "AssociationId" not in free
    ec2.release_address(AllocationId=address["AllocationId"])


def test_an_elastic_address_that_moves_leaves_its_old_instance(ec2: Any) -> None:
    subnet = make_subnet(ec2)
    old, new = (launch(ec2, SubnetId=subnet)["Instances"][0]["InstanceId"] for _number in range(2))
    address = ec2.allocate_address(Domain="vpc")
    for instance_id in (old, new):
        ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=instance_id, AllowReassociation=True)
    found = {item["InstanceId"]: item.get("PublicIpAddress") for item in instances(PLAYGROUND)}
    assert (found[old], found[new]) == (None, address["PublicIp"])
    association = ec2.describe_addresses(AllocationIds=[address["AllocationId"]])["Addresses"][0]["AssociationId"]
    ec2.disassociate_address(AssociationId=association)
    ec2.release_address(AllocationId=address["AllocationId"])


def test_launch_without_a_subnet_lands_in_the_default_one(ec2: Any) -> None:
    made = launch(ec2)["Instances"][0]
    (subnet,) = ec2.describe_subnets(SubnetIds=[made["SubnetId"]])["Subnets"]
    assert subnet["DefaultForAz"] and ipaddress.ip_address(made["PrivateIpAddress"]) in ipaddress.ip_network(
        subnet["CidrBlock"]
    )
    assert made["PublicIpAddress"]


def test_interfaces_of_a_launch_take_the_ipv6_addresses_asked_for(ec2: Any) -> None:
    subnet = make_subnet(ec2, ipv6=True)
    made = launch(ec2, NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": subnet, "Ipv6AddressCount": 2}])["Instances"][
        0
    ]
    assert len(made["NetworkInterfaces"][0]["Ipv6Addresses"]) == 2
    without = make_subnet(ec2)
    assert error(launch, ec2, NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": without, "Ipv6AddressCount": 1}]) == (
        "InvalidParameterValue",
        400,
    )


def test_regions_are_listed_as_the_account_has_them() -> None:
    usual = client().describe_regions()["Regions"]
    every = {row["RegionName"]: row["OptInStatus"] for row in client().describe_regions(AllRegions=True)["Regions"]}
    assert len(usual) == 17 and every["me-south-1"] == "not-opted-in"
    chosen = client().describe_regions(AllRegions=True, Filters=[{"Name": "opt-in-status", "Values": ["not-opted-in"]}])
    assert {row["RegionName"] for row in chosen["Regions"]} == set(every) - {row["RegionName"] for row in usual}


# -- errors ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("action", "arguments", "code"),
    [
        ("describe_instances", {"Filters": [{"Name": "no-such", "Values": ["x"]}]}, "InvalidParameterValue"),
        ("describe_subnets", {"Filters": [{"Name": "no-such", "Values": ["x"]}]}, "InvalidParameterValue"),
        ("describe_instances", {"NextToken": "junk"}, "InvalidParameterValue"),
        ("describe_instances", {"NextToken": ""}, "InvalidParameterValue"),
        ("describe_subnets", {"NextToken": "junk"}, "InvalidParameterValue"),
        ("describe_instances", {"MaxResults": 2}, "InvalidParameterValue"),
        ("describe_instances", {"MaxResults": 1001}, "InvalidParameterValue"),
        (
            "describe_instances",
            {"MaxResults": 5, "InstanceIds": ["i-0123456789abcdef0"]},
            "InvalidParameterCombination",
        ),
        ("describe_instances", {"InstanceIds": ["foo"]}, "InvalidInstanceID.Malformed"),
        ("describe_instances", {"InstanceIds": ["i-0123456789abcdef0"]}, "InvalidInstanceID.NotFound"),
        ("describe_images", {"ImageIds": ["ami-0123456789abcdef0"]}, "InvalidAMIID.NotFound"),
        ("describe_regions", {"RegionNames": ["xx-nowhere-1"]}, "InvalidParameterValue"),
        ("describe_aggregate_id_format", {}, "InvalidAction"),
        ("run_instances", {"ImageId": "ami-0123456789abcdef0", "MinCount": 1, "MaxCount": 1}, "InvalidAMIID.NotFound"),
    ],
)
def test_wrong_requests_get_awss_code_and_never_a_page_of_html(
    action: str, arguments: dict[str, Any], code: str
) -> None:
    assert error(getattr(client(), action), **arguments) == (code, 400)


@pytest.mark.parametrize(
    ("field", "wrong", "code"),
    [("InstanceType", "t9.huge", "InvalidInstanceType"), ("KeyName", "nobodys", "InvalidKeyPair.NotFound")],
)
def test_launch_is_validated(field: str, wrong: str, code: str) -> None:
    image = seeded("us-east-1")["web-1"]["ImageId"]
    arguments = {"ImageId": image, "MinCount": 1, "MaxCount": 1, field: wrong}
    assert error(client().run_instances, **arguments)[0].startswith(code)


def test_instance_type_must_fit_the_image(ec2: Any) -> None:
    assert error(launch, ec2, InstanceType="t4g.small") == ("InvalidParameterValue", 400)


def test_region_not_opted_in_and_unknown_region() -> None:
    assert error(client("me-south-1").describe_instances) == ("AuthFailure", 401)
    assert error(client("xx-nowhere-1").describe_instances) == ("AuthFailure", 401)


def test_wrong_secret_unknown_key_and_missing_right() -> None:
    good = session("lab").get_credentials()
    for key in (good.access_key, "AKIA" + "A" * 16):
        wrong = boto3.Session(aws_access_key_id=key, aws_secret_access_key="wrong", region_name="us-east-1")
        assert error(wrong.client("ec2").describe_instances) == ("AuthFailure", 401)
    assert error(client(profile="lab-denied").describe_instances) == ("UnauthorizedOperation", 403)


def test_role_needs_its_external_id_and_only_reads() -> None:
    sts = client(service="sts")
    role = "arn:aws:iam::222222222222:role/fleet-reader"
    assert sts.assume_role(RoleArn=role, RoleSessionName="test", ExternalId="fleet-lab")["Credentials"]
    assert error(sts.assume_role, RoleArn=role, RoleSessionName="test") == ("AccessDenied", 403)
    assert error(sts.assume_role, RoleArn=role, RoleSessionName="test", ExternalId="other") == ("AccessDenied", 403)
    missing = role.replace("fleet-reader", "no-such")
    assert error(sts.assume_role, RoleArn=missing, RoleSessionName="test", ExternalId="fleet-lab") == (
        "AccessDenied",
        403,
    )
    assert client(profile="lab-second", service="sts").get_caller_identity()["Account"] == "222222222222"
    assert error(client(profile="lab-second").create_vpc, CidrBlock="10.9.0.0/16") == ("UnauthorizedOperation", 403)


# -- faults -----------------------------------------------------------------------------------------------------------
def test_throttling_is_met_and_retried() -> None:
    control("fault", action="DescribeInstances", code="RequestLimitExceeded", http=503, times=2)
    quick = client(retries={"mode": "standard", "max_attempts": 3})
    assert quick.describe_instances()["Reservations"]
    seen = [(entry["action"], entry["status"]) for entry in control("requests")]
    assert seen == [("DescribeInstances", 503), ("DescribeInstances", 503), ("DescribeInstances", 200)]


def test_fault_of_one_region_spares_the_other() -> None:
    control("fault", action="DescribeInstances", region="eu-west-1", code="UnauthorizedOperation", http=403, times=0)
    assert error(client("eu-west-1").describe_instances) == ("UnauthorizedOperation", 403)
    assert client("us-east-1").describe_instances()["Reservations"]


def test_delay_and_dropped_connection() -> None:
    control("fault", action="DescribeVpcs", delay=0.3)
    began = time.monotonic()
    assert client().describe_vpcs()["Vpcs"]
    assert time.monotonic() - began >= 0.3
    control("fault", action="DescribeVpcs", drop=True)
    assert client().describe_vpcs()["Vpcs"]  # the tools retry a connection that broke
    assert [entry["status"] for entry in control("requests")] == [200, 0, 200]
