# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which network to attach a node to, and by which families it is then reached. Pure.

The cloud's default comes first, then the provider's own order, then how a node is reached (an address on the interface before
one that must be attached).
"""
from __future__ import annotations

import collections
import ipaddress
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from .catalog import CatalogNetwork, meet, reach_rank
from .errors import FleetError
from .picks import ANOTHER, Pick, no_match, rejected, words
from .requirement import FAMILIES, NetworkWish
from .shape import Node

_OUTSIDE = ("public", "floating", "external")
_EFFORT = ("direct", "assigned", "floating", "none")


def pick_network(
    wish: NetworkWish, networks: Sequence[CatalogNetwork], *, zone: str | None = None, zones: Sequence[str] = (),
    without: Collection[str] = (),
) -> tuple[Pick[CatalogNetwork], tuple[str, ...]]:
    """The network to attach to, and the families by which the node will then be reached. zone: where the node must be; zones:
    where its flavor is, empty for everywhere."""
    fits, misses = _judged(wish, networks, (zone,) if zone else zones, without)
    if not fits:
        raise no_match("network", words(wish), misses, "catalog_info lists the networks of this cloud with their roles.")
    fits.sort(key=lambda fit: (fit.rank, fit.network.name, fit.network.id))
    best, *others = fits
    _one_of_its_name(wish, best, others)
    return Pick(best.network, _because_network(wish, best.network, best.families),
                rejected([f"{fit.label}: {_reached(fit.network, fit.families)}" for fit in others], misses)), best.families


def _one_of_its_name(wish: NetworkWish, best: _Fit, others: Sequence[_Fit]) -> None:
    """Nobody but the operator knows which of two networks of one name is meant, when a node on either is reached alike. Parts of
    one network in several zones may share a name: the zone tells them apart."""
    twins = [fit for fit in others if wish.name == fit.network.name == best.network.name and fit.rank == best.rank
             and not (fit.network.zones and best.network.zones)]
    if twins:
        raise FleetError(
            "choose the network", why=f"several are named {wish.name}: {', '.join(fit.network.id for fit in (best, *twins))}", code="no_match",
            fix="Write the id of the one that is meant in its name's place; catalog_info lists them with what is behind them.")


def places(
    wish: NetworkWish, networks: Sequence[CatalogNetwork], *, zone: str | None = None, without: Collection[str] = (),
) -> list[tuple[str, ...]]:
    """Where a node can be on a network that fits: zones of the best networks, then those of the second best, and so on, for
    networks that differ in name only count as one place. Empty is everywhere. Raises FleetError when no network fits."""
    fits, misses = _judged(wish, networks, (zone,) if zone else (), without)
    if not fits:
        raise no_match("network", words(wish), misses, "catalog_info lists the networks of this cloud with their roles.")
    by_rank: dict[Any, list[CatalogNetwork]] = {}
    for fit in fits:
        by_rank.setdefault(fit.rank, []).append(fit.network)
    return [together(peers) for _rank, peers in sorted(by_rank.items(), key=lambda item: item[0])]


def together(networks: Sequence[CatalogNetwork]) -> tuple[str, ...]:
    """The zones in which a node can be attached to any of these networks; empty for everywhere."""
    if any(not network.zones for network in networks):
        return ()
    return tuple(sorted({zone for network in networks for zone in network.zones}))


def networks_of(node: Node, networks: Sequence[CatalogNetwork]) -> list[CatalogNetwork]:
    """The networks that a node may be attached to: those that its interfaces name, and where these name only what the networks
    are parts of (a VPC), the parts that hold its addresses."""
    told = {place for interface in node.interfaces for place in (interface.network_id, interface.network) if place}
    here = [network for network in networks if meet(network.zones, (node.zone,) if node.zone else ())]
    found = [network for network in here if network.id in told] or [
        network for network in here if told.intersection((network.name, *network.aliases))]
    return [network for network in found if _holds(network, node)] or found


def _holds(network: CatalogNetwork, node: Node) -> bool:
    """Whether one of the node's addresses is of the network."""
    blocks = [ipaddress.ip_network(cidr, strict=False) for cidr in network.cidrs]
    inside = [ipaddress.ip_address(address.ip) for interface in node.interfaces for address in interface.addresses]
    return any(address in block for address in inside for block in blocks)


class _Fit(NamedTuple):
    """A network that fits. label: its name, with its id where several have that name."""

    network: CatalogNetwork
    families: tuple[str, ...]
    rank: tuple[Any, ...]
    label: str


