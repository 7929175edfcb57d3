# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who would be shut out by a restore: what was before the first run may know nothing of today's account, key or port. Pure."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import lockout
from .decision import Connection, Facts

_ONE_BY_ONE = frozenset({"port", "listenaddress"})
_LISTS = ("allowusers", "allowgroups", "denyusers", "denygroups")


def refusals(facts: Facts, told: Mapping[str, Any], connection: Connection) -> list[str]:
    """Reasons, empty when the account gets in as before. told: what module harden_apply says of the former state (RV former)."""
    if (facts.get("login") or {}).get("config"):
        return []  # through a server of its own, which no restore touches
    found: list[str] = []
    login = lockout.of(facts, by_password=connection.by_password, port=connection.port, access={**(told.get("access") or {}), "ages": True})
    if told.get("refused"):
        found.append(f"sshd would not start with its former configuration ({told['refused']})")
    now, after = (facts.get("sshd") or {}).get("login") or {}, told.get("sshd") or {}
    if after:
        # its lists alone hold then, not those of today with it; a port or address that no line names is sshd's own
        lists = {name: after.get(name) or () for name in _LISTS}
        wanted = {name: " ".join(values) for name, values in after.items() if name not in _LISTS}
        found += lockout.sshd(login, {**now, **lists}, wanted)
        if login.loose and (after.get("strictmodes") or ["yes"])[0] == "yes" and (now.get("strictmodes") or ["yes"])[0] == "yes":
            found.append(_loose(login))
    elif login.loose and (now.get("strictmodes") or ["yes"])[0] == "yes":
        found.append(_loose(login))
    if str(told.get("shell") or "").endswith(("nologin", "false")):
        found.append(f"{login.user} would have the shell {told['shell']} again: usermod -s later, or log in as another account")
    if told.get("ages") and login.aged and (now.get("usepam") or ["yes"])[0] == "yes":
        found.append(f"the password of {login.user} is too old, and PAM would shut its keys out, too: chage -M -1 {login.user}")
    return found


def _loose(login: lockout.Login) -> str:
    return f"sshd looks at no key of {login.user} while others can write to {', '.join(login.loose)}, as they could before: log in as another account"
