# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""SSH keys in the metadata of an instance: lines ``user:type key comment`` of ``ssh-keys``. Pure."""
from __future__ import annotations

import re
from collections.abc import Mapping

from ...errors import FleetError

DEFAULT_USER = "fleet"
"""Account that is made for the node's key when nobody names one: Google's images have no login user of their own."""

ITEMS = ("ssh-keys", "sshKeys")  # the second one is Google's older name

_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_KEY = re.compile(r"(\S+)\s+(\S+)(?:\s+(.*))?")


def entry(user: str, public_key: str) -> str:
    """The line for a key. Raises FleetError for what would not be one."""
    found = _KEY.fullmatch(public_key.strip())
    if not found or "\n" in public_key.strip():
        raise FleetError("put an SSH key into the metadata", why="the public key is not one OpenSSH line", code="refused",
                         fix="Give a line as in a .pub file: type, key, comment.")
    if not _USER.fullmatch(user):
        raise FleetError("put an SSH key into the metadata", why=f"'{user}' is no name of a Linux account", code="refused",
                         fix="Use small letters, digits, hyphens and underscores, at most 32.")
    comment = (found[3] or user).strip()
    if comment.startswith("google-ssh"):  # would be read as an expiry date
        comment = user
    return f"{user}:{found[1]} {found[2]} {comment}"


def lines(items: Mapping[str, str]) -> tuple[str, ...]:
    """The keys without their users, as OpenSSH lines."""
    found = (line.strip().partition(":")[2] for key in ITEMS for line in items.get(key, "").splitlines())
    return tuple(dict.fromkeys(line for line in found if line))


def added(items: Mapping[str, str], user: str, public_key: str) -> dict[str, str]:
    """The metadata with that key for that user; equal to items when it is there already."""
    wanted = entry(user, public_key)
    present = items.get("ssh-keys", "").splitlines()
    if any(line.strip().partition(":")[0] == user and _same(line, public_key) for line in present):
        return dict(items)
    return {**items, "ssh-keys": "\n".join([*present, wanted])}


def removed(items: Mapping[str, str], public_key: str) -> dict[str, str]:
    """The metadata without that key, whoever it is for; equal to items when it is not there."""
    left = dict(items)
    for key in ITEMS:
        present = items.get(key, "").splitlines()
        kept = [line for line in present if not _same(line, public_key)]
        if len(kept) == len(present):
            continue
        if kept:
            left[key] = "\n".join(kept)
        else:
            del left[key]
    return left


def _same(line: str, public_key: str) -> bool:
    """Whether a line of the metadata holds that key; comments do not count."""
    return line.strip().partition(":")[2].split()[:2] == public_key.split()[:2]
