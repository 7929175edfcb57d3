# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Authentication and transport: one session and one token for one cloud, shared by its threads.

google-auth makes the tokens; requests carries everything, so proxies and CA bundles of the environment count. The
credentials' ``before_request`` is never called: beside refreshing, it looks up "regional access boundaries" at
iamcredentials.googleapis.com in a thread of its own, which closed networks do not let through and nobody here needs.
"""
from __future__ import annotations

import functools
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from ...errors import FleetError
from ...retry import Patience, parse_retry_after
from . import api

MISSING: ImportError | None = None
"""Why nothing here can be used: a library is not installed. Told when a cloud is opened, not when this is imported."""

try:
    import requests
    from google.auth import exceptions as auth_errors
    from google.auth.transport.requests import Request as TokenTransport
except ImportError as missing:
    MISSING = missing

T = TypeVar("T")

_CONNECTIONS = 16
_LOGIN = "get an access token"


class Client:
    """One Compute Engine endpoint, read and changed with one set of credentials.

    base: address of the API without a slash at its end; credentials: of google-auth (which is not typed), place: where
    they were named.
    """

    def __init__(
        self, base: str, credentials: Any, place: str, patience: Patience, session: requests.Session,
    ) -> None:
        self._base = base
        self._credentials = credentials
        self._place = place
        self._renewable = getattr(credentials, "refresh_token", "") is not None  # None: a ready-made token
        self._patience = patience
        self._session = session
        self._tokens = _BoundedTransport(session, patience)
        self._lock = threading.Lock()

    def get(
        self, what: str, project: str, path: str, query: Mapping[str, str], read: Callable[[str, Mapping[str, Any]], T],
    ) -> T:
        """What ``read`` makes of the answer, with retries; an answer that it calls incomplete is asked for again.

        what: the action, for messages; path: below the project's resource, or empty for itself; read: may raise
        FleetError.
        """
        url = self._url(project, path)
        return self._patience.run(lambda: read(what, self._ask("GET", what, project, url, query)))

    def change(
        self, method: str, what: str, project: str, path: str, query: Mapping[str, str], body: Any = None,
    ) -> Mapping[str, Any]:
        """The answer to a POST, PATCH or DELETE, with retries. The query must hold a ``requestId`` wherever doing it twice
        differs from doing it once: an answer that was lost is asked for again."""
        url = self._url(project, path)
        return self._patience.run(lambda: self._ask(method, what, project, url, query, body))

    def _url(self, project: str, path: str) -> str:
        return f"{self._base}/projects/{quote(project, safe=':')}" + (f"/{quote(path)}" if path else "")

    def _ask(
        self, method: str, what: str, project: str, url: str, query: Mapping[str, str], body: Any = None,
    ) -> Mapping[str, Any]:
        headers = self._signed()
        answer = self._send(method, what, url, query, headers, body)
        if answer.status_code == 401 and self._renewable:  # ended before its time: one new token, one more try
            answer = self._send(method, what, url, query, self._signed(refused=headers), body)
        if answer.status_code != 200:
            said = _without_token(answer.content, headers)
            raise api.refusal(
                what, project, answer.status_code, answer.headers, said, self._place, changes=method != "GET")
        return api.decode(what, answer.content)

    def _signed(self, refused: Mapping[str, str] | None = None) -> Mapping[str, str]:
        """Headers with a token that is valid, and newer than the refused one; only one thread gets a new one."""
        with self._lock:
            headers: dict[str, str] = {}
            if self._credentials.valid:
                self._credentials.apply(headers)
            if not headers or headers == refused:
                _renew(self._credentials, self._tokens, self._place)
                self._credentials.apply(headers)
            return headers

    def _send(
        self, method: str, what: str, url: str, query: Mapping[str, str], headers: Mapping[str, str], body: Any,
    ) -> requests.Response:
        timeout = self._patience.request_timeout()
        try:
            return self._session.request(
                method, url, params=query, headers=headers, json=body, timeout=timeout, allow_redirects=False)
        except requests.RequestException as broken:
            raise transport_failure(what, url, broken) from broken


def _without_token(body: bytes, headers: Mapping[str, str]) -> bytes:
    """An error's body without the token of the request, which some servers quote."""
    tokens = [value.rpartition(" ")[2].encode() for name, value in headers.items() if name.lower() == "authorization"]
    for token in filter(None, tokens):
        body = body.replace(token, b"***")
    return body


