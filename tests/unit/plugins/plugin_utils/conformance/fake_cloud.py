# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A cloud in memory that behaves as its flags say, behind the provider's contract, and a shell for its nodes."""
from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import Catalog
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import Cloud, Filters
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.network_role import OperatorRoles
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.actions import MARK, Actions, Order, Status, StoredKey
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.base import Provider, ProviderSpec, Run
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import AddressEvidence, InterfaceEvidence, LoginEvidence, NodeEvidence
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access.proofs import Proof
from ansible_collections.hybridops.fleet.plugins.plugin_utils._conformance.judging import Door
from ansible_collections.hybridops.fleet.plugins.plugin_utils._conformance.shell import Access
from ansible_collections.hybridops.fleet.tests.unit.plugins.plugin_utils.conformance.samples import CATALOG


@dataclasses.dataclass
class Machine:
    id: str
    name: str
    token: str
    tags: dict[str, str]
    state: str = "running"
    public: str | None = None


@dataclasses.dataclass
class FakeCloud:
    """floating: an address only on request; one_name: refuses a second node of a name; forgetful: knows no token; sticky: addresses
    stay; keeps: leaves the address behind; dead: after that many calls it does not answer any more."""

    catalog: Catalog = CATALOG
    floating: bool = False
    one_name: bool = False
    forgetful: bool = False
    sticky: bool = False
    keeps: bool = False
    keys_told: bool = True
    dead: int = 1_000_000
    machines: dict[str, Machine] = dataclasses.field(default_factory=dict)
    keys: dict[str, str] = dataclasses.field(default_factory=dict)
    addresses: dict[str, str] = dataclasses.field(default_factory=dict)  # address -> mark
    made: int = 0
    calls: int = 0
    numbers: Iterable[int] = dataclasses.field(default_factory=lambda: itertools.count(1))

    def call(self) -> None:
        self.calls += 1
        if self.calls > self.dead:
            raise FleetError("ask the cloud", why="connection refused", code="unreachable")

    def next(self) -> int:
        return next(iter(self.numbers))

    def address(self) -> str:
        return f"203.0.113.{self.next()}"

    @property
    def empty(self) -> bool:
        return not (self.machines or self.keys or self.addresses)


class FakeProvider(Provider):
    state: FakeCloud

    def scopes(self) -> Sequence[str]:
        return ["here"]

    def evidence(self, scope: str) -> Iterable[NodeEvidence]:
        self.state.call()
        for machine in list(self.state.machines.values()):
            inside = AddressEvidence("10.0.0.7", routed=False, network_known=True)
            nat = (AddressEvidence(machine.public, nat_of="10.0.0.7", nat_kind="elastic IP"),) if machine.public else ()
            yield NodeEvidence(
                id=machine.id, name=machine.name, state=machine.state, tags=dict(machine.tags),
                login=LoginEvidence(image_properties={"os_admin_user": "debian"}),
                interfaces=(InterfaceEvidence("net", addresses=(inside, *nat)),))

    def actions(self, scope: str) -> Actions:
        made = FakeActions(self.cloud, self.run, scope)
        made.state = self.state
        return made


