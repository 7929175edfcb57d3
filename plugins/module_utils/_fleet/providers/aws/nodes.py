# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Instances that are there: where they stand, power, tags, console, their end."""
from __future__ import annotations

import base64
import binascii
import functools
import threading
from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element

from ...errors import FleetError
from ...host_keys import from_console
from ..actions import Status
from ..base import together
from . import instances, launch, xmltree
from .client import Ec2
from .operations import CONSOLE, REBOOT, SET_TAGS, START, STOP, TERMINATE, UNSET_TAGS
from .shape import STATES

IDS_AT_ONCE = 200  # the most values that one request may filter by

_AS_ASKED = ("", "Client.UserInitiatedShutdown", "Client.InstanceInitiatedShutdown")
"""Reasons of a termination that somebody asked for."""

_CALLS = {"start": START, "stop": STOP, "reboot": REBOOT}
_DONE = {"start": ("running", "pending"), "stop": ("stopped", "stopping"), "reboot": ()}
_FROM = {"start": ("stopped",), "stop": ("running", "pending"), "reboot": ("running",)}


class Nodes:
    """The instances of one region."""

    def __init__(self, ec2: Ec2, region: str) -> None:
        self._ec2 = ec2
        self._region = region
        self._lock = threading.Lock()
        self._made: set[str] = set()  # here, and not ended here

    def note_made(self, node_id: str) -> None:
        """Remember an instance that was made here: should AWS end it by itself, that is a failure to tell."""
        with self._lock:
            self._made.add(node_id)

    def read(self, what: str, node_id: str) -> Element:
        for item in instances.find(self._ec2, self._region, "instance-id", [node_id]):
            return item
        raise FleetError(what, why=f"AWS does not know instance {node_id}", code="not_found", fix="List the nodes again.")

    def status(self, ids: Sequence[str]) -> dict[str, Status]:
        """Where these instances stand. Asked for by a filter, as naming one that is gone would fail for all."""
        if not ids:
            return {}
        chunks = [ids[start:start + IDS_AT_ONCE] for start in range(0, len(ids), IDS_AT_ONCE)]
        answers = together(*[functools.partial(instances.find, self._ec2, self._region, "instance-id", chunk) for chunk in chunks])
        told = ((instances.id_of(item), self._status(item)) for answer in answers for item in answer)
        return {node_id: status for node_id, status in told if status}

    def _status(self, item: Element) -> Status | None:
        """Where an instance stands; None when it is gone."""
        state = instances.state_of(item)
        code, message = item.findtext("stateReason/code", ""), item.findtext("stateReason/message", "")
        if state != "terminated":
            return Status(STATES.get(state, "unknown"), doing=state)
        with self._lock:
            lost = instances.id_of(item) in self._made
        return Status("error", fault=message or code) if lost and code not in _AS_ASKED else None

    def end(self, node_id: str) -> None:
        with self._lock:
            self._made.discard(node_id)
        try:
            self._ec2.ask(self._region, TERMINATE, {"InstanceIds": [node_id]})
        except FleetError as failure:
            if failure.code == "not_found":
                return
            if failure.why.startswith("OperationNotPermitted"):
                failure.fix = "Switch off the termination protection of the instance (disableApiTermination) first."
            raise

    def power(self, node_id: str, action: str) -> bool:
        what = f"{action} node {node_id}"
        state = instances.state_of(self.read(what, node_id))
        if state in _DONE[action]:
            return False
        if state not in _FROM[action]:
            raise FleetError(
                what, why=f"it is {state}", code="wrong_state", fix=f"Wait until it is {' or '.join(_FROM[action])}, and run again.")
        self._ec2.ask(self._region, _CALLS[action], {"InstanceIds": [node_id]})
        return True

    def tag(self, node_id: str, tags: Mapping[str, str | None]) -> bool:
        has = xmltree.tags(self.read(f"tag node {node_id}", node_id))
        put = {key: value for key, value in tags.items() if value is not None and has.get(key) != value}
        drop = [key for key, value in tags.items() if value is None and key in has]
        launch.check_tags(put)
        if put:
            self._ec2.ask(self._region, SET_TAGS, {"Resources": [node_id], "Tags": [{"Key": key, "Value": value} for key, value in put.items()]})
        if drop:
            self._ec2.ask(self._region, UNSET_TAGS, {"Resources": [node_id], "Tags": [{"Key": key} for key in drop]})
        return bool(put or drop)

    def host_keys(self, node_id: str) -> tuple[str, ...] | None:
        """From the console, as it is now where the instance type can tell (Nitro), else as of the last start."""
        try:
            answer = self._ec2.ask(self._region, CONSOLE, {"InstanceId": node_id, "Latest": True})
        except FleetError as failure:
            if failure.code not in ("unsupported", "refused"):
                raise
            answer = self._ec2.ask(self._region, CONSOLE, {"InstanceId": node_id})
        try:
            text = base64.b64decode(answer.findtext("output") or "").decode("utf-8", errors="replace")
        except binascii.Error:
            return None
        return from_console(text) or None
