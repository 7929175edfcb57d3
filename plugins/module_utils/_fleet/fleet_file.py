# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fleet file: which clouds there are and how to read them. Parsing and checking only; no I/O."""
from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any

from .errors import FleetFileError
from .name_patterns import start_of
from .network_role import OperatorRoles
from .options import Option, check_all
from .providers.registry import PROVIDERS
from .shape import ROLES, STATES

CONNECT_KINDS = (
    "public_ipv4", "public_ipv6", "private_ipv4", "private_ipv6", "management_ipv4", "management_ipv6", "name")
IP_FAMILIES = ("any", "ipv4", "ipv6")
DUPLICATE_POLICIES = ("suffix", "fail")
FAILURE_POLICIES = ("fail", "warn", "stale")
DEFAULT_STATES = tuple(state for state in STATES if state != "deleting")


def _port(value: Any) -> str | None:
    return None if 0 < value < 65536 else f"{value} is not a TCP port (1 to 65535)"


def _user(value: Any) -> str | None:
    return None if re.fullmatch(r"[A-Za-z_][\w.@+$-]*", value) else f"'{value}' is not a user name"


def _host(value: Any) -> str | None:
    return None if re.fullmatch(r"[A-Za-z0-9_:.\[\]][\w:.\[\]%-]*", value) else f"'{value}' is not a host name or address"


def _networks(value: Any) -> str | None:
    for label, entry in value.items():
        if not isinstance(entry, Mapping) or set(entry) != {"role"} or entry["role"] not in ROLES:
            return f"'{label}' must hold 'role:' with one of {', '.join(ROLES)}"
        if "/" in str(label):
            try:
                ipaddress.ip_network(str(label), strict=False)
            except ValueError:
                if str(label).replace(".", "").replace("/", "").isdecimal():
                    return f"'{label}' is not a network in CIDR form"
    return None


def _tags(value: Any) -> str | None:
    for key, wanted in value.items():
        values = wanted if isinstance(wanted, list) else [wanted]
        if not all(item is None or isinstance(item, (str, int, bool)) for item in values):
            return f"tag '{key}' must be a string, a list of strings, or empty for any value"
    return None


COMMON_OPTIONS = (
    Option("provider", required=True, choices=tuple(PROVIDERS)),
    Option("enabled", "bool", default=True),
    Option("login_user", check=_user),
    Option("ssh_port", "int", check=_port),
    Option("bastion", "dict", options=(
        Option("host", required=True, check=_host),
        Option("user", check=_user),
        Option("port", "int", default=22, check=_port),
    )),
    Option("networks", "dict", default={}, check=_networks),
    Option("filters", "dict", default={}, options=(
        Option("states", "strings", default=[], choices=STATES),
        Option("tags", "dict", default={}, check=_tags),
        Option("names", "strings", default=[]),
    )),
)
"""Keys that every cloud takes, whatever its provider."""


def _at_least(least: int) -> Callable[[Any], str | None]:
    return lambda value: None if value >= least else f"must be at least {least}"


SETTINGS = (
    Option("connect_to", "strings", choices=CONNECT_KINDS),
    Option("ip_family", choices=IP_FAMILIES),
    Option("hostnames", "strings"),
    Option("on_duplicate", choices=DUPLICATE_POLICIES),
    Option("on_cloud_failure", choices=FAILURE_POLICIES),
    Option("state_dir"),
    Option("timeout", "int", check=_at_least(1)),
    Option("retries", "int", check=_at_least(0)),
    Option("workers", "int", check=_at_least(1)),
    Option("states", "strings", choices=STATES),
    Option("tag_groups", "strings"),
    Option("hostvars_extra", "strings"),
)
"""Keys at the top of the file that are the collection's own (defaults are with their documentation)."""


def check_settings(data: Mapping[str, Any], source: str) -> None:
    """Raises FleetFileError for a setting of the wrong kind or without meaning. Other keys are not looked at."""
    check_all(SETTINGS, {option.name: data.get(option.name) for option in SETTINGS}, source, "")


NO_FILTERS: dict[str, Any] = {"states": [], "tags": {}, "names": []}


@dataclasses.dataclass(frozen=True, slots=True)
class Bastion:
    """A host to jump through (OpenSSH ProxyJump)."""

    host: str
    user: str | None
    port: int


@dataclasses.dataclass(frozen=True, slots=True)
class Filters:
    """Which nodes are wanted; what is empty filters nothing. tags: tag -> accepted values (shell patterns), empty tuple for
    any value; names: shell patterns; ids: as they are."""

    states: tuple[str, ...]
    tags: Mapping[str, tuple[str, ...]]
    names: tuple[str, ...]
    ids: tuple[str, ...] = ()

    @property
    def single(self) -> bool:
        """Whether single nodes are wanted, so that there may be none in most places that are asked."""
        return bool(self.ids) or (bool(self.names) and all(start_of(pattern).whole for pattern in self.names))


@dataclasses.dataclass(frozen=True, slots=True)
class Cloud:
    """One entry of ``clouds``, checked. options: the provider's own keys with their defaults."""

    name: str
    provider: str
    source: str
    options: Mapping[str, Any]
    login_user: str | None
    ssh_port: int | None
    bastion: Bastion | None
    roles: OperatorRoles
    filters: Filters


def parse_clouds(data: Any, source: str) -> list[Cloud]:
    """The enabled clouds of a fleet file.

    data: the value of its ``clouds`` key; source: the file's name for messages. Raises FleetFileError.
    """
    require_clouds(data, source)
    clouds = []
    for name, entry in data.items():
        if not isinstance(name, str):
            raise FleetFileError(source, f"clouds.{name}", "a cloud's name must be a string", f'Put it in quotes: "{name}".')
        cloud = _cloud(name, entry, source)
        if cloud:
            clouds.append(cloud)
    return clouds


def require_clouds(data: Any, source: str) -> None:
    """Raises FleetFileError unless data maps at least one cloud's name to something."""
    if not isinstance(data, Mapping) or not data:
        raise FleetFileError(source, "clouds", "expected a mapping of cloud names to their settings",
                             "Write for example: clouds: {amazon: {provider: aws, regions: [us-east-1]}}.")


def _cloud(name: str, entry: Any, source: str) -> Cloud | None:
    place = f"clouds.{name}"
    if not isinstance(entry, Mapping):
        entry = check_all((), entry, source, place)  # says what is wrong with it
    # the provider first: it decides which other keys there are
    provider = check_all(COMMON_OPTIONS[:1], {"provider": entry.get("provider")}, source, place)["provider"]
    spec = PROVIDERS[provider]
    values = check_all(COMMON_OPTIONS + spec.options, entry, source, place)
    if not values["enabled"]:
        return None
    filters = values["filters"] or NO_FILTERS
    bastion = values["bastion"]
    return Cloud(
        name=name,
        provider=spec.name,
        source=source,
        options={option.name: values[option.name] for option in spec.options},
        login_user=values["login_user"],
        ssh_port=values["ssh_port"],
        bastion=Bastion(bastion["host"], bastion["user"], bastion["port"]) if bastion else None,
        roles=OperatorRoles({str(label): rule["role"] for label, rule in values["networks"].items()}, f"{source} (cloud '{name}')"),
        filters=Filters(
            states=tuple(filters["states"]),
            tags={str(key): _wanted(wanted) for key, wanted in filters["tags"].items()},
            names=tuple(filters["names"]),
        ),
    )


def _wanted(value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    return tuple(str(item).lower() if isinstance(item, bool) else str(item) for item in items if item is not None)
