# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fills the emulator through its own API, as a client would: ``python -m fleetlab.gce.seed --url ... --keys ...``.

What is there already is left alone, so a second run changes nothing and an interrupted one can be run again.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from . import fleet
from .errors import Json
from .principals import CLOUD_PLATFORM


class Client:
    """The few calls the seeding makes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.token = ""

    def call(self, http: str, path: str, body: Json | None = None) -> Any:
        """:raises urllib.error.HTTPError: for every failure."""
        request = urllib.request.Request(
            f"{self.url}/{path}",
            method=http,
            headers={
                "Content-Type": "application/json",
                "Authorization": f"Bearer {self.token}",
                "User-Agent": "fleet-lab-seed",
            },
        )
        request.data = json.dumps(body).encode() if body is not None else b"" if http == "POST" else None
        with urllib.request.urlopen(request, timeout=150) as answer:
            return json.load(answer)

    def compute(self, http: str, path: str, body: Json | None = None) -> Any:
        return self.call(http, f"compute/v1/projects/{path}", body)

    def log_in(self, key: Json) -> None:
        """Get an access token for a service account's key, by a signed assertion as Google asks."""
        private = serialization.load_pem_private_key(key["private_key"].encode(), password=None)
        assert isinstance(private, rsa.RSAPrivateKey)
        now = int(time.time())
        claims = {
            "iss": key["client_email"],
            "aud": key["token_uri"],
            "scope": CLOUD_PLATFORM,
            "iat": now,
            "exp": now + 600,
        }
        parts = [
            _encode(json.dumps(part).encode())
            for part in ({"alg": "RS256", "typ": "JWT", "kid": key["private_key_id"]}, claims)
        ]
        signature = private.sign(".".join(parts).encode(), padding.PKCS1v15(), hashes.SHA256())
        assertion = ".".join([*parts, _encode(signature)])
        form = urllib.parse.urlencode(
            {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
        ).encode()
        with urllib.request.urlopen(f"{self.url}/token", data=form, timeout=30) as answer:
            self.token = json.load(answer)["access_token"]

    def exists(self, path: str) -> bool:
        try:
            self.compute("GET", path)
        except urllib.error.HTTPError as failure:
            if failure.code == 404:
                return False
            raise
        return True

    def create(self, wanted: Iterable[tuple[str, Json]]) -> None:
        """Make what is missing, all at once, and wait for it.

        :param wanted: (collection path, body) pairs that do not need each other.
        """
        self.finish(
            [self.compute("POST", path, body) for path, body in wanted if not self.exists(f"{path}/{body['name']}")]
        )

    def finish(self, operations: list[Json]) -> None:
        """:raises RuntimeError: when one of the operations failed."""
        for operation in operations:
            path = operation["selfLink"].partition("/projects/")[2]
            done = self.compute("POST", f"{path}/wait")
            if done.get("error"):
                raise RuntimeError(
                    f"{operation['operationType']} of {operation['targetLink']}: {done['error']['errors']}"
                )


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def seed(client: Client, keys: Path) -> None:
    for project in (fleet.PROD, fleet.DEV):
        client.call("POST", "_lab/projects", {"project": project})
    for name, (account, home, grants) in fleet.ACCOUNTS.items():
        if not (keys / name).exists():
            _write_private(
                keys / name,
                client.call("POST", "_lab/principals", {"email": account, "project": home, "grants": grants}),
            )
    client.log_in(json.loads((keys / "fleet-reader.json").read_text(encoding="utf-8")))
    for project in (fleet.PROD, fleet.DEV):
        client.create((f"{project}/global/networks", body) for body in fleet.NETWORKS[project])
        client.create((f"{project}/regions/{region}/subnetworks", body) for region, body in fleet.SUBNETWORKS[project])
        client.create((f"{project}/global/firewalls", body) for body in fleet.FIREWALLS[project])
        client.create((f"{project}/regions/{region}/addresses", body) for region, body in fleet.ADDRESSES[project])
        _set_project_metadata(client, project, fleet.PROJECT_METADATA[project])
        client.create(
            (
                f"{project}/zones/{zone}/instances",
                body | {"machineType": f"zones/{zone}/machineTypes/{body['machineType']}"},
            )
            for zone, body in fleet.INSTANCES[project]
        )
        _stop(client, project, fleet.STOPPED[project])


def _set_project_metadata(client: Client, project: str, wanted: dict[str, str]) -> None:
    current = client.compute("GET", project)["commonInstanceMetadata"]
    known = {item["key"]: item["value"] for item in current.get("items", [])}
    merged = known | wanted
    if merged != known:
        items = [{"key": key, "value": value} for key, value in merged.items()]
        client.finish(
            [
                client.compute(
                    "POST",
                    f"{project}/setCommonInstanceMetadata",
                    {"fingerprint": current["fingerprint"], "items": items},
                )
            ]
        )


def _stop(client: Client, project: str, names: list[str]) -> None:
    paths = [
        f"{project}/zones/{zone}/instances/{body['name']}"
        for zone, body in fleet.INSTANCES[project]
        if body["name"] in names
    ]
    client.finish(
        [client.compute("POST", f"{path}/stop") for path in paths if client.compute("GET", path)["status"] == "RUNNING"]
    )


def _write_private(path: Path, content: Json) -> None:
    """A file only its owner can read, complete or not there at all."""
    spare = path.with_suffix(".new")
    with open(os.open(spare, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        json.dump(content, out, indent=2)
    spare.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description="Fill the lab's Google cloud.")
    parser.add_argument("--url", required=True, help="of the emulator")
    parser.add_argument("--keys", required=True, type=Path, help="folder for the service accounts' key files")
    arguments = parser.parse_args()
    arguments.keys.mkdir(parents=True, exist_ok=True)
    try:
        seed(Client(arguments.url), arguments.keys)
    except urllib.error.HTTPError as failure:
        raise SystemExit(
            f"{failure.url} answered {failure.code}: {failure.read().decode(errors='replace')[:800]}"
        ) from None


if __name__ == "__main__":
    main()
