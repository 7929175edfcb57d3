# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The actions of the provider metal on the lab: machines are bound once, released, and then as they were before."""
from __future__ import annotations

import dataclasses
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet import ending, making
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import PARTS
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.collect import Settings, collect
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import Cloud, parse_clouds
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.opened import Opened
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.outcomes import Making
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.actions import MARK, Actions, Order
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.requirement import parse
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import STATES, Node

from .conftest import described

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAabQkGZ9m1Zf0T1rcpB3bq1dVDJ1oPmJrYl0sWm1zPk node key"
RESOURCE_CLASS = "mtl"
ENROLLED = {"mtl-u01": "192.0.2.231", "mtl-u02": "192.0.2.232"}
RACK = {
    "site": "acts",
    "defaults": {"login_user": "root", "arch": "x86_64"},
    "nodes": [
        {"name": "mtl-a", "id": "A-1", "pool": True, "vcpus": 4, "memory_mib": 8192, "disk_gib": 100, "image": {"distro": "debian", "version": "12"},
         "interfaces": [{"network": "dmz", "role": "public", "addresses": ["198.51.100.201"]},
                        {"network": "rack", "role": "private", "addresses": ["10.99.0.1"]}]},
        {"name": "mtl-b", "id": "B-1", "pool": True, "vcpus": 8, "memory_mib": 16384, "image": {"distro": "ubuntu", "version": "24.04"},
         "interfaces": [{"network": "dmz", "role": "public", "addresses": ["198.51.100.202"]}]},
        {"name": "mtl-db", "vcpus": 4, "interfaces": [{"network": "dmz", "role": "public", "addresses": ["198.51.100.203"]}]},
        {"name": "mtl-off", "pool": True, "state": "stopped", "interfaces": [{"network": "dmz", "role": "public", "addresses": ["198.51.100.204"]}]},
    ]}
IMAGES = [{"name": "debian-12", "distro": "debian", "version": "12", "source": "http://127.0.0.1/image.raw", "checksum": "0" * 32,
           "login_user": "debian"}]


class Ironic:
    """The lab's Ironic behind the collection's back."""

    def __init__(self) -> None:
        text = Path(os.environ["OS_CLIENT_CONFIG_FILE"]).read_text(encoding="utf-8")
        self.base = yaml.safe_load(text)["clouds"]["bifrost"]["baremetal_endpoint_override"].rstrip("/") + "/v1"
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"X-OpenStack-Ironic-API-Version": "latest", "Content-Type": "application/json", "Accept": "application/json"}
        for _attempt in range(40):
            request = urllib.request.Request(self.base + path, None if body is None else json.dumps(body).encode(), headers, method=method)
            try:
                with self.opener.open(request) as answer:
                    text = answer.read()
                    return json.loads(text) if text else {}
            except urllib.error.HTTPError as refusal:
                if refusal.code != 409:
                    raise
                time.sleep(0.25)
        raise AssertionError(f"{path} stays locked")

    def until(self, name: str, state: str) -> None:
        for _attempt in range(120):
            if self("GET", f"/nodes/{name}")["provision_state"] == state:
                return
            time.sleep(0.25)
        raise AssertionError(f"{name} does not become {state}")

    def picture(self) -> list[Any]:
        """What bound nodes could leave behind."""
        nodes = [self("GET", f"/nodes/{name}") for name in ENROLLED]
        kept = ("name", "provision_state", "extra", "instance_info", "allocation_uuid", "instance_uuid", "maintenance")
        for node in nodes:
            node["instance_info"].pop("traits", None)  # Ironic's own, of an allocation that has ended
        return [[{key: node[key] for key in kept} for node in nodes], self("GET", "/allocations")["allocations"]]


