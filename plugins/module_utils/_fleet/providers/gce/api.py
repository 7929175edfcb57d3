# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is asked of the Compute Engine API and what counts as a complete answer. Pure: no socket, no SDK.

A short answer never passes for a small project: every page must be of its kind, say that it is empty or where it goes
on, and hold no warning that a zone is missing.
"""
from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import FleetError
from ...name_patterns import start_of
from ...retry import parse_retry_after
from . import faults
from .shape import NEVER_EXTRA, STATES

if TYPE_CHECKING:
    from ...fleet_file import Filters

PAGE_SIZE = 500  # the most the API gives at once
IDS_AT_ONCE = 40  # in one filter: the address of a request may not grow without bound

_FIELDS = {
    "id": "", "name": "", "status": "", "zone": "", "creationTimestamp": "", "machineType": "", "cpuPlatform": "",
    "labels": "", "tags": "/items", "metadata": "/items", "disks": "(boot,architecture,licenses)",
    "networkInterfaces": "(network,networkIP,ipv6Address,accessConfigs/natIP,ipv6AccessConfigs/externalIpv6)",
}
"""What the translator reads of an instance, and of its parts: about a quarter of the whole record."""

_FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_TOKEN = re.compile(r"(bearer\s+)\S+|\bya29\.\S+", re.IGNORECASE)
_PLAIN = re.compile(r"[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?")

_EMPTY = "NO_RESULTS_ON_PAGE"
_HARMLESS = frozenset({
    _EMPTY, "DEPRECATED_RESOURCE_USED", "DEPRECATED_TYPE_USED", "EXPERIMENTAL_TYPE_USED", "NOT_CRITICAL_ERROR"})

_RATE_REASONS = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED"})
_DISABLED_REASONS = frozenset({"accessNotConfigured", "SERVICE_DISABLED"})
_SCOPE_REASONS = frozenset({"ACCESS_TOKEN_SCOPE_INSUFFICIENT", "insufficientScopes"})

_LONGEST_REASON = 300  # characters of the other side's words in an error


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """The rows of one page and the token of the next one."""

    rows: Sequence[Mapping[str, Any]]
    next_token: str | None


# ------------------------------------------------------------------------------------------------ questions
def instance_query(
    filters: Filters, states: Collection[str], extra: Sequence[str], *, aggregated: bool,
) -> dict[str, str]:
    """Query of an instance list: page size, fields and, where it means the same, the filters.

    The filters may be left to the collector, which applies all of them; so what the API could understand otherwise
    (patterns, tags that may be network tags, states nobody has named yet) is not sent.
    """
    known = dict(_FIELDS)
    known.update({name: "" for name in extra if name not in NEVER_EXTRA and _FIELD_NAME.fullmatch(name)})
    instance = f"({','.join(name + part for name, part in known.items())})"
    rows = f"unreachables,items/*/warning,items/*/instances{instance}" if aggregated else f"items{instance}"
    query = {"maxResults": str(PAGE_SIZE), "fields": f"kind,id,nextPageToken,warning,{rows}"}
    wanted = _filter(filters, states)
    return {**query, "filter": wanted} if wanted else query


PROJECT_QUERY = {"fields": "kind,commonInstanceMetadata/items"}
NETWORKS_QUERY = {"maxResults": str(PAGE_SIZE), "fields": "kind,nextPageToken,items(selfLink,mtu)"}


def _filter(filters: Filters, states: Collection[str]) -> str:
    statuses = [] if "unknown" in states else [theirs for theirs, ours in STATES.items() if ours in states]
    starts = [start_of(pattern) for pattern in filters.names]
    terms = [_any("status", statuses), _any("name", _exact([start.text if start.whole else "*" for start in starts]))]
    if 0 < len(filters.ids) <= IDS_AT_ONCE:
        terms.append(any_id(filters.ids))
    terms += [_any(f"labels.{key}", _exact(values)) for key, values in filters.tags.items() if _PLAIN.fullmatch(key)]
    return " AND ".join(term for term in terms if term)


def any_id(node_ids: Sequence[str]) -> str:
    """A filter for instances of these ids; anything that is no id of Google's cannot be there."""
    terms = [f"(id = {node_id})" for node_id in node_ids if re.fullmatch(r"[0-9]+", node_id)] or ["(id = 0)"]
    return terms[0] if len(terms) == 1 else f"({' OR '.join(terms)})"


