# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Requests and responses as the emulator's parts hand them to each other, apart from any socket."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterable, Mapping

from .errors import ApiError
from .faults import Fault

JSON_TYPE = "application/json; charset=UTF-8"


class DroppedError(Exception):
    """The connection is closed without an answer, as a fault ordered."""


class Headers:
    """Header fields, looked up without regard to case."""

    def __init__(self, fields: Iterable[tuple[str, str]]) -> None:
        self._fields = {name.lower(): value for name, value in fields}

    def get(self, name: str) -> str | None:
        return self._fields.get(name.lower())


@dataclasses.dataclass
class Response:
    status: int
    body: bytes
    headers: dict[str, str]


@dataclasses.dataclass
class Request:
    """One HTTP request; ``method`` and ``user`` are filled in for the log while it is worked on."""

    http: str
    path: str
    query: Mapping[str, list[str]]
    headers: Headers
    body: bytes
    method: str = ""
    user: str = ""

    def suffer(self, fault: Fault) -> Response | None:
        """Let a fault happen; None means that the request goes on (it was only delayed).

        :raises DroppedError:
        """
        if fault.delay:
            time.sleep(fault.delay)
        if fault.drop:
            raise DroppedError
        if fault.raw is not None:
            return Response(fault.code or 200, fault.raw.encode(), {"Content-Type": JSON_TYPE, **fault.headers})
        if fault.code:
            response = error_response(fault.error())
            response.headers.update(fault.headers)
            return response
        return None


def json_response(status: int, text: str) -> Response:
    return Response(status, text.encode(), {"Content-Type": JSON_TYPE})


def error_response(failure: ApiError) -> Response:
    response = json_response(failure.code, json.dumps(failure.body()))
    if failure.code == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="https://accounts.google.com/"'
    return response
