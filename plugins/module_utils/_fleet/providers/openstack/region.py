# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The services of one region, asked for JSON: addresses, API versions, pages, checks. Knows HTTP but no SDK."""
from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from ...errors import FleetError
from .failures import bad_answer, from_answer, message_of

if TYPE_CHECKING:
    import requests

    from .client import Access

Params = Mapping[str, Any]
Check = Callable[[Sequence[Mapping[str, Any]]], "FleetError | None"]
"""Looks at a list that came; returns the error that it is, or None."""

BEST_MICROVERSION = 98
"""Of the compute API: 2.98 embeds the image properties a server was built with. Later ones may change what we read."""

_VERSION_PATHS = {"network": "/v2.0", "image": "/v2", "baremetal": "/v1"}
_VERSIONED = re.compile(r"(.*/v\d+(?:\.\d+)?)(?:/.*)?")


class AnswerLost(FleetError):
    """A request that must not simply be sent again broke off: it may have been carried out or not. Who sent it looks."""


class Region:
    """One region of an account; "" for a cloud that names none."""

    def __init__(self, name: str, access: Access) -> None:
        self.name = name
        self.access = access
        self._compute_api: tuple[str, int] | None = None

    def has(self, service: str) -> bool:
        """Whether clouds.yaml does not rule the service out (has_...: false) and the catalogue has it here."""
        return self.access.allows(service) and self.access.address(service) is not None

    def get(
        self, service: str, path: str, params: Params | None = None, *,
        what: str, expect: str = "", check: Check | None = None, headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """One JSON object. expect: key that must hold a list of objects; check: says what is wrong with that list.
        what: the action, for errors."""
        base, told = self._address(service, headers, what)

        def once() -> dict[str, Any]:
            body = self._once(base + path, params, told, what)
            if expect:
                items = body.get(expect)
                if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                    raise bad_answer(what, f"the answer has no list '{expect}'")
                if check:
                    _raise(check(items))
            return body

        return self.access.patience.run(once)

    def pages(
        self, service: str, path: str, key: str, params: Params, *,
        what: str, check: Check | None = None, headers: Mapping[str, str] | None = None,
    ) -> Iterator[list[dict[str, Any]]]:
        """The lists under key of all pages, to the last. Raises FleetError when a next link makes no sense."""
        query: Params = params
        seen = []
        while True:
            body = self.get(service, path, query, what=what, expect=key, check=check, headers=headers)
            yield body[key]
            following = _next_query(body, key, what)
            if following is None:
                return
            if following in seen:
                raise bad_answer(what, "the link to the next page leads back to an earlier page")
            seen.append(following)
            query = {**params, **following}  # a thin link may name the marker only

    def send(
        self, method: str, service: str, path: str, body: Any = None, *,
        what: str, ok: Sequence[int] = (), headers: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """One request that changes something: its status, and the JSON object that came ({} for none).

        ok: error statuses that the caller looks at itself; others raise FleetError. Passing failures are tried again,
        but a POST only when it was refused for sure (throttling); otherwise it raises AnswerLost.
        """
        base, told = self._address(service, headers, what)

        def once() -> tuple[int, dict[str, Any]]:
            try:
                return self._send(method, base + path, body, told, what, ok)
            except FleetError as failure:
                if method == "POST" and failure.transient and failure.code != "throttled":
                    raise AnswerLost(what, why=failure.why, fix=failure.fix, code=failure.code) from failure
                raise

        return self.access.patience.run(once)

    def post(
        self, service: str, path: str, body: Any, *, what: str, ok: Sequence[int] = (),
        look: Callable[[], tuple[int, dict[str, Any]] | None] = lambda: None,
    ) -> tuple[int, dict[str, Any]]:
        """A POST that is sent again when its answer was lost, unless look finds that it was carried out: then what look
        returns is the answer. Without look: for one that does no harm when it is carried out twice."""
        def once() -> tuple[int, dict[str, Any]]:
            try:
                return self.send("POST", service, path, body, what=what, ok=ok)
            except AnswerLost as lost:
                found = look()
                if found is not None:
                    return found
                raise FleetError(what, why=lost.why, fix=lost.fix, code=lost.code, transient=True) from lost

        return self.access.patience.run(once)

    def compute_minor(self) -> int:
        """Minor version of the compute API that is spoken."""
        return self._compute()[1]

    def _address(self, service: str, headers: Mapping[str, str] | None, what: str) -> tuple[str, dict[str, str]]:
        """Base address of a service, and the headers for its version."""
        told = dict(headers or {})
        if service != "compute":
            return self._base(service, what), told
        base, minor = self._compute()
        if minor > 1:
            told["OpenStack-API-Version"] = f"compute 2.{minor}"
            told["X-OpenStack-Nova-API-Version"] = f"2.{minor}"  # compute API before 2.27
        return base, told

    def _send(
        self, method: str, url: str, body: Any, headers: Mapping[str, str], what: str, ok: Sequence[int],
    ) -> tuple[int, dict[str, Any]]:
        answer = self.access.fetch(url, None, {"Accept": "application/json", **headers}, what, method=method, body=body)
        if answer.status_code >= 400 and answer.status_code not in ok:
            raise _refused(what, answer)
        try:
            told = answer.json() if answer.content else {}
        except ValueError:
            if answer.status_code >= 400:
                told = {"message": message_of(answer.text)}
            else:
                raise bad_answer(what, f"HTTP {answer.status_code} with something that is not JSON") from None
        return answer.status_code, told if isinstance(told, dict) else {}

    def _once(self, url: str, params: Params | None, headers: Mapping[str, str], what: str) -> dict[str, Any]:
        answer = self.access.fetch(url, params, {"Accept": "application/json", **headers}, what)
        if answer.status_code >= 400:
            raise _refused(what, answer)
        try:
            body = answer.json()
        except ValueError:
            raise bad_answer(what, f"HTTP {answer.status_code} with something that is not JSON") from None
        if not isinstance(body, dict):
            raise bad_answer(what, "the answer is not a JSON object")
        return body

    def _base(self, service: str, what: str) -> str:
        address = self._require(service, what).rstrip("/")
        version = _VERSION_PATHS.get(service)
        if version is None:
            return address
        versioned = _VERSIONED.fullmatch(address)  # catalogues hold these with and without a version
        return (versioned[1].rpartition("/")[0] if versioned else address) + version

    def _require(self, service: str, what: str) -> str:
        address = self.access.address(service)
        if address is None:
            raise FleetError(
                what, why=f"the catalogue has no {service} service" + (f" in region {self.name}" if self.name else ""),
                fix=f"Check region and interface of {self.access.source}.", code="no_service")
        return address

    def _compute(self) -> tuple[str, int]:
        """Address of the compute API, and the minor version to speak: the best of ours that its version document
        offers, 1 for an API without a choice.

        The document's own links are not followed: behind a proxy they often name another host or scheme.
        """
        if self._compute_api:
            return self._compute_api
        address = self._require("compute", "find the compute service").rstrip("/")
        versioned = _VERSIONED.fullmatch(address)
        root = versioned[1] if versioned else address
        what = "ask the compute service for its version"
        try:
            body = self.access.patience.run(lambda: self._once(root + "/", None, {}, what))
        except FleetError as failure:
            if failure.transient or failure.code in ("timeout", "auth"):
                raise
            body = {}  # some clouds hide the document; then the API is taken for a plain 2.1
        rows = [row for row in (*(body.get("versions") or ()), body.get("version")) if isinstance(row, dict)]
        document = next((row for wanted in ("v2.1", "v2.0") for row in rows if row.get("id") == wanted), None)
        offered = re.fullmatch(r"2\.(\d+)", str(document.get("version"))) if document else None
        if document and not versioned:
            address += "/v2.1" if document["id"] == "v2.1" else "/v2"
        self._compute_api = address, min(int(offered[1]), BEST_MICROVERSION) if offered else 1
        return self._compute_api


def _refused(what: str, answer: requests.Response) -> FleetError:
    token = answer.request.headers.get("X-Auth-Token") if answer.request is not None else None
    text = answer.text.replace(str(token), "***") if token else answer.text  # some servers quote it
    return from_answer(what, answer.status_code, answer.reason, answer.headers, text)


def _next_query(body: Mapping[str, Any], key: str, what: str) -> dict[str, list[str]] | None:
    """Query of the next page, None on the last one. Only the query of the link is used: its host is often one that
    is right inside the cloud only."""
    href = body.get("next")  # Glance
    if not href:
        links = body.get(f"{key}_links") or []
        try:
            href = next((link["href"] for link in links if link["rel"] == "next"), None)
        except (KeyError, TypeError):
            raise bad_answer(what, "the link to the next page is malformed") from None
    if not href:
        return None
    query = parse_qs(urlsplit(href).query) if isinstance(href, str) else {}
    if not query:
        raise bad_answer(what, "the link to the next page does not say where to go on")
    return query


def _raise(problem: FleetError | None) -> None:
    if isinstance(problem, FleetError):
        raise problem
