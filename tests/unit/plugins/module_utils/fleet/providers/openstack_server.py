# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A tiny OpenStack on loopback that misbehaves as told: the other side of ``test_openstack_client``."""
from __future__ import annotations

import dataclasses
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

Query = dict[str, list[str]]


@dataclasses.dataclass
class Fault:
    """An answer in place of the right one: for paths that end with ``path`` (and that marker), ``times`` times.

    method: of the request. after: the request is carried out first, so that only its answer is lost."""

    path: str
    status: int = 200
    body: Any = b""
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    times: int = 1000
    marker: str | None = None
    hang: float = 0.0
    cut: bool = False
    method: str = "GET"
    after: bool = False

    def meets(self, path: str, query: Query, method: str = "GET") -> bool:
        return self.times > 0 and method == self.method and path.endswith(self.path) and self.marker in (None, query.get("marker", [""])[0])


class FakeCloud:
    """Keystone, Nova, Neutron, Glance and Cinder of one project. Records are given as the newest API shows them;
    older microversions see less. Every request is kept in ``requests`` as (path, query, headers)."""

    def __init__(self) -> None:
        self.url = ""
        self.regions = ["RegionOne"]
        self.services = {"compute": "/nova/v2.1", "network": "/neutron", "image": "/glance"}
        self.newest: str = "2.104"
        self.page_size = 2
        self.lists: dict[str, list[dict[str, Any]]] = {
            name: [] for name in ("servers", "flavors", "networks", "subnets", "ports", "images", "volumes", "routers",
                                  "floatingips", "security-groups")}
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, Query, dict[str, str]]] = []
        self.tokens = 0
        self.expired: set[str] = set()
        self.refuse_login = False
        self.changes: list[tuple[str, str, Any]] = []
        self.change: Callable[[str, str, Any, dict[str, str]], tuple[int, Any]] = lambda method, path, body, headers: (405, {})

    def paths(self) -> list[str]:
        return [path for path, _query, _headers in self.requests]

    def count(self, ending: str) -> int:
        return sum(path.endswith(ending) for path in self.paths())

    def queries(self, ending: str) -> list[Query]:
        return [query for path, query, _headers in self.requests if path.endswith(ending)]

    # ---------------------------------------------------------------------------------------------- answers
    def token(self) -> tuple[int, Any, dict[str, str]]:
        if self.refuse_login:
            return 401, {"error": {"code": 401, "title": "Unauthorized",
                                   "message": "The request you have made requires authentication."}}, {}
        self.tokens += 1
        catalog = [
            {"type": kind, "name": kind, "id": kind, "endpoints": [
                {"interface": "public", "region": region, "region_id": region, "id": f"{kind}-{region}", "url": self.url + path}
                for region in self.regions]}
            for kind, path in self.services.items()
        ]
        return 201, {"token": {
            "methods": ["password"], "user": {"id": "u1", "name": "ops", "domain": {"id": "default", "name": "Default"}},
            "expires_at": "2099-01-01T00:00:00.000000Z", "issued_at": "2026-01-01T00:00:00.000000Z", "audit_ids": ["a"],
            "project": {"id": "p1", "name": "acme", "domain": {"id": "default", "name": "Default"}}, "catalog": catalog,
        }}, {"X-Subject-Token": f"token-{self.tokens}"}

    def answer(self, path: str, query: Query, headers: dict[str, str]) -> tuple[int, Any]:
        if path.rstrip("/") == "/v3":
            return 200, {"version": {"id": "v3.14", "status": "stable", "links": [{"rel": "self", "href": f"{self.url}/v3/"}]}}
        if path in ("/nova/v2.1/", "/nova/"):
            document = {"id": "v2.1", "status": "CURRENT", "version": self.newest, "min_version": "2.1" if self.newest else "",
                        "links": [{"rel": "self", "href": "http://inside.invalid/v2.1/"}]}
            return (200, {"version": document}) if path == "/nova/v2.1/" else (300, {"versions": [document]})
        service, _slash, rest = path.strip("/").partition("/")
        resource = rest.removeprefix("v2.1/").removeprefix("v2.0/").removeprefix("v2/").removeprefix("v3/p1/")
        if service == "glance" and resource.startswith("images/"):
            found = [row for row in self.lists["images"] if row["id"] == resource.partition("/")[2]]
            return (200, found[0]) if found else (404, {"message": "No image found", "code": "404 Not Found"})
        key = resource.removesuffix("/detail").removeprefix("os-")
        if service == "nova" and key.startswith("servers/"):
            found = [row for row in self.lists["servers"] if row["id"] == key.partition("/")[2]]
            return (200, {"server": found[0]}) if found else (404, {"itemNotFound": {"code": 404, "message": "no such server"}})
        if key not in self.lists:
            return 404, {"itemNotFound": {"code": 404, "message": "The resource could not be found."}}
        rows = self.lists[key]
        if key == "servers":
            minor = int(headers.get("X-OpenStack-Nova-API-Version", "2.1").partition(".")[2])
            rows = [as_of(row, minor) for row in rows]
        for field in ("network_id", "device_id", "device_owner", "port_id", "floating_network_id", "description"):
            if field in query and key in ("ports", "floatingips"):
                rows = [row for row in rows if row.get(field) in query[field]]
        return 200, self.page(key.replace("-", "_"), rows, path, query)

    def page(self, key: str, rows: list[dict[str, Any]], path: str, query: Query) -> dict[str, Any]:
        ids = [row.get("id") for row in rows]
        marker = query.get("marker", [None])[0]
        start = ids.index(marker) + 1 if marker else 0
        cut = rows[start:start + self.page_size] if "limit" in query or marker else rows
        body: dict[str, Any] = {key: cut}
        if cut and start + len(cut) < len(rows):
            # Behind a proxy such links name an address that is right inside the cloud only.
            link = f"http://inside.invalid{path}?" + urlencode({**query, "marker": [cut[-1]["id"]]}, doseq=True)
            if path.startswith("/glance"):
                body["next"] = link.removeprefix("http://inside.invalid/glance")
            else:
                body[f"{key}_links"] = [{"rel": "next", "href": link}]
        return body


