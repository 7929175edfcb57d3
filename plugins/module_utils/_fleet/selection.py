# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From a requirement and a catalog to one image, one flavor, one network, each with its reason. Pure; no I/O.

Nothing is chosen that does not fit, and an error names what came nearest. Among what fits:
- image: everybody's (official) before the account's own, then the highest version, then the newest;
- network: the cloud's default, then the provider's order, then by how it is reached (an address on the interface before one
  that must be attached);
- flavor: the smallest (a vCPU weighs as much as 4 GiB of memory), then the one the provider ranks first.
Equal candidates are ordered by name, so that every run chooses the same. Flavor and network are offered in a zone each has:
the best network for which there is a flavor decides, so that no node goes to another continent for a smaller flavor.
"""
from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Collection, Sequence
from typing import Any

from .catalog import Catalog, CatalogFlavor, CatalogImage, CatalogNetwork, meet
from .errors import FleetError
from .flavor_choice import described, distance, flavor_misses, larger, pick_flavor, size
from .image_choice import pick_image
from .network_choice import pick_network, places
from .picks import NEAREST, Pick, no_match, rejected, words
from .requirement import FlavorWish, ImageWish, Requirement


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """Everything chosen for one node. families: those by which the node will be reached as wished."""

    image: Pick[CatalogImage] | None
    flavor: Pick[CatalogFlavor]
    network: Pick[CatalogNetwork] | None
    families: tuple[str, ...]
    disk_gib: int | None

    def as_dict(self) -> dict[str, Any]:
        """For a module's result (``chosen``)."""
        picks = {"image": self.image, "flavor": self.flavor, "network": self.network}
        chosen: dict[str, Any] = {
            part: {"id": pick.item.id, "name": pick.item.name} if pick else None for part, pick in picks.items()}
        chosen["because"] = {part: pick.because if pick else "comes with the machine" for part, pick in picks.items()}
        chosen["rejected"] = {part: list(pick.rejected) if pick else [] for part, pick in picks.items()}
        chosen["families"] = list(self.families)
        chosen["disk_gib"] = self.disk_gib
        return chosen


def choose(
    requirement: Requirement, catalog: Catalog, *, provider: str, without: Collection[str] = (), operator_login: str | None = None,
) -> Choice:
    """What to make the node from. without: ids that were tried and turned out not to be had.

    Raises FleetError (code no_match) naming the part for which nothing fits, and what came nearest.
    """
    if provider == "metal" or any(flavor.networks for flavor in catalog.flavors):
        return _choose_machine(requirement, catalog, provider, without, operator_login)
    _check_zone(requirement.zone, catalog)
    where = places(requirement.network, catalog.networks, zone=requirement.zone, without=without)
    zones = (requirement.zone,) if requirement.zone else _all_of(where)
    image = pick_image(requirement.image, catalog.images, provider=provider, without=without, operator_login=operator_login,
                       arches=_arches(requirement.flavor, catalog.flavors, zones, without))
    flavor = _pick_flavor(requirement, catalog.flavors, image.item, where, without)
    network, families = pick_network(
        requirement.network, catalog.networks, zone=requirement.zone, zones=flavor.item.zones, without=without)
    return Choice(image, flavor, network, families, _disk(requirement.flavor, flavor.item, image.item))


def _check_zone(zone: str | None, catalog: Catalog) -> None:
    """Raises FleetError for a zone in which nothing is offered, on clouds that tell where things are."""
    offered = [*(flavor.zones for flavor in catalog.flavors), *(network.zones for network in catalog.networks)]
    known = {one for zones in offered for one in zones}
    if zone and known and zone not in known:
        near = difflib.get_close_matches(zone, sorted(known), NEAREST, 0.0)
        raise FleetError("choose the zone", why=f"neither flavors nor networks are offered in zone '{zone}'", code="no_match",
                         fix=f"Correct 'zone', or leave it out; nearest: {', '.join(near)}. catalog_info lists all.")