def _exact(values: Sequence[str]) -> Sequence[str]:
    """The values, none of them when one could mean more than itself."""
    return values if all(map(_PLAIN.fullmatch, values)) else ()


def _any(field: str, values: Sequence[str]) -> str:
    """The field equals one of the values; nothing when there are none."""
    if not values:
        return ""
    terms = [f'({field} = "{value}")' for value in values]
    return terms[0] if len(terms) == 1 else f"({' OR '.join(terms)})"


# -------------------------------------------------------------------------------------------------- answers
def aggregated(what: str, answer: Mapping[str, Any], kind: str, rows_key: str) -> Page:
    """A page of the resources of all zones or regions. Raises FleetError when it is not complete.

    Scopes without resources on a page are listed there with a warning, so a page without any scope must say that
    nothing is on it. rows_key: name of the list in each scope.
    """
    _expect_kind(what, answer, kind, "items")
    missing = {_zone(name): "UNREACHABLE" for name in answer.get("unreachables") or ()}
    missing |= warned(answer.get("warning"), "the project")
    scopes = answer.get("items")
    token = answer.get("nextPageToken")
    if scopes is None and (answer.get("warning") or {}).get("code") != _EMPTY:
        raise bad_answer(what, "a page without items")
    if not isinstance(scopes or {}, Mapping):
        raise bad_answer(what, "items is not a mapping of zones")
    rows: list[Mapping[str, Any]] = []
    for name, scope in (scopes or {}).items():
        if not isinstance(scope, Mapping):
            raise bad_answer(what, f"{_zone(name)} holds no list of {rows_key}")
        missing |= warned(scope.get("warning"), _zone(name))
        rows += _rows(what, scope.get(rows_key))
    if missing:
        raise partial(what, missing)
    return Page(rows, token or None)


def aggregated_page(what: str, answer: Mapping[str, Any]) -> Page:
    """A page of the instances of all zones."""
    return aggregated(what, answer, "compute#instanceAggregatedList", "instances")


def plain(what: str, answer: Mapping[str, Any], kind: str) -> Page:
    """A page of one collection. An empty one has no items, but its list still has kind and id."""
    _expect_kind(what, answer, kind, "items")
    missing = warned(answer.get("warning"), "the zone")
    if missing:
        raise partial(what, missing)
    token = answer.get("nextPageToken")
    if "items" not in answer and (token or not answer.get("id")):
        raise bad_answer(what, "a page without items")
    return Page(_rows(what, answer.get("items")), token or None)


def zone_page(what: str, answer: Mapping[str, Any]) -> Page:
    """A page of the instances of one zone."""
    return plain(what, answer, "compute#instanceList")


def network_page(what: str, answer: Mapping[str, Any]) -> Page:
    """A page of a project's networks."""
    _expect_kind(what, answer, "compute#networkList", "items")
    return Page(_rows(what, answer.get("items")), answer.get("nextPageToken") or None)


def project_metadata(what: str, answer: Mapping[str, Any]) -> Any:
    """The metadata that all instances of a project share, None when there is none."""
    _expect_kind(what, answer, "compute#project", "name")
    return answer.get("commonInstanceMetadata")


def _expect_kind(what: str, answer: Mapping[str, Any], kind: str, holds: str) -> None:
    """The answer says that it is of that kind; one that says nothing (Google's always do) must hold that key."""
    if answer.get("kind") != kind and ("kind" in answer or holds not in answer):
        raise bad_answer(what, f"not a {kind}")


def _rows(what: str, rows: Any) -> list[Mapping[str, Any]]:
    if not isinstance(rows or [], list) or not all(isinstance(row, Mapping) for row in rows or ()):
        raise bad_answer(what, "not a list of resources")
    return rows or []


def warned(warning: Any, place: str) -> dict[str, str]:
    """The place and the code of a warning, when it tells that results are missing."""
    code = warning.get("code") if isinstance(warning, Mapping) else None
    return {} if code is None or code in _HARMLESS else {place: str(code)}


def _zone(scope: str) -> str:
    return scope.rpartition("/")[2]


