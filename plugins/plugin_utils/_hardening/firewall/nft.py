# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A policy as text for nft: one table of our own, replaced as a whole in one transaction. Pure.

Nothing of another table is named, and there is no ``flush ruleset``. A packet must pass every table; so what Docker, Swarm or
Kubernetes drop stays dropped, and what is dropped here never reaches them. Proved with nft 0.9.8 to 1.1.3.
"""
from __future__ import annotations

from collections.abc import Iterable, Sequence

from .policy import ANYWHERE, FAMILIES, INSIDE, WITH_PORTS, Network, Opening, Place, Policy, collapsed

FAMILY = "inet"
TABLE = "hybridops_fleet"
LOG_PREFIX = "hybridops-fleet drop: "
NAMED_SET = 8  # sources of an opening from which on they become a named set, which a reader of the ruleset sees apart
_SADDR = {4: "ip saddr", 6: "ip6 saddr"}
_DADDR = {4: "ip daddr", 6: "ip6 daddr"}
_TYPE = {4: "ipv4_addr", 6: "ipv6_addr"}
_ONLY = {"icmp": 4, "icmpv6": 6}

_NEEDED = (
    ("icmp type { destination-unreachable, time-exceeded, parameter-problem }", "errors, path MTU"),
    ("icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem }", "errors, path MTU"),
    ("icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255", "neighbour discovery"),
    ("ip6 saddr fe80::/10 icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report }", "multicast groups"),
    ("ip protocol igmp", "multicast groups"),
    ("udp sport 67 udp dport 68", "DHCP"),
    ("ip6 saddr fe80::/10 udp dport 546", "DHCPv6"),
)
"""Without these a host loses its addresses, its neighbours or large packets."""


OPEN_BEFORE = {4: "open_before4", 6: "open_before6"}
"""Sets of connections that were open when the table was loaded; module harden_apply fills them in the same transaction."""


def text(policy: Policy) -> str:
    """The file for ``nft -f``: makes the table, or replaces it with nothing in between."""
    sets = _Sets()
    allowed = list(_allowed(policy, sets))
    chains = [
        _chain("allowed", "", allowed),
        _chain("input", "type filter hook input priority 0; policy drop;", [
            "ct state established,related accept",
            'iifname "lo" accept',
            "ip saddr 127.0.0.0/8 drop",
            "ip6 saddr ::1 drop",
            "ct state invalid drop",
            *([f"iifname {_names(policy.guard)} fib daddr type local accept"] if policy.guard else []),  # passed chain published
            "jump allowed",
            *(["meta pkttype { broadcast, multicast } drop", f'limit rate 10/minute log prefix "{LOG_PREFIX}"'] if policy.log else []),
        ]),
    ]
    if policy.guard:
        # Before destination NAT (-100), where the port is still the published one; replies and connections of this host's own pass.
        chains.append(_chain("published", "type filter hook prerouting priority -150; policy accept;", [
            "ct state established,related accept",
            f"iifname != {_names(policy.guard)} accept",
            "fib daddr type != local accept",
            "jump allowed",
            *([f'limit rate 10/minute log prefix "{LOG_PREFIX}"'] if policy.log else []),
            "drop",
        ]))
    names = _names(policy.forward) if policy.forward else ""
    chains.append(_chain("forward", "type filter hook forward priority 0; policy accept;", [
        "ct state established,related accept",
        f"iifname {names} oifname {names} drop",
    ] if names else []))
    chains.append(_chain("output", "type filter hook output priority 0; policy accept;", []))
    body = "\n".join([*_open_before(), *sets.text(), *chains]).rstrip("\n")
    return (
        "# Written by role hybridops.fleet.firewall; a change here is overwritten by its next run.\n"
        f"table {FAMILY} {TABLE}\ndelete table {FAMILY} {TABLE}\ntable {FAMILY} {TABLE} {{\n{body}\n}}\n")


class _Sets:
    """Named sets of the table, each content once."""

    def __init__(self) -> None:
        self._static: dict[tuple[Network, ...], str] = {}
        self._rates: dict[str, int] = {}

    def of(self, found: tuple[Network, ...], family: int) -> str:
        """How to name these sources in a rule."""
        if len(found) < NAMED_SET:
            return _set(str(_short(one)) for one in found)
        name = self._static.setdefault(found, f"sources{family}_{len(self._static) + 1}")
        return f"@{name}"

    def rate(self, family: int) -> str:
        name = f"new_connections{family}"
        self._rates[name] = family
        return f"@{name}"

    def text(self) -> list[str]:
        told = []
        for found, name in self._static.items():
            elements = ",\n\t\t\t".join(str(_short(one)) for one in found)
            told.append(f"\tset {name} {{\n\t\ttype {_TYPE[found[0].version]}\n\t\tflags interval\n"
                        f"\t\telements = {{\n\t\t\t{elements}\n\t\t}}\n\t}}\n")
        for name, family in self._rates.items():
            told.append(f"\tset {name} {{\n\t\ttype {_TYPE[family]}\n\t\tsize 65535\n\t\tflags dynamic,timeout\n\t\ttimeout 2m\n\t}}\n")
        return told


def _open_before() -> list[str]:
    return [f"\tset {name} {{\n\t\ttype {_TYPE[family]} . inet_service . inet_service\n\t\tsize 65535\n\t\tflags dynamic,timeout\n"
            f"\t\ttimeout 1d\n\t}}\n" for family, name in OPEN_BEFORE.items()]


def _allowed(policy: Policy, sets: _Sets) -> Iterable[str]:
    """What is let in; called for the host's own ports, and for published ones when they are guarded."""
    for family, name in OPEN_BEFORE.items():
        # a kernel that has followed no connection until now takes their next packet for a new one
        yield f"tcp flags & (syn | rst) == 0 {_SADDR[family]} . tcp sport . tcp dport @{name} accept comment \"open before\""
    for match, why in _NEEDED:
        yield f'{match} accept comment "{why}"'
    if policy.ping:
        yield 'icmp type echo-request accept comment "ping"'
        yield 'icmpv6 type echo-request accept comment "ping"'
    for name in policy.containers:
        but = f"iifname != {_names(policy.not_containers)} " if policy.not_containers else ""
        yield f'iifname "{name}" {but}accept comment "containers of this host"'
    for opening in policy.openings:
        yield from _rules(opening, sets)


