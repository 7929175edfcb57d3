# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Machines of rack files: bound by a record in a file beside it, and only those that say they may be."""
from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet import assemble
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import PARTS
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError, FleetFileError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import parse_clouds
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.actions import MARK, Actions, Order, SecurityRule
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.base import Run
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.metal import rack_file, spec
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.metal.client import Metal
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.metal.held import HeldActions
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.retry import Patience
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import NodeEvidence

RACK: dict[str, Any] = {
    "defaults": {"login_user": "root", "zone": "z1", "arch": "x86_64"},
    "nodes": [
        {"name": "u01", "id": "SN-1", "pool": True, "vcpus": 4, "memory_mib": 8192, "disk_gib": 100, "tags": {"rack": "r"},
         "image": {"distro": "debian", "version": "12"}, "host_keys": ["ssh-ed25519 AAAA"],
         "interfaces": [{"network": "dmz", "role": "public", "addresses": ["198.51.100.1", "2001:db8::1", "fe80::1"]},
                        {"network": "rack", "role": "private", "addresses": ["10.0.0.1"]},
                        {"network": "oob", "role": "management", "addresses": ["10.9.0.1"]}]},
        {"name": "u02", "id": "SN-2", "pool": True, "interfaces": [{"network": "rack", "role": "private", "addresses": ["10.0.0.2"]}]},
        {"name": "db", "interfaces": [{"network": "dmz", "role": "public", "addresses": ["198.51.100.3"]}]},
        {"name": "off", "pool": True, "state": "stopped"},
    ]}

Open = Callable[[], Actions]


@pytest.fixture
def warned() -> list[str]:
    return []


@pytest.fixture
def metal(tmp_path: Path, warned: list[str]) -> Callable[[], Metal]:
    (tmp_path / "r.yml").write_text(yaml.safe_dump(RACK), encoding="utf-8")
    cloud, = parse_clouds({"metal": {"provider": "metal", "sources": [{"kind": "file", "path": "r.yml"}]}}, "fleet.yml")
    return lambda: Metal(cloud, Run(Patience.seconds(20, 0), frozenset({"running"}), base_dir=str(tmp_path), warn=warned.append))


@pytest.fixture
def act(metal: Callable[[], Metal]) -> Open:
    return lambda: metal().actions("file r.yml")


@pytest.fixture
def shown(metal: Callable[[], Metal]) -> Callable[[], dict[str, NodeEvidence]]:
    return lambda: {node.id: node for node in metal().evidence("file r.yml")}


def order(act: Open, machine: str = "u01", name: str = "web-1", **keys: Any) -> Order:
    flavor = next(flavor for flavor in act().catalog(frozenset(PARTS)).flavors if flavor.name == machine)
    return Order(name=name, image=None, flavor=flavor, network=None, token=f"of {name}", reachable="public", tags={"role": "web"}, **keys)


def test_the_offer(act: Open) -> None:
    offer = act().catalog(frozenset(PARTS))
    sizes = [(flavor.id, flavor.name, flavor.vcpus, flavor.memory_mib, flavor.disk_gib, flavor.arch, flavor.zones) for flavor in offer.flavors]
    assert sizes[:2] == [
        ("SN-1", "u01", 4, 8192, 100, "x86_64", ("z1",)), ("SN-2", "u02", None, None, None, "x86_64", ("z1",))]
    assert [flavor.why_not for flavor in offer.flavors] == [
        "", "", "in use: it does not say that it may be bound (pool)", "state stopped, and nothing here can switch it on"]
    dmz, inside = offer.flavors[0].networks
    assert (dmz.id, dict(dmz.reach), dict(dmz.how)) == ("dmz", {"ipv4": "public", "ipv6": "public"}, {"ipv4": "direct", "ipv6": "direct"})
    assert dmz.why["ipv4"] == "198.51.100.1: r.yml says so"
    assert (inside.id, inside.role) == ("rack", "private")
    assert [network.usable for network in offer.flavors[3].networks] == [False]
    first, second = offer.flavors[0].image, offer.flavors[1].image
    assert first is not None
    assert second is not None, "it must not fit a wish for an image"
    assert (first.name, first.distro, first.version, second.distro) == ("debian 12", "debian", "12", None)
    assert offer.images == ()
    assert [network.id for network in offer.networks] == ["dmz", "rack"]
    assert [zone.name for zone in offer.zones] == ["z1"]


def test_the_node_in_the_inventory(act: Open, shown: Callable[[], dict[str, NodeEvidence]]) -> None:
    before = shown()
    assert act().create(order(act)) == "SN-1"
    node = assemble.node(shown()["SN-1"], provider="metal", cloud="metal")
    assert (node.id, node.name, node.state, node.public_ip, node.login_user) == ("SN-1", "web-1", "running", "198.51.100.1", "root")
    assert node.tags == {"rack": "r", "role": "web", MARK: "web-1", "machine": "u01"}
    assert node.created
    assert act().catalog(frozenset(PARTS)).flavors[0].why_not == "reserved for node web-1"
    act().delete("SN-1")
    assert shown() == before


