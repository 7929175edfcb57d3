# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Provider metal against a Redfish service that misbehaves, and rack files that are not there."""
from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import parse_clouds
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.base import Run
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.metal.client import Metal
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.retry import Patience
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import NodeEvidence

RECORDS: dict[str, Any] = {
    "/redfish/v1/": {"Systems": {"@odata.id": "/redfish/v1/Systems"}},
    "/redfish/v1/Systems": {"Members": [{"@odata.id": "/redfish/v1/Systems/1"}], "Members@odata.nextLink": "/redfish/v1/Systems?$skip=1"},
    "/redfish/v1/Systems?$skip=1": {"Members": [{"@odata.id": "/redfish/v1/Systems/2"}]},
    "/redfish/v1/Systems/1": {"UUID": "1", "Name": "one", "EthernetInterfaces": {"@odata.id": "/redfish/v1/Systems/1/EthernetInterfaces"}},
    "/redfish/v1/Systems/1/EthernetInterfaces": {"Members": [{"@odata.id": "/redfish/v1/Systems/1/EthernetInterfaces/a"}]},
    "/redfish/v1/Systems/1/EthernetInterfaces/a": {"Id": "a", "MACAddress": "AA:BB:CC:00:00:01", "IPv4Addresses": [{"Address": "192.0.2.1"}]},
    "/redfish/v1/Systems/2": {"UUID": "2", "Name": "two"},
}


class Service(ThreadingHTTPServer):
    """Answers RECORDS; faults holds (status, body, headers) to answer first."""

    faults: list[tuple[int, str, dict[str, str]]]
    asked: list[str]


@pytest.fixture
def service() -> Iterator[Service]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server: Any = self.server
            server.asked.append(self.headers.get("Authorization", ""))
            if server.faults:
                status, body, headers = server.faults.pop(0)
            elif self.path in RECORDS:
                status, body, headers = 200, json.dumps(RECORDS[self.path]), {}
            else:
                status, body, headers = 404, "{}", {}
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = Service(("127.0.0.1", 0), Handler)
    server.faults, server.asked = [], []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


Read = Callable[..., list[NodeEvidence]]


@pytest.fixture
def read(service: Service, tmp_path: Path) -> Read:
    def evidence(timeout: float = 20, retries: int = 2, **source: Any) -> list[NodeEvidence]:
        described = {"kind": "redfish", "baseuri": f"http://127.0.0.1:{service.server_port}", "username": "reader", "password": "s3cr3t", **source}
        cloud, = parse_clouds({"bmc": {"provider": "metal", "sources": [described]}}, "fleet.yml")
        now = [0.0]

        def sleep(seconds: float) -> None:
            now[0] += seconds

        patience = Patience(ends=timeout, retries=retries, timeout=timeout, clock=lambda: now[0], sleep=sleep)
        provider = Metal(cloud, Run(patience=patience, states=frozenset({"running"}), base_dir=str(tmp_path)))
        return [node for scope in provider.scopes() for node in provider.evidence(scope)]

    return evidence


def test_all_pages_with_the_account(read: Read, service: Service) -> None:
    nodes = read()
    assert [node.name for node in nodes] == ["one", "two"]
    assert nodes[0].interfaces[0].addresses[0].ip == "192.0.2.1"
    assert set(service.asked) == {"Basic " + base64.b64encode(b"reader:s3cr3t").decode()}


@pytest.mark.parametrize("fault", [(503, '{"error": {}}', {}), (500, "<html>", {}), (429, "", {"Retry-After": "3"}), (502, "{}", {})])
def test_a_passing_fault_is_tried_again(read: Read, service: Service, fault: tuple[int, str, dict[str, str]]) -> None:
    service.faults = [fault]
    assert len(read()) == 2


@pytest.mark.parametrize(
    ("faults", "code"),
    [
        ([(503, "{}", {})] * 3, "unavailable"),
        ([(429, "", {"Retry-After": "900"})], "timeout"),
        ([(401, "{}", {})], "auth"),
        ([(200, "<html>", {})], "bad_answer"),
        ([(200, "[]", {})], "bad_answer"),
        ([(200, "{}", {})], "bad_answer"),
        ([(404, "{}", {})], "bad_answer"),
        ([(200, '{"Systems": {"@odata.id": "/redfish/v1/Systems"}}', {}), (200, '{"Count": 0}', {})], "bad_answer"),
    ],
)
def test_a_lasting_fault_is_an_error_never_fewer_machines(read: Read, service: Service, faults: Any, code: str) -> None:
    service.faults = list(faults)
    with pytest.raises(FleetError) as caught:
        read()
    assert caught.value.code == code
    assert caught.value.fix
    assert "s3cr3t" not in str(caught.value)


def test_nobody_answers(read: Read) -> None:
    with pytest.raises(FleetError, match="does not answer") as caught:
        read(baseuri="http://127.0.0.1:9")
    assert caught.value.transient


def test_rack_files(read: Read, tmp_path: Path) -> None:
    (tmp_path / "r.yml").write_text("nodes: [{name: a}]", encoding="utf-8")
    assert [node.id for node in read(kind="file", path="r.yml")] == ["a"]
    with pytest.raises(FleetError, match=r"No such file or directory: .*none\.yml"):
        read(kind="file", path="none.yml")
    (tmp_path / "bad.yml").write_text("nodes: [", encoding="utf-8")
    with pytest.raises(FleetError, match=r"bad\.yml: is not YAML in line 1"):
        read(kind="file", path="bad.yml")
