# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The actions of the provider gce on the lab, in a project of their own: what they make is there once, and goes without a trace."""
from __future__ import annotations

import dataclasses
import json
import os
import time
import urllib.request
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import PARTS, Catalog
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.collect import collect
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.actions import MARK, Actions, Order, SecurityRule
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import Node
from fleetlab.core import Lab

from .gce_project import KEY, Api, cloud, make_project, opened, settings

PROJECT = "acme-acts"
SSH_ONLY = (SecurityRule(22, 22, "tcp", ("203.0.113.0/24", "2001:db8:1::/48")), SecurityRule(None, None, "icmp", ("0.0.0.0/0",)))


@pytest.fixture(scope="module")
def key_file(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = make_project(PROJECT, tmp_path_factory.mktemp("gce"))
    client = Api(PROJECT, path).client
    client.create([(f"{PROJECT}/global/networks", {"name": "wide", "autoCreateSubnetworks": False, "enableUlaInternalIpv6": True})])
    client.create([
        (f"{PROJECT}/regions/us-east1/subnetworks", {
            "name": "dual", "network": "global/networks/wide",
            "ipCidrRange": "10.70.0.0/20", "stackType": "IPV4_IPV6", "ipv6AccessType": "EXTERNAL"}),
        (f"{PROJECT}/regions/europe-west1/subnetworks", {
            "name": "ula", "network": "global/networks/wide",
            "ipCidrRange": "10.70.16.0/20", "stackType": "IPV4_IPV6", "ipv6AccessType": "INTERNAL"}),
    ])
    return path


@pytest.fixture
def api(key_file: Path) -> Api:
    return Api(PROJECT, key_file)


def node_of(key_file: Path, node_id: str) -> Node:
    """The node as the inventory shows it."""
    (answer,) = collect([cloud(key_file, PROJECT)], settings())
    assert not answer.failure, answer.failure
    return next(node for node in answer.nodes if node.id == node_id)


@pytest.fixture
def actions(key_file: Path, api: Api) -> Iterator[Actions]:
    """The actions; what a test made is deleted, and must then be gone to the last rule."""
    before = api.things()
    acting = opened(key_file, PROJECT)
    yield acting
    names = set()
    for scope in api.read("aggregated/instances")["items"].values():
        for row in scope.get("instances", []):
            if MARK in row.get("labels", {}):
                names.add(row["name"])
                acting.delete(row["id"])
                _until_gone(acting, row["id"])
    for name in names:
        acting.clean(name)
        assert acting.clean(name) == acting.leftovers(name) == []
    assert api.things() == before


def _until_gone(acting: Actions, node_id: str) -> None:
    for _look in range(100):
        if not acting.status([node_id]):
            return
        time.sleep(0.1)
    pytest.fail(f"{node_id} does not go")


@pytest.fixture(scope="module")
def catalog(key_file: Path) -> Catalog:
    return opened(key_file, PROJECT).catalog(frozenset(PARTS), ("debian",))


def order(catalog: Catalog, name: str, *, network: str | None = None, **more: Any) -> Order:
    image = next(image for image in catalog.images if image.family == "debian-12" and image.usable)
    flavor = next(flavor for flavor in catalog.flavors if flavor.name == "e2-small")
    found = next(net for net in catalog.networks if (net.default if network is None else net.name == network))
    wish: dict[str, Any] = {"reachable": "public", "public_key": KEY, "tags": {MARK: name}, "token": uuid.uuid4().hex, **more}
    return Order(name=name, image=image, flavor=flavor, network=found, **wish)


# --------------------------------------------------------------------------------------------------- catalog
def test_catalog_is_what_the_lab_holds(api: Api, catalog: Catalog) -> None:
    assert {image.owner for image in catalog.images} == {"debian-cloud"}
    assert not [image for image in catalog.images if not image.usable]
    arm = next(image for image in catalog.images if image.family == "debian-12-arm64")
    assert (arm.distro, arm.version, arm.arch, arm.min_disk_gib) == ("debian", "12", "aarch64", 10)
    assert {zone.name for zone in catalog.zones} == {row["name"] for row in api.read("zones")["items"]}
    flavors = {flavor.name: flavor for flavor in catalog.flavors}
    assert set(flavors) == {row["name"] for row in api.read("zones/us-central1-a/machineTypes")["items"]}
    assert (flavors["e2-medium"].vcpus, flavors["e2-medium"].memory_mib, flavors["t2a-standard-1"].arch) == (2, 4096, "aarch64")
    assert len(flavors["e2-medium"].zones) == len(catalog.zones)
    networks = {network.name: network for network in catalog.networks if network.name != "default"}
    assert networks["dual"].reach == {"ipv4": "floating", "ipv6": "public"}
    assert networks["dual"].how == {"ipv4": "assigned", "ipv6": "direct"}
    assert (networks["ula"].reach["ipv6"], networks["ula"].how["ipv6"]) == ("private", "none")
    defaults = [network for network in catalog.networks if network.default]
    assert defaults[0].extra["region"] == "us-central1"
    assert {zone for network in defaults for zone in network.zones} == {zone.name for zone in catalog.zones}


def test_zones_of_the_fleet_file_narrow_everything(key_file: Path) -> None:
    found = opened(key_file, PROJECT, zones=["us-east1-b"]).catalog(frozenset(PARTS), ("debian",))
    assert [zone.name for zone in found.zones] == ["us-east1-b"]
    assert {flavor.zones for flavor in found.flavors} == {("us-east1-b",)}
    assert {network.extra["region"] for network in found.networks if network.usable} == {"us-east1"}
    assert [network.zones for network in found.networks if network.default and network.usable] == [("us-east1-b",)]


# ------------------------------------------------------------------------------------------------- one node
def test_a_node_from_its_order_to_its_end(key_file: Path, api: Api, actions: Actions, catalog: Catalog) -> None:
    wish = order(catalog, "acts-1", network="dual", families=("ipv4", "ipv6"), rules=SSH_ONLY, login_user="ops",
                 tags={MARK: "acts-1", "Role": "Web Server"}, disk_gib=20, user_data="#cloud-config\n{}\n")
    node_id = actions.create(wish)
    assert actions.status([node_id, "1"])[node_id].state == "running"
    assert set(actions.status([node_id, "1"])) == {node_id}
    assert actions.publish(wish, node_id) is None
    node = node_of(key_file, node_id)
    assert node.public_ipv4 and node.public_ipv6 and node.login_user == "ops"
    assert node.network_role in ("public", "floating")
    assert {key: value for key, value in node.tags.items() if value} == {MARK: "acts-1", "role": "web_server"}
    assert actions.adapted_tags({"Role": "Web Server"}) == {"role": "web_server"}
    ends = time.monotonic() + 120
    while not (keys := actions.host_keys(node_id)) and time.monotonic() < ends:
        time.sleep(1)  # a host that really boots takes a moment to tell them
    assert keys
    assert all(key.startswith(("ssh-", "ecdsa-")) for key in keys)
    raw = api.instance(node_id)
    assert raw["disks"][0]["diskSizeGb"] == "20"
    assert {"key": "user-data", "value": "#cloud-config\n{}\n"} in raw["metadata"]["items"]
    rules = [row for row in api.read("global/firewalls")["items"] if row.get("targetTags") == ["fleet-acts-1"]]
    assert raw["tags"]["items"] == ["fleet-acts-1"]
    assert sorted((rule["priority"], rule["sourceRanges"][0]) for rule in rules) == [
        (1000, "0.0.0.0/0"), (1000, "2001:db8:1::/48"), (1000, "203.0.113.0/24"), (65533, "0.0.0.0/0"), (65533, "::/0")]
    assert len(actions.leftovers("acts-1")) == 5
    assert (actions.marked("acts-1"), actions.marked("acts-9")) == ({"acts-1"}, set())

    mesh = (SecurityRule(51820, 51820, "udp", ("203.0.113.9/32", "2001:db8:9::9/128")),)
    assert len(actions.bring_rules("acts-1", node_id, "mesh", mesh, check=True)) == 2
    assert len(actions.leftovers("acts-1")) == 5
    assert actions.bring_rules("acts-1", node_id, "mesh", mesh) == [
        "lets in udp 51820 from 203.0.113.9/32", "lets in udp 51820 from 2001:db8:9::9/128"]
    assert actions.bring_rules("acts-1", node_id, "mesh", mesh) == []
    assert len(actions.leftovers("acts-1")) == 7
    assert len(actions.bring_rules("acts-1", node_id, "cluster", mesh)) == 2  # each part has its own
    assert len(actions.bring_rules("acts-1", node_id, "cluster", ())) == 2
    assert len(actions.bring_rules("acts-1", node_id, "mesh", (SecurityRule(51820, 51820, "udp", ("203.0.113.9/32",)),))) == 1
    assert len(actions.bring_rules("acts-1", node_id, "mesh", ())) == 1
    assert len(actions.leftovers("acts-1")) == 5

    narrower = dataclasses.replace(wish, rules=SSH_ONLY[:1])
    assert actions.create(narrower) == node_id
    assert len(actions.leftovers("acts-1")) == 4


def test_keys_come_and_go(actions: Actions, catalog: Catalog) -> None:
    node_id = actions.create(order(catalog, "acts-keys"))
    other = KEY.replace("AAAAIAab", "AAAAIBab")
    assert actions.node_keys(node_id) == (KEY,)
    assert actions.add_node_key(node_id, "ops", other)
    assert not actions.add_node_key(node_id, "ops", other)
    assert actions.remove_node_key(node_id, KEY.rpartition(" ")[0])
    assert not actions.remove_node_key(node_id, KEY)
    assert actions.node_keys(node_id) == (other,)


def test_changes_at_the_same_time_are_all_kept(key_file: Path, actions: Actions, catalog: Catalog) -> None:
    node_id = actions.create(order(catalog, "acts-many"))
    tags = [{f"key{number}": "x"} for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda tag: actions.tag(node_id, tag), tags))
    assert set(node_of(key_file, node_id).tags) >= {f"key{number}" for number in range(4)}
    assert not actions.tag(node_id, {"Key1": "X", "key9": None})
    assert actions.tag(node_id, {"key1": None})
    assert "key1" not in node_of(key_file, node_id).tags


