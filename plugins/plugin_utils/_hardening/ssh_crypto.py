# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which algorithms a server offers, by what its release knows. Pure.

``post_quantum`` is what ssh-audit passes without a word from OpenSSH 8.5 on; clients older than that (Debian 11, RHEL 8) do not get in.
``compatible`` has the same algorithms first and then those that every client of the last eight years knows.
"""
from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

Version = tuple[int, int]

COMPATIBLE, POST_QUANTUM = "compatible", "post_quantum"
_QUANTUM: tuple[tuple[str, Version], ...] = (
    ("mlkem768x25519-sha256", (9, 9)), ("sntrup761x25519-sha512", (9, 9)), ("sntrup761x25519-sha512@openssh.com", (8, 5)))
_CLASSIC: tuple[tuple[str, Version], ...] = (
    ("curve25519-sha256", (7, 4)), ("curve25519-sha256@libssh.org", (6, 5)), ("diffie-hellman-group16-sha512", (7, 3)),
    ("diffie-hellman-group18-sha512", (7, 3)))
_CIPHERS: tuple[tuple[str, Version], ...] = (
    ("chacha20-poly1305@openssh.com", (6, 5)), ("aes256-gcm@openssh.com", (6, 2)), ("aes128-gcm@openssh.com", (6, 2)), ("aes256-ctr", (3, 7)),
    ("aes192-ctr", (3, 7)), ("aes128-ctr", (3, 7)))
_MACS: tuple[tuple[str, Version], ...] = (("hmac-sha2-512-etm@openssh.com", (6, 2)), ("hmac-sha2-256-etm@openssh.com", (6, 2)))
_ED25519: tuple[tuple[str, Version], ...] = (("ssh-ed25519", (6, 5)), ("ssh-ed25519-cert-v01@openssh.com", (6, 5)))
_RSA: tuple[tuple[str, Version], ...] = (
    ("rsa-sha2-512", (7, 2)), ("rsa-sha2-256", (7, 2)), ("rsa-sha2-512-cert-v01@openssh.com", (7, 8)), ("rsa-sha2-256-cert-v01@openssh.com", (7, 8)))
SHORTEST_RSA = 3072


def version_of(text: str) -> Version:
    """(9, 2) of "9.2p1"; the oldest that is of any use here when it is not told."""
    found = re.search(r"(\d+)\.(\d+)", text or "")
    return (int(found.group(1)), int(found.group(2))) if found else (7, 4)


def key_exchange(kind: str, version: Version, knows: Collection[str], client: Collection[str]) -> tuple[list[str], str]:
    """The list and, when it is not what ``kind`` asks for, why. knows: what the node's OpenSSH tells, else its release decides; client: what
    this controller's ssh knows, empty when that is unknown."""
    quantum, classic = _known(_QUANTUM, version, knows), _known(_CLASSIC, version, knows)
    if kind != POST_QUANTUM:
        return quantum + classic, ""
    if not quantum:
        return classic, "this OpenSSH knows no post-quantum key exchange"
    if client and not set(client) & set(quantum):
        return quantum + classic, "the ssh client of this controller knows no post-quantum key exchange"
    return quantum, ""


def ciphers(version: Version, knows: Collection[str]) -> list[str]:
    return _known(_CIPHERS, version, knows)


def macs(version: Version, knows: Collection[str]) -> list[str]:
    return _known(_MACS, version, knows)


def host_key_algorithms(version: Version, host_keys: Mapping[str, int], ed25519_comes: bool) -> tuple[list[str], str]:
    """The list and why RSA is not in it. host_keys: types that the server has and their bits."""
    found = _known(_ED25519, version, ()) if "ed25519" in host_keys or ed25519_comes else []
    bits = host_keys.get("rsa", 0)
    if bits >= SHORTEST_RSA:
        return found + _known(_RSA, version, ()), ""
    return found, f"the RSA host key has {bits} bits, so it is not shown" if bits else ""


def _known(table: Sequence[tuple[str, Version]], version: Version, knows: Collection[str]) -> list[str]:
    return [name for name, since in table if (name in knows if knows else version >= since)]
