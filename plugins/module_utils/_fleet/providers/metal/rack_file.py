# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A rack file -> machines and their evidence. Pure: the file's data in, machines out.

The file lists machines that no API knows:

    site: r42                     # layer-3 domain; default the file's name
    defaults: {login_user: root, ssh_port: 22, region: dc1, zone: r42, arch: x86_64}
    nodes:
      - name: r42-u01
        interfaces:
          - {name: eno1, network: dmz, role: public, addresses: [198.51.100.21]}
      - name: r42-u05
        pool: true                # may be bound for a node; all others are in use and never touched
        vcpus: 16
        memory_mib: 65536
        disk_gib: 400
"""
from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from ...errors import FleetFileError
from ...options import Option, check_all
from ...shape import ROLES, STATES, AddressEvidence, Image, InterfaceEvidence, LoginEvidence, NodeEvidence
from .machines import Machine


def _addresses(value: Any) -> str | None:
    for text in value:
        try:
            ipaddress.ip_address(text)
        except ValueError:
            return f"'{text}' is not an IP address"
    return None


def _port(value: Any) -> str | None:
    return None if 0 < value < 65536 else f"{value} is not a TCP port (1 to 65535)"


def _positive(value: Any) -> str | None:
    return None if value > 0 else f"{value} is not more than 0"


_DEFAULTS = (
    Option("login_user"),
    Option("ssh_port", "int", check=_port),
    Option("region"),
    Option("zone"),
    Option("arch"),
)
_NODE = (
    Option("name", required=True),
    Option("id"),
    Option("state", default="running", choices=STATES),
    Option("pool", "bool", default=False),
    Option("vcpus", "int", check=_positive),
    Option("memory_mib", "int", check=_positive),
    Option("disk_gib", "int", check=_positive),
    Option("account"),
    Option("created"),
    Option("flavor"),
    Option("image", "dict", options=tuple(Option(name) for name in ("id", "name", "distro", "version"))),
    Option("tags", "dict", default={}),
    Option("host_keys", "strings"),
    Option("interfaces", "dicts", default=[], options=(
        Option("name"),
        Option("mac"),
        Option("mtu", "int"),
        Option("network"),
        Option("role", choices=ROLES),
        Option("addresses", "strings", default=[], check=_addresses),
    )),
    *_DEFAULTS,
)
_FILE = (
    Option("site"),
    Option("defaults", "dict", default={}, options=_DEFAULTS),
    Option("nodes", "dicts", required=True, options=_NODE),
)


def nodes(data: Any, source: str, default_site: str) -> list[NodeEvidence]:
    """The machines of a rack file as nodes, nothing bound."""
    return [machine.evidence for machine in machines(data, source, default_site)]


def machines(data: Any, source: str, default_site: str) -> list[Machine]:
    """The machines of a rack file. source: its name for messages. Raises FleetFileError for anything unclear."""
    checked = check_all(_FILE, data, source, "")
    seen: set[str] = set()
    for number, entry in enumerate(checked["nodes"]):
        name = entry["id"] or entry["name"]
        if name in seen:
            raise FleetFileError(source, f"nodes[{number}]", f"'{name}' stands in the file twice", "Give each machine its own id.")
        seen.add(name)
    domain = f"site:{checked['site'] or default_site}"
    return [
        Machine(_node(entry, checked["defaults"], domain, source), pool=entry["pool"], vcpus=entry["vcpus"],
                memory_mib=entry["memory_mib"], disk_gib=entry["disk_gib"])
        for entry in checked["nodes"]]


def _node(entry: Mapping[str, Any], defaults: Mapping[str, Any], domain: str, source: str) -> NodeEvidence:
    def value(name: str) -> Any:
        return entry[name] if entry[name] is not None else defaults.get(name)

    login_user = value("login_user")
    return NodeEvidence(
        id=entry["id"] or entry["name"],
        name=entry["name"],
        state=entry["state"],
        account=entry["account"],
        region=value("region"),
        zone=value("zone"),
        created=entry["created"],
        flavor=entry["flavor"],
        arch=value("arch"),
        image=Image(**entry["image"]) if entry["image"] else Image(),
        tags={str(key): "" if tag is None else str(tag) for key, tag in entry["tags"].items()},
        interfaces=tuple(_interface(interface, domain, source) for interface in entry["interfaces"]),
        login=LoginEvidence(metadata={"login_user": login_user} if login_user else {}),
        host_keys=tuple(entry["host_keys"]) if entry["host_keys"] else None,
        ssh_port=value("ssh_port"),
    )


def _interface(entry: Mapping[str, Any], domain: str, source: str) -> InterfaceEvidence:
    return InterfaceEvidence(
        network=entry["network"] or entry["name"],
        mac=entry["mac"],
        mtu=entry["mtu"],
        domain=domain,
        addresses=tuple(
            AddressEvidence(ip=ip, operator_role=entry["role"], operator_why=f"{source} says so") for ip in entry["addresses"]),
    )