def test_power(actions: Actions, catalog: Catalog) -> None:
    node_id = actions.create(order(catalog, "acts-power"))
    assert not actions.power(node_id, "start")
    assert actions.power(node_id, "reboot")
    assert actions.power(node_id, "stop")
    _until(actions, node_id, "stopped")
    assert not actions.power(node_id, "stop")
    with pytest.raises(FleetError) as refused:
        actions.power(node_id, "reboot")
    assert refused.value.code == "conflict"
    assert actions.power(node_id, "start")
    _until(actions, node_id, "running")


def _until(actions: Actions, node_id: str, state: str) -> None:
    for _look in range(100):
        if actions.status([node_id])[node_id].state == state:
            return
        time.sleep(0.1)
    pytest.fail(f"{node_id} does not become {state}")


# ----------------------------------------------------------------------------------------- once, whatever happens
def test_the_same_order_twice_and_from_two_threads(actions: Actions, api: Api, catalog: Catalog, key_file: Path) -> None:
    wish = order(catalog, "acts-twice", rules=SSH_ONLY)
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(lambda acting: acting.create(wish), [actions, actions, opened(key_file, PROJECT), opened(key_file, PROJECT)]))
    assert len(found) == 1
    assert actions.create(dataclasses.replace(wish, token="another run")) in found
    assert len([name for name in api.things() if "/instances/" in name]) == 1


