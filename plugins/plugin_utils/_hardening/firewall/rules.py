# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the operator lets in: ``fleet_firewall_rules`` checked, each mistake told in one sentence. Pure."""
from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

from .policy import WITH_PORTS

ANY = "any"
MEMBERS = "members"
PROTOCOLS = (*WITH_PORTS, "icmp", "icmpv6", "esp", "ah", "gre", "vrrp", ANY)
ROLES = (ANY, "public", "external", "private", "management", "mesh")
_KEYS = ("name", "port", "last_port", "protocol", "from", "role")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:/()+-]{0,62}")
_OF_FAMILY = {"icmp": 4, "icmpv6": 6}


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """As the operator wrote it. port None: all ports. sources: networks, names of hosts and groups, MEMBERS, ANY."""

    name: str
    protocol: str
    port: int | None
    last_port: int | None
    sources: tuple[str, ...]
    role: str


def parse(given: Any, variable: str = "fleet_firewall_rules") -> tuple[Rule, ...]:
    """Raises FleetError, which names the rule and what to write instead."""
    if given in (None, ""):
        return ()
    if isinstance(given, Mapping | str) or not isinstance(given, Sequence):
        raise _mistake(variable, "is no list", "Give a list of rules, each with a name and a port.")
    rules: list[Rule] = []
    for number, entry in enumerate(given, 1):
        rule = _rule(entry, variable, number)
        if any(other.name == rule.name for other in rules):
            raise _mistake(f"{variable}, rule '{rule.name}'", "is there twice", "Give each rule a name of its own.")
        rules.append(rule)
    return tuple(rules)


def sources(given: Any, where: str) -> tuple[str, ...]:
    """A list of sources; networks among them checked and written as the kernel shows them. Raises FleetError."""
    words = [given] if isinstance(given, str) else given
    if not isinstance(words, Sequence) or not words:
        raise _mistake(where, "names no source", "Write networks, names of groups or hosts, 'members' or 'any'.")
    return tuple(_source(word, where) for word in words)


def is_network(source: str) -> bool:
    return bool(re.fullmatch(r"[0-9.]+(/\d+)?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(/\d+)?", source))


def port_number(given: Any, where: str, word: str = "port") -> int:
    """A port from a number or its digits, as a survey gives them. Raises FleetError."""
    try:
        if isinstance(given, bool | float):
            raise ValueError
        number = int(given)
    except (TypeError, ValueError):
        raise _mistake(where, f"{word} is {given!r}", "Write a number from 1 to 65535.") from None
    if not 1 <= number <= 65535:
        raise _mistake(where, f"{word} is {number}", "Ports go from 1 to 65535.")
    return number


# ---------------------------------------------------------------------------------------------------- details
def _rule(entry: Any, variable: str, number: int) -> Rule:
    where = f"{variable}, entry {number}"
    if not isinstance(entry, Mapping):
        raise _mistake(where, f"is {entry!r}", "Write each rule as a dictionary: name, port, protocol, from, role.")
    name = str(entry.get("name") or "")
    if not _NAME.fullmatch(name):
        raise _mistake(where, f"its name is {name!r}" if name else "it has no name",
                       "Give it a name of up to 63 letters, digits, blanks and ._:/()+- (it is shown in the ruleset).")
    where = f"{variable}, rule '{name}'"
    unknown = sorted(str(key) for key in entry if key not in _KEYS)
    if unknown:
        more = " YAML reads the word 'on' as true; write role." if unknown[0] in ("on", "True") else ""
        raise _mistake(where, f"'{unknown[0]}' is no part of a rule", f"A rule has {', '.join(_KEYS)}.{more}")
    protocol = str(entry.get("protocol") or "tcp").lower()
    if protocol not in PROTOCOLS:
        raise _mistake(where, f"protocol is '{entry['protocol']}'", f"Choose one of {', '.join(PROTOCOLS)}.")
    role = str(entry.get("role") or ANY)
    if role not in ROLES:
        raise _mistake(where, f"role is '{role}'", f"Choose one of {', '.join(ROLES)}.")
    first, last = _ports(entry, protocol, where)
    found = sources(entry["from"], f"{where}, from") if entry.get("from") not in (None, "") else (ANY,)
    _same_family(protocol, found, where)
    return Rule(name, protocol, first, last, found, role)


def _ports(entry: Mapping[str, Any], protocol: str, where: str) -> tuple[int | None, int | None]:
    first, last = entry.get("port"), entry.get("last_port")
    if protocol not in WITH_PORTS:
        if first is not None or last is not None:
            raise _mistake(where, f"protocol {protocol} has no ports", f"Leave the port out, or choose one of {', '.join(WITH_PORTS)}.")
        return None, None
    if first is None:
        if last is not None:
            raise _mistake(where, "it has a last_port and no port", "Give the first port as port.")
        raise _mistake(where, "it has no port", "Give one; port 1 with last_port 65535 means all.")
    number = port_number(first, where)
    if last is None:
        return number, None
    end = port_number(last, where, "last_port")
    if end < number:
        raise _mistake(where, f"last_port {end} is below port {number}", "Give the lower one as port.")
    return number, end


def _source(word: Any, where: str) -> str:
    text = str(word).strip() if isinstance(word, str | int) and not isinstance(word, bool) else ""
    if not text:
        raise _mistake(where, f"{word!r} is no source", "Write networks, names of groups or hosts, 'members' or 'any'.")
    if not is_network(text):
        return text
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        pass
    try:
        meant = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise _mistake(where, f"'{text}' is no address or network", "Write it like 192.0.2.0/24 or 2001:db8::/64.") from None
    raise _mistake(where, f"'{text}' is an address with the length of a network",
                   f"Write {meant} for the network or {text.partition('/')[0]} for the address.")


def _same_family(protocol: str, found: Sequence[str], where: str) -> None:
    family = _OF_FAMILY.get(protocol)
    for source in found:
        if family and is_network(source) and ipaddress.ip_network(source).version != family:
            raise _mistake(where, f"{protocol} goes over IPv{family}, {source} is of the other family",
                           f"Write an IPv{family} network, or protocol {'icmp' if family == 6 else 'icmpv6'}.")


def _mistake(where: str, why: str, fix: str) -> FleetError:
    return FleetError(where, why=f"{why}; nothing was changed", fix=fix, code="argument")
