# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Actions on an Ironic in memory: one machine for a name, one name for a machine, whatever goes wrong on the way."""
from __future__ import annotations

import copy
import dataclasses
from typing import Any, cast

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import PARTS
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import parse_clouds
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.actions import MARK, Order, SecurityRule
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.base import Run
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.metal import ironic
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.metal.ironic_actions import IronicActions
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.openstack.client import BareMetal
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.retry import Patience
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import NodeEvidence
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.providers.metal_ironic import FakeIronic, Killed

KEY = "ssh-ed25519 AAAA node key"
IMAGES = [{"name": "debian-12", "distro": "debian", "version": "12", "source": "http://images/d12.raw", "checksum": "a" * 64, "login_user": "debian"}]


@pytest.fixture
def api() -> FakeIronic:
    fake = FakeIronic()
    fake.add("u01", "198.51.100.1")
    fake.add("u02", "198.51.100.2")
    return fake


def act(api: FakeIronic, warned: list[str] | None = None, images: Any = None) -> IronicActions:
    """The actions as another process would open them; time goes on as they wait."""
    cloud, = parse_clouds({"metal": {"provider": "metal", "sources": [
        {"kind": "ironic", "cloud": "bifrost", "images": IMAGES if images is None else images}]}}, "fleet.yml")
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    run = Run(Patience(ends=60, retries=8, timeout=60, clock=lambda: now[0], sleep=sleep), frozenset({"running"}),
              warn=(warned if warned is not None else []).append)
    return IronicActions(cloud, run, "ironic bifrost", cloud.options["sources"][0]["images"], lambda: cast(BareMetal, api))


def order(api: FakeIronic, machine: str = "u01", name: str = "web-1", **keys: Any) -> Order:
    offer = act(api).catalog(frozenset(PARTS))
    flavor = next(flavor for flavor in offer.flavors if flavor.name == machine)
    return Order(name=name, image=offer.images[0], flavor=flavor, network=flavor.networks[0], token=f"of {name}", reachable="public",
                 public_key=KEY, tags={"role": "web", MARK: name}, **keys)


def shown(api: FakeIronic) -> dict[str, NodeEvidence]:
    """The machines as the inventory shows them, by name."""
    return {str(node.name): node for node in ironic.nodes(list(api.nodes.values()), api.ports, "metal")}


def untouched(api: FakeIronic) -> Any:
    return copy.deepcopy((api.nodes, api.allocations))


def test_the_offer(api: FakeIronic) -> None:
    api.add("busy", provision_state="active", power_state="power on")
    api.add("ill", maintenance=True, maintenance_reason="fan 2")
    api.add("old", retired=True, retired_reason=None)
    api.add("none", resource_class=None)
    api.add("dark", power_state=None)
    api.add("theirs", instance_uuid="i-1")
    offer = act(api).catalog(frozenset(PARTS))
    assert {flavor.name: flavor.why_not for flavor in offer.flavors} == {
        "u01": "", "u02": "", "busy": "state active", "ill": "in maintenance: fan 2", "old": "retired: no reason given",
        "none": "has no resource class, without which Ironic allocates nothing (baremetal node set --resource-class)",
        "dark": "its power state is unknown", "theirs": "reserved by i-1"}
    first = offer.flavors[0]
    assert (first.id, first.vcpus, first.memory_mib, first.disk_gib, first.arch, first.image) == ("uuid-u01", 8, 16384, 100, "x86_64", None)
    assert [(net.name, dict(net.reach), dict(net.how)) for net in first.networks] == [("dmz", {"ipv4": "public"}, {"ipv4": "direct"})]
    assert [(net.usable, net.why_not) for net in offer.flavors[2].networks] == [(False, "no address of this machine is known")]
    assert [(image.id, image.name, image.distro) for image in offer.images] == [("http://images/d12.raw", "debian-12", "debian")]
    assert [net.name for net in offer.networks] == ["dmz"]
    assert act(api).catalog(frozenset({"images"})).flavors == ()


def test_a_source_without_images_offers_no_machine(api: FakeIronic) -> None:
    assert all("names no 'images'" in flavor.why_not for flavor in act(api, images=[]).catalog(frozenset(PARTS)).flavors)


