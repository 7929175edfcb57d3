# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What people write onto resources (metadata, labels, network tags); changed from the newest reading only."""

from __future__ import annotations

import re

from .errors import Json, invalid
from .store import new_fingerprint
from .world import Call, Handler

_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
_TAG = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
_METADATA_VALUE_LIMIT = 256 * 1024  # bytes, documented
_METADATA_LIMIT = 512 * 1024


def metadata(body: Json | None, field: str = "resource.metadata") -> Json:
    """A metadata object as Google stores it.

    :raises ApiError: 400 for a key given twice or too much text.
    """
    items = [{"key": item["key"], "value": item.get("value") or ""} for item in (body or {}).get("items") or []]
    keys = [item["key"] for item in items]
    for key in keys:
        if keys.count(key) > 1:
            raise invalid(f"{field}.items", key, "Duplicate metadata key.")
    sizes = [len(item["value"].encode()) for item in items]
    if any(size > _METADATA_VALUE_LIMIT for size in sizes) or sum(sizes) > _METADATA_LIMIT:
        raise invalid(
            f"{field}.items", f"{sum(sizes)} bytes", "Metadata values may have 256 KiB each and 512 KiB together."
        )
    stored: Json = {"kind": "compute#metadata", "fingerprint": new_fingerprint()}
    return stored | {"items": items} if items else stored


def labels(body: Json | None, field: str = "resource.labels") -> dict[str, str]:
    """:raises ApiError: 400 for text Google does not take in labels."""
    chosen: dict[str, str] = dict(body or {})
    for key, value in chosen.items():
        if not _LABEL_KEY.fullmatch(key):
            raise invalid(
                field, key, "Label keys start with a lowercase letter and hold only lowercase letters, digits, _ and -."
            )
        if not _LABEL_VALUE.fullmatch(value):
            raise invalid(field, value, "Label values hold only lowercase letters, digits, _ and -.")
    return chosen


def tags(body: Json | None, field: str = "resource.tags") -> Json:
    """:raises ApiError: 400 for a tag that is not a host name label."""
    items = list(dict.fromkeys((body or {}).get("items") or []))
    for tag in items:
        if not _TAG.fullmatch(tag):
            raise invalid(f"{field}.items", tag, f"Must be a match of regex '{_TAG.pattern}'")
    return {"items": items, "fingerprint": new_fingerprint()} if items else {"fingerprint": new_fingerprint()}


def set_metadata(call: Call) -> Json:
    """instances.setMetadata; listeners hear of it (that is how keys reach a running host)."""
    store, path = call.world.store, call.target
    instance = store.get(path)
    wanted = metadata(call.body)
    wanted["fingerprint"] = store.accept(
        path, "metadata", instance["metadata"]["fingerprint"], call.body.get("fingerprint")
    )

    def effect() -> None:
        store.get(path)["metadata"] = wanted
        store.announce("metadata", path, instance)

    return call.begin(path, effect)


def set_tags(call: Call) -> Json:
    store, path = call.world.store, call.target
    wanted = tags(call.body)
    wanted["fingerprint"] = store.accept(
        path, "tags", store.get(path)["tags"]["fingerprint"], call.body.get("fingerprint")
    )
    return call.begin(path, lambda: store.get(path).update(tags=wanted))


def set_labels(call: Call) -> Json:
    """setLabels of any collection."""
    store, path = call.world.store, call.target
    wanted = labels(call.body.get("labels"))
    new = store.accept(path, "labels", store.get(path)["labelFingerprint"], call.body.get("labelFingerprint"))
    return call.begin(path, lambda: _show_labels(store.get(path), wanted, new))


def _show_labels(resource: Json, wanted: dict[str, str], fingerprint: str) -> None:
    resource.pop("labels", None)
    resource.update({"labelFingerprint": fingerprint} | ({"labels": wanted} if wanted else {}))


HANDLERS: dict[str, Handler] = {
    "instances.setMetadata": set_metadata,
    "instances.setTags": set_tags,
    "instances.setLabels": set_labels,
    "disks.setLabels": set_labels,
    "addresses.setLabels": set_labels,
}
