# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Image, flavor, network and zone that go together: what is offered in some zones only leads to the rest, or the words say why not."""
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet import assemble
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import Catalog, CatalogFlavor, CatalogImage, CatalogNetwork, meet
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.jobs import not_to_be_had
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.network_choice import networks_of, pick_network
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.actions import Order
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.requirement import NetworkWish
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.selection import Choice, choose
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import AddressEvidence, InterfaceEvidence, Node, NodeEvidence
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.fake_cloud import flavor, image, network, wish

US, EU, ASIA = ("us-a", "us-b"), ("eu-a", "eu-b"), ("asia-a",)
EVERYWHERE = (*US, *EU, *ASIA)
SMALL, LARGE = flavor("small", zones=EVERYWHERE), flavor("large", 4, 8192, zones=EVERYWHERE)


def subnet(name: str, zones: tuple[str, ...], vpc: str = "vpc", **more: Any) -> CatalogNetwork:
    """A subnetwork as in GCE: of a region, named again in others."""
    region = zones[0].partition("-")[0]
    known: dict[str, Any] = {"id": f"projects/p/regions/{region}/subnetworks/{name}", "rank": 0 if zones == US else 2}
    return network(name, zones=zones, aliases=(vpc, f"projects/p/global/networks/{vpc}"), **{**known, **more})


AUTO = tuple(subnet("default", zones, "default", default=True) for zones in (ASIA, EU, US))


def chosen(networks: tuple[CatalogNetwork, ...], flavors: tuple[CatalogFlavor, ...] = (SMALL, LARGE), *,
           images: tuple[CatalogImage, ...] = (image(),), without: set[str] | None = None, **wished: Any) -> Choice:
    return choose(wish(**wished), Catalog(images, flavors, networks), provider="openstack", without=without or set())


def place(choice: Choice) -> tuple[str, str]:
    """Names of the flavor and of the network's region."""
    assert choice.network
    return choice.flavor.item.name, choice.network.item.zones[0].partition("-")[0]


def refusal(*arguments: Any, **more: Any) -> str:
    with pytest.raises(FleetError) as caught:
        chosen(*arguments, **more)
    assert caught.value.code == "no_match"
    return str(caught.value)


# ------------------------------------------------------------------------------------------------- what goes together
def test_default_networks_of_many_regions_the_nearest_is_taken() -> None:
    assert place(chosen(AUTO)) == ("small", "us")


def test_the_zone_decides_between_the_default_networks() -> None:
    assert place(chosen(AUTO, zone="eu-b")) == ("small", "eu")


def test_one_custom_network_elsewhere() -> None:
    assert place(chosen((subnet("only", EU),))) == ("small", "eu")


def test_a_network_that_is_named_and_elsewhere() -> None:
    networks = (*AUTO, subnet("x", EU))
    assert place(chosen(networks, network={"name": "x"})) == ("small", "eu")
    assert place(chosen(networks, network={"name": networks[-1].id})) == ("small", "eu")
    assert place(chosen(networks, network={"name": AUTO[0].id})) == ("small", "asia")
    assert place(chosen(networks, network={"name": "default"})) == ("small", "us")


def test_a_flavor_that_is_named_leads_to_the_network() -> None:
    only = flavor("only", zones=("asia-a",))
    assert place(chosen(AUTO, (SMALL, only), flavor={"name": "only"})) == ("only", "asia")


def test_no_node_goes_far_for_a_smaller_flavor() -> None:
    tiny = flavor("tiny", 1, 512, zones=ASIA)
    assert place(chosen(AUTO, (tiny, LARGE), flavor={"vcpus": 1})) == ("large", "us")
    assert any("tiny: is not offered in us-a or us-b" in word for word in chosen(AUTO, (tiny, LARGE), flavor={"vcpus": 1}).flavor.rejected)


def test_networks_that_differ_in_name_only_are_one_place() -> None:
    zonal = tuple(network(f"s-{zone}", zones=(zone,), default=True) for zone in ("a", "b", "c"))
    small, large = flavor("small", zones=("c",)), flavor("large", 4, 8192)
    choice = chosen(zonal, (small, large))
    assert (choice.flavor.item.name, choice.network and choice.network.item.name) == ("small", "s-c")


def test_an_image_of_the_architecture_that_is_there() -> None:
    arm = flavor("arm", zones=EU, arch="aarch64")
    images = (image(), image("debian-12-arm", arch="aarch64"))
    choice = chosen((*AUTO, subnet("x", EU)), (flavor("intel", zones=US), arm), images=images, network={"name": "x"})
    assert (choice.image and choice.image.item.name, choice.flavor.item.name) == ("debian-12-arm", "arm")


# ------------------------------------------------------------------------------------------------- what does not
def test_what_cannot_be_had_together_is_said() -> None:
    text = refusal((*AUTO, subnet("x", EU)), (flavor("only", zones=ASIA),), network={"name": "x"}, flavor={"name": "only"})
    assert "choose the flavor" in text
    assert "only: is not offered in eu-a or eu-b" in text