def test_what_is_asked_for(api: FakeIronic) -> None:
    warned: list[str] = []
    wanted = order(api, user_data="#cloud-config", rules=(SecurityRule(22, 22, "tcp", ("0.0.0.0/0",)),))
    assert act(api, warned).create(wanted) == "uuid-u01"
    assert "no security groups" in warned[0]
    (allocate, _path, allocation), (_patch, _node, patch), (_put, place, deploy) = api.asked
    assert allocate == "POST"
    assert allocation == {"name": "web-1", "resource_class": "metal", "candidate_nodes": ["uuid-u01"],
                          "extra": {MARK: "web-1", "fleet_token": "of web-1"}}
    values = {change["path"]: change["value"] for change in patch}
    assert values["/instance_info/image_source"] == "http://images/d12.raw"
    assert (values["/instance_info/image_os_hash_algo"], values["/instance_info/image_os_hash_value"]) == ("sha256", "a" * 64)
    assert (values["/instance_info/root_gb"], values["/instance_info/display_name"]) == (99, "web-1")
    assert place == "/nodes/uuid-u01/states/provision"
    assert deploy == {"target": "active", "configdrive": {
        "meta_data": {"uuid": "uuid-u01", "name": "web-1", "hostname": "web-1", "public_keys": {"fleet": KEY}}, "user_data": "#cloud-config"}}


def test_the_node_in_the_inventory(api: FakeIronic) -> None:
    act(api).create(order(api))
    api.work()
    node = shown(api)["web-1"]
    assert (node.id, node.state, node.image.name, node.image.distro, node.image.version) == ("uuid-u01", "running", "debian-12", "debian", "12")
    assert node.login.image_properties == {"image_original_user": "debian"}
    assert {"role": "web", MARK: "web-1", "machine": "u01", "rack": "r1"}.items() <= node.tags.items()
    assert not any("hybridops" in key for key in node.tags)
    assert node.created
    assert act(api).catalog(frozenset(PARTS)).flavors[0].why_not == "reserved for node web-1"


def test_from_binding_to_release(api: FakeIronic) -> None:
    before = untouched(api)
    wanted, actions = order(api), act(api)
    node_id = actions.create(wanted)
    assert actions.status([node_id, "no-such"])[node_id].state == "pending"
    api.work()
    assert actions.status([node_id])[node_id].state == "running"
    assert actions.confirm(wanted, node_id) == node_id
    assert actions.publish(wanted, node_id) is None
    assert actions.leftovers("web-1") == []
    assert actions.clean("web-1") == [], "a node is no leftover"
    actions.delete(node_id)
    actions.delete(node_id)
    assert actions.status([node_id])[node_id].state == "deleting"
    api.work()
    assert actions.status([node_id]) == {}
    actions.delete(node_id)
    assert shown(api).keys() == {"u01", "u02"}
    assert MARK not in shown(api)["u01"].tags
    assert act(api).marked("web-") == {"web-1"}
    assert act(api).clean("web-1") == ["notes on machine u01"]
    assert act(api).marked("web-") == set()
    assert act(api).clean("web-1") == []
    assert untouched(api) == before


@pytest.mark.parametrize("carried_out", [False, True])
@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("mend", ["again", "clean", "other"])
def test_a_run_that_is_killed(api: FakeIronic, step: int, carried_out: bool, mend: str) -> None:
    before = untouched(api)
    wanted = order(api)
    api.kill_at(step, carried_out=carried_out)
    with pytest.raises(Killed):
        act(api).create(wanted)
    deployed = (step, carried_out) == (3, True)
    held = (step, carried_out) != (1, False)
    assert ("web-1" in shown(api)) is deployed, "until it is deployed it is no node"
    assert (act(api).marked("web-"), act(api).marked("db-")) == ({"web-1"} if held else set(), set())
    if mend == "again":
        offered = next(flavor for flavor in act(api).catalog(frozenset(PARTS)).flavors if flavor.name == "u01")
        assert bool(offered.why_not) is deployed, "its own order must be able to choose it"
        again = dataclasses.replace(wanted, flavor=order(api, "u02").flavor)  # whatever is chosen now
        assert act(api).create(again) == ("uuid-u01" if held else "uuid-u02")
        assert len(api.allocations) == 1
    elif mend == "clean":
        assert bool(act(api).leftovers("web-1")) is (held and not deployed)
        act(api).clean("web-1")
        if not deployed:
            assert untouched(api) == before
    elif held:
        with pytest.raises(FleetError) as caught:
            act(api).create(order(api, name="web-2"))
        assert caught.value.code == "taken"
        assert [row["name"] for row in api.allocations.values()] == ["web-1"]


