# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A cloud in memory for the tests of the engine that makes nodes: slow to tell, full, lossy, or killed at any call.

Time is the world's own: whoever sleeps moves it on, so that a test waits for nothing. What a call does is done under one lock,
as a cloud's data base would.
"""
from __future__ import annotations

import dataclasses
import itertools
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import (
    Catalog,
    CatalogFlavor,
    CatalogImage,
    CatalogNetwork,
    CatalogZone,
)
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.collect import Settings
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import Cloud, Filters
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.network_role import NO_OPERATOR
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.options import Option
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.outcomes import Making
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.actions import (
    MARK,
    Actions,
    Order,
    SecurityRule,
    Status,
    StoredKey,
    key_mark,
)
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.base import Provider, ProviderSpec, Run
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.registry import PROVIDERS
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.requirement import Requirement, parse
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import (
    AddressEvidence,
    Image,
    InterfaceEvidence,
    LoginEvidence,
    NodeEvidence,
)

READING = frozenset({"catalog", "status", "leftovers", "marked", "find_key", "node_keys", "host_keys"})


class Killed(BaseException):
    """The controller's process has ended here."""


@dataclasses.dataclass
class Machine:
    """A node in the store. ends: clock at which a node that is being deleted is gone; looks: listings left that miss it."""

    id: str
    name: str
    scope: str
    network: CatalogNetwork | None
    flavor: str
    tags: dict[str, str]
    token: str = ""
    runs_at: float = 0.0
    fault: str = ""
    power: str = "running"
    zone: str | None = None
    ends: float | None = None
    looks: int = 0
    shows_address_at: float = 0.0
    keys: list[str] = dataclasses.field(default_factory=list)
    rules: dict[str, tuple[SecurityRule, ...]] = dataclasses.field(default_factory=dict)
    families: tuple[str, ...] = ("ipv4",)


@dataclasses.dataclass
class FloatingAddress:
    """A public address of the pool. mark: the node it was allocated for, None for one that was there before."""

    ip: str
    scope: str
    mark: str | None = None
    node: str | None = None


def image(name: str = "debian-12", **more: Any) -> CatalogImage:
    known = {"id": f"img-{name}", "distro": "debian", "version": "12", "arch": "x86_64", "public": True, "created": "2026-01-01T00:00:00Z"}
    return CatalogImage(name=name, **{**known, "login": LoginEvidence(image_properties={"image_original_user": "debian"}), **more})


def flavor(name: str = "small", vcpus: int | None = 1, memory_mib: int | None = 1024, disk_gib: int | None = 10, **more: Any) -> CatalogFlavor:
    known = {"id": f"f-{name}", "vcpus": vcpus, "memory_mib": memory_mib, "disk_gib": disk_gib, "arch": "x86_64"}
    return CatalogFlavor(name=name, **{**known, **more})


def network(name: str, role: str = "public", how: str = "direct", **more: Any) -> CatalogNetwork:
    known = {"id": f"net-{name}", "reach": {"ipv4": role}, "how": {"ipv4": how}, "why": {"ipv4": f"{name} is {role}"}}
    return CatalogNetwork(name=name, **{**known, **more})


def dual(name: str, ipv4: tuple[str, str] | None, ipv6: tuple[str, str] | None, **more: Any) -> CatalogNetwork:
    """A network of two families, each as (role, how); None for one that it has not."""
    rows = {family: row for family, row in (("ipv4", ipv4), ("ipv6", ipv6)) if row}
    return CatalogNetwork(
        id=f"net-{name}", name=name, reach={family: row[0] for family, row in rows.items()},
        how={family: row[1] for family, row in rows.items()}, why={family: f"{name} {family}" for family in rows}, **more)


DIRECT = network("ext", default=True)
TENANT = network("tenant", "floating", "floating", default=True)
CLOSED = network("closed", "private", "none")
IMAGES = (image(), image("debian-11", version="11"))
FLAVORS = (flavor(), flavor("large", 4, 8192, 80))


