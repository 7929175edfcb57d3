# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A requirement: what a node must be, in words that hold on every cloud. Parsing and checking only; no I/O."""
from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import FleetFileError
from .options import Option, check_all
from .providers.actions import MARK, SecurityRule

REACHABLE = ("public", "private", "any")
FAMILIES = ("ipv4", "ipv6")
PROTOCOLS = ("tcp", "udp", "icmp")
ANYWHERE = ("0.0.0.0/0", "::/0")

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.@-]*")
_ARCHITECTURES = {"amd64": "x86_64", "x86-64": "x86_64", "x64": "x86_64", "arm64": "aarch64"}


def _name(value: str) -> str | None:
    if _NAME.fullmatch(value):
        return None
    return f"'{value}' is not a node's name: letters, digits, dots, hyphens and underscores, at most 63, not at its ends"


def _positive(value: int) -> str | None:
    return None if value > 0 else f"{value} is not more than 0"


def _port(value: int) -> str | None:
    return None if 0 < value < 65536 else f"{value} is not a port (1 to 65535)"


def _user(value: str) -> str | None:
    return None if _USER.fullmatch(value) else f"'{value}' is not a user name"


def _public_key(value: str) -> str | None:
    fields = value.split()
    if len(fields) >= 2 and fields[1].startswith("AAAA") and "\n" not in value.strip():
        return None
    return "is not a line of the form 'ssh-ed25519 AAAA... comment'" + (", but a private key" if "PRIVATE KEY" in value else "")


def _sources(value: list[str]) -> str | None:
    for text in value:
        try:
            ipaddress.ip_network(text)
        except ValueError as odd:
            return f"'{text}' is not a network in CIDR form ({odd})"
    return None if value else "holds no network; write 0.0.0.0/0 and ::/0 for everywhere"


def _families(value: list[str]) -> str | None:
    return "names one family twice" if len(set(value)) < len(value) else None


def _tags(value: Mapping[str, Any]) -> str | None:
    for key, text in value.items():
        if not isinstance(key, str) or not isinstance(text, (str, int, float, bool)):
            return f"tag '{key}' must be a string"
        if key == MARK:
            return f"tag '{MARK}' is the collection's own mark"
    return None


IMAGE = (
    Option("id"),
    Option("name"),
    Option("family"),
    Option("distro"),
    Option("version"),
    Option("arch"),
)
FLAVOR = (
    Option("name"),
    Option("vcpus", "int", check=_positive),
    Option("memory_mib", "int", check=_positive),
    Option("disk_gib", "int", check=_positive),
)
NETWORK = (
    Option("name"),
    Option("reachable", default="public", choices=REACHABLE),
    Option("families", "strings", default=[], choices=FAMILIES, check=_families),
)
RULE = (
    Option("port", "int", check=_port),
    Option("last_port", "int", check=_port),
    Option("protocol", default="tcp", choices=PROTOCOLS),
    Option("from", "strings", default=list(ANYWHERE), check=_sources),
)
SECURITY = (Option("allow", "dicts", default=[], options=RULE),)

OPTIONS = (
    Option("name", required=True, check=_name),
    Option("image", "dict", options=IMAGE),
    Option("flavor", "dict", options=FLAVOR),
    Option("network", "dict", options=NETWORK),
    Option("scope"),
    Option("zone"),
    Option("ssh_key"),
    Option("public_key", check=_public_key),
    Option("login_user", check=_user),
    Option("tags", "dict", default={}, check=_tags),
    Option("security", "dict", options=SECURITY),
    Option("user_data"),
)
"""One requirement, as the module ``node`` and the role ``allocate`` take it."""


@dataclasses.dataclass(frozen=True, slots=True)
class ImageWish:
    """What the image must be; a field left out is free. version: also the first parts of it ("12" takes 12.5)."""

    id: str | None = None
    name: str | None = None
    family: str | None = None
    distro: str | None = None
    version: str | None = None
    arch: str | None = None

    def words(self) -> tuple[str, ...]:
        """Words by which a provider may narrow its list of images."""
        told = (self.id, self.name, self.family, self.distro)
        return tuple(word.lower() for word in told if word)


