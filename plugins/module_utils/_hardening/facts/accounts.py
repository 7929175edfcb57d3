# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Accounts, who is logged in for Ansible, and what sudo allows."""
from __future__ import annotations

import grp
import os
import pwd
import time
from typing import Any

from ..system import System
from . import session


def all_of(system: System) -> list[dict[str, Any]]:
    """name, uid, gid, home, shell, groups, password (set, locked, empty, none), last_change (days since 1970), min_days, max_days, warn_days,
    inactive_days, expires (day), keys (number of keys in its authorized_keys). Numbers are None where nothing is said."""
    shadow = {line.split(":")[0]: line.split(":") for line in system.text("/etc/shadow").splitlines() if ":" in line}
    groups: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for line in system.text("/etc/group").splitlines():
        fields = line.split(":")
        if len(fields) >= 4:
            names[fields[2]] = fields[0]
            for member in filter(None, fields[3].split(",")):
                groups.setdefault(member, []).append(fields[0])
    found = []
    for line in system.text("/etc/passwd").splitlines():
        fields = line.split(":")
        if len(fields) < 7 or not fields[2].isdigit():
            continue
        name, own = fields[0], shadow.get(fields[0], [])
        main = [names[fields[3]]] if fields[3] in names else []
        found.append({
            "name": name, "uid": int(fields[2]), "gid": int(fields[3]), "home": fields[5], "shell": fields[6],
            "groups": main + [group for group in groups.get(name, []) if group not in main], "password": _password(own[1] if len(own) > 1 else None),
            "last_change": _number(own, 2), "min_days": _number(own, 3), "max_days": _number(own, 4), "warn_days": _number(own, 5),
            "inactive_days": _number(own, 6), "expires": _number(own, 7), "keys": _keys(system, fields[5])})
    return found


def crontabs(system: System) -> list[str]:
    """Accounts that have a plan of their own."""
    found: set[str] = set()
    for folder in ("/var/spool/cron/crontabs", "/var/spool/cron"):
        if os.path.isdir(system.real(folder)):
            found.update(name for name in os.listdir(system.real(folder)) if os.path.isfile(system.real(folder + "/" + name)) and "." not in name)
    return sorted(found)


def login(system: System) -> dict[str, Any]:
    """user: the account that Ansible is connected as, before it became root; address, port, to_address, to_port of its ssh connection, None
    where it is none; groups: names, None where they cannot be told; method, key, print, config: see ``session``; today: days since 1970."""
    me = pwd.getpwuid(os.getuid()).pw_name
    seen = session.about(system)
    user = seen["user"] or os.environ.get("SUDO_USER") or os.environ.get("DOAS_USER") or me
    words = seen["connection"].split()
    told: dict[str, Any] = {"user": user, "became": me, "today": int(time.time() // 86400)}
    fields = words if len(words) == 4 else [None] * 4
    told.update(address=fields[0], port=fields[1], to_address=fields[2], to_port=fields[3])
    told.update((name, seen[name]) for name in ("method", "key", "print", "config"))
    told["groups"] = _groups(user)
    return told


def _groups(user: str) -> list[str] | None:
    """Names of all its groups, those of a directory too; None where they cannot be told."""
    try:
        numbers = os.getgrouplist(user, pwd.getpwnam(user).pw_gid)
        return [grp.getgrgid(number).gr_name for number in numbers]
    except (KeyError, OSError):
        return None


def count_keys(system: System, found: list[dict[str, Any]], patterns: list[str]) -> None:
    """Keys of accounts where sshd looks for them. patterns: of AuthorizedKeysFile; those in homes are counted already."""
    for account in found:
        for pattern in patterns:
            if pattern.startswith("/"):
                text = system.text(pattern.replace("%u", account["name"]).replace("%h", account["home"]))
                account["keys"] += 0 if "%u" not in pattern and "%h" not in pattern else _count(text)


def sudo(system: System) -> dict[str, Any]:
    """present; version; without_password: accounts and %groups that some rule lets run commands without a password; includes_folder."""
    files = ["/etc/sudoers"]
    folder = system.real("/etc/sudoers.d")
    if os.path.isdir(folder):
        files += ["/etc/sudoers.d/" + name for name in sorted(os.listdir(folder)) if "." not in name and not name.endswith("~")]
    without: list[str] = []
    for path in files:
        for line in system.text(path).replace("\\\n", " ").splitlines():
            words = line.split("#")[0].split()
            if "NOPASSWD" in line.split("#")[0] and words[0] not in ("Defaults", "Cmnd_Alias", *without):
                without.append(words[0])
    version = system.run(["sudo", "-V"]).out.splitlines()[:1]
    text = system.text("/etc/sudoers")
    return {"present": system.has("sudo"), "version": version[0].split()[-1] if version else "", "without_password": without, "files": files,
            "includes_folder": "includedir /etc/sudoers.d" in text}


def _password(field: str | None) -> str:
    if field is None:
        return "none"
    if field == "":
        return "empty"
    return "locked" if field[0] in "!*" else "set"


def _number(fields: list[str], place: int) -> int | None:
    text = fields[place] if len(fields) > place else ""
    return int(text) if text.lstrip("-").isdigit() else None


def _keys(system: System, home: str) -> int:
    if not home.startswith("/"):
        return 0
    return _count(system.text(home + "/.ssh/authorized_keys")) + _count(system.text(home + "/.ssh/authorized_keys2"))


def _count(text: str) -> int:
    return sum(1 for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
