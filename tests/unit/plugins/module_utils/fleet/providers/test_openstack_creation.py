# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One server for an order, whoever stalls, dies or loses an answer at whatever moment."""
from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import CatalogFlavor, CatalogImage, CatalogNetwork
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import parse_clouds
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.actions import MARK, Order
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.base import together
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.openstack import creation
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.openstack.actions import OpenStackActions
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.openstack.spec import SPEC
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.openstack.winner import candidates, winner
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.providers.openstack_reader import Opened, opening
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.providers.openstack_server import Fault

ORDER = Order(
    name="web-1", image=CatalogImage("i1", "Debian 12"), flavor=CatalogFlavor("f1", "m1.small", 1, 512, 10),
    network=CatalogNetwork("n1", "inside"), token="t" * 32, tags={MARK: "web-1", "role": "web"})


class Nova:
    """The writing half of the fake: servers in the order of their POSTs, running when told so."""

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.lock = threading.Lock()
        self.servers = opened.fake.lists["servers"] = []
        self.stamps: list[str] = []
        self.state = "ACTIVE"
        self.made = 0
        opened.fake.page_size = 100
        opened.fake.change = self.change

    def change(self, method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, Any]:
        with self.lock:
            parts = path.removeprefix("/nova/v2.1/").split("/")
            if method == "POST" and parts == ["servers"]:
                return 202, {"server": {"id": self.make(body["server"])["id"]}}
            found = next((row for row in self.servers if row["id"] == parts[1]), None)
            if found is None:
                return 404, {"itemNotFound": {"message": "no such server"}}
            if method == "DELETE" and len(parts) == 2:
                self.servers.remove(found)
                return 204, None
            if method == "PUT" and parts[2] == "metadata":
                found["metadata"].update(body["meta"])
                return 200, body
            return 405, {}

    def make(self, wish: dict[str, Any]) -> dict[str, Any]:
        self.made += 1
        stamp = self.stamps.pop(0) if self.stamps else "2026-05-07T12:00:00Z"
        row = {"id": f"s{self.made}", "name": wish["name"], "status": self.state, "created": stamp, "metadata": dict(wish["metadata"]),
               "flavor": {"original_name": "m1.small"}, "addresses": {}, "image": {"id": "i1"}}
        self.servers.append(row)
        return row

    def ids(self) -> list[str]:
        return [row["id"] for row in self.servers]

    def run(self) -> OpenStackActions:
        """Another run: it shares nothing with the others."""
        cloud = parse_clouds({"dream": {"provider": "openstack"}}, "fleet.yml")[0]
        actions = SPEC.open(cloud, self.opened.run()).actions("RegionOne")
        assert isinstance(actions, OpenStackActions)
        return actions


@pytest.fixture
def nova(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nova]:
    monkeypatch.setattr(creation, "SETTLE", 0.0)
    monkeypatch.setattr(creation, "POLL", 0.01)
    with opening(tmp_path, monkeypatch) as opened:
        yield Nova(opened)