def test_a_network_that_is_named_and_not_in_the_zone() -> None:
    text = refusal((*AUTO, subnet("x", EU)), network={"name": "x"}, zone="us-a")
    assert "x: is in eu-a and eu-b" in text


def test_a_zone_that_is_not() -> None:
    text = refusal(AUTO, zone="us-z")
    assert "choose the zone: neither flavors nor networks are offered in zone 'us-z'" in text
    assert "nearest: us-" in text
    assert chosen((network("ext"),), (flavor(),), zone="nova")  # this cloud does not tell where things are


def test_names_that_are_there_several_times_are_told_apart() -> None:
    choice = chosen(AUTO, network={"name": "default"})
    assert choice.network
    assert [word.partition(":")[0] for word in choice.network.rejected] == [
        f"default (projects/p/regions/{region}/subnetworks/default)" for region in ("asia", "eu")]


# --------------------------------------------------------------------------------------------------------- names
def test_the_name_of_the_vpc_means_its_parts_unless_one_has_that_name_itself() -> None:
    networks = (subnet("a", US, "prod"), subnet("b", EU, "prod"), subnet("c", US, "other"))
    assert place(chosen(networks, network={"name": "prod"})) == ("small", "us")
    assert place(chosen(networks, network={"name": "projects/p/global/networks/prod"}, zone="eu-a")) == ("small", "eu")
    assert place(chosen((*networks, subnet("prod", EU, "other")), network={"name": "prod"})) == ("small", "eu")


def test_own_before_shared() -> None:
    own, shared = subnet("net", US), subnet("net", US, id="a-shared-one", rank=1)
    choice = chosen((shared, own))
    assert choice.network
    assert choice.network.item == own


# ------------------------------------------------------------------------------------------------------ no room there
def order(choice: Choice, **more: Any) -> Order:
    assert choice.network
    return Order("web", None, choice.flavor.item, choice.network.item, "t", **more)


def test_full_zones_are_left_for_another_region() -> None:
    networks = (*AUTO, subnet("x", US))
    catalog, choice = Catalog((image(),), (SMALL,), networks), chosen(networks)
    lost = not_to_be_had("capacity", order(choice), "gce", catalog)
    assert lost == {network.id for network in networks if network.zones == US}
    assert place(chosen(networks, without=lost)) == ("small", "asia")
    assert "could not be had" in refusal(networks, without=lost, network={"name": "x"})
    assert not_to_be_had("capacity", order(choice, zone="us-a"), "gce", catalog) == set()


def test_a_network_of_the_whole_world_is_not_lost() -> None:
    assert not_to_be_had("capacity", order(chosen((network("all"),))), "gce", Catalog()) == set()


# --------------------------------------------------------------------------------------------------- nodes that are there
def attached(node: Node, networks: tuple[CatalogNetwork, ...]) -> list[str]:
    return [one.id for one in networks_of(node, networks)]


def test_the_networks_of_a_node() -> None:
    parts = (subnet("a", US, cidrs=("10.0.0.0/24",)), subnet("b", US, cidrs=("10.0.1.0/24", "2001:db8::/64")), subnet("c", EU))
    vpc = "projects/p/global/networks/vpc"

    def node(ip: str, network_id: str = vpc, zone: str = "us-a") -> Node:
        nic = InterfaceEvidence(network_id.rpartition("/")[2], network_id, addresses=(AddressEvidence(ip),))
        return assemble.node(NodeEvidence(id="1", name="web", state="running", zone=zone, interfaces=(nic,)), provider="gce", cloud="google")

    assert attached(node("10.0.1.9"), parts) == [parts[1].id]
    assert attached(node("10.9.9.9"), parts) == [parts[0].id, parts[1].id]
    assert attached(node("10.9.9.9", zone="eu-a"), parts) == [parts[2].id]
    assert attached(node("10.0.1.9", parts[0].id), parts) == [parts[0].id]
    assert attached(node("10.0.1.9", "another"), (network("z"),)) == []


def test_zones_that_meet() -> None:
    assert meet((), US)
    assert meet(US, ("us-b", "x"))
    assert not meet(US, EU)


def test_the_first_of_equals_is_by_name_and_id() -> None:
    pick, _families = pick_network(NetworkWish(), [subnet("b", US), subnet("a", US)])
    assert pick.item.name == "a"


def test_what_was_named_is_the_nearest_whatever_it_lacks() -> None:
    far = subnet("z", EU, usable=False, why_not="is DRAINING", how={"ipv4": "none"})
    assert "nearest: z: is DRAINING, is in eu-a and eu-b" in refusal((*AUTO, far), network={"name": "z"}, zone="us-a")
    assert "nearest: zed: 1 vCPU" in refusal(AUTO, (SMALL, flavor("zed", memory_mib=1)), flavor={"name": "zed", "vcpus": 8, "memory_mib": 99})
    old = image("z", usable=False, why_not="is DEPRECATED", distro="rocky")
    assert "nearest: z: is rocky, is DEPRECATED" in refusal(AUTO, images=(image("a"), old), image={"name": "z", "distro": "debian"})
