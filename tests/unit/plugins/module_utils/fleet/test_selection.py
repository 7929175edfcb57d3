# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is chosen for a requirement, why, and what an error says when nothing fits."""
from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import Catalog, CatalogFlavor, CatalogImage, CatalogNetwork
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.flavor_choice import pick_flavor
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.image_choice import pick_image
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.network_choice import pick_network
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.picks import REJECTED
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.requirement import FlavorWish, ImageWish, NetworkWish
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.selection import choose
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import LoginEvidence
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.fake_cloud import (
    DIRECT,
    dual,
    flavor,
    image,
    machine,
    network,
    wish,
)


def the_image(images: list[CatalogImage], **wished: Any) -> str:
    return pick_image(ImageWish(**wished), images, provider="openstack").item.name


def the_flavor(flavors: list[CatalogFlavor], made_from: CatalogImage | None = None, **wished: Any) -> str:
    return pick_flavor(FlavorWish(**wished), flavors, made_from).item.name


def the_network(networks: list[CatalogNetwork], **wished: Any) -> tuple[str, tuple[str, ...]]:
    pick, families = pick_network(NetworkWish(**wished), networks)
    return pick.item.name, families


def error(act: Any, *arguments: Any, **more: Any) -> str:
    with pytest.raises(FleetError) as caught:
        act(*arguments, **more)
    assert caught.value.code == "no_match"
    return str(caught.value)


# --------------------------------------------------------------------------------------------------- images
def test_official_before_own_then_highest_version_then_newest_then_by_name() -> None:
    own = image("own", version="13", public=False, created="2026-09-01T00:00:00Z")
    old = image("old", version="12.4", created="2026-02-01T00:00:00Z")
    new = image("new", version="12.10", created="2026-01-01T00:00:00Z")
    newer = image("newer", version="12.10", created="2026-03-01T00:00:00Z")
    twin = image("a-twin", id="zzz", version="12.10", created="2026-03-01T00:00:00Z")
    pick = pick_image(ImageWish(distro="debian"), [own, old, new, newer, twin], provider="openstack")
    assert pick.item is twin
    assert pick.rejected == (
        "newer: equal, by name", "new: older (2026-01-01)", "old: version 12.4 is lower", "own: not offered by the distribution or the cloud")
    assert pick.because == "first of 5 that are debian (2026-03-01, offered to everybody)"
    assert the_image([own, new], distro="debian", version="13") == "own"


@pytest.mark.parametrize(
    ("wished", "version", "fits"),
    [("12", "12", True), ("12", "12.5", True), ("9", "9.6", True), ("24.04", "24.04", True), ("24.04", "24.10", False), ("24.04", "24.04.1", True),
     ("1", "12", False), ("12", None, False), ("12.5", "12", False)])
def test_a_version_takes_its_point_releases(wished: str, version: str | None, fits: bool) -> None:
    if fits:
        assert the_image([image(version=version)], distro="debian", version=wished) == "debian-12"
    else:
        error(the_image, [image(version=version)], distro="debian", version=wished)


@pytest.mark.parametrize(("said", "means"), [("Debian", "debian"), ("amzn", "amazon"), ("rockylinux", "rocky"), ("alma", "almalinux")])
def test_a_distribution_by_its_other_names(said: str, means: str) -> None:
    try:
        assert the_image([image(distro=means, version="9")], distro=said) == "debian-12"
    except FleetError:
        from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.distro import identify

        assert identify(said)[0] != means  # a name that nobody uses


def test_images_by_id_name_pattern_and_family() -> None:
    images = [image("debian-12-a", id="1", family="debian-12"), image("debian-12-b", id="2", family="projects/x/global/images/family/other")]
    assert the_image(images, id="2") == "debian-12-b"
    assert the_image(images, name="debian-12-b") == "debian-12-b"
    assert the_image(images, name="*-b") == "debian-12-b"
    assert the_image(images, family="debian-12") == "debian-12-a"
    assert the_image(images, family="other") == "debian-12-b"
    assert "is of family debian-12" in error(the_image, images, family="none")
    assert "has another name" in error(the_image, images, name="debian-12")  # no pattern, no part of a name


def test_images_that_nobody_can_log_in_to_are_taken_only_when_named() -> None:
    closed = image("closed", login=LoginEvidence(image_properties={"image_original_user": "none"}))
    text = error(the_image, [closed], distro="debian")
    assert "closed: image property image_original_user is none: the image has no login user" in text
    assert the_image([closed], name="closed") == "closed"
    assert the_image([closed], id="img-closed") == "closed"