def _rules(opening: Opening, sets: _Sets) -> Iterable[str]:
    for place in opening.places:
        if set(opening.sources) == set(ANYWHERE) and place.family is None and opening.protocol not in _ONLY and not opening.rate:
            yield " ".join([*_where(place, None), *_what(opening), "accept", _comment(opening.name)])
            continue
        for family in FAMILIES:
            if place.family not in (None, family) or _ONLY.get(opening.protocol or "", family) != family:
                continue
            sources = collapsed([one for one in opening.sources if one.version == family])
            if not sources:
                continue
            words = _where(place, family)
            if not any(one.prefixlen == 0 for one in sources):
                words.append(f"{_SADDR[family]} {sets.of(sources, family)}")
            if not any(word.startswith(("ip ", "ip6 ")) for word in words):
                words.insert(0, f"meta nfproto ipv{family}")  # nothing else would keep the other family out
            words += _what(opening)
            if opening.rate:
                yield " ".join([*words, "ct state new", f"update {sets.rate(family)} {{ {_SADDR[family]} limit rate over {opening.rate}/minute }}",
                                "drop", _comment(f"{opening.name}, too many")])
            yield " ".join([*words, "accept", _comment(opening.name)])


def _where(place: Place, family: int | None) -> list[str]:
    words = []
    if place.interface:
        words.append(f'iifname "{place.interface}"')
    if family and place.to:
        words.append(f"{_DADDR[family]} {_set(place.to)}")
    if family and place.not_to:
        words.append(f"{_DADDR[family]} != {_set(place.not_to)}")
    if family and place.inside is not None:
        ranges = _set(str(one) for one in INSIDE if one.version == family)
        words.append(f"{_SADDR[family]} {'' if place.inside else '!= '}{ranges}")
    return words


def _what(opening: Opening) -> list[str]:
    if opening.protocol is None:
        return []
    if opening.protocol not in WITH_PORTS or opening.first is None:
        return [f"meta l4proto {_PROTOCOL.get(opening.protocol, opening.protocol)}"]
    ports = str(opening.first) if opening.last in (None, opening.first) else f"{opening.first}-{opening.last}"
    return [f"{opening.protocol} dport {ports}"]


_PROTOCOL = {"icmpv6": "ipv6-icmp", "vrrp": "112", "gre": "47", "esp": "esp", "ah": "ah"}


def _chain(name: str, head: str, rules: Sequence[str]) -> str:
    lines = [line for line in (head, *rules) if line]
    return "".join([f"\tchain {name} {{\n", *(f"\t\t{line}\n" for line in lines), "\t}\n"])


def _comment(words: str) -> str:
    return f'comment "{words}"'


def _names(names: Sequence[str]) -> str:
    return _set(f'"{name}"' for name in names)


def _set(elements: Iterable[str]) -> str:
    found = list(elements)
    return found[0] if len(found) == 1 else "{ " + ", ".join(found) + " }"


def _short(network: Network) -> object:
    """A single address without its prefix length."""
    return network.network_address if network.prefixlen == network.max_prefixlen else network
