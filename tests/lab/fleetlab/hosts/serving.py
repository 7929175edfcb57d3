# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Serves the hosts' metadata and the clouds' APIs inside the lab's namespaces, from one process outside of them."""

from __future__ import annotations

import contextlib
import http.server
import selectors
import socket
import sys
import threading
import urllib.parse
from collections.abc import Callable
from typing import Any

from . import metadata, netns
from .model import Host
from .network import METADATA

Handler = Callable[[socket.socket], None]


class Acceptor:
    """Waits on all listening sockets at once; each connection gets a thread."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        threading.Thread(target=self._run, daemon=True, name="acceptor").start()

    def add(self, listening: socket.socket, handler: Handler) -> None:
        self._selector.register(listening, selectors.EVENT_READ, handler)
        self._wake.send(b"x")

    def remove(self, listening: socket.socket) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(listening)
        listening.close()

    def _run(self) -> None:
        while True:
            for key, _events in self._selector.select():
                if key.data is None:
                    self._woken.recv(4096)
                    continue
                try:
                    connection, _peer = key.fileobj.accept()  # type: ignore[union-attr]
                except OSError:
                    continue
                connection.setblocking(True)
                threading.Thread(target=_guarded, args=(key.data, connection), daemon=True).start()


def _guarded(handler: Handler, connection: socket.socket) -> None:
    try:
        handler(connection)
    except OSError:
        pass  # the other side went away
    finally:
        connection.close()


# -- APIs -----------------------------------------------------------------------------------------------------
def forwarder(port: int) -> Handler:
    """Hands connections on to the same port of this machine's own loopback."""

    def forward(connection: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", port)) as server:
            back = threading.Thread(target=_pump, args=(server, connection), daemon=True)
            back.start()
            _pump(connection, server)
            back.join()

    return forward


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


# -- metadata -------------------------------------------------------------------------------------------------
class Metadata:
    """The metadata service of all hosts. Who asks is known by the domain it asks from and its address there."""

    def __init__(self, acceptor: Acceptor, publish: Callable[[Host, str, str], None]) -> None:
        """:param publish: takes a guest attribute (host, namespace/key, value)."""
        self._acceptor = acceptor
        self._publish = publish
        self._askers: dict[tuple[str, str], Host] = {}
        self._news = threading.Condition()
        self._sockets: dict[str, list[socket.socket]] = {}

    def serve(self, domain: str, namespace: str) -> None:
        if domain in self._sockets:
            return
        self._sockets[domain] = []
        for family, address in ((socket.AF_INET, METADATA[0]), (socket.AF_INET6, METADATA[1])):
            try:
                listening = netns.listener(namespace, family, address, 80)
            except OSError as refused:
                print(f"hosts: no metadata service at {address} for {domain}: {refused}", file=sys.stderr, flush=True)
                continue
            self._sockets[domain].append(listening)
            self._acceptor.add(listening, lambda connection: self._serve(domain, connection))

    def end(self, domain: str) -> None:
        for listening in self._sockets.pop(domain, []):
            self._acceptor.remove(listening)

    def update(self, hosts: list[Host]) -> None:
        """Say who is there, and what each is told from now on."""
        askers = {(nic.domain, address.ip): host for host in hosts for nic in host.nics for address in nic.addresses}
        with self._news:
            if askers != self._askers:
                self._askers = askers
                self._news.notify_all()

    def host(self, domain: str, address: str) -> Host | None:
        with self._news:
            return self._askers.get((domain, address))

    def wait_for_change(self, domain: str, address: str, last: str | None, seconds: float) -> None:
        """Return when the host would be told something else than at ``last`` (or now), or when the time is over."""
        with self._news:
            here = self._askers.get((domain, address))
            known = last or (metadata.etag(here) if here else "")
            self._news.wait_for(lambda: (now := self._askers.get((domain, address))) is None or metadata.etag(now) != known, seconds)

    def publish(self, host: Host, key: str, value: str) -> None:
        self._publish(host, key, value)

    def _serve(self, domain: str, connection: socket.socket) -> None:
        peer = connection.getpeername()[0].removeprefix("::ffff:")
        connection.settimeout(700)
        _Request(connection, (peer, 0), self, domain)


class _Request(http.server.BaseHTTPRequestHandler):
    """One connection of one host."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "EC2ws", ""

    def __init__(self, connection: socket.socket, peer: tuple[str, int], service: Metadata, domain: str) -> None:
        self._service, self._domain = service, domain
        super().__init__(connection, peer, None)  # type: ignore[arg-type]

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        target = urllib.parse.urlsplit(self.path)
        query = {name: values[-1] for name, values in urllib.parse.parse_qs(target.query, keep_blank_values=True).items()}
        asker = self.client_address[0]
        host = self._service.host(self._domain, asker)
        if host is None:
            return self._send(metadata.NOT_FOUND)
        marker = "/computeMetadata/v1/instance/guest-attributes/"
        if self.command == "PUT" and host.cloud == "gce" and target.path.startswith(marker):
            self._service.publish(host, target.path.removeprefix(marker), body.decode("utf-8", "replace"))
            return self._send(metadata.Answer(200))
        if query.get("wait_for_change", "").lower() == "true":
            self._service.wait_for_change(self._domain, asker, query.get("last_etag"), float(query.get("timeout_sec") or 600))
            host = self._service.host(self._domain, asker) or host
        return self._send(metadata.answer(host, self.command, target.path, query, dict(self.headers.items())))

    do_GET = do_PUT = do_POST = do_HEAD = _answer  # noqa: N815

    def _send(self, answer: metadata.Answer) -> None:
        self.send_response(answer.status)
        for name, value in (("Content-Type", answer.kind), ("Content-Length", str(len(answer.body))), *answer.headers):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def log_message(self, *words: Any) -> None:
        """Quiet."""