class World:
    """The store and its behaviours.

    pending, dying: seconds that a node takes to run, to go; looks: listings and status answers that miss a new node; address_late:
    seconds until an attached address is listed. tokens: whether the same request twice gives one node (else ``confirm`` settles
    it). fails: method -> what its next calls raise (None: nothing), done_first: whether they do their work before. barrier:
    (method, barrier) at which each engine's first call of it waits. kill_at: number of the call that never returns, after its
    work when kill_after. pool: addresses that can be allocated. busy: seconds that a creation takes.
    """

    def __init__(self, catalog: Catalog | None = None, *, provider: str = "openstack", scopes: Sequence[str] = ("one",), **behaviour: Any) -> None:
        self.catalogs = {scope: catalog or Catalog(IMAGES, FLAVORS, (DIRECT, CLOSED), (CatalogZone("a"),)) for scope in scopes}
        self.provider = provider
        self.scopes = tuple(scopes)
        self.now = 0.0
        self.lock = threading.RLock()
        self.numbers = itertools.count(1)
        self.machines: dict[str, Machine] = {}
        self.addresses: list[FloatingAddress] = []
        self.groups: set[tuple[str, str]] = set()
        self.keys: dict[tuple[str, str], str] = {}
        self.node_users: dict[str, str] = {}
        self.calls: list[tuple[str, str, Any]] = []
        self.orders: list[Order] = []
        self.inside = self.most_inside = 0
        self.dead = False
        self.pending, self.dying, self.looks, self.address_late = 5.0, 2.0, 0, 0.0
        self.tokens, self.pool, self.key_store = True, 10, True
        self.fails: dict[str, list[FleetError | BaseException | None]] = {}
        self.done_first = False
        self.lists: dict[str, list[FleetError | None]] = {}
        self.faults: dict[str, str] = {}
        self.barrier: tuple[str, threading.Barrier] | None = None
        self.meeting: threading.Barrier | None = None
        self.kill_at: int | None = None
        self.kill_after = False
        self.warned: list[str] = []
        self.hidden_labels = False
        self.logins = 0
        self.asked: list[Filters] = []
        for name, value in behaviour.items():
            assert hasattr(self, name), name
            setattr(self, name, value)

    # -- time ---------------------------------------------------------------------------------------------------
    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self.lock:
            self.now += seconds

    # -- the engine's side --------------------------------------------------------------------------------------
    def cloud(self, name: str = "fake", **more: Any) -> Cloud:
        known: dict[str, Any] = {
            "source": "fleet.yml", "options": {}, "login_user": None, "ssh_port": None, "bastion": None, "roles": NO_OPERATOR,
            "filters": Filters((), {}, ())}
        return Cloud(name=name, provider=self.provider, **{**known, **more})

    def spec(self) -> ProviderSpec:
        def opened(cloud: Cloud, run: Run) -> Provider:
            return FakeProvider(self, cloud, run)

        return ProviderSpec(self.provider, (Option("password", secret=True), Option("region")), lambda options, environ, base: (), opened)

    def register(self, monkeypatch: Any) -> World:
        monkeypatch.setitem(PROVIDERS, self.provider, self.spec())
        return self

    def making(self, **more: Any) -> Making:
        settings = Settings(timeout=30, retries=0, workers=8, states=("running",), warn=self.warned.append)
        return Making(**{"timeout": 60.0, "workers": 20, "settings": settings, "clock": self.clock, "sleep": self.sleep, **more})

    # -- what tests look at -------------------------------------------------------------------------------------
    def living(self, name: str | None = None) -> list[Machine]:
        self._settle()
        return [one for one in self.machines.values() if one.ends is None and name in (None, one.name)]

    def marked(self, name: str) -> list[str]:
        """What carries the name's mark, beside nodes."""
        addresses = [f"address {row.ip}" for row in self.addresses if row.mark == name]
        return addresses + [f"group {group}" for _scope, group in self.groups if group == name]

    def did(self, *names: str) -> list[tuple[str, str, Any]]:
        """The calls of those methods; without names all that change something."""
        return [call for call in self.calls if (call[0] in names if names else call[0] not in READING)]

    def state(self, one: Machine) -> str:
        if one.ends is not None:
            return "deleting"
        if one.fault and self.now >= one.runs_at:
            return "error"
        return "pending" if self.now < one.runs_at else one.power

    def add(self, name: str, *, ours: bool = True, scope: str | None = None, on: CatalogNetwork | None = DIRECT, **more: Any) -> Machine:
        """A machine that is there before the engine comes."""
        number = next(self.numbers)
        tags = {MARK: name} if ours else {}
        one = Machine(**{"id": f"i-{number}", "name": name, "scope": scope or self.scopes[0], "network": on, "flavor": "small", "tags": tags, **more})
        self.machines[one.id] = one
        return one

    # -- the cloud's side ---------------------------------------------------------------------------------------
    def call(self, method: str, scope: str, told: Any, work: Callable[[], Any]) -> Any:
        """One request: counted, delayed at a barrier, killed or failed where the test says so, else carried out."""
        if self.dead:
            raise Killed
        with self.lock:
            number = len(self.calls)
            self.calls.append((method, scope, told))
            self.inside += 1
            self.most_inside = max(self.most_inside, self.inside)
        try:
            if self.barrier and self.barrier[0] == method:
                self.barrier[1].wait(10)
            if self.meeting and method == "create":
                self.meeting.wait(10)
            with self.lock:
                killed = self.kill_at == number
                if killed and not self.kill_after:
                    self.dead = True
                    raise Killed
                planned = self.fails.get(method) or [None]
                failure = planned.pop(0) if self.fails.get(method) else None
                if failure and not self.done_first:
                    raise failure
                answer = work()
                if killed:
                    self.dead = True
                    raise Killed
                if failure:
                    raise failure
                return answer
        finally:
            with self.lock:
                self.inside -= 1

    def revive(self) -> None:
        self.dead, self.kill_at = False, None

    def _settle(self) -> None:
        with self.lock:
            gone = [one.id for one in self.machines.values() if one.ends is not None and self.now >= one.ends]
            for node_id in gone:
                del self.machines[node_id]
            for row in self.addresses:
                if row.node in gone:
                    row.node = None

    def visible(self, scope: str) -> list[Machine]:
        self._settle()
        return [one for one in self.machines.values() if one.scope == scope and one.looks <= 0]


