# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From EC2's answers to what a region offers: images, instance types, subnets, zones; and which images are asked for."""
from __future__ import annotations

import fnmatch
from xml.etree.ElementTree import Element, fromstring

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import CatalogImage, CatalogNetwork, image_login
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.network_role import NO_OPERATOR, OperatorRoles
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.aws import catalog, image_search, offered_networks
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.aws.network import Networks

DEBIAN, CANONICAL = "136693071363", "099720109477"


# ----------------------------------------------------------------------------------------------------- images
def ami(name: str, owner: str = DEBIAN, **fields: str) -> Element:
    told = {"imageId": f"ami-{abs(hash(name)):x}", "name": name, "imageOwnerId": owner, "imageState": "available", "architecture": "x86_64",
            "creationDate": "2026-11-03T08:22:41.000Z", "rootDeviceName": "/dev/xvda", "platformDetails": "Linux/UNIX", **fields}
    disks = ("<blockDeviceMapping><item><deviceName>/dev/sdb</deviceName><ebs><volumeSize>99</volumeSize></ebs></item><item><deviceName>/dev/xvda"
             "</deviceName><ebs><volumeSize>8</volumeSize></ebs></item></blockDeviceMapping>")
    return fromstring(f"<item>{''.join(f'<{key}>{value}</{key}>' for key, value in told.items())}{disks}</item>")


def test_an_image_in_the_catalogs_words() -> None:
    (image,) = catalog.images([ami("debian-12-amd64-20261103-2286", imageId="ami-1")] * 2)
    assert image == CatalogImage(
        "ami-1", "debian-12-amd64-20261103-2286", distro="debian", version="12", arch="x86_64", created="2026-11-03T08:22:41Z", owner=DEBIAN,
        public=True, min_disk_gib=8, login=image.login)
    assert image_login("aws", image).value == "admin"


@pytest.mark.parametrize(("fields", "attribute", "value"), [
    ({"architecture": "arm64"}, "arch", "aarch64"), ({"imageState": "pending"}, "usable", False),
    ({"imageState": "pending"}, "why_not", "its state is pending"), ({"imageOwnerId": "111111111111"}, "public", False)])
def test_what_an_image_tells(fields: dict[str, str], attribute: str, value: object) -> None:
    (image,) = catalog.images([ami("debian-12-amd64-20261103-2286", **fields)])
    assert getattr(image, attribute) == value


def asked(*words: str) -> list[dict[str, list[str]]]:
    return [{"owners": question.get("Owners", []), **{row["Name"]: row["Values"] for row in question.get("Filters", [])}}
            for question in image_search.questions(words)]


def test_a_distribution_is_asked_of_its_publisher() -> None:
    own, official = asked("debian")
    assert own["owners"] == ["self"]
    assert "name" not in own
    assert official["owners"] == [DEBIAN]
    assert any(fnmatch.fnmatchcase("debian-12-amd64-20261103-2286", pattern) for pattern in official["name"])
    assert not any(fnmatch.fnmatchcase("debian-12-backports-amd64-20261103-2286", pattern) for pattern in official["name"])
    assert asked("debian", "ubuntu")[-1]["owners"] == [CANONICAL]


def test_a_name_is_asked_of_publishers_only_and_in_any_case() -> None:
    _own, named = asked("rocky-9-ec2-base-9.6")
    assert set(named["owners"]) == set(image_search.OWNERS)
    assert [fnmatch.fnmatchcase(name, named["name"][0]) for name in ("Rocky-9-EC2-Base-9.6", "Rocky-9-EC2-Base-9.5", "xRocky-9-EC2-Base-9.6")] == [
        True, False, False]


def test_an_id_is_asked_of_everybody() -> None:
    _own, identified = asked("ami-0123")
    assert identified == {"owners": [], "image-id": ["ami-0123"]}


def test_without_words_all_distributions_are_asked_for() -> None:
    assert {owner for question in asked() for owner in question["owners"]} == {"self", *image_search.OWNERS}


@pytest.mark.parametrize(("word", "owner"), [("alma linux", "764336703387"), ("red hat", "309956199498"), ("rhel", "309956199498"),
                                             ("amazon linux", "137112412989")])
def test_other_words_for_a_distribution(word: str, owner: str) -> None:
    assert asked(word)[1]["owners"] == [owner]


def dated(*names: str, owner: str = DEBIAN) -> list[CatalogImage]:
    return [CatalogImage(f"ami-{number}", name, created=f"2026-0{number}-01T00:00:00Z", owner=owner, arch="x86_64")
            for number, name in enumerate(names, 1)]


