# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is asked of an Ironic to bind and deploy a machine, and what cannot be. Pure."""
from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...catalog import CatalogImage
from ...errors import FleetError
from ...shape import LoginEvidence
from ..actions import MARK, Order
from . import ironic
from .reservations import now

TOKEN = "fleet_token"  # noqa: S105 -- no secret: it says which order an allocation was made for

_HASHES = {64: "sha256", 128: "sha512"}
_NAME = re.compile(r"[A-Za-z0-9._~-]{1,255}")
_INSTANCE = ("image_source", "display_name", "image_checksum", "image_os_hash_algo", "image_os_hash_value", "root_gb")
_RESERVE_GIB = 1  # of the disk: partition table and config drive


# --------------------------------------------------------------------------------------------------- images
def images(entries: Sequence[Mapping[str, Any]]) -> list[CatalogImage]:
    """The images that the fleet file names for an Ironic, which has no list of its own."""
    return [
        CatalogImage(
            id=entry["source"], name=entry["name"], distro=entry["distro"], version=entry["version"], arch=entry["arch"],
            login=LoginEvidence(image_properties={"image_original_user": entry["login_user"]} if entry["login_user"] else {}))
        for entry in entries]


def image_of(order: Order, entries: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The entry of the image that was chosen. Raises FleetError."""
    what = f"bind node {order.name}"
    if order.image is None:
        raise FleetError(what, why="no image was chosen to be deployed", code="refused",
                         fix="Name images under 'images' of the source in the fleet file, and wish for one.")
    for entry in entries:
        if (entry["source"], entry["name"]) == (order.image.id, order.image.name):
            return entry
    raise FleetError(what, why=f"the fleet file does not name image {order.image.name} any more", code="image_gone", fix="Choose another image.")


# --------------------------------------------------------------------------------------------------- machines
def why_not(record: Mapping[str, Any]) -> str:
    """Why a machine cannot be bound now; empty when it can. Allocations are another matter."""
    holder = ironic.holder(record)
    if holder:
        return f"reserved for node {holder}"
    if record.get("maintenance"):
        return "in maintenance: " + (record.get("maintenance_reason") or "no reason given")
    if record.get("provision_state") != "available":
        return f"state {record.get('provision_state')}"
    if record.get("retired"):
        return "retired: " + (record.get("retired_reason") or "no reason given")
    if not record.get("resource_class"):
        return "has no resource class, without which Ironic allocates nothing (baremetal node set --resource-class)"
    if record.get("power_state") not in ("power on", "power off"):
        return "its power state is unknown"
    return ""


# --------------------------------------------------------------------------------------------------- bodies
def check(order: Order) -> None:
    """Raises FleetError (refused) for a name that Ironic does not take, before anything is made."""
    if not _NAME.fullmatch(order.name):
        raise FleetError(f"bind node {order.name}", why="Ironic takes names of letters, digits and ._~- only", code="refused",
                         fix="Choose another name.")


def allocation(order: Order, record: Mapping[str, Any]) -> dict[str, Any]:
    """Body of POST /allocations for the chosen machine: whoever comes first has the name, and the machine."""
    return {"name": order.name, "resource_class": record["resource_class"], "candidate_nodes": [record["uuid"]],
            "extra": {MARK: order.name, TOKEN: order.token}}


def is_for(found: Mapping[str, Any], order: Order) -> bool:
    """Whether an allocation was made by the same order."""
    extra = found.get("extra") or {}
    return (extra.get(MARK), extra.get(TOKEN)) == (order.name, order.token)


def deployment(order: Order, record: Mapping[str, Any], image: Mapping[str, Any], allocation_id: str) -> list[dict[str, Any]]:
    """JSON patch of a held machine: what is to be deployed, and whose it is. The operator's own keys stay."""
    instance: dict[str, Any] = {"image_source": image["source"], "display_name": order.name, **_checksum(image["checksum"])}
    disk = order.disk_gib or _root_gib(record)
    if disk:
        instance["root_gb"] = disk
    kept = {
        "node": order.name, "allocation": allocation_id, "since": now(), "ready": False, "tags": {**order.tags, MARK: order.name},
        "image": {name: image[name] for name in ("name", "distro", "version", "login_user") if image[name]},
        **({"public_key": order.public_key} if order.public_key else {})}
    return [*({"op": "add", "path": f"/instance_info/{name}", "value": value} for name, value in instance.items()),
            {"op": "add", "path": f"/extra/{ironic.OURS}", "value": kept}]


def undo(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """JSON patch of a machine on which nothing is deployed (any more): without what ``deployment`` has written."""
    extra, instance = record.get("extra") or {}, record.get("instance_info") or {}
    if ironic.OURS not in extra:
        return []
    # somebody else may have prepared or deployed it since
    still = record.get("provision_state") in ironic.FREE and instance.get("display_name") == (extra[ironic.OURS] or {}).get("node")
    return [*({"op": "remove", "path": f"/instance_info/{name}"} for name in _INSTANCE if still and name in instance),
            {"op": "remove", "path": f"/extra/{ironic.OURS}"}]


def _root_gib(record: Mapping[str, Any]) -> int | None:
    try:
        size = int((record.get("properties") or {}).get("local_gb") or 0)
    except (TypeError, ValueError):
        return None
    return size - _RESERVE_GIB if size > _RESERVE_GIB else None


def _checksum(text: str | None) -> dict[str, str]:
    if not text:
        return {}
    if len(text) in _HASHES and re.fullmatch(r"[0-9a-fA-F]+", text):
        return {"image_os_hash_algo": _HASHES[len(text)], "image_os_hash_value": text}
    return {"image_checksum": text}  # MD5, or the address of a file of checksums


def start(order: Order, machine_id: str) -> dict[str, Any]:
    """Body of PUT states/provision: deploy, with a config drive that Ironic builds."""
    meta: dict[str, Any] = {"uuid": machine_id, "name": order.name, "hostname": order.name}
    if order.public_key:
        meta["public_keys"] = {"fleet": order.public_key}
    drive: dict[str, Any] = {"meta_data": meta}
    if order.user_data:
        drive["user_data"] = order.user_data
    return {"target": "active", "configdrive": drive}


def tags_patch(record: Mapping[str, Any], tags: Mapping[str, str | None]) -> list[dict[str, Any]]:
    """JSON patch that sets tags (None removes one); empty when they are so already."""
    kept = (record.get("extra") or {}).get(ironic.OURS)
    if not isinstance(kept, Mapping) or not isinstance(kept.get("tags"), Mapping) or not ironic.ours(record):
        wanted = {key: value for key, value in tags.items() if value is not None}
        return [{"op": "add", "path": f"/extra/{ironic.OURS}", "value": {"tags": wanted}}] if wanted else []
    after = {key: value for key, value in {**kept["tags"], **tags}.items() if value is not None}
    # as a whole: Ironic takes no path with a dot or a slash in a name
    return [{"op": "add", "path": f"/extra/{ironic.OURS}/tags", "value": after}] if after != kept["tags"] else []