@pytest.fixture(scope="module")
def ironic() -> Iterator[Ironic]:
    """Two machines of our own, free, in the lab's Ironic."""
    api = Ironic()
    _unenroll(api)
    for number, (name, ip) in enumerate(ENROLLED.items(), start=1):
        node = api("POST", "/nodes", {
            "name": name, "driver": "fake-hardware", "resource_class": RESOURCE_CLASS, "extra": {"rack": "acts"},
            "properties": {"cpus": 4 * number, "memory_mb": 8192 * number, "local_gb": 100, "cpu_arch": "x86_64"}})
        api("POST", "/ports", {"node_uuid": node["uuid"], "address": f"52:54:00:98:00:0{number}", "physical_network": "dmz", "extra": {"ip": ip}})
        api("PUT", f"/nodes/{name}/states/provision", {"target": "manage"})
        api.until(name, "manageable")
        api("PUT", f"/nodes/{name}/states/power", {"target": "power off"})
        api("PUT", f"/nodes/{name}/states/provision", {"target": "provide"})
        api.until(name, "available")
    yield api
    _unenroll(api)


def _unenroll(api: Ironic) -> None:
    for name in ENROLLED:
        try:
            node = api("GET", f"/nodes/{name}")
        except urllib.error.HTTPError:
            continue
        if node["provision_state"] in ("active", "deploy failed", "error"):
            api("PUT", f"/nodes/{name}/states/provision", {"target": "deleted"})
            api.until(name, "available")
        elif node["allocation_uuid"]:
            api("DELETE", f"/allocations/{node['allocation_uuid']}")
        api("DELETE", f"/nodes/{name}")


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    (tmp_path / "acts.yml").write_text(yaml.safe_dump(RACK), encoding="utf-8")
    board = next(source for source in described("metal")["sources"] if source["kind"] == "redfish")
    parsed, = parse_clouds({"metal": {"provider": "metal", "sources": [
        {"kind": "file", "path": "acts.yml"},
        {"kind": "ironic", "cloud": "bifrost", "images": IMAGES},
        {**board, "pool": ["r43-u02", "r43-u03"], "addresses": {"r43-u03": ["192.0.2.213"], "r43-u02": ["192.0.2.204"]},
         "reservations": "bmc.yml"},
    ]}}, "fleet.yml")
    return parsed


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(timeout=120, retries=8, workers=4, states=STATES, base_dir=str(tmp_path), environ=os.environ)


@pytest.fixture
def scopes(cloud: Cloud, settings: Settings) -> list[str]:
    return list(Opened(cloud, settings).scopes)


Open = Callable[[str], Actions]


@pytest.fixture
def fresh(cloud: Cloud, settings: Settings) -> Open:
    """The actions of the source of that kind, as another process would open them."""
    def opened(kind: str) -> Actions:
        found = Opened(cloud, settings)
        return found.actions(next(scope for scope in found.scopes if scope.startswith(kind)))

    return opened


@pytest.fixture
def nodes(cloud: Cloud, settings: Settings) -> Callable[[], list[Node]]:
    def read() -> list[Node]:
        answers = collect([cloud], settings)
        for answer in answers:
            if answer.failure:
                raise answer.failure.error
        return [node for answer in answers for node in answer.nodes]

    return read


def order(actions: Actions, machine: str, name: str = "mtl-web", **keys: Any) -> Order:
    offer = actions.catalog(frozenset(PARTS))
    flavor = next(flavor for flavor in offer.flavors if flavor.name == machine)
    image = offer.images[0] if offer.images else None
    return Order(name=name, image=image, flavor=flavor, network=flavor.networks[0], token=f"token-of-{name}", reachable="public",
                 public_key=KEY, tags={"role": "web"}, **keys)


def wait(actions: Actions, node_id: str, state: str | None, seconds: float = 60) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        status = actions.status([node_id]).get(node_id)
        if (status.state if status else None) == state:
            return
        time.sleep(0.3)
    raise AssertionError(f"{node_id} is {status}, wanted {state}")


