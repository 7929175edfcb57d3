# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What went wrong at an OpenStack API, in words for an operator. Pure: an HTTP answer or an error's text in."""
from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ...errors import FleetError
from ...retry import parse_retry_after

ABSENT = ("no_service", "denied", "not_found")
"""Codes that say "this cloud has no such service, or not for you": lasting, unlike a service that is down."""

_TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
_CODES = {401: "auth", 403: "denied", 404: "not_found", 413: "throttled", 429: "throttled"}
_FIXES = {
    401: "Check user, password or application credential, and that it has not expired.",
    403: "Ask for a role that may do this, or use other credentials.",
    404: "Check the service's address in the catalogue, or its endpoint override in clouds.yaml.",
    413: "The cloud limits requests; raise 'timeout' and 'retries', or lower 'workers'.",
    429: "The cloud limits requests; raise 'timeout' and 'retries', or lower 'workers'.",
}
_SERVER_FIX = "The service has a problem; try again later, raise 'retries', or ask the cloud's operator."
_LONGEST = 300  # characters of the other side's message
_TAG = re.compile(r"<(style|script|title|head)\b.*?</\1>|<[^>]*>", re.IGNORECASE | re.DOTALL)
_ERRNO = re.compile(r"\[Errno -?\d+\] ([^'\")\]]+)")
_HOST = re.compile(r"https?://(?:[^/\s@]*@)?([^/\s?'\"]+)")


def from_answer(what: str, status: int, reason: str, headers: Mapping[str, str], text: str) -> FleetError:
    """The failure that an HTTP answer with an error status tells.

    headers: with case-insensitive keys. 413 counts as throttling only with Retry-After (compute API of old).
    """
    retry_after = parse_retry_after(headers.get("Retry-After"))
    message = message_of(text)
    return FleetError(
        what,
        why=f"HTTP {status} {reason}".rstrip() + (f": {message}" if message else ""),
        fix=_FIXES.get(status) or (_SERVER_FIX if status >= 500 else "Check the fleet file's options for this cloud."),
        code=_CODES.get(status, "http"),
        transient=status in _TRANSIENT or (status == 413 and retry_after is not None),
        retry_after=retry_after,
    )


def bad_answer(what: str, why: str) -> FleetError:
    """An answer that is no answer. Worth another try: proxies and restarting services give such ones for a moment."""
    return FleetError(what, why=why, code="bad_answer", transient=True, fix=_SERVER_FIX)


def unreachable(what: str, text: str) -> FleetError:
    """No answer at all; text: what the transport says."""
    host = _HOST.search(text)
    who = host[1] if host else "the endpoint"
    errno = _ERRNO.search(text)
    if errno:
        cause = errno[1].strip().lower()
    elif "resolve" in text.lower():
        cause = "the name cannot be resolved"
    elif "timed out" in text.lower():
        cause = "no answer in time"
    else:
        cause = "the connection broke"
    return FleetError(
        what, why=f"{who}: {cause}", code="unreachable", transient=True,
        fix="Check that the address in clouds.yaml or the catalogue is reachable from here.")


def untrusted(what: str, text: str) -> FleetError:
    """TLS failed; text: what the transport says."""
    host = _HOST.search(text)
    reason = re.search(r"certificate verify failed[^()\[\]]*", text) or re.search(r"[A-Z]+_[A-Z_]+", text)
    return FleetError(
        what, why=f"{host[1] if host else 'the endpoint'}: TLS failed" + (f": {reason[0].strip()}" if reason else ""),
        code="tls",
        fix="Set 'cacert' of the cloud in clouds.yaml to the file of its certificate authority.")


def message_of(text: str) -> str:
    """The message in an error's body, in one line. Services wrap it differently, and proxies answer in HTML."""
    body = _json(text)
    message = _TAG.sub(" ", text) if body is None else _find(body)
    line = " ".join(_TAG.sub(" ", message).split())
    return line if len(line) <= _LONGEST else line[:_LONGEST].rstrip() + "..."


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _find(body: Any) -> str:
    """{"error": {"message": ...}}, {"forbidden": {...}}, {"NeutronError": "..." or {...}}, {"message": ...}, and
    Ironic's {"error_message": "{...}"} with JSON in the text."""
    if not isinstance(body, dict):
        return ""
    for key in ("message", "detail", "description", "faultstring"):
        if isinstance(body.get(key), str) and body[key]:
            return str(body[key])
    for value in body.values():
        if isinstance(value, str) and len(body) == 1:
            return _find(_json(value)) or value
        found = _find(value)
        if found:
            return found
    return ""
