# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Actions on the systems of a Redfish service: held in a file as those of a rack file, switched by their management boards."""
from __future__ import annotations

import calendar
import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ...errors import FleetError
from ..actions import Order
from ..base import Run
from . import redfish
from .held import HeldActions
from .machines import Machine
from .reservations import Ledger, Record, Records, now

if TYPE_CHECKING:
    from ...fleet_file import Cloud
    from .client import Redfish

SETTLING = 120.0  # seconds that a machine may take to be off, or a board to say that it is on
_LONG_AGO = "1970-01-01T00:00:00Z"

_DONE = {"start": ("running", "pending"), "stop": ("stopped", "stopping")}


def state(evidence_state: str, record: Record | None) -> str:
    """Normalised state, as boards answer late: a machine that was switched on a moment ago is on its way."""
    if evidence_state == "stopped" and record and record.switched_on and _age(record.switched_on) < SETTLING:
        return "pending"
    return evidence_state


def _age(stamp: str) -> float:
    """Seconds since a time of the ledger; for ever when it is none."""
    try:
        return time.time() - calendar.timegm(time.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError:
        return float("inf")


class RedfishActions(HeldActions):
    """One Redfish service. source: its entry in the fleet file."""

    def __init__(
        self, cloud: Cloud, run: Run, scope: str, ledger: Ledger, source: Mapping[str, Any], connect: Callable[[], Redfish],
    ) -> None:
        super().__init__(cloud, run, scope, ledger)
        self._source = source
        self._connect = connect
        self._api: Redfish | None = None

    @property
    def api(self) -> Redfish:
        if self._api is None:
            self._api = self._connect()
        return self._api

    def machines(self) -> list[Machine]:
        return self.api.machines(self.cloud.name)

    def state(self, machine: Machine, record: Record | None) -> str:
        return state(machine.evidence.state, record)

    def prepare(self, order: Order, machine: Machine) -> None:
        """Switch it on; with boot: pxe make it boot from the network, whatever it does now."""
        system = self.api.system(machine.ref)
        off = system.get("PowerState") in ("Off", "PoweringOff")
        if self._source["boot"] == "pxe":
            self.api.change(machine.ref, redfish.network_boot(system))
        elif not off:
            return
        self._note(order.name, machine.id, off)
        self.api.reset(system, "start" if off else "install")

    def _note(self, name: str, machine_id: str, off: bool) -> None:
        """Write down before it is done that a machine is switched on for a node, so that it is switched off with it."""
        def change(records: Records) -> None:
            record = records.get(machine_id)
            if off and record and record.node == name:
                records[machine_id] = dataclasses.replace(record, switched_on=now())

        self.ledger.change(change)

    def unfit(self, machine: Machine, record: Record | None) -> str:
        recent = record is not None and record.node is None and record.switched_off is not None and _age(record.switched_off) < SETTLING
        return "it is being switched off" if recent and machine.evidence.state not in _DONE["stop"] else ""

    def give_up(self, machine: Machine, record: Record) -> Record | None:
        """Switch off what was switched on for the node; a machine that ran before keeps running."""
        if not record.switched_on:
            return None
        if machine.evidence.state not in _DONE["stop"]:
            self.api.reset(self.api.system(machine.ref), "stop")
        return Record(switched_off=now())

    def power(self, node_id: str, action: str) -> bool:
        what = f"{action} node {node_id}"
        machine = self._machine(node_id, what)
        record = self.ledger.read().get(node_id)
        if machine.pool and (record is None or record.node is None):
            raise FleetError(what, why=f"machine {machine.name} is free, no node", code="not_found", fix="Bind it to a node first.")
        now_is = self.state(machine, record)
        if action == "reboot":
            if now_is in _DONE["stop"]:
                raise FleetError(what, why="it is switched off", code="wrong_state", fix="Start it.")
        elif now_is in _DONE[action]:
            return False
        if action == "stop":
            self.ledger.change(lambda records: _no_longer_starting(records, node_id))
        self.api.reset(self.api.system(machine.ref), action)
        return True


def _no_longer_starting(records: Records, machine_id: str) -> None:
    """A machine that is stopped on purpose is not on its way, however lately it was switched on."""
    record = records.get(machine_id)
    if record and record.switched_on:
        records[machine_id] = dataclasses.replace(record, switched_on=_LONG_AGO)
