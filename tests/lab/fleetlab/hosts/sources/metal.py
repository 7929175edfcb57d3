# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Metal: machines of the rack files that are running, and Ironic's deployed nodes whose addresses somebody wrote down."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..model import Address, Host, Nic, World
from .configdrive import unpack

_OPEN_ROLES = ("public", "floating", "external")
_MTU = 1500


# -- rack files -----------------------------------------------------------------------------------------------
def read_racks(folder: Path) -> dict[str, Any]:
    """Rack files by name. One that is being written, or not YAML, is left out."""
    import yaml

    found = {}
    for path in sorted(folder.glob("*.y*ml")):
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError):
            continue
        if isinstance(content, dict):
            found[path.name] = content
    return found


def racks_changed(folder: Path) -> tuple[object, ...]:
    found = []
    for path in sorted(folder.glob("*.y*ml")):
        try:
            status = path.stat()
        except OSError:
            continue
        found.append((path.name, status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(found)


def rack_world(racks: Mapping[str, Any]) -> World:
    """Machines of the rack files as hosts. Pure."""
    running, stopped = [], []
    for file, rack in racks.items():
        defaults = rack.get("defaults") or {}
        for node in rack.get("nodes") or []:
            machine = {**defaults, **node}
            if not machine.get("name"):
                continue
            key = f"metal/{file}/{machine['name']}"
            if machine.get("state", "running") != "running":
                stopped.append(key)
                continue
            site = machine.get("site") or rack.get("site") or file
            nics = tuple(_rack_nic(site, key, number, nic) for number, nic in enumerate(machine.get("interfaces") or []))
            if nics:
                running.append(
                    Host(
                        key=key,
                        cloud="metal",
                        ident=str(machine.get("id") or machine["name"]),
                        name=machine["name"],
                        user=str(machine.get("login_user") or "root"),
                        nics=nics,
                        image=_words(machine.get("image")),
                        metadata={"ssh_port": int(machine.get("ssh_port") or 22)},
                        kubelet=bool(machine.get("kubelet")),
                    )
                )
    return World.of(running, stopped)


def _rack_nic(site: str, key: str, number: int, nic: Mapping[str, Any]) -> Nic:
    reachable = nic.get("role") in _OPEN_ROLES
    addresses = []
    for text in nic.get("addresses") or []:
        interface = ipaddress.ip_interface(str(text))
        told = "/" in str(text)
        wide = 64 if interface.version == 6 else 24  # what a rack's private networks usually are; public ones may lie in another's
        prefix = interface.network.prefixlen if told else interface.max_prefixlen if reachable else wide
        addresses.append(Address(str(interface.ip), prefix, None, None, reachable))
    return Nic(
        domain=f"metal/{site}",
        segment=str(nic.get("network") or f"{key}/{number}"),
        name=str(nic.get("name") or f"eth{number}")[:15],
        mac=str(nic.get("mac") or _mac(f"{key}/{number}")).lower(),
        mtu=int(nic.get("mtu") or _MTU),
        addresses=tuple(addresses),
    )


def _words(image: object) -> str:
    """An image as a rack file or a node's notes tell it, in one line."""
    if isinstance(image, Mapping):
        return " ".join(str(image[name]) for name in ("name", "distro", "version") if image.get(name))
    return str(image or "")


def _mac(seed: str) -> str:
    digest = hashlib.sha256(seed.encode()).hexdigest()
    return ":".join(["52", "54", "00", digest[:2], digest[2:4], digest[4:6]])


# -- Ironic ---------------------------------------------------------------------------------------------------
class Ironic:
    """Ironic's database: its API masks what is in a config drive."""

    def __init__(self, folder: Path) -> None:
        self._connection = sqlite3.connect(f"file:{folder / 'ironic.sqlite'}?mode=ro", uri=True, timeout=10, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row

    def changed(self) -> int:
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def read(self) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
        nodes = self._connection.execute("SELECT id, uuid, name, power_state, provision_state, provision_updated_at, instance_info, extra FROM nodes")
        ports = self._connection.execute("SELECT node_id, uuid, address, extra FROM ports ORDER BY id")
        return [dict(row) for row in nodes], [dict(row) for row in ports]


def ironic_world(nodes: list[Mapping[str, Any]], ports: list[Mapping[str, Any]]) -> World:
    """Deployed nodes as hosts: those with an address. Pure."""
    running, stopped = [], []
    for node in nodes:
        key = f"ironic/{node['uuid']}"
        if node["provision_state"] != "active":
            continue
        if node["power_state"] != "power on":
            stopped.append(key)
            continue
        own = [port for port in ports if port["node_id"] == node["id"]]
        nics = tuple(
            Nic("ironic", "lan", f"eth{number}", port["address"], _MTU, tuple(_addresses(_json(port["extra"])))) for number, port in enumerate(own)
        )
        if not any(nic.addresses for nic in nics):
            continue
        info, extra = _json(node["instance_info"]), _json(node["extra"])
        drive = unpack(info.get("configdrive"))
        user = drive.user or extra.get("login_user") or "debian"
        running.append(
            Host(
                key=key,
                cloud="metal",
                ident=node["uuid"],
                name=str(drive.hostname or info.get("display_name") or node["name"] or node["uuid"]),
                user=user,
                nics=nics,
                disk=_disk(node),
                image=f"{info.get('image_source') or ''} {extra.get('os_distro') or ''}",
                metadata={"public_keys": drive.keys, "user_data": drive.user_data},
            )
        )
    return World.of(running, stopped)


def _disk(node: Mapping[str, Any]) -> str:
    """Another deployment is another disk; its time does not change with power, tags, or a config drive that is removed."""
    return hashlib.sha256(f"{node['uuid']} {node['provision_updated_at']}".encode()).hexdigest()[:16]


def _addresses(extra: Mapping[str, Any]) -> Iterator[Address]:
    """Every address in a port's extra field, whatever it is called there."""
    for value in extra.values():
        for text in value if isinstance(value, list) else [value]:
            try:
                interface = ipaddress.ip_interface(str(text))
            except ValueError:
                continue
            yield Address(str(interface.ip), interface.max_prefixlen, None, None, True)


def _json(value: object) -> dict[str, Any]:
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
