# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The recorded clouds as one HTTP server on loopback, a process of its own.

    python -m fleetbench.server --aws 1000 --openstack 1000 --gce 1000 --folder FOLDER

Prints its address once it is ready and serves until its standard input ends. FOLDER gets the credentials files with
which the plugins find it.
"""
from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from . import credentials
from .ec2_pages import Ec2Pages
from .gce_pages import GcePages
from .openstack_pages import TOKEN, OpenStackPages

_GCE_TOKEN = json.dumps({"access_token": "bench", "expires_in": 3600, "token_type": "Bearer"}).encode()


class Clouds(ThreadingHTTPServer):
    """The pages, and the log of the requests for them."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, counts: Mapping[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.ec2 = Ec2Pages(counts["aws"])
        self.openstack = OpenStackPages(counts["openstack"], self.url)
        self.gce = GcePages(counts["gce"])
        self.latency = 0.0
        self._log: list[tuple[float, float, str]] = []
        self._lock = threading.Lock()

    def answer(self, method: str, target: str, body: bytes) -> tuple[str, int, bytes | None]:
        """The name of a request in the log, the status and the body, None for one that nobody recorded."""
        address = urlsplit(target)
        path, query = address.path, _single(address.query)
        if method == "POST" and path == "/":
            form = _single(body.decode())
            return f"ec2 {form.get('Action')}", 200, self.ec2.answer(form)
        if method == "POST":
            answer = {"/token": (200, _GCE_TOKEN), "/identity/v3/auth/tokens": (201, self.openstack.token)}.get(path)
            return (f"POST {path}", *(answer or (404, None)))
        pages = self.gce if path.startswith("/compute/v1/") else self.openstack
        return f"GET {path}", 200, pages.answer(path, query)

    def note(self, begun: float, ended: float, name: str) -> None:
        with self._lock:
            self._log.append((begun, ended, name))

    def control(self, target: str) -> bytes:
        """/bench/latency?ms=50 sets the delay of each answer; /bench/log gives the requests since the last time."""
        query = _single(urlsplit(target).query)
        if "ms" in query:
            self.latency = float(query["ms"]) / 1000
        with self._lock:
            taken, self._log = self._log, []
        return json.dumps(taken).encode()


class Handler(BaseHTTPRequestHandler):
    """One connection; kept open, as the clouds' own servers do."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave together
    server: Clouds

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _serve(self, body: bytes) -> None:
        if self.path.startswith("/bench/"):
            self._send(200, self.server.control(self.path))
            return
        begun = time.monotonic()
        name, status, answer = self.server.answer(self.command, self.path, body)
        if self.server.latency:
            time.sleep(self.server.latency)
        self.server.note(begun, time.monotonic(), name if answer is not None else f"unknown {name} {self.path}")
        if answer is None:
            status, answer = 404, b'{"error": "not recorded"}'
        self._send(status, answer)

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if body[:1] == b"{" else "text/xml;charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        if status == 201:
            self.send_header("X-Subject-Token", TOKEN)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on stderr."""


def _single(query: str) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(query, keep_blank_values=True).items()}


def main() -> None:
    parser = argparse.ArgumentParser()
    for cloud in ("aws", "openstack", "gce"):
        parser.add_argument(f"--{cloud}", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    server = Clouds({"aws": arguments.aws, "openstack": arguments.openstack, "gce": arguments.gce})
    credentials.write(arguments.folder, server.url)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.url, flush=True)
    sys.stdin.read()  # ends with the benchmark, however that ends


if __name__ == "__main__":
    main()
