# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a booted instance tells the cloud by itself: its SSH host key, on the console and as guest attributes."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .errors import Json
from .store import metadata_value, timestamp
from .world import World


def real_console(ident: str) -> str | None:
    """What the lab's real host behind an instance printed; None where there is no such host."""
    folder = os.environ.get("FLEET_LAB_CONSOLES")
    try:
        return (Path(folder) / ident).read_text(encoding="utf-8", errors="replace") if folder else None
    except OSError:
        return None


class Guests:
    """A listener of the store that plays the guests of instances no real host stands behind."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._host_keys: dict[str, str] = {}  # id of an instance -> its public key, for life

    def __call__(self, event: str, path: str, instance: Json) -> None:
        if event == "running" and not Path(os.environ.get("FLEET_LAB_CONSOLES", "-")).is_dir():  # else real hosts speak for themselves
            self._boot(path, instance)
        elif event == "deleted":
            self._host_keys.pop(instance["id"], None)

    def _boot(self, path: str, instance: Json) -> None:
        kind, _space, key = self._host_keys.setdefault(instance["id"], _new_host_key()).partition(" ")
        self._world.consoles[path] = self._world.consoles.get(path, "") + "\n".join(
            (
                f"{timestamp()} lab: {instance['name']} boots",
                "-----BEGIN SSH HOST KEY KEYS-----",
                f"{kind} {key} root@{instance['name']}",
                "-----END SSH HOST KEY KEYS-----",
                "",
            )
        )
        if str(metadata_value(instance["metadata"], "enable-guest-attributes")).upper() == "TRUE":
            self._world.guest_attributes.setdefault(path, {})[f"hostkeys/{kind}"] = key


def _new_host_key() -> str:
    public = Ed25519PrivateKey.generate().public_key()
    return public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