class TestOneRun:
    def test_the_request(self, nova: Nova) -> None:
        assert nova.run().create(dataclasses.replace(ORDER, key_name="k", user_data="#!/bin/sh", zone="z")) == "s1"
        body = nova.opened.fake.changes[0][2]["server"]
        run = body["metadata"].pop("fleet_run")
        assert len(run) == 32
        assert body == {
            "name": "web-1", "flavorRef": "f1", "imageRef": "i1", "networks": [{"uuid": "n1"}], "key_name": "k", "user_data": "IyEvYmluL3No",
            "availability_zone": "z", "metadata": {"fleet_node": "web-1", "role": "web", "fleet_token": "t" * 32}}

    def test_again_is_the_same(self, nova: Nova) -> None:
        actions = nova.run()
        assert [actions.create(ORDER), actions.create(ORDER), nova.run().create(ORDER)] == ["s1"] * 3
        assert actions.confirm(ORDER, "s1") == "s1"
        assert nova.servers[0]["metadata"]["fleet_settled"] == "true"

    @pytest.mark.parametrize("fault", [
        Fault("/servers", status=503, method="POST", after=True, times=1),
        Fault("/servers", status=502, method="POST", after=True, times=1, body=b"<html>"),
        Fault("/servers", status=202, method="POST", after=True, times=1, body={"server": {"id": "s1"}}, cut=True),
        Fault("/servers", status=202, method="POST", after=True, times=1, body={}),
    ])
    def test_an_answer_that_was_lost(self, nova: Nova, fault: Fault) -> None:
        nova.opened.fake.faults = [dataclasses.replace(fault)]
        assert nova.run().create(ORDER) == "s1"
        assert nova.ids() == ["s1"]

    def test_a_request_that_was_not_carried_out_is_sent_again(self, nova: Nova) -> None:
        nova.opened.fake.faults = [Fault("/servers", status=503, method="POST", times=1)]
        assert nova.run().create(ORDER) == "s1"

    def test_throttled(self, nova: Nova) -> None:
        nova.opened.fake.faults = [Fault("/servers", status=429, method="POST", times=2, headers={"Retry-After": "4"})]
        assert nova.run().create(ORDER) == "s1"
        assert nova.opened.waits == [4.0, 4.0]
        assert len(nova.opened.fake.queries("/servers/detail")) == 2, "a refused request needs no look-up"

    def test_for_good(self, nova: Nova) -> None:
        nova.opened.fake.faults = [Fault("/servers", status=503, method="POST")]
        with pytest.raises(FleetError) as failed:
            nova.run().create(ORDER)
        assert failed.value.what == "make node web-1"
        assert nova.servers == []

    def test_a_lost_request_that_is_carried_out_late_is_removed(self, nova: Nova) -> None:
        """The first request shows up when the second one has been sent already."""
        nova.opened.fake.faults = [Fault("/servers", status=504, method="POST", times=1, after=True)]
        hidden: list[dict[str, Any]] = []
        change = nova.change

        def late(method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, Any]:
            answer = change(method, path, body, headers)
            if method == "POST" and nova.made == 1:
                hidden.append(nova.servers.pop())
            return answer

        nova.opened.fake.change = late
        actions = nova.run()
        assert actions.create(ORDER) == "s2"
        nova.servers.extend(hidden)
        assert actions.confirm(ORDER, "s2") == "s1"
        assert nova.ids() == ["s1"]

    def test_a_failed_server_does_not_count(self, nova: Nova) -> None:
        nova.state = "ERROR"
        actions = nova.run()
        assert actions.create(ORDER) == "s1"
        nova.state = "ACTIVE"
        assert actions.create(ORDER) == "s2"

    @pytest.mark.parametrize(("status", "body", "code"), [
        (403, {"forbidden": {"code": 403, "message": "Quota exceeded for cores: Requested 1, but already used 20 of 20 cores"}}, "quota"),
        (403, {"forbidden": {"code": 403, "message": "Maximum number of ports exceeded"}}, "quota"),
        (403, {"forbidden": {"code": 403, "message": "Policy doesn't allow os_compute_api:servers:create to be performed."}}, "denied"),
        (400, {"badRequest": {"code": 400, "message": "Can not find requested image"}}, "image_gone"),
        (400, {"badRequest": {"code": 400, "message": "Image i1 is not active."}}, "image_gone"),
        (400, {"badRequest": {"code": 400, "message": "Flavor f1 could not be found."}}, "refused"),
        (400, {"badRequest": {"code": 400, "message": "Flavor's disk is too small for requested image."}}, "refused"),
        (400, {"badRequest": {"code": 400, "message": "No valid host was found."}}, "capacity"),
        (409, {"conflictingRequest": {"message": "No more IP addresses available on network n1."}}, "address_pool"),
    ])
    def test_refused(self, nova: Nova, status: int, body: Any, code: str) -> None:
        nova.opened.fake.faults = [Fault("/servers", status=status, method="POST", body=body)]
        with pytest.raises(FleetError) as refused:
            nova.run().create(ORDER)
        assert refused.value.code == code
        assert next(iter(body.values()))["message"] in refused.value.why
        assert refused.value.fix
        assert [path for _method, path, _body in nova.opened.fake.changes] == []

    @pytest.mark.parametrize("change", [
        {"name": " web"}, {"name": "x" * 250}, {"tags": {"a/b": "c"}}, {"tags": {"a": "c" * 256}}, {"user_data": "x" * 60000},
        {"image": None}, {"disk_gib": 11}, {"flavor": dataclasses.replace(ORDER.flavor, disk_gib=None)}])
    def test_what_cannot_be_ordered_is_refused_before_anything_is_made(self, nova: Nova, change: dict[str, Any]) -> None:
        with pytest.raises(FleetError) as refused:
            nova.run().create(dataclasses.replace(ORDER, **change))
        assert refused.value.code == "refused"
        assert nova.opened.fake.changes == []

    def test_a_root_volume_goes_with_its_server(self, nova: Nova) -> None:
        nova.opened.fake.services["block-storage"] = "/cinder/v3/p1"
        nova.run().create(dataclasses.replace(ORDER, disk_gib=50))
        body = nova.opened.fake.changes[0][2]["server"]
        assert "imageRef" not in body
        assert body["block_device_mapping_v2"] == [{
            "boot_index": 0, "uuid": "i1", "source_type": "image", "destination_type": "volume", "volume_size": 50,
            "delete_on_termination": True}]


