# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an image tells of itself: distribution, architecture, login user. Pure: records of Nova, Glance or Cinder in."""
from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ... import distro
from ...shape import Image

LOGIN_PROPERTIES = (
    "image_original_user", "ssh_user", "os_admin_user", "os_distro", "os_version", "os_type",
    "org.openstack__1__os_distro", "org.openstack__1__os_version",
)
"""Properties that bear on the login user. Only these are kept: others may hold addresses with credentials in them."""

_ARCH_PROPERTIES = ("hw_architecture", "architecture")
_KEPT = ("name", *LOGIN_PROPERTIES, *_ARCH_PROPERTIES)
_WORD = re.compile(r"[a-z][a-z0-9]{1,31}")
_NO_DISTRIBUTION = frozenset(("linux", "other", "others", "unknown", "none", "custom"))  # what panels write for want of a better word
_ARCH_ALIASES = {"amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64"}  # to what uname says


@dataclasses.dataclass(frozen=True, slots=True)
class ImageFacts:
    """One image as evidence needs it; properties: those that bear on the login user."""

    image: Image
    properties: Mapping[str, str]
    arch: str | None


NOTHING: Mapping[str, Any] = {}
NO_IMAGE = ImageFacts(Image(), {}, None)


class ImageBook:
    """The images of one region, each understood once however many servers use it."""

    def __init__(self) -> None:
        self._records: dict[str, Mapping[str, Any]] = {}
        self._volumes: dict[str, Mapping[str, Any]] = {}
        self._known: dict[tuple[Any, ...], ImageFacts] = {}

    def add_images(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Image records of Glance; of each only what evidence needs is kept, because a list may hold thousands."""
        for record in records:
            self._records[record["id"]] = {key: record[key] for key in _KEPT if record.get(key)}

    def has(self, image_id: str) -> bool:
        """Whether the record of this image was added."""
        return image_id in self._records

    def add_volumes(self, volumes: Iterable[Mapping[str, Any]]) -> None:
        """Volume records of Cinder; those that servers boot from know their image (volume_image_metadata)."""
        for volume in volumes:
            metadata = volume.get("volume_image_metadata")
            if not metadata or str(volume.get("bootable")).lower() != "true":
                continue
            for attachment in volume.get("attachments") or ():
                server, device = attachment.get("server_id"), str(attachment.get("device"))
                if server and (server not in self._volumes or device.endswith("da")):  # /dev/vda, sda, xvda: the root
                    self._volumes[server] = metadata

    def of(self, server: Mapping[str, Any]) -> ImageFacts:
        """What is known of a server's image. Nova leaves it empty when the server boots from a volume.

        What compute API 2.98 embeds is what the server was built with, but only properties that Nova itself knows
        (os_distro, not image_original_user); the others come from Glance, as they are now.
        """
        seen = server.get("image")
        if seen:
            record = self._records.get(seen["id"], NOTHING)
            return self._facts(seen["id"], record.get("name"), seen.get("properties") or NOTHING, record)
        metadata = self._volumes.get(server["id"])
        if metadata:
            return self._facts(metadata.get("image_id"), metadata.get("image_name"), metadata, NOTHING)
        return NO_IMAGE

    def told_by(self, record: Mapping[str, Any]) -> ImageFacts:
        """What an image record of Glance tells of itself."""
        return self._facts(record["id"], record.get("name"), record, NOTHING)

    def _facts(
        self, image_id: str | None, name: str | None, told: Mapping[str, Any], otherwise: Mapping[str, Any]
    ) -> ImageFacts:
        properties = {}
        for key in LOGIN_PROPERTIES:
            value = told.get(key) or otherwise.get(key)
            if value:
                properties[key] = str(value)
        archs = (told.get(key) or otherwise.get(key) for key in _ARCH_PROPERTIES)
        arch = next((str(value).lower() for value in archs if value), None)
        memo = (image_id, name, arch, *properties.items())
        facts = self._known.get(memo)
        if facts is None:
            facts = self._known[memo] = ImageFacts(
                Image(image_id, name, *_distribution(name, properties)), properties,
                _ARCH_ALIASES.get(arch, arch) if arch else None)
        return facts


def _distribution(name: str | None, properties: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Distribution and version; the name first, because os_distro is often that of a relative. One that nobody else knows is taken
    at its owner's word."""
    told = properties.get("os_distro") or properties.get("org.openstack__1__os_distro") or ""
    version = properties.get("os_version") or properties.get("org.openstack__1__os_version")
    known = distro.identify(name, told or None, version)
    word = told.strip().lower()
    if known[0] is None and _WORD.fullmatch(word) and word not in _NO_DISTRIBUTION:
        return word, version or None
    return known