def test_the_same_order_again(act: Open) -> None:
    wanted = order(act)
    assert {act().create(wanted) for _number in range(3)} == {"SN-1"}
    assert act().create(dataclasses.replace(wanted, flavor=order(act, "u02").flavor)) == "SN-1"
    assert act().confirm(wanted, "SN-2") == "SN-1"


@pytest.mark.parametrize(
    ("changes", "code", "why"),
    [
        ({"name": "web-2", "token": "2"}, "taken", "reserved for node web-1"),
        ({"token": "another"}, "exists", "held for a node of that name by"),
        ({"name": "db", "token": "2", "machine": "u02"}, "exists", "machine db has that name of its own"),
        ({"name": "web-2", "machine": "db"}, "taken", "in use"),
        ({"name": "web-2", "machine": "off"}, "taken", "state stopped"),
        ({"user_data": "#cloud-config"}, "refused", "takes no user_data"),
    ],
)
def test_orders_that_are_refused(act: Open, changes: dict[str, Any], code: str, why: str) -> None:
    act().create(order(act))
    machine = changes.pop("machine", "u01")
    with pytest.raises(FleetError) as caught:
        act().create(dataclasses.replace(order(act, machine), **changes))
    assert caught.value.code == code
    assert why in caught.value.why
    assert caught.value.fix


def test_a_node_may_be_called_as_its_machine(act: Open) -> None:
    assert act().create(order(act, "u02", "u02")) == "SN-2"


def test_a_machine_that_left_the_file_meanwhile(act: Open, tmp_path: Path) -> None:
    wanted = order(act)
    (tmp_path / "r.yml").write_text(yaml.safe_dump({**RACK, "nodes": RACK["nodes"][1:]}), encoding="utf-8")
    with pytest.raises(FleetError) as caught:
        act().create(wanted)
    assert caught.value.code == "taken"


def test_a_bound_machine_that_left_the_file_is_cleaned_up(act: Open, tmp_path: Path) -> None:
    wanted = order(act)
    act().create(wanted)
    (tmp_path / "r.yml").write_text(yaml.safe_dump({**RACK, "nodes": RACK["nodes"][1:]}), encoding="utf-8")
    with pytest.raises(FleetError) as caught:
        act().create(wanted)
    assert caught.value.code == "vanished"
    assert act().status(["SN-1"]) == {}
    words = ["reservation of machine SN-1 in r.yml.reservations.yml"]
    assert (act().leftovers("web-1"), act().clean("web-1"), act().clean("web-1")) == (words, words, [])


