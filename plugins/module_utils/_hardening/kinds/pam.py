# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kinds ``pam`` (profiles of pam-auth-update on Debian, options of modules) and ``authselect`` (features on Red Hat).

The stacks themselves stay the distribution's: a profile that pam-auth-update or authselect merges survives an upgrade of a package.
"""
from __future__ import annotations

import re
from typing import Any

from .. import undo
from ..plan import Change, Item, Plan
from ..system import System
from ..undo import Step

STACKS = ("auth", "account", "password", "session", "session-noninteractive")


def plan(system: System, item: Item) -> Plan:
    """profiles {name: text of a profile}; options [{stack, module, add, remove}]: words after a module in /etc/pam.d/common-<stack>."""
    if not system.has("pam-auth-update"):
        return Plan(not_possible="there is no pam-auth-update")
    profiles: dict[str, str] = item.get("profiles") or {}
    options: list[dict[str, Any]] = item.get("options") or []
    missing = [name for name, text in profiles.items() if system.text("/usr/share/pam-configs/" + name) != text or _absent(system, text)]
    wrong = [row for row in options if with_options(_stack(system, row["stack"]), row) != _stack(system, row["stack"])]
    if not missing and not wrong:
        return Plan()

    def back(keep: undo.Keep) -> list[Step]:
        paths = ["/usr/share/pam-configs/" + name for name in profiles] + ["/etc/pam.d/common-" + stack for stack in STACKS]
        paths += ["/var/lib/pam/" + name for name in (*STACKS, "seen")]
        return [undo.of_path(system, path, keep) for path in paths]

    def act() -> None:
        for name in missing:
            system.write("/usr/share/pam-configs/" + name, profiles[name].encode(), 0o644)
        if missing:
            answer = system.run(["pam-auth-update", "--enable", *missing])
            still = [name for name in missing if _absent(system, profiles[name])]
            if answer.rc or still:
                raise ValueError("pam-auth-update does not take the profile {}: {}".format(
                    ", ".join(still or missing), " ".join((answer.err or answer.out).split())
                    or "/etc/pam.d/common-* were edited by hand; pam-auth-update --force makes them its own again"))
        for row in options:
            path, text = "/etc/pam.d/common-" + row["stack"], _stack(system, row["stack"])
            if with_options(text, row) != text:
                system.write(path, with_options(text, row).encode(), 0o644)

    told = missing + [" ".join([row["module"], *row.get("add", []), *("without " + word for word in row.get("remove", []))]) for row in wrong]
    return Plan([Change("pam:" + ",".join(sorted(profiles) + [row["module"] + row["stack"] for row in options]), back, act,
                        after="".join(line + "\n" for line in told), detail="PAM: " + ", ".join(told))])


def with_options(text: str, row: dict[str, Any]) -> str:
    """A stack whose lines of a module have, and have not, these words."""
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        match = re.match(r"^(\s*[a-z]+\s+(?:\[[^\]]*\]|\S+)\s+" + re.escape(row["module"]) + r")([^\n#]*)(.*)$", line, re.DOTALL)
        if not match:
            continue
        words = match.group(2).split()
        kept = [word for word in words if word not in row.get("remove", [])]
        for word in row.get("add", []):
            kept = [other for other in kept if other == word or "=" not in word or not other.startswith(word.split("=")[0] + "=")]
            kept += [] if word in kept else [word]
        if kept != words:
            lines[number] = match.group(1) + "".join(" " + word for word in kept) + match.group(3)
    return "".join(lines)


def plan_words(system: System, item: Item) -> Plan:
    """path of a stack, options as in ``plan``."""
    path = system.target(item["path"])
    if system.read(path) is None:
        return Plan(not_possible=f"there is no {path}")

    def changed(text: str) -> str:
        for row in item["options"]:
            text = with_options(text, row)
        return text

    before = system.text(path)
    if changed(before) == before:
        return Plan()
    return Plan([Change("path:" + path, lambda keep: [undo.of_path(system, path, keep)],
                        lambda: system.write(path, changed(system.text(path)).encode(), 0o644), before=before, after=changed(before), detail=path)])


def plan_authselect(system: System, item: Item) -> Plan:
    """features: of authselect, those that are missing get enabled. A system without a profile of authselect is told and no failure."""
    answer = system.run(["authselect", "current", "--raw"])
    if answer.rc:
        return Plan(not_possible="authselect has no profile here: " + (answer.err or answer.out).strip()[:200])
    missing = [name for name in item["features"] if name not in answer.out.split()[1:]]
    if not missing:
        return Plan()

    def act() -> None:
        for name in missing:
            done = system.run(["authselect", "enable-feature", name])
            if done.rc:
                raise ValueError(f"authselect enable-feature {name}: {(done.err or done.out).strip()}")

    def back(_keep: undo.Keep) -> list[Step]:
        return [{"do": "command", "words": ["authselect", "disable-feature", name], "check": ["authselect", "current", "--raw"],
                 "text": answer.out.strip()} for name in missing]

    return Plan([Change("authselect:" + ",".join(missing), back, act, after=" ".join(missing) + "\n", detail="authselect: " + ", ".join(missing))])


# ---------------------------------------------------------------------------------------------------- details
def _stack(system: System, name: str) -> str:
    return system.text("/etc/pam.d/common-" + name)


def _absent(system: System, profile: str) -> bool:
    """Whether some module of a profile is not in its stack."""
    kind = ""
    for line in profile.splitlines():
        header = re.match(r"^([A-Za-z-]+):\s*(.*)$", line)
        if header:
            kind = header.group(1)
        elif line.startswith((" ", "\t")) and kind in ("Auth", "Account", "Password", "Session"):
            module = re.search(r"(pam_\w+\.so)(.*)", line)
            first = ([*module.group(2).split(), ""])[0] if module else ""
            wanted = list([module.group(1)] + ([first] if first in ("preauth", "authfail", "authsucc") else [])) if module else []
            if wanted and not any(all(word in row.split() for word in wanted) for row in _stack(system, kind.lower()).splitlines()
                                  if not row.lstrip().startswith("#")):
                return True
    return False
