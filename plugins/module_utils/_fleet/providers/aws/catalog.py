# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From EC2's answers to the catalog's one shape. Pure: XML in."""
from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree.ElementTree import Element

from ... import distro
from ...catalog import CatalogFlavor, CatalogImage, CatalogZone
from ...shape import LoginEvidence
from .image_search import OWNERS

_ARCHITECTURES = {"arm64": "aarch64", "arm64_mac": "aarch64", "x86_64_mac": "x86_64", "i386": "i686"}


def images(items: Iterable[Element]) -> list[CatalogImage]:
    """Images of DescribeImages, each once."""
    found: dict[str, CatalogImage] = {}
    for item in items:
        image = _image(item)
        found[image.id] = image
    return list(found.values())


def _image(item: Element) -> CatalogImage:
    owner, name = item.findtext("imageOwnerId"), item.findtext("name") or item.findtext("imageId") or ""
    platform = item.findtext("platform") or item.findtext("platformDetails")
    system, version = distro.identify(name, item.findtext("description"), platform)
    arch, state = item.findtext("architecture"), item.findtext("imageState")
    return CatalogImage(
        id=item.findtext("imageId", ""), name=name, distro=system, version=version,
        arch=_ARCHITECTURES.get(arch, arch) if arch else None, created=_seconds(item.findtext("creationDate")), owner=owner,
        public=owner in OWNERS, min_disk_gib=_root_size(item), usable=state in (None, "available"),
        why_not="" if state in (None, "available") else f"its state is {state}",
        login=LoginEvidence(image_owner=owner, platform=platform))


def _seconds(stamp: str | None) -> str | None:
    return f"{stamp[:19]}Z" if stamp and len(stamp) >= 19 else None


def root_device(item: Element) -> str:
    """Name of an image's root device."""
    return item.findtext("rootDeviceName") or "/dev/sda1"


def _root_size(item: Element) -> int:
    """Size of the snapshot behind the root device, in GiB; 0 when it is not told."""
    root = root_device(item)
    sizes = [device.findtext("ebs/volumeSize", "0") for device in item.iterfind("blockDeviceMapping/item") if device.findtext("deviceName") == root]
    return int(sizes[0]) if sizes and sizes[0].isdecimal() else 0


# -------------------------------------------------------------------------------------------------- flavors
_FAMILY = re.compile(r"([a-z]+)(\d+)([a-z]*)")
_KINDS = {"t": 0, "m": 1, "c": 2, "r": 3}
_EVERYWHERE = ("t3", "t4g")  # offered in nearly every zone, which the newest generations are not
_SPECIAL = 5  # families for one purpose: accelerated, storage, memory by the TiB
_COSTLY = frozenset("bdenz")  # letters after the generation: disks, network, more memory, higher clock
_METAL = 1000


def flavors(items: Iterable[Element]) -> list[CatalogFlavor]:
    """Instance types of DescribeInstanceTypes. Those without EBS as root, and those that are had only as a whole dedicated host
    (Mac), are left out."""
    found = []
    for item in items:
        name = item.findtext("instanceType", "")
        roots = [root.text for root in item.iterfind("supportedRootDeviceTypes/item")]
        usage = [usage.text for usage in item.iterfind("supportedUsageClasses/item")]
        if (roots and "ebs" not in roots) or (usage and "on-demand" not in usage) or name.startswith("mac"):
            continue
        found.append(CatalogFlavor(
            id=name, name=name, vcpus=_number(item.findtext("vCpuInfo/defaultVCpus")), memory_mib=_number(item.findtext("memoryInfo/sizeInMiB")),
            arch=_arch(item), price_rank=_rank(name, item), legacy=item.findtext("currentGeneration") == "false"))
    return found


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _arch(item: Element) -> str | None:
    told = [arch.text for arch in item.iterfind("processorInfo/supportedArchitectures/item")]
    if "x86_64" in told:
        return "x86_64"
    return _ARCHITECTURES.get(told[0], told[0]) if told and told[0] else None


def _rank(name: str, item: Element) -> int:
    """Families for general work before those for one purpose, newer generations before older, without extras before with."""
    family = _FAMILY.match(name)
    if family is None:
        return _METAL
    if "".join(family.groups()) in _EVERYWHERE:
        return 0
    metal = item.findtext("bareMetal") == "true"
    kind = _KINDS.get(family[1], _SPECIAL)
    return 100 * kind + 10 * max(0, 9 - int(family[2])) + sum(sign in _COSTLY for sign in family[3]) + (_METAL if metal else 0)


# ---------------------------------------------------------------------------------------------------- zones
def zones(items: Iterable[Element], region: str) -> list[CatalogZone]:
    """Availability zones that the account may use."""
    return [
        CatalogZone(item.findtext("zoneName", ""), region, item.findtext("zoneState") == "available")
        for item in items if item.findtext("optInStatus") != "not-opted-in"]
