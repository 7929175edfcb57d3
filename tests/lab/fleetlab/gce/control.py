# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Control calls below /_lab/: what no cloud offers and a test needs. JSON in, JSON out; README.md lists them."""

from __future__ import annotations

import copy
import json
import secrets
from collections.abc import Mapping
from typing import Any

from . import catalog, projects
from .errors import ApiError, Json
from .events import Journal
from .metadata_server import MetadataServer
from .store import path_of
from .wire import Request, Response, error_response, json_response
from .world import World

_LONGEST_WAIT = 60.0  # seconds a reader of events may wait for one


class Control:
    """Answers the control calls of one emulator."""

    def __init__(self, world: World, journal: Journal, metadata: MetadataServer) -> None:
        self._world, self._journal, self._metadata = world, journal, metadata
        self._calls: dict[tuple[str, str], Any] = {
            ("GET", ""): self._about,
            ("GET", "log"): self._log,
            ("GET", "events"): self._events,
            ("GET", "instances"): self._instances,
            ("POST", "clear"): self._clear,
            ("POST", "fault"): self._fault,
            ("POST", "unreachable"): self._unreachable,
            ("POST", "expire"): self._expire,
            ("POST", "projects"): self._project,
            ("POST", "principals"): self._principal,
            ("POST", "machine-type"): self._machine_type,
            ("POST", "metadata-server"): self._place,
            ("POST", "guest"): self._guest,
            ("POST", "delay"): self._delay,
        }

    def answer(self, request: Request, path: str) -> Response:
        call = self._calls.get((request.http, path.strip("/")))
        try:
            if call is None:
                known = ", ".join(f"{http} /_lab/{name}" for http, name in self._calls)
                raise ApiError(404, "notFound", f"no such control call; there are {known}")
            body = json.loads(request.body or "{}")
            return json_response(
                200, json.dumps(call(body, {name: values[-1] for name, values in request.query.items()}))
            )
        except ApiError as failure:
            return error_response(failure)
        except (KeyError, TypeError, ValueError) as failure:
            return error_response(ApiError(400, "invalid", f"control call {path}: {type(failure).__name__}: {failure}"))

    def _about(self, body: Json, query: Mapping[str, str]) -> Json:
        with self._world.store.lock:
            names = sorted(str(project["name"]) for project in self._world.store.children("projects"))
        return {"document": self._world.discovery.revision, "projects": names}

    def _log(self, body: Json, query: Mapping[str, str]) -> list[Json]:
        return list(self._world.faults.log)

    def _events(self, body: Json, query: Mapping[str, str]) -> list[Json]:
        return self._journal.after(int(query.get("after", 0)), min(float(query.get("wait", 0)), _LONGEST_WAIT))

    def _instances(self, body: Json, query: Mapping[str, str]) -> list[Json]:
        """Every instance of every project with what its network and project say: for the lab's hosts, which stand behind them."""
        store = self._world.store
        with store.lock:
            found = [
                {
                    "project": project["name"],
                    "number": project["id"],
                    "project_metadata": project["commonInstanceMetadata"],
                    "restarted": self._world.restarts.get(instance["id"], 0.0),
                    "instance": instance,
                    "subnetworks": {
                        nic["subnetwork"]: store.find(path_of(nic["subnetwork"], str(project["name"])))
                        for nic in instance["networkInterfaces"]
                        if nic.get("subnetwork")
                    },
                }
                for project in store.children("projects")
                for zone in catalog.ZONES
                for instance in store.children(f"projects/{project['name']}/zones/{zone}/instances")
            ]
            return copy.deepcopy(found)  # it is written out after the lock is given back

    def _clear(self, body: Json, query: Mapping[str, str]) -> Json:
        self._world.faults.clear()
        return {}

    def _fault(self, body: Json, query: Mapping[str, str]) -> Json:
        self._world.faults.add(body)
        return {}

    def _unreachable(self, body: Json, query: Mapping[str, str]) -> Json:
        self._world.faults.set_unreachable(
            [f"zones/{zone}" for zone in body["zones"]], bool(body.get("needs_flag", True))
        )
        return {}

    def _expire(self, body: Json, query: Mapping[str, str]) -> Json:
        """All tokens end now; with ``lifetime`` new ones last that many seconds."""
        if "lifetime" in body:
            self._world.principals.token_lifetime = int(body["lifetime"])
        self._world.principals.expire()
        return {}

    def _delay(self, body: Json, query: Mapping[str, str]) -> Json:
        """How long an operation takes from now on."""
        self._world.operations.delay = float(body["seconds"])
        return {}

    def _project(self, body: Json, query: Mapping[str, str]) -> Json:
        with self._world.store.lock:
            project = projects.create(self._world, str(body["project"]))
            return {
                "project": project["name"],
                "number": project["id"],
                "default_service_account": project["defaultServiceAccount"],
            }

    def _principal(self, body: Json, query: Mapping[str, str]) -> Json:
        """Make or change an identity; answers with its credentials (new ones on every call)."""
        kind = str(body.get("kind", "service_account"))
        principal = self._world.principals.ensure(str(body["email"]), kind)
        roles = dict(body.get("grants") or {})
        if not set(roles.values()) <= {"viewer", "networkUser", "admin"}:
            raise ValueError("grants are {project: viewer, networkUser or admin}")
        principal.grants.update(roles)
        principal.impersonators.update(body.get("impersonators") or [])
        if kind == "service_account":
            return self._world.principals.new_key(principal, str(body.get("project") or next(iter(roles), "")))
        secret = secrets.token_urlsafe(32)
        principal.secrets.add(secret)
        if kind == "federated":
            return {"subject_token": secret}
        return {
            "type": "authorized_user",
            "client_id": "lab.apps.example.com",
            "client_secret": secrets.token_urlsafe(16),
            "refresh_token": secret,
        }

    def _machine_type(self, body: Json, query: Mapping[str, str]) -> Json:
        """Offer a machine type in these zones of a project only, as Google does with the newest and the oldest ones."""
        with self._world.store.lock:
            for zone in set(catalog.ZONES) - set(body["zones"]):
                self._world.store.remove(f"projects/{body['project']}/zones/{zone}/machineTypes/{body['name']}")
        return {}

    def _place(self, body: Json, query: Mapping[str, str]) -> Json:
        """Say which instance's metadata server /computeMetadata/v1/ is."""
        with self._world.store.lock:
            number = self._world.store.get(f"projects/{body['project']}")["id"]
        self._metadata.place(str(body["email"]), str(body["project"]), number, str(body.get("zone", "us-central1-a")))
        return {}

    def _guest(self, body: Json, query: Mapping[str, str]) -> Json:
        """What a real host behind an instance printed on its console or published as guest attributes."""
        path = str(body["instance"])
        with self._world.store.lock:
            self._world.store.get(path)
            self._world.consoles[path] = self._world.consoles.get(path, "") + str(body.get("console", ""))
            self._world.guest_attributes.setdefault(path, {}).update(body.get("attributes") or {})
        return {}
