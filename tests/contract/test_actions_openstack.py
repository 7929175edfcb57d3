# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Nodes made and ended on the lab's OpenStack clouds, through the same actions as the modules: one node for each order
whatever happens, and nothing left afterwards."""
from __future__ import annotations

import dataclasses
import os
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import PARTS, Catalog
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import parse_clouds
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.actions import MARK, Order, SecurityRule
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.base import Run, together
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.openstack.actions import OpenStackActions
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.openstack.client import Access
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.registry import PROVIDERS
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.retry import Patience
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import STATES

from .conftest import described

OPENSTACK = ("floating", "provider", "misleading", "dualstack", "multinic", "company")
PREFIX = "act-"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHUfUIVOO4h0mGWlGpzhBnxvJHFBcZ7dFEKlcbcZ1Xyz lab"

NETWORKS: dict[str, dict[str, Any]] = {
    "floating": {"public": None, "private-network": {"ipv4": ("floating", "floating"), "ipv6": ("public", "direct")}},
    "provider": {"Ext-Net": {"ipv4": ("public", "direct"), "ipv6": ("public", "direct")}, "vrack": {"ipv4": ("private", "none")}},
    "misleading": {"external": None, "private": {"ipv4": ("public", "direct")}, "public": {"ipv4": ("private", "none")}},
    "dualstack": {
        "GATEWAY_NET": {"ipv4": ("public", "direct")}, "GATEWAY_NET_V6": {"ipv6": ("public", "direct")},
        "dual": {"ipv4": ("public", "direct"), "ipv6": ("public", "direct")}, "only-v6": {"ipv6": ("public", "direct")}},
    "multinic": {
        "uplink": None, "lan": {"ipv4": ("public", "direct")}, "internet": {"ipv4": ("private", "none")},
        "wan": {"ipv4": ("private", "none"), "ipv6": ("private", "none")}, "storage": {"ipv4": ("floating", "floating")}},
    "company": {
        "corp-lan": None, "corp-direct": {"ipv4": ("external", "direct")}, "app": {"ipv4": ("external", "floating")}},
}
"""Cloud -> network -> family -> role and way, as the lab's layout makes true; None: nodes cannot be attached."""


@pytest.fixture(scope="module")
def opened() -> Callable[[str], OpenStackActions]:
    """Actions of one cloud, a new one each time: runs know nothing of each other."""

    def actions(name: str) -> OpenStackActions:
        cloud = parse_clouds({name: described(name)}, "fleet.yml")[0]
        provider = PROVIDERS["openstack"].open(cloud, Run(Patience.seconds(240, 3), frozenset(STATES), environ=os.environ))
        found = provider.actions(provider.scopes()[0])
        assert isinstance(found, OpenStackActions)
        return found

    return actions


Opened = Callable[[str], OpenStackActions]


def everything(actions: OpenStackActions) -> dict[str, list[str]]:
    """Ids of all that the API lists for the project, but for what carries the mark of a node that no test here has made:
    others may use the lab at the same time."""
    listing = actions._offers.listing
    ports, groups, addresses = (
        listing("network", f"/{key.replace('_', '-')}", key, {}) for key in ("ports", "security_groups", "floatingips"))
    servers = listing("compute", "/servers/detail", "servers", {})
    others = {row["id"] for row in servers if not row["metadata"].get(MARK, PREFIX).startswith(PREFIX)}

    def ours(rows: list[dict[str, Any]]) -> list[str]:
        return sorted(
            row["id"] for row in rows
            if not {row["id"], row.get("device_id")} & others
            and (row.get("description") or "").removeprefix(f"{MARK}=").startswith(PREFIX) == (row.get("description") or "").startswith(f"{MARK}="))

    keys = [row["keypair"]["name"] for row in listing("compute", "/os-keypairs", "keypairs", {})]
    return {"servers": ours(servers), "ports": ours(ports), "addresses": ours(addresses), "groups": ours(groups),
            "keys": [key for key in keys if key.startswith(PREFIX)]}


def order_for(catalog: Catalog, network: str, **changes: Any) -> Order:
    name = f"{PREFIX}{uuid.uuid4().hex[:8]}"
    image = sorted(catalog.images, key=lambda row: row.name)[0]
    flavor = next(row for row in catalog.flavors if row.name == "m1.tiny")
    order = Order(
        name=name, image=image, flavor=flavor, network=next(row for row in catalog.networks if row.name == network),
        token=uuid.uuid4().hex, tags={MARK: name, "role": "web"})
    return dataclasses.replace(order, **changes)


def wait_running(actions: OpenStackActions, node_id: str) -> None:
    ends = time.monotonic() + 120
    while True:
        status = actions.status([node_id])[node_id]
        assert status.state in ("pending", "running"), status
        if status.state == "running":
            return
        assert time.monotonic() < ends
        time.sleep(1)


