# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ironic's nodes and ports -> machines and nodes. Pure.

Source: bare metal API reference, nodes and ports. Standalone Ironic does not know the addresses of a machine's
operating system; by convention they stand in ``extra`` of the port or the node, under ``ip`` or ``ips``.

What this collection keeps of a machine that it has bound stands in ``extra`` under one key (OURS), beside the operator's
own: node, allocation, tags, image, public_key, ready (it has run). It counts only while the machine has that allocation and
something deployed, so nothing that was left there makes a node of a machine which somebody else has taken since.
"""
from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from ... import distro
from ...shape import AddressEvidence, Image, InterfaceEvidence, LoginEvidence, NodeEvidence
from . import machines
from .machines import Machine

OURS = "hybridops_fleet"
FREE = ("available", "manageable", "enroll", "verifying", "inspecting", "inspect wait", "inspect failed")
"""Provision states of a machine on which nothing is deployed."""

_IMAGE_USER = "image_original_user"
KEEPABLE = frozenset({
    "provision_state", "power_state", "properties", "resource_class", "maintenance", "maintenance_reason", "owner",
    "lessee", "description", "traits", "conductor_group", "driver"})
"""Fields of a node that hostvars_extra may ask for: driver_info and instance_info hold credentials."""

PORT_FIELDS = ("address", "node_uuid", "physical_network", "extra")

_PROVISION = {
    "active": "running", "rescue": "running", "servicing": "running", "unrescuing": "pending", "rescuing": "pending",
    "available": "stopped", "manageable": "stopped", "enroll": "stopped", "adopting": "pending", "verifying": "pending",
    "deploying": "pending", "wait call-back": "pending", "cleaning": "pending", "clean wait": "pending",
    "inspecting": "pending", "inspect wait": "pending", "rebuild": "pending", "deleting": "deleting", "error": "error",
}
_ADDRESS_KEYS = ("ip", "ips", "ip_address", "ipv4_address", "ipv6_address")


def nodes(
    records: Iterable[Mapping[str, Any]], ports: Iterable[Mapping[str, Any]], site: str, extra: tuple[str, ...] = ()
) -> list[NodeEvidence]:
    """The machines an Ironic manages, those that are bound as the nodes they are. site: name of their layer-3 domain."""
    by_node = _by_node(ports)
    return [_node(record, by_node.get(record["uuid"], []), f"site:{site}", extra) for record in records]


def machine(record: Mapping[str, Any], ports: Iterable[Mapping[str, Any]], site: str) -> Machine:
    """A machine as something that nodes may be bound to."""
    properties = record.get("properties") or {}
    return Machine(
        _plain(record, _by_node(ports).get(record["uuid"], []), f"site:{site}", ()), pool=True, vcpus=_number(properties.get("cpus")),
        memory_mib=_number(properties.get("memory_mb")), disk_gib=_number(properties.get("local_gb")))


def _by_node(ports: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for port in ports:
        found.setdefault(port["node_uuid"], []).append(port)
    return found


def _number(value: Any) -> int | None:
    try:
        return int(value) or None  # operators write strings, too, and 0 for unknown
    except (TypeError, ValueError):
        return None


def ours(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """What this collection has written of a machine that it holds now; empty when it holds it not, or not any more."""
    kept = (record.get("extra") or {}).get(OURS)
    if not isinstance(kept, Mapping):
        return {}
    if "node" not in kept:
        return {"tags": kept.get("tags") or {}}
    held = kept.get("allocation") and kept.get("allocation") == record.get("allocation_uuid")
    return kept if held and record.get("provision_state") not in FREE else {}


def holder(record: Mapping[str, Any]) -> str | None:
    """Name of the node that a machine is, by our own word; None when it is none of ours."""
    name = ours(record).get("node")
    return str(name) if name else None


def _node(record: Mapping[str, Any], ports: list[Mapping[str, Any]], domain: str, extra: tuple[str, ...]) -> NodeEvidence:
    evidence, kept = _plain(record, ports, domain, extra), ours(record)
    tags = {str(key): str(value) for key, value in (kept.get("tags") or {}).items()}
    if not kept.get("node"):
        return machines.tagged(evidence, tags)
    image = kept.get("image") or {}
    login = dataclasses.replace(evidence.login, image_properties={_IMAGE_USER: image["login_user"]} if image.get("login_user") else {})
    evidence = dataclasses.replace(evidence, login=login, image=Image(
        id=evidence.image.id, name=image.get("name"), distro=image.get("distro") or evidence.image.distro,
        version=image.get("version") or evidence.image.version))
    return machines.bound(evidence, str(kept["node"]), tags, kept.get("since"))


def _plain(record: Mapping[str, Any], ports: list[Mapping[str, Any]], domain: str, extra: tuple[str, ...]) -> NodeEvidence:
    instance, own = record.get("instance_info") or {}, record.get("extra") or {}
    properties = record.get("properties") or {}
    tags = {str(key): str(value) for key, value in own.items()
            if isinstance(value, (str, int, float, bool)) and key not in _ADDRESS_KEYS}
    if instance.get("display_name"):
        tags.setdefault("display_name", str(instance["display_name"]))
    if record.get("maintenance"):
        tags.setdefault("maintenance", "true")
    image_source = instance.get("image_source")
    name, version = distro.identify(own.get("os_distro"), str(image_source).rpartition("/")[2] if image_source else None)
    return NodeEvidence(
        id=record["uuid"],
        name=record.get("name") or instance.get("display_name"),
        state=state(record.get("provision_state"), record.get("power_state")),
        account=record.get("owner"),
        created=_utc(record.get("created_at")),
        flavor=record.get("resource_class"),
        arch=properties.get("cpu_arch"),
        image=Image(id=image_source, distro=name, version=version),
        tags=tags,
        interfaces=tuple(_interfaces(ports, own, domain)),
        login=LoginEvidence(metadata=tags),
        extra={key: record[key] for key in extra if key in record and key in KEEPABLE},
    )


def state(provision_state: str | None, power_state: str | None) -> str:
    """Normalised state of a machine: what is deployed on it decides, then its power."""
    provision = (provision_state or "").lower()
    if provision.endswith("failed"):
        return "error"
    found = _PROVISION.get(provision, "unknown")
    if found == "running" and (power_state or "").lower() in ("power off", "soft power off"):
        return "stopped"
    return found


def _interfaces(ports: list[Mapping[str, Any]], own: Mapping[str, Any], domain: str) -> Iterable[InterfaceEvidence]:
    loose = _addresses(own)
    for number, port in enumerate(ports):
        found = _addresses(port.get("extra") or {})
        if number == 0:  # addresses of the node itself belong to its first port
            found = tuple(dict.fromkeys(loose + found))
        yield InterfaceEvidence(
            network=port.get("physical_network"), mac=port.get("address"), domain=domain,
            addresses=tuple(AddressEvidence(ip=ip) for ip in found))
    if loose and not ports:
        yield InterfaceEvidence(domain=domain, addresses=tuple(AddressEvidence(ip=ip) for ip in loose))


def _addresses(extra: Mapping[str, Any]) -> tuple[str, ...]:
    found = []
    for key in _ADDRESS_KEYS:
        value = extra.get(key)
        for text in value if isinstance(value, list) else [value]:
            try:
                found.append(str(ipaddress.ip_address(str(text).partition("/")[0])))
            except ValueError:
                continue  # absent, or a note of the operator that is no address
    return tuple(found)


def _utc(stamp: str | None) -> str | None:
    return f"{stamp[:19]}Z" if stamp else None  # Ironic writes UTC, with or without a fraction
