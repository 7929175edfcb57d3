# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Makes an instance, once, whatever happens to requests and answers.

Three things keep it one: Google takes no second instance of a name in a zone; a request that is sent again carries the same
requestId; and before anything is sent the project is searched for the name in all zones.

A requestId is remembered by Google longer than the instance may live: asked again, it answers with the operation of then,
done, although its instance was deleted since (or never came to be). So an answer that is finished when it comes is checked
against what there is, and the request is sent again under the next id, which every run derives the same.
"""
from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...catalog import meet
from ...errors import FleetError
from ..actions import MARK, Order
from ..base import Run, together
from . import insertion
from .calls import Calls
from .catalog import home_region
from .instances import Instances
from .names import digest, request_id, rotated
from .node_rules import NodeRules
from .offers import Offers
from .shape import last_part

Row = Mapping[str, Any]

FOLLOWED = 30.0  # seconds an insertion is followed for its errors; then ``status`` tells of them
_LIVES = 20  # how often the same order can have failed or been deleted while Google remembers its requests
_ENDING = frozenset({"STOPPING", "PENDING_STOP", "DEPROVISIONING"})
_LAST_BREATH = 120.0  # seconds to wait for the end of an instance that is stopping or being deleted
_BREATH = 1.0
_GLANCES = 6  # looks for an instance whose name is taken: it shows a moment after that


class Creation:
    """Makes the instances of one project. os_login: whether its metadata turns OS Login on."""

    def __init__(
        self, calls: Calls, instances: Instances, offers: Offers, rules: NodeRules, run: Run,
        os_login: Callable[[], bool], only_zones: Sequence[str],
    ) -> None:
        self._calls = calls
        self._instances = instances
        self._offers = offers
        self._rules = rules
        self._run = run
        self._os_login = os_login
        self._only_zones = only_zones

    def create(self, order: Order) -> str:
        """The id of the instance."""
        insertion.check(order)
        marked = dataclasses.replace(order, tags={**order.tags, MARK: order.name})
        zones, found, os_login = together(
            lambda: self._zones(marked), lambda: self._instances.named(order.name),
            lambda: bool(order.public_key) and self._os_login())
        stranger = None
        for row in found:
            zone = last_part(row.get("zone")) or ""
            if not _ours(row, order.name):
                stranger = row if zone in zones else stranger
            elif left := self._lasting(zone, row):
                self._rules.secure(order)
                return str(left["id"])
        if stranger:
            raise _taken(order.name, stranger)
        self._rules.secure(order)
        lost: FleetError | None = None
        for zone in zones:
            try:
                return self._insert(marked, zone, os_login)
            except FleetError as failure:
                if failure.code != "capacity":
                    raise
                lost = failure
                self._run.note(f"{failure.what}: {failure.why}")
        if lost is None:
            raise AssertionError("lost is known here")
        raise lost

    # -- where -------------------------------------------------------------------------------------------------
    def _zones(self, order: Order) -> list[str]:
        """The zones to try, in order. Raises FleetError when there is none."""
        what = f"choose a zone for node {order.name}"
        usable = self._offers.usable_zones()
        names = [zone.name for zone in usable]
        bound = order.network.zones if order.network else ()
        if order.zone:
            if order.zone not in names:
                raise FleetError(what, why=f"zone {order.zone} is not there, not up, or not among 'zones' of the fleet file",
                                 code="refused", fix=f"Zones that can be used: {', '.join(names) or 'none'}.")
            if order.network and not meet(bound, (order.zone,)):
                raise FleetError(what, why=f"network {order.network.name} is in {', '.join(bound)}, not in {order.zone}", code="refused",
                                 fix="Name a zone of those, or a network of that zone's region.")
            return [order.zone]
        zones = [name for name in names if meet(order.flavor.zones, (name,)) and meet(bound, (name,))]
        if not bound:  # a network of the whole world: near before far
            home = home_region(usable, self._run.environ, self._only_zones)
            zones = [zone.name for zone in usable if zone.name in zones and zone.region == home] or zones
        if not zones:
            where = f"of those of network {order.network.name}" if order.network and bound else "that can be used"
            raise FleetError(what, why=f"{order.flavor.name} is not offered in any zone {where}", code="refused",
                             fix="Choose another flavor, or another network.")
        return rotated(order.name, zones)

    # -- making ------------------------------------------------------------------------------------------------
    def _insert(self, order: Order, zone: str, os_login: bool) -> str:
        what = f"make instance {order.name} in {zone}"
        body = insertion.body(order, zone, project=self._calls.project, os_login=os_login)
        said = digest(json.dumps(body, sort_keys=True))  # another order of that name is another request
        for life in range(_LIVES):
            try:
                operation = self._calls.begin(
                    "POST", what, f"zones/{zone}/instances", body, request_id=request_id(order.token, zone, said, life))
            except FleetError as failure:
                if failure.code != "exists":
                    raise
                present = self._present(order, zone, failure)
                if present:
                    return present
                continue
            remembered = operation.get("status") == "DONE"
            try:
                done = self._calls.finish(what, operation, FOLLOWED)
            except FleetError as failure:
                if failure.code == "exists" and (present := self._present(order, zone, failure)):
                    return present
                if remembered or failure.code == "exists":  # the failure of an earlier run
                    continue
                raise
            target = str(operation.get("targetId"))
            if not done:
                self._instances.begun(target, operation, makes=True)
            found = self._instances.in_zone(zone, order.name)
            if found and _ours(found, order.name) and (str(found["id"]) == target or self._lasting(zone, found)):
                return str(found["id"])
            if not done:
                return target
            if not remembered:
                raise FleetError(what, why=f"instance {target} was made, and is gone again", code="vanished",
                                 fix="Somebody or something removed it; run again.")
        raise FleetError(what, why=f"Google answers with what became of {_LIVES} earlier requests", code="refused",
                         fix="Wait an hour until it has forgotten them, or choose another name.")

    def _present(self, order: Order, zone: str, taken: FleetError) -> str | None:
        """The id of the instance that has the name already, when it is ours; None when it ended meanwhile. Raises
        FleetError when it is not ours."""
        for glance in range(_GLANCES):
            found = self._instances.in_zone(zone, order.name)
            if found is None:
                self._run.patience.sleep(0.25 * 2**glance)
                continue
            if not _ours(found, order.name):
                raise _taken(order.name, found)
            left = self._lasting(zone, found)
            return str(left["id"]) if left else None
        raise taken  # not an instance: a disk of that name, for example, and the words say so

    def _lasting(self, zone: str, row: Row) -> Row | None:
        """The instance when it stays, None when it was on its way out: Google calls both STOPPING, so the end is awaited."""
        found: Row | None = row
        ends = self._run.patience.clock() + _LAST_BREATH
        while found and found.get("status") in _ENDING and self._run.patience.clock() < ends:
            self._run.patience.request_timeout()  # raises when the time of the run is over
            self._run.patience.sleep(_BREATH)
            found = self._instances.in_zone(zone, str(row["name"]))
        return found if found and found["id"] == row["id"] else None


def _ours(row: Row, name: str) -> bool:
    return (row.get("labels") or {}).get(MARK) == name


def _taken(name: str, row: Row) -> FleetError:
    mark = (row.get("labels") or {}).get(MARK)
    maker = f"made for node {mark} (label {MARK})" if mark else f"not made by this collection (no label {MARK})"
    return FleetError(
        f"make instance {name}", why=f"zone {last_part(row.get('zone'))} has an instance of that name already, {maker}",
        code="exists", fix="Choose another name, or remove that instance.")
