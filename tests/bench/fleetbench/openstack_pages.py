# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Recorded answers of an OpenStack: Keystone, Nova (about 2 kB for a server, 1,000 a page), Neutron and Glance."""
from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .machines import FIRST, ZONES, Machine, machines

PAGE = 1000
REGION = "RegionOne"
TOKEN = "bench-token"
_PROJECT = "5f9d6e2b4c3a4f1e8d7c6b5a49382716"
_NETWORK = "0c1d2e3f-1111-4222-8333-444455556666"
_EXTERNAL = "0c1d2e3f-7777-4222-8333-444455556666"
_ROUTER = "0c1d2e3f-8888-4222-8333-444455556666"
_IMAGES = (
    ("9a000000-0000-4000-8000-000000000001", "Debian 12", {"os_distro": "debian", "os_version": "12"}),
    ("9a000000-0000-4000-8000-000000000002", "Ubuntu 24.04", {"os_distro": "ubuntu", "os_version": "24.04"}),
    ("9a000000-0000-4000-8000-000000000003", "Rocky Linux 9", {"os_distro": "rocky", "os_version": "9"}),
    ("9a000000-0000-4000-8000-000000000004", "AlmaLinux 9", {"os_distro": "almalinux", "os_version": "9"}),
)
_FLAVORS = (("m1.small", 1, 2048), ("m1.medium", 2, 4096), ("m1.large", 4, 8192), ("m1.xlarge", 8, 16384))


class OpenStackPages:
    """What the services answer, ready to send. base: where they are reached, "http://127.0.0.1:<port>"."""

    def __init__(self, count: int, base: str) -> None:
        self.token = _encoded(_token(base))
        servers = [_server(machine, base) for machine in machines(count, FIRST["openstack"])]
        self._servers: dict[str, bytes] = {}
        marker = ""
        for start in range(0, max(count, 1), PAGE):
            page = servers[start:start + PAGE]
            last = page[-1]["id"] if page else ""
            body: dict[str, Any] = {"servers": page}
            if start + PAGE < count:
                href = f"{base}/nova/v2.1/servers/detail?limit={PAGE}&marker={last}"
                body["servers_links"] = [{"rel": "next", "href": href}]
            self._servers[marker] = _encoded(body)
            marker = last
        self._others = {path: _encoded(body) for path, body in _others(base).items()}

    def answer(self, path: str, query: Mapping[str, str]) -> bytes | None:
        """The answer to a GET; None where there is nothing. All get 2.98, whatever microversion they ask for."""
        if path == "/nova/v2.1/servers/detail":
            return self._servers.get(query.get("marker", ""))
        return self._others.get(path.rstrip("/"))


def _encoded(body: Any) -> bytes:
    return json.dumps(body).encode()


def _token(base: str) -> dict[str, Any]:
    def service(kind: str, path: str) -> dict[str, Any]:
        point = {
            "id": f"{kind}-public", "interface": "public", "region": REGION, "region_id": REGION, "url": base + path}
        return {"type": kind, "id": kind, "name": kind, "endpoints": [point]}

    domain = {"id": "default", "name": "Default"}
    return {"token": {
        "methods": ["password"],
        "expires_at": "2099-01-01T00:00:00.000000Z", "issued_at": "2026-01-01T00:00:00.000000Z",
        "audit_ids": ["bench"], "user": {"id": "bench", "name": "bench", "domain": domain, "password_expires_at": None},
        "project": {"id": _PROJECT, "name": "bench", "domain": domain}, "is_domain": False,
        "roles": [{"id": "reader", "name": "reader"}],
        "catalog": [
            service("identity", "/identity"), service("compute", "/nova/v2.1"), service("network", "/neutron"),
            service("image", "/glance"),
        ],
    }}


