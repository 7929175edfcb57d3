# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Requests and error answers of AWS's query protocol, as far as the lab has to understand them itself."""

from __future__ import annotations

import dataclasses
import re
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

_SCOPE = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")


@dataclasses.dataclass(frozen=True)
class Call:
    """One API call: who signed it for which service and region, and what it asks. Empty texts where unsigned."""

    service: str
    region: str
    access_key: str
    action: str
    params: dict[str, str]


def parse_call(authorization: str, query: str, body: bytes) -> Call:
    """Read a call from its Authorization header (Signature Version 4), query string and form body."""
    scope = _SCOPE.search(authorization)
    access_key, region, service = scope.groups() if scope else ("", "", "")
    params = dict(parse_qsl(query, keep_blank_values=True))
    params.update(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    return Call(service.lower(), region, access_key, params.get("Action", ""), params)


def error_body(
    service: str, code: str, message: str, request_id: str = "00000000-0000-4000-8000-000000000000"
) -> bytes:
    """An error as that service words it: EC2 has its own envelope, the others share one."""
    if service == "ec2":
        inner = f"<Errors><Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error></Errors>"
        text = f"<Response>{inner}<RequestID>{request_id}</RequestID></Response>"
    else:
        inner = f"<Error><Type>Sender</Type><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
        text = f"<ErrorResponse>{inner}<RequestId>{request_id}</RequestId></ErrorResponse>"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()
