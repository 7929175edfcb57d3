# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Config drives as Ironic keeps them: what an installer would find on one."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import gzip
import json
import re
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Drive:
    """What a machine that was installed with it takes over."""

    hostname: str = ""
    user: str = ""
    keys: tuple[str, ...] = ()
    user_data: str = ""


def unpack(drive: object) -> Drive:
    """A config drive of any form Ironic takes: an object, or an ISO image (gzip, base64). An empty one where there is nothing to read."""
    if isinstance(drive, str) and drive.lstrip().startswith("{"):
        drive = json.loads(drive)
    if isinstance(drive, Mapping):
        user_data = drive.get("user_data") or ""
        return _drive(drive.get("meta_data") or {}, user_data if isinstance(user_data, str) else json.dumps(user_data))
    if isinstance(drive, str) and drive and not drive.startswith("http"):
        try:
            image = gzip.decompress(base64.b64decode(drive))
        except (binascii.Error, OSError, EOFError):
            return Drive()
        files = iso_files(image)
        meta = next((content for name, content in files.items() if name.endswith("latest/meta_data.json")), b"{}")
        user = next((content for name, content in files.items() if name.endswith("latest/user_data")), b"")
        return _drive(json.loads(meta), user.decode("utf-8", "replace"))
    return Drive()


def _drive(meta: Mapping[str, Any], user_data: str) -> Drive:
    keys = meta.get("public_keys") or {}
    return Drive(
        str(meta.get("hostname") or meta.get("name") or ""),
        str((meta.get("meta") or {}).get("login_user") or _user_of(user_data)),
        tuple(str(key).strip() for key in (keys.values() if isinstance(keys, Mapping) else keys)),
        user_data,
    )


def _user_of(user_data: str) -> str:
    """The first account a cloud-config asks for (its own is then made by cloud-init too); \"\" where it does not say."""
    found = re.search(r"^(?:user|  *-? *name): *[\"']?([a-z_][a-z0-9_-]*)", user_data, re.MULTILINE)
    return found[1] if found and user_data.startswith("#cloud-config") else ""


_SECTOR = 2048


def iso_files(image: bytes) -> dict[str, bytes]:
    """Names and contents of an ISO 9660 image's files, by its Joliet tree (long names), else its plain one."""
    trees = {}
    for place in range(16 * _SECTOR, len(image), _SECTOR):
        kind = image[place]
        if image[place + 1 : place + 6] != b"CD001" or kind == 255:
            break
        if kind in (1, 2):
            trees[kind] = image[place + 156 : place + 190]
    if not trees:
        return {}
    joliet = 2 in trees
    files: dict[str, bytes] = {}
    _walk(image, trees[2 if joliet else 1], "", "utf-16-be" if joliet else "ascii", files)
    return files


def _walk(image: bytes, record: bytes, path: str, encoding: str, files: dict[str, bytes]) -> None:
    start, length = int.from_bytes(record[2:6], "little") * _SECTOR, int.from_bytes(record[10:14], "little")
    place = start
    while place < start + length:
        size = image[place]
        if size == 0:
            place = (place // _SECTOR + 1) * _SECTOR
            continue
        entry = image[place : place + size]
        raw = entry[33 : 33 + entry[32]]
        if raw not in (b"\x00", b"\x01"):
            name = f"{path}/{raw.decode(encoding, 'replace').partition(';')[0]}"
            if entry[25] & 2:
                _walk(image, entry, name, encoding, files)
            else:
                first = int.from_bytes(entry[2:6], "little") * _SECTOR
                files[name] = image[first : first + int.from_bytes(entry[10:14], "little")]
        place += size