class _BoundedTransport:
    """google-auth's transport with our deadline and our retries instead of its own (120 s, three tries)."""

    def __init__(self, session: requests.Session, patience: Patience) -> None:
        self._carry: Any = TokenTransport(session)
        self._patience = patience

    def __call__(self, url: str, method: str = "GET", timeout: float | None = None, **more: Any) -> Any:
        bound = self._patience.request_timeout()
        what = f"{_LOGIN} from {urlsplit(url).hostname}"
        try:
            response = self._carry(url, method=method, timeout=min(bound, timeout or bound), **more)
        except auth_errors.TransportError as broken:
            raise transport_failure(what, url, broken) from broken
        if response.status == 429 or response.status >= 500:
            raise FleetError(
                what, why=f"HTTP {response.status}", code="unavailable", transient=True, fix="Try again later.",
                retry_after=parse_retry_after(response.headers.get("Retry-After")))
        return response


def new_session() -> requests.Session:
    """A session without retries of its own and without ~/.netrc, whose entries would replace the token."""
    session = requests.Session()
    adapter = requests.adapters.HTTPAdapter(pool_connections=_CONNECTIONS, pool_maxsize=_CONNECTIONS, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.headers["User-Agent"] = "hybridops.fleet (gzip)"  # Google compresses only for clients that say so here
    session.auth = lambda request: request
    return session


def _renew(credentials: Any, transport: _BoundedTransport, place: str) -> None:
    """A new token. Raises FleetError, transient when google-auth says that trying again may help."""
    try:
        credentials.refresh(transport)
    except auth_errors.GoogleAuthError as refused:
        raise FleetError(
            _LOGIN, why=_refusal_words(refused), code="auth", transient=bool(refused.retryable),
            fix=f"Check the credentials from {place}: they may have expired, been revoked, or lack a permission.",
        ) from refused


def _refusal_words(refused: Exception) -> str:
    """google-auth puts the other side's JSON beside or in its own words; the sentence in it is what helps."""
    for detail in refused.args[1:]:
        try:
            answer = json.loads(detail) if isinstance(detail, (str, bytes)) else detail
            error = answer["error"]
            if isinstance(error, dict):
                return api.one_line(error["message"])
            return api.one_line(f"{error}: {answer.get('error_description', '')}".rstrip(": "))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return api.one_line(refused.args[0] if refused.args else type(refused).__name__)


def transport_failure(what: str, url: str, broken: Exception) -> FleetError:
    """The error for a request that got no answer; only a certificate that cannot be trusted is not tried again."""
    host = urlsplit(url).netloc.rpartition("@")[2]
    causes = list(_causes(broken))
    failed = functools.partial(FleetError, what)
    if any(isinstance(cause, requests.exceptions.SSLError) for cause in causes):
        return failed(why=f"{host}: {api.one_line(causes[-1])}", code="tls",
                      fix="If a proxy or endpoint of your own answers there, set REQUESTS_CA_BUNDLE to its CA's file.")
    if any(isinstance(cause, (requests.exceptions.Timeout, TimeoutError)) for cause in causes):
        return failed(why=f"{host} did not answer in time", code="timeout", transient=True,
                      fix="Check that it is reachable, or raise 'timeout'.")
    innermost = causes[-1]
    words = innermost.strerror if isinstance(innermost, OSError) and innermost.strerror else innermost
    return failed(why=f"{host}: {api.one_line(words)}", code="unreachable", transient=True,
                  fix="Check network, proxy variables and 'endpoint'.")


def _causes(broken: BaseException | None) -> Any:
    while broken is not None:
        yield broken
        broken = broken.__cause__ or broken.__context__