def test_images_that_cannot_be_used_or_are_gone() -> None:
    broken = image("broken", usable=False, why_not="is DEPRECATED, replaced by debian-13")
    assert "broken: is DEPRECATED, replaced by debian-13" in error(the_image, [broken], name="broken")
    gone = error(pick_image, ImageWish(distro="debian"), [image()], provider="openstack", without={"img-debian-12"})
    assert "debian-12: was there, but is gone" in gone


def test_architectures() -> None:
    arm, intel, untold = image("arm", arch="aarch64", version="13"), image("intel"), image("untold", arch=None, version="11")
    assert the_image([arm, intel], distro="debian") == "intel"
    assert the_image([arm], distro="debian") == "arm"
    assert the_image([arm, intel], distro="debian", arch="aarch64") == "arm"
    assert the_image([untold], distro="debian", arch="aarch64") == "untold"
    only_arm = pick_image(ImageWish(distro="debian"), [arm, intel], provider="openstack", arches=frozenset({"aarch64"}))
    assert only_arm.item is arm
    assert "intel: is for x86_64, which no flavor that fits has" in only_arm.rejected


def test_the_architecture_follows_the_flavors_that_fit() -> None:
    images = (image("arm", arch="aarch64"), image("intel"))
    flavors = (flavor("small"), flavor("big-arm", 64, 1 << 18, 10, arch="aarch64"))
    catalog = Catalog(images, flavors, (DIRECT,))
    chosen = choose(wish(flavor={"vcpus": 32}), catalog, provider="openstack")
    assert (chosen.image.item.name if chosen.image else None, chosen.flavor.item.name) == ("arm", "big-arm")
    chosen = choose(wish(flavor={"name": "big-arm"}), catalog, provider="openstack")
    assert chosen.image is not None
    assert chosen.image.item.name == "arm"
    on_arm = wish(flavor={"vcpus": 1}, image={"distro": "debian", "arch": "arm64"})
    text = error(choose, on_arm, Catalog(images, flavors[:1], (DIRECT,)), provider="openstack")
    assert "small: is x86_64, the image is for aarch64" in text


def test_no_wish_and_no_images() -> None:
    assert "the requirement names none" in error(the_image, [image()])
    assert "nothing fits 'debian 12'; the cloud offers no image at all" in error(the_image, [], distro="debian", version="12")


def test_the_nearest_misses_come_first_and_are_three() -> None:
    images = [image(f"far-{number}", distro="rocky", version="9", arch="aarch64") for number in range(5)] + [image("near", version="11")]
    text = error(pick_image, ImageWish(distro="debian", version="12"), images, provider="openstack", arches=frozenset({"x86_64"}))
    assert "nearest: near: has version 11; far-0: is rocky, has version 9" in text
    assert "(and 3 more)" in text
    assert "far-2" not in text


def test_the_rejected_are_bounded() -> None:
    pick = pick_image(ImageWish(distro="debian"), [image(f"i{number:03}") for number in range(200)], provider="openstack")
    assert len(pick.rejected) == REJECTED + 1
    assert pick.rejected[-1] == "and 189 more"


def test_a_withdrawn_image_is_taken_only_when_it_is_named() -> None:
    old = image("old", version="13", usable=False, legacy=True, why_not="is DEPRECATED, replaced by new")
    assert the_image([old, image("new")], distro="debian") == "new"
    assert the_image([old, image("new")], name="old") == "old"
    assert the_image([old, image("new")], id=old.id) == "old"
    assert "old: is DEPRECATED, replaced by new" in error(pick_image, ImageWish(name="ol*"), [old], provider="openstack")
    assert "old: is OBSOLETE" in error(pick_image, ImageWish(name="old"), [image("old", usable=False, why_not="is OBSOLETE")], provider="openstack")


# --------------------------------------------------------------------------------------------------- flavors
def test_the_smallest_by_weight_then_disk_then_rank_then_name() -> None:
    many, much = flavor("many", 4, 4096), flavor("much", 2, 16384)  # 5 and 6
    assert the_flavor([much, many], vcpus=2) == "many"
    assert the_flavor([flavor("b", disk_gib=20), flavor("a", disk_gib=40)], vcpus=1) == "b"
    assert the_flavor([flavor("old", price_rank=2), flavor("z-new", price_rank=1)], vcpus=1) == "z-new"
    assert the_flavor([flavor("b"), flavor("a")], vcpus=1) == "a"
    pick = pick_flavor(FlavorWish(vcpus=2), [many, much], None)
    assert pick.because == "the smallest of 2 with at least 2 vCPU (4 vCPU, 4096 MiB, 10 GiB)"
    assert pick.rejected == ("much: larger (2 vCPU, 16384 MiB, 10 GiB)",)
    alike = pick_flavor(FlavorWish(vcpus=1), [flavor("c", price_rank=1), flavor("b"), flavor("a")], None).rejected
    assert [text.partition(" (")[0] for text in alike] == ["b: as large, but later by name", "c: as large, but of an older kind"]


