# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the lab's hosts shall be: reports in, hosts, networks and actions out."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path

import pytest
from fleetlab.core import LabError
from fleetlab.hosts import base, cloudinit, image, login, metadata, network
from fleetlab.hosts.model import Actual, Address, Host, Nic, World, hostname, is_global, plan
from fleetlab.hosts.place import Numbers
from fleetlab.hosts.sources import configdrive, ec2, gce, metal

NIC = Nic(
    "d",
    "s",
    "eth0",
    "52:54:00:00:00:01",
    1500,
    (Address("10.0.1.11", 24, "10.0.1.1", "203.0.113.11"), Address("2001:db8::11", 64, "2001:db8::1", None, True)),
)


def host(key: str = "openstack/a", **more: object) -> Host:
    values: dict[str, object] = {"key": key, "cloud": "openstack", "ident": key, "name": "web-1", "user": "debian", "nics": (NIC,)}
    return Host(**{**values, **more})  # type: ignore[arg-type]


# -- what to do -----------------------------------------------------------------------------------------------
def test_new_hosts_boot_newest_first_with_fresh_disks() -> None:
    done = plan(World.of([host("a", born=1), host("b", born=3), host("c", born=2)]), {})
    assert done.boot == ("b", "c", "a") and done.fresh == {"a", "b", "c"}


def test_only_machines_with_a_name_that_is_asked_for_get_a_host() -> None:
    world = World.of([host("a", name="site-1"), host("b", name="rack-21"), host("c", name="web-site-1")], ["d"])
    assert set(world.only(["site-*", "rack-*"]).running) == {"a", "b"} and world.only(["*"]) == world
    assert plan(world.only(["site-*"]), {"b": Actual(alive=True)}).remove == ("b",)


@pytest.mark.parametrize(
    ("actual", "boot", "fresh", "restart"),
    [
        (Actual(alive=True), False, False, False),
        (Actual(alive=False), True, False, False),  # crashed, or stopped before: the same disk
        (Actual(alive=False, halted=True), False, False, False),  # switched off from inside: stays off
        (Actual(alive=True, disk="old"), True, True, False),  # rebuilt
    ],
)
def test_running(actual: Actual, boot: bool, fresh: bool, restart: bool) -> None:
    done = plan(World.of([host("a")]), {"a": actual})
    assert (bool(done.boot), bool(done.fresh), bool(done.restart)) == (boot, fresh, restart)


def test_an_api_reboot_restarts_a_running_host_and_boots_a_halted_one() -> None:
    world = World.of([host("a", restarted=9.0)])
    assert plan(world, {"a": Actual(alive=True, restarted=5.0)}).restart == ("a",)
    assert plan(world, {"a": Actual(alive=False, halted=True, restarted=5.0)}).boot == ("a",)
    assert plan(world, {"a": Actual(alive=True, restarted=9.0)}).restart == ()


def test_stopped_keeps_the_disk_and_deleted_goes() -> None:
    done = plan(World.of([], ["a"]), {"a": Actual(alive=True), "b": Actual(alive=True), "c": Actual(alive=False)})
    assert done.stop == ("a",) and done.remove == ("b", "c")


@pytest.mark.parametrize(
    ("name", "expected"), [("Web_1.example", "web-1"), ("ip-10-0-0-1.ec2.internal", "ip-10-0-0-1"), ("---", "host"), ("ü", "host")]
)
def test_hostname(name: str, expected: str) -> None:
    assert hostname(name) == expected


def test_documentation_addresses_are_the_labs_internet() -> None:
    assert is_global("203.0.113.1") and is_global("2001:db8::1")
    assert not any(map(is_global, ("10.1.2.3", "100.64.8.1", "fd00::1", "192.168.1.1", "172.16.0.1")))


