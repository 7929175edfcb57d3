# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the seeded cloud holds: two projects, with the kinds of machine that make inventories go wrong."""

from __future__ import annotations

from .errors import Json

PROD, DEV = "acme-prod", "acme-dev"
READER = f"fleet-reader@{PROD}.iam.gserviceaccount.com"
# key file -> (account, project of its home, grants)
ACCOUNTS: dict[str, tuple[str, str, dict[str, str]]] = {
    "fleet-reader.json": (READER, PROD, {PROD: "admin", DEV: "admin"}),
    "prod-viewer.json": (f"prod-viewer@{PROD}.iam.gserviceaccount.com", PROD, {PROD: "viewer"}),
    "dev-admin.json": (f"dev-admin@{DEV}.iam.gserviceaccount.com", DEV, {DEV: "admin"}),
}
# Public keys whose private halves nobody has; they stand for people's keys.
_ALICE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAabQkGZ9m1Zf0T1rcpB3bq1dVDJ1oPmJrYl0sWm1zPk alice@laptop"
_BOB = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8y0yzb0m2r5sC1S3gk6hWb2mQm7T0iJvUqk1wYwq9D bob@desk"

NETWORKS: dict[str, list[Json]] = {
    PROD: [
        {"name": "prod-vpc", "autoCreateSubnetworks": False, "enableUlaInternalIpv6": True},
        {"name": "storage-vpc", "autoCreateSubnetworks": False},
    ],
    DEV: [],
}
SUBNETWORKS: dict[str, list[tuple[str, Json]]] = {  # (region, body)
    PROD: [
        ("us-central1", {"name": "prod-us", "network": "global/networks/prod-vpc", "ipCidrRange": "10.20.0.0/20"}),
        (
            "us-central1",
            {
                "name": "dual-us",
                "network": "global/networks/prod-vpc",
                "ipCidrRange": "10.20.16.0/20",
                "stackType": "IPV4_IPV6",
                "ipv6AccessType": "EXTERNAL",
            },
        ),
        (
            "europe-west1",
            {
                "name": "v6only-eu",
                "network": "global/networks/prod-vpc",
                "stackType": "IPV6_ONLY",
                "ipv6AccessType": "EXTERNAL",
            },
        ),
        (
            "europe-west1",
            {
                "name": "ula-eu",
                "network": "global/networks/prod-vpc",
                "ipCidrRange": "10.20.32.0/20",
                "stackType": "IPV4_IPV6",
                "ipv6AccessType": "INTERNAL",
            },
        ),
        (
            "us-central1",
            {"name": "storage-us", "network": "global/networks/storage-vpc", "ipCidrRange": "172.30.0.0/22"},
        ),
    ],
    DEV: [],
}
FIREWALLS: dict[str, list[Json]] = {
    PROD: [
        {
            "name": "prod-allow-ssh",
            "network": "global/networks/prod-vpc",
            "allowed": [{"IPProtocol": "tcp", "ports": ["22"]}],
            "targetTags": ["ssh"],
        }
    ],
    DEV: [],
}
ADDRESSES: dict[str, list[tuple[str, Json]]] = {
    PROD: [("us-central1", {"name": "lb-ip", "address": "192.0.2.200"})],
    DEV: [],
}
PROJECT_METADATA: dict[str, dict[str, str]] = {PROD: {"ssh-keys": f"ops:{_ALICE}"}, DEV: {}}
STOPPED: dict[str, list[str]] = {PROD: ["batch-1"], DEV: []}

_NAT = {"type": "ONE_TO_ONE_NAT", "name": "External NAT"}
_NAT6 = {"type": "DIRECT_IPV6", "name": "external-ipv6", "networkTier": "PREMIUM"}


def _instance(
    name: str,
    image: str,
    *nics: Json,
    machine: str = "e2-small",
    labels: dict[str, str] | None = None,
    tags: tuple[str, ...] = (),
    metadata: dict[str, str] | None = None,
    description: str = "",
) -> Json:
    """The body of instances.insert but for the zone; ``image`` is project/family."""
    project, _slash, family = image.partition("/")
    return {
        "name": name,
        "machineType": machine,
        "description": description,
        "labels": labels or {},
        "tags": {"items": list(tags)},
        "disks": [
            {
                "boot": True,
                "autoDelete": True,
                "initializeParams": {"sourceImage": f"projects/{project}/global/images/family/{family}"},
            }
        ],
        "networkInterfaces": list(nics) or [{}],
        "metadata": {"items": [{"key": key, "value": value} for key, value in (metadata or {}).items()]},
    }