@pytest.mark.parametrize("trouble", [{"drop": True}, {"code": 503}, {"code": 429, "reason": "rateLimitExceeded"}])
def test_lost_answers(actions: Actions, api: Api, catalog: Catalog, trouble: dict[str, Any]) -> None:
    api.fault(match="instances.insert", times=2, **trouble)
    api.fault(match="*Operations.get", times=1, **trouble)
    actions.create(order(catalog, "acts-lost"))
    assert len([name for name in api.things() if "/instances/" in name]) == 1


def test_after_its_end_the_same_order_makes_a_new_node(actions: Actions, catalog: Catalog) -> None:
    wish = order(catalog, "acts-again")
    first = actions.create(wish)
    actions.delete(first)
    second = actions.create(wish)  # while the first one is still on its way out
    assert second != first
    assert actions.status([second])[second].state == "running"
    actions.delete(first)
    assert actions.status([second])[second].state == "running"


def test_an_address_for_a_node_without_one(key_file: Path, actions: Actions, api: Api, catalog: Catalog) -> None:
    wish = order(catalog, "acts-late", reachable="private", zone="us-central1-b")
    node_id = actions.create(wish)
    assert node_of(key_file, node_id).public_ip is None
    assert actions.publish(wish, node_id) is None
    api.do("POST", "regions/us-central1/addresses", {"name": "spare"})
    api.do("POST", "regions/us-central1/addresses", {"name": "a-kept", "labels": {MARK: "another"}})
    try:
        reserved = api.read("regions/us-central1/addresses/spare")["address"]
        wish = dataclasses.replace(wish, reachable="public")
        assert actions.publish(wish, node_id) == f"attached reserved address {reserved} (spare)"
        assert actions.publish(wish, node_id) is None
        assert node_of(key_file, node_id).public_ipv4 == reserved
        other = dataclasses.replace(wish, name="acts-late-2", tags={MARK: "acts-late-2"}, reachable="private")
        other_id = actions.create(other)
        assert actions.publish(dataclasses.replace(other, reachable="public"), other_id) == "attached an ephemeral IPv4 address"
        for name, known in (("acts-late", node_id), ("acts-late-2", other_id)):
            actions.delete(known)
            _until_gone(actions, known)
            assert actions.clean(name) == []
        assert api.read("regions/us-central1/addresses/spare")["status"] == "RESERVED"
    finally:
        for name in ("spare", "a-kept"):
            api.do("DELETE", f"regions/us-central1/addresses/{name}")


