# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keystone, Nova and, where a test wants them, Neutron and Glance, in small, from the public API reference."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlencode

from bb_wire import Reply, Request, World


def server(
    name: str, addresses: dict[str, list[Any]] | None = None, *, project: str = "p1", types: bool = True, **more: Any
) -> dict[str, Any]:
    """A server of microversion 2.1.

    addresses: label -> addresses, ("floating", ip) for a floating one. types: with the extension OS-EXT-IPS.
    """
    shown: dict[str, list[dict[str, Any]]] = {}
    for number, (label, entries) in enumerate((addresses or {}).items()):
        for entry in entries:
            kind, ip = entry if isinstance(entry, tuple) else ("fixed", entry)
            shown.setdefault(label, []).append(
                {
                    "addr": ip,
                    "version": 6 if ":" in ip else 4,
                    **(
                        {"OS-EXT-IPS:type": kind, "OS-EXT-IPS-MAC:mac_addr": f"fa:16:3e:00:00:{number:02x}"}
                        if types
                        else {}
                    ),
                }
            )
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_DNS, name + project)),
        "name": name,
        "status": "ACTIVE",
        "tenant_id": project,
        "user_id": "u",
        "created": "2026-03-01T00:00:00Z",
        "updated": "2026-03-01T00:00:00Z",
        "metadata": {},
        "addresses": shown,
        "image": {"id": "img-1", "links": []},
        "flavor": {"id": "f1", "links": []},
        "accessIPv4": "",
        "accessIPv6": "",
        "OS-EXT-AZ:availability_zone": "nova",
        "OS-EXT-STS:task_state": None,
        "OS-EXT-STS:vm_state": "active",
        "security_groups": [{"name": "default"}],
        "key_name": "k",
        "config_drive": "",
        "hostId": "h",
        **more,
    }


