# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""SSH keys in Nova's key store."""
from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from ...errors import FleetError
from ..actions import StoredKey, key_mark
from .refusals import refusal

if TYPE_CHECKING:
    from .region import Region


class Keys:
    """The keypairs of the user in one region."""

    def __init__(self, region: Region) -> None:
        self._region = region

    def find(self, name: str) -> StoredKey | None:
        """The key of that name, None when there is none."""
        status, told = self._region.send("GET", "compute", _path(name), what=f"read key {name}", ok=(404,))
        if status == 404:
            return None
        row = told.get("keypair") or {}
        public = str(row.get("public_key") or "").strip()
        return StoredKey(name, row.get("fingerprint") or None, public or None, public.endswith(f" {key_mark(name)}"))

    def names(self, prefix: str) -> set[str]:
        """Names of the keys that begin so; Nova keeps nothing else by which they could be known."""
        pages = self._region.pages("compute", "/os-keypairs", "keypairs", {}, what="list keys")
        names = (str((row.get("keypair") or {}).get("name") or "") for page in pages for row in page)
        return {name for name in names if name.startswith(prefix)}

    def add(self, name: str, public_key: str) -> None:
        """Put a key in. Raises FleetError, code key_differs when the name is taken by another key."""
        what = f"add key {name}"
        body = {"keypair": {"name": name, "public_key": public_key.strip()}}
        if self._region.compute_minor() >= 2:
            body["keypair"]["type"] = "ssh"
        # sent again after a lost answer it is refused as a double, and then compared
        status, told = self._region.post("compute", "/os-keypairs", body, what=what, ok=(400, 403, 409, 413))
        if status < 400:
            return
        if status != 409:
            raise refusal(what, status, told, "" if status != 400 else "Correct the key or its name (letters, digits, spaces, -_@. only).")
        stored = self.find(name)
        if stored is None or stored.public_key is None or _blob(stored.public_key) != _blob(public_key):
            raise FleetError(what, why="there is another key of that name", fix="Choose another name, or remove that key first.",
                             code="key_differs")

    def remove(self, name: str) -> bool:
        """Take a key out; whether there was one."""
        status, _told = self._region.send("DELETE", "compute", _path(name), what=f"remove key {name}", ok=(404,))
        return status != 404


def _path(name: str) -> str:
    return f"/os-keypairs/{quote(name, safe='')}"


def _blob(public_key: str) -> str:
    """The key itself, without its comment."""
    return " ".join(public_key.split()[:2])
