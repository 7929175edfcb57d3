# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Finds instances by their ids. A request about one needs its zone and name, which an id does not tell, so they are looked up
once; as a name may be given to another instance later, what is read is compared with the id."""
from __future__ import annotations

import functools
import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ...errors import FleetError
from ..actions import MARK, Status
from ..base import together
from . import api, faults
from .calls import Calls, operation_path
from .shape import STATES, last_part

Row = Mapping[str, Any]

PATIENT = 5.0  # seconds after which an instance at rest should show what it was asked for
_AT_REST = ("running", "stopped", "paused")
_BRIEF = "id,name,zone,status,statusMessage,labels"
_IN_LIST = f"kind,id,nextPageToken,warning,unreachables,items/*/warning,items/*/instances({_BRIEF})"


class _Begun(NamedTuple):
    """An operation on an instance. when: on the clock of the run; makes: the instance is not there before."""

    path: str
    when: float
    makes: bool


class Instances:
    """The instances of one project, found by id or by name."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._lock = threading.Lock()
        self._paths: dict[str, str] = {}
        self._begun: dict[str, _Begun] = {}

    def begun(self, node_id: str, operation: Row, *, makes: bool = False) -> None:
        """Remember what a node was asked for last, to tell why it does not come to be so. makes: whether it was to be made."""
        with self._lock:
            self._begun[node_id] = _Begun(operation_path(operation), self._calls.now(), makes)

    def named(self, name: str) -> list[Row]:
        """The instances of that name, of which there may be one in each zone."""
        found = self._listed(f"look for instance {name}", f'name = "{name}"')
        return [row for row in found if row.get("name") == name]

    def marks(self) -> set[str]:
        """The nodes that instances were made for."""
        found = self._listed("look for instances of nodes", f"labels.{MARK} : *")
        return {str(mark) for row in found if (mark := (row.get("labels") or {}).get(MARK))}

    def in_zone(self, zone: str, name: str) -> Row | None:
        """The instance of that name in that zone."""
        found = self._calls.find(f"look for instance {name}", f"zones/{zone}/instances/{name}", {"fields": _BRIEF})
        return self._known(found) if found else None

    def existing(self, what: str, node_id: str) -> str:
        """Where an instance is below its project. Raises FleetError (not_found) when it is gone."""
        path = self._path(node_id)
        if path is None:
            self._found([node_id])
            path = self._path(node_id)
        if path is None:
            raise gone(what, node_id, self._calls.project)
        return path

    def get(self, what: str, node_id: str, fields: str) -> Row:
        """Fields of one instance. Raises FleetError (not_found)."""
        found = self._calls.find(what, self.existing(what, node_id), {"fields": f"id,{fields}"})
        if found is None or str(found["id"]) != node_id:
            raise gone(what, node_id, self._calls.project)
        return found

    def _path(self, node_id: str) -> str | None:
        with self._lock:
            return self._paths.get(node_id)

    def statuses(self, node_ids: Sequence[str]) -> dict[str, Status]:
        """Where they stand; of those that are gone only the ones whose making failed. One that stays at rest although it was
        asked to change is asked why."""
        wanted = list(dict.fromkeys(node_ids))
        found = self._found(wanted)
        statuses = {node_id: _status(row) for node_id, row in found.items()}
        with self._lock:
            begun = {node_id: self._begun[node_id] for node_id in wanted if node_id in self._begun}
        late = self._calls.now() - PATIENT
        for node_id, what in begun.items():
            status = statuses.get(node_id)
            if what.makes if status is None else status.state in _AT_REST and what.when < late:
                failed = self._failed(node_id, what.path)
                if failed:
                    statuses[node_id] = failed
        return statuses

    def _failed(self, node_id: str, path: str) -> Status | None:
        """Why a node did not become what it was asked to."""
        what = f"read what became of instance {node_id}"
        operation = self._calls.operation(what, path)
        failure = faults.operation_error(what, operation) if operation else None
        return Status("error", fault=failure.why, doing=failure.why) if failure else None

    def _found(self, wanted: list[str]) -> dict[str, Row]:
        """The instances of these ids that are there. What a list does not show is asked for by itself before it counts as
        gone: lists lag behind, and a filter that was understood otherwise must not pass for an end."""
        found: dict[str, Row] = {}
        if len(wanted) != 1 or self._path(wanted[0]) is None:
            chunks = [wanted[start:start + api.IDS_AT_ONCE] for start in range(0, len(wanted), api.IDS_AT_ONCE)]
            lists = together(*(functools.partial(self._listed, "look for instances", api.any_id(chunk)) for chunk in chunks)) if chunks else []
            found = {str(row["id"]): row for rows in lists for row in rows if str(row["id"]) in wanted}
        missing = [node_id for node_id in wanted if node_id not in found]
        known = {node_id: path for node_id in missing if (path := self._path(node_id))}
        for row in together(*(functools.partial(self._alone, *pair) for pair in known.items())) if known else ():
            if row:
                found[str(row["id"])] = row
        if len(known) < len(missing):
            found.update({str(row["id"]): row for row in self._listed("look for instances", "") if str(row["id"]) in missing})
        return found

    def _alone(self, node_id: str, path: str) -> Row | None:
        row = self._calls.find(f"look for instance {node_id}", path, {"fields": _BRIEF})
        return row if row and str(row["id"]) == node_id else None

    def _listed(self, what: str, wanted: str) -> list[Row]:
        query = {"maxResults": str(api.PAGE_SIZE), "fields": _IN_LIST, **({"filter": wanted} if wanted else {})}
        rows = self._calls.lists.rows(what, self._calls.project, "aggregated/instances", query, api.aggregated_page)
        return [self._known(row) for row in rows]

    def _known(self, row: Row) -> Row:
        zone = last_part(row.get("zone"))
        if zone:
            with self._lock:
                self._paths[str(row["id"])] = f"zones/{zone}/instances/{row['name']}"
        return row


def gone(what: str, node_id: str, project: str) -> FleetError:
    return FleetError(what, why=f"project {project} has no instance {node_id}", code="not_found",
                      fix="It may have been deleted; node_info and the inventory show what there is.")


def _status(row: Row) -> Status:
    raw, words = str(row.get("status")), str(row.get("statusMessage") or "")
    state = STATES.get(raw, "unknown")
    return Status(state, fault=words if state == "error" else "", doing=": ".join(filter(None, (raw, words))))
