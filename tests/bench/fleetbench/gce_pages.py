# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Recorded answers of Compute Engine: aggregated instance lists, about 3.5 kB for an instance, 500 a page."""
from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fleetlab.gce import fields

from .machines import FIRST, ZONES, Machine, machines

PAGE = 500
PROJECT = "bench-project"
_REGION = "us-central1"
_API = "https://www.googleapis.com/compute/v1/projects"
_NETWORK = f"{_API}/{PROJECT}/global/networks/default"
_LICENSES = (
    "debian-cloud/global/licenses/debian-12-bookworm", "ubuntu-os-cloud/global/licenses/ubuntu-2404-lts",
    "rocky-linux-cloud/global/licenses/rocky-linux-9", "rhel-cloud/global/licenses/rhel-9-server",
)
_SIZES = ("e2-small", "n2-standard-2", "n2-standard-4", "c3-standard-8")


class GcePages:
    """What the API answers, whole and as the ``fields`` masks asked for so far leave it."""

    def __init__(self, count: int) -> None:
        instances = [_instance(machine) for machine in machines(count, FIRST["gce"])]
        self._bodies: dict[tuple[str, str, str], bytes] = {}
        for start in range(0, max(count, 1), PAGE):
            page = _aggregated(instances[start:start + PAGE])
            if start + PAGE < count:
                page["nextPageToken"] = f"page-{start + PAGE}"
            self._record("aggregated/instances", f"page-{start}" if start else "", page)
        self._record("", "", _PROJECT_RESOURCE)
        self._record("global/networks", "", {
            "kind": "compute#networkList", "id": f"projects/{PROJECT}/global/networks",
            "items": [{"kind": "compute#network", "name": "default", "mtu": 1460, "selfLink": _NETWORK}]})

    def answer(self, path: str, query: Mapping[str, str]) -> bytes | None:
        """The answer to a GET; None where there is nothing. A mask is applied once to each page and then kept."""
        resource = path.partition(f"/compute/v1/projects/{PROJECT}")[2].lstrip("/")
        token, mask = query.get("pageToken", ""), query.get("fields", "")
        whole = self._bodies.get((resource, token, ""))
        if whole is None or not mask:
            return whole
        masked = self._bodies.get((resource, token, mask))
        if masked is None:
            masked = json.dumps(fields.apply(fields.parse(mask), json.loads(whole))).encode()
            self._bodies[resource, token, mask] = masked
        return masked

    def _record(self, resource: str, token: str, body: dict[str, Any]) -> None:
        self._bodies[resource, token, ""] = json.dumps(body).encode()


_PROJECT_RESOURCE = {
    "kind": "compute#project", "id": "1234567890", "name": PROJECT, "selfLink": f"{_API}/{PROJECT}",
    "commonInstanceMetadata": {"kind": "compute#metadata", "fingerprint": "cHJvamVjdA==", "items": [
        {"key": "ssh-keys", "value": "ops:ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBENCH ops@example.com"}]},
}


def _aggregated(instances: list[dict[str, Any]]) -> dict[str, Any]:
    """A page; zones without instances on it say so, as the real API's pages do."""
    items: dict[str, Any] = {}
    for letter in (*ZONES, "f"):
        zone = f"{_REGION}-{letter}"
        own = [instance for instance in instances if instance["zone"].endswith(zone)]
        items[f"zones/{zone}"] = {"instances": own} if own else {"warning": {
            "code": "NO_RESULTS_ON_PAGE", "message": f"There are no results for scope 'zones/{zone}' on this page.",
            "data": [{"key": "scope", "value": f"zones/{zone}"}]}}
    return {
        "kind": "compute#instanceAggregatedList", "id": f"projects/{PROJECT}/aggregated/instances", "items": items,
        "selfLink": f"{_API}/{PROJECT}/aggregated/instances"}