# --------------------------------------------------------------------------------------------------- errors
def partial(what: str, missing: Mapping[str, str]) -> FleetError:
    """Some zones did not answer; their instances are missing. missing: zone -> the API's word for it."""
    zones = ", ".join(f"{zone} ({code})" for zone, code in missing.items())
    return FleetError(
        what, why=f"partial answer, not reached: {zones}", code="partial", transient=True,
        fix="Try again later, or name the other zones in 'zones'.")


def bad_answer(what: str, why: str, *, transient: bool = True) -> FleetError:
    """Not what was asked for; something between us and Google may have answered."""
    return FleetError(
        what, why=f"unusable answer: {why}", code="bad_answer", transient=transient,
        fix="Check that 'endpoint' and any proxy lead to the Compute Engine API.")


def decode(what: str, body: bytes) -> Mapping[str, Any]:
    """The JSON object in the body of a successful answer. Raises FleetError."""
    try:
        answer = json.loads(body)
    except ValueError:
        raise bad_answer(what, "not JSON") from None
    if not isinstance(answer, dict):
        raise bad_answer(what, "not a JSON object")
    return answer


def refusal(
    what: str, project: str, status: int, headers: Mapping[str, str], body: bytes, place: str, *, changes: bool = False,
) -> FleetError:
    """The error for an answer that is no success, from Google's error body or, failing that, from its status.

    headers: a mapping that does not care for case; place: where the credentials come from; changes: the request was to
    change something.
    """
    message, reasons = _said(body)
    why = one_line(f"HTTP {status}" + (f": {message}" if message else "") + (f" ({reasons[0]})" if reasons else ""))
    cause = faults.cause(status, reasons, message)
    if cause:
        return FleetError(what, why=why, code=cause.code, fix=cause.fix, transient=cause.transient)
    if status in (408, 429) or (status >= 500 and status != 501) or (status == 403 and _RATE_REASONS.intersection(reasons)):
        throttled = status in (403, 429)
        return FleetError(
            what, why=why, code="throttled" if throttled else "unavailable", transient=True,
            retry_after=parse_retry_after(headers.get("Retry-After")),
            fix="Raise 'retries' or 'timeout', or lower 'workers'." if throttled else "Try again later.")
    if status == 401:
        return FleetError(what, why=why, code="auth", fix=f"Renew the credentials from {place}.")
    if status == 403:
        return FleetError(what, why=why, code="forbidden", fix=_mend_forbidden(project, reasons, changes))
    if status == 404:
        return FleetError(what, why=why, code="not_found", fix="Check the project's id (not its name) and the zones.")
    if status == 400:
        return FleetError(what, why=why, code="refused",
                          fix="Correct what it names." if changes else "Check the names of projects and zones.")
    return bad_answer(what, why, transient=False)


def _mend_forbidden(project: str, reasons: Sequence[str], changes: bool) -> str:
    if _DISABLED_REASONS.intersection(reasons):
        return f"Enable it: gcloud services enable compute.googleapis.com --project {project}."
    if _SCOPE_REASONS.intersection(reasons):
        scope = "compute" if changes else "compute.readonly"
        return f"Give the machine or token the scope https://www.googleapis.com/auth/{scope}."
    if changes:
        return (f"Grant roles/compute.instanceAdmin.v1 (for firewall rules also roles/compute.securityAdmin) on project "
                f"{project} to the account in use.")
    return f"Grant roles/compute.viewer on project {project} to the account in use."


def _said(body: bytes) -> tuple[str, list[str]]:
    """Message and reasons of Google's error body; both empty when it is something else."""
    try:
        error = json.loads(body)["error"]
        rows = [*(error.get("details") or ()), *(error.get("errors") or ())]
        reasons = [row["reason"] for row in rows if isinstance(row, dict) and isinstance(row.get("reason"), str)]
        return str(error.get("message") or ""), reasons
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", []


def one_line(text: object) -> str:
    """Words of the other side, fit for a message: one line, not too long, no token in it."""
    line = _TOKEN.sub(lambda found: (found[1] or "") + "***", " ".join(str(text).split()))
    return line if len(line) <= _LONGEST_REASON else line[:_LONGEST_REASON] + "..."