def wait_gone(actions: OpenStackActions, ids: list[str]) -> None:
    ends = time.monotonic() + 120
    while actions.status(ids):
        assert time.monotonic() < ends
        time.sleep(1)


@pytest.fixture
def clean(opened: Opened) -> Iterator[Callable[[str, Order], Order]]:
    """Ends what a test ordered, and checks that the API then lists what it listed before."""
    orders: list[tuple[OpenStackActions, Order, dict[str, list[str]]]] = []

    def noted(cloud: str, order: Order) -> Order:
        actions = opened(cloud)
        orders.append((actions, order, everything(actions)))
        return order

    yield noted
    for actions, order, before in orders:
        ids = [str(row["id"]) for row in actions._offers.listing("compute", "/servers/detail", "servers", {})
               if row["metadata"].get(MARK) == order.name]
        for node in ids:
            actions.delete(node)
        wait_gone(actions, ids)
        actions.clean(order.name)
        assert actions.leftovers(order.name) == []
        assert actions.clean(order.name) == []
        ends = time.monotonic() + 30
        while everything(actions) != before and time.monotonic() < ends:
            time.sleep(1)  # Nova ends the port of a server that was still being built a little later
        assert everything(actions) == before


@pytest.fixture
def free_address(opened: Opened) -> Iterator[dict[str, Any]]:
    """A floating IP that somebody else has allocated and does not use."""
    actions = opened("floating")
    pool, *_others = [row["id"] for row in actions._offers.listing("network", "/networks", "networks", {"name": "public"})]
    _status, told = actions._region.send("POST", "network", "/floatingips", {"floatingip": {"floating_network_id": pool}}, what="allocate")
    yield told["floatingip"]
    actions._region.send("DELETE", "network", f"/floatingips/{told['floatingip']['id']}", what="release")


@pytest.mark.parametrize("cloud", OPENSTACK)
def test_catalog_is_what_the_layout_makes_true(opened: Opened, cloud: str) -> None:
    catalog = opened(cloud).catalog(frozenset(PARTS))
    told = {network.name: {family: (network.reach[family], network.how[family]) for family in network.reach} if network.usable else None
            for network in catalog.networks}
    assert told == NETWORKS[cloud]
    assert all(network.why_not for network in catalog.networks if not network.usable)
    assert {flavor.name: (flavor.vcpus, flavor.memory_mib, flavor.disk_gib) for flavor in catalog.flavors} == {
        "m1.tiny": (1, 512, 1), "m1.small": (1, 2048, 20), "c5.large": (2, 4096, 40), "x9.oversized": (100_000, 4096, 40)}
    assert all(image.usable for image in catalog.images)
    assert [(zone.name, zone.usable) for zone in catalog.zones] == [("nova", True)]


@pytest.mark.parametrize(("cloud", "network"), [
    ("floating", "private-network"), ("provider", "Ext-Net"), ("misleading", "private"), ("dualstack", "dual"), ("multinic", "storage"),
    ("company", "app")])
def test_from_order_to_end(opened: Opened, clean: Callable[[str, Order], Order], cloud: str, network: str) -> None:
    actions = opened(cloud)
    key = f"{PREFIX}{uuid.uuid4().hex[:8]}"
    rules = (SecurityRule(22, 22, "tcp", ("198.51.100.0/24", "2001:db8::/64")), SecurityRule(None, None, "icmp", ("0.0.0.0/0", "::/0")))
    order = clean(cloud, order_for(
        actions.catalog(frozenset(PARTS)), network, reachable="public", key_name=key, rules=rules, user_data="#cloud-config\n"))
    actions.add_key(key, KEY)
    try:
        actions.add_key(key, KEY + "-again")
        with pytest.raises(FleetError) as refused:
            actions.add_key(key, KEY.replace("AAAAIH", "AAAAIG"))
        assert refused.value.code == "key_differs"
        node = actions.create(order)
        assert actions.create(order) == node
        assert opened(cloud).create(order) == node
        wait_running(actions, node)
        assert actions.confirm(order, node) == node
        word = actions.publish(order, node)
        assert (word is not None) == (order.network is not None and order.network.how["ipv4"] == "floating")
        assert actions.publish(order, node) is None
        assert actions.create(order) == node
        mesh = (SecurityRule(51820, 51820, "udp", ("203.0.113.9/32",)), rules[1])
        if actions.leftovers(order.name)[-1:] == [f"security group fleet-{order.name}"]:
            told = ["lets in udp 51820 from 203.0.113.9/32"]
            assert actions.bring_rules(order.name, node, "mesh", mesh, check=True) == actions.bring_rules(order.name, node, "mesh", mesh) == told
            assert actions.bring_rules(order.name, node, "mesh", mesh) == actions.bring_rules(order.name, node, "cluster", ()) == []
            assert actions.bring_rules(order.name, node, "mesh", ()) == [f"no longer {told[0]}"]
        assert not actions.power(node, "start")
        assert actions.power(node, "stop")
        ends = time.monotonic() + 60
        while actions.status([node])[node].state != "stopped":
            assert time.monotonic() < ends
            time.sleep(0.5)
        assert not actions.power(node, "stop")
        assert actions.power(node, "start")
        wait_running(actions, node)
        assert actions.tag(node, {"role": "db", "env": "lab"})
        assert not actions.tag(node, {"role": "db", "env": "lab"})
        assert actions.tag(node, {"env": None})
        assert not actions.tag(node, {"env": None})
        actions.delete(node)
        wait_gone(actions, [node])
        actions.delete(node)
        assert len(actions.leftovers(order.name)) == (2 if word and word.startswith("allocated") else 1)
        assert actions.marked(order.name) == {order.name}
        assert actions.marked(key) == {key}
    finally:
        assert actions.remove_key(key)
    assert not actions.remove_key(key)