def _instance(machine: Machine) -> dict[str, Any]:
    """An instance with all that the API tells of a running one."""
    zone = f"{_REGION}-{machine.zone}"
    here = f"{_API}/{PROJECT}/zones/{zone}"
    license_path = _LICENSES[machine.image]
    nic: dict[str, Any] = {
        "kind": "compute#networkInterface", "name": "nic0", "network": _NETWORK, "networkIP": machine.private_v4,
        "subnetwork": f"{_API}/{PROJECT}/regions/{_REGION}/subnetworks/default", "fingerprint": "bmljMA==",
        "stackType": "IPV4_IPV6" if machine.public_v6 else "IPV4_ONLY",
    }
    if machine.public_v4:
        nic["accessConfigs"] = [{
            "kind": "compute#accessConfig", "type": "ONE_TO_ONE_NAT", "name": "External NAT",
            "natIP": machine.public_v4, "networkTier": "PREMIUM"}]
    if machine.public_v6:
        nic["ipv6AccessType"] = "EXTERNAL"
        nic["ipv6AccessConfigs"] = [{
            "kind": "compute#accessConfig", "type": "DIRECT_IPV6", "name": "external-ipv6", "networkTier": "PREMIUM",
            "externalIpv6": machine.public_v6, "externalIpv6PrefixLength": 96}]
    return {
        "kind": "compute#instance", "id": str(7000000000000000000 + machine.number), "name": machine.name,
        "creationTimestamp": "2026-03-01T02:20:30.123-08:00", "description": "", "status": "RUNNING",
        "tags": {"items": ["http-server", machine.name.split("-", 1)[0]], "fingerprint": "dGFncw=="},
        "machineType": f"{here}/machineTypes/{_SIZES[machine.image]}", "zone": here, "canIpForward": False,
        "networkInterfaces": [nic],
        "disks": [{
            "kind": "compute#attachedDisk", "type": "PERSISTENT", "mode": "READ_WRITE", "index": 0, "boot": True,
            "source": f"{here}/disks/{machine.name}", "deviceName": "persistent-disk-0", "autoDelete": True,
            "licenses": [f"{_API}/{license_path}"], "interface": "SCSI", "diskSizeGb": "20", "architecture": "X86_64",
            "guestOsFeatures": [{"type": feature} for feature in (
                "UEFI_COMPATIBLE", "VIRTIO_SCSI_MULTIQUEUE", "GVNIC", "SEV_CAPABLE", "SEV_LIVE_MIGRATABLE_V2")],
            "shieldedInstanceInitialState": {"pk": {"content": "0" * 200, "fileType": "X509"}},
        }],
        "metadata": {"kind": "compute#metadata", "fingerprint": "bWV0YQ==", "items": [
            {"key": "startup-script", "value": "#!/bin/sh\n" + "systemctl restart node\n" * 12},
            {"key": "enable-oslogin", "value": "FALSE"},
        ]},
        "serviceAccounts": [{
            "email": "1234567890-compute@developer.gserviceaccount.com", "scopes": [
                "https://www.googleapis.com/auth/devstorage.read_only", "https://www.googleapis.com/auth/logging.write",
                "https://www.googleapis.com/auth/monitoring.write", "https://www.googleapis.com/auth/trace.append"]}],
        "selfLink": f"{here}/instances/{machine.name}", "cpuPlatform": "Intel Cascade Lake",
        "scheduling": {
            "onHostMaintenance": "MIGRATE", "automaticRestart": True, "preemptible": False,
            "provisioningModel": "STANDARD"},
        "labels": machine.tags, "labelFingerprint": "bGFiZWxz", "startRestricted": False, "deletionProtection": False,
        "reservationAffinity": {"consumeReservationType": "ANY_RESERVATION"}, "displayDevice": {"enableDisplay": False},
        "shieldedInstanceConfig": {"enableSecureBoot": False, "enableVtpm": True, "enableIntegrityMonitoring": True},
        "shieldedInstanceIntegrityPolicy": {"updateAutoLearnPolicy": True},
        "confidentialInstanceConfig": {"enableConfidentialCompute": False}, "fingerprint": "aW5zdGFuY2U=",
        "lastStartTimestamp": "2026-03-01T02:20:40.000-08:00", "resourceStatus": {"scheduling": {}},
        "satisfiesPzi": True,
    }
