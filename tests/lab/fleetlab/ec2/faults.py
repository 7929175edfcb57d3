# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""WSGI middleware in front of moto: refuses regions, answers with faults on request, and keeps a log of calls.

Control calls (JSON; loopback only, like the whole lab):
  POST /_lab/fault     {"action": "DescribeInstances", "code": "RequestLimitExceeded", "http": 503, "times": 2}
  GET  /_lab/requests  the calls seen since the start or the last clear, oldest first
  POST /_lab/clear     forget faults and log
  GET  /_lab/world?after=N&wait=S   all instances of all accounts and regions, when something changed after count N (see world.py)
"""

from __future__ import annotations

import collections
import dataclasses
import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from . import world
from .regions import Refusal
from .wire import Call, error_body, parse_call

LOG_LENGTH = 5000
VALUE_LENGTH = 200  # longer parameter values (user data) are cut in the log
HIDDEN = ("X-Amz-Signature", "X-Amz-Security-Token", "Signature")


@dataclasses.dataclass
class Fault:
    """What to do to matching calls. Empty `action`, `region`, `access_key` match every call.

    `times`: how many calls it hits (0: all, until cleared), after letting `skip` calls pass. `delay`: seconds before
    the answer; a fault with a delay and nothing else only slows the real answer down. `raw`: the whole answer body.
    `drop`: close the connection without an answer.
    """

    action: str = ""
    region: str = ""
    access_key: str = ""
    code: str = ""
    message: str = "A fault the lab was told to show."
    http: int = 400
    times: int = 1
    skip: int = 0
    delay: float = 0.0
    raw: str | None = None
    content_type: str = "text/xml;charset=UTF-8"
    drop: bool = False

    @classmethod
    def from_json(cls, given: object) -> Fault:
        """Check and take a control call's body. Raises ValueError with what is wrong."""
        if not isinstance(given, dict):
            raise ValueError("a fault is a JSON object")
        fields = {field.name: field for field in dataclasses.fields(cls)}
        unknown = sorted(set(given) - set(fields))
        if unknown:
            raise ValueError(f"unknown: {', '.join(unknown)}; there are {', '.join(fields)}")
        fault = cls(**{name: value for name, value in given.items() if value is not None})
        if not (fault.code or fault.delay or fault.raw is not None or fault.drop):
            raise ValueError("say what to do: one of code, raw, delay, drop")
        return fault

    def matches(self, call: Call) -> bool:
        return (
            self.action in ("", call.action)
            and self.region in ("", call.region)
            and self.access_key in ("", call.access_key)
        )


class Desk:
    """The faults in force and the log; safe to use from the server's threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._log: collections.deque[dict[str, Any]] = collections.deque(maxlen=LOG_LENGTH)

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()
            self._log.clear()

    def take(self, call: Call) -> Fault | None:
        """The fault this call meets, counted down; None when it shall be served."""
        with self._lock:
            for fault in self._faults:
                if not fault.matches(call):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                if fault.times == 1:
                    self._faults.remove(fault)
                elif fault.times > 1:
                    fault.times -= 1
                return fault
            return None

    def note(self, call: Call, status: int, fault: bool) -> None:
        params = {name: value[:VALUE_LENGTH] for name, value in call.params.items() if name not in HIDDEN}
        entry = {**dataclasses.asdict(call), "params": params, "status": status, "fault": fault, "time": time.time()}
        with self._lock:
            self._log.append(entry)

    def requests(self) -> list[dict[str, Any]]:
        with self._lock:
            return list(self._log)


class Front:
    """The middleware. `refuse(service, region)` gives an error for regions the cloud would not serve."""

    def __init__(self, app: Callable[..., Iterable[bytes]], refuse: Callable[[str, str], Refusal | None]) -> None:
        self.app = app
        self.refuse = refuse
        self.desk = Desk()
        self.changes = world.Changes()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        path = environ.get("PATH_INFO", "")
        if path == "/_lab/world":
            query = {name: values[-1] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
            count = self.changes.after(int(query.get("after", 0)), float(query.get("wait", 0)))
            return _json_answer(start_response, 200, {"count": count, **world.dump()})
        if path.startswith("/_lab/"):
            return _json_answer(start_response, *self._control(environ["REQUEST_METHOD"], path, body))
        call = parse_call(environ.get("HTTP_AUTHORIZATION", ""), environ.get("QUERY_STRING", ""), body)
        fault = self.desk.take(call)
        if fault and fault.delay:
            time.sleep(fault.delay)
        if fault and fault.drop:
            self.desk.note(call, 0, True)
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError("dropped, as told")  # the server ends the request without a word
        if fault and (fault.code or fault.raw is not None):
            answer = error_body(call.service, fault.code, fault.message) if fault.raw is None else fault.raw.encode()
            return self._answer(start_response, call, fault.http, fault.content_type, answer, bool(fault))
        refusal = self.refuse(call.service, call.region) if call.service else None
        if refusal:
            answer = error_body(call.service, refusal.code, refusal.message)
            return self._answer(start_response, call, refusal.http, "text/xml;charset=UTF-8", answer, False)

        statuses: list[int] = []

        def noting_start_response(status: str, *rest: Any) -> Any:
            statuses.append(int(status.split()[0]))
            self.desk.note(call, int(status.split()[0]), bool(fault))
            return start_response(status, *rest)

        answer = self.app(environ, noting_start_response)
        self.changes.note(call.action, statuses[-1] if statuses else 200)
        return answer

    def _answer(
        self, start_response: Callable[..., Any], call: Call, status: int, content_type: str, body: bytes, fault: bool
    ) -> list[bytes]:
        self.desk.note(call, status, fault)
        start_response(f"{status} Lab", [("Content-Type", content_type), ("Content-Length", str(len(body)))])
        return [body]

    def _control(self, method: str, path: str, body: bytes) -> tuple[int, object]:
        if (method, path) == ("GET", "/_lab/requests"):
            return 200, self.desk.requests()
        if (method, path) == ("POST", "/_lab/clear"):
            self.desk.clear()
            return 200, {"cleared": True}
        if (method, path) == ("POST", "/_lab/fault"):
            try:
                self.desk.add(Fault.from_json(json.loads(body or b"null")))
            except (TypeError, ValueError) as wrong:
                return 400, {"error": str(wrong)}
            return 200, {"added": True}
        return 404, {"error": f"no such control call: {method} {path}"}


def _json_answer(start_response: Callable[..., Any], status: int, content: object) -> list[bytes]:
    body = json.dumps(content).encode()
    start_response(f"{status} Lab", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