# ------------------------------------------------------------------------------------------------- rack file
def test_the_offer_of_a_rack_file(fresh: Open) -> None:
    offer = fresh("file").catalog(frozenset(PARTS))
    told = {flavor.name: (flavor.vcpus, flavor.memory_mib, flavor.disk_gib, bool(flavor.why_not)) for flavor in offer.flavors}
    assert told == {
        "mtl-a": (4, 8192, 100, False), "mtl-b": (8, 16384, None, False), "mtl-db": (4, None, None, True), "mtl-off": (None, None, None, True)}
    first = offer.flavors[0]
    assert [(network.name, dict(network.reach), dict(network.how)) for network in first.networks] == [
        ("dmz", {"ipv4": "public"}, {"ipv4": "direct"}), ("rack", {"ipv4": "private"}, {"ipv4": "direct"})]
    assert first.image is not None
    assert (first.image.distro, first.image.version) == ("debian", "12")


def test_a_machine_of_a_rack_file_is_bound_once_and_released(fresh: Open, nodes: Callable[[], list[Node]], tmp_path: Path) -> None:
    before = nodes()
    wanted = order(fresh("file"), "mtl-a")
    with ThreadPoolExecutor(4) as pool:
        ids = set(pool.map(lambda _number: fresh("file").create(wanted), range(8)))
    assert ids == {"A-1"}
    node, = [node for node in nodes() if node.name == "mtl-web"]
    assert (node.id, node.state, node.public_ip, node.login_user) == ("A-1", "running", "198.51.100.201", "root")
    assert {"role": "web", MARK: "mtl-web", "machine": "mtl-a"}.items() <= node.tags.items()
    actions = fresh("file")
    assert actions.catalog(frozenset(PARTS)).flavors[0].why_not == "reserved for node mtl-web"
    assert actions.publish(wanted, "A-1") is None
    assert actions.confirm(wanted, "A-1") == "A-1"
    with pytest.raises(FleetError) as caught:
        actions.create(dataclasses.replace(wanted, name="mtl-other", token="another"))
    assert caught.value.code == "taken"
    assert actions.tag("A-1", {"role": "db", "fleet_login_user": "ops"})
    assert not actions.tag("A-1", {"role": "db"})
    assert next(node for node in nodes() if node.id == "A-1").login_user == "ops"
    assert actions.leftovers("mtl-web") == []
    actions.delete("A-1")
    actions.delete("A-1")
    assert actions.status(["A-1"]) == {}
    assert actions.clean("mtl-web") == []
    assert nodes() == before


def test_two_names_race_for_one_machine_of_a_rack_file(fresh: Open) -> None:
    orders = [order(fresh("file"), "mtl-a", f"mtl-web-{number}") for number in range(6)]

    def create(wanted: Order) -> str:
        try:
            return fresh("file").create(wanted)
        except FleetError as failure:
            return failure.code

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(create, orders)) == ["A-1", *["taken"] * 5]


# ------------------------------------------------------------------------------------------------- Ironic
def test_the_offer_of_an_ironic(fresh: Open, ironic: Ironic) -> None:
    offer = fresh("ironic").catalog(frozenset(PARTS))
    told = {flavor.name: flavor for flavor in offer.flavors}
    first = told["mtl-u01"]
    assert (first.vcpus, first.memory_mib, first.disk_gib, first.arch, first.why_not) == (4, 8192, 100, "x86_64", "")
    assert [(network.name, dict(network.reach)) for network in first.networks] == [("dmz", {"ipv4": "public"})]
    assert told["r1-u01"].why_not == "state active"
    assert told["r1-u05"].why_not.startswith("in maintenance: fan 2 fails")
    assert [(image.name, image.distro, image.version) for image in offer.images] == [("debian-12", "debian", "12")]


