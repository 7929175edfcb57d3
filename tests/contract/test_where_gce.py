# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where nodes of the provider gce come to be on the lab: image, flavor, network and zone that go together, also in a Shared VPC."""
from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import CatalogNetwork
from fleetlab.core import Lab

from .gce_project import Api, Place, living, make_project, opened

RUN = secrets.token_hex(3)  # a lab may have been through these tests before
CUSTOM, AUTO, HOST, SERVICE = (f"acme-{name}-{RUN}" for name in ("where", "auto", "hub", "spoke"))
FULL = {"match": "instances.insert", "code": 503, "reason": "ZONE_RESOURCE_POOL_EXHAUSTED", "message": "The zone does not have enough resources"}


# ------------------------------------------------------------------------------------------- a project without default network
@pytest.fixture(scope="module")
def custom_key(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Subnetwork ``only`` of network ``west`` in europe-west4, ``far`` of ``east`` in asia-east1, none in us-central1."""
    key_file = make_project(CUSTOM, tmp_path_factory.mktemp("gce"))
    api = Api(CUSTOM, key_file)
    for row in api.read("global/firewalls")["items"]:
        api.do("DELETE", f"global/firewalls/{row['name']}")
    api.do("DELETE", "global/networks/default")
    for network, region, name, cidr in (("west", "europe-west4", "only", "10.80.0.0/20"), ("east", "asia-east1", "far", "10.81.0.0/20")):
        api.do("POST", "global/networks", {"name": network, "autoCreateSubnetworks": False})
        api.do("POST", f"regions/{region}/subnetworks", {"name": name, "network": f"global/networks/{network}", "ipCidrRange": cidr})
    api.client.call("POST", "_lab/machine-type", {"project": CUSTOM, "name": "n2-standard-4", "zones": ["asia-east1-c"]})
    return key_file


@pytest.fixture
def custom(custom_key: Path) -> Iterator[Place]:
    yield from living(CUSTOM, custom_key)


def test_nobody_names_a_zone_and_the_only_networks_are_elsewhere(custom: Place) -> None:
    zone, subnetwork = custom.made("where-1")
    assert subnetwork == f"projects/{CUSTOM}/regions/asia-east1/subnetworks/far"  # both are as good: by name
    assert zone.startswith("asia-east1-")


def test_the_network_that_is_named_is_in_another_region(custom: Place) -> None:
    for number, name in enumerate(("only", "west", f"projects/{CUSTOM}/regions/europe-west4/subnetworks/only")):
        zone, subnetwork = custom.made(f"where-2{number}", network={"name": name})
        assert (zone.rpartition("-")[0], subnetwork.rpartition("/")[2]) == ("europe-west4", "only")


def test_the_zones_of_the_fleet_file(custom: Place) -> None:
    assert custom.made("where-3", only_zones=["us-central1-a", "europe-west4-b"])[0] == "europe-west4-b"


def test_a_machine_type_of_one_zone(custom: Place) -> None:
    assert custom.made("where-4", flavor={"name": "n2-standard-4"})[0] == "asia-east1-c"
    words = custom.refused("where-5", flavor={"name": "n2-standard-4"}, network={"name": "only"})
    assert "n2-standard-4: is not offered in europe-west4-a or europe-west4-b or europe-west4-c" in words


def test_a_zone_without_a_network(custom: Place) -> None:
    assert "choose the network" in custom.refused("where-6", zone="us-central1-a")
    assert "choose the zone" in custom.refused("where-7", zone="us-central1-z")


def test_zones_that_are_full(custom: Place) -> None:
    for zone in ("asia-east1-a", "asia-east1-b", "asia-east1-c"):
        custom.api.fault(**FULL, zone=zone)
    assert custom.made("where-8")[0].startswith("europe-west4-")
    for zone in ("asia-east1-a", "asia-east1-b"):
        custom.api.fault(**FULL, zone=zone)
    assert custom.made("where-9")[0] == "asia-east1-c"


def test_zones_that_are_full_where_it_must_be(custom: Place) -> None:
    for zone in ("europe-west4-a", "europe-west4-b", "europe-west4-c"):
        custom.api.fault(**FULL, zone=zone, times=0)
    assert "ZONE_RESOURCE_POOL_EXHAUSTED" in custom.refused("where-10", network={"name": "only"})
    assert "ZONE_RESOURCE_POOL_EXHAUSTED" in custom.refused("where-11", zone="europe-west4-a")


# ----------------------------------------------------------------------------------------- a default network in every region
def test_the_default_network_follows_the_zone_and_the_flavor(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> None:
    key_file = make_project(AUTO, tmp_path_factory.mktemp("gce"))
    for auto in living(AUTO, key_file):
        auto.api.client.call("POST", "_lab/machine-type", {"project": AUTO, "name": "n2-standard-4", "zones": ["europe-west1-d"]})
        for name, wished, region in (
            ("auto-1", {}, "us-central1"), ("auto-2", {"zone": "europe-west4-a"}, "europe-west4"),
            ("auto-3", {"flavor": {"name": "n2-standard-4"}}, "europe-west1"), ("auto-4", {"network": {"name": "default"}}, "us-central1"),
        ):
            zone, subnetwork = auto.made(name, **wished)
            assert subnetwork == f"projects/{AUTO}/regions/{region}/subnetworks/default"
            assert zone.startswith(f"{region}-")


# ------------------------------------------------------------------------------------------------------------- Shared VPC
@pytest.fixture(scope="module")
def spoke_key(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service project with a subnetwork ``apps`` of its own in europe-west1; its host has one of that name, too, in us-central1
    and in us-east1."""
    folder = tmp_path_factory.mktemp("gce")
    hub = Api(HOST, make_project(HOST, folder))
    hub.do("POST", "global/networks", {"name": "corp", "autoCreateSubnetworks": False})
    for region, cidr in (("us-central1", "10.90.0.0/20"), ("us-east1", "10.90.16.0/20")):
        hub.do("POST", f"regions/{region}/subnetworks", {"name": "apps", "network": "global/networks/corp", "ipCidrRange": cidr})
    key_file = make_project(SERVICE, folder, **{HOST: "networkUser"})
    api = Api(SERVICE, key_file)
    for row in api.read("global/firewalls")["items"]:
        api.do("DELETE", f"global/firewalls/{row['name']}")
    api.do("DELETE", "global/networks/default")
    api.do("POST", "global/networks", {"name": "own", "autoCreateSubnetworks": False})
    api.do("POST", "regions/europe-west1/subnetworks", {"name": "apps", "network": "global/networks/own", "ipCidrRange": "10.91.0.0/20"})
    hub.do("POST", "enableXpnHost")
    hub.do("POST", "enableXpnResource", {"xpnResource": {"id": SERVICE, "type": "PROJECT"}})
    return key_file


@pytest.fixture
def spoke(spoke_key: Path) -> Iterator[Place]:
    yield from living(SERVICE, spoke_key)


def networks(key_file: Path, project: str = SERVICE) -> dict[str, CatalogNetwork]:
    return {network.id: network for network in opened(key_file, project).catalog(frozenset({"networks"})).networks}


def test_networks_of_the_host_project_are_offered(spoke_key: Path) -> None:
    found = networks(spoke_key)
    shared = {f"projects/{HOST}/regions/{region}/subnetworks/{name}" for region in ("us-central1", "us-east1") for name in ("apps", "default")}
    assert set(found) >= {*shared, f"projects/{SERVICE}/regions/europe-west1/subnetworks/apps"}
    assert not any(network.default for network in found.values())
    apps = found[f"projects/{HOST}/regions/us-east1/subnetworks/apps"]
    assert (apps.zones, apps.how, apps.cidrs) == (("us-east1-b", "us-east1-c", "us-east1-d"), {"ipv4": "assigned"}, ("10.90.16.0/20",))
    assert apps.extra["network"] == f"projects/{HOST}/global/networks/corp"


def test_a_node_in_a_network_of_the_host_project(spoke: Place) -> None:
    hub = f"projects/{HOST}/regions"
    assert spoke.made("spoke-1", network={"name": "corp"})[1] == f"{hub}/us-central1/subnetworks/apps"
    assert spoke.made("spoke-2", network={"name": f"{hub}/us-east1/subnetworks/apps"})[1] == f"{hub}/us-east1/subnetworks/apps"
    assert spoke.made("spoke-3", network={"name": "apps"}, zone="europe-west1-b")[1] == (
        f"projects/{SERVICE}/regions/europe-west1/subnetworks/apps")
    outcome = spoke.make("spoke-1", network={"name": "corp"})
    assert not outcome.failure
    assert not outcome.changed


def test_rules_are_in_the_project_of_the_network(spoke_key: Path, tmp_path: Path, spoke: Place) -> None:
    rules = {"allow": [{"port": 22, "from": ["203.0.113.0/24"]}]}
    words = spoke.refused("spoke-4", network={"name": "corp"}, security=rules)
    assert f"The network is of project {HOST} (Shared VPC), and so are its firewall rules: grant roles/compute.securityAdmin there" in words

    admin = Place(SERVICE, make_project(SERVICE, tmp_path, account="network", **{HOST: "admin"}))
    hub = Api(HOST, make_project(HOST, tmp_path, account="look"))
    before = hub.things()
    hub.do("POST", "global/firewalls", {"name": "theirs", "network": "global/networks/corp", "description": "fleet_node=spoke-5",
                                        "allowed": [{"IPProtocol": "icmp"}]})  # of a node of that name in another project
    outcome = admin.make("spoke-5", network={"name": "corp"}, security=rules)
    assert outcome.node, outcome.failure
    (tag,) = admin.api.instance(outcome.node.id)["tags"]["items"]
    made = [row for row in hub.read("global/firewalls")["items"] if tag in row.get("targetTags", ())]
    assert sorted(row["priority"] for row in made) == [1000, 65533]
    assert {row["network"].partition("/v1/")[2] for row in made} == {f"projects/{HOST}/global/networks/corp"}
    assert {row["description"] for row in made} == {f"fleet_node=spoke-5 project={SERVICE}"}
    assert opened(admin.key_file, SERVICE).marked("spoke-") == {"spoke-5"}
    assert all(word.endswith(f" of project {HOST}") for word in opened(admin.key_file, SERVICE).leftovers("spoke-5"))
    admin.remove()
    assert {link.rpartition("/")[2] for link in hub.things() - before} == {"theirs"}
    hub.do("DELETE", "global/firewalls/theirs")


def test_whoever_may_use_nothing_there_has_the_own_networks(spoke_key: Path, tmp_path: Path) -> None:
    stranger = make_project(SERVICE, tmp_path, account="stranger")
    assert list(networks(stranger)) == [f"projects/{SERVICE}/regions/europe-west1/subnetworks/apps"]
    Api(SERVICE, spoke_key).fault(match="projects.getXpnHost", code=403, reason="forbidden", message="no")
    assert list(networks(spoke_key)) == [f"projects/{SERVICE}/regions/europe-west1/subnetworks/apps"]
