# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A tiny Compute Engine that can be changed: the other side of ``test_gce_actions``. Operations, request ids, fingerprints."""
from __future__ import annotations

import copy
import itertools
import threading
from typing import Any

from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.providers.gce_server import (
    FakeGce,
    google_error,
)

Json = dict[str, Any]
BASE = "https://x/compute/v1/projects/acme-prod"


class ChangingGce(FakeGce):
    """One project, acme-prod. resources: path below it -> resource; operations are done when they are asked for the
    ``polls``-th time (0: with the answer); outcomes: errors that the next operations of a verb end with."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.RLock()
        self.resources: dict[str, Json] = {}
        self.operations: dict[str, Json] = {}
        self.by_request: dict[str, str] = {}
        self.outcomes: dict[str, list[Json]] = {}
        self.bodies: list[tuple[str, str, Any]] = []
        self.polls = 1
        self.page_size = 100
        self.numbers = itertools.count(5000)
        self.project: Json = {"kind": "compute#project", "commonInstanceMetadata": {"items": []}}
        for name in ("europe-west1-b", "europe-west1-c", "us-central1-a"):
            self.resources[f"zones/{name}"] = {
                "name": name, "status": "UP", "region": f"{BASE}/regions/{name[:-2]}"}

    # -- reading -----------------------------------------------------------------------------------------------
    def answer(self, path: str, query: dict[str, str]) -> tuple[int, Json]:
        rest = path.removeprefix("/compute/v1/projects/acme-prod").strip("/")
        with self.lock:
            if not rest:
                return 200, self.project
            if "/operations/" in rest:
                return 200, self._polled(rest)
            if rest in self.resources:
                return 200, copy.deepcopy(self.resources[rest])
            head, _slash, last = rest.rpartition("/")
            if last in ("getGuestAttributes", "serialPort") and head in self.resources:
                found = self.resources[head].get(f"_{last}")
                return (200, found) if found else (404, google_error(404, f"The resource '{rest}' was not found", "notFound"))
            if rest.startswith("aggregated/"):
                return 200, self._aggregated(last)
            if last.endswith("s") and "/instances/" not in rest:
                rows = [row for place, row in self.resources.items() if place.rpartition("/")[0] == rest]
                return 200, {"kind": f"compute#{last[:-1] if last != 'addresses' else 'address'}List", "id": rest, "items": rows}
        return 404, google_error(404, f"The resource '{rest}' was not found", "notFound")

    def _aggregated(self, collection: str) -> Json:
        items: dict[str, Json] = {}
        for place, row in self.resources.items():
            scope, _slash, kind = place.rpartition("/")[0].rpartition("/")
            if kind == collection:
                items.setdefault(scope, {collection: []})[collection].append(copy.deepcopy(row))
        return {"kind": f"compute#{collection[:-1]}AggregatedList", "id": "x", "items": items or {"zones/z": {}}}

    def _polled(self, path: str) -> Json:
        operation = self.operations[path]
        operation["polls"] += 1
        if operation["polls"] >= self.polls:
            operation["status"] = "DONE"
        return {key: value for key, value in operation.items() if key != "polls"}

    # -- changing ----------------------------------------------------------------------------------------------
    def change(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Json]:
        rest = path.removeprefix("/compute/v1/projects/acme-prod/")
        with self.lock:
            self.bodies.append((method, rest, body))
            remembered = self.by_request.get(query["requestId"])
            if remembered:
                return 200, {key: value for key, value in self.operations[remembered].items() if key != "polls"}
            verb = "insert" if rest.endswith(("instances", "firewalls")) else "delete" if method == "DELETE" else rest.rpartition("/")[2]
            target = f"{rest}/{body['name']}" if verb == "insert" else rest if method == "DELETE" else rest.rpartition("/")[0]
            if verb == "insert" and target in self.resources:
                return 409, google_error(409, f"The resource 'projects/acme-prod/{target}' already exists", "alreadyExists")
            if verb != "insert" and target not in self.resources:
                return 404, google_error(404, f"The resource 'projects/acme-prod/{target}' was not found", "notFound")
            stale = self._stale(target, verb, body)
            if stale:
                return 412, google_error(412, "Supplied fingerprint does not match current metadata fingerprint.", "conditionNotMet")
            return 200, self._begin(verb, target, body, query["requestId"])

    def _stale(self, target: str, verb: str, body: Any) -> bool:
        if verb == "setMetadata":
            return bool(body["fingerprint"] != self.resources[target]["metadata"]["fingerprint"])
        return verb == "setLabels" and bool(body["labelFingerprint"] != self.resources[target]["labelFingerprint"])

    def _begin(self, verb: str, target: str, body: Any, request_id: str) -> Json:
        number = str(next(self.numbers))
        scope = "global" if target.startswith("global") else "/".join(target.split("/")[:2])
        path = f"{scope}/operations/op-{number}"
        errors = self.outcomes.get(verb)
        failed = errors.pop(0) if errors else None
        if not failed:
            self._effect(verb, target, body, number)
        operation: Json = {
            "kind": "compute#operation", "name": f"op-{number}", "status": "RUNNING" if self.polls else "DONE", "polls": 0,
            "targetId": self.resources.get(target, {}).get("id", number)}
        if scope.startswith("zones/"):
            operation["zone"] = f"{BASE}/{scope}"
        if failed:
            operation["error"] = {"errors": [failed]}
        self.operations[path] = operation
        self.by_request[request_id] = path
        return {key: value for key, value in operation.items() if key != "polls"}

    def _effect(self, verb: str, target: str, body: Any, number: str) -> None:
        if verb == "insert":
            zone = target.split("/")[1]
            self.resources[target] = {"id": number, **copy.deepcopy(body)}
            if "/instances/" in target:
                self.resources[target] |= {
                    "status": "RUNNING", "zone": f"{BASE}/zones/{zone}", "labelFingerprint": "l0",
                    "metadata": {"fingerprint": "m0", **body["metadata"]}}
                for index, nic in enumerate(self.resources[target]["networkInterfaces"]):
                    nic |= {"name": f"nic{index}", "networkIP": "10.0.0.9", "fingerprint": "n0"}
        elif verb == "delete":
            del self.resources[target]
        elif verb == "setMetadata":
            self.resources[target]["metadata"] = {"items": body["items"], "fingerprint": f"m{number}"}
        elif verb == "setLabels":
            self.resources[target] |= {"labels": body["labels"], "labelFingerprint": f"l{number}"}
        elif verb == "addAccessConfig":
            nic = self.resources[target]["networkInterfaces"][0]
            nic["accessConfigs"] = [body]
        elif verb == "updateNetworkInterface":
            self.resources[target]["networkInterfaces"][0] |= body

    # -- looking -----------------------------------------------------------------------------------------------
    def instances_there(self) -> list[str]:
        return [place for place in self.resources if "/instances/" in place]

    def sent(self, ending: str) -> list[Any]:
        """Bodies of the changes whose path ends so."""
        return [body for _method, path, body in self.bodies if path.endswith(ending)]
