# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Redfish systems -> machines, and what can be asked of one. Pure.

Source: DMTF DSP0268, schemas ComputerSystem and EthernetInterface.
"""
from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...errors import FleetError
from ...shape import AddressEvidence, InterfaceEvidence, NodeEvidence
from .machines import Machine

_POWER = {"On": "running", "Off": "stopped", "PoweringOn": "pending", "PoweringOff": "stopping", "Paused": "paused"}
_RESETS = {
    "start": ("On", "ForceOn", "PushPowerButton"),
    "stop": ("GracefulShutdown", "PushPowerButton", "ForceOff"),
    "reboot": ("GracefulRestart", "ForceRestart", "PowerCycle"),
    "install": ("ForceRestart", "PowerCycle", "GracefulRestart"),  # what runs is given up, so nothing is waited for
}
_MIB_PER_GIB = 1024
_ARCH = {"x86": "x86_64", "x86-64": "x86_64", "ARM": "aarch64", "AArch64": "aarch64"}


def node(system: Mapping[str, Any], nics: Iterable[Mapping[str, Any]], site: str, extra: tuple[str, ...] = ()) -> NodeEvidence:
    """One computer system. nics: its EthernetInterface records; site: name of its layer-3 domain."""
    tags = {name: str(system[key]) for name, key in (
        ("serial_number", "SerialNumber"), ("manufacturer", "Manufacturer"), ("model", "Model"), ("asset_tag", "AssetTag"),
    ) if system.get(key)}
    processors = system.get("ProcessorSummary") or {}
    memory = (system.get("MemorySummary") or {}).get("TotalSystemMemoryGiB")
    flavor = f"{processors['Count']}p-{memory:g}g" if processors.get("Count") and memory else None
    return NodeEvidence(
        id=id_of(system),
        name=system.get("HostName") or system.get("Name"),
        state=_POWER.get(system.get("PowerState") or "", "unknown"),
        flavor=flavor,
        arch=_ARCH.get(processors.get("Model") or "") or _ARCH.get(system.get("ProcessorArchitecture") or ""),
        tags=tags,
        interfaces=tuple(_interface(nic, f"site:{site}") for nic in nics),
        extra={key: system[key] for key in extra if key in system},
    )


def machine(
    system: Mapping[str, Any], nics: Iterable[Mapping[str, Any]], site: str, source: Mapping[str, Any], extra: tuple[str, ...] = (),
) -> Machine:
    """One computer system as something that nodes may be bound to. source: its entry in the fleet file (pool, addresses)."""
    evidence = node(system, nics, site, extra)
    called = names(system)
    given: Sequence[str] = next((ips for label, ips in (source["addresses"] or {}).items() if label in called), [])
    if given:
        evidence = dataclasses.replace(evidence, interfaces=_with(evidence.interfaces, given, f"site:{site}"))
    processors = system.get("ProcessorSummary") or {}
    vcpus = processors.get("LogicalProcessorCount") or processors.get("CoreCount") or processors.get("Count")
    memory = (system.get("MemorySummary") or {}).get("TotalSystemMemoryGiB")
    return Machine(
        evidence, pool=any(label in called for label in source["pool"] or ()), vcpus=int(vcpus) if vcpus else None,
        memory_mib=int(memory * _MIB_PER_GIB) if memory else None, ref=str(system.get("@odata.id") or ""))


def names(system: Mapping[str, Any]) -> tuple[str, ...]:
    """What a system may be called in the fleet file."""
    return tuple(str(system[key]) for key in ("UUID", "Id", "Name", "HostName", "@odata.id") if system.get(key))


def _with(interfaces: Sequence[InterfaceEvidence], ips: Sequence[str], domain: str) -> tuple[InterfaceEvidence, ...]:
    """The interfaces with the addresses that the operator gives: a management board rarely knows them."""
    first, *others = interfaces or (InterfaceEvidence(domain=domain),)
    known = {address.ip for interface in interfaces for address in interface.addresses}
    told = tuple(AddressEvidence(ip=ip) for ip in (str(ipaddress.ip_address(text)) for text in ips) if ip not in known)
    return (dataclasses.replace(first, addresses=told + first.addresses), *others)


def reset(system: Mapping[str, Any], action: str) -> tuple[str, str]:
    """Where to ask for a change of power, and the ResetType. action: start, stop, reboot or install.

    Raises FleetError when the system does not offer it.
    """
    offered = (system.get("Actions") or {}).get("#ComputerSystem.Reset") or {}
    target, allowed = offered.get("target"), offered.get("ResetType@Redfish.AllowableValues")
    kind = next((kind for kind in _RESETS[action] if allowed is None or kind in allowed), None)
    if not target or kind is None:
        raise FleetError(
            f"{action} machine {system.get('Name')}", code="unsupported", fix="Switch it by hand, or update its management board.",
            why=f"its Redfish service offers only {', '.join(allowed)}" if target and allowed else "its Redfish service offers no reset")
    return str(target), kind


def network_boot(system: Mapping[str, Any]) -> dict[str, Any]:
    """The change that makes a system boot from the network the next time. Raises FleetError when it cannot."""
    boot = system.get("Boot") or {}
    allowed = boot.get("BootSourceOverrideTarget@Redfish.AllowableValues")
    if allowed is not None and "Pxe" not in allowed:
        raise FleetError(f"install machine {system.get('Name')}", why=f"it boots from {', '.join(allowed)} only", code="unsupported",
                         fix="Leave 'boot' out of the source, and install it otherwise.")
    return {"Boot": {"BootSourceOverrideTarget": "Pxe", "BootSourceOverrideEnabled": "Once"}}


def _interface(nic: Mapping[str, Any], domain: str) -> InterfaceEvidence:
    mac = nic.get("MACAddress") or nic.get("PermanentMACAddress")
    addresses = []
    for entry in (nic.get("IPv4Addresses") or []) + (nic.get("IPv6Addresses") or []):
        try:
            address = ipaddress.ip_address(entry.get("Address") or "")
        except ValueError:
            continue
        if not address.is_link_local and not address.is_unspecified:
            addresses.append(AddressEvidence(ip=str(address)))
    return InterfaceEvidence(
        network=nic.get("Id"), mac=mac.lower() if mac else None, mtu=nic.get("MTUSize"), domain=domain, addresses=tuple(addresses))


def id_of(system: Mapping[str, Any]) -> str:
    """Id of a system as a node's."""
    return str(system.get("UUID") or system["@odata.id"])