@pytest.mark.parametrize("runs", [2, 4])
def test_runs_that_race_agree_on_one(opened: Opened, clean: Callable[[str, Order], Order], runs: int) -> None:
    first = opened("provider")
    order = clean("provider", order_for(
        first.catalog(frozenset(PARTS)), "Ext-Net", rules=(SecurityRule(22, 22, "tcp", ("0.0.0.0/0",)),)))

    def run() -> str:
        actions = opened("provider")
        node = actions.create(order)
        wait_running(actions, node)
        return actions.confirm(order, node)

    answers = together(*[run] * runs)
    assert len(set(answers)) == 1, answers
    ends = time.monotonic() + 60
    while len(first._creation.of_order(order)) > 1:
        assert time.monotonic() < ends
        time.sleep(1)
    assert first._creation.of_order(order)[0]["id"] == answers[0]


def test_an_answer_that_was_lost(opened: Opened, clean: Callable[[str, Order], Order], monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection breaks after the server has been made."""
    actions = opened("provider")
    order = clean("provider", order_for(actions.catalog(frozenset(PARTS)), "Ext-Net"))
    fetch = Access.fetch
    made = []

    def broken(self: Access, url: str, *args: Any, **kwargs: Any) -> Any:
        answer = fetch(self, url, *args, **kwargs)
        if kwargs.get("method") == "POST" and url.endswith("/servers"):
            made.append(answer.json()["server"]["id"])
            raise FleetError("make node", why="the connection broke", code="unreachable", transient=True)
        return answer

    monkeypatch.setattr(Access, "fetch", broken)
    assert [actions.create(order)] == made


def test_a_free_address_is_reused_and_not_released(opened: Opened, free_address: dict[str, Any], clean: Callable[[str, Order], Order]) -> None:
    actions = opened("floating")
    order = clean("floating", order_for(actions.catalog(frozenset(PARTS)), "private-network", reachable="public"))
    node = actions.create(order)
    wait_running(actions, node)
    assert free_address["floating_ip_address"] in str(actions.publish(order, node))
    assert actions.leftovers(order.name) == []
    actions.delete(node)
    wait_gone(actions, [node])
    assert actions.clean(order.name) == []
    assert free_address["id"] in everything(actions)["addresses"]


def test_an_image_that_is_gone_and_a_flavor_that_never_was(opened: Opened, clean: Callable[[str, Order], Order]) -> None:
    actions = opened("company")
    order = clean("company", order_for(actions.catalog(frozenset(PARTS)), "app"))
    assert order.image is not None
    for change, code in (({"image": dataclasses.replace(order.image, id=str(uuid.uuid4()))}, "image_gone"),
                         ({"flavor": dataclasses.replace(order.flavor, id="nosuch")}, "refused"),
                         ({"zone": "nowhere"}, "refused"), ({"key_name": "nosuch"}, "refused"),
                         ({"disk_gib": 100}, "refused"), ({"tags": {"a/b": "x"}}, "refused")):
        with pytest.raises(FleetError) as refused:
            actions.create(dataclasses.replace(order, **change))
        assert refused.value.code == code, (change, str(refused.value))
        assert refused.value.why
        assert refused.value.fix


def test_a_node_in_error_tells_why_and_goes(opened: Opened, clean: Callable[[str, Order], Order]) -> None:
    actions = opened("floating")
    order = clean("floating", order_for(actions.catalog(frozenset(PARTS)), "public"))
    node = actions.create(order)
    ends = time.monotonic() + 120
    while (status := actions.status([node])[node]).state != "error":
        assert time.monotonic() < ends
        time.sleep(1)
    assert status.fault
    assert actions.create(order) != node, "a failed node does not count"
