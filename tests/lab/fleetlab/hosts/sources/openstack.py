# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Nova's and Neutron's servers, read where these keep them: their databases, which tell exactly what the APIs report.

Reading files costs the services nothing, and ``PRAGMA data_version`` tells at once, and only then, when somebody has committed a change.
"""

from __future__ import annotations

import datetime
import ipaddress
import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .. import login
from ..model import Address, Host, Nic, World
from ..network import reaches_internet

Row = Mapping[str, Any]
_RUNNING = ("active", "resized", "rescued", "paused")
_STATE_ON = 1
_QUERIES = {
    "instances": (
        "nova_cell1",
        (
            "SELECT uuid, project_id, image_ref, launch_index, key_name, key_data, power_state, vm_state, hostname, user_data,"
            " display_name, availability_zone, created_at FROM instances WHERE deleted = 0"
        ),
    ),
    "caches": ("nova_cell1", "SELECT instance_uuid, network_info FROM instance_info_caches WHERE deleted = 0"),
    "actions": (
        "nova_cell1",
        (
            "SELECT instance_uuid, action, max(start_time) AS at FROM instance_actions WHERE deleted = 0"
            " AND action IN ('reboot', 'start', 'rebuild') GROUP BY instance_uuid, action"
        ),
    ),
    "metadata": ("nova_cell1", "SELECT instance_uuid, key, value FROM instance_metadata WHERE deleted = 0"),
    "system": ("nova_cell1", "SELECT instance_uuid, key, value FROM instance_system_metadata WHERE deleted = 0"),
    "images": ("glance", "SELECT id, name FROM images"),
    "ports": ("neutron", "SELECT id, network_id, mac_address, device_id, device_owner FROM ports"),
    "allocations": ("neutron", "SELECT port_id, ip_address, subnet_id FROM ipallocations"),
    "subnets": ("neutron", "SELECT id, network_id, cidr, gateway_ip FROM subnets"),
    "networks": ("neutron", "SELECT id, name, mtu FROM networks"),
    "external": ("neutron", "SELECT network_id FROM externalnetworks"),
    "shared": ("neutron", "SELECT object_id AS network_id FROM networkrbacs WHERE action IN ('access_as_shared', 'access_as_external')"),
    "segments": ("neutron", "SELECT network_id FROM networksegments WHERE network_type IN ('flat', 'vlan')"),
    "router_ports": ("neutron", "SELECT router_id, port_id FROM routerports WHERE port_type LIKE 'network:%router_interface%'"),
    "floating": ("neutron", "SELECT floating_ip_address, fixed_port_id, fixed_ip_address FROM floatingips WHERE fixed_port_id IS NOT NULL"),
}


class Databases:
    """The services' databases, opened for reading."""

    def __init__(self, folder: Path) -> None:
        self._connections: dict[str, sqlite3.Connection] = {}
        self._folder = folder

    def changed(self) -> tuple[int, ...]:
        """A value that differs from the last one when somebody has changed something."""
        return tuple(int(self._open(name).execute("PRAGMA data_version").fetchone()[0]) for name in ("nova_cell1", "neutron"))

    def read(self) -> dict[str, list[Row]]:
        return {name: [dict(row) for row in self._open(base).execute(query)] for name, (base, query) in _QUERIES.items()}

    def _open(self, name: str) -> sqlite3.Connection:
        if name not in self._connections:
            connection = sqlite3.connect(f"file:{self._folder / name}.sqlite?mode=ro", uri=True, timeout=10, check_same_thread=False)
            connection.row_factory = sqlite3.Row
            self._connections[name] = connection
        return self._connections[name]


