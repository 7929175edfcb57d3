# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Users' public keys: lines, blobs, and the public part of a private key file."""
from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

_BLOB = re.compile(r"(?:^|\s)((?:ssh|ecdsa|sk)-[A-Za-z0-9@.-]+)\s+(AAAA[A-Za-z0-9+/]+=*)(?:\s|$)")


def blob(line: str) -> str | None:
    """The base64 part, which is the key; type, options and comment say nothing about who gets in."""
    found = _BLOB.search(line)
    return found.group(2) if found else None


def lines(given: Sequence[str]) -> list[str]:
    """Public keys as lines of an authorized_keys file. Each item is a key, several keys, or the path of a file that holds them.
    Raises FleetError naming the item."""
    found: list[str] = []
    for number, item in enumerate(given):
        text = str(item).strip()
        if not blob(text) and text:
            text = _contents(text, number)
        for line in map(str.strip, text.splitlines()):
            if not line or line.startswith("#"):
                continue
            if not blob(line):
                raise _wrong(number, "it holds a line that is no public key")
            if line not in found:
                found.append(line)
    return found


def _contents(path: str, number: int) -> str:
    if "PRIVATE KEY" in path:
        raise _wrong(number, "it is a private key")
    if "\n" in path or len(path) > 4096:
        raise _wrong(number, "it is neither a public key nor the path of a file")
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as file:
            text = file.read()
    except (OSError, ValueError) as problem:
        raise _wrong(number, f"it is no public key, and the file {path} cannot be read ({problem})") from None
    if "PRIVATE KEY" in text:
        raise _wrong(number, f"{path} holds a private key; name the .pub file")
    return text


def _wrong(number: int, why: str) -> FleetError:
    return FleetError(f"access_authorized_keys[{number}]", why=why, code="argument",
                      fix="Give lines of the form 'ssh-ed25519 AAAA... comment', or paths of .pub files.")


def public_part(path: str) -> str | None:
    """The blob of a private key file; None when it cannot be told."""
    return blob(public_line(path))


def public_line(path: str | None) -> str:
    """The public part of a private key file: of the .pub beside it when the key has a passphrase; empty when it cannot be told."""
    if not path:
        return ""
    full = os.path.expanduser(path)
    try:
        done = subprocess.run(
            ["ssh-keygen", "-y", "-P", "", "-f", full], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL, check=False)
        if done.returncode == 0:
            return done.stdout.strip()
        with open(full + ".pub", encoding="utf-8") as file:
            return file.read().strip()
    except (OSError, ValueError, subprocess.SubprocessError):
        return ""