def as_of(server: dict[str, Any], minor: int) -> dict[str, Any]:
    """A server as compute API 2.<minor> shows it."""
    shown = dict(server)
    if minor < 98 and shown.get("image"):
        shown["image"] = {"id": shown["image"]["id"]}
    if minor < 47:
        shown["flavor"] = {"id": "f-" + shown["flavor"]["original_name"]}
    if minor < 26:
        shown.pop("tags", None)
    return shown


class Handler(BaseHTTPRequestHandler):
    """Answers for one fake."""

    fake: FakeCloud
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms for the acknowledgement of its headers

    def do_POST(self) -> None:
        if not self.path.endswith("/auth/tokens"):
            self._change()
            return
        self.rfile.read(int(self.headers["Content-Length"]))
        fault = self._fault("/auth/tokens", {})
        if not fault:
            status, body, headers = self.fake.token()
            self._send(status, json.dumps(body).encode(), {"Content-Type": "application/json", **headers})

    def _change(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        body = json.loads(content) if content else None
        fault = next((fault for fault in self.fake.faults if fault.meets(path, {}, self.command)), None)
        if fault and not fault.after:
            self._fault(path, {}, self.command)
            return
        self.fake.changes.append((self.command, path, body))
        status, told = self.fake.change(self.command, path, body, dict(self.headers))
        if fault:
            self._fault(path, {}, self.command)
        else:
            self._send(status, json.dumps(told).encode() if told is not None else b"", {"Content-Type": "application/json"})

    def do_PUT(self) -> None:
        self._change()

    def do_DELETE(self) -> None:
        self._change()

    def do_PATCH(self) -> None:
        self._change()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        self.fake.requests.append((parts.path, query, dict(self.headers)))
        if self._fault(parts.path, query):
            return
        if not parts.path.startswith("/v3") and self.headers["X-Auth-Token"] in self.fake.expired:
            self._send(401, b'{"error": {"message": "The token has expired"}}', {"Content-Type": "application/json"})
            return
        status, body = self.fake.answer(parts.path, query, dict(self.headers))
        self._send(status, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _fault(self, path: str, query: Query, method: str = "GET") -> bool:
        fault = next((fault for fault in self.fake.faults if fault.meets(path, query, method)), None)
        if fault is None:
            return False
        fault.times -= 1
        time.sleep(fault.hang)
        body = fault.body if isinstance(fault.body, bytes) else json.dumps(fault.body).encode()
        self._send(fault.status, body, {"Content-Type": "application/json", **fault.headers}, cut=fault.cut)
        return True

    def _send(self, status: int, body: bytes, headers: dict[str, str], cut: bool = False) -> None:
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if cut else body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client gave up waiting, as it should
        if cut:
            self.close_connection = True

    def log_message(self, *_args: Any) -> None:
        """Keep the test's output clean."""


@contextmanager
def serving(fake: FakeCloud) -> Iterator[None]:
    """The fake on a free port of loopback, until the end of the with block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"fake": fake}))
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