class OpenStack(World):
    """``servers``: region -> servers. ``services``: those in the catalogue beside Keystone."""

    def __init__(
        self,
        servers: dict[str, list[dict[str, Any]]] | None = None,
        *,
        services: tuple[str, ...] = ("compute",),
        page: int = 2,
    ) -> None:
        super().__init__()
        self.servers = servers if servers is not None else {}
        self.services = services
        self.page = page
        self.networks: list[dict[str, Any]] = []
        self.subnets: list[dict[str, Any]] = []
        self.ports: list[dict[str, Any]] = []
        self.images = [{"id": "img-1", "name": "Debian 12 bookworm", "status": "active", "visibility": "public"}]
        self.valid: set[str] = set()
        self.admin = True

    def label(self, request: Request) -> str:
        return f"{request.method} {request.path} {request.query.get('marker', [''])[0]}"

    def answer(self, request: Request) -> Reply:
        path = request.path.rstrip("/")
        if path == "/identity/v3" or path == "/identity":
            version = {
                "id": "v3.14",
                "status": "stable",
                "updated": "2020-04-07T00:00:00Z",
                "links": [{"rel": "self", "href": f"{self.url}/identity/v3/"}],
                "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
            }
            return (
                Reply(200, {"version": version})
                if path.endswith("v3")
                else Reply(300, {"versions": {"values": [version]}})
            )
        if path == "/identity/v3/auth/tokens":
            return self._token(request)
        is_version = path.startswith("/compute/") and path.endswith("v2.1")
        if request.headers.get("X-Auth-Token") not in self.valid and not is_version:
            return Reply(
                401,
                {
                    "error": {
                        "code": 401,
                        "title": "Unauthorized",
                        "message": "The request you have made requires authentication.",
                    }
                },
            )
        if path.startswith("/compute/"):
            return self._nova(request, *path.split("/", 4)[2:])
        collection = path.rpartition("/")[2]
        if path.startswith("/network/"):
            return Reply(200, {collection: getattr(self, collection, [])})
        if path == "/image/v2/images":
            return Reply(200, {"images": self.images})
        for image in self.images:
            if path == f"/image/v2/images/{image['id']}":
                return Reply(200, image)
        return Reply(404, {"message": "not here"})

    def _token(self, request: Request) -> Reply:
        auth = request.json()["auth"]
        if auth["identity"].get("password", {}).get("user", {}).get("password") == "wrong-Passw0rd":
            return Reply(
                401,
                {
                    "error": {
                        "code": 401,
                        "title": "Unauthorized",
                        "message": "The request you have made requires authentication.",
                    }
                },
            )
        token = f"gAAAA-secret-{uuid.uuid4().hex}"
        self.valid.add(token)
        catalogue = [
            {
                "type": kind,
                "name": kind,
                "id": kind,
                "endpoints": [
                    {
                        "id": f"{kind}-{region}",
                        "interface": "public",
                        "region": region,
                        "region_id": region,
                        "url": self._address(kind, region),
                    }
                    for region in self.servers
                ],
            }
            for kind in self.services
        ]
        catalogue.append(
            {
                "type": "identity",
                "name": "keystone",
                "id": "k",
                "endpoints": [
                    {
                        "id": "k1",
                        "interface": "public",
                        "region": region,
                        "region_id": region,
                        "url": f"{self.url}/identity",
                    }
                    for region in self.servers
                ],
            }
        )
        return Reply(
            201,
            {
                "token": {
                    "methods": ["password"],
                    "expires_at": "2098-01-01T00:00:00.000000Z",
                    "issued_at": "2026-01-01T00:00:00.000000Z",
                    "audit_ids": ["x"],
                    "user": {"id": "u", "name": "ops", "domain": {"id": "default", "name": "Default"}},
                    "roles": [{"id": "r", "name": "member"}],
                    "project": {"id": "p1", "name": "acme", "domain": {"id": "default", "name": "Default"}},
                    "is_domain": False,
                    "catalog": catalogue,
                }
            },
            {"X-Subject-Token": token},
        )

    def _address(self, kind: str, region: str) -> str:
        return {
            "compute": f"{self.url}/compute/{region}/v2.1",
            "network": f"{self.url}/network/{region}",
            "image": f"{self.url}/image",
        }[kind]

    def _nova(self, request: Request, region: str, _version: str = "", rest: str = "") -> Reply:
        if not rest:
            return Reply(
                200,
                {
                    "version": {
                        "id": "v2.1",
                        "status": "CURRENT",
                        "version": "2.1",
                        "min_version": "2.1",
                        "updated": "2013-07-23T11:33:21Z",
                        "links": [{"rel": "self", "href": f"http://nova.internal:8774/{region}/v2.1/"}],
                        "media-types": [],
                    }
                },
            )
        if rest == "flavors/detail":
            return Reply(200, {"flavors": [{"id": "f1", "name": "m1.small", "ram": 2048, "vcpus": 1, "disk": 20}]})
        if rest != "servers/detail":
            return Reply(404, {"itemNotFound": {"code": 404, "message": "The resource could not be found."}})
        everybody = "all_tenants" in request.query
        if everybody and not self.admin:
            return Reply(
                403,
                {
                    "forbidden": {
                        "code": 403,
                        "message": "Policy doesn't allow os_compute_api:servers:detail:get_all_tenants to be performed.",
                    }
                },
            )
        rows = [row for row in self.servers[region] if everybody or row["tenant_id"] == "p1"]
        marker = request.query.get("marker", [None])[0]
        ids = [row["id"] for row in rows]
        start = ids.index(marker) + 1 if marker else 0
        page = rows[start : start + self.page]
        links = {}
        if start + self.page < len(rows):
            links = {
                "servers_links": [
                    {
                        "rel": "next",
                        "href": "http://nova.internal:8774/v2.1/servers/detail?"
                        + urlencode({**request.query, "limit": [self.page], "marker": [page[-1]["id"]]}, doseq=True),
                    }
                ]
            }
        return Reply(200, {"servers": page, **links})
