# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where credentials, project and endpoint come from: options first, then what Google's own tools look at. No SDK.

The order is that of Application Default Credentials, with the variables of Ansible's google.cloud collection and of
AWX added: a file named by the fleet file, a file named by the environment, a ready-made access token in the
environment, the file that ``gcloud auth application-default login`` writes, the metadata server.
"""
from __future__ import annotations

import configparser
import dataclasses
import hashlib
import json
import os.path
import re
from collections.abc import Mapping, Sequence
from typing import Any

FILE_VARIABLES = ("GOOGLE_APPLICATION_CREDENTIALS", "GCP_SERVICE_ACCOUNT_FILE", "GCE_CREDENTIALS_FILE_PATH")
TOKEN_VARIABLES = ("GOOGLE_OAUTH_ACCESS_TOKEN", "CLOUDSDK_AUTH_ACCESS_TOKEN")
PROJECT_VARIABLES = ("GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT", "GCP_PROJECT", "GCE_PROJECT")
ENDPOINT_VARIABLE = "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE"
IAM_ENDPOINT_VARIABLE = "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS"
OTHER_VARIABLES = (ENDPOINT_VARIABLE, IAM_ENDPOINT_VARIABLE, "GCE_METADATA_HOST", "GOOGLE_CLOUD_QUOTA_PROJECT")

DEFAULT_ENDPOINT = "https://compute.googleapis.com/compute/v1"
_API_PATH = "/compute/v1"
_VERSIONED = re.compile(r"/compute/[a-z0-9_]+$")


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """The credentials to use: a file (path), a ready-made token, or neither: the metadata server.

    place: where it was named, for messages.
    """

    place: str
    path: str | None = None
    token: str | None = dataclasses.field(default=None, repr=False)


def find_source(options: Mapping[str, Any], environ: Mapping[str, str], base_dir: str) -> Source:
    """The credentials of a cloud. A path in the fleet file is relative to base_dir, its folder; the files need not
    exist, except the one gcloud writes."""
    named = options.get("credentials_file")
    if named:
        return Source("credentials_file", path=os.path.join(base_dir, os.path.expanduser(named)))
    for variable in FILE_VARIABLES:
        if environ.get(variable):
            return Source(variable, path=os.path.expanduser(environ[variable]))
    for variable in TOKEN_VARIABLES:
        if environ.get(variable):
            return Source(variable, token=environ[variable].strip())
    well_known = os.path.join(_gcloud_folder(environ), "application_default_credentials.json")
    if os.path.isfile(well_known):
        return Source("gcloud auth application-default login", path=well_known)
    return Source("the metadata server")


def find_project(options: Mapping[str, Any], environ: Mapping[str, str], source: Source) -> str | None:
    """The project to read when the fleet file names none, or None when only the metadata server can tell.

    The project of a key file that the fleet file names goes before the environment, which speaks for all clouds.
    """
    own = _project_of(source.path) if source.path else None
    if own and options.get("credentials_file"):
        return own
    for variable in PROJECT_VARIABLES:
        if environ.get(variable):
            return environ[variable]
    return own or _gcloud_project(environ)


def endpoint_problem(value: Any) -> str | None:
    """What is wrong with an endpoint, or None."""
    if re.match(r"https?://[^/\s@]+(/\S*)?$", value):
        return None
    return f"'{value}' is not an address like {DEFAULT_ENDPOINT}"


def base_url(endpoint: str | None) -> str:
    """The base of all requests, without a slash at its end, for an endpoint with or without the path of the API."""
    if not endpoint:
        return DEFAULT_ENDPOINT
    base = endpoint.rstrip("/")
    return base if _VERSIONED.search(base) else base.removesuffix("/compute") + _API_PATH


def identity(options: Mapping[str, Any], environ: Mapping[str, str], base_dir: str = ".") -> Sequence[str]:
    """On what the answer depends beyond the options: project, endpoint and digests of the credentials."""
    source = find_source(options, environ, base_dir)
    parts = [f"{variable}={environ[variable]}" for variable in OTHER_VARIABLES if environ.get(variable)]
    parts.append(f"project={find_project(options, environ, source) or ''}")
    parts.append(f"credentials={source.place}:{source.path or ''}")
    if source.path:
        parts.append(f"sha256={_digest(_read(source.path))}")
    if source.token:
        parts.append(f"sha256={_digest(source.token.encode())}")
    return parts


def _digest(content: bytes | None) -> str:
    return "absent" if content is None else hashlib.sha256(content).hexdigest()


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def _project_of(path: str) -> str | None:
    """The project a credentials file is of; only service account keys hold one."""
    try:
        content = json.loads(_read(path) or b"null")
    except ValueError:
        return None  # said when the file is loaded
    project = content.get("project_id") if isinstance(content, dict) else None
    return project if isinstance(project, str) else None


def _gcloud_folder(environ: Mapping[str, str]) -> str:
    return environ.get("CLOUDSDK_CONFIG") or os.path.expanduser("~/.config/gcloud")


def _gcloud_project(environ: Mapping[str, str]) -> str | None:
    """The project of gcloud's active configuration, read from its files: starting gcloud takes seconds."""
    folder = _gcloud_folder(environ)
    active = environ.get("CLOUDSDK_ACTIVE_CONFIG_NAME") or (
        _read(os.path.join(folder, "active_config")) or b"default").decode(errors="replace").strip()
    settings = configparser.RawConfigParser()
    try:
        settings.read(os.path.join(folder, "configurations", f"config_{active}"), encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError, ValueError):
        return None
    return settings.get("core", "project", fallback=None) or None
