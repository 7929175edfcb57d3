# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""instances.insert and instances.delete: the whole request is checked before anything of it exists."""

from __future__ import annotations

from . import interfaces, marks, shared_vpc, storage
from .catalog import ZONES
from .errors import ApiError, Json, already_exists, in_use, invalid, not_found
from .store import link, name_of, new_fingerprint, path_of, timestamp
from .world import Call, Handler

_CPU_PLATFORM = {"X86_64": "Intel Broadwell", "ARM64": "Ampere Altra"}
_Disk = tuple[str, Json, Json]  # path, content, what the request says of it


def insert(call: Call) -> Json:
    """Create an instance: PROVISIONING at once, RUNNING with its public addresses when the operation is done."""
    if call.params.get("sourceInstanceTemplate") or call.params.get("sourceMachineImage"):
        raise ApiError(
            501, "notImplemented", "The lab creates instances from their full description only, not from templates."
        )
    world, body, region = call.world, call.body, ZONES[call.params["zone"]]
    path = f"{call.target}/{body['name']}"
    machine = _machine_type(call, body.get("machineType") or "")
    content = _content(call, machine)
    disks = _disks(call)
    for nic in body.get("networkInterfaces") or []:
        shared_vpc.check_use(call, path_of(nic.get("subnetwork") or nic.get("network") or "global/networks/default", call.project))
    world.store.claim(path)
    try:
        nics = interfaces.build(world, call.project, region, body.get("networkInterfaces") or [])
    except ApiError:
        world.store.release(path)
        raise
    content |= {
        "networkInterfaces": nics,
        "disks": [
            storage.attached(where, disk, requested, index) for index, (where, disk, requested) in enumerate(disks)
        ],
    }
    instance = world.store.add(path, "compute#instance", content)
    for where, disk, _requested in disks:
        known = world.store.find(where) or world.store.add(where, "compute#disk", disk)
        known |= {"users": [link(path)], "lastAttachTimestamp": timestamp()}
    interfaces.bind(world, call.project, region, link(path), nics)

    def effect() -> None:
        if world.store.find(path) is not instance:
            raise not_found(path)  # deleted before it had started
        try:
            interfaces.connect(world, call.project, nics)
        except ApiError:
            _remove(call, path, instance)
            raise
        instance.update(status="RUNNING", lastStartTimestamp=timestamp())
        world.store.announce("running", path, instance)

    return call.begin(path, effect, undo=lambda: _remove(call, path, instance))


def _machine_type(call: Call, reference: str) -> Json:
    if not reference:
        raise invalid("resource.machineType", "", "Machine type must be specified.")
    found = call.world.store.find(path_of(reference, call.project, "resource.machineType"))
    if found is None or found["kind"] != "compute#machineType" or found["zone"] != call.params["zone"]:
        raise invalid(
            "resource.machineType",
            reference,
            f"Machine type with name '{name_of(reference)}' does not exist in zone '{call.params['zone']}'.",
        )
    return found


def _content(call: Call, machine: Json) -> Json:
    """What of an instance needs no other resource."""
    body = call.body
    scheduling: Json = {
        "onHostMaintenance": "MIGRATE",
        "automaticRestart": True,
        "preemptible": False,
        "provisioningModel": "STANDARD",
    }
    content: Json = {
        "name": body["name"],
        "description": body.get("description") or "",
        "status": "PROVISIONING",
        "zone": link(f"projects/{call.project}/zones/{call.params['zone']}"),
        "machineType": machine["selfLink"],
        "canIpForward": bool(body.get("canIpForward")),
        "deletionProtection": bool(body.get("deletionProtection")),
        "cpuPlatform": _CPU_PLATFORM[machine["architecture"]],
        "startRestricted": False,
        "fingerprint": new_fingerprint(),
        "metadata": marks.metadata(body.get("metadata")),
        "tags": marks.tags(body.get("tags")),
        "labelFingerprint": new_fingerprint(),
        "scheduling": scheduling | (body.get("scheduling") or {}),
        "shieldedInstanceConfig": {"enableSecureBoot": False, "enableVtpm": True, "enableIntegrityMonitoring": True},
        "shieldedInstanceIntegrityPolicy": {"updateAutoLearnPolicy": True},
    }
    chosen = marks.labels(body.get("labels"))
    return (
        content
        | ({"labels": chosen} if chosen else {})
        | {key: body[key] for key in ("hostname", "serviceAccounts") if body.get(key)}
    )


def _disks(call: Call) -> list[_Disk]:
    """The disks of a request, checked; new ones are not stored yet."""
    store, zone = call.world.store, call.params["zone"]
    requested: list[Json] = call.body.get("disks") or []
    if not any(item.get("boot") for item in requested):
        raise invalid("resource.disks", "", "At least one disk must be specified as boot.")
    disks: list[_Disk] = []
    for number, item in enumerate(requested):
        field = f"resource.disks[{number}]"
        if item.get("source"):
            path = path_of(item["source"], call.project, f"{field}.source")
            content = store.find(path)
            if content is None:
                raise invalid(f"{field}.source", item["source"], "The referenced disk resource cannot be found.")
            if content.get("users"):
                raise in_use(path, content["users"][0])
        else:
            wanted: Json = item.get("initializeParams") or {}
            source = wanted.get("sourceImage")
            image = (
                storage.find_image(store, source, call.project, f"{field}.initializeParams.sourceImage")
                if source
                else None
            )
            name = wanted.get("diskName") or call.body["name"] + (f"-{number}" if number else "")
            settings = wanted | {"sizeGb": wanted.get("diskSizeGb"), "type": wanted.get("diskType")}
            path, content = storage.new_disk(store, call.project, zone, name, settings, image)
            if store.find(path) is not None or any(path == taken for taken, _content, _item in disks):
                raise already_exists(path)
        disks.append((path, content, item))
    return disks


def delete(call: Call) -> Json:
    """Delete an instance and its auto-delete disks; its addresses go back."""
    path, instance = call.target, call.world.store.get(call.target)
    if instance["deletionProtection"]:
        raise ApiError(
            400,
            "resourceInUseByAnotherResource",
            f"Invalid resource usage: 'Resource cannot be deleted if it's protected against deletion.' ({path})",
        )
    before, instance["status"] = instance["status"], "STOPPING"

    def effect() -> None:
        if call.world.store.find(path) is instance:  # a second delete finds nothing left to do
            _remove(call, path, instance)
            call.world.store.announce("deleted", path, instance)

    return call.begin(path, effect, undo=lambda: instance.update(status=before))


def _remove(call: Call, path: str, instance: Json) -> None:
    interfaces.release(call.world, call.project, ZONES[call.params["zone"]], instance["networkInterfaces"])
    storage.detach(call.world.store, instance)
    call.world.store.remove(path)
    call.world.consoles.pop(path, None)
    call.world.guest_attributes.pop(path, None)


HANDLERS: dict[str, Handler] = {"instances.insert": insert, "instances.delete": delete}
