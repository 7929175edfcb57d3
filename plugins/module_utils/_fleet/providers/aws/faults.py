# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""AWS's errors in words for an operator. Pure: what AWS answered in, FleetError out."""
from __future__ import annotations

import re

from ...errors import FleetError

# Error codes of the EC2 and STS APIs ("Error codes for the Amazon EC2 API", "Common errors"), by what helps.
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
_DENIED = frozenset({"UnauthorizedOperation", "AccessDenied", "AccessDeniedException"})
_UNSUPPORTED = frozenset({"InvalidAction", "UnsupportedOperation", "NotImplemented"})
_REJECTED = frozenset({
    "AuthFailure", "IncompleteSignature", "InvalidAccessKeyId", "InvalidClientTokenId", "InvalidSignatureException",
    "MissingAuthenticationToken", "MissingAuthenticationTokenException", "SignatureDoesNotMatch",
    "UnrecognizedClientException",
})
_THROTTLED = frozenset({
    "BandwidthLimitExceeded", "EC2ThrottledException", "PriorRequestNotComplete", "RequestLimitExceeded",
    "RequestThrottled", "RequestThrottledException", "SlowDown", "Throttling", "ThrottlingException",
    "ThrottledException", "TooManyRequestsException",
})
_UNWELL = frozenset({
    "InternalError", "InternalFailure", "RequestTimeout", "RequestTimeoutException", "ServiceUnavailable",
    "Unavailable",
})

_CAUSES = {
    "IdempotentParameterMismatch": "mismatch", "DependencyViolation": "in_use",
    "Resource.AlreadyAssociated": "taken", "IncorrectInstanceState": "wrong_state", "IncorrectState": "wrong_state",
    "InsufficientInstanceCapacity": "capacity", "InsufficientHostCapacity": "capacity", "Unsupported": "capacity",
    "InsufficientFreeAddressesInSubnet": "capacity", "InsufficientCapacity": "capacity",
    "AddressLimitExceeded": "address_pool", "InsufficientAddressCapacity": "address_pool",
}
"""Refusals whose cause whoever makes nodes can do something about -> code."""

_ENDINGS = (
    ("LimitExceeded", "quota"), ("LimitExceededException", "quota"), (".Duplicate", "exists"), (".NotFound", "not_found"),
    (".Malformed", "not_found"), (".InUse", "in_use"),
)
_MENDS = {
    "quota": "Remove nodes that are not needed, or ask AWS for a higher limit (Service Quotas).",
    "capacity": "Name another zone, subnet or flavor, or try again later.",
    "address_pool": "Release elastic IPs that are not needed, or ask AWS for a higher limit.",
    "image_gone": "Choose another image; catalog_info lists those there are.",
    "taken": "Run again; another address is taken then.",
    "in_use": "Something else still uses it; remove that first.",
    "wrong_state": "Wait until the node has settled, and try again.",
    "mismatch": "A node of that name was asked for with other settings a short time ago; choose another name or try again later.",
    "exists": "Choose another name, or remove what is there.",
    "not_found": "It may have been removed meanwhile; look at it with catalog_info or node_info.",
}

_USER_INFO = re.compile(r"//[^/@\s]+@")
_ENCODED = re.compile(r"\s*Encoded authorization failure message:.*")
_NAMED_ACTION = re.compile(r"not authorized to perform:? ([a-z0-9-]+:[A-Za-z]+)")
_LONGEST = 300  # characters of the other side's own words


class CredentialsExpired(FleetError):
    """The session of the credentials is over; finding them anew may help."""


def one_line(text: str) -> str:
    """The other side's words, short and without secrets.

    Only the first line: a signature error goes on with the signed request, session token included.
    """
    first = text.strip().split("\n", 1)[0]
    clean = _ENCODED.sub("", _USER_INFO.sub("//", " ".join(first.split())))
    return clean if len(clean) <= _LONGEST else f"{clean[:_LONGEST]}..."


def from_answer(
    what: str, action: str, region: str, code: str, message: str, status: int, retry_after: float | None = None,
) -> FleetError:
    """The failure that an error answer means.

    what: the action in plain words; action: the IAM name of the call ("ec2:DescribeInstances"); code, message and
    status: those of the answer; retry_after: seconds it asks to wait.
    """
    why = f"{code}: {one_line(message)}" if message else f"error {code}"
    if code in _DENIED:
        named = _NAMED_ACTION.search(message)  # a launch also needs ec2:CreateTags, for example
        return FleetError(what, why=why, code="denied", fix=f"Allow {named[1] if named else action} in the IAM policy of these credentials.")
    if code in _EXPIRED:
        return CredentialsExpired(
            what, why=why, code="auth",
            fix="The credentials have expired: refresh the session (aws sso login, or new temporary keys).")
    if code == "OptInRequired":
        return region_not_enabled(region, why)
    if code in _REJECTED or status == 401:
        return FleetError(
            what, why=why, code="auth",
            fix="Check the credentials with 'aws sts get-caller-identity'. If they work in other regions, region "
                f"{region} is not enabled for this account: enable it or remove it from 'regions'.")
    if code in _THROTTLED or status == 429:
        return FleetError(
            what, why=why, code="throttled", transient=True, retry_after=retry_after,
            fix="AWS limits the rate of requests: raise 'retries' and 'timeout', or lower 'workers'.")
    cause = _cause(code)  # before the status: that of a lack of capacity is 500
    if cause:
        return FleetError(what, why=why, code=cause, fix=_MENDS[cause])
    if code in _UNWELL or status >= 500:
        return FleetError(
            what, why=why, code="unavailable", transient=True, retry_after=retry_after,
            fix="AWS cannot answer now: try again later, or see its health dashboard.")
    if code in _UNSUPPORTED:
        return FleetError(what, why=why, code="unsupported", fix="Check 'endpoint_url' and the proxy, and that boto3 is recent.")
    fix = "Correct what AWS complains of." if code.startswith(("Invalid", "Missing", "Unknown")) else (
        "Check 'endpoint_url' and the proxy, and that boto3 is recent.")
    return FleetError(what, why=why, code="refused", fix=fix)


def _cause(code: str) -> str | None:
    """The code of a refusal that has a cause of its own, None for one that has not."""
    if code.startswith("InvalidAMIID."):
        return "image_gone"
    return _CAUSES.get(code) or next((cause for ending, cause in _ENDINGS if code.endswith(ending)), None)


def region_not_enabled(region: str, why: str) -> FleetError:
    """A region of the fleet file that the account cannot use."""
    return FleetError(
        f"region {region} is not enabled for this account", why=why, code="region_not_enabled",
        fix="Enable it in the account's settings, or remove it from 'regions' in the fleet file.")
