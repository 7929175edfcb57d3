# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names and labels as Google takes them, and what is derived from a node's name so that every run derives the same. Pure.

Labels: keys and values are made lower case, and every character but letters, digits, ``-`` and ``_`` becomes ``_``. What
then is too long, begins with no letter, or falls together with another key is refused, never dropped.
"""
from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping, Sequence

from ...errors import FleetError
from ..actions import MARK

LONGEST = 63  # characters of a name, a network tag, a label's key or value

_NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
_REQUESTS = uuid.UUID("6f2c1c44-6d1e-5b0a-9d43-6f1f0e6f6f11")  # name space of our request ids
_PREFIX = "fleet-"


def check_name(name: str) -> None:
    """Raises FleetError for a name that no instance can have."""
    if not _NAME.fullmatch(name):
        raise FleetError(
            f"make node {name}", code="refused",
            why=f"Compute Engine takes no instance named '{name}' (RFC 1035)",
            fix="Use small letters, digits and hyphens, a letter first and no hyphen last, at most 63 characters.")


def is_name(name: str) -> bool:
    """Whether an instance can have that name."""
    return bool(_NAME.fullmatch(name))


def short(name: str, room: int = LONGEST) -> str:
    """``fleet-<name>`` in that many characters; a name that is too long is cut, and told from others by a digest."""
    whole = _PREFIX + name
    if len(whole) <= room:
        return whole
    return f"{whole[:room - 9].rstrip('-')}-{digest(name)}"


def digest(text: str) -> str:
    """Eight hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def request_id(token: str, *parts: object) -> str:
    """The id of a request that is the same request whenever these are the same."""
    return str(uuid.uuid5(_REQUESTS, "/".join(map(str, (token, *parts)))))


def fresh_id() -> str:
    """The id of a request that is meant to be done now, whatever was asked for before."""
    return str(uuid.uuid4())


def rotated(name: str, zones: Sequence[str]) -> list[str]:
    """The zones in the order in which a node of that name tries them: nodes are spread, and a second run begins in the
    same zone."""
    ordered = sorted(zones)
    start = int(digest(name), 16) % len(ordered) if ordered else 0
    return ordered[start:] + ordered[:start]


def labels(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags as labels. Raises FleetError for those that cannot be kept."""
    adapted: dict[str, str] = {}
    origins: dict[str, str] = {}
    for key, value in tags.items():
        label = label_key(key)
        if label in origins:
            raise _unkeepable(key, f"as a label it is '{label}', which tag '{origins[label]}' is already")
        text = _plain(str(value))
        if len(text) > LONGEST:
            raise _unkeepable(key, f"its value has {len(text)} characters, a label's may have {LONGEST}")
        origins[label], adapted[label] = key, text
    if len(adapted) > 64:
        raise FleetError("label a node", why=f"{len(adapted)} tags, Google keeps 64", code="refused", fix="Use fewer tags.")
    return adapted


def label_key(key: str) -> str:
    """The key of the label that keeps a tag."""
    label = _plain(key)
    if not label or not label[0].isalpha():
        raise _unkeepable(key, "the key of a label begins with a letter")
    if len(label) > LONGEST:
        raise _unkeepable(key, f"it has {len(label)} characters, the key of a label may have {LONGEST}")
    return label


def _plain(text: str) -> str:
    """Google also takes letters of other alphabets, but no capital ones."""
    return "".join(sign if sign.isalnum() or sign in "-_" else "_" for sign in text.lower())


def _unkeepable(key: str, why: str) -> FleetError:
    return FleetError(
        f"keep tag '{key}' as a label", why=why, code="refused", fix="Rename the tag, or shorten its value.")


def mark_words(name: str, project: str | None = None) -> str:
    """The mark in the description of what takes no labels; project: the node's, where it is not the thing's own."""
    return f"{MARK}={name}" + (f" project={project}" if project else "")


def network_tag(name: str, project: str | None = None) -> str:
    """The network tag that only this node has; project: the node's, where its network is another project's and others make
    nodes there, too."""
    return f"{short(name, LONGEST - 9)}-{digest(project)}" if project else short(name)


def marked_by(description: str, project: str | None = None) -> str | None:
    """The node whose mark a description is, with the same project; None for any other description."""
    front, end = mark_words(""), mark_words("", project).removeprefix(mark_words(""))
    name = description.removeprefix(front).removesuffix(end)
    return name if is_name(name) and description == mark_words(name, project) else None