def test_a_flavor_by_name_or_id_must_still_do() -> None:
    assert the_flavor([flavor("a"), flavor("b")], name="b") == "b"
    assert the_flavor([flavor("a"), flavor("b")], name="f-b") == "b"
    text = error(the_flavor, [flavor("tiny", disk_gib=1)], image(min_disk_gib=5), name="tiny")
    assert "tiny: 1 GiB of disk, the image needs 5" in text
    text = error(the_flavor, [flavor("tiny", memory_mib=256)], image(min_memory_mib=512), name="tiny")
    assert "tiny: 256 MiB of memory, the image needs 512" in text


def test_flavors_of_the_past_are_taken_only_by_name() -> None:
    old, new = flavor("t1", legacy=True), flavor("t3", 2)
    assert the_flavor([old, new], vcpus=1) == "t3"
    assert the_flavor([old, new], name="t1") == "t1"


def test_what_a_flavor_does_not_tell() -> None:
    assert the_flavor([flavor("m", vcpus=None)], memory_mib=512) == "m"
    assert "m: does not tell its vCPUs" in error(the_flavor, [flavor("m", vcpus=None)], vcpus=1)
    assert the_flavor([flavor("chosen-later", disk_gib=None)], disk_gib=500) == "chosen-later"


def test_flavors_in_zones_and_those_that_cannot_be_had() -> None:
    here, elsewhere = flavor("here", 2, zones=("a", "b")), flavor("elsewhere", zones=("c",))
    assert pick_flavor(FlavorWish(vcpus=1), [here, elsewhere], None, zones=("a",)).item is here
    assert pick_flavor(FlavorWish(vcpus=1), [here, elsewhere], None).item is elsewhere
    text = error(pick_flavor, FlavorWish(vcpus=1), [here, flavor("out", why_not="is sold out")], None, zones=("z",), without={"f-here"})
    assert "here: is not offered in z, was there, but could not be had" in text
    assert "out: is sold out" in text


def test_the_nearest_flavor_lacks_least() -> None:
    text = error(the_flavor, [flavor("tiny", 1, 512), flavor("near", 8, 8192), flavor("half", 4, 8192)], vcpus=10, memory_mib=8192)
    assert text.index("near: 8 vCPU") < text.index("half: 4 vCPU") < text.index("tiny: 1 vCPU, 512 MiB of memory")


def test_the_disk_that_is_chosen_with_the_node() -> None:
    catalog = Catalog((image(min_disk_gib=8),), (flavor(disk_gib=None),), (DIRECT,))
    assert choose(wish(flavor={"vcpus": 1}), catalog, provider="aws").disk_gib is None
    assert choose(wish(flavor={"disk_gib": 20}), catalog, provider="aws").disk_gib == 20
    assert choose(wish(flavor={"disk_gib": 4}), catalog, provider="aws").disk_gib == 8
    assert choose(wish(flavor={"disk_gib": 4}), Catalog((image(),), (flavor(),), (DIRECT,)), provider="aws").disk_gib is None


# -------------------------------------------------------------------------------------------------- networks
EXT, FLOATING, CORPORATE = network("ext"), network("tenant", "floating", "floating"), network("corp", "external")
PRIVATE = network("inside", "private", "none")


@pytest.mark.parametrize(
    ("networks", "wished", "chosen"),
    [
        ([PRIVATE, FLOATING, EXT], {}, "ext"),  # nothing to attach is better than an address to attach
        ([PRIVATE, FLOATING], {}, "tenant"),
        ([network("corp", "external", default=True), FLOATING], {}, "tenant"),  # external only when there is nothing better
        ([PRIVATE, CORPORATE], {}, "corp"),
        ([EXT, network("home", "floating", "floating", default=True)], {}, "home"),  # the cloud's default, as it leads out
        ([EXT, network("home", "private", "none", default=True)], {}, "ext"),
        ([EXT, PRIVATE], {"reachable": "private"}, "inside"),
        ([EXT, network("pool", "public", "assigned")], {"reachable": "private"}, "pool"),  # need not be assigned
        ([EXT, FLOATING, PRIVATE], {"reachable": "private"}, "inside"),
        ([FLOATING, EXT], {"reachable": "private"}, "tenant"),  # need not be attached
        ([EXT, network("home", "private", "none", default=True)], {"reachable": "any"}, "home"),
        ([PRIVATE, FLOATING, EXT], {"reachable": "any"}, "ext"),
        ([FLOATING, PRIVATE], {"reachable": "any"}, "inside"),
        ([EXT, FLOATING], {"name": "tenant"}, "tenant"),
        ([EXT, FLOATING], {"name": "net-tenant"}, "tenant"),
        ([network("b"), network("a")], {}, "a"),
    ])