def test_the_answer_to_the_allocation_is_lost(api: FakeIronic) -> None:
    wanted = order(api)
    api.lose_answer_of("POST", "/allocations")
    assert act(api).create(wanted) == "uuid-u01"
    assert [method for method, path, _body in api.asked if path == "/allocations"] == []
    assert len(api.allocations) == 1


def test_another_try_deploys_in_between(api: FakeIronic) -> None:
    wanted, rival = order(api), act(api)

    def overtake(method: str, path: str) -> None:
        if path.endswith("states/provision"):
            api.revive()
            rival.create(wanted)
            api.work()

    api.before = overtake
    assert act(api).create(wanted) == "uuid-u01"
    assert [path for _method, path, _body in api.asked].count("/allocations") == 1


def test_a_machine_that_is_locked_is_asked_again(api: FakeIronic) -> None:
    wanted = order(api)
    api.locked = 3
    assert act(api).create(wanted) == "uuid-u01"
    api.locked = 99
    with pytest.raises(FleetError, match="is locked by host"):
        act(api).delete("uuid-u01")


def test_the_name_is_somebody_elses(api: FakeIronic) -> None:
    wanted = order(api)
    api.allocations["x"] = {"uuid": "x", "name": "web-1", "extra": {}, "state": "active", "node_uuid": "uuid-u02"}
    with pytest.raises(FleetError) as caught:
        act(api).create(wanted)
    assert caught.value.code == "exists"
    assert act(api).clean("web-1") == []
    assert "x" in api.allocations


def test_the_machine_was_taken_meanwhile(api: FakeIronic) -> None:
    wanted = order(api, name="web-2")
    act(api).create(order(api))
    with pytest.raises(FleetError) as caught:
        act(api).create(wanted)
    assert (caught.value.code, caught.value.why) == ("taken", "machine u01: reserved for node web-1")
    assert list(api.allocations) == ["allocation-web-1"]


def test_ironic_decides_otherwise(api: FakeIronic) -> None:
    wanted = order(api)
    api.before = lambda method, path: api.nodes["uuid-u01"].update(allocation_uuid="of another run")
    with pytest.raises(FleetError, match="none of the requested nodes are available") as caught:
        act(api).create(wanted)
    assert caught.value.code == "taken"
    assert api.allocations == {}, "the name is free again"


@pytest.mark.parametrize(("changes", "code"), [({"image": None}, "refused"), ({"name": "web/1"}, "refused")])
def test_orders_that_cannot_be_meant(api: FakeIronic, changes: dict[str, Any], code: str) -> None:
    wanted = dataclasses.replace(order(api), **changes)
    with pytest.raises(FleetError) as caught:
        act(api).create(wanted)
    assert caught.value.code == code
    assert api.asked == []


def test_an_image_that_the_fleet_file_lost(api: FakeIronic) -> None:
    wanted = order(api)
    with pytest.raises(FleetError) as caught:
        act(api, images=[{**IMAGES[0], "name": "other"}]).create(wanted)
    assert caught.value.code == "image_gone"


def test_a_deployment_that_fails(api: FakeIronic) -> None:
    actions = act(api)
    node_id = actions.create(order(api))
    api.work(fail="the image has another checksum")
    status = actions.status([node_id])[node_id]
    assert (status.state, status.fault) == ("error", "the image has another checksum")
    assert shown(api)["web-1"].state == "error"
    actions.delete(node_id)
    api.work()
    actions.clean("web-1")
    assert actions.leftovers("web-1") == []


def test_a_machine_that_its_deployment_leaves_off_is_switched_on_once(api: FakeIronic) -> None:
    api.leaves_off = True
    wanted = order(api)
    node_id = act(api).create(wanted)
    api.work()
    assert act(api).status([node_id])[node_id].state == "pending"
    api.work()
    actions = act(api)
    assert actions.status([node_id])[node_id].state == "running"
    actions.confirm(wanted, node_id)
    api.nodes[node_id]["power_state"] = "power off"
    assert act(api).status([node_id])[node_id].state == "stopped"
    assert api.nodes[node_id]["target_power_state"] is None


