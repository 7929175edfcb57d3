# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Batch requests: several API requests as parts of one multipart/mixed body (batch/compute/v1)."""

from __future__ import annotations

import email.message
import email.parser
import secrets
import urllib.parse
from collections.abc import Callable

from .errors import ApiError
from .wire import Headers, Request, Response, error_response

_MOST_PARTS = 1000  # documented limit


def answer(outer: Request, perform: Callable[[Request], Response]) -> Response:
    """Answer every part by itself; a failing part does not harm the others.

    Parts without an Authorization header use the one of the whole request, as Google's do.
    """
    content_type = outer.headers.get("Content-Type") or ""
    message = email.parser.BytesParser().parsebytes(
        b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + outer.body
    )
    if not message.is_multipart():
        return error_response(ApiError(400, "badRequest", "A batch request is multipart/mixed."))
    parts = [part for part in message.get_payload() if isinstance(part, email.message.Message)]
    if len(parts) > _MOST_PARTS:
        return error_response(ApiError(400, "badRequest", f"A batch may hold at most {_MOST_PARTS} requests."))
    boundary = "batch_" + secrets.token_urlsafe(16)
    answers = [_part(part, outer, perform, boundary) for part in parts]
    body = b"".join(answers) + f"--{boundary}--\r\n".encode()
    return Response(200, body, {"Content-Type": f"multipart/mixed; boundary={boundary}"})


def _part(part: email.message.Message, outer: Request, perform: Callable[[Request], Response], boundary: str) -> bytes:
    raw = part.get_payload(decode=True)
    response = perform(_request(raw if isinstance(raw, bytes) else b"", outer))
    identity = (part.get("Content-ID") or "").strip("<>")
    head = (
        f"--{boundary}\r\nContent-Type: application/http\r\nContent-ID: <response-{identity}>\r\n\r\n"
        f"HTTP/1.1 {response.status} {'OK' if response.status == 200 else 'Error'}\r\n"
        + "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
        + f"Content-Length: {len(response.body)}\r\n\r\n"
    )
    return head.encode() + response.body + b"\r\n"


def _request(raw: bytes, outer: Request) -> Request:
    line, _newline, rest = raw.replace(b"\r\n", b"\n").partition(b"\n")
    words = line.decode("latin-1").split()
    if len(words) < 2:
        words = ["GET", "/"]
    message = email.parser.BytesParser().parsebytes(rest)
    inherited = outer.headers.get("Authorization")
    if "Authorization" not in message and inherited:
        message["Authorization"] = inherited
    target = urllib.parse.urlsplit(words[1])
    body = message.get_payload(decode=True)
    return Request(
        words[0],
        target.path,
        urllib.parse.parse_qs(target.query, keep_blank_values=True),
        Headers(message.items()),
        body if isinstance(body, bytes) else b"",
    )
