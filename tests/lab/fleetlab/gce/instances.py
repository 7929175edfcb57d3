# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can be done to an instance that exists: power, public addresses, reading its console and guest attributes."""

from __future__ import annotations

import time

from . import interfaces
from .catalog import ZONES
from .errors import ApiError, Json, invalid, not_found, not_ready
from .guests import real_console
from .store import link, metadata_value, timestamp
from .world import Call, Handler

_IN_CHANGE = ("PROVISIONING", "STAGING", "STOPPING")


def _settled(call: Call) -> tuple[str, Json]:
    """Path and instance, when no start, stop or delete is under way.

    :raises ApiError: 400 resourceNotReady.
    """
    instance = call.world.store.get(call.target)
    if instance["status"] in _IN_CHANGE:
        raise not_ready(call.target)
    return call.target, instance


def start(call: Call) -> Json:
    """Start; the instance gets fresh ephemeral addresses. A running one is left as it is."""
    path, instance = _settled(call)
    if instance["status"] == "RUNNING":
        return call.begin(path, lambda: None)
    instance["status"] = "STAGING"

    def effect() -> None:
        if call.world.store.find(path) is not instance:
            raise not_found(path)
        try:
            interfaces.connect(call.world, call.project, instance["networkInterfaces"])
        except ApiError:
            instance["status"] = "TERMINATED"
            raise
        instance.update(status="RUNNING", lastStartTimestamp=timestamp())
        call.world.restarts[instance["id"]] = time.time()
        call.world.store.announce("running", path, instance)

    return call.begin(path, effect, undo=lambda: instance.update(status="TERMINATED"))


def stop(call: Call) -> Json:
    """Stop; ephemeral public addresses are given up."""
    path, instance = _settled(call)
    if instance["status"] != "RUNNING":
        return call.begin(path, lambda: None)
    instance["status"] = "STOPPING"

    def effect() -> None:
        if call.world.store.find(path) is not instance:
            raise not_found(path)
        interfaces.disconnect(call.world, call.project, ZONES[call.params["zone"]], instance["networkInterfaces"])
        instance.update(status="TERMINATED", lastStopTimestamp=timestamp())
        call.world.store.announce("stopped", path, instance)

    return call.begin(path, effect, undo=lambda: instance.update(status="RUNNING"))


def reset(call: Call) -> Json:
    path, instance = _settled(call)
    if instance["status"] != "RUNNING":
        raise not_ready(path)

    def effect() -> None:
        call.world.restarts[instance["id"]] = time.time()
        call.world.store.announce("running", path, instance)

    return call.begin(path, effect)


def add_access_config(call: Call) -> Json:
    """Give an interface a public IPv4 address: a static one when natIP names it, else an ephemeral one."""
    world, path, region = call.world, call.target, ZONES[call.params["zone"]]
    instance = world.store.get(path)
    interface = interfaces.named(instance, call.params["networkInterface"])
    if call.body.get("type", "ONE_TO_ONE_NAT") != "ONE_TO_ONE_NAT":
        raise invalid("resource.type", call.body["type"], "Only ONE_TO_ONE_NAT can be added.")
    if interface.get("accessConfigs"):
        raise invalid("networkInterface", interface["name"], "At most one access config currently supported.")
    interfaces.check_static(world, call.project, region, call.body)

    def effect() -> None:
        if interface.get("accessConfigs"):
            raise invalid("networkInterface", interface["name"], "At most one access config currently supported.")
        interface["accessConfigs"] = [interfaces.access_config(call.body)]
        interfaces.bind(world, call.project, region, link(path), [interface])
        if instance["status"] == "RUNNING":
            interfaces.connect(world, call.project, [{**interface, "ipv6AccessConfigs": []}])
        world.store.announce("network", path, instance)

    return call.begin(path, effect)


def delete_access_config(call: Call) -> Json:
    world, path, region = call.world, call.target, ZONES[call.params["zone"]]
    interface = interfaces.named(world.store.get(path), call.params["networkInterface"])
    if not any(config["name"] == call.params["accessConfig"] for config in interface.get("accessConfigs", [])):
        raise invalid(
            "accessConfig", call.params["accessConfig"], f"The access config is not found on {interface['name']}."
        )

    def effect() -> None:
        for config in interface.pop("accessConfigs", []):
            interfaces.disconnect(
                world, call.project, region, [{**interface, "accessConfigs": [config], "ipv6AccessConfigs": []}]
            )
            interfaces.free_static(world, call.project, region, config)
        world.store.announce("network", path, world.store.get(path))

    return call.begin(path, effect)


def serial_port_output(call: Call) -> Json:
    """What the instance printed on its first serial port, from ``start`` on; the other ports are silent."""
    call.world.store.get(call.target)
    text = ""
    if call.params.get("port", 1) == 1:
        real = real_console(call.world.store.get(call.target)["id"])
        text = call.world.consoles.get(call.target, "") if real is None else real
    start_at = min(int(call.params.get("start") or 0), len(text))
    return {
        "kind": "compute#serialPortOutput",
        "contents": text[start_at:],
        "start": str(start_at),
        "next": str(len(text)),
        "selfLink": link(f"{call.target}/serialPort"),
    }


def guest_attributes(call: Call) -> Json:
    """Attributes the guest published: one by variableKey, or all below queryPath.

    :raises ApiError: 403 when the instance does not allow them, 404 when there are none.
    """
    instance = call.world.store.get(call.target)
    project = call.world.store.get(f"projects/{call.project}")
    enabled = metadata_value(instance["metadata"], "enable-guest-attributes")
    if enabled is None:
        enabled = metadata_value(project.get("commonInstanceMetadata"), "enable-guest-attributes")
    if str(enabled).upper() != "TRUE":
        raise ApiError(403, "accessDenied", f"Guest attributes endpoint access is disabled for '{call.target}'.")
    known = call.world.guest_attributes.get(call.target, {})
    answer: Json = {"kind": "compute#guestAttributes", "selfLink": link(f"{call.target}/guestAttributes")}
    key = call.params.get("variableKey")
    if key:
        if key not in known:
            raise not_found(f"{call.target}/guestAttributes/{key}")
        return answer | {"variableKey": key, "variableValue": known[key]}
    prefix = call.params.get("queryPath") or ""
    entries = [(name, value) for name, value in sorted(known.items()) if name.startswith(prefix)]
    if not entries:
        raise not_found(f"{call.target}/guestAttributes/{prefix}")
    items = [
        {"namespace": name.partition("/")[0], "key": name.partition("/")[2], "value": value} for name, value in entries
    ]
    return answer | {"queryPath": prefix, "queryValue": {"items": items}}


HANDLERS: dict[str, Handler] = {
    "instances.start": start,
    "instances.stop": stop,
    "instances.reset": reset,
    "instances.addAccessConfig": add_access_config,
    "instances.deleteAccessConfig": delete_access_config,
    "instances.getSerialPortOutput": serial_port_output,
    "instances.getGuestAttributes": guest_attributes,
}
