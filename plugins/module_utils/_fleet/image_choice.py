# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which image to make a node from. Pure.

Everybody's (official) images come before the account's own, then the highest version, then the newest.
"""
from __future__ import annotations

import fnmatch
import re
from collections.abc import Collection, Sequence

from . import distro
from .catalog import CatalogImage, image_login
from .errors import FleetError
from .picks import ANOTHER, Pick, no_match, rejected, words
from .requirement import ImageWish


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
            apart = ANOTHER if (wish.id and wish.id != image.id) or (wish.name and not _named(wish.name, image.name)) else 0
            misses.append((len(reasons) + apart, f"{image.name}: {', '.join(reasons)}"))
        else:
            fits.append(image)
    if not fits:
        raise no_match("image", words(wish), misses, "catalog_info lists the images of this cloud.")
    preferred = "x86_64" if not wish.arch and ("x86_64" in arches or not arches) else None
    fits.sort(key=lambda image: (image.name, image.id))
    fits.sort(key=lambda image: image.created or "", reverse=True)
    fits.sort(key=lambda image: _version_key(image.version), reverse=True)
    fits.sort(key=lambda image: (bool(preferred and image.arch not in (None, preferred)), not image.public))
    best = fits[0]
    return Pick(best, _because_image(wish, best, len(fits)), rejected([f"{image.name}: {_older(best, image)}" for image in fits[1:]], misses))


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
    named = wish.id == image.id or wish.name == image.name
    if not image.usable and not (image.legacy and named):
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
        return f"the only one that is {words(wish)}"
    traits = [image.created[:10] if image.created else "", "offered to everybody" if image.public else ""]
    told = ", ".join(trait for trait in traits if trait)
    return f"first of {fitting} that are {words(wish)}" + (f" ({told})" if told else "")


def _older(best: CatalogImage, image: CatalogImage) -> str:
    if best.public and not image.public:
        return "not offered by the distribution or the cloud"
    if _version_key(image.version) < _version_key(best.version):
        return f"version {image.version} is lower"
    if (image.created or "") < (best.created or ""):
        return f"older ({(image.created or 'no date')[:10]})"
    return f"for {image.arch}" if image.arch != best.arch else "equal, by name"
