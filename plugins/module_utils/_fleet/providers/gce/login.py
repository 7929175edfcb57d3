# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who can log in, as far as metadata tells. Pure; the rules are those of Google's guest agent.

- Lines of ``ssh-keys`` and of the legacy ``sshKeys`` are ``user:type key comment``; a comment that begins with
  ``google-ssh`` carries ``{"userName": ..., "expireOn": ...}``; expired and malformed ones make no user.
- Keys of the project count too, unless the instance has ``block-project-ssh-keys`` or the legacy ``sshKeys``.
- With OS Login (``enable-oslogin``, the instance's word before the project's) the keys in the metadata are ignored.
"""
from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ...shape import LoginEvidence

OPERATOR_KEYS = ("fleet_login_user", "ssh_user", "login_user", "fleet_ssh_port", "ssh_port", "fleet_public_ip")
"""Metadata or labels in which the operator tells us something; no other metadata is kept, as it may hold secrets."""

_TRUE = frozenset({"1", "t", "true", "y", "yes"})
_FALSE = frozenset({"0", "f", "false", "n", "no"})
_INSTANCE_KEYS = "instance metadata ssh-keys"
_PROJECT_KEYS = "project metadata ssh-keys"


@dataclasses.dataclass(frozen=True, slots=True)
class ProjectLogin:
    """What a project's metadata says for all its instances; readable is False when we may not see it."""

    users: tuple[str, ...] = ()
    os_login: bool | None = None
    readable: bool = True


def items_of(metadata: Any) -> dict[str, str]:
    """Keys and values of a ``compute#metadata`` object; None or anything malformed counts as empty."""
    rows = metadata.get("items") if isinstance(metadata, Mapping) else None
    return {row["key"]: row.get("value") or "" for row in rows or () if isinstance(row, Mapping) and "key" in row}


def project_login(items: Mapping[str, str], now: datetime.datetime) -> ProjectLogin:
    """The project's part of the answer; now is aware, keys that expired before it are left out."""
    return ProjectLogin(users=_users(items, now), os_login=_flag(items.get("enable-oslogin")))


def os_login_told(items: Mapping[str, str]) -> bool | None:
    """Whether these metadata items turn OS Login on or off, None when they do not tell."""
    return _flag(items.get("enable-oslogin"))


def login_evidence(
    items: Mapping[str, str], labels: Mapping[str, str], project: ProjectLogin, now: datetime.datetime,
    platform: str | None,
) -> LoginEvidence:
    """Login evidence of one instance: its metadata items and labels on top of what its project says."""
    own = _users(items, now)
    blocked = bool(items.get("sshKeys")) or _flag(items.get("block-project-ssh-keys")) is True
    inherited = () if blocked else project.users
    return LoginEvidence(
        metadata={key: value for key in OPERATOR_KEYS if (value := items.get(key) or labels.get(key))},
        key_users=tuple(dict.fromkeys(own + inherited)),
        key_source=_source(own, inherited, blocked, project.readable),
        os_login=_os_login(_flag(items.get("enable-oslogin")), project.os_login),
        platform=platform,
    )


def _source(own: tuple[str, ...], inherited: tuple[str, ...], blocked: bool, readable: bool) -> str:
    if own:
        return _INSTANCE_KEYS
    if inherited:
        return _PROJECT_KEYS
    if blocked:
        return "the instance metadata, and the instance blocks the project's keys"
    return "" if readable else "the instance metadata, and the project's metadata could not be read"


def _os_login(instance: bool | None, project: bool | None) -> str:
    if instance is None:
        return "OS Login is on (project metadata enable-oslogin)" if project else ""
    return "OS Login is on (instance metadata enable-oslogin)" if instance else ""


def _flag(value: str | None) -> bool | None:
    """A boolean of the metadata, None when it is absent or no boolean (then it counts as not set)."""
    word = value.strip().lower() if value else ""
    return True if word in _TRUE else False if word in _FALSE else None


def _users(items: Mapping[str, str], now: datetime.datetime) -> tuple[str, ...]:
    lines = [line for key in ("ssh-keys", "sshKeys") for line in items.get(key, "").splitlines()]
    return tuple(dict.fromkeys(_living(lines, now))) if lines else ()


def _living(lines: Iterable[str], now: datetime.datetime) -> Iterable[str]:
    """The users of the lines whose key is well-formed and not expired."""
    for line in lines:
        user, colon, key = line.strip().partition(":")
        fields = key.split(None, 2)
        if not (user and colon and len(fields) >= 2):
            continue
        comment = fields[2] if len(fields) > 2 else ""
        if not comment.startswith("google-ssh") or _lives(comment.removeprefix("google-ssh"), now):
            yield user


def _lives(described: str, now: datetime.datetime) -> bool:
    """Whether a key with this google-ssh comment may still be used; the agent drops those it cannot read."""
    try:
        return datetime.datetime.fromisoformat(json.loads(described)["expireOn"]) > now
    except (ValueError, KeyError, TypeError):
        return False
