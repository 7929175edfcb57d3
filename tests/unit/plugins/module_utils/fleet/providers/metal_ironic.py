# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An Ironic in memory, as its API was seen to answer (39.0): allocations, provision states, locks, lost answers."""
from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.openstack.region import AnswerLost


class Killed(BaseException):
    """The end of the process that was asking."""


class FakeIronic:
    """What BareMetal offers. before, after: called with (method, path) around each request that changes something."""

    def __init__(self) -> None:
        self.nodes: dict[str, dict[str, Any]] = {}
        self.ports: list[dict[str, Any]] = []
        self.allocations: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, str, Any]] = []
        self.locked = 0  # so many requests to machines are refused as locked
        self.leaves_off = False
        self.supports_soft = True
        self.before: Callable[[str, str], None] = lambda method, path: None
        self.after: Callable[[str, str], None] = lambda method, path: None
        self._lock = threading.RLock()

    def add(self, name: str, ip: str | None = None, **values: Any) -> dict[str, Any]:
        node = {
            "uuid": f"uuid-{name}", "name": name, "provision_state": "available", "power_state": "power off", "target_power_state": None,
            "resource_class": "metal", "properties": {"cpus": 8, "memory_mb": "16384", "local_gb": 100, "cpu_arch": "x86_64"},
            "instance_info": {}, "extra": {"rack": "r1"}, "allocation_uuid": None, "instance_uuid": None, "maintenance": False,
            "maintenance_reason": None, "last_error": None, "owner": None, "created_at": None, "retired": False, **values}
        self.nodes[node["uuid"]] = node
        self.ports.append({"address": "52:54:00:00:00:01", "node_uuid": node["uuid"], "physical_network": "dmz", "extra": {"ip": ip} if ip else {}})
        return node

    # -- the API -----------------------------------------------------------------------------------------------
    def pages(self, path: str, key: str, params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        with self._lock:
            rows = {"nodes": list(self.nodes.values()), "ports": self.ports, "allocations": list(self.allocations.values())}[key]
            yield from copy.deepcopy(rows)

    def send(self, method: str, path: str, body: Any = None, *, what: str, ok: tuple[int, ...] = ()) -> tuple[int, dict[str, Any]]:
        if method != "GET":
            self.before(method, path)
        with self._lock:
            status, answer = self._answer(method, path, copy.deepcopy(body))
            answer = copy.deepcopy(answer)
            self._decide()
        if method != "GET":
            self.after(method, path)
            self.asked.append((method, path, body))
        if status >= 400 and status not in ok:
            raise FleetError(what, why=f"HTTP {status}: {answer.get('error_message')}", code="http")
        return status, answer

    def _answer(self, method: str, path: str, body: Any) -> tuple[int, dict[str, Any]]:
        kind, _slash, rest = path.lstrip("/").partition("/")
        ident, _slash, action = rest.partition("/")
        if kind == "allocations":
            return self._allocation(method, ident, body)
        node = self.nodes.get(ident)
        if node is None:
            return 404, {}
        if method == "GET":
            return 200, node
        if self.locked:
            self.locked -= 1
            return 409, {"error_message": "Node is locked by host, please retry"}
        if method == "PATCH":
            return self._patch(node, body)
        return self._provision(node, body) if action == "states/provision" else self._power(node, body["target"])

    def _allocation(self, method: str, ident: str, body: Any) -> tuple[int, dict[str, Any]]:
        found = next((row for row in self.allocations.values() if ident in (row["name"], row["uuid"])), None)
        if method == "POST":
            if any(row["name"] == body["name"] for row in self.allocations.values()):
                return 409, {"error_message": f"An allocation with name {body['name']} already exists."}
            row = {**body, "uuid": f"allocation-{body['name']}", "state": "allocating", "node_uuid": None, "last_error": None, "undecided": True}
            self.allocations[row["uuid"]] = row
            return 201, row
        if found is None:
            return 404, {}
        if method == "GET":
            return 200, found
        node = self.nodes.get(found["node_uuid"] or "")
        if node and node["provision_state"] == "active":
            return 409, {"error_message": "the node is active"}
        if node:
            node["allocation_uuid"] = node["instance_uuid"] = None
        del self.allocations[found["uuid"]]
        return 204, {}

    def _decide(self) -> None:
        """Ironic decides on an allocation in its own time, here after one more request."""
        for row in self.allocations.values():
            if row["state"] == "allocating" and row.pop("undecided", None) is None:
                self._allocate(row)

    def _allocate(self, row: dict[str, Any]) -> None:
        node = self.nodes[row["candidate_nodes"][0]]
        if node["provision_state"] != "available" or node["allocation_uuid"] or node["resource_class"] != row["resource_class"]:
            row.update(state="error", last_error="none of the requested nodes are available")
            return
        node["allocation_uuid"] = node["instance_uuid"] = row["uuid"]
        row.update(state="active", node_uuid=node["uuid"])

    def _patch(self, node: dict[str, Any], patch: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
        for change in patch:
            *parents, last = change["path"].strip("/").split("/")
            if not all(part.replace("-", "").replace("_", "").isalnum() for part in (*parents, last)):
                return 400, {"error_message": "Schema error for patch"}
            place = node
            for part in parents:
                place = place[part]
            if change["op"] == "remove":
                if last not in place:
                    return 400, {"error_message": f"no {last}"}
                del place[last]
            else:
                place[last] = change["value"]
        return 200, node

    def _provision(self, node: dict[str, Any], body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        state, target = node["provision_state"], body["target"]
        if (target, state) not in (("active", "available"), ("deleted", "active"), ("deleted", "deploy failed"), ("deleted", "error")):
            return 400, {"error_message": f"The requested action \"{target}\" can not be performed while it is in state \"{state}\"."}
        if target == "active":
            node["provision_state"] = "deploying"
            node["instance_info"]["configdrive"] = "******"
        else:
            node.update(provision_state="deleting", instance_uuid=None, instance_info={})
        return 202, {}

    def _power(self, node: dict[str, Any], target: str) -> tuple[int, dict[str, Any]]:
        if target.startswith("soft") and not self.supports_soft:
            return 400, {"error_message": "not supported"}
        node["target_power_state"] = "power on" if "reboot" in target else target
        return 202, {}

    # -- time goes on ------------------------------------------------------------------------------------------
    def work(self, fail: str | None = None) -> None:
        """What was begun comes to its end."""
        for node in self.nodes.values():
            if node["provision_state"] == "deploying":
                node["provision_state"] = "deploy failed" if fail else "active"
                node["last_error"] = fail
                if not self.leaves_off:
                    node["power_state"] = "power on"
            elif node["provision_state"] == "deleting":
                self.allocations.pop(node["allocation_uuid"], None)
                node.update(provision_state="available", allocation_uuid=None, power_state="power off")
            if node["target_power_state"]:
                node["power_state"] = node["target_power_state"].removeprefix("soft ")
                node["target_power_state"] = None

    def lose_answer_of(self, method: str, path: str) -> None:
        """The next such request is carried out, but its answer is lost."""
        def lose(now: str, there: str) -> None:
            if (now, there) == (method, path):
                self.after = lambda method, path: None
                raise AnswerLost("ask", why="the connection broke", code="unreachable")

        self.after = lose

    def kill_at(self, step: int, *, carried_out: bool) -> None:
        """The asking process ends at its step-th request that changes something."""
        count = [0]

        def kill(_method: str, _path: str) -> None:
            count[0] += 1
            if count[0] == step:
                self.revive()
                raise Killed

        if carried_out:
            self.after = kill
        else:
            self.before = kill

    def revive(self) -> None:
        self.before = self.after = lambda method, path: None
