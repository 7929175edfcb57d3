# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Compute Engine's refusals mean for somebody who makes nodes. Pure.

Google tells the same cause in two places: in the answer to the request (HTTP status, a reason such as quotaExceeded) and,
later, in the operation (a code such as QUOTA_EXCEEDED). Both are read by one table.
"""
from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ...errors import FleetError

_LONGEST_REASON = 300  # characters of the other side's words in an error


class Cause(NamedTuple):
    """code: FleetError's stable word; fix: what the operator can do; transient: asking again in a moment may help."""

    code: str
    fix: str
    transient: bool = False


class _Row(NamedTuple):
    words: re.Pattern[str]
    cause: Cause


def _row(words: str, code: str, fix: str, *, transient: bool = False) -> _Row:
    return _Row(re.compile(words, re.IGNORECASE), Cause(code, fix, transient))


_CAUSES = (
    _row(r"quota '?(?:IN_USE|STATIC)\w*ADDRESSES", "address_pool",
         "Release addresses, have the quota raised, or ask for a node with reachable: private."),
    _row(r"IP_?SPACE_?EXHAUSTED", "address_pool", "Take another subnetwork, or enlarge its range."),
    _row(r"quota_?exceeded|quota '[^']*' exceeded", "quota",
         "Remove what is not needed, have the quota raised, or take another region."),
    _row(r"RESOURCE_?POOL_?EXHAUSTED|STOCKOUT|does not have enough resources available", "capacity",
         "Name another zone or flavor, or try again later."),
    _row(r"(?:sourceImage'|/images/).*(?:not found|cannot be found|not exist|not ready|obsolete|deleted)"
         r"|image resource cannot be found", "image_gone",
         "Choose another image; catalog_info lists those that can be used."),
    _row(r"RESOURCE_NOT_FOUND", "not_found", "Something it needs was removed; look at what it names."),
    _row(r"natIP'.*(?:already used|not found|in use)|External IP address .*already", "address_taken", "Try again."),
    # before conditionNotMet, which is Google's reason for these too
    _row(r"constraints/compute\.vmExternalIpAccess", "refused",
         "The organisation allows no external address here: ask for a node with reachable: private."),
    _row(r"constraints/compute\.requireOsLogin", "refused",
         "The organisation demands OS Login, with which keys in the metadata are ignored: give the key to an account with 'gcloud compute "
         "os-login ssh-keys add', and name that account as login_user, without a key of the node's own."),
    _row(r"constraints/", "refused", "An organisation policy forbids it: ask its administrator."),
    _row(r"ALREADY_?EXISTS", "exists", "Remove what has that name, or choose another name."),
    _row(r"conditionNotMet|CONDITION_NOT_MET", "stale", "Somebody changed it at the same time; try again."),
    _row(r"RESOURCE_?NOT_?READY|resource '[^']*' is not ready", "conflict", "Something else is being done with it; try again in a moment.",
         transient=True),
    _row(r"RESOURCE_?IN_?USE|already being used by", "in_use", "Remove what uses it first."),
    _row(r"protected against deletion", "protected", "Take its deletion protection off first."),
)
_BY_STATUS = {
    409: Cause("exists", "Remove what has that name, or choose another name."),
    412: Cause("stale", "Somebody changed it at the same time; try again."),
    501: Cause("unsupported", "This endpoint does not offer it."),
}
_TRANSIENT = re.compile(r"INTERNAL_?ERROR|BACKEND_?ERROR|RATE_?LIMIT|RATE_?EXCEEDED|UNAVAILABLE", re.IGNORECASE)


def cause(status: int, reasons: Sequence[str], message: str) -> Cause | None:
    """What a refused request means, None when its status tells as much."""
    if status in (401, 429):
        return None
    return _known(" ".join((*reasons, message))) or _BY_STATUS.get(status)


def _known(words: str) -> Cause | None:
    return next((row.cause for row in _CAUSES if row.words.search(words)), None)


def operation_error(what: str, operation: Mapping[str, Any]) -> FleetError | None:
    """The failure that a finished operation tells of, None when it succeeded."""
    rows = (operation.get("error") or {}).get("errors") or ()
    status = operation.get("httpErrorStatusCode")
    if not rows and not status:
        return None
    words = "; ".join(f"{row.get('code', '')}: {row.get('message', '')}".strip(": ") for row in rows) or (
        f"HTTP {status} {operation.get('httpErrorMessage', '')}".strip())
    told = _known(words)
    line = " ".join(words.split())
    why = line if len(line) <= _LONGEST_REASON else line[:_LONGEST_REASON] + "..."
    if told:
        return FleetError(what, why=why, code=told.code, fix=told.fix)
    if _TRANSIENT.search(words):
        return FleetError(what, why=why, code="unavailable", fix="Try again later.")
    return FleetError(what, why=why, code="refused", fix="Correct what it names.")