def test_a_machine_of_ironic_from_binding_to_release(fresh: Open, ironic: Ironic, nodes: Callable[[], list[Node]]) -> None:
    before = ironic.picture()
    actions = fresh("ironic")
    wanted = order(actions, "mtl-u01", user_data="#cloud-config\n{}\n")
    node_id = actions.create(wanted)
    assert fresh("ironic").create(wanted) == node_id
    wait(actions, node_id, "running")
    assert actions.confirm(wanted, node_id) == node_id
    assert actions.publish(wanted, node_id) is None
    assert actions.leftovers("mtl-web") == []
    node, = [node for node in nodes() if node.name == "mtl-web"]
    assert (node.id, node.public_ip, node.login_user, node.image.distro) == (node_id, "192.0.2.231", "debian", "debian")
    assert {"role": "web", MARK: "mtl-web", "machine": "mtl-u01", "rack": "acts"}.items() <= node.tags.items()
    assert actions.node_keys(node_id) == (KEY,)
    assert actions.remove_node_key(node_id, KEY)
    assert not actions.remove_node_key(node_id, KEY)
    assert actions.node_keys(node_id) == ()
    assert "configdrive" not in ironic("GET", f"/nodes/{node_id}")["instance_info"]
    assert actions.tag(node_id, {"role": None, "a/b~c": "x"})
    assert not actions.tag(node_id, {"role": None, "a/b~c": "x"})
    tags = next(node for node in nodes() if node.id == node_id).tags
    assert "role" not in tags
    assert tags["a/b~c"] == "x"
    assert actions.power(node_id, "stop")
    wait(actions, node_id, "stopped")
    assert not actions.power(node_id, "stop")
    with pytest.raises(FleetError, match="switched off"):
        actions.power(node_id, "reboot")
    assert actions.power(node_id, "start")
    wait(actions, node_id, "running")
    assert not actions.power(node_id, "start")
    assert actions.power(node_id, "reboot")
    wait(actions, node_id, "running")
    actions.delete(node_id)
    wait(actions, node_id, None)
    actions.delete(node_id)
    assert actions.leftovers("mtl-web") == ["notes on machine mtl-u01"]
    assert actions.marked("mtl-") == {"mtl-web"}
    assert "mtl-web" not in [node.name for node in nodes()]
    assert fresh("ironic").clean("mtl-web") == ["notes on machine mtl-u01"]
    assert fresh("ironic").clean("mtl-web") == []
    assert ironic.picture() == before


def test_runs_race_in_ironic(fresh: Open, ironic: Ironic) -> None:
    before = ironic.picture()
    same = order(fresh("ironic"), "mtl-u01")
    with ThreadPoolExecutor(4) as pool:
        ids = set(pool.map(lambda _number: fresh("ironic").create(same), range(4)))
    assert len(ids) == 1
    node_id, = ids

    def create(name: str) -> str:
        try:
            return fresh("ironic").create(order(fresh("ironic"), "mtl-u02", name))
        except FleetError as failure:
            return failure.code

    with ThreadPoolExecutor(3) as pool:
        answers = sorted(pool.map(create, ("mtl-1", "mtl-2", "mtl-3")))
    assert answers.count("taken") == 2
    second = next(answer for answer in answers if answer != "taken")
    actions = fresh("ironic")
    for machine in (node_id, second):
        wait(actions, machine, "running")
        actions.delete(machine)
        wait(actions, machine, None)
    for name in ("mtl-web", "mtl-1", "mtl-2", "mtl-3"):
        actions.clean(name)
    assert ironic.picture() == before


class Killed(BaseException):
    """The end of the process."""


def killed_at(actions: Any, step: int, *, carried_out: bool) -> None:
    """Let the process end at the step-th request that changes something, before or after it is carried out."""
    api = actions._calls._api
    send, done = api.send, [0]

    def sending(method: str, path: str, body: Any = None, **keys: Any) -> Any:
        if method == "GET":
            return send(method, path, body, **keys)
        done[0] += 1
        if done[0] == step and not carried_out:
            raise Killed
        answer = send(method, path, body, **keys)
        if done[0] == step:
            raise Killed
        return answer

    api.send = sending