# ------------------------------------------------------------------------------------------------------ refusals
@pytest.mark.parametrize(("reason", "message", "code"), [
    ("quotaExceeded", "Quota 'CPUS' exceeded. Limit: 8.0 in region us-central1.", "quota"),
    ("quotaExceeded", "Quota 'IN_USE_ADDRESSES' exceeded. Limit: 4.0 in region us-central1.", "address_pool"),
])
def test_refusals_are_told_by_their_cause(actions: Actions, api: Api, catalog: Catalog, reason: str, message: str, code: str) -> None:
    api.fault(match="instances.insert", code=403, reason=reason, message=message)
    with pytest.raises(FleetError) as refused:
        actions.create(order(catalog, "acts-none"))
    assert refused.value.code == code
    assert message in refused.value.why
    actions.clean("acts-none")


def test_an_image_that_is_gone(actions: Actions, catalog: Catalog) -> None:
    wish = order(catalog, "acts-image")
    assert wish.image
    image = dataclasses.replace(wish.image, id="projects/debian-cloud/global/images/debian-9-gone")
    with pytest.raises(FleetError) as refused:
        actions.create(dataclasses.replace(wish, image=image))
    assert refused.value.code == "image_gone"


def test_another_zone_when_one_is_exhausted(actions: Actions, api: Api, catalog: Catalog) -> None:
    api.fault(match="instances.insert", code=503, reason="ZONE_RESOURCE_POOL_EXHAUSTED", message="The zone does not have enough resources")
    node_id = actions.create(order(catalog, "acts-zone"))
    assert "/us-central1-" in api.instance(node_id)["zone"]
    api.fault(match="instances.insert", code=503, reason="ZONE_RESOURCE_POOL_EXHAUSTED", message="The zone does not have enough resources")
    with pytest.raises(FleetError) as refused:
        actions.create(order(catalog, "acts-zone-2", zone="us-central1-a"))
    assert refused.value.code == "capacity"


def test_names_of_others_are_theirs(actions: Actions, api: Api, catalog: Catalog) -> None:
    wish = order(catalog, "acts-taken", zone="us-central1-a")
    nic = {"network": "global/networks/default"}
    disk = {"boot": True, "autoDelete": True, "initializeParams": {"sourceImage": "projects/debian-cloud/global/images/family/debian-12"}}
    api.do("POST", "zones/us-central1-a/instances", {
        "name": wish.name, "machineType": "zones/us-central1-a/machineTypes/e2-small", "networkInterfaces": [nic], "disks": [disk]})
    try:
        with pytest.raises(FleetError) as refused:
            actions.create(dataclasses.replace(wish, rules=SSH_ONLY))
        assert refused.value.code == "exists"
        assert actions.leftovers(wish.name) == []
    finally:
        api.do("DELETE", f"zones/us-central1-a/instances/{wish.name}")


def test_a_zone_that_the_network_is_not_in(actions: Actions, catalog: Catalog) -> None:
    with pytest.raises(FleetError) as refused:
        actions.create(order(catalog, "acts-far", network="dual", zone="europe-west4-a"))
    assert refused.value.code == "refused"


@pytest.mark.parametrize(("name", "tags"), [
    ("Web_1", {}), ("web.1", {}), ("web-1", {"9th": "x"}), ("web-1", {"Role": "a", "role": "b"}), ("web-1", {"long": "x" * 64}),
])
def test_names_and_tags_that_google_refuses_make_nothing(actions: Actions, api: Api, catalog: Catalog, name: str, tags: dict[str, str]) -> None:
    before = len(_log())
    with pytest.raises(FleetError) as refused:
        actions.create(order(catalog, name, tags={MARK: name, **tags}))
    assert refused.value.code == "refused"
    assert not [row for row in _log()[before:] if row.get("method") == "instances.insert" and PROJECT in str(row.get("path"))]


def _log() -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{os.environ['FLEET_LAB_GCE_URL']}/_lab/log", timeout=30) as answer:
        rows: list[dict[str, Any]] = json.load(answer)
        return rows
