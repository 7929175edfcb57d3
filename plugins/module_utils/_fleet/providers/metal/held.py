# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Actions on machines of which nobody but a file of ours knows who holds them: rack files and Redfish services."""
from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ...catalog import Catalog
from ...errors import FleetError
from ...shape import NodeEvidence
from ..actions import MARK, Order, Status
from ..base import Run
from . import machines
from .machines import Machine
from .reservations import Ledger, Record, Records, held_by, myself, now
from .source import Source

if TYPE_CHECKING:
    from ...fleet_file import Cloud


def merged(machine: Machine, record: Record | None) -> NodeEvidence:
    """A machine as the inventory shows it, with what the file says of it. One that is held but not ready is no node yet."""
    if record is None:
        return machine.evidence
    if record.node is None or not record.ready:
        return machines.tagged(machine.evidence, {key: value for key, value in record.tags.items() if record.node is None})
    return machines.bound(machine.evidence, record.node, record.tags, record.since)


class HeldActions(Source, abc.ABC):
    """What rack files and Redfish services have in common. A machine is bound by a record in the ledger, and released by its
    removal; a subclass says what else belongs to it."""

    def __init__(self, cloud: Cloud, run: Run, scope: str, ledger: Ledger) -> None:
        super().__init__(cloud, run, scope)
        self.ledger = ledger

    # -- for subclasses ----------------------------------------------------------------------------------------
    @abc.abstractmethod
    def machines(self) -> list[Machine]:
        """All machines of the source, as they are now."""

    def prepare(self, order: Order, machine: Machine) -> None:
        """Ask for what makes a held machine a node; may be repeated."""

    def give_up(self, machine: Machine, record: Record) -> Record | None:
        """Undo what prepare has done, before the machine is released; may be repeated. What to keep of the machine."""
        return None

    def state(self, machine: Machine, record: Record | None) -> str:
        """Normalised state."""
        return machine.evidence.state

    def unfit(self, machine: Machine, record: Record | None) -> str:
        """Why a free machine cannot be bound now; empty when it can."""
        return ""

    # -- step 2 ------------------------------------------------------------------------------------------------
    def catalog(self, parts: frozenset[str], image_names: Sequence[str] = ()) -> Catalog:
        """The machines that may be bound, as flavors; what is installed on each is its image, so there are no others."""
        records = self.ledger.read()
        return machines.catalog(parts, [
            machines.flavor(machine, self.cloud.roles, why_not=self._why_not(machine, records.get(machine.id)),
                            later=_half_bound(records.get(machine.id)), installed=True)
            for machine in self.machines()])

    def _why_not(self, machine: Machine, record: Record | None) -> str:
        if record and record.node is not None and record.ready:
            return f"reserved for node {record.node}"
        if not machine.pool:
            return "in use: it does not say that it may be bound (pool)"
        # one that a killed run has left half bound can be had by the order that held it
        return self.unfit(machine, record)

    # -- steps 1 and 8 -----------------------------------------------------------------------------------------
    def add_node_key(self, node_id: str, user: str, public_key: str) -> bool:
        raise FleetError(
            f"add a key to node {node_id}", why="a machine that is installed already takes no keys from outside", code="unsupported",
            fix="Log in with a key that it has: set ansible_ssh_private_key_file for it, and put new keys on it with role access.")

    # -- steps 4 and 5 -----------------------------------------------------------------------------------------
    def knows(self, machine_id: str) -> bool:
        return any(machine.id == machine_id for machine in self.machines())

    def held(self, name: str) -> str | None:
        return held_by(self.ledger.read(), name)

    def hold(self, order: Order) -> str:
        """A record in the ledger, not ready yet."""
        self._check(order)
        known = {machine.id: machine for machine in self.machines()}
        machine_id = self.ledger.change(lambda records: self._hold(records, order, known))
        if machine_id not in known:
            raise FleetError(
                f"bind node {order.name}", why=f"{self.ledger.name} holds machine {machine_id} for it, which {self.scope} does not list any more",
                code="vanished", fix="Remove the node (state: absent), then make it again.")
        return machine_id

    def bind(self, order: Order, machine_id: str) -> None:
        """Ask for what makes the machine a node, then mark the record ready."""
        record = self.ledger.read().get(machine_id)
        if record is None or record.node != order.name or not record.ready:
            machine = self._machine(machine_id, f"bind node {order.name}")
            if record is not None and record.node == order.name:
                self.prepare(order, machine)
            self.ledger.change(lambda records: self._ready(records, order, machine_id))

    def let_go(self, order: Order, machine_id: str) -> None:
        def drop(records: Records) -> None:
            record = records.get(machine_id)
            if record and record.node == order.name and not record.ready:
                del records[machine_id]

        self.ledger.change(drop)

    def _check(self, order: Order) -> None:
        if order.user_data:
            raise FleetError(f"bind node {order.name}", why="a machine that is installed already takes no user_data", code="refused",
                             fix="Leave 'user_data' out, and configure the machine with a role.")
        if order.rules is not None:
            self.run.warn(f"node {order.name}: metal has no security groups, so 'security' is not applied; use role firewall")

    def _hold(self, records: Records, order: Order, known: Mapping[str, Machine]) -> str:
        held = held_by(records, order.name)
        if held is not None:
            if records[held].token != order.token:
                raise machines.somebody_elses(order.name, f"machine {held} is held for a node of that name by {records[held].by or 'somebody else'}")
            return held
        machine, record = known.get(order.flavor.id), records.get(order.flavor.id)
        if machine is None:
            raise machines.taken(order, f"{self.scope} does not list it")
        why_not = self._why_not(machine, record)
        if not why_not and record and record.node is not None:
            why_not = f"reserved for node {record.node}"
        if why_not:
            raise machines.taken(order, why_not)
        for other in known.values():
            if other.id != machine.id and order.name == other.name:
                raise machines.somebody_elses(order.name, f"machine {other.id} has that name of its own")
        kept = dict(record.tags) if record else {}
        records[machine.id] = Record(
            node=order.name, token=order.token, since=now(), by=myself(), ready=False, tags={**kept, **order.tags, MARK: order.name})
        return machine.id

    def _ready(self, records: Records, order: Order, machine_id: str) -> None:
        record = records.get(machine_id)
        if record is None or record.node != order.name:
            raise FleetError(f"bind node {order.name}", why=f"machine {machine_id} was released by another run meanwhile", code="vanished",
                             fix="Run again.")
        records[machine_id] = dataclasses.replace(record, ready=True)

    def confirm(self, order: Order, node_id: str) -> str:
        return held_by(self.ledger.read(), order.name) or node_id

    def status(self, node_ids: Sequence[str]) -> dict[str, Status]:
        """Of nodes, and of machines that are in use without being bound; a free machine is no node."""
        records = self.ledger.read()
        found = {}
        for machine in self.machines():
            record = records.get(machine.id)
            if machine.id in node_ids and not (machine.pool and (record is None or record.node is None)):
                found[machine.id] = Status(self.state(machine, record))
        return found

    def publish(self, order: Order, node_id: str) -> str | None:
        machines.see_to_address(order, self._machine(node_id, f"reach node {order.name}").evidence, self.cloud.roles)
        return None

    def delete(self, node_id: str) -> None:
        """Release the machine."""
        machine = next((machine for machine in self.machines() if machine.id == node_id), None)
        record = self.ledger.read().get(node_id)
        if record is None or record.node is None:
            if machine is not None and not machine.pool:
                raise machines.not_ours(node_id, "Take it out of its source when it is to go.")
            return
        self._release(node_id, record, machine)

    def _release(self, machine_id: str, record: Record, machine: Machine | None) -> None:
        kept = self.give_up(machine, record) if machine is not None else None

        def drop(records: Records) -> None:
            found = records.get(machine_id)
            if found and found.node == record.node and found.since == record.since:  # not bound anew meanwhile
                del records[machine_id]
                if kept is not None:
                    records[machine_id] = kept

        self.ledger.change(drop)

    def leftovers(self, name: str) -> list[str]:
        return [f"reservation of machine {machine_id} in {self.ledger.name}" for machine_id, _record, _machine in self._left(name)]

    def marked(self, prefix: str) -> set[str]:
        return {record.node for record in self.ledger.read().values() if record.node and record.node.startswith(prefix)}

    def clean(self, name: str) -> list[str]:
        words = []
        for machine_id, record, machine in self._left(name):
            self._release(machine_id, record, machine)
            words.append(f"reservation of machine {machine_id} in {self.ledger.name}")
        return words

    def _left(self, name: str) -> list[tuple[str, Record, Machine | None]]:
        """What is held for that name without being a node: never finished, or of a machine that is not listed any more."""
        found = [(machine_id, record) for machine_id, record in self.ledger.read().items() if record.node == name]
        known = {machine.id: machine for machine in self.machines()} if found else {}
        return [(machine_id, record, known.get(machine_id)) for machine_id, record in found if not record.ready or machine_id not in known]

    def tag(self, node_id: str, tags: Mapping[str, str | None]) -> bool:
        """Set tags, kept in the ledger; also of a machine that is in use without being bound."""
        machine = self._machine(node_id, f"tag node {node_id}")
        fixed = [key for key, value in tags.items() if value is None and key in machine.evidence.tags]
        if fixed:
            raise FleetError(f"tag node {node_id}", why=f"tag '{fixed[0]}' stands in {self.scope} itself", code="unsupported",
                             fix="Remove it there.")

        def change(records: Records) -> bool:
            record = records.get(node_id, Record())
            wanted = {key: value for key, value in {**record.tags, **tags}.items() if value is not None}
            if wanted == dict(record.tags):
                return False
            records[node_id] = dataclasses.replace(record, tags=wanted)
            if not wanted and record.node is None:
                del records[node_id]
            return True

        return self.ledger.change(change)

    def host_keys(self, node_id: str) -> tuple[str, ...] | None:
        return self._machine(node_id, f"read the host keys of {node_id}").evidence.host_keys

    def _machine(self, node_id: str, what: str) -> Machine:
        for machine in self.machines():
            if machine.id == node_id:
                return machine
        raise FleetError(what, why=f"{self.scope} does not list it", code="not_found", fix="Correct the id; node_info lists the nodes.")


def _half_bound(record: Record | None) -> bool:
    return record is not None and record.node is not None and not record.ready
