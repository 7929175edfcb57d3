# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One small web server for all pretended clouds of these tests, and the ways in which it can misbehave.

Each cloud is a *world* below its own first path element, so that one fleet file can ask a dozen of them at once.
Nothing here comes from the lab or from the collection: it is a second opinion, written from the providers' public references.
"""

from __future__ import annotations

import dataclasses
import http.server
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

HTML = b"<html><head><title>503 Service Unavailable</title></head><body><h1>No server is available</h1></body></html>"


@dataclasses.dataclass
class Request:
    """method, path below the world, query and form fields as lists, headers, body."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Any
    body: bytes

    @property
    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.body.decode(errors="replace"), keep_blank_values=True)

    def json(self) -> Any:
        return json.loads(self.body or b"null")


@dataclasses.dataclass
class Reply:
    """A status, a body (bytes, or what becomes JSON) and headers."""

    status: int
    body: Any = b""
    headers: dict[str, str] = dataclasses.field(default_factory=dict)

    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclasses.dataclass
class Fault:
    """What happens instead of, or to, the right answer of requests whose label holds ``on``.

    times: how often; reply: sent instead; change: made of the right reply; how: "reset" breaks the connection in the
    middle of the body, "cut" ends the body early but in good order, "hang" waits ``seconds`` before the answer.
    """

    on: str
    reply: Reply | None = None
    change: Callable[[Reply], Reply] | None = None
    how: str = ""
    seconds: float = 0.0
    times: float = float("inf")
    after: int = 0


class World:
    """A cloud. Subclasses answer; faults come first. ``asked`` keeps the labels of all requests."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.asked: list[str] = []
        self.url = ""
        self._lock = threading.Lock()

    def label(self, request: Request) -> str:
        return f"{request.method} {request.path}"

    def answer(self, request: Request) -> Reply:
        raise NotImplementedError

    def meets(self, label: str) -> Fault | None:
        with self._lock:
            self.asked.append(label)
            for fault in self.faults:
                if fault.on in label:
                    if fault.after > 0:
                        fault.after -= 1
                    elif fault.times > 0:
                        fault.times -= 1
                        return fault
        return None

    def count(self, part: str) -> int:
        with self._lock:
            return sum(part in label for label in self.asked)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        parts = urlsplit(self.path)
        name, _slash, rest = parts.path.lstrip("/").partition("/")
        world = self.server.worlds.get(name)
        request = Request(self.command, "/" + rest, parse_qs(parts.query, keep_blank_values=True), self.headers, body)
        if world is None:
            self._send(Reply(404, {"message": "no such world"}), "")
            return
        fault = world.meets(world.label(request))
        if fault and fault.how == "hang":
            self.server.stopping.wait(fault.seconds)
        reply = fault.reply if fault and fault.reply else world.answer(request)
        if fault and fault.change:
            reply = fault.change(reply)
        self._send(reply, fault.how if fault else "")

    def __getattr__(self, name: str) -> Any:
        """The base class looks for a method do_GET and the like: one serves all."""
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _send(self, reply: Reply, how: str) -> None:
        content = reply.content()
        if how == "cut":
            content = content[: max(1, len(content) * 2 // 3)]
        kind = "application/json" if not isinstance(reply.body, bytes) else "text/xml;charset=UTF-8"
        try:
            self.send_response(reply.status)
            for key, value in {"Content-Type": kind, "Content-Length": str(len(content)), **reply.headers}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "HEAD":
                return
            if how == "reset":
                self.wfile.write(content[: len(content) // 2])
                self.wfile.flush()
                time.sleep(0.05)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True
                return
            self.wfile.write(content)
        except OSError:  # the other side has given up
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    """The worlds by name, on a free port of 127.0.0.1."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.worlds: dict[str, World] = {}
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def add(self, name: str, world: Any) -> Any:
        world.url = f"{self.url}/{name}"
        self.worlds[name] = world
        return world

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that went away is part of the tests


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        server.shutdown()
        server.server_close()
