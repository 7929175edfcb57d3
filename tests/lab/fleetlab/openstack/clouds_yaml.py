# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lab's clouds.yaml: the file in which OpenStack's own tools find clouds and credentials."""
from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .config import ADMIN_PASSWORD, REGION, Stack

Entry = Mapping[str, Any]
DOMAIN = "default"


def by_password(identity_url: str, user: str, password: str, project: str) -> Entry:
    return {
        "auth": {
            "auth_url": identity_url, "username": user, "password": password, "project_name": project,
            "user_domain_id": DOMAIN, "project_domain_id": DOMAIN,
        },
        "region_name": REGION,
    }


def by_application_credential(identity_url: str, credential_id: str, secret: str) -> Entry:
    return {
        "auth_type": "v3applicationcredential",
        "auth": {
            "auth_url": identity_url,
            "application_credential_id": credential_id,
            "application_credential_secret": secret,
        },
        "region_name": REGION,
    }


def operator_entries(stack: Stack) -> dict[str, Entry]:
    """What exists before anything is seeded: the operator's account, and Ironic, which asks nobody who he is."""
    return {
        "admin": by_password(stack.identity_url, "admin", ADMIN_PASSWORD, "admin"),
        "bifrost": {"auth_type": "none", "baremetal_endpoint_override": stack.url("ironic")},
    }


def write(path: Path, clouds: Mapping[str, Entry]) -> None:
    """Replace the file in one step; it holds secrets, so nobody else may read it."""
    spare = path.with_suffix(".new")
    spare.unlink(missing_ok=True)
    with os.fdopen(os.open(spare, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write("---\n" + _yaml({"clouds": clouds}))
    spare.replace(path)


def _yaml(mapping: Mapping[str, Any], indent: str = "") -> str:
    """Mappings of mappings and text as YAML (a JSON string is a YAML string); the lab itself runs without PyYAML."""
    text = ""
    for key, value in mapping.items():
        nested = isinstance(value, Mapping)
        text += f"{indent}{key}:\n{_yaml(value, indent + '  ')}" if nested else f"{indent}{key}: {json.dumps(value)}\n"
    return text