def test_networks(networks: list[CatalogNetwork], wished: dict[str, Any], chosen: str) -> None:
    assert the_network(networks, **wished)[0] == chosen


BOTH = dual("both", ("public", "direct"), ("public", "direct"))
SIX = dual("six", None, ("public", "direct"))
HALF = dual("half", ("floating", "floating"), ("public", "direct"))
INNER = dual("inner", ("floating", "floating"), ("private", "none"))


@pytest.mark.parametrize(
    ("networks", "wished", "chosen"),
    [
        ([SIX], {}, ("six", ("ipv6",))),
        ([SIX, FLOATING], {}, ("tenant", ("ipv4",))),  # of equals, the one that the older family reaches
        ([BOTH], {}, ("both", ("ipv4", "ipv6"))),
        ([HALF], {}, ("half", ("ipv4", "ipv6"))),  # the second family comes along for nothing
        ([INNER], {}, ("inner", ("ipv4",))),
        ([FLOATING, BOTH], {"families": ("ipv4", "ipv6")}, ("both", ("ipv4", "ipv6"))),
        ([FLOATING, SIX], {"families": ("ipv6",)}, ("six", ("ipv6",))),
        ([dual("mixed", ("external", "floating"), ("public", "direct"))], {}, ("mixed", ("ipv6",))),
        ([dual("mixed", ("private", "none"), ("public", "direct"))], {"reachable": "private"}, ("mixed", ("ipv4",))),
        ([dual("mixed", ("private", "none"), ("public", "direct"))], {}, ("mixed", ("ipv6",))),
        ([INNER], {"reachable": "private", "families": ("ipv4", "ipv6")}, ("inner", ("ipv4", "ipv6"))),
    ])
def test_families(networks: list[CatalogNetwork], wished: dict[str, Any], chosen: tuple[str, tuple[str, ...]]) -> None:
    assert the_network(networks, **wished) == chosen


def test_why_no_network_fits() -> None:
    text = error(the_network, [FLOATING], families=("ipv4", "ipv6"))
    assert "nothing fits 'reachable: public by ipv4 and ipv6'; nearest: tenant: has no ipv6" in text
    assert "inside: gives no address that is reached from outside (ipv4: inside is private)" in error(the_network, [PRIVATE])
    assert "gives addresses that are reached from outside (ipv4: ext is public)" in error(the_network, [EXT], reachable="private")
    assert "closed: is shared by nobody" in error(the_network, [network("closed", usable=False, why_not="is shared by nobody")])
    assert "the cloud offers no network at all" in error(the_network, [])
    text = error(the_network, [EXT, PRIVATE], name="inside")
    assert "nothing fits 'named inside, reachable: public'; nearest: " in text
    assert "gives no address" in text


def test_the_reason_and_what_was_not_taken() -> None:
    pick, _families = pick_network(NetworkWish(), [FLOATING, EXT, PRIVATE])
    assert pick.because == "reachable: public; ipv4 public (direct): ext is public"
    assert pick.rejected == (
        "tenant: ipv4 floating (floating): tenant is floating",
        "inside: gives no address that is reached from outside (ipv4: inside is private)")


def test_of_two_networks_of_one_name_the_operator_says_which() -> None:
    twins = [network("net", id="a"), network("net", id="b"), network("other")]
    assert "several are named net: a, b; Write the id" in error(pick_network, NetworkWish(name="net"), twins).replace(". ", "; ")
    assert pick_network(NetworkWish(name="b"), twins)[0].item.id == "b"
    assert pick_network(NetworkWish(), twins)[0].item.id == "a"
    reached = dataclasses.replace(PRIVATE, name="tenant")
    assert pick_network(NetworkWish(name="tenant"), [reached, FLOATING])[0].item is FLOATING, "only one of them fits"
    parts = [network("net", id="a", zones=("z1",)), network("net", id="b", zones=("z2",))]
    assert pick_network(NetworkWish(name="net"), parts)[0].item.id == "a", "parts of one network, a zone each"


