# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every project sees: regions, zones, machine types, and the public image projects with their licences.

Names, families and licences as Google publishes them; sizes of the machine types as documented.
"""

from __future__ import annotations

from .errors import Json
from .store import Store, link, new_fingerprint, new_id

REGIONS: dict[str, tuple[str, str]] = {  # region -> letters of its zones, range of its subnetwork in auto-mode networks
    "us-central1": ("abcf", "10.128.0.0/20"),
    "us-east1": ("bcd", "10.142.0.0/20"),
    "europe-west1": ("bcd", "10.132.0.0/20"),
    "europe-west4": ("abc", "10.164.0.0/20"),
    "asia-east1": ("abc", "10.140.0.0/20"),
}
ZONES = {f"{region}-{letter}": region for region, (letters, _range) in REGIONS.items() for letter in letters}

_MACHINE_TYPES = {  # name -> vCPUs, MiB, architecture
    "e2-micro": (2, 1024, "X86_64"),
    "e2-small": (2, 2048, "X86_64"),
    "e2-medium": (2, 4096, "X86_64"),
    "e2-standard-2": (2, 8192, "X86_64"),
    "e2-standard-4": (4, 16384, "X86_64"),
    "e2-highmem-2": (2, 16384, "X86_64"),
    "n1-standard-1": (1, 3840, "X86_64"),
    "n1-standard-2": (2, 7680, "X86_64"),
    "n2-standard-2": (2, 8192, "X86_64"),
    "n2-standard-4": (4, 16384, "X86_64"),
    "t2a-standard-1": (1, 4096, "ARM64"),
    "t2a-standard-2": (2, 8192, "ARM64"),
}
_SHARED_CORE = ("e2-micro", "e2-small", "e2-medium")

# project -> (image, family, licence, GiB, architecture); dates in the names order the versions of a family
PUBLIC_IMAGES: dict[str, list[tuple[str, str, str, int, str]]] = {
    "debian-cloud": [
        ("debian-11-bullseye-v20260714", "debian-11", "debian-11-bullseye", 10, "X86_64"),
        ("debian-12-bookworm-v20261014", "debian-12", "debian-12-bookworm", 10, "X86_64"),
        ("debian-12-bookworm-v20261111", "debian-12", "debian-12-bookworm", 10, "X86_64"),
        ("debian-12-bookworm-arm64-v20261111", "debian-12-arm64", "debian-12-bookworm", 10, "ARM64"),
        ("debian-13-trixie-v20261111", "debian-13", "debian-13-trixie", 10, "X86_64"),
    ],
    "ubuntu-os-cloud": [
        ("ubuntu-2204-jammy-v20261105", "ubuntu-2204-lts", "ubuntu-2204-lts", 10, "X86_64"),
        ("ubuntu-2404-noble-amd64-v20261105", "ubuntu-2404-lts-amd64", "ubuntu-2404-lts", 10, "X86_64"),
        ("ubuntu-2404-noble-arm64-v20261105", "ubuntu-2404-lts-arm64", "ubuntu-2404-lts", 10, "ARM64"),
    ],
    "rocky-linux-cloud": [
        ("rocky-linux-8-v20261021", "rocky-linux-8", "rocky-linux-8", 20, "X86_64"),
        ("rocky-linux-9-v20261021", "rocky-linux-9", "rocky-linux-9", 20, "X86_64"),
    ],
    "centos-cloud": [("centos-stream-9-v20261021", "centos-stream-9", "centos-stream-9", 20, "X86_64")],
    "rhel-cloud": [("rhel-9-v20261021", "rhel-9", "rhel-9-server", 20, "X86_64")],
    "fedora-coreos-cloud": [
        ("fedora-coreos-44-20261026-3-0-gcp-x86-64", "fedora-coreos-stable", "fedora-coreos-stable", 10, "X86_64")
    ],
    "opensuse-cloud": [("opensuse-leap-15-6-v20261020-x86-64", "opensuse-leap", "opensuse-leap-42", 10, "X86_64")],
    "kinvolk-public": [("flatcar-stable-4459-2-1", "flatcar-stable", "flatcar-container-linux-stable", 9, "X86_64")],
    "cos-cloud": [
        ("cos-125-19216-104-25", "cos-125-lts", "cos", 10, "X86_64"),
        ("cos-stable-125-19216-104-25", "cos-stable", "cos", 10, "X86_64"),
    ],
    "almalinux-cloud": [("almalinux-9-v20261021", "almalinux-9", "almalinux-9", 20, "X86_64")],
    "oracle-linux-cloud": [("oracle-linux-9-v20261021", "oracle-linux-9", "oracle-linux-9", 20, "X86_64")],
    "suse-cloud": [("sles-15-sp7-v20261020-x86-64", "sles-15", "sles-15", 10, "X86_64")],
    "windows-cloud": [("windows-server-2022-dc-v20261014", "windows-2022", "windows-server-2022-dc", 50, "X86_64")],
    # gcloud images list reads these as well; nothing of them is needed here
    "rhel-sap-cloud": [],
    "rocky-linux-accelerator-cloud": [],
    "suse-sap-cloud": [],
    "ubuntu-os-accelerator-images": [],
    "ubuntu-os-pro-cloud": [],
    "windows-sql-cloud": [],
}
DEPRECATED_IMAGES = ("debian-12-bookworm-v20261014",)


def add_places(store: Store, project: str) -> None:
    """Regions, zones and machine types of one project."""
    base = f"projects/{project}"
    for region, (letters, _range) in REGIONS.items():
        zones = [link(f"{base}/zones/{region}-{letter}") for letter in letters]
        store.add(
            f"{base}/regions/{region}",
            "compute#region",
            {"name": region, "description": region, "status": "UP", "zones": zones, "supportsPzs": False},
        )
    for zone, region in ZONES.items():
        store.add(
            f"{base}/zones/{zone}",
            "compute#zone",
            {
                "name": zone,
                "description": zone,
                "status": "UP",
                "region": link(f"{base}/regions/{region}"),
                "availableCpuPlatforms": ["Intel Broadwell", "Intel Cascade Lake", "AMD Rome"],
                "supportsPzs": False,
            },
        )
        for name, (cpus, memory, architecture) in _MACHINE_TYPES.items():
            store.add(
                f"{base}/zones/{zone}/machineTypes/{name}",
                "compute#machineType",
                {
                    "name": name,
                    "description": f"{cpus} vCPU, {memory} MB RAM",
                    "guestCpus": cpus,
                    "memoryMb": memory,
                    "imageSpaceGb": 0,
                    "maximumPersistentDisks": 128,
                    "maximumPersistentDisksSizeGb": "263168",
                    "zone": zone,
                    "isSharedCpu": name in _SHARED_CORE,
                    "architecture": architecture,
                },
            )


def add_public_images(store: Store) -> None:
    """The image projects that everybody may read."""
    for number, (project, images) in enumerate(PUBLIC_IMAGES.items(), start=1):
        store.add(f"projects/{project}", "compute#project", {"name": project, "id": str(100_000_000_000 + number)})
        for name, family, licence, size, architecture in images:
            licence_path = f"projects/{project}/global/licenses/{licence}"
            if store.find(licence_path) is None:
                store.add(
                    licence_path, "compute#license", {"name": licence, "chargesUseFee": False, "licenseCode": new_id()}
                )
            store.add(
                f"projects/{project}/global/images/{name}",
                "compute#image",
                _image(project, name, family, link(licence_path), size, architecture),
            )


def _image(project: str, name: str, family: str, licence: str, size: int, architecture: str) -> Json:
    image: Json = {
        "name": name,
        "family": family,
        "description": f"{family}, {architecture}, published by {project}",
        "status": "READY",
        "sourceType": "RAW",
        "rawDisk": {"containerType": "TAR", "source": ""},
        "diskSizeGb": str(size),
        "archiveSizeBytes": str(size * 10**8),
        "architecture": architecture,
        "licenses": [licence],
        "guestOsFeatures": [{"type": "UEFI_COMPATIBLE"}, {"type": "VIRTIO_SCSI_MULTIQUEUE"}, {"type": "GVNIC"}],
        "labelFingerprint": new_fingerprint(),
        "storageLocations": ["us", "eu", "asia"],
        "enableConfidentialCompute": False,
    }
    if name in DEPRECATED_IMAGES:
        newest = max(other for other, other_family, *_rest in PUBLIC_IMAGES[project] if other_family == family)
        image["deprecated"] = {"state": "DEPRECATED", "replacement": link(f"projects/{project}/global/images/{newest}")}
    return image
