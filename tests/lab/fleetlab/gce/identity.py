# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Google's token endpoints: OAuth (/token), STS (/v1/token), and IAM Credentials (generateAccessToken)."""

from __future__ import annotations

import datetime
import json
import urllib.parse
from typing import Any

from .errors import ApiError, Json, forbidden
from .principals import CLOUD_PLATFORM, GrantError, Principals

_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_EXCHANGE_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"


def token(principals: Principals, form: dict[str, str]) -> Json:
    """OAuth token endpoint: a service account's signed assertion, or a user's refresh token.

    :raises GrantError: answered as 400 {"error", "error_description"}.
    """
    grant = form.get("grant_type")
    if grant == _JWT_GRANT:
        principal, claims = principals.verify(form.get("assertion", ""))
        if not _is_token_endpoint(principals, str(claims.get("aud", ""))):
            raise GrantError(
                "invalid_grant", "Invalid JWT: Failed audience check. The right audience is the token endpoint."
            )
        scopes = frozenset(str(claims.get("scope", "")).split())
        if not scopes:
            raise GrantError("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        access, seconds = principals.issue(principal, scopes)
        return {"access_token": access, "expires_in": seconds, "token_type": "Bearer"}
    if grant == "refresh_token":
        user = principals.with_secret(form.get("refresh_token", ""))
        if user is None or user.kind != "user":
            raise GrantError("invalid_grant", "Token has been expired or revoked.")
        scopes = frozenset((form.get("scope") or CLOUD_PLATFORM).split())
        access, seconds = principals.issue(user, scopes)
        return {
            "access_token": access,
            "expires_in": seconds,
            "scope": " ".join(sorted(scopes)),
            "token_type": "Bearer",
        }
    raise GrantError("unsupported_grant_type", f"Invalid grant_type: {grant}")


def exchange(principals: Principals, form: dict[str, str]) -> Json:
    """STS: a token of another identity provider for one of Google's (workload identity federation).

    :raises GrantError:
    """
    if form.get("grant_type") != _EXCHANGE_GRANT:
        raise GrantError("unsupported_grant_type", f"Invalid grant_type: {form.get('grant_type')}")
    for name in ("audience", "subject_token_type"):
        if not form.get(name):
            raise GrantError("invalid_request", f"Missing parameter: {name}")
    identity = principals.with_secret(form.get("subject_token", ""))
    if identity is None or identity.kind != "federated":
        raise GrantError("invalid_grant", "The subject token is not valid for this identity pool.")
    access, seconds = principals.issue(identity, frozenset((form.get("scope") or CLOUD_PLATFORM).split()))
    return {
        "access_token": access,
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "token_type": "Bearer",
        "expires_in": seconds,
    }


def generate_access_token(principals: Principals, authorization: str | None, email: str, body: Json) -> Json:
    """IAM Credentials: a token of another service account (impersonation).

    :raises ApiError: 401, or 403 when the caller may not.
    """
    caller = principals.authenticate(authorization).principal
    target = principals.find(email)
    if target is None or target.kind != "service_account":
        raise ApiError(404, "notFound", f"Not found; Gaia id not found for email {email}")
    if caller.email not in target.impersonators:
        raise forbidden("iam.serviceAccounts.getAccessToken", f"projects/-/serviceAccounts/{email}")
    lifetime = int(str(body.get("lifetime") or "3600s").removesuffix("s"))
    access, seconds = principals.issue(target, frozenset(body.get("scope") or [CLOUD_PLATFORM]), lifetime)
    expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
    return {"accessToken": access, "expireTime": expires.strftime("%Y-%m-%dT%H:%M:%SZ")}


def form_of(body: bytes, content_type: str) -> dict[str, str]:
    """The fields of a token request; Google takes forms and JSON."""
    text = body.decode("utf-8", errors="replace")
    if "json" in content_type:
        value: Any = json.loads(text or "{}")
        return {str(name): str(item) for name, item in value.items()} if isinstance(value, dict) else {}
    return {name: values[-1] for name, values in urllib.parse.parse_qs(text).items()}


def _is_token_endpoint(principals: Principals, audience: str) -> bool:
    return audience in (
        f"{principals.base_url}/token",
        "https://oauth2.googleapis.com/token",
        "https://accounts.google.com/o/oauth2/token",
        "https://www.googleapis.com/oauth2/v4/token",
    )