def test_of_a_series_the_newest_two_are_kept() -> None:
    images = dated("debian-12-amd64-20260110-1001", "debian-12-amd64-20260210-2019", "debian-12-amd64-20261103-2286", "debian-13-amd64-20261103-2286")
    assert {image.id for image in image_search.newest(images, ())} == {"ami-2", "ami-3", "ami-4"}
    assert {image.id for image in image_search.newest(images, ("ami-1",))} == {"ami-1", "ami-2", "ami-3", "ami-4"}
    assert {image.id for image in image_search.newest(images, ("debian-12-amd64-20260110-1001",))} == {"ami-1", "ami-2", "ami-3", "ami-4"}
    assert len(image_search.newest(dated("base-20260101", "base-20260102", "base-20260103", owner="111111111111"), ())) == 3


# ---------------------------------------------------------------------------------------------------- flavors
def kind(name: str, arch: str = "x86_64", current: str = "true", metal: str = "false", roots: str = "ebs", usage: str = "on-demand") -> Element:
    return fromstring(
        f"<item><instanceType>{name}</instanceType><currentGeneration>{current}</currentGeneration><bareMetal>{metal}</bareMetal><vCpuInfo>"
        f"<defaultVCpus>2</defaultVCpus></vCpuInfo><memoryInfo><sizeInMiB>8192</sizeInMiB></memoryInfo><processorInfo><supportedArchitectures>"
        f"<item>{arch}</item></supportedArchitectures></processorInfo><supportedRootDeviceTypes><item>{roots}</item></supportedRootDeviceTypes>"
        f"<supportedUsageClasses><item>{usage}</item></supportedUsageClasses></item>")


def test_a_flavor_in_the_catalogs_words() -> None:
    (flavor,) = catalog.flavors([kind("t4g.large", "arm64")])
    assert (flavor.id, flavor.vcpus, flavor.memory_mib, flavor.disk_gib, flavor.arch, flavor.legacy) == ("t4g.large", 2, 8192, None, "aarch64", False)
    assert catalog.flavors([kind("m3.large", current="false")])[0].legacy


def test_small_general_types_come_first() -> None:
    names = ["t3.large", "t8i.large", "t3a.large", "m7i.large", "m5.large", "m5d.large", "c7i.large", "r7i.large", "g5.large", "u-6tb1.metal"]
    ranked = sorted(catalog.flavors([kind(name) for name in reversed(names)]), key=lambda flavor: flavor.price_rank)
    assert [flavor.name for flavor in ranked] == names
    plain, metal = catalog.flavors([kind("g5.large"), kind("m7i.metal", metal="true")])
    assert metal.price_rank > plain.price_rank


@pytest.mark.parametrize("item", [
    kind("mac2.metal", "arm64_mac"), kind("m1.small", roots="instance-store"), kind("p5.48xlarge", usage="capacity-block")])
def test_what_cannot_be_had_on_demand_from_an_ebs_image_is_left_out(item: Element) -> None:
    assert catalog.flavors([item]) == []


def test_zones() -> None:
    told = (("a", "available", "opt-in-not-required"), ("b", "impaired", "opt-in-not-required"), ("c", "available", "not-opted-in"),
            ("d", "available", "opted-in"))
    rows = "".join(
        f"<item><zoneName>{name}</zoneName><zoneState>{state}</zoneState><optInStatus>{opted}</optInStatus></item>" for name, state, opted in told)
    found = catalog.zones(fromstring(f"<r>{rows}</r>"), "us-east-1")
    assert [(zone.name, zone.usable) for zone in found] == [("a", True), ("b", False), ("d", True)]
    assert {zone.region for zone in found} == {"us-east-1"}


# --------------------------------------------------------------------------------------------------- networks
def subnet(fields: str = "", six: str = "") -> Element:
    block = f"<ipv6CidrBlockAssociationSet><item><ipv6CidrBlock>{six}</ipv6CidrBlock></item></ipv6CidrBlockAssociationSet>" if six else ""
    return fromstring(f"<item><subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId><cidrBlock>10.0.1.0/24</cidrBlock><availabilityZone>us-east-1a"
                      f"</availabilityZone><tagSet><item><key>Name</key><value>front</value></item></tagSet>{fields}{block}</item>")