# -- login users ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "properties", "tags", "user"),
    [
        ("Debian-12", {}, {}, "debian"),
        ("AlmaLinux 9", {"os_distro": "centos"}, {}, "almalinux"),
        ("Flatcar Container Linux", {"os_distro": "fedora"}, {}, "core"),
        ("golden", {"os_distro": "rocky"}, {}, "rocky"),
        ("golden", {"os_admin_user": "root"}, {}, None),
        ("corp", {"image_original_user": "ops", "os_distro": "ubuntu"}, {}, "ops"),
        ("Talos", {"image_original_user": "none"}, {}, None),
        ("Debian-12", {}, {"ssh_user": "backup"}, "backup"),
    ],
)
def test_openstack_user(name: str, properties: dict[str, str], tags: dict[str, str], user: str | None) -> None:
    assert login.openstack(name, properties, tags) == user


@pytest.mark.parametrize(
    ("names", "windows", "user"),
    [
        (["debian-12-amd64-20261103-2286"], False, "admin"),
        (["ubuntu/images/hvm-ssd/ubuntu-noble"], False, "ubuntu"),
        (["acme-base", "Rocky-9-EC2-Base"], False, "rocky"),
        (["prod-base-2026-10"], False, None),
        (["Windows_Server-2025"], True, "Administrator"),
        (["fedora-coreos-43"], False, "core"),
        (["Fedora-Cloud-Base"], False, "fedora"),
        ([], False, None),
    ],
)
def test_ec2_user(names: list[str], windows: bool, user: str | None) -> None:
    assert login.ec2(names, windows) == user


# -- networks -------------------------------------------------------------------------------------------------
def test_router_maps_public_addresses_and_routes_what_is_reachable() -> None:
    router = network.routers([host()])["d"]
    assert router.routed == {"203.0.113.11", "2001:db8::11"}
    assert router.bridges == {"s": frozenset({"10.0.1.1/24", "2001:db8::1/64"})}
    assert "dnat to ip daddr map { 203.0.113.11 : 10.0.1.11 }" in router.ruleset
    assert network.core_routes({"d": router}, {"d": 7}) == {"203.0.113.11": 7, "2001:db8::11": 7}


def test_the_way_out_is_where_a_public_address_is() -> None:
    inner = Nic("e", "t", "eth0", "52:54:00:00:00:02", 1500, (Address("10.9.0.5", 24, "10.9.0.1"),))
    outer = Nic("d", "s", "eth1", "52:54:00:00:00:03", 1500, (Address("10.0.1.5", 24, "10.0.1.1", "203.0.113.5"),))
    lines = network.host_setup((inner, outer))
    assert any(line.startswith("route replace 0.0.0.0/0 via 10.0.1.1 dev eth1") and "table" not in line for line in lines)
    assert "rule add from 10.9.0.5 lookup 101 pref 101" in lines


@pytest.mark.parametrize(
    ("ip", "operators", "gateway", "expected"),
    [
        ("10.181.0.12", True, True, True),
        ("10.5.0.11", False, True, False),
        ("198.51.100.9", False, True, True),
        ("198.51.100.9", False, False, False),
        ("fd00::1", False, True, False),
        ("2001:db8::9", False, True, True),
    ],
)
def test_reaches_internet(ip: str, operators: bool, gateway: bool, expected: bool) -> None:
    assert network.reaches_internet(ip, operators, gateway) is expected


# -- releases -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("told", "offered", "suite"),
    [
        ("Debian 12 debian", ("bookworm", "trixie"), "bookworm"),
        ("debian-13-amd64-20261110-2293", ("bookworm", "trixie"), "trixie"),
        ("debian-11-bullseye", image.SUITES, "bullseye"),
        ("trixie-genericcloud-amd64 debian", image.SUITES, "trixie"),
        ("debian 13", ("bookworm",), "bookworm"),  # a lab without that release
        ("Rocky-9-EC2-Base", ("trixie", "bookworm"), "trixie"),
        ("debian-130-or-so", ("bookworm", "trixie"), "bookworm"),
        ("", image.SUITES, "bookworm"),
    ],
)
def test_a_machine_boots_its_own_images_release_where_the_lab_has_it(told: str, offered: tuple[str, ...], suite: str) -> None:
    assert image.suite_of(told, offered) == suite


