# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the tests of the GCE emulator share: a running one, and plain HTTP to it."""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
import json
import os
import re
import secrets
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LAB = Path(__file__).parents[1] / "lab"
CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
ZONE = "us-central1-a"
VMS = f"zones/{ZONE}/instances"
DOCUMENTATION = ipaddress.ip_network("192.0.2.0/24")
READ_ONLY = "https://www.googleapis.com/auth/compute.readonly"
Json = dict[str, Any]


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict[str, str]  # names in lower case
    text: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.text)

    @property
    def reason(self) -> str:
        return str(self.body["error"]["errors"][0]["reason"])


@dataclasses.dataclass
class Gce:
    """A running emulator."""

    state: Path
    variables: dict[str, str]

    @property
    def url(self) -> str:
        return self.variables["FLEET_LAB_GCE_URL"]

    def lab(self, *words: str) -> str:
        return run_lab(self.state, *words)

    def send(
        self, http: str, path: str, body: Any = None, token: str = "", headers: dict[str, str] | None = None
    ) -> Answer:
        """Any request; a body is sent as JSON unless it is bytes."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}/{path}", data=data if data is not None or http == "GET" else b"", method=http
        )
        for name, value in {
            "Content-Type": "application/json",
            **({"Authorization": f"Bearer {token}"} if token else {}),
            **(headers or {}),
        }.items():
            request.add_header(name, value)
        try:
            answer = urllib.request.urlopen(request, timeout=60)
        except urllib.error.HTTPError as failure:
            answer = failure
        with answer:
            return Answer(answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read())

    def control(self, call: str, body: Json | None = None) -> Any:
        answer = self.send("GET" if body is None else "POST", f"_lab/{call}", body)
        assert answer.status == 200, answer.text
        return answer.body

    def user_token(self, grants: dict[str, str], scope: str = CLOUD_PLATFORM) -> str:
        """An access token of a new user with these roles."""
        email = f"u-{secrets.token_hex(4)}@example.com"
        secret = self.control("principals", {"email": email, "kind": "user", "grants": grants})["refresh_token"]
        form = urllib.parse.urlencode({"grant_type": "refresh_token", "refresh_token": secret, "scope": scope}).encode()
        return str(
            self.send("POST", "token", form, headers={"Content-Type": "application/x-www-form-urlencoded"}).body[
                "access_token"
            ]
        )


class Project:
    """A fresh project of its own for one test, and a user who may do everything in it."""

    def __init__(self, gce: Gce) -> None:
        self.gce, self.name = gce, f"t-{secrets.token_hex(4)}"
        gce.control("projects", {"project": self.name})
        self.token = gce.user_token({self.name: "admin"})

    def send(self, http: str, path: str, body: Any = None, **query: Any) -> Answer:
        """:param path: below the project."""
        words = f"?{urllib.parse.urlencode(query)}" if query else ""
        return self.gce.send(
            http, f"compute/v1/projects/{self.name}{'/' if path else ''}{path}{words}", body, self.token
        )

    def get(self, path: str, **query: Any) -> Any:
        answer = self.send("GET", path, **query)
        assert answer.status == 200, answer.text
        return answer.body

    def do(self, http: str, path: str, body: Any = None, **query: Any) -> Json:
        """A change, waited for; the finished operation."""
        answer = self.send(http, path, body, **query)
        assert answer.status == 200, answer.text
        done = self.send("POST", answer.body["selfLink"].partition(f"/projects/{self.name}/")[2] + "/wait").body
        assert done["status"] == "DONE"
        return dict(done)

    def create(self, name: str, zone: str = "us-central1-a", **more: Any) -> Json:
        """An instance, running."""
        done = self.do("POST", f"zones/{zone}/instances", instance(name, zone, **more))
        assert "error" not in done, done
        return dict(self.get(f"zones/{zone}/instances/{name}"))


def instance(name: str, zone: str = "us-central1-a", **more: Any) -> Json:
    """A body for instances.insert."""
    return {
        "name": name,
        "machineType": f"zones/{zone}/machineTypes/e2-small",
        "disks": [
            {
                "boot": True,
                "autoDelete": True,
                "initializeParams": {"sourceImage": "projects/debian-cloud/global/images/family/debian-12"},
            }
        ],
        "networkInterfaces": [{"accessConfigs": [{"type": "ONE_TO_ONE_NAT", "name": "External NAT"}]}],
        **more,
    }


def nat(vm: Json) -> str | None:
    """The public address of the first interface."""
    configs: list[dict[str, str]] = vm["networkInterfaces"][0].get("accessConfigs") or [{}]
    return configs[0].get("natIP")


def names(answer: Json) -> list[str]:
    """Instance names of an aggregated page."""
    return [vm["name"] for scope in answer["items"].values() for vm in scope.get("instances", [])]


def run_lab(state: Path, *words: str) -> str:
    """One command of the lab; its output."""
    finished = subprocess.run(
        [sys.executable, str(LAB), "--state", str(state), *words], check=False, capture_output=True, text=True
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def _runs_gce(state: Path) -> bool:
    try:
        return "gce" in json.loads((state / "run" / "lab.json").read_text(encoding="utf-8"))["endpoints"]
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def running(own_state: Path) -> Iterator[Gce]:
    """The emulator of the lab in FLEET_LAB_STATE when it runs one, else an own one that ends with the tests."""
    given = os.environ.get("FLEET_LAB_STATE")
    shared = bool(given) and _runs_gce(Path(str(given)))
    state = Path(str(given)) if shared else own_state
    try:
        if not shared:
            run_lab(state, "up", "--only", "gce")
        run_lab(state, "seed", "--only", "gce")
        yield Gce(state, dict(re.findall(r"^export (\w+)='?(.*?)'?$", run_lab(state, "env"), re.MULTILINE)))
    finally:
        if not shared:
            run_lab(state, "down", "--purge")
