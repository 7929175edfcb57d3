# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Public keys by cloud and name, on the controller: for clouds that keep no keys apart from nodes. Holds no secret."""
from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping

from . import home
from .errors import FleetError

VARIABLE = "HYBRIDOPS_FLEET_KEY_DIR"


def folder(given: str | None, environ: Mapping[str, str]) -> str:
    """The key ring's folder: the one given, else the environment's, else the default."""
    return os.path.expanduser(given or environ.get(VARIABLE) or home.kept(environ, "keys"))


def path_of(ring: str, cloud: str, name: str) -> str:
    """File of a public key. Names are made safe for a file system; they cannot lead out of the ring."""
    return os.path.join(ring, *(_safe(part) for part in (cloud, f"{name}.pub")))


def read(ring: str, cloud: str, name: str) -> str | None:
    """The public key of that name, None when the ring has none."""
    try:
        with open(path_of(ring, cloud, name), encoding="utf-8") as file:
            return file.read().strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def write(ring: str, cloud: str, name: str, public_key: str) -> bool:
    """Keep a public key; whether that changed anything. Raises FleetError."""
    if read(ring, cloud, name) == public_key:
        return False
    path = path_of(ring, cloud, name)
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        number, spare = tempfile.mkstemp(dir=os.path.dirname(path))
        try:
            with os.fdopen(number, "w", encoding="utf-8") as file:
                file.write(public_key + "\n")
            os.replace(spare, path)
        except OSError:
            os.remove(spare)
            raise
    except OSError as problem:
        raise FleetError("keep the public key", why=f"{problem.strerror}: {path}", code="disk",
                         fix=f"Make the folder writable, or choose another one with 'key_dir' or {VARIABLE}.") from None
    return True


def remove(ring: str, cloud: str, name: str) -> bool:
    """Forget a public key; whether there was one."""
    try:
        os.remove(path_of(ring, cloud, name))
    except OSError:
        return False
    return True


def _safe(part: str) -> str:
    text = "".join(sign if sign.isalnum() or sign in "._-@" else "_" for sign in part)
    if text == part and text.strip("."):
        return text
    # two names that look alike once they are safe stay two
    return f"{text.strip('.')}~{hashlib.sha256(part.encode()).hexdigest()[:8]}"


def blob(public_key: str) -> str:
    """The key itself, without type and comment: what two lines of one key have in common."""
    fields = public_key.split()
    return next((field for field in fields if field.startswith("AAAA")), public_key.strip())