def test_power(api: FakeIronic) -> None:
    actions = act(api)
    with pytest.raises(FleetError, match="is available"):
        actions.power("uuid-u01", "start")
    actions.create(order(api))
    with pytest.raises(FleetError) as caught:
        actions.power("uuid-u01", "start")
    assert caught.value.code == "wrong_state"
    api.work()
    assert not actions.power("uuid-u01", "start")
    assert actions.power("uuid-u01", "stop")
    assert actions.status(["uuid-u01"])["uuid-u01"].state == "stopping"
    assert not actions.power("uuid-u01", "stop")
    api.work()
    assert actions.status(["uuid-u01"])["uuid-u01"].state == "stopped"
    with pytest.raises(FleetError, match="switched off"):
        actions.power("uuid-u01", "reboot")
    assert actions.power("uuid-u01", "start")
    api.work()
    api.supports_soft = False
    api.asked.clear()
    assert actions.power("uuid-u01", "reboot")
    assert [body["target"] for _method, _path, body in api.asked] == ["soft rebooting", "rebooting"]


def test_what_somebody_else_has_deployed_stays(api: FakeIronic) -> None:
    api.add("busy", provision_state="active", power_state="power on")
    with pytest.raises(FleetError) as caught:
        act(api).delete("uuid-busy")
    assert caught.value.code == "not_ours"
    assert act(api).status(["uuid-busy"])["uuid-busy"].state == "running"
    assert act(api).power("uuid-busy", "stop")


def test_notes_that_were_left_on_a_machine_of_others_make_it_no_node(api: FakeIronic) -> None:
    act(api).create(order(api))
    api.work()
    node = api.nodes["uuid-u01"]
    api.allocations.clear()
    node.update(allocation_uuid="of others", instance_info={"image_source": "theirs", "display_name": "theirs"})
    assert "web-1" not in shown(api)
    with pytest.raises(FleetError) as caught:
        act(api).delete("uuid-u01")
    assert caught.value.code == "not_ours"
    assert act(api).clean("web-1") == ["notes on machine u01"]
    assert node["instance_info"] == {"image_source": "theirs", "display_name": "theirs"}
    assert node["extra"] == {"rack": "r1"}


def test_keys(api: FakeIronic) -> None:
    actions = act(api)
    actions.create(order(api))
    api.work()
    assert actions.node_keys("uuid-u01") == (KEY,)
    assert not actions.add_node_key("uuid-u01", "debian", KEY)
    with pytest.raises(FleetError) as caught:
        actions.add_node_key("uuid-u01", "debian", "ssh-ed25519 BBBB other")
    assert caught.value.code == "unsupported"
    assert not actions.remove_node_key("uuid-u01", "ssh-ed25519 BBBB other")
    assert actions.remove_node_key("uuid-u01", KEY)
    assert actions.node_keys("uuid-u01") == ()
    assert "configdrive" not in api.nodes["uuid-u01"]["instance_info"], "a rebuild would bring the key back"
    assert not actions.remove_node_key("uuid-u01", KEY)


def test_tags(api: FakeIronic) -> None:
    actions = act(api)
    actions.create(order(api))
    api.work()
    assert actions.tag("uuid-u01", {"role": None, "a/b.c~d": "x"})
    assert not actions.tag("uuid-u01", {"role": None, "a/b.c~d": "x"})
    tags = shown(api)["web-1"].tags
    assert (tags["a/b.c~d"], tags[MARK], "role" in tags) == ("x", "web-1", False)
    api.add("busy", provision_state="active", power_state="power on")
    assert actions.tag("uuid-busy", {"fleet_login_user": "ops"})
    assert shown(api)["busy"].tags["fleet_login_user"] == "ops"
    assert shown(api)["busy"].login.metadata["fleet_login_user"] == "ops"
    assert actions.tag("uuid-busy", {"fleet_login_user": None})
    with pytest.raises(FleetError) as caught:
        actions.tag("no-such", {"a": "b"})
    assert caught.value.code == "not_found"


def test_a_public_address_is_what_the_machine_has_or_nothing(api: FakeIronic) -> None:
    api.add("inner", "10.0.0.1")
    actions = act(api)
    wanted = dataclasses.replace(order(api), flavor=order(api, "inner").flavor)
    node_id = actions.create(wanted)
    with pytest.raises(FleetError, match="no public ipv4 address") as caught:
        actions.publish(wanted, node_id)
    assert caught.value.code == "no_address"
    assert actions.publish(dataclasses.replace(wanted, reachable="any"), node_id) is None
