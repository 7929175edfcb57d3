# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Redfish systems -> evidence. Pure. Source: DMTF DSP0268, schemas ComputerSystem and EthernetInterface."""
from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from ...shape import AddressEvidence, InterfaceEvidence, NodeEvidence

_POWER = {"On": "running", "Off": "stopped", "PoweringOn": "pending", "PoweringOff": "stopping", "Paused": "paused"}
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
        id=system.get("UUID") or system["@odata.id"],
        name=system.get("HostName") or system.get("Name"),
        state=_POWER.get(system.get("PowerState") or "", "unknown"),
        flavor=flavor,
        arch=_ARCH.get(processors.get("Model") or "") or _ARCH.get(system.get("ProcessorArchitecture") or ""),
        tags=tags,
        interfaces=tuple(_interface(nic, f"site:{site}") for nic in nics),
        extra={key: system[key] for key in extra if key in system},
    )


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
