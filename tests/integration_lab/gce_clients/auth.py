# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Witness: google-auth, in every way it can get a token. Each program reads the project's instances with it."""

from __future__ import annotations

import json
import os
from typing import Any

import google.auth
from google.auth import compute_engine, identity_pool, impersonated_credentials
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import AuthorizedSession
from google.oauth2 import credentials as user_credentials
from google.oauth2 import service_account
from local import PROJECT, SCOPE, URL, main

KEY_FILE = os.environ["GOOGLE_APPLICATION_CREDENTIALS"]
SECRETS: dict[str, Any] = json.loads(os.environ.get("WITNESS_SECRETS", "{}"))


def _read(credentials: Any) -> int:
    """Status of one list request."""
    return int(
        AuthorizedSession(credentials)
        .get(f"{URL}/compute/v1/projects/{PROJECT}/zones/us-central1-a/instances", timeout=30)
        .status_code
    )


def key_file() -> int:
    credentials, _project = google.auth.default(scopes=[SCOPE])
    return _read(credentials)


def self_signed() -> int:
    return _read(
        service_account.Credentials.from_service_account_file(KEY_FILE, scopes=[SCOPE], always_use_jwt_access=True)
    )


def foreign_key() -> str:
    """A key that is not the account's: right in everything but its signature."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with open(KEY_FILE, encoding="utf-8") as text:
        info = json.load(text)
    info["private_key"] = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    try:
        return str(_read(service_account.Credentials.from_service_account_info(info, scopes=[SCOPE])))
    except RefreshError as failure:
        return str(failure.args[1]["error_description"])


def user() -> int:
    known = SECRETS["user"]
    return _read(
        user_credentials.Credentials(
            None,
            refresh_token=known["refresh_token"],
            token_uri=f"{URL}/token",
            client_id=known["client_id"],
            client_secret=known["client_secret"],
        )
    )


def federation() -> int:
    return _read(
        identity_pool.Credentials.from_info(
            {
                "type": "external_account",
                "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/lab/providers/lab",
                "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
                "token_url": f"{URL}/v1/token",
                "credential_source": {"file": SECRETS["subject_token_file"]},
            },
            scopes=[SCOPE],
        )
    )


def impersonation() -> int:
    source, _project = google.auth.default(scopes=[SCOPE])
    endpoint = f"{URL}/v1/projects/-/serviceAccounts/{SECRETS['target']}:generateAccessToken"
    return _read(
        impersonated_credentials.Credentials(source, SECRETS["target"], [SCOPE], iam_endpoint_override=endpoint)
    )


def metadata_server() -> int:
    return _read(compute_engine.Credentials())


def refreshed_after_expiry() -> list[int]:
    """A session whose token the cloud no longer takes: google-auth fetches a new one by itself."""
    credentials, _project = google.auth.default(scopes=[SCOPE])
    session = AuthorizedSession(credentials)
    url = f"{URL}/compute/v1/projects/{PROJECT}/zones/us-central1-a/instances"
    first = session.get(url, timeout=30).status_code
    session.post(f"{URL}/_lab/expire", json={}, timeout=30)
    return [first, session.get(url, timeout=30).status_code]


if __name__ == "__main__":
    main(key_file, self_signed, foreign_key, user, federation, impersonation, metadata_server, refreshed_after_expiry)
