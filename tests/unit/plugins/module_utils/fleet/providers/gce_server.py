# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A tiny Compute Engine on loopback that misbehaves as told: the other side of ``test_gce_client``."""
from __future__ import annotations

import dataclasses
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclasses.dataclass
class Fault:
    """An answer in place of the right one: for paths that end with ``path`` (and that page and method), ``times`` times.
    late: the request is carried out before, and only its answer is lost."""

    path: str
    status: int = 200
    body: Any = b""
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    times: int = 1000
    page: str | None = None
    hang: float = 0.0
    cut: bool = False
    method: str | None = None
    late: bool = False

    def meets(self, method: str, path: str, page: str) -> bool:
        return (self.times > 0 and path.endswith(self.path) and self.page in (None, page)
                and self.method in (None, method))


class FakeGce:
    """Instances by project and zone, served in pages; every request is kept in ``requests`` as (method, path, query,
    headers)."""

    def __init__(self) -> None:
        self.instances: dict[str, dict[str, list[dict[str, Any]]]] = {}
        self.metadata: dict[str, dict[str, str]] = {}
        self.networks: dict[str, list[dict[str, Any]]] = {}
        self.page_size = 2
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str, dict[str, str], dict[str, str]]] = []
        self.tokens = 0
        self.token_requests: list[str] = []
        self.refused_tokens: set[str] = set()
        self.url = ""

    def count(self, ending: str) -> int:
        return sum(path.endswith(ending) for _method, path, _query, _headers in self.requests)

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, dict[str, Any]]:
        parts = path.removeprefix("/compute/v1/projects/").split("/")
        project, rest = parts[0], "/".join(parts[1:])
        if project not in self.instances:
            return 404, google_error(404, f"The resource 'projects/{project}' was not found", "notFound")
        zones = self.instances[project]
        if rest == "aggregated/instances":
            rows = [(zone, row) for zone, machines in sorted(zones.items()) for row in machines]
            page, token = self.cut(rows, query)
            items: dict[str, Any] = {f"zones/{zone}": {"warning": {"code": "NO_RESULTS_ON_PAGE"}} for zone in zones}
            for zone, row in page:
                items[f"zones/{zone}"] = {"instances": [*items[f"zones/{zone}"].get("instances", []), row]}
            return 200, {"kind": "compute#instanceAggregatedList", "id": f"projects/{project}/aggregated/instances",
                         "items": items, **token}
        if rest.startswith("zones/"):
            if parts[2] not in zones:
                return 400, google_error(400, f"Invalid value for field 'zone': '{parts[2]}'. Unknown zone.", "invalid")
            page, token = self.cut(zones[parts[2]], query)
            listed = {"kind": "compute#instanceList", "id": f"projects/{project}/{rest}", **token}
            return 200, {**listed, "items": page} if page else listed
        if rest == "global/networks":
            return 200, {"kind": "compute#networkList", "items": self.networks.get(project, [])}
        common = [{"key": key, "value": value} for key, value in self.metadata.get(project, {}).items()]
        return 200, {"kind": "compute#project", "commonInstanceMetadata": {"items": common}}

    def change(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, dict[str, Any]]:
        """The answer to a POST, PATCH or DELETE below the API. This one takes none."""
        return 501, google_error(501, f"{method} {path}", "notImplemented")

    def cut(self, rows: list[Any], query: dict[str, str]) -> tuple[list[Any], dict[str, str]]:
        start = int(query.get("pageToken", "t0")[1:])
        end = start + self.page_size
        return rows[start:end], {"nextPageToken": f"t{end}"} if end < len(rows) else {}


def google_error(status: int, message: str, reason: str, details: str | None = None) -> dict[str, Any]:
    """An error body in Google's shape."""
    error: dict[str, Any] = {
        "code": status, "message": message, "errors": [{"message": message, "domain": "global", "reason": reason}]}
    if details:
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": details}]
    return {"error": error}


class _Handler(BaseHTTPRequestHandler):
    """Answers for one fake."""

    fake: FakeGce
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        self.fake.requests.append(("GET", address.path, query, dict(self.headers)))
        if self._faulty("GET", address.path, query.get("pageToken", "")) or self._refused():
            return
        self._send(*self.fake.answer(address.path, query))

    def do_PATCH(self) -> None:
        self._change("PATCH")

    def do_DELETE(self) -> None:
        self._change("DELETE")

    def _change(self, method: str) -> None:
        address = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null")
        self.fake.requests.append((method, address.path, query, dict(self.headers)))
        late = next((fault for fault in self.fake.faults if fault.late and fault.meets(method, address.path, "")), None)
        if late:
            self.fake.change(method, address.path, query, body)
        if not self._faulty(method, address.path, "") and not self._refused():
            self._send(*self.fake.change(method, address.path, query, body))

    def _refused(self) -> bool:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token and token not in self.fake.refused_tokens:
            return False
        self._send(401, google_error(401, "Invalid Credentials", "authError"))
        return True

    def do_POST(self) -> None:
        address = urlsplit(self.path)
        if address.path.startswith("/compute/"):
            self._change("POST")
            return
        self.fake.token_requests.append(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
        self.fake.requests.append(("POST", address.path, {}, dict(self.headers)))
        if self._faulty("POST", address.path, ""):
            return
        self.fake.tokens += 1
        if address.path.endswith(":generateAccessToken"):
            self._send(200, {"accessToken": f"impersonated-{self.fake.tokens}", "expireTime": "2099-01-01T00:00:00Z"})
        else:
            self._send(200, {"access_token": f"token-{self.fake.tokens}", "expires_in": 3600, "token_type": "Bearer"})

    def _faulty(self, method: str, path: str, page: str) -> bool:
        fault = next((fault for fault in self.fake.faults if fault.meets(method, path, page)), None)
        if fault is None:
            return False
        fault.times -= 1
        time.sleep(fault.hang)
        self._send(fault.status, fault.body, fault.headers, cut=fault.cut)
        return True

    def _send(self, status: int, body: Any, headers: dict[str, str] | None = None, *, cut: bool = False) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw) + (1000 if cut else 0)))
        self.end_headers()
        try:
            self.wfile.write(raw)
        except OSError:
            return  # the client has given up waiting
        if cut:
            self.close_connection = True

    def log_message(self, *args: Any) -> None:
        """Nothing on stderr."""


@contextmanager
def serving(fake: FakeGce) -> Iterator[FakeGce]:
    """The fake on a free port of loopback, until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"fake": fake}))
    server.daemon_threads = True
    server.block_on_close = False
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