def test_the_labs_releases() -> None:
    assert image.suites(None) == image.suites("") == ("bookworm",)
    assert image.suites("trixie, bookworm,trixie") == ("trixie", "bookworm")
    with pytest.raises(ValueError, match="potato"):
        image.suites("bookworm,potato")


# -- images and metadata --------------------------------------------------------------------------------------
def test_sources_of_a_suite_are_the_machines_own_and_signed() -> None:
    listed = "bookworm|bookworm|http://mirror.test/debian/\nbookworm-security|bookworm-security|http://mirror.test/sec/\n"
    lines = base.apt_sources("trixie", listed)
    assert lines[0].endswith("http://mirror.test/debian trixie main") and lines[1].endswith("http://mirror.test/sec trixie-security main")
    assert all("signed-by=" in line and "trusted" not in line for line in lines)
    with pytest.raises(LabError, match="FLEET_LAB_MIRROR"):
        base.apt_sources("bookworm", "noble|noble|http://ubuntu.test\n")


def test_image_settings_name_the_one_datasource_on_a_line_of_its_own() -> None:
    assert "datasource_list: [ OpenStack ]" in cloudinit.config(host()).splitlines()
    assert "users: []" in cloudinit.config(host(user=None)).splitlines()


def test_openstack_and_ec2_metadata() -> None:
    told = {
        "uuid": "u",
        "name": "web-1",
        "hostname": "web-1.novalocal",
        "project_id": "p",
        "availability_zone": "nova",
        "launch_index": 0,
        "meta": {},
        "public_keys": {"k": "ssh-ed25519 AAAA"},
        "user_data": base64.b64encode(b"#!/bin/sh\n").decode(),
    }
    one = host(metadata=told)
    document = json.loads(metadata.answer(one, "GET", "/openstack/latest/meta_data.json", {}, {}).body)
    assert document["uuid"] == "u" and document["public_keys"] == {"k": "ssh-ed25519 AAAA"}
    assert metadata.answer(one, "GET", "/openstack/latest/user_data", {}, {}).body == b"#!/bin/sh\n"
    assert metadata.answer(one, "GET", "/latest/meta-data/public-keys/", {}, {}).body == b"0=k"
    assert metadata.answer(one, "GET", "/computeMetadata/v1/", {}, {"Metadata-Flavor": "Google"}).status == 404


EC2_DUMP = {
    "instances": [
        {
            "account": "1",
            "region": "r",
            "id": "i-1",
            "state": "running",
            "launched": 5.0,
            "restarted": 0.0,
            "image": "ami-1",
            "image_names": ["debian-12"],
            "windows": False,
            "type": "t3.micro",
            "zone": "ra",
            "key_name": "k",
            "public_key": "ssh-ed25519 AAAA",
            "user_data": "",
            "dns": "ip-10-0-0-9.r",
            "tags": {},
            "security_groups": ["default"],
            "launch_index": 0,
            "nics": [
                {
                    "index": 0,
                    "id": "eni-1",
                    "mac": "02:00:00:00:00:01",
                    "subnet": "subnet-1",
                    "public": "203.0.113.200",
                    "ipv4": ["10.0.0.9"],
                    "ipv6": ["2001:db8:ec20::9"],
                }
            ],
        },
        {"account": "1", "region": "r", "id": "i-2", "state": "stopped"},
    ],
    "subnets": {"subnet-1": {"vpc": "vpc-1", "ipv4": "10.0.0.0/24", "ipv6": "2001:db8:ec20::/64", "ipv6_open": True}},
}