def table(*routes: tuple[str, str, str]) -> Element:
    rows = ""
    for to, field, by in routes:
        destination = "destinationIpv6CidrBlock" if ":" in to else "destinationCidrBlock"
        rows += f"<item><{destination}>{to}</{destination}><{field}>{by}</{field}></item>"
    return fromstring(f"<item><routeTableId>rtb-1</routeTableId><vpcId>vpc-1</vpcId><routeSet>{rows}</routeSet><associationSet><item>"
                      f"<subnetId>subnet-1</subnetId></item></associationSet></item>")


IGW = (("0.0.0.0/0", "gatewayId", "igw-1"), ("::/0", "gatewayId", "igw-1"))
NAT = (("0.0.0.0/0", "natGatewayId", "nat-1"), ("::/0", "egressOnlyInternetGatewayId", "eigw-1"))
MAPS = "<mapPublicIpOnLaunch>true</mapPublicIpOnLaunch>"
SIX = "2001:db8:1::/64"


def network(item: Element, tables: list[Element] | None, roles: OperatorRoles = NO_OPERATOR) -> CatalogNetwork:
    (found,) = offered_networks.networks(Networks([item], tables), roles)
    return found


@pytest.mark.parametrize(("item", "tables", "told"), [
    (subnet(MAPS), [table(*IGW)], {"ipv4": ("floating", "assigned")}),
    (subnet(), [table(*IGW)], {"ipv4": ("floating", "floating")}),
    (subnet(MAPS), [table(*NAT)], {"ipv4": ("private", "none")}),
    (subnet(six=SIX), [table()], {"ipv4": ("private", "none"), "ipv6": ("private", "none")}),
    (subnet(MAPS), None, {"ipv4": ("floating", "assigned")}),
    (subnet(six=SIX), None, {"ipv4": ("unknown", "none"), "ipv6": ("unknown", "direct")}),
    (subnet(six=SIX), [table(*IGW)], {"ipv4": ("floating", "floating"), "ipv6": ("public", "direct")}),
    (subnet(six=SIX), [table(*NAT)], {"ipv4": ("private", "none"), "ipv6": ("private", "none")}),
    (subnet(six="fd00:1::/64"), [table(*IGW)], {"ipv4": ("floating", "floating"), "ipv6": ("private", "none")}),
])
def test_how_a_node_on_a_subnet_is_reached(item: Element, tables: list[Element] | None, told: dict[str, tuple[str, str]]) -> None:
    found = network(item, tables)
    assert {family: (found.reach[family], found.how[family]) for family in found.reach} == told
    assert all(found.why[family] for family in told)


def test_private_ipv6_of_a_routed_class_is_private() -> None:
    item = subnet(six=SIX)
    block = item.find("ipv6CidrBlockAssociationSet/item")
    assert block is not None
    block.append(fromstring("<ipv6AddressAttribute>private</ipv6AddressAttribute>"))
    assert network(item, [table(*IGW)]).reach["ipv6"] == "private"


@pytest.mark.parametrize(("said", "ipv4", "ipv6"), [
    ({"front": "external"}, ("external", "direct"), ("external", "direct")),
    ({"10.0.0.0/8": "public"}, ("public", "direct"), ("public", "direct")),
    ({"subnet-1": "private"}, ("floating", "assigned"), ("private", "none")),
    ({"2001:db8::/32": "management"}, ("floating", "assigned"), ("private", "none")),
])
def test_the_operator_has_the_first_word(said: dict[str, str], ipv4: tuple[str, str], ipv6: tuple[str, str]) -> None:
    found = network(subnet(MAPS, SIX), [table(*IGW)], OperatorRoles(said, "fleet.yml"))
    assert (found.reach["ipv4"], found.how["ipv4"]) == ipv4
    assert (found.reach["ipv6"], found.how["ipv6"]) == ipv6
    assert "fleet.yml" in found.why["ipv4"] + found.why["ipv6"]


@pytest.mark.parametrize(("fields", "why_not"), [
    ("<state>pending</state>", "its state is pending"), ("<availableIpAddressCount>0</availableIpAddressCount>", "has no free address"),
    ("<state>available</state><availableIpAddressCount>1</availableIpAddressCount>", "")])
def test_whether_nodes_can_be_attached(fields: str, why_not: str) -> None:
    found = network(subnet(fields), [table(*IGW)])
    assert (found.usable, found.why_not) == (not why_not, why_not)


def test_the_rest_of_a_network() -> None:
    found = network(subnet("<defaultForAz>true</defaultForAz>", SIX), [table(*IGW)])
    assert (found.id, found.name, found.zones, found.default, found.cidrs, found.extra["vpc"], found.aliases) == (
        "subnet-1", "front", ("us-east-1a",), True, ("10.0.1.0/24", SIX), "vpc-1", ("vpc-1",))