def _nic(subnetwork: str, region: str, *, nat: str | None = None, stack: str = "", nat6: bool = False) -> Json:
    """An interface; ``nat`` is "" for an ephemeral public address, an address for a static one."""
    nic: Json = {"subnetwork": f"regions/{region}/subnetworks/{subnetwork}"}
    if nat is not None:
        nic["accessConfigs"] = [_NAT | ({"natIP": nat} if nat else {})]
    if stack:
        nic["stackType"] = stack
    if nat6:
        nic["ipv6AccessConfigs"] = [_NAT6]
    return nic


INSTANCES: dict[str, list[tuple[str, Json]]] = {  # (zone, body)
    PROD: [
        # public, with keys of its own
        (
            "us-central1-a",
            _instance(
                "web-1",
                "debian-cloud/debian-12",
                _nic("prod-us", "us-central1", nat=""),
                tags=("web", "ssh"),
                labels={"env": "prod", "tier": "web"},
                metadata={"ssh-keys": f"bob:{_BOB}", "enable-guest-attributes": "TRUE"},
            ),
        ),
        # a static address stays when it stops
        (
            "us-central1-a",
            _instance(
                "lb-1",
                "ubuntu-os-cloud/ubuntu-2404-lts-amd64",
                _nic("prod-us", "us-central1", nat="192.0.2.200"),
                tags=("lb", "ssh"),
                labels={"env": "prod", "tier": "lb"},
            ),
        ),
        # private only; its description must be data to everybody who reads it
        (
            "us-central1-b",
            _instance(
                "db-1",
                "rocky-linux-cloud/rocky-linux-9",
                _nic("prod-us", "us-central1"),
                labels={"env": "prod", "tier": "db"},
                metadata={"description": "{{ 7*7 }} {% raw %}"},
                description="{{ lookup('pipe', 'id') }}",
            ),
        ),
        # two networks, the public address on the second interface
        (
            "us-central1-b",
            _instance(
                "gw-1",
                "debian-cloud/debian-12",
                _nic("storage-us", "us-central1"),
                _nic("prod-us", "us-central1", nat=""),
                machine="e2-standard-2",
                labels={"env": "prod", "tier": "gateway"},
                tags=("ssh",),
            ),
        ),
        (
            "us-central1-a",
            _instance(
                "dual-1",
                "debian-cloud/debian-13",
                _nic("dual-us", "us-central1", nat="", stack="IPV4_IPV6", nat6=True),
                labels={"env": "prod"},
            ),
        ),
        (
            "europe-west1-b",
            _instance(
                "v6-1",
                "debian-cloud/debian-12",
                _nic("v6only-eu", "europe-west1", stack="IPV6_ONLY", nat6=True),
                labels={"env": "prod"},
            ),
        ),
        # private IPv6 beside private IPv4
        (
            "europe-west1-b",
            _instance(
                "ula-1",
                "ubuntu-os-cloud/ubuntu-2204-lts",
                _nic("ula-eu", "europe-west1", stack="IPV4_IPV6"),
                labels={"env": "prod"},
            ),
        ),
        # stopped: its access config has no address
        (
            "us-central1-a",
            _instance(
                "batch-1",
                "debian-cloud/debian-12",
                _nic("prod-us", "us-central1", nat=""),
                labels={"env": "prod", "tier": "batch"},
            ),
        ),
        # keys of the project do not count here
        (
            "europe-west1-b",
            _instance(
                "locked-1",
                "rocky-linux-cloud/rocky-linux-8",
                _nic("ula-eu", "europe-west1", nat=""),
                labels={"env": "prod"},
                metadata={"block-project-ssh-keys": "TRUE", "ssh-keys": f"breakglass:{_BOB}"},
            ),
        ),
    ],
    DEV: [
        # OS Login: keys in metadata do not count at all
        (
            "us-central1-c",
            _instance(
                "oslogin-1",
                "debian-cloud/debian-12",
                {"network": "global/networks/default", "accessConfigs": [_NAT]},
                labels={"env": "dev"},
                metadata={"enable-oslogin": "TRUE"},
            ),
        ),
        (
            "europe-west1-c",
            _instance(
                "arm-1",
                "ubuntu-os-cloud/ubuntu-2404-lts-arm64",
                {"network": "global/networks/default", "accessConfigs": [_NAT]},
                machine="t2a-standard-1",
                labels={"env": "dev"},
                tags=("arm",),
            ),
        ),
        # the same name as a machine of the other project
        (
            "us-central1-c",
            _instance(
                "web-1",
                "kinvolk-public/flatcar-stable",
                {"network": "global/networks/default"},
                labels={"env": "dev", "tier": "web"},
            ),
        ),
    ],
}