def test_ec2_asks_for_a_token_first() -> None:
    world = ec2.world(EC2_DUMP)
    one = world.running["ec2/1/r/i-1"]
    assert world.stopped == {"ec2/1/r/i-2"} and one.user == "admin" and one.nics[0].addresses[0].public == "203.0.113.200"
    assert metadata.answer(one, "GET", "/latest/meta-data/instance-id", {}, {}).status == 401
    token = metadata.answer(one, "PUT", "/latest/api/token", {}, {"X-aws-ec2-metadata-token-ttl-seconds": "60"}).body.decode()
    assert metadata.answer(one, "GET", "/latest/meta-data/instance-id", {}, {"X-aws-ec2-metadata-token": token}).body == b"i-1"


def test_google_metadata_tells_keys_and_wants_its_header() -> None:
    instance = {
        "id": "12",
        "name": "vm",
        "status": "RUNNING",
        "creationTimestamp": "2026-11-28T00:00:00.000-08:00",
        "zone": "zones/z",
        "machineType": "e2",
        "metadata": {"items": [{"key": "ssh-keys", "value": "u:k"}]},
        "networkInterfaces": [
            {
                "network": "https://x/compute/v1/projects/p/global/networks/n",
                "subnetwork": "s",
                "networkIP": "10.2.0.2",
                "accessConfigs": [{"natIP": "192.0.2.130"}],
            }
        ],
    }
    world = gce.world(
        [
            {
                "project": "p",
                "number": "7",
                "project_metadata": {},
                "restarted": 0.0,
                "instance": instance,
                "subnetworks": {"s": {"ipCidrRange": "10.2.0.0/20"}},
            }
        ]
    )
    one = world.running["gce/p/12"]
    assert one.nics[0].addresses[0].public == "192.0.2.130" and one.nics[0].domain == "gce/p/global/networks/n"
    path = "/computeMetadata/v1/instance/attributes/ssh-keys"
    assert metadata.answer(one, "GET", path, {}, {"Metadata-Flavor": "Google"}).body == b"u:k"
    assert metadata.answer(one, "GET", path, {}, {}).status == 403


# -- metal ----------------------------------------------------------------------------------------------------
def test_rack_machines_that_run() -> None:
    rack = {
        "site": "r",
        "defaults": {"login_user": "root"},
        "nodes": [
            {
                "name": "a",
                "image": {"distro": "debian", "version": "13"},
                "interfaces": [{"name": "eno1", "network": "dmz", "role": "public", "addresses": ["198.51.100.21"]}],
            },
            {"name": "b", "state": "stopped"},
            {"name": "c"},
        ],
    }
    world = metal.rack_world({"r.yml": rack})
    assert world.running["metal/r.yml/a"].image == "debian 13"
    assert list(world.running) == ["metal/r.yml/a"] and world.stopped == {"metal/r.yml/b"}
    assert world.running["metal/r.yml/a"].nics[0].addresses == (Address("198.51.100.21", 32, None, None, True),)


def test_config_drives() -> None:
    told = {"meta_data": {"hostname": "h", "public_keys": {"0": "ssh-ed25519 AAAA"}}, "user_data": "#cloud-config\nuser: ops\n"}
    assert configdrive.unpack(told) == configdrive.Drive("h", "ops", ("ssh-ed25519 AAAA",), "#cloud-config\nuser: ops\n")
    assert configdrive.unpack(json.dumps(told)).user == "ops"
    assert configdrive.unpack(base64.b64encode(gzip.compress(b"no image")).decode()) == configdrive.Drive()
    assert configdrive.unpack(None) == configdrive.unpack("http://elsewhere/") == configdrive.Drive()


def test_numbers_stay(tmp_path: Path) -> None:
    numbers = Numbers(tmp_path / "n.json")
    assert [numbers.of("hosts", name) for name in ("a", "b", "a")] == [1, 2, 1]
    numbers.forget("hosts", "a")
    assert Numbers(tmp_path / "n.json").all("hosts") == {"b": 2}
