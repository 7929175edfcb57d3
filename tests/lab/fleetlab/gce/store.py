# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the emulator remembers: resources by path, who is told when an instance changes, and one lock for all of it.

A resource is the JSON object the API answers. Its path is what follows ``/compute/v1/`` in its selfLink:
``projects/acme-prod/zones/us-central1-a/instances/web-1``.
"""

from __future__ import annotations

import base64
import datetime
import re
import secrets
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from .errors import Json, already_exists, invalid, not_found, stale

LINK_BASE = "https://www.googleapis.com/compute/v1/"  # what selfLinks start with, at Google and here

# "running", "stopped", "deleted", "metadata", "network"; path of the instance; the instance
InstanceHook = Callable[[str, str, Json], None]


class Store:
    """Resources by path. Callers hold ``lock`` (the API does, around every request)."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.instance_hooks: list[InstanceHook] = []
        self._collections: dict[str, dict[str, Json]] = {}
        self._claimed: set[str] = set()
        self._accepted: dict[tuple[str, str], str] = {}

    # -- reading ----------------------------------------------------------------------------------------------
    def find(self, path: str) -> Json | None:
        """The resource at a path; its last part may be the resource's id instead of its name."""
        parent, _slash, name = path.rpartition("/")
        collection = self._collections.get(parent, {})
        if name in collection or not name.isdecimal():
            return collection.get(name)
        return next((resource for resource in collection.values() if resource.get("id") == name), None)

    def get(self, path: str) -> Json:
        """:raises ApiError: 404."""
        resource = self.find(path)
        if resource is None:
            raise not_found(path)
        return resource

    def children(self, collection: str) -> Iterable[Json]:
        """All resources of a collection path such as projects/p/zones/z/instances."""
        return self._collections.get(collection, {}).values()

    # -- writing ----------------------------------------------------------------------------------------------
    def claim(self, path: str) -> None:
        """Keep a name for a resource that is still being made.

        :raises ApiError: 409 when it is taken.
        """
        if path in self._claimed or self.find(path) is not None:
            raise already_exists(path)
        self._claimed.add(path)

    def release(self, path: str) -> None:
        """Give a claimed name back."""
        self._claimed.discard(path)

    def add(self, path: str, kind: str, content: Json) -> Json:
        """Store a resource, with the fields Google adds to every one (kind, id, selfLink, creationTimestamp)."""
        parent, _slash, name = path.rpartition("/")
        resource = {"kind": kind, "id": new_id(), "creationTimestamp": timestamp(), **content, "selfLink": link(path)}
        self._collections.setdefault(parent, {})[name] = resource
        self._claimed.discard(path)
        return resource

    def remove(self, path: str) -> None:
        parent, _slash, name = path.rpartition("/")
        self._collections.get(parent, {}).pop(name, None)
        for key in [key for key in self._accepted if key[0] == path]:
            del self._accepted[key]

    # -- fingerprints -----------------------------------------------------------------------------------------
    def accept(self, path: str, what: str, visible: str, supplied: str | None) -> str:
        """Take a change made from the newest reading only; returns the fingerprint the change will have.

        A change counts as soon as it is accepted, although it shows only when its operation is done: of two writers
        with the same reading the second one gets 412, and so does one who reads between the two.

        :param visible: the fingerprint the resource shows now.
        :raises ApiError: 412.
        """
        if not supplied or supplied.rstrip("=") != self._accepted.get((path, what), visible).rstrip("="):
            raise stale(what)
        new = new_fingerprint()
        self._accepted[path, what] = new
        return new

    # -- hooks ------------------------------------------------------------------------------------------------
    def announce(self, event: str, path: str, instance: Json) -> None:
        """Tell everybody who asked; a listener that fails is reported and does not harm the operation."""
        for hook in self.instance_hooks:
            try:
                hook(event, path, instance)
            except Exception as failure:  # a listener is not ours: whatever it raises must not stop the cloud
                print(f"gce: hook {hook!r} failed on {event} of {path}: {failure!r}", file=sys.stderr, flush=True)


def link(path: str) -> str:
    return LINK_BASE + path


def path_of(reference: str, project: str, field: str = "resource") -> str:
    """The path a full or partial URL means: https://.../compute/v1/projects/p/x, projects/p/x, zones/z/x, global/x.

    :raises ApiError: 400 when it is none of these.
    """
    path = re.sub(r"^https?://[^/]+/compute/[a-z0-9]+/", "", reference).strip("/")
    if path.startswith("projects/"):
        return path
    if path.startswith(("zones/", "regions/", "global/")):
        return f"projects/{project}/{path}"
    raise invalid(field, reference, "The URL is malformed.")


def name_of(reference: str) -> str:
    return reference.rpartition("/")[2]


def scope_of(path: str) -> str:
    """zones/z, regions/r or global of a resource's path."""
    parts = path.split("/")
    return "global" if parts[2] == "global" else "/".join(parts[2:4])


def new_id() -> str:
    return str(10**18 + secrets.randbelow(9 * 10**18))


def new_fingerprint() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(8)).decode()


def timestamp() -> str:
    """Now, as Google writes it (RFC 3339 with milliseconds, in its head office's time)."""
    zone = datetime.timezone(datetime.timedelta(hours=-8))
    return datetime.datetime.now(zone).isoformat(timespec="milliseconds")


def metadata_value(metadata: Json | None, key: str) -> Any:
    """The value of one metadata entry, None when it is not set."""
    return next((item.get("value") for item in (metadata or {}).get("items", []) if item["key"] == key), None)
