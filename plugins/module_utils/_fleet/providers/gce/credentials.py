# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From a source of credentials to google-auth's credentials; asks nothing on the network but whether there is a metadata server."""
from __future__ import annotations

import contextlib
import importlib
import json
from collections.abc import Mapping
from typing import Any

from ...errors import FleetError
from . import api
from .sources import IAM_ENDPOINT_VARIABLE, Source

with contextlib.suppress(ImportError):  # told by ``client``, when a cloud is opened
    import google.auth
    from google.auth import exceptions as auth_errors

READ_SCOPE = "https://www.googleapis.com/auth/compute.readonly"
WRITE_SCOPE = "https://www.googleapis.com/auth/compute"  # asked for only when something may be changed
PLATFORM_SCOPE = "https://www.googleapis.com/auth/cloud-platform"

_NO_CREDENTIALS = (
    "Name a file with 'credentials_file' or GOOGLE_APPLICATION_CREDENTIALS, "
    "or run: gcloud auth application-default login.")

_ASKED = "the scope asked for"

_FILE_TYPES = {
    "service_account": ("google.oauth2.service_account", "from_service_account_info", _ASKED),
    "authorized_user": ("google.oauth2.credentials", "from_authorized_user_info", None),  # scopes were given at login
    "impersonated_service_account": (
        "google.auth.impersonated_credentials", "from_impersonated_service_account_info", _ASKED),
    "external_account_authorized_user": ("google.auth.external_account_authorized_user", "from_info", None),
    "external_account": ("google.auth.identity_pool", "from_info", PLATFORM_SCOPE),
    "external_account from AWS": ("google.auth.aws", "from_info", PLATFORM_SCOPE),
    "external_account from a program": ("google.auth.pluggable", "from_info", PLATFORM_SCOPE),
}
"""Types of credentials files: module of google-auth, its loader, and the scope to ask for (_ASKED: READ_SCOPE or
WRITE_SCOPE; None: it was settled at login). Federated tokens take cloud-platform only."""


def load_credentials(
    source: Source, environ: Mapping[str, str], impersonate: str | None, scope: str = READ_SCOPE,
) -> tuple[Any, str | None]:
    """Credentials of a source, and their project when only the metadata server knows it.

    impersonate: a service account to act as, or a comma-separated chain of them, the last one being the one to act
    as. scope: what the tokens shall be good for, where that is not settled yet. Raises FleetError. Asks nothing but, as
    the last resort, whether there is a metadata server.
    """
    project = None
    try:
        if source.token:
            credentials = _class_of("google.oauth2.credentials")(source.token)
        elif source.path:
            credentials = _from_file(source.path, scope)
        else:
            credentials, project = _of_the_machine(scope)
        return (_impersonated(credentials, impersonate, environ, scope) if impersonate else credentials), project
    except FileNotFoundError:
        raise FleetError(
            "find the Google credentials", why=f"no file {source.path}, named by {source.place}",
            code="credential_missing", fix="Correct the path, or leave it out to use other credentials.") from None
    except (auth_errors.GoogleAuthError, OSError, ValueError, KeyError, TypeError, AttributeError) as broken:
        raise FleetError(
            "read the Google credentials", code="auth", why=f"{source.path or source.place}: {_blame(broken)}",
            fix=f"Correct the file that {source.place} names." if source.path else _NO_CREDENTIALS) from broken


def _of_the_machine(scope: str) -> tuple[Any, str | None]:
    """Credentials and project of the machine we run on, from its metadata server."""
    try:
        credentials, project = google.auth.default(scopes=[scope])
    except auth_errors.DefaultCredentialsError as missing:
        raise FleetError(
            "find Google credentials", why="no file, no token, and no metadata server on this machine",
            code="credential_missing", fix=_NO_CREDENTIALS) from missing
    return credentials, project


def _blame(broken: Exception) -> str:
    """What is wrong with a file of credentials, without quoting it."""
    if isinstance(broken, json.JSONDecodeError):
        return "not JSON"
    if isinstance(broken, OSError):
        return broken.strerror or type(broken).__name__
    if isinstance(broken, (auth_errors.GoogleAuthError, ValueError)):
        return api.one_line(broken)
    return "not of the form Google gives out"


def _class_of(module: str) -> Any:
    """The credentials class of a module of google-auth; each costs an import that only its users pay."""
    return importlib.import_module(module).Credentials


def _from_file(path: str, asked: str) -> Any:
    """Credentials of a file, by its type. google.auth's general loaders are deprecated, warn on stderr, and ask for the
    project of federated credentials on the network."""
    with open(path, encoding="utf-8") as file:
        info = json.load(file)
    kind = info.get("type")
    if kind == "external_account":
        if info.get("subject_token_type", "").endswith(":aws4_request"):
            kind += " from AWS"
        elif info["credential_source"].get("executable"):
            kind += " from a program"
    if kind not in _FILE_TYPES:
        raise ValueError(f"its type {kind!r} is none of Google's")
    module, loader, scope = _FILE_TYPES[kind]
    load = getattr(_class_of(module), loader)
    return load(info, scopes=[asked if scope == _ASKED else scope]) if scope else load(info)


def _impersonated(source: Any, chain: str, environ: Mapping[str, str], scope: str) -> Any:
    *delegates, target = [account.strip() for account in chain.split(",") if account.strip()]
    override = environ.get(IAM_ENDPOINT_VARIABLE)
    call = f"/v1/projects/-/serviceAccounts/{target}:generateAccessToken"
    return _class_of("google.auth.impersonated_credentials")(
        source_credentials=source, target_principal=target, target_scopes=[scope], delegates=delegates,
        iam_endpoint_override=override.rstrip("/") + call if override else None)