def _all_of(where: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """All zones of several places; empty for everywhere."""
    return () if () in where else tuple(sorted({zone for zones in where for zone in zones}))


def _arches(wish: FlavorWish, flavors: Sequence[CatalogFlavor], zones: Sequence[str], without: Collection[str]) -> frozenset[str]:
    """Architectures of the flavors that are large enough there (of all, when none is); empty when one of them may be any."""
    meant = [flavor for flavor in flavors if not flavor_misses(wish, flavor, None, zones, without)]
    arches = {flavor.arch for flavor in meant or flavors}
    return frozenset() if None in arches else frozenset(arch for arch in arches if arch)


def _pick_flavor(
    requirement: Requirement, flavors: Sequence[CatalogFlavor], image: CatalogImage, where: Sequence[tuple[str, ...]],
    without: Collection[str],
) -> Pick[CatalogFlavor]:
    """The flavor for the best place that has one. where: the places of the networks that fit, best first."""
    wish, zone = requirement.flavor, requirement.zone
    fits = [flavor for flavor in flavors if not flavor_misses(wish, flavor, image, (zone,) if zone else (), without)]
    for zones in where:
        if any(meet(flavor.zones, zones) for flavor in fits):
            return pick_flavor(wish, flavors, image, zones=(zone,) if zone else zones, without=without)
    return pick_flavor(wish, flavors, image, zones=(zone,) if zone else _all_of(where), without=without)  # tells what is missing


def _disk(wish: FlavorWish, flavor: CatalogFlavor, image: CatalogImage) -> int | None:
    """Size of a root disk that is chosen with the node, in GiB; None when flavor or image decide."""
    if flavor.disk_gib is not None or wish.disk_gib is None:
        return None
    return max(wish.disk_gib, image.min_disk_gib)


# ------------------------------------------------------------------------------------------------- machines
def _choose_machine(
    requirement: Requirement, catalog: Catalog, provider: str, without: Collection[str], operator_login: str | None,
) -> Choice:
    """On metal a machine brings its networks, and often its image, along: the smallest that fits in every way."""
    free: list[CatalogFlavor] = []
    misses: list[tuple[int, str]] = []
    found: dict[str, tuple[Pick[CatalogNetwork], tuple[str, ...], Pick[CatalogImage] | None]] = {}
    for machine in catalog.flavors:
        wish = requirement.flavor
        reasons = flavor_misses(wish, machine, None, (requirement.zone,) if requirement.zone else (), without)
        try:
            network, families = pick_network(requirement.network, machine.networks, zone=requirement.zone)
            image = _image_on(requirement.image, machine, catalog, provider, operator_login)
            found[machine.id] = network, families, image
        except FleetError as failure:
            # of this machine's few there is no nearest
            reasons.append(failure.why.partition("nearest: ")[2] or f"{failure.what.rpartition(' ')[2]}: {failure.why}")
        if reasons:
            misses.append((len(reasons) + distance(wish, machine), f"{machine.name}: {', '.join(reasons)}"))
        else:
            free.append(machine)
    if not free:
        raise no_match("machine", f"free with {words(requirement.flavor) or 'any size'}, {words(requirement.network)}", misses,
                       "node_info and catalog_info list the machines of this cloud.")
    free.sort(key=size)
    best = free[0]
    network, families, image = found[best.id]
    because = f"the smallest of {len(free)} free machines that fit ({described(best)})"
    return Choice(image, Pick(best, because, rejected([larger(best, machine) for machine in free[1:]], misses)),
                  network, families, None)


def _image_on(
    wish: ImageWish, machine: CatalogFlavor, catalog: Catalog, provider: str, operator_login: str | None
) -> Pick[CatalogImage] | None:
    """The image to deploy on a machine; None when it comes with one, which then must be as wished."""
    if machine.image is not None or not catalog.images:
        if wish != ImageWish():
            if machine.image is None:
                raise FleetError("choose the image", why=f"nobody tells what is installed on it ({words(wish)} is wished)", code="no_match")
            pick_image(wish, [machine.image], provider=provider, operator_login=operator_login)
        return None
    arches = frozenset({machine.arch}) if machine.arch else frozenset()
    return pick_image(wish, catalog.images, provider=provider, operator_login=operator_login, arches=arches)
