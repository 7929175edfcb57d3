# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A machine as one source of a metal cloud tells it, free or bound to a node, and what it offers. Pure."""
from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from ...address_class import classify
from ...catalog import REACHES, Catalog, CatalogFlavor, CatalogImage, CatalogNetwork, CatalogZone
from ...errors import FleetError
from ...network_role import OperatorRoles, role_of
from ...shape import NodeEvidence
from ..actions import Order

MACHINE_TAG = "machine"
"""Tag of a bound machine: the name it has of its own."""

_OUTSIDE = ("public", "floating", "external")
_NO_ADDRESS = "no address of this machine is known"


@dataclasses.dataclass(frozen=True, slots=True)
class Machine:
    """One machine. evidence: as its source tells it, nothing bound. pool: whether nodes may be bound to it. vcpus, memory in
    MiB and disk in GiB are None when nobody tells. ref: where its source keeps it, when that is not its id."""

    evidence: NodeEvidence
    pool: bool = False
    vcpus: int | None = None
    memory_mib: int | None = None
    disk_gib: int | None = None
    ref: str = ""

    @property
    def id(self) -> str:
        return self.evidence.id

    @property
    def name(self) -> str:
        return self.evidence.name or self.evidence.id


def bound(evidence: NodeEvidence, name: str, tags: Mapping[str, str], since: str | None) -> NodeEvidence:
    """The machine as the node that it is now: found by the node's name, its own one kept as a tag."""
    return dataclasses.replace(
        tagged(evidence, {MACHINE_TAG: evidence.name or evidence.id, **tags}), name=name, created=since or evidence.created)


def tagged(evidence: NodeEvidence, tags: Mapping[str, str]) -> NodeEvidence:
    """The machine with tags that were set on it; they count as its data for the login user, too."""
    login = dataclasses.replace(evidence.login, metadata={**evidence.login.metadata, **tags})
    return dataclasses.replace(evidence, tags={**evidence.tags, **tags}, login=login)


# ------------------------------------------------------------------------------------------------ the offer
def flavor(machine: Machine, roles: OperatorRoles, *, why_not: str, later: bool = False, installed: bool) -> CatalogFlavor:
    """A machine as something to choose. installed: whether it is used with what is on it. later: others are preferred."""
    evidence = machine.evidence
    return CatalogFlavor(
        id=machine.id, name=machine.name, vcpus=machine.vcpus, memory_mib=machine.memory_mib, disk_gib=machine.disk_gib,
        arch=evidence.arch, zones=(evidence.zone,) if evidence.zone else (), price_rank=int(later), networks=networks(evidence, roles),
        image=_installed(evidence) if installed else None, why_not=why_not)


def _installed(evidence: NodeEvidence) -> CatalogImage:
    image = evidence.image
    told = " ".join(part for part in (image.distro, image.version) if part) or "unknown system"
    return CatalogImage(id=image.id or told, name=image.name or told, distro=image.distro, version=image.version, arch=evidence.arch,
                        login=evidence.login)


def networks(evidence: NodeEvidence, roles: OperatorRoles) -> tuple[CatalogNetwork, ...]:
    """The networks that a machine is on, each with the best role it has there; at least one, as a machine always has some."""
    found: dict[str, CatalogNetwork] = {}
    for interface in evidence.interfaces:
        for address in interface.addresses:
            role, why = role_of(address, interface, access_ips=evidence.access_ips, operator=roles)
            number, klass = classify(address.ip)
            if role == "management" or klass in ("link-local", "loopback"):
                continue
            label = interface.network_id or interface.network or interface.mac or "unnamed"
            one = CatalogNetwork(label, interface.network or label, {f"ipv{number}": role or "unknown"}, {f"ipv{number}": "direct"},
                                 {f"ipv{number}": f"{address.ip}: {why}"})
            found[label] = merged(found[label], one) if label in found else one
    if found:
        return tuple(found.values())
    return (CatalogNetwork("unknown", "unknown", usable=False, why_not=_NO_ADDRESS),)


def merged(first: CatalogNetwork, second: CatalogNetwork) -> CatalogNetwork:
    """Two views of one network: the better role of each family, and its reason."""
    reach, how, why = dict(first.reach), dict(first.how), dict(first.why)
    for family, role in second.reach.items():
        if family not in reach or REACHES.index(role) < REACHES.index(reach[family]):
            reach[family], how[family], why[family] = role, second.how[family], second.why[family]
    return dataclasses.replace(first, reach=reach, how=how, why=why)


def catalog(parts: frozenset[str], flavors: Sequence[CatalogFlavor], images: Iterable[CatalogImage] = ()) -> Catalog:
    """The parts asked for, of machines as flavors."""
    known: dict[str, CatalogNetwork] = {}
    for network in (network for item in flavors for network in item.networks if network.usable):
        known[network.id] = merged(known[network.id], network) if network.id in known else network
    zones = dict.fromkeys(zone for item in flavors for zone in item.zones)
    return Catalog(
        images=tuple(images) if "images" in parts else (),
        flavors=tuple(flavors) if "flavors" in parts else (),
        networks=tuple(known.values()) if "networks" in parts else (),
        zones=tuple(CatalogZone(zone) for zone in zones) if "zones" in parts else ())


def see_to_address(order: Order, evidence: NodeEvidence, roles: OperatorRoles) -> None:
    """Metal has the addresses it has. Raises FleetError (no_address) when a public one is wanted that it has not."""
    if order.reachable != "public":
        return
    there = networks(evidence, roles)
    for family in order.families:
        if not any(network.reach.get(family) in _OUTSIDE for network in there):
            told = "; ".join(network.why.get(family, network.why_not) for network in there if network.why.get(family) or network.why_not)
            raise FleetError(
                f"reach node {order.name}", why=f"machine {evidence.id} has no public {family} address" + (f" ({told})" if told else ""),
                fix="Choose another machine, or write its address where this source has it.", code="no_address")


# ------------------------------------------------------------------------------------------------- refusals
def taken(order: Order, why: str) -> FleetError:
    """The machine that was chosen cannot be had (any more): another one may."""
    return FleetError(f"bind node {order.name}", why=f"machine {order.flavor.name}: {why}", code="taken",
                      fix="Run again; another machine is chosen if one fits.")


def somebody_elses(name: str, why: str) -> FleetError:
    return FleetError(f"bind node {name}", why=why, code="exists", fix="Choose another name, or release that node where it was bound.")


def not_ours(node_id: str, fix: str) -> FleetError:
    return FleetError(f"release machine {node_id}", why="it was not bound by this collection, so it is not released by it",
                      code="not_ours", fix=fix)
