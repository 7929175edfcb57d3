# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Failures in the shape Google's compute API gives them (global error format: code, message, errors[])."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

# the canonical status of google.rpc.Code that goes with an HTTP status
_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    412: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
}


class ApiError(Exception):
    """An answer that is a failure.

    :param code: HTTP status.
    :param reason: Google's word for it (``notFound``, ``conditionNotMet``...), what clients branch on.
    :param message: the sentence for a person.
    :param where: the header or parameter at fault, as Google adds it for 401 and 412.
    :param details: google.rpc details, for the failures that carry them.
    """

    def __init__(
        self, code: int, reason: str, message: str, where: str = "", details: list[Json] | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.where, self.details = code, reason, message, where, details

    def body(self) -> Json:
        entry: Json = {"message": self.message, "domain": "global", "reason": self.reason}
        if self.where:
            entry |= {"locationType": "header", "location": self.where}
        error: Json = {"code": self.code, "message": self.message, "errors": [entry]}
        if self.code in (401, 403) or self.details:
            error["status"] = _STATUS.get(self.code, "UNKNOWN")
        if self.details:
            error["details"] = self.details
        return {"error": error}


def not_found(path: str) -> ApiError:
    return ApiError(404, "notFound", f"The resource '{path}' was not found")


def already_exists(path: str) -> ApiError:
    return ApiError(409, "alreadyExists", f"The resource '{path}' already exists")


def invalid(field: str, value: object, text: str) -> ApiError:
    return ApiError(400, "invalid", f"Invalid value for field '{field}': '{value}'. {text}")


def in_use(path: str, user: str) -> ApiError:
    return ApiError(
        400,
        "resourceInUseByAnotherResource",
        f"The {path.split('/')[-2]} resource '{path}' is already being used by '{user}'",
    )


def not_ready(path: str) -> ApiError:
    return ApiError(400, "resourceNotReady", f"The resource '{path}' is not ready")


def stale(what: str) -> ApiError:
    """A change made from an old reading of the resource."""
    return ApiError(
        412, "conditionNotMet", f"Supplied fingerprint does not match current {what} fingerprint.", "If-Match"
    )


def unavailable(text: str) -> ApiError:
    return ApiError(503, "backendError", text)


def unauthenticated() -> ApiError:
    return ApiError(
        401,
        "authError",
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
        "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
        "Authorization",
    )


def no_credentials() -> ApiError:
    return ApiError(
        401,
        "required",
        "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other "
        "valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
        "Authorization",
    )


def missing_scope(method: str) -> ApiError:
    details = [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
            "domain": "googleapis.com",
            "metadata": {"service": "compute.googleapis.com", "method": f"compute.v1.{method}"},
        }
    ]
    return ApiError(403, "insufficientPermissions", "Request had insufficient authentication scopes.", details=details)


def forbidden(permission: str, resource: str) -> ApiError:
    return ApiError(403, "forbidden", f"Required '{permission}' permission for '{resource}'")
