# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From Compute Engine's instance resource (v1 JSON) to evidence. Pure; nothing is asked and nothing is guessed.

What GCE does not tell stays None: MAC addresses, the image's id and name (an instance names only its disks, whose
licenses name the system), SSH host keys.
"""
from __future__ import annotations

import datetime
import functools
import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ... import distro
from ...shape import AddressEvidence, Image, InterfaceEvidence, NodeEvidence
from .login import ProjectLogin, items_of, login_evidence

STATES: Mapping[str, str] = {
    "PENDING": "pending",
    "PROVISIONING": "pending",
    "STAGING": "pending",
    "RUNNING": "running",
    "REPAIRING": "error",  # Google: the instance hit an internal error or lost its host, and cannot be used meanwhile
    "PENDING_STOP": "stopping",
    "STOPPING": "stopping",
    "DEPROVISIONING": "stopping",  # also on the way to TERMINATED: "deleting" would hide a machine that stays
    "SUSPENDING": "stopping",
    "SUSPENDED": "paused",
    "STOPPED": "stopped",
    "TERMINATED": "stopped",
}
"""Compute Engine's life cycle in the fleet's words."""

NEVER_EXTRA = frozenset({"metadata", "instanceEncryptionKey", "sourceMachineImageEncryptionKey"})
"""Fields that may hold secrets (start-up scripts, passwords, keys); never copied, even when asked for."""

DEFAULT_MTU = 1460  # bytes; "if unspecified, the value defaults to 1460" (networks resource, field mtu)

_NAT = "natIP"
_INSIDE = "VPC addresses leave only through NAT"
_ARCHITECTURES = {"X86_64": "x86_64", "ARM64": "aarch64"}


class Translator:
    """Turns the instances of one project into evidence.

    login: what the project's metadata says; mtus: bytes by network path; extra: names of fields to keep; now: aware
    time against which keys expire.
    """

    def __init__(
        self, project: str, login: ProjectLogin, mtus: Mapping[str, int], extra: Sequence[str], now: datetime.datetime,
    ) -> None:
        self._project = project
        self._login = login
        self._mtus = mtus
        self._extra = tuple(name for name in extra if name not in NEVER_EXTRA)
        self._now = now

    def node(self, instance: Mapping[str, Any]) -> NodeEvidence:
        """Evidence of one instance. Raises KeyError, TypeError, AttributeError or ValueError when it is malformed."""
        zone = last_part(instance.get("zone"))
        image, arch, platform = self._boot(instance)
        labels = instance.get("labels") or {}
        network_tags = tuple((instance.get("tags") or {}).get("items") or ())
        return NodeEvidence(
            id=str(instance["id"]),
            name=instance["name"],
            state=STATES.get(instance["status"], "unknown"),
            account=self._project,
            region=zone.rpartition("-")[0] if zone else None,
            zone=zone,
            created=utc(instance.get("creationTimestamp")),
            flavor=last_part(instance.get("machineType")),
            arch=arch,
            image=image,
            tags={**dict.fromkeys(network_tags, ""), **labels},
            interfaces=tuple(self._interface(nic) for nic in instance.get("networkInterfaces") or ()),
            security_groups=network_tags,
            login=login_evidence(items_of(instance.get("metadata")), labels, self._login, self._now, platform),
            extra={name: instance[name] for name in self._extra if name in instance},
        )

    def _boot(self, instance: Mapping[str, Any]) -> tuple[Image, str | None, str | None]:
        """Image, architecture and platform, as the boot disk tells them."""
        disks = instance.get("disks") or ()
        boot = next((disk for disk in disks if disk.get("boot")), disks[0] if disks else {})
        image = _image(tuple(boot.get("licenses") or ()))
        arch = _ARCHITECTURES.get(boot.get("architecture", "")) or _arch_of_cpu(instance.get("cpuPlatform") or "")
        return image, arch, "windows" if image.distro == "windows" else None

    def _interface(self, nic: Mapping[str, Any]) -> InterfaceEvidence:
        path = network_path(nic.get("network"), self._project)
        return InterfaceEvidence(
            network=last_part(path),
            network_id=path,
            mtu=self._mtus.get(path) if path else None,
            domain=f"network:{path}" if path else None,
            addresses=tuple(_addresses(nic)),
        )


def _addresses(nic: Mapping[str, Any]) -> list[AddressEvidence]:
    """Inside IPv4, its NAT addresses, then IPv6; an access config without natIP is one of a stopped instance."""
    inside = nic.get("networkIP")
    found = [AddressEvidence(inside, routed=False, routed_why=_INSIDE, network_known=True)] if inside else []
    found += [
        AddressEvidence(config["natIP"], nat_of=inside, nat_kind=_NAT, network_known=True)
        for config in nic.get("accessConfigs") or () if config.get("natIP")]
    outside6 = [_canonical(ip) for config in nic.get("ipv6AccessConfigs") or () if (ip := config.get("externalIpv6"))]
    found += [AddressEvidence(ip, routed=True, routed_why="ipv6AccessType EXTERNAL") for ip in outside6]
    inside6 = nic.get("ipv6Address")
    if inside6 and (ip := _canonical(inside6)) not in outside6:
        found.append(AddressEvidence(ip, routed=False, routed_why="ipv6AccessType INTERNAL", network_known=True))
    return found


def host_projects(instances: Iterable[Mapping[str, Any]], project: str) -> list[str]:
    """The other projects whose networks the instances of a project are attached to (Shared VPC)."""
    nics = (nic for instance in instances for nic in instance.get("networkInterfaces") or ())
    paths = {network_path(nic.get("network"), project) for nic in nics}
    return sorted({path.split("/")[1] for path in paths if path} - {project})


def network_path(url: str | None, project: str) -> str | None:
    """``projects/p/global/networks/n`` for any form of a network's address; p is the host project of a Shared VPC."""
    if not url:
        return None
    return _network_path(url, project)


@functools.lru_cache(maxsize=4096)
def _network_path(url: str, project: str) -> str:
    before, found, after = url.partition("projects/")
    if found and (not before or before.endswith("/")):
        return found + after
    return f"projects/{project}/global/networks/{url.rpartition('/')[2]}"


@functools.lru_cache(maxsize=4096)
def last_part(url: str | None) -> str | None:
    """The name at the end of a resource's address."""
    return url.rpartition("/")[2] or None if url else None


@functools.lru_cache(maxsize=4096)
def _image(licenses: tuple[str, ...]) -> Image:
    name, version = distro.identify(*licenses)
    return Image(distro=name, version=version)


@functools.lru_cache(maxsize=256)
def _arch_of_cpu(platform: str) -> str | None:
    """Architecture of a running instance's CPU platform, for disks that do not tell theirs."""
    if platform.startswith(("Intel ", "AMD ")):
        return "x86_64"
    if platform.startswith(("Ampere ", "Google Axion", "NVIDIA Grace")):
        return "aarch64"
    return None


@functools.lru_cache(maxsize=65536)
def _canonical(ip: str) -> str:
    """An IPv6 address as RFC 5952 writes it; GCE does not shorten zeros. Raises ValueError when it is none."""
    return str(ipaddress.IPv6Address(ip))


def utc(timestamp: str | None) -> str | None:
    """An RFC 3339 time in UTC, to the second; None when there is none."""
    if not timestamp:
        return None
    moment = datetime.datetime.fromisoformat(timestamp).astimezone(datetime.UTC)
    return moment.isoformat(timespec="seconds")[:19] + "Z"
