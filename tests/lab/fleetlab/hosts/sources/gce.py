# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Google's instances as hosts, from the emulator's own account of itself. Pure."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
from collections.abc import Mapping
from typing import Any

from ..model import Address, Host, Nic, World
from ..network import reaches_internet

_MTU = 1460
_STOPPED = ("TERMINATED", "STOPPED", "SUSPENDED", "STOPPING", "SUSPENDING")


def world(dump: list[Mapping[str, Any]]) -> World:
    running, stopped = [], []
    for entry in dump:
        instance = entry["instance"]
        key = f"gce/{entry['project']}/{instance['id']}"
        if instance["status"] == "RUNNING":
            running.append(_host(key, entry))
        elif instance["status"] in _STOPPED:
            stopped.append(key)
    return World.of(running, stopped)


def _host(key: str, entry: Mapping[str, Any]) -> Host:
    instance = entry["instance"]
    nics = tuple(
        _nic(entry["project"], number, nic, entry["subnetworks"].get(nic.get("subnetwork")) or {}, instance["id"])
        for number, nic in enumerate(instance["networkInterfaces"])
    )
    return Host(
        key=key,
        cloud="gce",
        ident=instance["id"],
        name=instance["name"],
        user=None,
        nics=nics,
        born=datetime.datetime.fromisoformat(instance["creationTimestamp"]).timestamp(),
        image=" ".join(str(licence).rpartition("/")[2] for disk in instance.get("disks") or [] for licence in disk.get("licenses") or []),
        restarted=entry["restarted"],
        metadata={"tree": tree(entry, nics)},
        kubelet=(instance.get("labels") or {}).get("kubelet") == "true",
    )


def _nic(project: str, number: int, nic: Mapping[str, Any], subnetwork: Mapping[str, Any], ident: str) -> Nic:
    addresses = []
    if nic.get("networkIP"):
        block = ipaddress.ip_network(subnetwork["ipCidrRange"])
        public = next((config["natIP"] for config in nic.get("accessConfigs", []) if config.get("natIP")), None)
        addresses.append(Address(nic["networkIP"], block.prefixlen, str(block[1]), public))
    own6 = [(nic["ipv6Address"], False)] if nic.get("ipv6Address") else []
    own6 += [(config["externalIpv6"], True) for config in nic.get("ipv6AccessConfigs", []) if config.get("externalIpv6")]
    for ip, external in own6:
        prefix = subnetwork.get("externalIpv6Prefix" if external else "internalIpv6Prefix") or f"{ip}/64"
        block6 = ipaddress.ip_network(prefix, strict=False)
        addresses.append(Address(ip, block6.prefixlen, str(block6[1]), None, external and reaches_internet(ip, False, True)))
    network = str(nic["network"]).rpartition("/projects/")[2]
    return Nic(
        domain=f"gce/{network}",
        segment=str(nic.get("subnetwork") or network),
        name=f"eth{number}",
        mac=mac(f"{ident}/{number}"),
        mtu=_MTU,
        addresses=tuple(addresses),
    )


def mac(seed: str) -> str:
    """Compute's API shows no hardware address; Google's begin with 42:01."""
    digest = hashlib.sha256(seed.encode()).hexdigest()
    return ":".join(["42", "01", *(digest[place : place + 2] for place in range(0, 8, 2))])


def tree(entry: Mapping[str, Any], nics: tuple[Nic, ...]) -> dict[str, Any]:
    """computeMetadata/v1 of one instance, in the service's own words."""
    instance = entry["instance"]
    zone = f"projects/{entry['number']}/zones/{str(instance['zone']).rpartition('/')[2]}"
    interfaces = []
    for shown, nic in zip(instance["networkInterfaces"], nics, strict=True):
        interface: dict[str, Any] = {
            "mac": nic.mac,
            "mtu": nic.mtu,
            "network": str(shown["network"]).rpartition("/compute/v1/")[2],
            "ip": shown.get("networkIP", ""),
            "dnsServers": ["169.254.169.254"],
            "forwardedIps": [],
            "targetInstanceIps": [],
            "accessConfigs": [{"externalIp": config.get("natIP", ""), "type": "ONE_TO_ONE_NAT"} for config in shown.get("accessConfigs", [])],
        }
        v6 = [address.ip for address in nic.addresses if address.version == 6]
        if v6:
            interface["ipv6s"] = v6
        interfaces.append(interface)
    return {
        "instance": {
            "attributes": _items(instance.get("metadata")),
            "id": int(instance["id"]),
            "name": instance["name"],
            "hostname": f"{instance['name']}.{zone.rpartition('/')[2]}.c.{entry['project']}.internal",
            "zone": zone,
            "machineType": f"projects/{entry['number']}/machineTypes/{str(instance['machineType']).rpartition('/')[2]}",
            "description": instance.get("description", ""),
            "tags": list((instance.get("tags") or {}).get("items") or []),
            "cpuPlatform": "Intel Broadwell",
            "image": "",
            "networkInterfaces": interfaces,
            "serviceAccounts": {},
            "guestAttributes": {},
        },
        "project": {"attributes": _items(entry["project_metadata"]), "projectId": entry["project"], "numericProjectId": int(entry["number"])},
    }


def _items(metadata: Mapping[str, Any] | None) -> dict[str, str]:
    return {item["key"]: item.get("value") or "" for item in (metadata or {}).get("items") or []}