def _others(base: str) -> dict[str, Any]:
    """Everything small, by path."""
    keystone = {
        "id": "v3.14", "status": "stable", "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{base}/identity/v3/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }
    nova = {
        "id": "v2.1", "status": "CURRENT", "version": "2.98", "min_version": "2.1", "updated": "2013-07-23T11:33:21Z",
        "links": [{"rel": "self", "href": f"{base}/nova/v2.1/"}],
    }
    images = [
        {
            "id": image, "name": name, "status": "active", "visibility": "public", "hw_architecture": "x86_64",
            **properties,
        } for image, name, properties in _IMAGES
    ]
    return {
        "/identity": {"versions": {"values": [keystone]}},
        "/identity/v3": {"version": keystone},
        "/nova": {"versions": [nova]},
        "/nova/v2.1": {"version": nova},
        "/neutron/v2.0/networks": {"networks": [
            {"id": _NETWORK, "name": "fleet", "router:external": False, "mtu": 1450},
            {"id": _EXTERNAL, "name": "public", "router:external": True, "mtu": 1500},
        ]},
        "/neutron/v2.0/subnets": {"subnets": [
            {"network_id": _NETWORK, "cidr": "10.0.0.0/8"}, {"network_id": _NETWORK, "cidr": "2001:db8::/32"}]},
        "/neutron/v2.0/ports": {"ports": [{"device_id": _ROUTER, "network_id": _NETWORK}]},
        "/glance/v2/images": {"images": images},
        **{f"/glance/v2/images/{image['id']}": image for image in images},
    }


def _server(machine: Machine, base: str) -> dict[str, Any]:
    """A server as Nova 2.98 shows it to a member of the project."""
    server = f"5e000000-0000-4000-8000-{machine.number:012x}"
    image, _name, properties = _IMAGES[machine.image]
    flavor, vcpus, ram = _FLAVORS[machine.image]

    def address(ip: str, version: int, kind: str) -> dict[str, Any]:
        return {"version": version, "addr": ip, "OS-EXT-IPS:type": kind, "OS-EXT-IPS-MAC:mac_addr": machine.mac}

    addresses = [address(machine.private_v4, 4, "fixed")]
    if machine.public_v6:
        addresses.append(address(machine.public_v6, 6, "fixed"))
    if machine.public_v4:
        addresses.append(address(machine.public_v4, 4, "floating"))
    return {
        "id": server, "name": machine.name, "status": "ACTIVE", "tenant_id": _PROJECT, "user_id": "b" * 32,
        "metadata": machine.tags, "hostId": f"{machine.number % 97:056x}", "addresses": {"fleet": addresses},
        "image": {
            "id": image, "links": [{"rel": "bookmark", "href": f"{base}/nova/images/{image}"}],
            "properties": {"hw_architecture": "x86_64", **properties},
        },
        "flavor": {
            "vcpus": vcpus, "ram": ram, "disk": 20, "ephemeral": 0, "swap": 0, "original_name": flavor,
            "extra_specs": {"hw:mem_page_size": "any"},
        },
        "created": "2026-03-01T10:20:30Z", "updated": "2026-03-01T10:21:00Z",
        "links": [
            {"rel": "self", "href": f"{base}/nova/v2.1/servers/{server}"},
            {"rel": "bookmark", "href": f"{base}/nova/servers/{server}"},
        ],
        "accessIPv4": "", "accessIPv6": "", "config_drive": "", "OS-DCF:diskConfig": "MANUAL", "progress": 0,
        "OS-EXT-AZ:availability_zone": f"az-{ZONES.index(machine.zone)}", "pinned_availability_zone": None,
        "key_name": "ops", "OS-SRV-USG:launched_at": "2026-03-01T10:20:50.000000", "OS-SRV-USG:terminated_at": None,
        "security_groups": [{"name": "default"}], "OS-EXT-STS:task_state": None, "OS-EXT-STS:vm_state": "active",
        "OS-EXT-STS:power_state": 1, "os-extended-volumes:volumes_attached": [
            {"id": f"50000000-0000-4000-8000-{machine.number:012x}", "delete_on_termination": False}],
        "locked": False, "locked_reason": None, "description": None, "tags": [], "trusted_image_certificates": None,
        "server_groups": [], "scheduler_hints": {},
    }