def test_a_run_that_was_killed_between_holding_and_binding(
    act: Open, shown: Callable[[], dict[str, NodeEvidence]], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = order(act)

    def killed(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(HeldActions, "prepare", killed)
        act().create(wanted)
    assert shown()["SN-1"].name == "u01", "it is no node yet"
    assert MARK not in shown()["SN-1"].tags
    assert act().leftovers("web-1") == ["reservation of machine SN-1 in r.yml.reservations.yml"]
    assert (act().marked("web-"), act().marked("db-")) == ({"web-1"}, set())
    flavor = act().catalog(frozenset(PARTS)).flavors[0]
    assert (flavor.why_not, flavor.price_rank) == ("", 1), "its own order can choose it, others rather not"
    with pytest.raises(FleetError, match="reserved for node web-1"):
        act().create(order(act, name="web-2"))
    assert act().create(wanted) == "SN-1"
    assert shown()["SN-1"].name == "web-1"
    assert act().leftovers("web-1") == []
    assert act().marked("web-") == {"web-1"}


def test_a_machine_that_is_bound_anew_while_it_is_released_stays_bound(act: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    act().create(order(act))

    def meanwhile(actions: HeldActions, machine: Any, record: Any) -> None:
        later = dataclasses.replace(record, since="2999-01-01T00:00:00Z")
        actions.ledger.change(lambda records: records.update({machine.id: later}))

    monkeypatch.setattr(HeldActions, "give_up", meanwhile)
    act().delete("SN-1")
    assert act().status(["SN-1"])["SN-1"].state == "running"


def test_what_is_not_ours_is_not_released(act: Open) -> None:
    with pytest.raises(FleetError) as caught:
        act().delete("db")
    assert caught.value.code == "not_ours"
    act().delete("SN-1")  # free already
    act().delete("no-such")
    act().create(order(act))
    assert act().clean("web-1") == [], "a node is no leftover"
    assert act().status(["SN-1"])["SN-1"].state == "running"


def test_status_of_machines_that_are_no_nodes(act: Open) -> None:
    assert {node: status.state for node, status in act().status(["SN-1", "db", "no-such"]).items()} == {"db": "running"}


def test_tags(act: Open, shown: Callable[[], dict[str, NodeEvidence]], tmp_path: Path) -> None:
    act().create(order(act))
    assert act().tag("SN-1", {"role": None, "fleet_login_user": "ops"})
    assert not act().tag("SN-1", {"role": None, "fleet_login_user": "ops"})
    assert assemble.node(shown()["SN-1"], provider="metal", cloud="metal").login_user == "ops"
    assert "role" not in shown()["SN-1"].tags
    assert shown()["SN-1"].tags[MARK] == "web-1"
    with pytest.raises(FleetError, match=r"'rack' stands in file r\.yml itself"):
        act().tag("SN-1", {"rack": None})
    assert act().tag("db", {"fleet_login_user": "admin"}), "of a machine in use, too"
    assert shown()["db"].login.metadata["fleet_login_user"] == "admin"
    assert shown()["db"].name == "db"
    assert act().tag("db", {"fleet_login_user": None})
    assert list(yaml.safe_load((tmp_path / "r.yml.reservations.yml").read_text(encoding="utf-8"))["machines"]) == ["SN-1"]
    with pytest.raises(FleetError) as caught:
        act().tag("no-such", {"a": "b"})
    assert caught.value.code == "not_found"


def test_what_a_rack_file_cannot_do(act: Open, warned: list[str]) -> None:
    for refused in (lambda: act().power("SN-1", "stop"), lambda: act().add_node_key("SN-1", "root", "ssh-ed25519 AAAA")):
        with pytest.raises(FleetError) as caught:
            refused()
        assert caught.value.code == "unsupported"
        assert caught.value.fix
    assert act().node_keys("SN-1") == ()
    assert act().remove_node_key("SN-1", "ssh-ed25519 AAAA") is False
    assert act().host_keys("SN-1") == ("ssh-ed25519 AAAA",)
    assert not act().key_store
    act().create(order(act, rules=(SecurityRule(22, 22, "tcp", ("0.0.0.0/0",)),)))
    assert "no security groups" in warned[0]


def test_a_public_address_is_what_the_machine_has_or_nothing(act: Open) -> None:
    wanted = order(act, families=("ipv4", "ipv6"))
    assert act().publish(wanted, "SN-1") is None
    with pytest.raises(FleetError, match="machine SN-2 has no public ipv4 address") as caught:
        act().publish(wanted, "SN-2")
    assert caught.value.code == "no_address"
    assert act().publish(dataclasses.replace(wanted, reachable="private"), "SN-2") is None


def test_reservations_change_the_cache_s_key(act: Open, tmp_path: Path) -> None:
    cloud, = parse_clouds({"metal": {"provider": "metal", "sources": [{"kind": "file", "path": "r.yml"}]}}, "fleet.yml")
    before = list(spec.identity(cloud.options, {}, str(tmp_path)))
    act().create(order(act))
    assert list(spec.identity(cloud.options, {}, str(tmp_path))) != before


@pytest.mark.parametrize(("key", "value", "sentence"), [
    ("pool", "yes please", "expected true or false"), ("vcpus", 0, "0 is not more than 0"), ("memory_mib", "much", "expected a whole number")])
def test_a_rack_file_that_cannot_be_meant(key: str, value: Any, sentence: str) -> None:
    with pytest.raises(FleetFileError) as caught:
        rack_file.machines({"nodes": [{"name": "a", key: value}]}, "r.yml", "r")
    assert sentence in str(caught.value)


@pytest.mark.parametrize(("source", "path"), [
    ({"kind": "file", "path": "racks/r.yml"}, "/base/racks/r.yml.reservations.yml"),
    ({"kind": "file", "path": "/racks/r.yml", "reservations": "held.yml"}, "/base/held.yml"),
    ({"kind": "redfish", "baseuri": "https://bmc.example.com:8443"}, "/base/redfish-bmc.example.com-8443.reservations.yml"),
])
def test_where_reservations_are_kept(source: dict[str, Any], path: str) -> None:
    cloud, = parse_clouds({"metal": {"provider": "metal", "sources": [source]}}, "fleet.yml")
    assert spec.reservations(cloud.options["sources"][0], "/base") == path


@pytest.mark.parametrize(("source", "sentence"), [
    ({"addresses": {"u1": "198.51.100.1"}}, "'u1' must hold a list of addresses"),
    ({"addresses": {"u1": ["198.51.100.300"]}}, "'198.51.100.300' of 'u1' is not an IP address"),
    ({"boot": "cd"}, "'cd' is not possible here"),
    ({"images": [{"name": "a", "source": "x"}, {"name": "a", "source": "y"}]}, "'a' stands in the list twice"),
    ({"images": [{"name": "a"}]}, "source: is missing"),
])
def test_sources_that_cannot_be_meant(source: dict[str, Any], sentence: str) -> None:
    with pytest.raises(FleetFileError) as caught:
        parse_clouds({"metal": {"provider": "metal", "sources": [{"kind": "redfish", "baseuri": "https://bmc", **source}]}}, "fleet.yml")
    assert sentence in str(caught.value)