@pytest.mark.parametrize("carried_out", [False, True])
@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("mend", ["again", "clean"])
def test_a_run_killed_while_it_binds_in_ironic(
    fresh: Open, ironic: Ironic, nodes: Callable[[], list[Node]], step: int, carried_out: bool, mend: str
) -> None:
    before = ironic.picture()
    wanted = order(fresh("ironic"), "mtl-u01")
    victim = fresh("ironic")
    killed_at(victim, step, carried_out=carried_out)
    with pytest.raises(Killed):
        victim.create(wanted)
    actions = fresh("ironic")
    deployed = (step, carried_out) == (3, True)
    if mend == "again" or deployed:
        assert [node.name for node in nodes()].count("mtl-web") == int(deployed)
        other = dataclasses.replace(wanted, flavor=next(flavor for flavor in actions.catalog(frozenset(PARTS)).flavors if flavor.name == "mtl-u02"))
        again = other if (step, carried_out) != (1, False) else wanted  # whatever is chosen now, what was taken stays
        node_id = actions.create(again)
        assert node_id == wanted.flavor.id
        wait(actions, node_id, "running")
        actions.delete(node_id)
        wait(actions, node_id, None)
    actions.clean("mtl-web")
    assert actions.leftovers("mtl-web") == []
    assert ironic.picture() == before


# ------------------------------------------------------------------------------------------------- Redfish
def test_a_machine_behind_redfish(fresh: Open, nodes: Callable[[], list[Node]]) -> None:
    def powers() -> dict[str, str]:
        return {node.tags["serial_number"]: node.state for node in nodes() if "serial_number" in node.tags}

    before = powers()
    actions = fresh("redfish")
    why_not = {flavor.name: bool(flavor.why_not) for flavor in actions.catalog(frozenset(PARTS)).flavors}
    assert why_not == {"r43-u01": True, "r43-u02": False, "r43-u03": False, "r43-u04": True}
    wanted = order(actions, "r43-u03")
    with ThreadPoolExecutor(3) as pool:
        assert set(pool.map(lambda _number: fresh("redfish").create(wanted), range(3))) == {"43000000-0000-4000-8000-000000000003"}
    node_id = wanted.flavor.id
    assert actions.status([node_id])[node_id].state in ("pending", "running")
    wait(actions, node_id, "running")
    node, = [node for node in nodes() if node.name == "mtl-web"]
    assert (node.id, node.public_ip, node.tags["machine"]) == (node_id, "192.0.2.213", "r43-u03")
    assert actions.power(node_id, "stop")
    wait(actions, node_id, "stopped")
    assert actions.power(node_id, "start")
    wait(actions, node_id, "running")
    assert not actions.power(node_id, "start")
    actions.delete(node_id)
    assert actions.status([node_id]) == {}
    assert actions.clean("mtl-web") == []
    ends = time.monotonic() + 60
    while powers() != before and time.monotonic() < ends:
        time.sleep(0.5)
    assert powers() == before


# ------------------------------------------------------------------------------------------------- all together
def test_requirements_that_name_no_source(
    cloud: Cloud, settings: Settings, ironic: Ironic, nodes: Callable[[], list[Node]], scopes: list[str]
) -> None:
    before, noted = nodes(), ironic.picture()
    made = Making(timeout=120, workers=4, settings=settings)
    wishes = [parse({"name": f"mtl-{number}", "flavor": {"vcpus": 4}, "image": {"distro": "debian"}}, "test") for number in (1, 2, 3)]
    outcomes = making.present(cloud, wishes, made)
    assert [outcome.failure for outcome in outcomes] == [None] * 3
    ids = [outcome.node.id for outcome in outcomes if outcome.node]
    assert len(set(ids)) == 3
    again = making.present(cloud, wishes, made)
    assert [(outcome.changed, outcome.failure) for outcome in again] == [(False, None)] * 3
    gone = ending.absent(cloud, [wish.name for wish in wishes], [], made)
    assert [outcome.failure for outcome in gone] == [None] * 3
    assert all(outcome.changed for outcome in gone)
    assert ironic.picture() == noted
    assert [(node.id, node.name, dict(node.tags)) for node in nodes()] == [(node.id, node.name, dict(node.tags)) for node in before]