@dataclasses.dataclass(frozen=True, slots=True)
class FlavorWish:
    """The least the node must have: vcpus, memory in MiB, disk in GiB; or a flavor by its name."""

    name: str | None = None
    vcpus: int | None = None
    memory_mib: int | None = None
    disk_gib: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class NetworkWish:
    """How the node must be reached. families: all of them are required; empty when any one will do."""

    name: str | None = None
    reachable: str = "public"
    families: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Requirement:
    """What one node must be. scope: region, project or source of the cloud, None for its first."""

    name: str
    image: ImageWish = ImageWish()
    flavor: FlavorWish = FlavorWish()
    network: NetworkWish = NetworkWish()
    scope: str | None = None
    zone: str | None = None
    ssh_key: str | None = None
    public_key: str | None = None
    login_user: str | None = None
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    rules: tuple[SecurityRule, ...] | None = None
    user_data: str | None = None


def parse(data: Any, source: str) -> Requirement:
    """A checked requirement. source: where it stands, for messages. Raises FleetFileError."""
    values = check_all(OPTIONS, _versions_as_text(data), source, "")
    image, flavor, network = values["image"] or {}, values["flavor"] or {}, values["network"] or {}
    arch = image.get("arch")
    return Requirement(
        name=values["name"],
        image=ImageWish(**{**image, "arch": _ARCHITECTURES.get(arch.lower(), arch.lower()) if arch else None}) if image else ImageWish(),
        flavor=FlavorWish(**flavor),
        network=NetworkWish(network.get("name"), network.get("reachable") or "public", tuple(network.get("families") or ())),
        scope=values["scope"],
        zone=values["zone"],
        ssh_key=values["ssh_key"],
        public_key=values["public_key"],
        login_user=values["login_user"],
        tags={key: _text(text) for key, text in values["tags"].items()},
        rules=None if values["security"] is None else _rules(values["security"]["allow"], "security.allow", source),
        user_data=values["user_data"],
    )


def allowed(rows: Any, source: str) -> tuple[SecurityRule, ...]:
    """Checked rules, as ``security.allow`` of a requirement has them. source: where they stand. Raises FleetFileError."""
    return _rules(check_all(SECURITY, {"allow": rows}, source, "")["allow"], "allow", source)


def _rules(rows: Sequence[Mapping[str, Any]], place: str, source: str) -> tuple[SecurityRule, ...]:
    return tuple(_rule(row, f"{place}[{number}]", source) for number, row in enumerate(rows))


def _versions_as_text(data: Any) -> Any:
    """``version: 12`` in YAML is a number, and means the text; 24.10 would be read as 24.1, so it has to be in quotes."""
    image = data.get("image") if isinstance(data, Mapping) else None
    version = image.get("version") if isinstance(image, Mapping) else None
    if isinstance(data, Mapping) and isinstance(image, Mapping) and isinstance(version, int) and not isinstance(version, bool):
        return {**data, "image": {**image, "version": str(version)}}
    return data


def _rule(rule: Mapping[str, Any], place: str, source: str) -> SecurityRule:
    port, last = rule["port"], rule["last_port"]
    if rule["protocol"] == "icmp":
        if port or last:
            raise FleetFileError(source, place, "icmp has no ports", "Leave 'port' out.")
    elif port is None:
        raise FleetFileError(source, f"{place}.port", "is missing", "Give the port, and 'last_port' for a range.")
    if port is not None and last is not None and last < port:
        raise FleetFileError(source, f"{place}.last_port", f"{last} is below port {port}", "Correct it.")
    return SecurityRule(port, last or port, rule["protocol"], tuple(rule["from"]))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def with_key(requirement: Requirement, public_key: str) -> Requirement:
    """The same requirement with the public part of its key."""
    return dataclasses.replace(requirement, public_key=public_key)
