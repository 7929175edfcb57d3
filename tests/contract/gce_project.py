# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the tests of the provider gce on the lab share: a project of their own, seen by the collection and behind its back."""
from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.collect import Settings
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.ending import absent
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import Cloud, parse_clouds
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.making import present
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.opened import Opened
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.outcomes import Making, Outcome
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.actions import Actions
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.requirement import parse
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import STATES
from fleetlab.gce.seed import Client

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAabQkGZ9m1Zf0T1rcpB3bq1dVDJ1oPmJrYl0sWm1zPk node key"
COLLECTIONS = ("aggregated/instances", "aggregated/disks", "aggregated/addresses", "global/firewalls")


def make_project(name: str, folder: Path, account: str = "actions", **grants: str) -> Path:
    """A new project with a default network, and the key file of its administrator. grants: roles in other projects."""
    client = Client(os.environ["FLEET_LAB_GCE_URL"])
    client.call("POST", "_lab/projects", {"project": name})
    key = client.call("POST", "_lab/principals", {
        "email": f"{account}@{name}.iam.gserviceaccount.com", "project": name, "grants": {name: "admin", **grants}})
    path = folder / f"{name}-{account}.json"
    path.write_text(json.dumps(key), encoding="utf-8")
    return path


class Api:
    """The project behind the collection's back."""

    def __init__(self, project: str, key_file: Path) -> None:
        self.project = project
        self.client = Client(os.environ["FLEET_LAB_GCE_URL"])
        self.client.log_in(json.loads(key_file.read_text(encoding="utf-8")))

    def read(self, path: str) -> Any:
        return self.client.compute("GET", f"{self.project}/{path}")

    def do(self, http: str, path: str, body: dict[str, Any] | None = None) -> None:
        self.client.finish([self.client.compute(http, f"{self.project}/{path}", body)])

    def things(self) -> set[str]:
        """Everything that nodes could leave behind."""
        found = set()
        for path in COLLECTIONS:
            items = self.read(path).get("items", [])
            lists = [rows for scope in items.values() for rows in scope.values() if isinstance(rows, list)] if isinstance(items, dict) else [items]
            found |= {row["selfLink"] for rows in lists for row in rows}
        return found

    def instance(self, node_id: str) -> Any:
        return next(row for scope in self.read("aggregated/instances")["items"].values()
                    for row in scope.get("instances", []) if row["id"] == node_id)

    def fault(self, *, zone: str | None = None, **order: Any) -> None:
        """The next requests of this project that match go wrong; zone: only those to that one."""
        self.client.call("POST", "_lab/fault", {"query": {"project": self.project, **({"zone": zone} if zone else {})}, **order})


def cloud(key_file: Path, project: str, **keys: Any) -> Cloud:
    entry = {"provider": "gce", "projects": [project], "credentials_file": str(key_file), "endpoint": os.environ["FLEET_LAB_GCE_URL"], **keys}
    return parse_clouds({"google": entry}, "fleet.yml")[0]


def settings() -> Settings:
    return Settings(timeout=60, retries=4, workers=8, states=STATES, extra=(), base_dir=".", environ=os.environ)


def opened(key_file: Path, project: str, **keys: Any) -> Actions:
    return Opened(cloud(key_file, project, **keys), settings()).actions(project)


SMALL = {"vcpus": 2, "memory_mib": 2048}


class Place:
    """A project in which nodes are made, and removed again."""

    def __init__(self, project: str, key_file: Path) -> None:
        self.project, self.key_file = project, key_file
        self.api = Api(project, key_file)
        self.names: list[str] = []

    def make(self, name: str, **wished: Any) -> Outcome:
        self.names.append(name)
        wanted = {"name": name, "image": {"distro": "debian", "version": "12"}, "flavor": SMALL, "public_key": KEY, **wished}
        keys = {"zones": wanted.pop("only_zones", [])}
        (outcome,) = present(cloud(self.key_file, self.project, **keys), [parse(wanted, "test")], Making(60, 4, settings()))
        return outcome

    def made(self, name: str, **wished: Any) -> tuple[str, str]:
        """Zone and subnetwork of a node that is made; both from the API."""
        outcome = self.make(name, **wished)
        assert not outcome.failure, outcome.failure
        assert outcome.node
        row = self.api.instance(outcome.node.id)
        return row["zone"].rpartition("/")[2], row["networkInterfaces"][0]["subnetwork"].partition("/v1/")[2]

    def remove(self) -> None:
        outcomes = absent(cloud(self.key_file, self.project), self.names, [], Making(60, 4, settings()))
        assert not [outcome.failure for outcome in outcomes if outcome.failure]

    def refused(self, name: str, **wished: Any) -> str:
        outcome = self.make(name, **wished)
        assert outcome.failure
        return str(outcome.failure)


def living(project: str, key_file: Path) -> Iterator[Place]:
    """A place for one test, which must leave nothing behind."""
    place = Place(project, key_file)
    before = place.api.things()
    yield place
    place.api.client.call("POST", "_lab/clear", {})
    place.remove()
    assert place.api.things() == before
