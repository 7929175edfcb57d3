# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Requests to an Ironic, with its ways: machines that are locked while it works, and allocations that take a moment."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import FleetError
from ...retry import Patience
from ..openstack.region import AnswerLost
from . import ironic

if TYPE_CHECKING:
    from ..openstack.client import BareMetal

_POLL = 0.3  # seconds between two looks at an allocation
_LOCKED = 409


class Calls:
    """The connection is made with the first request."""

    def __init__(self, patience: Patience, connect: Callable[[], BareMetal]) -> None:
        self._patience = patience
        self._connect = connect
        self._connected: BareMetal | None = None

    @property
    def _api(self) -> BareMetal:
        if self._connected is None:
            self._connected = self._connect()
        return self._connected

    # -- reading -----------------------------------------------------------------------------------------------
    def nodes(self) -> list[dict[str, Any]]:
        return list(self._api.pages("/nodes/detail", "nodes", {}))

    def ports(self) -> list[dict[str, Any]]:
        return list(self._api.pages("/ports", "ports", {"fields": ",".join(ironic.PORT_FIELDS)}))

    def allocations(self) -> list[dict[str, Any]]:
        return list(self._api.pages("/allocations", "allocations", {}))

    def node(self, node_id: str) -> dict[str, Any] | None:
        return self._one(f"/nodes/{node_id}", f"read machine {node_id}")

    def allocation(self, name: str) -> dict[str, Any] | None:
        return self._one(f"/allocations/{name}", f"read allocation {name}")

    def _one(self, path: str, what: str) -> dict[str, Any] | None:
        status, body = self._api.send("GET", path, what=what, ok=(404,))
        return None if status == 404 else body

    # -- allocations -------------------------------------------------------------------------------------------
    def allocate(self, name: str, wanted: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        """The allocation of that name: the one that there is, else a new one as wanted says."""
        what = f"allocate a machine for node {name}"

        def once() -> Mapping[str, Any]:
            found = self.allocation(name)
            if found is not None:
                return found
            try:
                status, body = self._api.send("POST", "/allocations", wanted(), what=what, ok=(_LOCKED,))
            except AnswerLost as lost:  # it may have been made: the next try sees it
                raise FleetError(what, why=lost.why, fix=lost.fix, code=lost.code, transient=True) from lost
            if status == _LOCKED:
                raise self._busy(what, body)  # another run was quicker
            return body

        return self._patience.run(once)

    def settled(self, allocation: Mapping[str, Any]) -> Mapping[str, Any]:
        """The allocation when Ironic has decided on it."""
        what = f"allocate a machine for node {allocation['name']}"
        found: Mapping[str, Any] | None = allocation
        while found is not None and found.get("state") == "allocating":
            if self._patience.remaining() <= _POLL:
                raise self._patience.out_of_time(FleetError(what, why="Ironic has not decided"))
            self._patience.sleep(_POLL)
            found = self.allocation(str(allocation["uuid"]))
        if found is None:
            raise FleetError(what, why="its allocation was removed by somebody else", code="vanished", fix="Run again.")
        return found

    def free(self, allocation: str) -> None:
        """End an allocation; no failure when it is gone, or when its machine has meanwhile been deployed."""
        self._api.send("DELETE", f"/allocations/{allocation}", what=f"end allocation {allocation}", ok=(404, _LOCKED))

    # -- machines ----------------------------------------------------------------------------------------------
    def patch(self, node_id: str, patch: Sequence[Mapping[str, Any]], what: str) -> None:
        self._patience.run(lambda: self.patch_once(node_id, patch, what))

    def patch_once(self, node_id: str, patch: Sequence[Mapping[str, Any]], what: str) -> None:
        """Change a machine's record; a FleetError that passes when it is locked."""
        self._unlocked("PATCH", f"/nodes/{node_id}", list(patch), what)

    def provision_once(self, node_id: str, body: Mapping[str, Any], what: str) -> None:
        """Ask for another provision state; a FleetError that passes when the machine is locked, or on its way somewhere."""
        try:
            self._unlocked("PUT", f"/nodes/{node_id}/states/provision", body, what)
        except FleetError as failure:
            failure.fix = "Read Ironic's words, and correct the machine or the image of the fleet file."
            raise

    def power(self, node_id: str, target: str, what: str, *instead: str) -> None:
        """Ask for another state of power; instead: what else to ask for where the hardware cannot do that."""
        def once(target: str, ok: tuple[int, ...]) -> bool:
            return self._unlocked("PUT", f"/nodes/{node_id}/states/power", {"target": target}, what, ok) < 400

        for number, wanted in enumerate((target, *instead)):
            last = number == len(instead)
            if self._patience.run(lambda wanted=wanted, last=last: once(wanted, () if last else (400,))):  # type: ignore[misc]
                return

    def _unlocked(self, method: str, path: str, body: Any, what: str, ok: tuple[int, ...] = ()) -> int:
        status, answer = self._api.send(method, path, body, what=what, ok=(*ok, _LOCKED))
        if status == _LOCKED:
            raise self._busy(what, answer)
        return status

    @staticmethod
    def _busy(what: str, answer: Mapping[str, Any]) -> FleetError:
        told = answer.get("error_message") or answer.get("message") or "it is being worked on"
        return FleetError(what, why=f"Ironic says for now: {told}", code="busy", transient=True, fix="Run again when Ironic is done with it.")