def _judged(
    wish: NetworkWish, networks: Sequence[CatalogNetwork], zones: Sequence[str], without: Collection[str],
) -> tuple[list[_Fit], list[tuple[int, str]]]:
    """The networks that fit, and the reasons why the others do not."""
    fits: list[_Fit] = []
    misses: list[tuple[int, str]] = []
    meant = _meant(wish, networks)
    names = collections.Counter(network.name for network in networks)
    for network in networks:
        families, reasons = _network_misses(wish, network, zones, without)
        apart = 0
        if meant is not None and network.id not in meant:
            reasons.insert(0, "has another name")
            apart = ANOTHER
        label = network.name if names[network.name] == 1 else f"{network.name} ({network.id})"
        if reasons:
            misses.append((len(reasons) + apart, f"{label}: {', '.join(reasons)}"))
        else:
            fits.append(_Fit(network, families, _network_rank(wish, network, families), label))
    return fits, misses


def _meant(wish: NetworkWish, networks: Sequence[CatalogNetwork]) -> set[str] | None:
    """Ids of the networks that the wish names, None when it names none."""
    if not wish.name:
        return None
    exactly = {network.id for network in networks if wish.name in (network.name, network.id)}
    return exactly or {network.id for network in networks if wish.name in network.aliases}


def _network_misses(
    wish: NetworkWish, network: CatalogNetwork, zones: Sequence[str], without: Collection[str],
) -> tuple[tuple[str, ...], list[str]]:
    reasons = []
    if not network.usable:
        reasons.append(network.why_not or "nodes cannot be attached to it")
    if not meet(network.zones, zones):
        reasons.append(f"is in {' and '.join(network.zones)}")
    if network.id in without:
        reasons.append("was there, but could not be had")
    families = tuple(family for family in FAMILIES if family in network.reach and _serves(wish.reachable, network, family))
    wanted = wish.families or families
    lacking = [family for family in wanted if family not in families]
    if lacking or not families:
        reasons.append(_lack(wish, network, lacking))
    if not wish.families and wish.reachable != "private" and not reasons:
        # what reaches best decides; the other family comes along where the network has it for nothing
        first = min(families, key=lambda family: _family_rank(network, family))
        families = tuple(family for family in families if family == first or network.how.get(family) in ("direct", "assigned"))
    return (tuple(wish.families) if wish.families else families), reasons


def _serves(reachable: str, network: CatalogNetwork, family: str) -> bool:
    role, how = network.reach[family], network.how.get(family, "none")
    if reachable == "public":
        return role in _OUTSIDE and how != "none"
    if reachable == "private":
        return how in ("assigned", "floating", "none") or role == "private"
    return True


def _lack(wish: NetworkWish, network: CatalogNetwork, lacking: Sequence[str]) -> str:
    told = "; ".join(f"{family}: {network.why[family]}" for family in (lacking or network.reach) if network.why.get(family))
    missing = [family for family in lacking if family not in network.reach]
    if missing:
        return f"has no {' and '.join(missing)}"
    if wish.reachable == "private":
        return "gives addresses that are reached from outside" + (f" ({told})" if told else "")
    return "gives no address that is reached from outside" + (f" ({told})" if told else "")


def _family_rank(network: CatalogNetwork, family: str) -> tuple[int, int, int]:
    role = network.reach.get(family, "unknown")
    return (role not in ("public", "floating")) + (role not in _OUTSIDE), FAMILIES.index(family), _EFFORT.index(network.how.get(family, "none"))


def _network_rank(wish: NetworkWish, network: CatalogNetwork, families: Sequence[str]) -> tuple[Any, ...]:
    roles = [network.reach[family] for family in families]
    efforts = [_EFFORT.index(network.how.get(family, "none")) for family in families]
    if wish.reachable == "private":
        return sum(role != "private" for role in roles), not network.default, network.rank
    if wish.reachable == "any":  # nothing is attached, so only what comes by itself counts
        comes = [network.reach[family] for family in families if network.how.get(family) in ("direct", "assigned")]
        return not network.default, min((reach_rank(role) for role in comes), default=99), "ipv4" not in families, network.rank
    routed = min((role not in ("public", "floating")) + (role not in _OUTSIDE) for role in roles)
    return (routed, not network.default, "ipv4" not in families, network.rank, min(efforts), min(reach_rank(role) for role in roles),
            -len(families))


def _because_network(wish: NetworkWish, network: CatalogNetwork, families: Sequence[str]) -> str:
    chosen = f"named {wish.name}" if wish.name else ("the cloud's default" if network.default else f"reachable: {wish.reachable}")
    return f"{chosen}; {_reached(network, families)}"


def _reached(network: CatalogNetwork, families: Sequence[str]) -> str:
    told = [f"{family} {network.reach[family]} ({network.how.get(family, 'none')}): {network.why.get(family, '')}".rstrip(": ")
            for family in families if family in network.reach]
    return "; ".join(told) or "no address"
