# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the tests of the provider gce share: a small fleet, a service account's key, a provider opened on the fake."""
from __future__ import annotations

import functools
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import DEFAULT_STATES, parse_clouds
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.base import Provider, Run
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.gce.spec import SPEC
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.retry import Patience
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import NodeEvidence
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.providers.gce_server import (
    FakeGce,
    serving,
)
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

LIST = "/aggregated/instances"
NETWORK = "https://x/compute/v1/projects/acme-prod/global/networks/default"
ALL = ["m1", "m2", "m3", "m4", "m5"]


@contextmanager
def small_fleet(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGce]:
    """Project acme-prod with five machines in three zones, read without a proxy."""
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
    fake = FakeGce()
    fake.instances["acme-prod"] = {
        "europe-west1-b": [machine(1), machine(2), machine(3)],
        "europe-west1-c": [machine(4)],
        "europe-west1-d": [machine(5, status="TERMINATED")],
    }
    fake.networks["acme-prod"] = [{"selfLink": NETWORK, "mtu": 1500}]
    fake.metadata["acme-prod"] = {"ssh-keys": "ops:ssh-ed25519 AAAA ops"}
    with serving(fake):
        yield fake


@functools.cache
def private_key() -> str:
    """A new RSA key, one for the whole test run: making it is slow."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()


def write_key(folder: Path, gce: FakeGce) -> Path:
    """A service account's key file, as Google gives it out, whose tokens come from the fake."""
    path = folder / "key.json"
    path.write_text(json.dumps({
        "type": "service_account", "project_id": "acme-prod", "private_key_id": "k1", "private_key": private_key(),
        "client_email": "fleet@acme-prod.iam.gserviceaccount.com", "client_id": "1", "token_uri": f"{gce.url}/token"}))
    return path


def machine(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": str(1000 + number), "name": f"m{number}", "status": "RUNNING", "zone": "https://x/zones/europe-west1-b",
        "networkInterfaces": [{"network": NETWORK, "networkIP": f"10.0.0.{number}"}],
        **changes,
    }


class Opened:
    """A provider for the fake, with what it told the operator and the waits it asked for."""

    def __init__(
        self, gce: FakeGce, options: dict[str, Any], *, environ: dict[str, str] | None = None, retries: int = 2,
        timeout: float = 20.0, states: tuple[str, ...] = DEFAULT_STATES, extra: tuple[str, ...] = (),
        base_dir: str = ".",
    ) -> None:
        self.waits: list[float] = []
        self.warnings: list[str] = []
        self.notes: list[str] = []
        endpoint = {} if "endpoint" in options else {"endpoint": gce.url}
        self.cloud = parse_clouds({"google": {"provider": "gce", **endpoint, **options}}, "fleet.yml")[0]
        patience = Patience(time.monotonic() + timeout, retries, timeout, sleep=self.waits.append)
        self.run = Run(patience=patience, states=frozenset(states), extra=extra, base_dir=base_dir,
                       environ={"CLOUDSDK_CONFIG": "/nonexistent", **(environ or {})},
                       warn=self.warnings.append, note=self.notes.append)
        self.provider: Provider = SPEC.open(self.cloud, self.run)

    def nodes(self, scope: str = "acme-prod") -> list[NodeEvidence]:
        return list(self.provider.evidence(scope))

    def names(self, scope: str = "acme-prod") -> list[str | None]:
        return sorted(node.name or "" for node in self.nodes(scope))

    def failure(self, scope: str = "acme-prod") -> FleetError:
        with pytest.raises(FleetError) as caught:
            self.nodes(scope)
        return caught.value
