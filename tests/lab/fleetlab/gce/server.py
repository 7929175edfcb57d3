# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The emulator's process: ``python -m fleetlab.gce.server --port 8085``. Listens on loopback only."""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from . import batch, identity, metadata_server
from .addressing import EXTERNAL_IPV4
from .api import ComputeApi
from .control import Control
from .discovery import Discovery
from .errors import ApiError
from .events import Journal
from .guests import Guests
from .metadata_server import MetadataServer
from .principals import GrantError
from .wire import DroppedError, Headers, Request, Response, error_response, json_response
from .world import World

_API = "/compute/v1/"
_METADATA = "/computeMetadata/v1"
_IMPERSONATION = "/v1/projects/-/serviceAccounts/"
_GZIP_FROM = 512  # bytes; shorter answers are sent as they are


class Emulator:
    """Sends every request to the part that answers it, and keeps the log."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._api = ComputeApi(world)
        self._metadata = MetadataServer(world.principals)
        journal = Journal()
        world.store.instance_hooks += [Guests(world), journal]
        self._control = Control(world, journal, self._metadata)

    def answer(self, request: Request) -> Response:
        """:raises DroppedError: when a fault says so."""
        if request.path.startswith("/_lab/"):
            return self._control.answer(request, request.path.removeprefix("/_lab/"))
        began, status = time.monotonic(), 0
        try:
            response = self._route(request)
            status = response.status
            return response
        finally:
            self._world.faults.log.append(
                {
                    "method": request.method,
                    "http": request.http,
                    "path": request.path,
                    "query": dict(request.query),
                    "status": status,
                    "user": request.user,
                    "agent": request.headers.get("User-Agent"),
                    "milliseconds": round((time.monotonic() - began) * 1000, 1),
                }
            )

    def _route(self, request: Request) -> Response:
        path = request.path
        if path.startswith(_API):
            return self._api.answer(request, path.removeprefix(_API))
        if path == "/batch/compute/v1":
            request.method = "batch"
            return batch.answer(request, self.answer)
        return self._identity(request) or error_response(
            ApiError(404, "notFound", f"The requested URL {path} was not found on this server.")
        )

    def _identity(self, request: Request) -> Response | None:
        """Token endpoints and the metadata server; None for paths that are none of these."""
        path, principals = request.path, self._world.principals
        if path in ("/token", "/o/oauth2/token", "/oauth2/v4/token"):
            request.method = "token"
        elif path == "/v1/token":
            request.method = "sts.token"
        elif path.startswith(_IMPERSONATION) and path.endswith(":generateAccessToken"):
            request.method = "iamcredentials.generateAccessToken"
        elif path == "/" or path.startswith(_METADATA):
            request.method = "metadata"
        else:
            return None
        try:
            fault = self._world.faults.take(request.method, {})
            injected = request.suffer(fault) if fault else None
            if injected is not None:
                return injected
            if request.method == "metadata":
                return self._metadata_answer(request)
            if request.method == "iamcredentials.generateAccessToken":
                email = urllib.parse.unquote(path.removeprefix(_IMPERSONATION).removesuffix(":generateAccessToken"))
                body = json.loads(request.body or b"{}")
                return json_response(
                    200,
                    json.dumps(
                        identity.generate_access_token(principals, request.headers.get("Authorization"), email, body)
                    ),
                )
            form = identity.form_of(request.body, request.headers.get("Content-Type") or "")
            grant = identity.exchange if request.method == "sts.token" else identity.token
            return json_response(200, json.dumps(grant(principals, form)))
        except GrantError as refused:
            return json_response(400, json.dumps({"error": refused.error, "error_description": refused.description}))
        except ApiError as failure:
            return error_response(failure)
        except ValueError as failure:
            return error_response(ApiError(400, "badRequest", f"Bad Request: {failure}"))

    def _metadata_answer(self, request: Request) -> Response:
        if request.path == "/":  # how google-auth finds out whether there is a metadata server
            return Response(200, b"computeMetadata/\n", {"Content-Type": "application/text", **metadata_server.FLAVOR})
        path = request.path.removeprefix(_METADATA).strip("/")
        status, kind, text = self._metadata.answer(path, request.query, request.headers.get("Metadata-Flavor"))
        return Response(status, text.encode(), {"Content-Type": kind, **metadata_server.FLAVOR})


class _Handler(BaseHTTPRequestHandler):
    """One connection. Kept open between requests, as Google's are."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    emulator: Emulator

    def _serve(self) -> None:
        target = urllib.parse.urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(
            self.command,
            target.path,
            urllib.parse.parse_qs(target.query, keep_blank_values=True),
            Headers(self.headers.items()),
            body,
        )
        try:
            response = self.emulator.answer(request)
        except DroppedError:
            self.close_connection = True
            return
        except Exception as failure:  # a fault of the emulator must show, here and at the client
            print(f"gce: BROKEN: {self.command} {self.path}: {failure!r}", file=sys.stderr, flush=True)
            response = error_response(ApiError(500, "internalError", f"fault of the emulator: {failure!r}"))
        self._send(response)

    def _send(self, response: Response) -> None:
        body, headers = response.body, {"Server": "ESF", **response.headers}
        if "gzip" in self.headers.get("Accept-Encoding", "") and len(body) >= _GZIP_FROM:
            body, headers = gzip.compress(body, 1), headers | {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        self.send_response_only(response.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Quiet: the request log is at /_lab/log."""


for _verb in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"):
    setattr(_Handler, f"do_{_verb}", _Handler._serve)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main() -> None:
    parser = argparse.ArgumentParser(description="An emulator of Google Compute Engine on loopback.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--delay", type=float, default=0.2, help="seconds an operation takes")
    parser.add_argument(
        "--external-range",
        action="append",
        help=f"public IPv4 addresses are taken from here (default {', '.join(EXTERNAL_IPV4)})",
    )
    arguments = parser.parse_args()
    world = World(
        Discovery.load(),
        f"http://127.0.0.1:{arguments.port}",
        arguments.delay,
        tuple(arguments.external_range or EXTERNAL_IPV4),
    )
    handler = type("Handler", (_Handler,), {"emulator": Emulator(world)})
    with _Server(("127.0.0.1", arguments.port), handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
