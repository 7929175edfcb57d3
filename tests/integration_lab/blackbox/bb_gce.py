# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Compute Engine in small, from its REST reference. It ignores ``fields`` and ``filter``, as thin emulators do."""

from __future__ import annotations

from typing import Any

from bb_wire import Reply, Request, World

ZONES = ("us-central1-a", "europe-west1-b")


def error(status: int, message: str, reason: str) -> Reply:
    return Reply(
        status,
        {
            "error": {
                "code": status,
                "message": message,
                "errors": [{"message": message, "domain": "global", "reason": reason}],
            }
        },
    )


def instance(
    name: str,
    number: int = 1,
    *,
    project: str = "acme",
    zone: str = ZONES[0],
    public: str | None = "203.0.113.20",
    labels: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    base = f"https://www.googleapis.com/compute/v1/projects/{project}"
    access = [
        {
            "kind": "compute#accessConfig",
            "type": "ONE_TO_ONE_NAT",
            "name": "External NAT",
            **({"natIP": public} if public else {}),
        }
    ]
    return {
        "kind": "compute#instance",
        "id": str(7000000000000000000 + number),
        "name": name,
        "status": "RUNNING",
        "creationTimestamp": "2026-02-01T00:00:00.000-08:00",
        "zone": f"{base}/zones/{zone}",
        "machineType": f"{base}/zones/{zone}/machineTypes/e2-small",
        "cpuPlatform": "Intel Broadwell",
        "labels": labels or {},
        "tags": {"items": ["web"], "fingerprint": "x"},
        "metadata": {
            "kind": "compute#metadata",
            "fingerprint": "x",
            "items": [{"key": key, "value": value} for key, value in (metadata or {}).items()],
        },
        "disks": [
            {
                "boot": True,
                "licenses": [
                    "https://www.googleapis.com/compute/v1/projects/debian-cloud/global/licenses/debian-12-bookworm"
                ],
            }
        ],
        "networkInterfaces": [
            {
                "name": "nic0",
                "network": f"{base}/global/networks/default",
                "networkIP": f"10.128.0.{number}",
                "accessConfigs": access,
            }
        ],
        "selfLink": f"{base}/zones/{zone}/instances/{name}",
        **more,
    }


class Gce(World):
    """``machines``: project -> instances. ``good``: tokens that are accepted; /token gives the next of ``gives``."""

    def __init__(self, machines: dict[str, list[dict[str, Any]]] | None = None, page: int = 2) -> None:
        super().__init__()
        self.machines = machines or {}
        self.page = page
        self.good = {"adv-token-1"}
        self.gives: list[str] = []
        self.keys = "ops:ssh-ed25519 AAAA ops"

    def answer(self, request: Request) -> Reply:
        if request.path == "/token":
            token = self.gives.pop(0) if self.gives else "adv-token-1"
            return Reply(200, {"access_token": token, "expires_in": 3600, "token_type": "Bearer"})
        if (request.headers.get("Authorization") or "").removeprefix("Bearer ") not in self.good:
            return error(401, "Request had invalid authentication credentials.", "authError")
        parts = request.path.removeprefix("/compute/v1/projects/").split("/")
        project, rest = parts[0], "/".join(parts[1:])
        if project not in self.machines:
            return error(404, f"The resource 'projects/{project}' was not found", "notFound")
        if rest == "":
            return Reply(
                200,
                {
                    "kind": "compute#project",
                    "name": project,
                    "commonInstanceMetadata": {
                        "kind": "compute#metadata",
                        "items": [{"key": "ssh-keys", "value": self.keys}],
                    },
                },
            )
        if rest == "global/networks":
            return Reply(
                200,
                {
                    "kind": "compute#networkList",
                    "id": "n",
                    "items": [
                        {
                            "kind": "compute#network",
                            "name": "default",
                            "mtu": 1460,
                            "selfLink": f"https://www.googleapis.com/compute/v1/projects/{project}/global/networks/default",
                        }
                    ],
                },
            )
        rows = self.machines[project]
        if rest != "aggregated/instances":
            zone = parts[2]
            rows = [row for row in rows if row["zone"].endswith("/" + zone)]
        start = int((request.query.get("pageToken") or ["0"])[0])
        page = rows[start : start + self.page]
        more = {"nextPageToken": str(start + self.page)} if start + self.page < len(rows) else {}
        if rest != "aggregated/instances":
            return Reply(
                200, {"kind": "compute#instanceList", "id": "i", **({"items": page} if page else {}), **more}
            )
        items: dict[str, Any] = {
            f"zones/{zone}": {"warning": {"code": "NO_RESULTS_ON_PAGE", "message": "empty"}} for zone in ZONES
        }
        for row in page:
            scope = "zones/" + row["zone"].rpartition("/")[2]
            items[scope] = {"instances": [*items.get(scope, {}).get("instances", []), row]}
        return Reply(200, {"kind": "compute#instanceAggregatedList", "id": "a", "items": items, **more})