class FakeProvider(Provider):
    """The provider of a world."""

    def __init__(self, world: World, cloud: Cloud, run: Run) -> None:
        super().__init__(cloud, run)
        self.world = world
        with world.lock:
            world.logins += 1

    def scopes(self) -> Sequence[str]:
        return self.world.scopes

    def actions(self, scope: str) -> Actions:
        return FakeActions(self.world, self.cloud, self.run, scope)

    def evidence(self, scope: str) -> Iterable[NodeEvidence]:
        world = self.world
        with world.lock:
            world.asked.append(self.cloud.filters)
            planned = world.lists.get(scope)
            failure = planned.pop(0) if planned else None
            if failure:
                raise failure
            found = [self._evidence(one) for one in world.visible(scope)]
            for one in world.machines.values():
                one.looks -= one.scope == scope
            return found

    def _evidence(self, one: Machine) -> NodeEvidence:
        world = self.world
        number = int(one.id.rpartition("-")[2])
        state = world.state(one)
        addresses: list[AddressEvidence] = []
        role = one.network.reach.get("ipv4") if one.network else None
        shown = state in ("running", "stopped") and world.now >= one.runs_at + one.shows_address_at
        if role == "public" and shown and "ipv4" in one.families:
            addresses.append(AddressEvidence(f"198.51.100.{number}", routed=True, routed_why="network is external"))
        elif shown and role:
            inside = f"10.0.0.{number}"
            addresses.append(AddressEvidence(inside, routed=False, routed_why="network is closed", network_known=True))
            addresses += [AddressEvidence(row.ip, nat_of=inside, nat_kind="floating IP") for row in world.addresses if row.node == one.id]
        if one.network and "ipv6" in one.families and shown and one.network.reach.get("ipv6") == "public":
            addresses.append(AddressEvidence(f"2001:db8::{number:x}", routed=True, routed_why="network is external"))
        return NodeEvidence(
            id=one.id, name=one.name, state=state, zone=one.zone, flavor=one.flavor, arch="x86_64", image=Image("img", "debian-12", "debian", "12"),
            tags=dict(one.tags), login=LoginEvidence(image_properties={"image_original_user": "debian"}),
            interfaces=(InterfaceEvidence(one.network.name, one.network.id, addresses=tuple(addresses)),) if one.network else ())


