# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""All sources of a metal cloud as one: one machine for a name, whichever source has it."""
from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import PARTS
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.collect import Settings
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import Cloud, parse_clouds
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.opened import Opened
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.actions import MARK, Actions, Order
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.base import Run
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.metal.client import Metal
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.metal.every_source import EverySource
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.retry import Patience

FIRST, SECOND = "file a.yml", "file b.yml"


def rack(*names: str) -> dict[str, Any]:
    return {"nodes": [
        {"name": name, "pool": True, "vcpus": 2, "memory_mib": 4096, "image": {"distro": "debian", "version": "12"},
         "interfaces": [{"network": "dmz", "role": "public", "addresses": [f"198.51.100.{10 + number}"]}]}
        for number, name in enumerate(names)]}


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    (tmp_path / "a.yml").write_text(yaml.safe_dump(rack("a1", "a2")), encoding="utf-8")
    (tmp_path / "b.yml").write_text(yaml.safe_dump(rack("b1", "b2")), encoding="utf-8")
    found, = parse_clouds({"metal": {"provider": "metal", "sources": [{"kind": "file", "path": "a.yml"}, {"kind": "file", "path": "b.yml"}]}}, "f")
    return found


Open = Callable[[], Metal]


@pytest.fixture
def opened(cloud: Cloud, tmp_path: Path) -> Open:
    """A run of its own with each call."""
    return lambda: Metal(cloud, Run(Patience.seconds(30, 1), frozenset({"running"}), base_dir=str(tmp_path)))


def order_for(actions: Actions, machine: str, name: str = "web-1") -> Order:
    flavor = next(flavor for flavor in actions.catalog(frozenset(PARTS)).flavors if flavor.name == machine)
    return Order(name=name, image=None, flavor=flavor, network=None, token=f"of {name}", tags={MARK: name})


def bound(provider: Metal) -> dict[str, str | None]:
    """Machine -> node, of all that are bound."""
    return {node.id: node.name for scope in provider.scopes() for node in provider.evidence(scope) if MARK in node.tags}


def test_no_scope_means_all_sources(cloud: Cloud, tmp_path: Path) -> None:
    opened = Opened(cloud, Settings(timeout=30, retries=0, workers=2, states=("running",), base_dir=str(tmp_path)))
    assert opened.first_scope() == ""
    assert list(opened.scopes) == [FIRST, SECOND]
    offer = opened.actions(opened.first_scope()).catalog(frozenset(PARTS))
    assert [flavor.name for flavor in offer.flavors] == ["a1", "a2", "b1", "b2"]
    assert [(network.id, network.reach) for network in offer.networks] == [("dmz", {"ipv4": "public"})]
    assert opened.actions("").catalog(frozenset(["networks"])).flavors == ()


def test_each_request_goes_to_the_source_that_has_the_machine(opened: Open) -> None:
    actions = opened().actions("")
    order = order_for(actions, "b2")
    assert actions.create(order) == "b2"
    assert bound(opened()) == {"b2": "web-1"}
    assert actions.status(["b2", "a1"])["b2"].state == "running"
    assert actions.tag("b2", {"role": "web"}) is True
    assert opened().actions(SECOND).tag("b2", {"role": "web"}) is False
    with pytest.raises(FleetError) as unknown:
        actions.tag("c9", {"role": "web"})
    assert unknown.value.code == "not_found"
    actions.delete("b2")
    assert actions.status(["b2"]) == {}
    assert bound(opened()) == {}
    actions.delete("c9")  # gone already


def test_the_same_name_keeps_its_machine_whatever_is_chosen_now(opened: Open) -> None:
    assert opened().actions("").create(order_for(opened().actions(""), "b1")) == "b1"
    assert opened().actions("").create(order_for(opened().actions(""), "a1")) == "b1"
    assert bound(opened()) == {"b1": "web-1"}


def test_a_killed_run_is_gone_on_with_or_cleaned_up(opened: Open) -> None:
    actions = opened().actions("")
    opened()._source(SECOND).hold(order_for(actions, "b1"))
    assert bound(opened()) == {}  # it does not show, so that the order is sent again
    assert len(actions.leftovers("web-1")) == 1
    assert actions.create(order_for(actions, "a1")) == "b1"
    assert actions.leftovers("web-1") == []
    opened()._source(FIRST).hold(order_for(actions, "a1", "web-2"))
    assert actions.marked("web-") == {"web-1", "web-2"}
    assert len(actions.clean("web-2")) == 1
    assert actions.marked("web-") == {"web-1"}
    assert actions.clean("web-2") == []
    assert bound(opened()) == {"b1": "web-1"}


def test_claims_that_killed_runs_left_in_two_sources_come_down_to_one(opened: Open, cloud: Cloud) -> None:
    provider = opened()
    sources = [provider._source(scope) for scope in provider.scopes()]
    for source, machine in zip(sources, ("a1", "b1"), strict=True):
        source.hold(order_for(source, machine))
    waits: list[float] = []
    assert EverySource(cloud, provider.run, sources, sleep=waits.append).create(order_for(sources[0], "a2")) == "a1"
    assert waits
    assert bound(opened()) == {"a1": "web-1"}
    assert sources[1].held("web-1") is None


def test_who_takes_second_gives_it_back(opened: Open, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run takes a machine of the other source between the first look and the claim."""
    provider = opened()
    first, second = (provider._source(scope) for scope in provider.scopes())
    order = order_for(first, "a1")
    hold = type(first).hold
    other = order_for(second, "b1")

    def late(source: Any, wanted: Order) -> str:
        monkeypatch.setattr(type(first), "hold", hold)
        opened().actions(SECOND).create(other)
        return hold(source, wanted)

    monkeypatch.setattr(type(first), "hold", late)
    every = EverySource(cloud, provider.run, [first, second], sleep=lambda _seconds: None)
    assert every.create(order) == "b1"
    assert bound(opened()) == {"b1": "web-1"}
    assert first.held("web-1") is None


def test_many_runs_race_for_one_name(opened: Open) -> None:
    machines = ("a1", "b1", "a2", "b2")
    orders = [order_for(opened().actions(""), machine) for machine in machines * 2]
    made: list[str] = []
    lost: list[str] = []

    def run(order: Order) -> None:
        try:
            made.append(opened().actions("").create(order))
        except FleetError as failure:
            lost.append(failure.code)

    threads = [threading.Thread(target=run, args=(order,)) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(bound(opened())) == 1
    assert set(made) == set(bound(opened()))
    assert set(lost) <= {"taken"}


def test_an_image_that_a_source_has_not_makes_the_machine_unfit(opened: Open, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = opened()
    source = provider._source(FIRST)

    def gone(_source: Any, order: Order) -> str:
        raise FleetError("bind", why="no such image here", code="image_gone")

    monkeypatch.setattr(type(source), "hold", gone)
    with pytest.raises(FleetError) as failure:
        EverySource(cloud, provider.run, [source]).create(dataclasses.replace(order_for(source, "a1"), user_data=None))
    assert (failure.value.code, failure.value.why) == ("taken", "machine a1: no such image here")
