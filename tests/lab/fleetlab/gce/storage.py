# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Disks and images."""

from __future__ import annotations

from .errors import Json, in_use, invalid, not_found
from .marks import labels
from .store import Store, link, name_of, new_fingerprint, path_of
from .world import Call, Handler

_DEFAULT_SIZE = "10"  # GB of a disk without image or size


def newest_of_family(store: Store, project: str, family: str) -> Json | None:
    """The newest image of a family that is not deprecated; image names end with their date."""
    images = [
        image
        for image in store.children(f"projects/{project}/global/images")
        if image.get("family") == family and "deprecated" not in image
    ]
    return max(images, key=lambda image: str(image["name"]), default=None)


def find_image(store: Store, reference: str, project: str, field: str) -> Json:
    """The image a URL names: directly, by family, or as the view of a family in a zone (what gcloud sends).

    :raises ApiError: 400 when there is none (Google answers 400, not 404, for what a body refers to).
    """
    path = path_of(reference, project, field)
    parts = path.split("/")
    found = (
        newest_of_family(store, parts[1], parts[-1])
        if parts[-2] in ("family", "imageFamilyViews")
        else store.find(path)
    )
    if found is None or found["kind"] != "compute#image":
        raise invalid(field, reference, "The referenced image resource cannot be found.")
    return found


def new_disk(store: Store, project: str, zone: str, name: str, body: Json, image: Json | None) -> tuple[str, Json]:
    """Path and content of a disk; nothing is stored yet.

    :param body: sizeGb, type, labels, description as in disks.insert.
    :raises ApiError: 400 when it is smaller than its image.
    """
    path = f"projects/{project}/zones/{zone}/disks/{name}"
    size = str(body.get("sizeGb") or (image["diskSizeGb"] if image else _DEFAULT_SIZE))
    if image and int(size) < int(image["diskSizeGb"]):
        raise invalid(
            "resource.sizeGb",
            size,
            f"Requested disk size cannot be smaller than the image size ({image['diskSizeGb']} GB)",
        )
    disk_type = path_of(body.get("type") or f"zones/{zone}/diskTypes/pd-standard", project, "resource.type")
    content: Json = {
        "name": name,
        "sizeGb": size,
        "zone": link(f"projects/{project}/zones/{zone}"),
        "status": "READY",
        "type": link(disk_type),
        "physicalBlockSizeBytes": "4096",
        "labelFingerprint": new_fingerprint(),
    }
    content |= {key: body[key] for key in ("description",) if body.get(key)}
    chosen = labels(body.get("labels"))
    if chosen:
        content["labels"] = chosen
    if image:
        content |= {"sourceImage": image["selfLink"], "sourceImageId": image["id"]}
        content |= {key: image[key] for key in ("licenses", "guestOsFeatures", "architecture") if key in image}
    return path, content


def insert_disk(call: Call) -> Json:
    body, store = call.body, call.world.store
    image = (
        find_image(store, body["sourceImage"], call.project, "resource.sourceImage")
        if body.get("sourceImage")
        else None
    )
    path, content = new_disk(store, call.project, call.params["zone"], body["name"], body, image)
    store.claim(path)

    def effect() -> None:
        store.add(path, "compute#disk", content)

    return call.begin(path, effect)


def delete_disk(call: Call) -> Json:
    disk = call.world.store.get(call.target)
    if disk.get("users"):
        raise in_use(call.target, disk["users"][0])
    return call.begin(call.target, lambda: call.world.store.remove(call.target))


def insert_image(call: Call) -> Json:
    """An image of an own project, made from a disk or from another image (a copied image keeps its licences)."""
    body, store = call.body, call.world.store
    if body.get("sourceDisk"):
        source = store.get(path_of(body["sourceDisk"], call.project, "resource.sourceDisk"))
        origin: Json = {"sourceDisk": source["selfLink"], "sourceDiskId": source["id"], "diskSizeGb": source["sizeGb"]}
    elif body.get("sourceImage"):
        source = find_image(store, body["sourceImage"], call.project, "resource.sourceImage")
        origin = {"sourceImage": source["selfLink"], "sourceImageId": source["id"], "diskSizeGb": source["diskSizeGb"]}
    else:
        raise invalid("resource", body["name"], "The lab makes images from sourceDisk or sourceImage.")
    path = f"{call.target}/{body['name']}"
    content: Json = {key: source[key] for key in ("licenses", "guestOsFeatures", "architecture") if key in source}
    content |= {
        "name": body["name"],
        "status": "READY",
        "sourceType": "RAW",
        "labelFingerprint": new_fingerprint(),
        **origin,
    }
    content |= {key: body[key] for key in ("family", "description", "licenses") if body.get(key)}
    chosen = labels(body.get("labels"))
    if chosen:
        content["labels"] = chosen
    store.claim(path)

    def effect() -> None:
        store.add(path, "compute#image", content)

    return call.begin(path, effect)


def delete_image(call: Call) -> Json:
    call.world.store.get(call.target)
    return call.begin(call.target, lambda: call.world.store.remove(call.target))


def get_from_family(call: Call) -> Json:
    """:raises ApiError: 404 when the family has no image in use."""
    family = call.params["family"]
    image = newest_of_family(call.world.store, call.project, family)
    if image is None:
        raise not_found(f"projects/{call.project}/global/images/family/{family}")
    return image


def image_family_view(call: Call) -> Json:
    return {"image": get_from_family(call)}


def attached(path: str, content: Json, requested: Json, index: int) -> Json:
    """How an instance shows one of its disks."""
    shown: Json = {
        "kind": "compute#attachedDisk",
        "type": "PERSISTENT",
        "mode": requested.get("mode", "READ_WRITE"),
        "source": link(path),
        "deviceName": requested.get("deviceName") or ("persistent-disk-" + str(index)),
        "index": index,
        "boot": bool(requested.get("boot")),
        "autoDelete": bool(requested.get("autoDelete")),
        "interface": requested.get("interface", "SCSI"),
        "diskSizeGb": content["sizeGb"],
    }
    return shown | {key: content[key] for key in ("licenses", "guestOsFeatures", "architecture") if key in content}


def detach(store: Store, instance: Json) -> None:
    """What becomes of an instance's disks when it is deleted."""
    for disk in instance["disks"]:
        path = path_of(disk["source"], "")
        known = store.find(path)
        if known is None:
            continue
        if disk["autoDelete"]:
            store.remove(path)
        else:
            known["users"] = [user for user in known.get("users", []) if name_of(user) != instance["name"]]
            if not known["users"]:
                del known["users"]


HANDLERS: dict[str, Handler] = {
    "disks.insert": insert_disk,
    "disks.delete": delete_disk,
    "images.insert": insert_image,
    "images.delete": delete_image,
    "images.getFromFamily": get_from_family,
    "imageFamilyViews.get": image_family_view,
}
