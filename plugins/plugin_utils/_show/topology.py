# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What hangs on what: clouds, layer-3 domains, groups of networks that nodes join, and the nodes on them. Pure."""
from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import ROLES

from .nodes import Record, by_cloud, count_states

SHOWN_ALIKE = 12
"""Nodes on the same networks that are drawn one by one; the others are counted."""
SHOWN_CLUSTERS = 30
"""Groups of networks drawn of one domain; the others are counted."""


@dataclasses.dataclass(frozen=True, slots=True)
class Spot:
    """An address of a node; nat_of is the inside address when the cloud maps this one onto it 1:1."""

    ip: str
    role: str
    nat_of: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Network:
    """A network as the nodes on it show it; key is unique in its cloud, role the best of the addresses configured on it."""

    key: str
    label: str
    role: str


@dataclasses.dataclass(frozen=True, slots=True)
class Hanging:
    """A node: its addresses by key of network, and those that only NAT gives it."""

    name: str
    state: str
    stale: bool
    inside: Mapping[str, tuple[Spot, ...]]
    outside: tuple[Spot, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class More:
    """Nodes that are counted only; networks: keys of those they are on. states: such as ``3 running``."""

    number: int
    states: str
    networks: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Cluster:
    """Networks that nodes join to one another, and what hangs on them."""

    networks: tuple[Network, ...]
    rows: tuple[Hanging | More, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Domain:
    """A layer-3 domain (None when the cloud tells none). left_out: networks and nodes that are not drawn."""

    name: str | None
    clusters: tuple[Cluster, ...]
    left_out: tuple[int, int]


@dataclasses.dataclass(frozen=True, slots=True)
class DrawnCloud:
    """A cloud with its domains."""

    name: str
    provider: str
    nodes: int
    domains: tuple[Domain, ...]


def clouds(records: Iterable[Record]) -> list[DrawnCloud]:
    """The fleet as it is drawn."""
    return [
        DrawnCloud(name, str(nodes[0]["provider"]), len(nodes),
                   tuple(_domain(key, members) for key, members in _by_domain(nodes).items()))
        for name, nodes in by_cloud(records).items()
    ]


def _by_domain(records: Iterable[Record]) -> dict[str | None, list[Record]]:
    domains: dict[str | None, list[Record]] = {}
    for record in sorted(records, key=lambda record: (record["network_domain"] is None, str(record["network_domain"]))):
        domains.setdefault(record["network_domain"], []).append(record)
    return domains


def _domain(name: str | None, records: Sequence[Record]) -> Domain:
    networks = _networks(records)
    members: dict[int, list[Record]] = {}
    roots = _joined(records)
    for record in records:
        keys = _keys(record)
        members.setdefault(roots[keys[0]] if keys else -1, []).append(record)
    # the largest first; ties in a fixed order, so that a second run draws the same picture
    ordered = sorted(members.values(), key=lambda group: (-len(group), str(group[0]["inventory_hostname"])))
    drawn, rest = ordered[:SHOWN_CLUSTERS], ordered[SHOWN_CLUSTERS:]
    left_out = {key for group in rest for record in group for key in _keys(record)}
    return Domain(name, tuple(_cluster(group, networks) for group in drawn), (len(left_out), sum(map(len, rest))))


def _keys(record: Record) -> list[str]:
    """Networks of a node, by its interfaces' order."""
    return [_key(interface) for interface in record["interfaces"] or ()]


def _key(interface: Record) -> str:
    return str(interface["network_id"] or interface["network"] or "")


def _joined(records: Iterable[Record]) -> dict[str, int]:
    """Key of network -> number of the group of networks that nodes on several of them join."""
    group_of: dict[str, int] = {}
    members: dict[int, list[str]] = {}
    for record in records:
        keys = _keys(record)
        if not keys:
            continue
        known = {group_of[key] for key in keys if key in group_of}
        target = min(known, default=len(group_of))
        merged = {*keys, *(key for number in known for key in members[number])}
        members[target] = sorted(merged)
        group_of.update(dict.fromkeys(merged, target))
    return group_of


def _networks(records: Iterable[Record]) -> dict[str, Network]:
    labels: dict[str, str] = {}
    roles: dict[str, set[str]] = {}
    for record in records:
        for interface in record["interfaces"] or ():
            key = _key(interface)
            labels.setdefault(key, str(interface["network"] or interface["network_id"] or "network not told"))
            roles.setdefault(key, set()).update(row["role"] for row in interface["addresses"] if not row["nat_of"])
    return {key: Network(key, label, min(roles[key], key=_rank, default="unknown")) for key, label in labels.items()}


def _rank(role: str) -> int:
    return ROLES.index(role) if role in ROLES else len(ROLES)


def _cluster(records: Sequence[Record], networks: Mapping[str, Network]) -> Cluster:
    used = {key: networks[key] for record in records for key in _keys(record)}
    ordered = sorted(used.values(), key=lambda network: (_rank(network.role), network.label, network.key))
    alike: dict[tuple[str, ...], list[Record]] = {}
    for record in records:
        alike.setdefault(tuple(network.key for network in ordered if network.key in _keys(record)), []).append(record)
    rows: list[Hanging | More] = []
    for keys, group in sorted(alike.items()):
        shown = len(group) if len(group) <= SHOWN_ALIKE else SHOWN_ALIKE - 1
        rows += [_hanging(record) for record in group[:shown]]
        if group[shown:]:
            rows.append(More(len(group) - shown, count_states(group[shown:]), keys))
    return Cluster(tuple(ordered), tuple(rows))


def _hanging(record: Record) -> Hanging:
    inside: dict[str, tuple[Spot, ...]] = {}
    outside: list[Spot] = []
    for interface in record["interfaces"] or ():
        spots = [Spot(str(row["ip"]), str(row["role"]), row["nat_of"]) for row in interface["addresses"]]
        key = _key(interface)
        inside[key] = inside.get(key, ()) + tuple(spot for spot in spots if not spot.nat_of)
        outside += [spot for spot in spots if spot.nat_of]
    return Hanging(str(record["inventory_hostname"]), str(record["state"]), bool(record["stale"]), inside, tuple(outside))
