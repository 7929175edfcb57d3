# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Actions on the machines of an Ironic: held by its allocations, deployed and switched by itself.

An allocation is Ironic's own atomic claim: one name has one, and so has one machine. It is made before anything else and
goes with the deployment, so a run that is killed leaves at worst a machine that is allocated and not deployed; the same order
goes on with it, and ``clean`` frees it. Machines are locked by Ironic while it works on them (HTTP 409): asked again.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...catalog import Catalog
from ...errors import FleetError
from ..actions import MARK, Order, Status
from ..base import Run, together
from . import ironic, machines
from . import ironic_request as request
from .ironic_calls import Calls
from .source import Source

if TYPE_CHECKING:
    from ...fleet_file import Cloud
    from ..openstack.client import BareMetal

_OFF = ("power off", "soft power off")
_POWER = {"start": ("power on",), "stop": ("soft power off", "power off"), "reboot": ("soft rebooting", "rebooting")}
_DYING = ("deleting", "cleaning", "clean wait")
CLAIMS = 3  # tries of an allocation that Ironic failed for reasons of its own
LONGEST = 200  # characters of its words


class IronicActions(Source):
    """One Ironic. images: what the fleet file says may be deployed."""

    def __init__(
        self, cloud: Cloud, run: Run, scope: str, images: Sequence[Mapping[str, Any]], connect: Callable[[], BareMetal],
    ) -> None:
        super().__init__(cloud, run, scope)
        self._images = images
        self._calls = Calls(run.patience, connect)

    # -- step 2 ------------------------------------------------------------------------------------------------
    def catalog(self, parts: frozenset[str], image_names: Sequence[str] = ()) -> Catalog:
        """The machines as flavors, and the images of the fleet file."""
        records, ports, allocations = together(self._calls.nodes, self._calls.ports, self._calls.allocations)
        by_id = {allocation["uuid"]: allocation for allocation in allocations}
        flavors = []
        for record in records:
            why_not, later = request.why_not(record), False
            if not why_not and (record.get("allocation_uuid") or record.get("instance_uuid")):
                allocation = by_id.get(record.get("allocation_uuid"), {})
                # one that a killed run has left half bound can be had by the order that held it
                later = MARK in (allocation.get("extra") or {})
                why_not = "" if later else f"reserved by {allocation.get('name') or record.get('instance_uuid')}"
            if not self._images:
                why_not = why_not or "no image to put onto it: its source in the fleet file names no 'images'"
            machine = ironic.machine(record, ports, self.cloud.name)
            flavors.append(machines.flavor(machine, self.cloud.roles, why_not=why_not, later=later, installed=False))
        return machines.catalog(parts, flavors, request.images(self._images))

    # -- steps 1 and 8 -----------------------------------------------------------------------------------------
    def node_keys(self, node_id: str) -> tuple[str, ...]:
        key = ironic.ours(self._record(node_id, f"read the keys of {node_id}")).get("public_key")
        return (str(key),) if key else ()

    def add_node_key(self, node_id: str, user: str, public_key: str) -> bool:
        if public_key in self.node_keys(node_id):
            return False
        raise FleetError(
            f"add a key to node {node_id}", why="Ironic hands keys over while it deploys, and never after that", code="unsupported",
            fix="Put the key on the node itself (role access), or make the node again with it.")

    def remove_node_key(self, node_id: str, public_key: str) -> bool:
        """Take it out of what Ironic keeps, and with it the config drive, from which a rebuild would bring it back."""
        record = self._record(node_id, f"remove a key of {node_id}")
        if ironic.ours(record).get("public_key") != public_key:
            return False
        patch = [{"op": "remove", "path": f"/extra/{ironic.OURS}/public_key"}]
        if "configdrive" in (record.get("instance_info") or {}):
            patch.append({"op": "remove", "path": "/instance_info/configdrive"})
        self._calls.patch(node_id, patch, f"remove a key of {node_id}")
        return True

    # -- steps 4 and 5 -----------------------------------------------------------------------------------------
    def knows(self, machine_id: str) -> bool:
        return self._calls.node(machine_id) is not None

    def held(self, name: str) -> str | None:
        found = self._calls.allocation(name)
        return str(found["node_uuid"]) if found and MARK in (found.get("extra") or {}) and found.get("node_uuid") else None

    def hold(self, order: Order) -> str:
        """An allocation of the chosen machine."""
        request.check(order)
        request.image_of(order, self._images)
        if order.rules is not None:
            self.run.warn(f"node {order.name}: metal has no security groups, so 'security' is not applied; use role firewall")
        return str(self._claim(order)["node_uuid"])

    def bind(self, order: Order, machine_id: str) -> None:
        """Have the machine deployed."""
        image = request.image_of(order, self._images)
        allocation = self._calls.allocation(order.name)
        if allocation is None or allocation.get("node_uuid") != machine_id:
            raise machines.taken(order, "another run has given it back meanwhile")
        self.run.patience.run(lambda: self._deploy(order, allocation, image))

    def let_go(self, order: Order, machine_id: str) -> None:
        allocation, record = self._calls.allocation(order.name), self._calls.node(machine_id)
        if allocation and request.is_for(allocation, order) and (record is None or record.get("provision_state") in ironic.FREE):
            if record:
                self._undo(record)
            self._calls.free(str(allocation["uuid"]))

    def _claim(self, order: Order) -> Mapping[str, Any]:
        """The active allocation of that name, made now or by an earlier try of the same order."""
        def offered() -> Mapping[str, Any]:
            record = self._calls.node(order.flavor.id)
            why_not = request.why_not(record) if record else f"{self.scope} does not list it"
            if why_not or record is None:
                raise machines.taken(order, why_not)
            return request.allocation(order, record)

        for attempt in range(CLAIMS):
            found = self._calls.allocate(order.name, offered)
            if not request.is_for(found, order):
                raise machines.somebody_elses(order.name, f"Ironic has an allocation of that name, made by somebody else ({found.get('uuid')})")
            found = self._calls.settled(found)
            if found.get("state") == "active":
                return found
            self._calls.free(order.name)
            why = str(found.get("last_error") or "Ironic did not allocate it")
            # Ironic's own trouble, such as a database that is locked, says nothing of the machine
            if "unexpected" not in why.lower() or attempt == CLAIMS - 1:
                raise machines.taken(order, why.partition("\n")[0][:LONGEST])
            self.run.patience.sleep(0.5 + attempt)
        raise AssertionError("the last attempt returns or raises")

    def _deploy(self, order: Order, allocation: Mapping[str, Any], image: Mapping[str, Any]) -> None:
        """Bring a held machine to deployment, from wherever an earlier try has left it. Tried again while it is locked."""
        what, machine_id = f"bind node {order.name}", str(allocation["node_uuid"])
        record = self._record(machine_id, what)
        if record.get("provision_state") != "available":
            if ironic.holder(record) == order.name:
                return
            raise FleetError(what, why=f"machine {record.get('name') or machine_id} went to state {record.get('provision_state')} meanwhile",
                             code="taken", fix="Run again.")
        self._calls.patch_once(machine_id, request.deployment(order, record, image, str(allocation["uuid"])), what)
        try:
            self._calls.provision_once(machine_id, request.start(order, machine_id), what)
        except FleetError as failure:
            # another try of the same order may have been quicker: then it is on its way, or there already
            if failure.transient or ironic.holder(self._record(machine_id, what)) != order.name:
                raise

    def confirm(self, order: Order, node_id: str) -> str:
        """Asked when it runs: from now on a machine that is off was switched off by somebody."""
        allocation = self._calls.allocation(order.name)
        right = str(allocation["node_uuid"]) if allocation and allocation.get("node_uuid") else node_id
        self._has_run(self._record(right, f"bind node {order.name}"))
        return right

    def _has_run(self, record: Mapping[str, Any]) -> None:
        if ironic.ours(record).get("ready") is False:
            patch = [{"op": "add", "path": f"/extra/{ironic.OURS}/ready", "value": True}]
            self._calls.patch(record["uuid"], patch, f"bind node {ironic.holder(record)}")

    def status(self, node_ids: Sequence[str]) -> dict[str, Status]:
        """Of nodes, and of machines that somebody else has deployed. A machine on which nothing is deployed is no node."""
        found = {}
        for record in self._calls.nodes() if node_ids else ():
            machine_id, doing = record["uuid"], str(record.get("provision_state"))
            if machine_id not in node_ids or doing in ironic.FREE or (doing in _DYING and not ironic.holder(record) and doing != "deleting"):
                continue
            state = ironic.state(doing, record.get("power_state"))
            if doing == "active" and record.get("target_power_state"):
                state, doing = "stopping" if record["target_power_state"] in _OFF else "pending", f"going to {record['target_power_state']}"
            elif doing == "active" and state == "stopped" and ironic.ours(record).get("ready") is False:
                # some ways of deployment leave the machine off, and what was asked for is a node that runs
                self._calls.power(machine_id, "power on", f"start node {machine_id}")
                state, doing = "pending", "being switched on"
            found[machine_id] = Status(state, fault=(record.get("last_error") or "") if state == "error" else "", doing=doing)
        return found

    def publish(self, order: Order, node_id: str) -> str | None:
        record, ports = together(lambda: self._record(node_id, f"reach node {order.name}"), self._calls.ports)
        machines.see_to_address(order, ironic.machine(record, ports, self.cloud.name).evidence, self.cloud.roles)
        return None

    def delete(self, node_id: str) -> None:
        """Have it undeployed, which ends its allocation, too."""
        self.run.patience.run(lambda: self._delete(node_id))

    def _delete(self, node_id: str) -> None:
        record = self._calls.node(node_id)
        if record is None:
            return
        state, name = record.get("provision_state"), ironic.holder(record)
        if state in ironic.FREE:
            self._free_of(record)
        elif state in _DYING:
            return
        elif name is None:
            raise machines.not_ours(node_id, "Undeploy it where it was deployed (baremetal node undeploy).")
        else:
            try:
                self._calls.provision_once(node_id, {"target": "deleted"}, f"release node {name}")
            except FleetError as failure:
                after = self._calls.node(node_id)
                if failure.transient or (after and ironic.holder(after) and after.get("provision_state") not in _DYING):
                    raise

    def _free_of(self, record: Mapping[str, Any]) -> None:
        """End an allocation of ours of a machine on which nothing is deployed."""
        for allocation in self._calls.allocations():
            if allocation["uuid"] == record.get("allocation_uuid") and MARK in (allocation.get("extra") or {}):
                self._undo(record)
                self._calls.free(str(allocation["uuid"]))

    def _undo(self, record: Mapping[str, Any]) -> None:
        patch = request.undo(record)
        if patch:
            self._calls.patch(record["uuid"], patch, f"free machine {record.get('name') or record['uuid']}")

    def leftovers(self, name: str) -> list[str]:
        allocation, stale = self._left(name)
        return _words(name, allocation, stale)

    def marked(self, prefix: str) -> set[str]:
        records, allocations = together(self._calls.nodes, self._calls.allocations)
        marks = {str((allocation.get("extra") or {}).get(MARK) or "") for allocation in allocations}
        marks |= {str((extra.get(ironic.OURS) or {}).get("node") or "") for record in records if (extra := record.get("extra"))}
        return {mark for mark in marks if mark and mark.startswith(prefix)}

    def clean(self, name: str) -> list[str]:
        allocation, stale = self._left(name)
        for record in stale:
            self._undo(record)
        if allocation:
            self._calls.free(str(allocation["uuid"]))
        return _words(name, allocation, stale)

    def _left(self, name: str) -> tuple[Mapping[str, Any] | None, list[Mapping[str, Any]]]:
        """An allocation of that name, and machines with our notes on it, beside those that are its node."""
        allocation = self._calls.allocation(name)
        if allocation is not None and (allocation.get("extra") or {}).get(MARK) != name:
            allocation = None
        stale: list[Mapping[str, Any]] = []
        for record in self._calls.nodes():
            if ironic.holder(record) == name:
                if allocation is not None and allocation.get("node_uuid") == record["uuid"]:
                    allocation = None
            elif ((record.get("extra") or {}).get(ironic.OURS) or {}).get("node") == name:
                stale.append(record)
        return allocation, stale

    def power(self, node_id: str, action: str) -> bool:
        what = f"{action} node {node_id}"
        record = self._record(node_id, what)
        if record.get("provision_state") != "active":
            raise FleetError(what, why=f"machine {record.get('name') or node_id} is {record.get('provision_state')}", code="wrong_state",
                             fix="Only a machine on which something is deployed is switched; wait, or bind it to a node first.")
        off = (record.get("target_power_state") or record.get("power_state")) in _OFF
        if action == "reboot" and off:
            raise FleetError(what, why="it is switched off", code="wrong_state", fix="Start it.")
        if action != "reboot" and off == (action == "stop"):
            return False
        if action == "stop":
            self._has_run(record)
        self._calls.power(node_id, _POWER[action][0], what, *_POWER[action][1:])
        return True

    def tag(self, node_id: str, tags: Mapping[str, str | None]) -> bool:
        patch = request.tags_patch(self._record(node_id, f"tag node {node_id}"), tags)
        if patch:
            self._calls.patch(node_id, patch, f"tag node {node_id}")
        return bool(patch)

    def _record(self, node_id: str, what: str) -> Mapping[str, Any]:
        record = self._calls.node(node_id)
        if record is None:
            raise FleetError(what, why=f"{self.scope} does not know it", code="not_found", fix="Correct the id; node_info lists the nodes.")
        return record


def _words(name: str, allocation: Mapping[str, Any] | None, stale: Sequence[Mapping[str, Any]]) -> list[str]:
    words = [f"allocation {name}"] if allocation else []
    return words + [f"notes on machine {record.get('name') or record['uuid']}" for record in stale]
