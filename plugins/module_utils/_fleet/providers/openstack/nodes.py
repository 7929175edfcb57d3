# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Servers that are there: where they stand, power, metadata, console."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ... import host_keys
from ...errors import FleetError
from ..actions import MARK, Status
from ..base import together
from .refusals import fault_of, refusal
from .request import adapted_tags
from .shape import state_of

if TYPE_CHECKING:
    from .region import Region

FEW = 5  # servers asked for one by one; beyond that the listing is cheaper
PAGE = 1000

_STARTS: Mapping[str, Mapping[str, Any]] = {
    "SHUTOFF": {"os-start": None}, "PAUSED": {"unpause": None}, "SUSPENDED": {"resume": None},
    "SHELVED": {"unshelve": None}, "SHELVED_OFFLOADED": {"unshelve": None},
}
"""Nova's status -> the action that makes the server run."""

_DONE = {"start": ("running",), "stop": ("stopped",), "reboot": ()}
_ON_THE_WAY = {"start": ("powering-on", "unpausing", "resuming", "unshelving"), "stop": ("powering-off",),
               "reboot": ("rebooting", "reboot_pending", "reboot_started")}


class Nodes:
    """The servers of one region."""

    def __init__(self, region: Region) -> None:
        self._region = region

    def status(self, ids: Sequence[str]) -> dict[str, Status]:
        """Where these servers stand; those that are gone are left out. Nova takes no list of ids from users, so a few are
        asked for at the same time, and many are picked out of the listing."""
        if len(ids) <= FEW:
            rows = together(*[lambda node=node: self._find(node) for node in ids]) if ids else []
        else:
            wanted = set(ids)
            pages = self._region.pages("compute", "/servers/detail", "servers", {"limit": PAGE}, what="list servers")
            rows = [row for page in pages for row in page if row.get("id") in wanted]
        return {row["id"]: _status(row) for row in rows if row and row.get("status") not in ("DELETED", "SOFT_DELETED")}

    def marks(self) -> set[str]:
        """The nodes that servers were made for; those on their way out do not count. Nova cannot be asked for metadata."""
        pages = self._region.pages("compute", "/servers/detail", "servers", {"limit": PAGE}, what="list servers")
        return {str((row.get("metadata") or {}).get(MARK) or "") for page in pages for row in page if state_of(row) != "deleting"} - {""}

    def _find(self, node_id: str) -> dict[str, Any] | None:
        status, told = self._region.send("GET", "compute", _path(node_id), what=f"read node {node_id}", ok=(404,))
        return None if status == 404 else told.get("server")

    def _read(self, node_id: str, what: str) -> dict[str, Any]:
        server = self._find(node_id)
        if server is None:
            raise FleetError(what, why=f"the cloud has no node {node_id}", fix="List the nodes again.", code="not_found")
        return server

    def power(self, node_id: str, action: str) -> bool:
        """start, stop or reboot; whether something had to be asked for."""
        what = f"{action} node {node_id}"
        server = self._read(node_id, what)
        if self._underway(server, action):
            return False
        request = self._request(server, action, what)
        status, told = self._region.post(
            "compute", f"{_path(node_id)}/action", request, what=what, ok=(400, 403, 404, 409),
            look=lambda: (202, {}) if self._underway(self._read(node_id, what), action) else None)
        if status == 409:  # it was doing something else meanwhile, perhaps just this
            again = self._read(node_id, what)
            if self._underway(again, action):
                return False
            raise FleetError(what, why=str(refusal(what, status, told).why) + f" (it is {_described(again)})", code="wrong_state",
                             fix="Wait until the cloud has done what it is busy with, and run again.")
        if status >= 400:
            raise refusal(what, status, told)
        return True

    @staticmethod
    def _underway(server: Mapping[str, Any], action: str) -> bool:
        task = server.get("OS-EXT-STS:task_state")
        if task:
            return task in _ON_THE_WAY[action]
        return state_of(server) in _DONE[action]

    @staticmethod
    def _request(server: Mapping[str, Any], action: str, what: str) -> Mapping[str, Any]:
        status = str(server.get("status"))
        request: Mapping[str, Any] | None = None
        if action == "start":
            request = _STARTS.get(status)
        elif action == "stop" and status in ("ACTIVE", "ERROR"):
            request = {"os-stop": None}
        elif action == "reboot" and status == "ACTIVE":
            request = {"reboot": {"type": "SOFT"}}
        if request is None:
            raise FleetError(what, why=f"it is {_described(server)}", code="wrong_state",
                             fix="Bring the node into state running or stopped first.")
        return request

    def tag(self, node_id: str, tags: Mapping[str, str | None]) -> bool:
        """Set or remove metadata; whether something changed."""
        what = f"tag node {node_id}"
        goal = adapted_tags({key: value for key, value in tags.items() if value is not None})
        present = self._region.get("compute", f"{_path(node_id)}/metadata", what=what).get("metadata") or {}
        changed = {key: value for key, value in goal.items() if present.get(key) != value}
        gone = [key for key, value in tags.items() if value is None and key in present]
        if changed:
            status, told = self._region.post(
                "compute", f"{_path(node_id)}/metadata", {"metadata": changed}, what=what, ok=(400, 403, 409))
            if status >= 400:
                raise refusal(what, status, told)
        for key in gone:
            self._region.send("DELETE", "compute", f"{_path(node_id)}/metadata/{quote(key, safe='')}", what=what, ok=(404,))
        return bool(changed or gone)

    def host_keys(self, node_id: str) -> tuple[str, ...] | None:
        """SSH host keys from the console; None when it shows none (yet), or the cloud shows no console."""
        request: Mapping[str, Any] = {"os-getConsoleOutput": {}}
        status, told = self._region.post(
            "compute", f"{_path(node_id)}/action", request, what=f"read the console of node {node_id}", ok=(400, 403, 404, 409, 501))
        return host_keys.from_console(str(told.get("output") or "")) or None if status < 400 else None


def _path(node_id: str) -> str:
    return f"/servers/{quote(node_id, safe='')}"


def _status(server: Mapping[str, Any]) -> Status:
    return Status(state_of(server), fault_of(server), str(server.get("OS-EXT-STS:task_state") or ""))


def _described(server: Mapping[str, Any]) -> str:
    task = server.get("OS-EXT-STS:task_state")
    return str(server.get("status")) + (f", busy with {task}" if task else "")