def world(tables: Mapping[str, list[Row]]) -> World:
    """Servers as hosts. Pure."""
    networks = _Networks(tables)
    caches = {row["instance_uuid"]: row["network_info"] for row in tables["caches"]}
    images = {row["id"]: row["name"] for row in tables["images"]}
    metadata, system = _by_instance(tables["metadata"]), _by_instance(tables["system"])
    asked: dict[tuple[str, str], float] = {(row["instance_uuid"], row["action"]): _time(row["at"]) for row in tables["actions"]}
    ports = defaultdict(list)
    for row in tables["ports"]:
        ports[row["device_id"]].append(row)
    running, stopped = [], []
    for row in tables["instances"]:
        uuid = row["uuid"]
        if row["vm_state"] in ("error", "building", "deleted"):
            continue
        if row["vm_state"] not in _RUNNING or row["power_state"] != _STATE_ON:
            stopped.append(f"openstack/{uuid}")
            continue
        nics = networks.nics(_ordered(ports[uuid], caches.get(uuid)))
        properties = {key.removeprefix("image_"): value for key, value in system[uuid].items() if key.startswith("image_")}
        user = login.openstack(images.get(row["image_ref"]) or "", properties, metadata[uuid])
        running.append(
            Host(
                key=f"openstack/{uuid}",
                cloud="openstack",
                ident=uuid,
                name=row["hostname"] or row["display_name"],
                user=user,
                nics=nics,
                born=_time(row["created_at"]),
                image=" ".join(filter(None, (images.get(row["image_ref"]), properties.get("os_distro"), properties.get("os_version")))),
                disk=str(asked.get((uuid, "rebuild"), "")),
                restarted=max(asked.get((uuid, action), 0.0) for action in ("reboot", "start")),
                metadata=_metadata(row, metadata[uuid], nics),
                kubelet=metadata[uuid].get("kubelet") == "true",
            )
        )
    return World.of(running, stopped)


def _metadata(row: Row, metadata: Mapping[str, str], nics: tuple[Nic, ...]) -> dict[str, Any]:
    """What the metadata service's own document is made of."""
    first = next((address for nic in nics for address in nic.addresses if address.version == 4), None)
    return {
        "uuid": row["uuid"],
        "name": row["display_name"],
        "hostname": f"{row['hostname']}.novalocal",
        "project_id": row["project_id"],
        "availability_zone": row["availability_zone"] or "nova",
        "launch_index": row["launch_index"] or 0,
        "meta": dict(metadata),
        "public_keys": {row["key_name"]: row["key_data"]} if row["key_data"] else {},
        "user_data": row["user_data"] or "",
        "local_ipv4": first.ip if first else "",
        "public_ipv4": (first.public or "") if first else "",
    }


class _Networks:
    """Neutron's rows, put together."""

    def __init__(self, tables: Mapping[str, list[Row]]) -> None:
        self._networks = {row["id"]: row for row in tables["networks"]}
        self._subnets = {row["id"]: row for row in tables["subnets"]}
        self._operators = {row["network_id"] for name in ("external", "shared", "segments") for row in tables[name]}
        self._floating = {(row["fixed_port_id"], row["fixed_ip_address"]): row["floating_ip_address"] for row in tables["floating"]}
        self._allocations: dict[str, list[Row]] = defaultdict(list)
        for row in tables["allocations"]:
            self._allocations[row["port_id"]].append(row)
        network_of = {row["id"]: row["network_id"] for row in tables["ports"]}
        self._router: dict[str, str] = {}
        for row in sorted(tables["router_ports"], key=lambda row: str(row["router_id"])):
            self._router.setdefault(network_of.get(row["port_id"], ""), row["router_id"])

    def nics(self, ports: Iterable[Row]) -> tuple[Nic, ...]:
        found = []
        for number, port in enumerate(ports):
            network = self._networks[port["network_id"]]
            router = self._router.get(network["id"])
            found.append(
                Nic(
                    domain=f"openstack/router/{router}" if router else f"openstack/network/{network['id']}",
                    segment=network["id"],
                    name=f"eth{number}",
                    mac=port["mac_address"],
                    mtu=network["mtu"] or 1500,
                    addresses=tuple(self._address(port["id"], row, network["id"]) for row in self._allocations[port["id"]]),
                )
            )
        return tuple(found)

    def _address(self, port: str, row: Row, network: str) -> Address:
        subnet, ip = self._subnets[row["subnet_id"]], row["ip_address"]
        operators = network in self._operators
        routed = operators or network in self._router  # on a project's own network the gateway is its router, where it has one
        gateway = subnet["gateway_ip"] if routed else None
        return Address(
            ip,
            ipaddress.ip_network(subnet["cidr"]).prefixlen,
            gateway,
            self._floating.get((port, ip)),
            reaches_internet(ip, operators, gateway is not None),
        )


def _ordered(ports: list[Row], cache: str | None) -> list[Row]:
    """In the order in which Nova attached them."""
    order = {vif["id"]: number for number, vif in enumerate(json.loads(cache or "[]"))}
    return sorted(ports, key=lambda port: (order.get(port["id"], len(order)), str(port["id"])))


def _by_instance(rows: Iterable[Row]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for row in rows:
        found[row["instance_uuid"]][row["key"]] = row["value"]
    return found


def _time(text: str | None) -> float:
    """A database's time (UTC) in seconds since the epoch."""
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC).timestamp() if text else 0.0
