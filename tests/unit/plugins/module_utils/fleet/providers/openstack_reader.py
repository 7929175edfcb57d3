# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads the fake OpenStack the way the collector reads a real one: fleet file entry, clouds.yaml, provider."""
from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import DEFAULT_STATES, parse_clouds
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.base import Run, together
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.openstack.spec import SPEC
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.retry import Patience
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import NodeEvidence
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.providers.openstack_server import FakeCloud, serving

PASSWORD = "not-to-be-seen"  # what no message may contain
ALL = ["m1", "m2", "m3", "m4", "m5"]


def server(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"s{number}", "name": f"m{number}", "status": "ACTIVE", "tenant_id": "p1", "metadata": {"env": "prod"},
        "tags": ["web"],
        "created": "2026-05-07T12:34:56Z", "image": {"id": "i1", "properties": {"os_distro": "debian"}},
        "flavor": {"original_name": "m1.small"}, "security_groups": [{"name": "default"}],
        "addresses": {"inside": [{
            "addr": f"10.0.0.{number}", "version": 4, "OS-EXT-IPS:type": "fixed",
            "OS-EXT-IPS-MAC:mac_addr": f"fa:16:3e:00:00:{number:02x}"}]},
        **changes,
    }


class Opened:
    """Reads the fake with a clouds.yaml of its own and remembers what the operator is told."""

    def __init__(self, fake: FakeCloud, folder: Path) -> None:
        self.fake = fake
        self.folder = folder
        self.notes: list[str] = []
        self.waits: list[float] = []
        self.states: tuple[str, ...] = DEFAULT_STATES
        self.timeout = 20.0
        self.retries = 2
        self.entry: dict[str, Any] = {
            "auth": {"auth_url": f"{fake.url}/v3", "username": "ops", "password": PASSWORD, "project_name": "acme",
                     "user_domain_id": "default", "project_domain_id": "default"},
            "region_name": "RegionOne"}

    def write(self, **clouds: Any) -> None:
        (self.folder / "clouds.yaml").write_text(json.dumps({"clouds": clouds or {"dream": self.entry}}))

    def run(self) -> Run:
        patience = Patience(
            ends=time.monotonic() + self.timeout, retries=self.retries, timeout=self.timeout, sleep=self.waits.append)
        return Run(
            patience, frozenset(self.states), extra=("hostId", "adminPass"), environ=os.environ, note=self.notes.append)

    def nodes(self, **options: Any) -> list[NodeEvidence]:
        cloud = parse_clouds({"dream": {"provider": "openstack", **options}}, "fleet.yml")[0]
        provider = SPEC.open(cloud, self.run())
        parts = together(*[lambda scope=scope: list(provider.evidence(scope)) for scope in provider.scopes()])
        return [node for part in parts for node in part]

    def names(self, **options: Any) -> list[str | None]:
        return [node.name for node in self.nodes(**options)]

    def failure(self, **options: Any) -> FleetError:
        with pytest.raises(FleetError) as caught:
            self.nodes(**options)
        assert PASSWORD not in str(caught.value)
        assert "token-" not in str(caught.value)
        assert caught.value.fix
        return caught.value


@contextmanager
def opening(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    """A fake with five servers on one network and a clouds.yaml in folder, nothing else of OpenStack in sight."""
    cloud = FakeCloud()
    cloud.lists["servers"] = [server(number) for number in range(1, 6)]
    cloud.lists["networks"] = [{"id": "n1", "name": "inside", "router:external": False, "mtu": 1442}]
    cloud.lists["subnets"] = [{"id": "sub1", "network_id": "n1", "cidr": "10.0.0.0/24"}]
    cloud.lists["images"] = [{"id": "i1", "name": "Debian 12", "os_distro": "debian"}]
    cloud.lists["flavors"] = [{"id": "f-m1.small", "name": "m1.small"}]
    for variable in [name for name in os.environ if name.startswith("OS_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(folder / "clouds.yaml"))
    with serving(cloud):
        opened = Opened(cloud, folder)
        opened.write()
        yield opened
