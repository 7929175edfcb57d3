# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kinds ``sshd`` and ``sshd_value``: the server's configuration, tried on a copy before anything of the node is touched.

``sshd`` writes the file; ``sshd_value`` tells, control by control, what the configuration comes to, because the first value counts and others may
have set one before.
"""
from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from typing import Any

from .. import sshd_copy, undo
from ..plan import Change, Item, Plan
from ..sshd_copy import Values
from ..system import System
from . import files

BEGIN, END = "# BEGIN hybridops.fleet.ssh_hardening", "# END hybridops.fleet.ssh_hardening"
ACCESS_END = "# END hybridops.fleet.access"
CUMULATIVE = frozenset({"allowusers", "allowgroups", "denyusers", "denygroups", "hostkey", "hostcertificate", "listenaddress", "port", "acceptenv"})
"""Of these every line counts, not only the first."""
_outlooks: weakref.WeakKeyDictionary[System, Outlook] = weakref.WeakKeyDictionary()


class Side:
    """values: by ``sshd -T``; lines: what the files say, for the few settings that it does not tell."""

    def __init__(self, values: Values, lines: Sequence[sshd_copy.Line]) -> None:
        self.values, self.lines = values, lines

    def get(self, keyword: str) -> list[str] | None:
        lines = [line.value for line in self.lines if line.keyword == keyword and not line.match]
        return self.values.get(keyword) or (lines if keyword in CUMULATIVE else lines[:1]) or None


class Outlook:
    """What the configuration comes to, before and after. own: files that are ours, or hold a block of ours."""

    def __init__(self, before: Side, after: Side, own: Sequence[str]) -> None:
        self.before, self.after, self.own = before, after, own

    def setter(self, keyword: str) -> str:
        """Who, other than us, sets a keyword first, in words."""
        found = next((line for line in self.before.lines if line.keyword == keyword and not line.match and line.path not in self.own), None)
        return f"{found.path} line {found.number} sets it first" if found else "it keeps another value"


def plan(system: System, item: Item) -> Plan:
    """path: a file in sshd_config.d; content: what is to hold; everywhere: also in the main file, where auditors look; login: the account that
    Ansible logs in as ({"user", "address", "to_address", "to_port"})."""
    server = sshd_copy.server(system)
    main = sshd_copy.main_file(system)
    if not server or not main:
        return Plan(not_possible="there is no OpenSSH server here")
    folder = tempfile.mkdtemp(prefix="hybridops-fleet-")
    try:
        return _plan(system, item, sshd_copy.Trial(system, server, main, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def plan_value(system: System, item: Item) -> Plan:
    """values {keyword: value}: those of one control. Comes after the item ``sshd``, which changes them."""
    outlook = _outlooks.get(system)
    if outlook is None:
        return Plan(not_possible="there is no OpenSSH server here, or its configuration could not be tried")
    told: list[str] = []
    kept: list[str] = []
    for keyword, value in item["values"].items():
        name = keyword.lower()
        before, after = outlook.before.get(name), outlook.after.get(name)
        if not _same(name, after, value):
            kept.append(f"{keyword} stays {' '.join(after or ['unset'])}: {outlook.setter(name)}")
        elif not _same(name, before, value):
            told.append(f"{keyword} {value}")
    if not told:
        return Plan(not_possible="; ".join(kept))
    # the file is the item's that came before, and so is the way back
    path = outlook.own[0]
    change = Change("path:" + path, lambda keep: [undo.of_path(system, path, keep)], lambda: None, detail=", ".join(told))
    return Plan([change], not_possible="; ".join(kept))


def block(content: str) -> str:
    return f"{BEGIN}\n{content}{END}\n"


def with_block(text: str, content: str, first: bool) -> str:
    """The main file with our block: first of all, after that of role access, or right after the line that includes other files."""
    lines = text.splitlines(keepends=True)
    marks = [number for number, line in enumerate(lines) if line.rstrip() in (BEGIN, END)]
    if len(marks) == 2:
        del lines[marks[0]:marks[1] + 1]
    place = next((number + 1 for number, line in enumerate(lines) if line.rstrip() == ACCESS_END), 0)
    if not first:
        place = next((number + 1 for number, line in enumerate(lines) if line.split()[:1] and line.split()[0].lower() == "include"), place)
    if not content:
        return "".join(lines)
    if place and not lines[place - 1].endswith("\n"):
        lines[place - 1] += "\n"
    return "".join([*lines[:place], block(content), *lines[place:]])


# ---------------------------------------------------------------------------------------------------- details
def _plan(system: System, item: Item, trial: sshd_copy.Trial) -> Plan:
    said = trial.refused({})
    if said:
        return Plan(failed="sshd's configuration does not validate as it is, before anything was changed: " + said)
    texts = _texts(trial, item)
    said = trial.refused(texts)
    if said:
        return Plan(failed="sshd refuses the new configuration: " + said)
    before, after = trial.values({}, item.get("login")), trial.values(texts, item.get("login"))
    shut = shut_out(before, after, item.get("login") or {})
    if shut:
        return Plan(failed="it would shut Ansible out: " + shut)
    _outlooks[system] = Outlook(Side(before, trial.lines({})), Side(after, trial.lines(texts)), list(texts))
    changes: list[Change] = []
    for name, text in texts.items():
        planned = files.plan_file(system, _file(system, name, text))
        if planned.failed:
            return planned
        changes += planned.changes
    return Plan(changes)


def _texts(trial: sshd_copy.Trial, item: Item) -> dict[str, str]:
    """The new contents: our own file where it is read, and a block in the main file where it is not, where the main file has set something
    before it is, or where auditors are to see it."""
    path, content, main = item["path"], item["content"], trial.main
    old = trial.text(main)
    bare = with_block(old, "", first=False)
    lines = [line for line in trial.lines({path: content, main: bare}) if not line.match]
    first: dict[str, str] = {}
    for line in lines:
        first.setdefault(line.keyword, line.path)
    ours = {line.keyword for line in lines if line.path == path}
    beaten = any(first[keyword] == main for keyword in ours - CUMULATIVE)
    if not ours:
        return {main: with_block(old, content, first=True)}
    if beaten or item.get("everywhere"):
        return {path: content, main: with_block(old, content, first=beaten)}
    return {path: content, main: bare} if bare != old else {path: content}


def shut_out(before: Values, after: Values, login: dict[str, Any]) -> str:
    """Why the account that Ansible uses could not log in any more, by what sshd itself says would hold for it; empty when it could."""
    user = str(login.get("user") or "")
    if not user or not after:
        return ""
    if (after.get("pubkeyauthentication") or ["yes"])[0] != "yes" and not _passwords(after):
        return f"no key of {user} would be looked at (PubkeyAuthentication no, perhaps in a Match block)"
    if user == "root" and (after.get("permitrootlogin") or ["yes"])[0] == "no" and (before.get("permitrootlogin") or ["yes"])[0] != "no":
        return "root may not log in any more (PermitRootLogin no)"
    methods = " ".join(after.get("authenticationmethods") or ["any"]).split()
    offered = {"publickey", *(["password"] if _yes(after, "passwordauthentication") else []),
               *(["keyboard-interactive"] if _yes(after, "kbdinteractiveauthentication") else []), "hostbased", "gssapi-with-mic", "any", "none"}
    if methods and not any({part.split(":")[0] for part in way.split(",")} <= offered for way in methods):
        return f"AuthenticationMethods {' '.join(methods)} asks for what would be off"
    return ""


def _yes(values: Values, keyword: str) -> bool:
    return (values.get(keyword) or ["no"])[0] == "yes"


def _passwords(values: Values) -> bool:
    return _yes(values, "passwordauthentication") or _yes(values, "kbdinteractiveauthentication")


def _same(keyword: str, values: list[str] | None, wanted: Any) -> bool:
    """sshd -T writes some values in other words, and lists on several lines."""
    have, want = " ".join(values or []).lower().split(), str(wanted).lower().split()
    if keyword in CUMULATIVE:
        return set(want) <= set(have)
    return [_plain(word) for word in have] == [_plain(word) for word in want] or (want == ["none"] and not have)


def _plain(word: str) -> str:
    """Times in seconds, amounts in bytes, the names of today."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "k": 1 << 10, "g": 1 << 30}
    if word[:-1].isdigit() and word[-1] in units:
        return str(int(word[:-1]) * units[word[-1]])
    return {"without-password": "prohibit-password"}.get(word, word)


def _file(system: System, path: str, content: str) -> Item:
    """An existing file keeps mode and owner."""
    real = system.real(path)
    mode, owner, group = 0o600, system.uid, system.gid
    if os.path.exists(real):
        found = os.stat(real)
        mode, owner, group = found.st_mode & 0o7777, found.st_uid, found.st_gid
    return {"kind": "file", "path": path, "content": content, "mode": f"{mode:04o}", "owner": owner, "group": group}