def test_networks_in_zones() -> None:
    subnets = [network("s1", zones=("z1",)), network("s2", zones=("z2",))]
    assert pick_network(NetworkWish(), subnets, zone="z2")[0].item.name == "s2"
    assert pick_network(NetworkWish(), subnets, zones=("z2",))[0].item.name == "s2"
    assert pick_network(NetworkWish(), [network("all")], zone="z2")[0].item.name == "all"
    assert "s1: is in z1" in error(pick_network, NetworkWish(), subnets[:1], zone="z2")
    assert "could not be had" in error(pick_network, NetworkWish(), subnets[:1], without={"net-s1"})


def test_a_role_that_only_an_operator_gives_breaks_nothing() -> None:
    odd = network("bmc", "management", "direct")
    assert the_network([odd, PRIVATE], reachable="any")[0] == "bmc"
    assert odd.role == "management"
    error(the_network, [odd])


# -------------------------------------------------------------------------------------------------- machines
def rack(*machines: CatalogFlavor, images: tuple[CatalogImage, ...] = ()) -> Catalog:
    return Catalog(images, machines)


def test_the_smallest_machine_that_fits_in_every_way() -> None:
    catalog = rack(machine("big", 32, 65536), machine("small", 8, 16384), machine("inner", 2, networks=(PRIVATE,)))
    chosen = choose(wish(flavor={"vcpus": 4}), catalog, provider="metal")
    assert chosen.flavor.item.name == "small"
    assert chosen.flavor.because == "the smallest of 2 free machines that fit (8 vCPU, 16384 MiB, 10 GiB)"
    assert chosen.flavor.rejected[0] == "big: larger (32 vCPU, 65536 MiB, 10 GiB)"
    assert "inner: 2 vCPU, " in chosen.flavor.rejected[1]
    assert "gives no address" in chosen.flavor.rejected[1]
    assert chosen.image is None
    assert chosen.network is not None
    assert chosen.as_dict()["because"]["image"] == "comes with the machine"
    assert chosen.as_dict()["image"] is None


def test_a_machine_by_its_name_and_none_that_is_free() -> None:
    assert choose(wish(flavor={"name": "b"}), rack(machine("a"), machine("b")), provider="metal").flavor.item.name == "b"
    text = error(choose, wish(), rack(machine("a")), provider="metal", without={"f-a"})
    assert "a: was there, but could not be had" in text
    assert "choose the machine" in error(choose, wish(), rack(), provider="metal")
    assert "the cloud offers no machine at all" in error(choose, wish(), rack(), provider="metal")


def test_what_is_installed_must_be_as_wished() -> None:
    text = error(choose, wish(image={"distro": "rocky"}), rack(machine("a")), provider="metal")
    assert "installed: is debian" in text
    text = error(choose, wish(), rack(machine("a", image=None)), provider="metal")
    assert "a: image: nobody tells what is installed on it (debian is wished)" in text
    nothing_said = wish(image={})
    assert choose(nothing_said, rack(machine("a", image=None)), provider="metal").image is None


def test_what_is_deployed_is_chosen_for_the_machine() -> None:
    images = (image("arm", arch="aarch64"), image("intel"))
    chosen = choose(wish(), rack(machine("a", image=None, arch="aarch64"), images=images), provider="metal")
    assert chosen.image is not None
    assert chosen.image.item.name == "arm"


def test_a_machine_without_networks_is_a_machine_all_the_same() -> None:
    assert "choose the machine" in error(choose, wish(), rack(machine("a", networks=())), provider="metal")


# -------------------------------------------------------------------------------------------------- all of it
def test_the_choice_as_data() -> None:
    chosen = choose(wish(), Catalog((image(),), (flavor(),), (DIRECT,)), provider="openstack").as_dict()
    assert chosen == {
        "image": {"id": "img-debian-12", "name": "debian-12"}, "flavor": {"id": "f-small", "name": "small"},
        "network": {"id": "net-ext", "name": "ext"},
        "because": {"image": "the only one that is debian", "flavor": "the only one with at least 1 vCPU (1 vCPU, 1024 MiB, 10 GiB)",
                    "network": "the cloud's default; ipv4 public (direct): ext is public"},
        "rejected": {"image": [], "flavor": [], "network": []}, "families": ["ipv4"], "disk_gib": None}


def test_the_zone_of_the_flavor_leads_to_the_network() -> None:
    catalog = Catalog((image(),), (flavor(zones=("z2",)),), (network("s1", zones=("z1",), default=True), network("s2", zones=("z2",))))
    chosen = choose(wish(), catalog, provider="aws")
    assert chosen.network is not None
    assert chosen.network.item.name == "s2"