class FakeActions(Actions):
    """What can be done in one scope of a world."""

    def __init__(self, world: World, cloud: Cloud, run: Run, scope: str) -> None:
        super().__init__(cloud, run, scope)
        self.world = world
        self.key_store = world.key_store

    def _call(self, method: str, told: Any, work: Callable[[], Any]) -> Any:
        return self.world.call(method, self.scope, told, work)

    def catalog(self, parts: frozenset[str], image_names: Sequence[str] = ()) -> Catalog:
        def work() -> Catalog:
            known = self.world.catalogs[self.scope]
            taken = {one.flavor for one in self.world.living() if self.world.provider == "metal"}
            free = tuple(one for one in known.flavors if one.name not in taken)
            return Catalog(known.images if "images" in parts else (), free if "flavors" in parts else (),
                           known.networks if "networks" in parts else (), known.zones if "zones" in parts else ())

        answer: Catalog = self._call("catalog", (parts, tuple(image_names)), work)
        return answer

    # -- keys ---------------------------------------------------------------------------------------------------
    def find_key(self, name: str) -> StoredKey | None:
        def work() -> StoredKey | None:
            known = self.world.keys.get((self.scope, name))
            return StoredKey(name, None, known, known.endswith(key_mark(name))) if known else None

        answer: StoredKey | None = self._call("find_key", name, work)
        return answer

    def add_key(self, name: str, public_key: str) -> None:
        self._call("add_key", name, lambda: self.world.keys.update({(self.scope, name): public_key}))

    def remove_key(self, name: str) -> bool:
        return bool(self._call("remove_key", name, lambda: self.world.keys.pop((self.scope, name), None) is not None))

    def node_keys(self, node_id: str) -> tuple[str, ...]:
        answer: tuple[str, ...] = self._call("node_keys", node_id, lambda: tuple(self.world.machines[node_id].keys))
        return answer

    def add_node_key(self, node_id: str, user: str, public_key: str) -> bool:
        def work() -> bool:
            self.world.machines[node_id].keys.append(public_key)
            self.world.node_users[node_id] = user
            return True

        return bool(self._call("add_node_key", node_id, work))

    def remove_node_key(self, node_id: str, public_key: str) -> bool:
        def work() -> bool:
            one = self.world.machines[node_id]
            before = len(one.keys)
            one.keys = [line for line in one.keys if line.split()[1] != public_key.split()[1]]
            return len(one.keys) < before

        return bool(self._call("remove_node_key", node_id, work))

    # -- nodes --------------------------------------------------------------------------------------------------
    def create(self, order: Order) -> str:
        answer: str = self._call("create", order, lambda: self._create(order))
        return answer

    def _create(self, order: Order) -> str:
        world = self.world
        world.orders.append(order)
        if world.tokens:
            for one in world.living(order.name):
                if one.token == order.token:
                    return one.id
        if world.provider == "metal" and any(one.flavor == order.flavor.name for one in world.living()):
            raise FleetError("bind machine", why=f"{order.flavor.name} was taken meanwhile", code="taken")
        if order.rules is not None:
            world.groups.add((self.scope, order.name))
        number = next(world.numbers)
        made = Machine(
            f"i-{number}", order.name, self.scope, order.network, order.flavor.name, dict(order.tags), order.token, world.now + world.pending,
            fault=world.faults.get(order.name, ""), zone=order.zone, looks=world.looks, shows_address_at=world.address_late, families=order.families)
        world.machines[made.id] = made
        return made.id

    def confirm(self, order: Order, node_id: str) -> str:
        def work() -> str:
            rivals = sorted((one for one in self.world.living(order.name) if one.token == order.token), key=lambda one: one.id)
            if len(rivals) > 1 and rivals[0].id != node_id:
                self.world.machines[node_id].ends = self.world.now
                return rivals[0].id
            return node_id

        answer: str = self._call("confirm", node_id, work)
        return answer

    def status(self, node_ids: Sequence[str]) -> dict[str, Status]:
        def work() -> dict[str, Status]:
            seen = {one.id: one for one in self.world.visible(self.scope)}
            for node_id in node_ids:
                if node_id in self.world.machines:
                    self.world.machines[node_id].looks -= 1
            return {node_id: Status(self.world.state(seen[node_id]), seen[node_id].fault, "spawning") for node_id in node_ids if node_id in seen}

        answer: dict[str, Status] = self._call("status", tuple(node_ids), work)
        return answer

    def publish(self, order: Order, node_id: str) -> str | None:
        answer: str | None = self._call("publish", node_id, lambda: self._publish(order, node_id))
        return answer

    def _publish(self, order: Order, node_id: str) -> str | None:
        world = self.world
        net = order.network
        if order.reachable != "public" or net is None or net.how.get("ipv4") != "floating" or "ipv4" not in order.families:
            return None
        assert world.machines[node_id].network is net, "published on a network that the node is not on"
        if any(row.node == node_id for row in world.addresses):
            return None
        for row in sorted(world.addresses, key=lambda row: row.mark != order.name):
            if row.node is None and row.scope == self.scope and row.mark in (None, order.name):
                row.node = node_id
                return f"attached floating IP {row.ip}, which was free"
        if len(world.addresses) >= world.pool:
            raise FleetError("allocate a floating IP", why="no more IP addresses in pool ext", code="address_pool", fix="Release some.")
        made = FloatingAddress(f"203.0.113.{len(world.addresses) + 1}", self.scope, order.name, node_id)
        world.addresses.append(made)
        return f"allocated floating IP {made.ip}"

    def delete(self, node_id: str) -> None:
        def work() -> None:
            one = self.world.machines.get(node_id)
            if one is not None and one.ends is None:
                one.ends = self.world.now + self.world.dying

        self._call("delete", node_id, work)

    def leftovers(self, name: str) -> list[str]:
        answer: list[str] = self._call("leftovers", name, lambda: self._marked(name))
        return answer

    def marked(self, prefix: str) -> set[str]:
        def work() -> set[str]:
            world = self.world
            marks = [*(str(row.mark or "") for row in world.addresses if row.scope == self.scope),
                     *(group for scope, group in world.groups if scope == self.scope), *(one.tags.get(MARK, "") for one in world.visible(self.scope))]
            return {mark for mark in marks if mark.startswith(prefix)}

        answer: set[str] = self._call("marked", prefix, work)
        return answer

    def _marked(self, name: str) -> list[str]:
        return [*(f"floating IP {row.ip}" for row in self.world.addresses if row.mark == name and row.scope == self.scope),
                *(f"security group {group}" for scope, group in self.world.groups if (scope, group) == (self.scope, name))]

    def clean(self, name: str) -> list[str]:
        def work() -> list[str]:
            self.world._settle()
            words = self._marked(name)
            using = [one for one in self.world.machines.values() if one.tags.get(MARK) == name and one.scope == self.scope]
            if using and words:
                raise FleetError("remove security group", why=f"it is in use by {using[0].id}", code="conflict")
            self.world.addresses = [row for row in self.world.addresses if row.mark != name or row.scope != self.scope]
            self.world.groups.discard((self.scope, name))
            return words

        answer: list[str] = self._call("clean", name, work)
        return answer

    def power(self, node_id: str, action: str) -> bool:
        def work() -> bool:
            one = self.world.machines[node_id]
            if action == "reboot":
                return True
            before, one.power = one.power, {"start": "running", "stop": "stopped"}[action]
            one.runs_at = self.world.now + self.world.pending if action == "start" else one.runs_at
            return before != one.power

        return bool(self._call("power", (node_id, action), work))

    def adapted_tags(self, tags: Mapping[str, str]) -> dict[str, str]:
        if self.world.hidden_labels and any(key == "bad" for key in tags):
            raise FleetError("keep the tags", why="'bad' cannot be a label", code="refused")
        return {key: value.lower() for key, value in tags.items()} if self.world.hidden_labels else dict(tags)

    def tag(self, node_id: str, tags: Mapping[str, str | None]) -> bool:
        def work() -> bool:
            kept = {**self.world.machines[node_id].tags, **tags}
            self.world.machines[node_id].tags = {key: value for key, value in kept.items() if value is not None}
            return True

        return bool(self._call("tag", (node_id, dict(tags)), work))

    def bring_rules(self, name: str, node_id: str, part: str, rules: Sequence[SecurityRule], *, check: bool = False) -> list[str]:
        def work() -> list[str]:
            mine = self.world.machines[node_id].rules
            done = [] if mine.get(part, ()) == tuple(rules) else [f"{part} is {len(rules)} rules"]
            if not check:
                mine[part] = tuple(rules)
            return done

        found: list[str] = self._call("bring_rules", (name, node_id, part, check), work)
        return found

    def host_keys(self, node_id: str) -> tuple[str, ...] | None:
        answer: tuple[str, ...] | None = self._call("host_keys", node_id, lambda: (f"ssh-ed25519 AAAA{node_id}",))
        return answer


def wish(name: str = "web", **more: Any) -> Requirement:
    """A requirement of that name for a small Debian node."""
    return parse({"name": name, "image": {"distro": "debian"}, "flavor": {"vcpus": 1}, **more}, "test")


def machine(name: str, vcpus: int | None = 1, memory_mib: int | None = 1024, **more: Any) -> CatalogFlavor:
    """A free machine, as metal's catalog has them."""
    return flavor(name, vcpus, memory_mib, **{"networks": (network("rack", "public", "direct"),), "image": image("installed"), **more})
