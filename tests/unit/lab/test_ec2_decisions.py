# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lab's EC2: what it decides without a server."""

from __future__ import annotations

import configparser
import ipaddress
import re

import pytest
from fleetlab.ec2 import accounts, addresses, amis, fleet, regions, wire


# -- public addresses ----------------------------------------------------------------------------------------
def test_addresses_are_unique_and_of_the_region() -> None:
    pool = addresses.PublicAddresses()
    taken: list[str] = []
    while (address := pool.take("us-east-1", taken)) is not None:
        taken.append(address)
    assert len(taken) == len(set(taken)) == 30
    assert all(ipaddress.ip_address(address) in addresses.PARTS["us-east-1"] for address in taken)


def test_a_released_address_comes_back_after_all_others() -> None:
    pool = addresses.PublicAddresses()
    first = pool.take("eu-west-1", ())
    assert pool.take("eu-west-1", ()) != first
    others = {str(host) for host in addresses.PARTS["eu-west-1"].hosts()} - {first}
    assert pool.take("eu-west-1", others) == first


def test_every_region_has_documentation_addresses_and_no_two_parts_overlap() -> None:
    parts = [*addresses.PARTS.values(), addresses.REST]
    assert addresses.PublicAddresses().take("sa-east-1", ()) == "203.0.113.254"
    assert all(part.subnet_of(ipaddress.IPv4Network("203.0.113.0/24")) for part in parts)
    assert not any(one.overlaps(other) for one in parts for other in parts if one is not other)


def test_ipv6_blocks_are_distinct_documentation_ranges() -> None:
    blocks = addresses.Ipv6Blocks()
    given = [ipaddress.IPv6Network(blocks.take()) for _number in range(300)]
    assert len(set(given)) == 300
    assert all(block.prefixlen == 56 and block.subnet_of(ipaddress.IPv6Network("2001:db8::/32")) for block in given)


# -- images ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("key", "owner", "name"),
    [
        ("debian-12", "136693071363", r"debian-12-amd64-\d{8}-\d+"),
        ("ubuntu-24.04", "099720109477", r"ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24\.04-amd64-server-\d{8}"),
        ("rocky-9", "792107900819", r"Rocky-9-EC2-Base-.*x86_64"),
        ("alma-9", "764336703387", r"AlmaLinux OS 9\..* x86_64"),
        ("al2023", "137112412989", r"al2023-ami-2023\..*-x86_64"),
        ("rhel-9", "309956199498", r"RHEL-9\..*"),
        ("centos-stream-9", "125523088429", r"CentOS Stream 9 x86_64 \d{8}"),
        ("fedora-43", "125523088429", r"Fedora-Cloud-Base-.*"),
    ],
)
def test_publishers_images_have_their_owner_and_name(key: str, owner: str, name: str) -> None:
    image = amis.BY_KEY[key]
    assert image.owner == owner
    assert re.fullmatch(name, image.name)
    assert re.fullmatch(r"2026-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z", image.created)


def test_image_ids_differ_by_region_and_never_change() -> None:
    debian = amis.BY_KEY["debian-12"]
    assert debian.id_in("us-east-1") != debian.id_in("eu-west-1")
    assert debian.id_in("us-east-1") == "ami-081cc31d8627a1c1b"
    ids = [image.id_in(region) for image in amis.PUBLIC + amis.PRIVATE for region in regions.STANDARD]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"ami-[0-9a-f]{17}", image_id) for image_id in ids)


def test_private_images_are_seen_in_their_account_and_region_only() -> None:
    def private(account: str, region: str) -> list[str]:
        return [image.key for image in amis.visible(account, region) if image.only]

    assert private("111111111111", "us-east-1") == ["golden"]
    assert private("111111111111", "eu-west-1") == ["debian-12-copy"]
    assert private("222222222222", "us-east-1") == private("111111111111", "us-west-2") == []


# -- regions --------------------------------------------------------------------------------------------------------
def test_disabled_regions_are_listed_only_when_asked_for() -> None:
    usual = {row["RegionName"]: row["OptInStatus"] for row in regions.region_rows(everything=False)}
    every = {row["RegionName"]: row["OptInStatus"] for row in regions.region_rows(everything=True)}
    assert len(usual) == 17 and set(usual.values()) == {"opt-in-not-required"}
    assert "me-south-1" not in usual and every["me-south-1"] == "not-opted-in"


@pytest.mark.parametrize(
    ("region", "text"), [("me-south-1", "not able to validate"), ("xx-nowhere-1", "'xx-nowhere-1'")]
)
def test_calls_to_regions_that_are_not_enabled_are_refused(region: str, text: str) -> None:
    refusal = regions.refuse_region("ec2", region)
    assert refusal is not None and (refusal.http, refusal.code) == (401, "AuthFailure")
    assert text in refusal.message


def test_enabled_regions_and_other_services_are_served() -> None:
    assert regions.refuse_region("ec2", "us-east-1") is None
    assert regions.refuse_region("sts", "me-south-1") is None


# -- wire -----------------------------------------------------------------------------------------------------------
def test_parse_call_reads_signature_scope_and_form() -> None:
    call = wire.parse_call(
        "AWS4-HMAC-SHA256 Credential=AKIAX/20261120/eu-west-1/ec2/aws4_request, SignedHeaders=host, Signature=00",
        "",
        b"Action=DescribeInstances&Filter.1.Name=tag%3Aenv&MaxResults=5",
    )
    assert (call.access_key, call.region, call.service, call.action) == (
        "AKIAX",
        "eu-west-1",
        "ec2",
        "DescribeInstances",
    )
    assert call.params["Filter.1.Name"] == "tag:env"


def test_unsigned_call_has_no_service() -> None:
    call = wire.parse_call("", "Action=GetCallerIdentity", b"")
    assert (call.service, call.region, call.action) == ("", "", "GetCallerIdentity")


def test_each_service_gets_its_own_error_envelope() -> None:
    ec2 = wire.error_body("ec2", "RequestLimitExceeded", "a < b").decode()
    sts = wire.error_body("sts", "ExpiredToken", "old").decode()
    assert "<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>a &lt; b</Message>" in ec2
    assert "<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code>" in sts


# -- accounts and fleet -----------------------------------------------------------------------------------------------
def test_profiles_hold_what_the_tools_need_and_are_private(tmp_path) -> None:
    keys = accounts.load_keys(tmp_path / "keys.json")
    assert accounts.load_keys(tmp_path / "keys.json") == keys
    accounts.write_profiles(tmp_path, keys)
    config, credentials = configparser.ConfigParser(), configparser.ConfigParser()
    config.read(tmp_path / "config")
    credentials.read(tmp_path / "credentials")
    assert config["profile lab-second"]["role_arn"] == "arn:aws:iam::222222222222:role/fleet-reader"
    assert config["profile lab-second"]["source_profile"] == "lab"
    assert credentials["lab"]["aws_access_key_id"] == keys["fleet"]["id"]
    assert "owner" not in credentials.sections() and len(set(map(str, keys.values()))) == len(accounts.USERS)
    assert all((tmp_path / name).stat().st_mode & 0o077 == 0 for name in ("keys.json", "config", "credentials"))


def test_every_machine_of_the_fleet_can_be_launched() -> None:
    for site in fleet.SITES:
        subnets = {subnet.name for subnet in site.subnets}
        visible = {image.key for image in amis.visible(site.account, site.region)} | {"deregistered"}
        keys = [machine.key for machine in site.machines]
        assert len(keys) == len(set(keys))
        for machine in site.machines:
            assert machine.image in visible
            assert set(machine.subnets) <= subnets
