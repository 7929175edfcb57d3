# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From a requirement and a catalog to one image, one flavor, one network, each with its reason. Pure; no I/O.

Nothing is chosen that does not fit, and an error names what came nearest. Among what fits:
- image: everybody's (official) before the account's own, then the highest version, then the newest;
- flavor: the smallest (a vCPU weighs as much as 4 GiB of memory), then the one the provider ranks first;
- network: the cloud's default, then by how it is reached (an address on the interface before one that must be attached).
Equal candidates are ordered by name, so that every run chooses the same.
"""
from __future__ import annotations

import dataclasses
import fnmatch
import re
from collections.abc import Collection, Sequence
from typing import Any, Generic, TypeVar

from . import distro
from .catalog import Catalog, CatalogFlavor, CatalogImage, CatalogNetwork, image_login, reach_rank
from .errors import FleetError
from .requirement import FAMILIES, FlavorWish, ImageWish, NetworkWish, Requirement

T = TypeVar("T")

NEAREST = 3  # how many near misses an error names
REJECTED = 10  # how many rejected candidates a result names

_OUTSIDE = ("public", "floating", "external")
_EFFORT = ("direct", "assigned", "floating", "none")
_MIB_PER_VCPU = 4096


@dataclasses.dataclass(frozen=True, slots=True)
class Pick(Generic[T]):
    """A choice: the item, why it was chosen, and what was not ("name: reason")."""

    item: T
    because: str
    rejected: tuple[str, ...] = ()


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
    image = pick_image(requirement.image, catalog.images, provider=provider, without=without, operator_login=operator_login,
                       arches=_arches(requirement, catalog.flavors, without))
    flavor = pick_flavor(requirement.flavor, catalog.flavors, image.item, zone=requirement.zone, without=without)
    network, families = pick_network(
        requirement.network, catalog.networks, zone=requirement.zone, zones=flavor.item.zones, without=without)
    return Choice(image, flavor, network, families, _disk(requirement.flavor, flavor.item, image.item))


def _arches(requirement: Requirement, flavors: Sequence[CatalogFlavor], without: Collection[str]) -> frozenset[str]:
    """Architectures of the flavors that are large enough (of all, when none is); empty when one of them may be any."""
    meant = [flavor for flavor in flavors if not flavor_misses(requirement.flavor, flavor, None, requirement.zone, without)]
    arches = {flavor.arch for flavor in meant or flavors}
    return frozenset() if None in arches else frozenset(arch for arch in arches if arch)


def _disk(wish: FlavorWish, flavor: CatalogFlavor, image: CatalogImage) -> int | None:
    """Size of a root disk that is chosen with the node, in GiB; None when flavor or image decide."""
    if flavor.disk_gib is not None or wish.disk_gib is None:
        return None
    return max(wish.disk_gib, image.min_disk_gib)


# --------------------------------------------------------------------------------------------------- images
def pick_image(
    wish: ImageWish, images: Sequence[CatalogImage], *, provider: str, without: Collection[str] = (),
    operator_login: str | None = None, arches: frozenset[str] = frozenset(),
) -> Pick[CatalogImage]:
    """The image to use. arches: what the possible flavors run on; without a wish for one, x86_64 is taken if it is among them."""
    if wish == ImageWish():
        raise FleetError("choose an image", why="the requirement names none", code="no_match",
                         fix="Write for example image: {distro: debian, version: \"12\"}; catalog_info lists what there is.")
    fits: list[CatalogImage] = []
    misses: list[tuple[int, str]] = []
    for image in images:
        reasons = _image_misses(wish, image, provider, without, operator_login, arches)
        if reasons:
            misses.append((len(reasons), f"{image.name}: {', '.join(reasons)}"))
        else:
            fits.append(image)
    if not fits:
        raise _no_match("image", _words(wish), misses, "catalog_info lists the images of this cloud.")
    preferred = "x86_64" if not wish.arch and ("x86_64" in arches or not arches) else None
    fits.sort(key=lambda image: (image.name, image.id))
    fits.sort(key=lambda image: image.created or "", reverse=True)
    fits.sort(key=lambda image: _version_key(image.version), reverse=True)
    fits.sort(key=lambda image: (bool(preferred and image.arch not in (None, preferred)), not image.public))
    best = fits[0]
    return Pick(best, _because_image(wish, best, len(fits)), _rejected([f"{image.name}: {_older(best, image)}" for image in fits[1:]], misses))


def _image_misses(
    wish: ImageWish, image: CatalogImage, provider: str, without: Collection[str], operator_login: str | None, arches: frozenset[str],
) -> list[str]:
    reasons = []
    if wish.id and wish.id != image.id:
        reasons.append("has another id")
    if wish.name and not _named(wish.name, image.name):
        reasons.append("has another name")
    if wish.family and wish.family not in (image.family, (image.family or "").rpartition("/")[2]):
        reasons.append(f"is of family {image.family}" if image.family else "is of no family")
    if wish.distro and (image.distro or "").lower() not in (wish.distro.lower(), distro.identify(wish.distro)[0]):
        reasons.append(f"is {image.distro}" if image.distro else "does not tell its distribution")
    if wish.version and not _version_fits(wish.version, image.version):
        reasons.append(f"has version {image.version}" if image.version else "does not tell its version")
    if wish.arch and image.arch not in (None, wish.arch):
        reasons.append(f"is for {image.arch}")
    elif not wish.arch and arches and image.arch and image.arch not in arches:
        reasons.append(f"is for {image.arch}, which no flavor that fits has")
    if image.id in without:
        reasons.append("was there, but is gone")
    if not image.usable:
        reasons.append(image.why_not or "cannot be used now")
    if not reasons and not (wish.id or wish.name):
        login = image_login(provider, image, operator_login)
        if login.value is None and not login.candidates:
            reasons.append(login.why)
    return reasons


def _named(wish: str, name: str) -> bool:
    return wish == name or (any(sign in wish for sign in "*?[") and fnmatch.fnmatchcase(name, wish))


def _version_fits(wish: str, version: str | None) -> bool:
    """Whether the version is the wished one or a point release of it: 9 takes 9.6, 24.04 does not take 24.10."""
    return version is not None and (version == wish or version.startswith(f"{wish}."))


def _version_key(version: str | None) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version or ""))


def _because_image(wish: ImageWish, image: CatalogImage, fitting: int) -> str:
    if fitting == 1:
        return f"the only one that is {_words(wish)}"
    traits = [image.created[:10] if image.created else "", "offered to everybody" if image.public else ""]
    told = ", ".join(trait for trait in traits if trait)
    return f"first of {fitting} that are {_words(wish)}" + (f" ({told})" if told else "")


def _older(best: CatalogImage, image: CatalogImage) -> str:
    if best.public and not image.public:
        return "not offered by the distribution or the cloud"
    if _version_key(image.version) < _version_key(best.version):
        return f"version {image.version} is lower"
    if (image.created or "") < (best.created or ""):
        return f"older ({(image.created or 'no date')[:10]})"
    return f"for {image.arch}" if image.arch != best.arch else "equal, by name"


# -------------------------------------------------------------------------------------------------- flavors
def pick_flavor(
    wish: FlavorWish, flavors: Sequence[CatalogFlavor], image: CatalogImage | None, *, zone: str | None = None,
    without: Collection[str] = (),
) -> Pick[CatalogFlavor]:
    """The smallest flavor that has what is wished and what the image needs, in the zone."""
    if wish == FlavorWish():
        raise FleetError("choose a flavor", why="the requirement names none", code="no_match",
                         fix="Write for example flavor: {vcpus: 2, memory_mib: 2048}; catalog_info lists what there is.")
    fits: list[CatalogFlavor] = []
    misses: list[tuple[int, str]] = []
    for flavor in flavors:
        reasons = flavor_misses(wish, flavor, image, zone, without)
        if reasons:
            misses.append((len(reasons) + _distance(wish, flavor), f"{flavor.name}: {', '.join(reasons)}"))
        else:
            fits.append(flavor)
    if not fits:
        raise _no_match("flavor", _words(wish), misses, "catalog_info lists the flavors of this cloud.")
    fits.sort(key=_size)
    best = fits[0]
    because = f"named {wish.name}" if wish.name else (
        f"the smallest of {len(fits)} with at least {_words(wish)}" if len(fits) > 1 else f"the only one with at least {_words(wish)}")
    return Pick(best, f"{because} ({_described(best)})", _rejected([f"{flavor.name}: larger ({_described(flavor)})" for flavor in fits[1:]], misses))


def flavor_misses(
    wish: FlavorWish, flavor: CatalogFlavor, image: CatalogImage | None, zone: str | None, without: Collection[str],
) -> list[str]:
    """Why a flavor does not fit, in words; empty when it does."""
    reasons = []
    if wish.name and wish.name not in (flavor.name, flavor.id):
        reasons.append("has another name")
    least_memory = max(wish.memory_mib or 0, image.min_memory_mib if image else 0)
    least_disk = max(wish.disk_gib or 0, image.min_disk_gib if image else 0)
    for_image = {
        "memory": f", the image needs {least_memory}" if least_memory > (wish.memory_mib or 0) else "",
        "disk": f", the image needs {least_disk}" if least_disk > (wish.disk_gib or 0) else ""}
    if wish.vcpus and (flavor.vcpus or 0) < wish.vcpus:
        reasons.append(f"{flavor.vcpus} vCPU" if flavor.vcpus is not None else "does not tell its vCPUs")
    if least_memory and (flavor.memory_mib or 0) < least_memory:
        reasons.append((f"{flavor.memory_mib} MiB of memory" if flavor.memory_mib is not None else "does not tell its memory") + for_image["memory"])
    if least_disk and flavor.disk_gib is not None and flavor.disk_gib < least_disk:
        reasons.append(f"{flavor.disk_gib} GiB of disk{for_image['disk']}")
    if image and image.arch and flavor.arch and image.arch != flavor.arch:
        reasons.append(f"is {flavor.arch}, the image is for {image.arch}")
    if zone and flavor.zones and zone not in flavor.zones:
        reasons.append(f"is not offered in {zone}")
    if flavor.id in without:
        reasons.append("was there, but could not be had")
    if flavor.why_not:
        reasons.append(flavor.why_not)
    if flavor.legacy and not wish.name:
        reasons.append("is of a previous generation")
    return reasons


def _size(flavor: CatalogFlavor) -> tuple[float, int, int, str]:
    weight = (flavor.vcpus or 0) + (flavor.memory_mib or 0) / _MIB_PER_VCPU
    return weight, flavor.disk_gib or 0, flavor.price_rank, flavor.name


def _distance(wish: FlavorWish, flavor: CatalogFlavor) -> int:
    """How far a flavor that is too small is from the wish, in percent of what is missing; orders near misses."""
    pairs = ((wish.vcpus, flavor.vcpus), (wish.memory_mib, flavor.memory_mib), (wish.disk_gib, flavor.disk_gib))
    return sum(100 * max(0, wanted - had) // wanted for wanted, had in pairs if wanted and had is not None)


def _described(flavor: CatalogFlavor) -> str:
    told = [f"{flavor.vcpus} vCPU" if flavor.vcpus is not None else "", f"{flavor.memory_mib} MiB" if flavor.memory_mib is not None else "",
            f"{flavor.disk_gib} GiB" if flavor.disk_gib is not None else ""]
    return ", ".join(part for part in told if part) or "size unknown"


# ------------------------------------------------------------------------------------------------- networks
def pick_network(
    wish: NetworkWish, networks: Sequence[CatalogNetwork], *, zone: str | None = None, zones: Sequence[str] = (),
    without: Collection[str] = (),
) -> tuple[Pick[CatalogNetwork], tuple[str, ...]]:
    """The network to attach to, and the families by which the node will then be reached. zones: where the flavor is."""
    fits: list[tuple[CatalogNetwork, tuple[str, ...]]] = []
    misses: list[tuple[int, str]] = []
    for network in networks:
        families, reasons = _network_misses(wish, network, zone, zones, without)
        if reasons:
            misses.append((len(reasons), f"{network.name}: {', '.join(reasons)}"))
        else:
            fits.append((network, families))
    if not fits:
        raise _no_match("network", _words(wish), misses, "catalog_info lists the networks of this cloud with their roles.")
    fits.sort(key=lambda pair: _network_rank(wish, *pair))
    best, families = fits[0]
    return Pick(best, _because_network(wish, best, families),
                _rejected([f"{network.name}: {_reached(network, theirs)}" for network, theirs in fits[1:]], misses)), families


def _network_misses(
    wish: NetworkWish, network: CatalogNetwork, zone: str | None, zones: Sequence[str], without: Collection[str],
) -> tuple[tuple[str, ...], list[str]]:
    reasons = []
    if wish.name and wish.name not in (network.name, network.id):
        reasons.append("has another name")
    if not network.usable:
        reasons.append(network.why_not or "nodes cannot be attached to it")
    if network.zone and (zone or zones) and network.zone not in ((zone,) if zone else zones):
        reasons.append(f"is in {network.zone}")
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
        return sum(role != "private" for role in roles), not network.default, network.name, network.id
    if wish.reachable == "any":  # nothing is attached, so only what comes by itself counts
        comes = [network.reach[family] for family in families if network.how.get(family) in ("direct", "assigned")]
        return not network.default, min((reach_rank(role) for role in comes), default=99), "ipv4" not in families, network.name, network.id
    routed = min((role not in ("public", "floating")) + (role not in _OUTSIDE) for role in roles)
    has_ipv4 = "ipv4" in families
    return (routed, not network.default, not has_ipv4, min(efforts), min(reach_rank(role) for role in roles), -len(families),
            network.name, network.id)


def _because_network(wish: NetworkWish, network: CatalogNetwork, families: Sequence[str]) -> str:
    chosen = f"named {wish.name}" if wish.name else ("the cloud's default" if network.default else f"reachable: {wish.reachable}")
    return f"{chosen}; {_reached(network, families)}"


def _reached(network: CatalogNetwork, families: Sequence[str]) -> str:
    told = [f"{family} {network.reach[family]} ({network.how.get(family, 'none')}): {network.why.get(family, '')}".rstrip(": ")
            for family in families if family in network.reach]
    return "; ".join(told) or "no address"


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
        reasons = flavor_misses(wish, machine, None, requirement.zone, without)
        try:
            network, families = pick_network(requirement.network, machine.networks, zone=requirement.zone)
            image = _image_on(requirement.image, machine, catalog, provider, operator_login)
            found[machine.id] = network, families, image
        except FleetError as failure:
            reasons.append(failure.why.partition("nearest: ")[2] or failure.why)  # of this machine's few there is no nearest
        if reasons:
            misses.append((len(reasons) + _distance(wish, machine), f"{machine.name}: {', '.join(reasons)}"))
        else:
            free.append(machine)
    if not free:
        raise _no_match("machine", f"free with {_words(requirement.flavor) or 'any size'}, {_words(requirement.network)}", misses,
                        "node_info and catalog_info list the machines of this cloud.")
    free.sort(key=_size)
    best = free[0]
    network, families, image = found[best.id]
    because = f"the smallest of {len(free)} free machines that fit ({_described(best)})"
    return Choice(image, Pick(best, because, _rejected([f"{machine.name}: larger ({_described(machine)})" for machine in free[1:]], misses)),
                  network, families, None)


def _image_on(
    wish: ImageWish, machine: CatalogFlavor, catalog: Catalog, provider: str, operator_login: str | None
) -> Pick[CatalogImage] | None:
    """The image to deploy on a machine; None when it comes with one, which then must be as wished."""
    if machine.image is not None or not catalog.images:
        if wish != ImageWish():
            if machine.image is None:
                raise FleetError("choose the image", why=f"nobody tells what is installed on it ({_words(wish)} is wished)", code="no_match")
            pick_image(wish, [machine.image], provider=provider, operator_login=operator_login)
        return None
    arches = frozenset({machine.arch}) if machine.arch else frozenset()
    return pick_image(wish, catalog.images, provider=provider, operator_login=operator_login, arches=arches)


# --------------------------------------------------------------------------------------------------- words
def _words(wish: ImageWish | FlavorWish | NetworkWish) -> str:
    """A wish in words for an operator."""
    if isinstance(wish, ImageWish):
        parts = [f"id {wish.id}" if wish.id else "", f"named {wish.name}" if wish.name else "",
                 f"of family {wish.family}" if wish.family else "",
                 " ".join(part for part in (wish.distro, wish.version) if part), f"for {wish.arch}" if wish.arch else ""]
        return ", ".join(part for part in parts if part)
    if isinstance(wish, FlavorWish):
        parts = [f"name {wish.name}" if wish.name else "", f"{wish.vcpus} vCPU" if wish.vcpus else "",
                 f"{wish.memory_mib} MiB of memory" if wish.memory_mib else "", f"{wish.disk_gib} GiB of disk" if wish.disk_gib else ""]
        return ", ".join(part for part in parts if part)
    families = " and ".join(wish.families)
    parts = [f"named {wish.name}" if wish.name else "", f"reachable: {wish.reachable}" + (f" by {families}" if families else "")]
    return ", ".join(part for part in parts if part)


def _no_match(part: str, wish: str, misses: Sequence[tuple[int, str]], fix: str) -> FleetError:
    nearest = [text for _distance_of, text in sorted(misses, key=lambda miss: miss[0])[:NEAREST]]
    told = f"; nearest: {'; '.join(nearest)}" if nearest else f"; the cloud offers no {part} at all"
    more = f" (and {len(misses) - NEAREST} more)" if len(misses) > NEAREST else ""
    return FleetError(f"choose the {part}", why=f"nothing fits '{wish}'{told}{more}", fix=f"Correct the requirement; {fix}", code="no_match")


def _rejected(fitting: Sequence[str], misses: Sequence[tuple[int, str]]) -> tuple[str, ...]:
    rows = [*fitting, *(text for _distance_of, text in sorted(misses, key=lambda miss: miss[0]))]
    if len(rows) <= REJECTED:
        return tuple(rows)
    return (*rows[:REJECTED], f"and {len(rows) - REJECTED} more")
