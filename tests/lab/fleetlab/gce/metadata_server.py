# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The metadata server an instance asks for its own credentials (http://metadata.google.internal at Google)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .errors import Json
from .principals import CLOUD_PLATFORM, Principals

FLAVOR = {"Metadata-Flavor": "Google", "Server": "Metadata Server for VM"}
Answer = tuple[int, str, str]  # status, content type, text


class MetadataServer:
    """Plays the metadata server of one instance that has a service account."""

    def __init__(self, principals: Principals) -> None:
        self._principals = principals
        self._instance: Json = {}

    def place(self, email: str, project: str, number: str, zone: str) -> None:
        """Say which instance asks: its service account, project and zone."""
        self._instance = {"email": email, "project": project, "number": number, "zone": zone}

    def answer(self, path: str, query: Mapping[str, list[str]], flavor: str | None) -> Answer:
        """:param path: below /computeMetadata/v1/."""
        if flavor != "Google":
            return 403, "text/html", "Missing Metadata-Flavor:Google header."
        if not self._instance:
            return 404, "text/html", "The lab's metadata server serves no instance yet: POST /_lab/metadata-server"
        account = path.removeprefix("instance/service-accounts/").split("/")[0]
        email = self._instance["email"]
        if path.startswith("instance/service-accounts/") and account in ("default", email):
            return self._account(path.removeprefix(f"instance/service-accounts/{account}").strip("/"), query)
        texts = {
            "": "instance/\nproject/\nuniverse/\n",
            "project/project-id": self._instance["project"],
            "project/numeric-project-id": self._instance["number"],
            "universe/universe-domain": "googleapis.com",
            "universe/universe_domain": "googleapis.com",
            "instance/zone": f"projects/{self._instance['number']}/zones/{self._instance['zone']}",
            "instance/service-accounts": f"default/\n{email}/\n",
        }
        text = texts.get(path.strip("/"))
        return (200, "application/text", text) if text is not None else (404, "text/html", "Not Found")

    def _account(self, what: str, query: Mapping[str, list[str]]) -> Answer:
        email = self._instance["email"]
        if what == "token":
            scopes = frozenset(scope for text in query.get("scopes", []) for scope in text.split(",")) or frozenset(
                {CLOUD_PLATFORM}
            )
            access, seconds = self._principals.issue(self._principals.ensure(email), scopes)
            return _json({"access_token": access, "expires_in": seconds, "token_type": "Bearer"})
        if what == "" and query.get("recursive"):
            return _json({"aliases": ["default"], "email": email, "scopes": [CLOUD_PLATFORM]})
        texts = {
            "": "aliases\nemail\nidentity\nscopes\ntoken\n",
            "email": email,
            "scopes": CLOUD_PLATFORM,
            "aliases": "default",
        }
        return (200, "application/text", texts[what]) if what in texts else (404, "text/html", "Not Found")


def _json(value: Any) -> Answer:
    return 200, "application/json", json.dumps(value)
