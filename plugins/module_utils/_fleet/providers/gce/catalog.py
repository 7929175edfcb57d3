# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From Compute Engine's images, machine types and zones to the catalog's one shape. Pure; networks are in ``subnetworks``."""
from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ... import distro
from ...catalog import CatalogFlavor, CatalogImage, CatalogZone
from ...shape import LoginEvidence
from .keys import DEFAULT_USER
from .shape import last_part, utc

Row = Mapping[str, Any]

PUBLIC_PROJECTS: Mapping[str, tuple[str, ...]] = {
    "almalinux": ("almalinux-cloud",),
    "centos": ("centos-cloud",),
    "cos": ("cos-cloud",),
    "debian": ("debian-cloud",),
    "fcos": ("fedora-coreos-cloud",),
    "fedora": ("fedora-cloud",),
    "flatcar": ("kinvolk-public",),
    "opensuse": ("opensuse-cloud",),
    "oracle": ("oracle-linux-cloud",),
    "rhel": ("rhel-cloud",),
    "rocky": ("rocky-linux-cloud",),
    "sles": ("suse-cloud",),
    "ubuntu": ("ubuntu-os-cloud",),
    "windows": ("windows-cloud",),
}
"""Distribution -> projects in which its publisher offers images to everybody."""

_RELATIVES: Mapping[str, tuple[str, ...]] = {
    "suse": ("sles", "opensuse"), "coreos": ("fcos", "cos", "flatcar"), "fedora": ("fcos",)}
_OF_PROJECT = re.compile(r"(?:.*/)?projects/([^/]+)/")

_ARCHITECTURES = {"X86_64": "x86_64", "ARM64": "aarch64"}
_ARM_SERIES = re.compile(r"(?:t2a|c4a|n4a|a4x)-")
_RANKS = ("e2", "t2d", "n4d", "n4", "n2d", "t2a", "n4a", "c4a", "n2", "c4d", "c4", "c3d", "c3", "n1", "c2d", "c2", "f1", "g1")
"""Series of machine types for general use, the one to prefer among equal sizes first: by price, then by age."""
_SPECIAL = 100  # rank of all others: large memory, accelerators, local disks


# --------------------------------------------------------------------------------------------------- images
def image_projects(own: str, words: Sequence[str]) -> list[str]:
    """The projects in which an image of these words may be: the own one, and those of the distributions that are named.
    Words that name none may be the name of any image, so they alone narrow nothing."""
    found = [own]
    for word in words:
        named = _OF_PROJECT.match(word)
        if named:
            found.append(named[1])
            continue
        name = distro.identify(word)[0]
        for one in (name, *_RELATIVES.get(name or "", ())):
            found += PUBLIC_PROJECTS.get(one or "", ())
    if len(found) == 1:
        found += [project for projects in PUBLIC_PROJECTS.values() for project in projects]
    return list(dict.fromkeys(found))


def images(rows: Iterable[Row], project: str, own: str, words: Sequence[str] = ()) -> list[CatalogImage]:
    """The images of a project. Of the public ones those that are withdrawn are left out, hundreds of them, unless words
    name them or their family."""
    found = []
    for row in rows:
        made = _image(row, project, own)
        if not made.why_not or not made.public or {made.name, made.id, made.family} & set(words):
            found.append(made)
    return found


def _image(row: Row, project: str, own: str) -> CatalogImage:
    name, public = row["name"], project != own
    licenses = tuple(row.get("licenses") or ())
    # the publisher's name is exact where its licence is old (opensuse-leap-42); own images may be called anything
    texts = (name, row.get("family"), *licenses) if public else (*licenses, row.get("family"), name)
    system, version = distro.identify(*texts)
    windows = system == "windows" or any(feature.get("type") == "WINDOWS" for feature in row.get("guestOsFeatures") or ())
    why_not, legacy = _withdrawn(row)
    return CatalogImage(
        id=f"projects/{project}/global/images/{name}", name=name, family=row.get("family"),
        distro="windows" if windows else system, version=version,
        arch=_ARCHITECTURES.get(row.get("architecture", "")), created=utc(row.get("creationTimestamp")), owner=project,
        public=public, min_disk_gib=int(row.get("diskSizeGb") or 0), usable=not why_not, why_not=why_not, legacy=legacy,
        login=LoginEvidence(
            key_users=(DEFAULT_USER,), key_source="the metadata that the node will get", platform="windows" if windows else None))


def _withdrawn(row: Row) -> tuple[str, bool]:
    """Why no node should be made from an image, empty when one may; and whether Google makes one all the same."""
    status = row.get("status", "READY")
    if status != "READY":
        return f"is {status}", False
    withdrawn = row.get("deprecated") or {}
    state = withdrawn.get("state", "ACTIVE")
    if state == "ACTIVE":
        return "", False
    instead = last_part(withdrawn.get("replacement"))
    return f"is {state}" + (f", replaced by {instead}" if instead else ""), state == "DEPRECATED"


# -------------------------------------------------------------------------------------------------- flavors
def flavors(rows: Iterable[Row]) -> list[CatalogFlavor]:
    """Machine types of several zones, each once with the zones that offer it."""
    first: dict[str, Row] = {}
    zones: dict[str, set[str]] = {}
    for row in rows:
        name = row["name"]
        first.setdefault(name, row)
        zones.setdefault(name, set()).add(last_part(row["zone"]) or "")
    return [_flavor(row, tuple(sorted(zones[name]))) for name, row in sorted(first.items())]


def _flavor(row: Row, zones: tuple[str, ...]) -> CatalogFlavor:
    name = row["name"]
    state = (row.get("deprecated") or {}).get("state", "ACTIVE")
    told = _ARCHITECTURES.get(row.get("architecture", ""))
    return CatalogFlavor(
        id=name, name=name, vcpus=row.get("guestCpus"), memory_mib=row.get("memoryMb"),  # Google's MB are MiB
        arch=told or ("aarch64" if _ARM_SERIES.match(name) else "x86_64"), zones=zones, price_rank=_rank(name),
        why_not="" if state == "ACTIVE" else f"is {state}")


def _rank(name: str) -> int:
    series, _dash, kind = name.partition("-")
    return _RANKS.index(series) if series in _RANKS and "gpu" not in kind and "lssd" not in kind else _SPECIAL


# ---------------------------------------------------------------------------------------------------- zones
def zones(rows: Iterable[Row], only: Collection[str] = ()) -> list[CatalogZone]:
    """The zones, by name; only: those that the fleet file names, empty for all."""
    found = [
        CatalogZone(row["name"], last_part(row.get("region")), row.get("status", "UP") == "UP")
        for row in rows if not only or row["name"] in only]
    return sorted(found, key=lambda zone: zone.name)


def home_region(usable: Sequence[CatalogZone], environ: Mapping[str, str], only: Sequence[str]) -> str | None:
    """The region to prefer when nobody names one: of the first zone of the fleet file, else that of gcloud's environment,
    else us-central1, where Google's own examples are, else the first there is."""
    region_of = {zone.name: zone.region for zone in usable}
    regions = [zone.region for zone in usable]
    hints = [
        *(region_of.get(zone) for zone in only), environ.get("CLOUDSDK_COMPUTE_REGION"),
        region_of.get(environ.get("CLOUDSDK_COMPUTE_ZONE", "")), "us-central1"]
    return next((hint for hint in hints if hint and hint in regions), regions[0] if regions else None)