class TestRaces:
    def test_threads(self, nova: Nova) -> None:
        start = threading.Barrier(6)

        def run() -> str:
            actions = nova.run()
            start.wait()
            node = actions.create(ORDER)
            return actions.confirm(ORDER, node)

        answers = together(*[run] * 6)
        assert set(answers) == {nova.ids()[0]}
        assert len(nova.ids()) == 1

    def test_two_servers_in_any_order_of_confirming(self, nova: Nova) -> None:
        for first in (0, 1):
            nova.servers.clear()
            runs = self.racing(nova, 2)
            answers = [runs[number][0].confirm(ORDER, runs[number][1]) for number in ((first, 1 - first))]
            assert set(answers) == {runs[0][1]}
            assert nova.ids() == [runs[0][1]]

    def racing(self, nova: Nova, count: int) -> list[tuple[OpenStackActions, str]]:
        """Runs of which each looked before any other's request."""
        seen = nova.opened.fake.lists
        runs = []
        for _number in range(count):
            actions = nova.run()
            hidden, seen["servers"] = seen["servers"], []
            nova.servers = seen["servers"]
            node = actions.create(ORDER)
            seen["servers"] = nova.servers = [*hidden, *nova.servers]
            runs.append((actions, node))
        return runs

    def test_a_run_that_stalled_between_look_up_and_request(self, nova: Nova) -> None:
        """The other one has finished meanwhile; the late server is removed before it runs, even with a smaller id."""
        fast, slow = nova.run(), nova.run()
        ask = slow._creation._ask

        def stalled(*args: Any) -> str:
            assert fast.confirm(ORDER, fast.create(ORDER)) == "s1"
            nova.state = "BUILD"
            nova.stamps = ["2026-05-07T11:59:59Z"]  # by a clock that goes behind
            return ask(*args)

        slow._creation._ask = stalled  # type: ignore[method-assign]
        assert slow.create(ORDER) == "s1"
        assert nova.made == 2
        assert nova.ids() == ["s1"]

    def test_the_loser_goes_only_when_the_winner_runs(self, nova: Nova) -> None:
        nova.state = "BUILD"
        (_first, one), (second, two) = self.racing(nova, 2)
        nova.servers[1]["status"] = "ACTIVE"
        looks = []

        def sleep(_seconds: float) -> None:
            looks.append(nova.ids())
            if len(looks) == 3:
                nova.servers[0]["status"] = "ACTIVE"

        second._creation._sleep = sleep
        assert second.confirm(ORDER, two) == one
        assert looks == [[one, two]] * 3
        assert nova.ids() == [one]

    def test_the_loser_takes_the_place_of_a_winner_that_fails(self, nova: Nova) -> None:
        nova.state = "BUILD"
        (_first, one), (second, two) = self.racing(nova, 2)
        nova.servers[1]["status"] = "ACTIVE"

        def sleep(_seconds: float) -> None:
            nova.servers[0]["status"] = "ERROR"

        second._creation._sleep = sleep
        assert second.confirm(ORDER, two) == two
        assert one in nova.ids(), "the run that made it removes it"

    def test_nobody_removes_what_another_run_made(self, nova: Nova) -> None:
        (first, one), (_second, two) = self.racing(nova, 2)
        assert first.confirm(ORDER, one) == one
        assert nova.ids() == [one, two]
        assert nova.run().confirm(ORDER, two) == one
        assert nova.ids() == [one, two]

    def test_a_settled_server_is_never_removed(self, nova: Nova) -> None:
        (_first, one), (second, two) = self.racing(nova, 2)
        for row in nova.servers:
            row["metadata"]["fleet_settled"] = "true"
        assert second.confirm(ORDER, two) == one
        assert nova.ids() == [one, two]

    @pytest.mark.parametrize("adopted", [False, True])
    def test_a_server_counts_some_seconds_after_it_was_seen(self, nova: Nova, monkeypatch: pytest.MonkeyPatch, adopted: bool) -> None:
        if adopted:
            nova.run().create(ORDER)
        actions = nova.run()
        node = actions.create(ORDER)
        monkeypatch.setattr(creation, "SETTLE", 3.0)
        waits: list[float] = []
        actions._creation._sleep = waits.append
        assert actions.confirm(ORDER, node) == node
        assert len(waits) == 1
        assert 2.0 < waits[0] <= 3.0
        assert actions.confirm(ORDER, node) == node
        assert len(waits) == 1, "what is settled needs no waiting"


def test_the_rule() -> None:
    def row(number: int, created: str, **metadata: str) -> dict[str, Any]:
        return {"id": f"s{number}", "created": created, "status": "ACTIVE", "metadata": {"fleet_token": "t", **metadata}}

    old, twin, late = row(2, "2026-01-01T00:00:00Z"), row(1, "2026-01-01T00:00:01Z"), row(0, "2026-01-01T00:00:01Z")
    settled = row(9, "2026-01-02T00:00:00Z", fleet_settled="true")
    assert winner([twin, old, late]) is old
    assert winner([twin, late]) is late
    assert winner([old, settled]) is settled
    assert winner([]) is None
    gone = [{**old, "status": "ERROR"}, {**old, "OS-EXT-STS:task_state": "deleting"}, {**old, "metadata": {}},
            {**old, "metadata": {"fleet_token": "u"}}]
    assert candidates([*gone, twin], "t") == [twin]
