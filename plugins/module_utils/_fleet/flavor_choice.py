# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which flavor to make a node with: the smallest that has what is wished and what the image needs. Pure."""
from __future__ import annotations

from collections.abc import Collection, Sequence

from .catalog import CatalogFlavor, CatalogImage, meet
from .errors import FleetError
from .picks import ANOTHER, Pick, no_match, rejected, words
from .requirement import FlavorWish

_MIB_PER_VCPU = 4096  # a vCPU weighs as much as that much memory


def pick_flavor(
    wish: FlavorWish, flavors: Sequence[CatalogFlavor], image: CatalogImage | None, *, zones: Collection[str] = (),
    without: Collection[str] = (),
) -> Pick[CatalogFlavor]:
    """The smallest flavor that has what is wished and what the image needs, offered in one of these zones (empty: anywhere)."""
    if wish == FlavorWish():
        raise FleetError("choose a flavor", why="the requirement names none", code="no_match",
                         fix="Write for example flavor: {vcpus: 2, memory_mib: 2048}; catalog_info lists what there is.")
    fits: list[CatalogFlavor] = []
    misses: list[tuple[int, str]] = []
    for flavor in flavors:
        reasons = flavor_misses(wish, flavor, image, zones, without)
        if reasons:
            apart = ANOTHER if wish.name and not _named(wish, flavor) else 0
            misses.append((len(reasons) + distance(wish, flavor) + apart, f"{flavor.name}: {', '.join(reasons)}"))
        else:
            fits.append(flavor)
    if not fits:
        raise no_match("flavor", words(wish), misses, "catalog_info lists the flavors of this cloud.")
    fits.sort(key=size)
    best = fits[0]
    because = f"named {wish.name}" if wish.name else (
        f"the smallest of {len(fits)} with at least {words(wish)}" if len(fits) > 1 else f"the only one with at least {words(wish)}")
    return Pick(best, f"{because} ({described(best)})", rejected([larger(best, flavor) for flavor in fits[1:]], misses))


def flavor_misses(
    wish: FlavorWish, flavor: CatalogFlavor, image: CatalogImage | None, zones: Collection[str], without: Collection[str],
) -> list[str]:
    """Why a flavor does not fit, in words; empty when it does."""
    reasons = []
    if wish.name and not _named(wish, flavor):
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
    if not meet(flavor.zones, zones):
        reasons.append(f"is not offered in {' or '.join(zones)}")
    if flavor.id in without:
        reasons.append("was there, but could not be had")
    if flavor.why_not:
        reasons.append(flavor.why_not)
    if flavor.legacy and not wish.name:
        reasons.append("is of a previous generation")
    return reasons


def _named(wish: FlavorWish, flavor: CatalogFlavor) -> bool:
    return wish.name in (flavor.name, flavor.id)


def larger(best: CatalogFlavor, other: CatalogFlavor) -> str:
    """Why a flavor that fits, too, is not the one."""
    if size(other)[:2] > size(best)[:2]:
        return f"{other.name}: larger ({described(other)})"
    return f"{other.name}: as large, but {'of an older kind' if other.price_rank > best.price_rank else 'later by name'} ({described(other)})"


def size(flavor: CatalogFlavor) -> tuple[float, int, int, str]:
    weight = (flavor.vcpus or 0) + (flavor.memory_mib or 0) / _MIB_PER_VCPU
    return weight, flavor.disk_gib or 0, flavor.price_rank, flavor.name


def distance(wish: FlavorWish, flavor: CatalogFlavor) -> int:
    """How far a flavor that is too small is from the wish, in percent of what is missing; orders near misses."""
    pairs = ((wish.vcpus, flavor.vcpus), (wish.memory_mib, flavor.memory_mib), (wish.disk_gib, flavor.disk_gib))
    return sum(100 * max(0, wanted - had) // wanted for wanted, had in pairs if wanted and had is not None)


def described(flavor: CatalogFlavor) -> str:
    told = [f"{flavor.vcpus} vCPU" if flavor.vcpus is not None else "", f"{flavor.memory_mib} MiB" if flavor.memory_mib is not None else "",
            f"{flavor.disk_gib} GiB" if flavor.disk_gib is not None else ""]
    return ", ".join(part for part in told if part) or "size unknown"