class FakeActions(Actions):
    state: FakeCloud

    def catalog(self, parts: frozenset[str], image_names: Sequence[str] = ()) -> Catalog:
        self.state.call()
        return self.state.catalog

    def find_key(self, name: str) -> StoredKey | None:
        self.state.call()
        return StoredKey(name, "aa:bb", self.state.keys[name]) if name in self.state.keys else None

    def add_key(self, name: str, public_key: str) -> None:
        self.state.call()
        self.state.keys[name] = public_key

    def remove_key(self, name: str) -> bool:
        self.state.call()
        return self.state.keys.pop(name, None) is not None

    def create(self, order: Order) -> str:
        state = self.state
        state.call()
        for machine in state.machines.values():
            if machine.token == order.token and not state.forgetful:
                return machine.id
            if machine.name == order.name and state.one_name:
                raise FleetError(f"make {order.name}", why="the name is taken", code="exists")
        state.made += 1
        node_id = f"n-{state.next()}"
        state.machines[node_id] = Machine(node_id, order.name, order.token, dict(order.tags), public=None if state.floating else state.address())
        return node_id

    def status(self, node_ids: Sequence[str]) -> dict[str, Status]:
        self.state.call()
        return {node: Status(self.state.machines[node].state) for node in node_ids if node in self.state.machines}

    def publish(self, order: Order, node_id: str) -> str | None:
        self.state.call()
        machine = self.state.machines[node_id]
        if order.reachable != "public" or machine.public:
            return None
        machine.public = self.state.address()
        self.state.addresses[machine.public] = order.name
        return f"allocated floating IP {machine.public}"

    def delete(self, node_id: str) -> None:
        self.state.call()
        self.state.machines.pop(node_id, None)

    def leftovers(self, name: str) -> list[str]:
        self.state.call()
        return [f"floating IP {ip}" for ip, mark in self.state.addresses.items() if mark == name]

    def marked(self, prefix: str) -> set[str]:
        self.state.call()
        there = [*self.state.keys, *self.state.addresses.values(), *(machine.tags.get(MARK, "") for machine in self.state.machines.values())]
        return {mark for mark in there if mark.startswith(prefix)}

    def clean(self, name: str) -> list[str]:
        words = self.leftovers(name)
        if self.state.keeps:
            return []
        self.state.addresses = {ip: mark for ip, mark in self.state.addresses.items() if mark != name}
        return words

    def power(self, node_id: str, action: str) -> bool:
        self.state.call()
        machine = self.state.machines[node_id]
        machine.state = "stopped" if action == "stop" else "running"
        if action == "start" and not self.state.sticky:
            machine.public = self.state.address()
        return True

    def tag(self, node_id: str, tags: Mapping[str, str | None]) -> bool:
        self.state.call()
        machine = self.state.machines[node_id]
        machine.tags = {key: value for key, value in {**machine.tags, **tags}.items() if value is not None}
        return True

    def host_keys(self, node_id: str) -> tuple[str, ...] | None:
        self.state.call()
        return ("ssh-ed25519 AAAA",) if self.state.keys_told else None


def cloud_of(state: FakeCloud, name: str = "fake") -> tuple[Cloud, ProviderSpec]:
    """A cloud and the provider to be registered for it."""

    def opened(cloud: Cloud, run: Run) -> Provider:
        state.call()
        provider = FakeProvider(cloud, run)
        provider.state = state
        return provider

    cloud = Cloud(name, "openstack", "fleet.yml", {}, None, None, None, OperatorRoles({}, "fleet.yml"), Filters((), {}, ()))
    return cloud, ProviderSpec("openstack", (), lambda options, environ, base_dir: (), opened)


@dataclasses.dataclass
class FakeShell:
    """used: the user who is let in; own: what the node's key does once it was taken out; passwords: what the host says of them."""

    used: str | None = "debian"
    own: str = "refused"
    passwords: str = "refused"
    asked: list[str] = dataclasses.field(default_factory=list)

    def login(self, access: Access) -> Door:
        self.asked.append(f"login {access.host} as {access.predicted}")
        return Door(access.predicted, self.used, told="image property")

    def harden(self, access: Access, user: str) -> list[str]:
        self.asked.append(f"harden as {user}")
        return ["made account fleet"]

    def take_out(self, access: Access) -> list[str]:
        self.asked.append("take out")
        return ["/home/debian/.ssh/authorized_keys"]

    def prove(self, access: Access, users: Sequence[str]) -> Proof:
        self.asked.append(f"prove at {access.host}")
        return Proof("opened", self.own if "take out" in self.asked else "opened", self.passwords, [], [])


def marks(state: FakeCloud) -> set[Any]:
    return {machine.tags.get(MARK) for machine in state.machines.values()}
