# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What hangs on what: clouds, layer-3 domains, groups of networks that nodes join, and the nodes on them. Pure."""
from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

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
    """What one or more layer-3 domains hold: several where a node or a network joins them, none where the cloud tells none.

    left_out: numbers of networks and nodes that are not drawn.
    """

    names: tuple[str, ...]
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
        DrawnCloud(name, str(nodes[0]["provider"]), len(nodes), tuple(_domain(group) for group in _joined(nodes, _keys_and_domain)))
        for name, nodes in by_cloud(records).items()
    ]


def _domain(records: Sequence[Record]) -> Domain:
    names = sorted({str(record["network_domain"]) for record in records if record["network_domain"]})
    networks = _networks(records)
    groups = _joined(records, _keys)
    rest = groups[SHOWN_CLUSTERS:]
    left_out = {key for group in rest for record in group for key in _keys(record)}
    return Domain(tuple(names), tuple(_cluster(group, networks) for group in groups[:SHOWN_CLUSTERS]), (len(left_out), sum(map(len, rest))))


def _keys(record: Record) -> list[str]:
    """Networks of a node, by its interfaces' order."""
    return [_key(interface) for interface in record["interfaces"] or ()]


def _key(interface: Record) -> str:
    return str(interface["network_id"] or interface["network"] or "not told")


def _keys_and_domain(record: Record) -> list[str]:
    domain = record["network_domain"]
    return [*_keys(record), *([f"domain {domain}"] if domain else [])]


def _joined(records: Iterable[Record], keys_of: Callable[[Record], list[str]]) -> list[list[Record]]:
    """Groups of nodes that share a key, directly or through others; those without any key are the last group.

    Groups are ordered by size and then by name, so that a second run draws the same picture.
    """
    leader: dict[str, str] = {}

    def find(key: str) -> str:
        while leader.setdefault(key, key) != key:
            leader[key] = leader[leader[key]]
            key = leader[key]
        return key

    keyed = [(keys_of(record), record) for record in records]
    for keys, _record in keyed:
        for key in keys[1:]:
            leader[find(key)] = find(keys[0])
    groups: dict[str, list[Record]] = {}
    for keys, record in keyed:
        groups.setdefault(find(keys[0]) if keys else "", []).append(record)
    apart = [members for keys, members in groups.items() if not keys]
    named = [_by_name(members) for keys, members in groups.items() if keys]
    return [*sorted(named, key=lambda group: (-len(group), str(group[0]["inventory_hostname"]))), *map(_by_name, apart)]


def _by_name(records: Iterable[Record]) -> list[Record]:
    return sorted(records, key=lambda record: str(record["inventory_hostname"]))


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
