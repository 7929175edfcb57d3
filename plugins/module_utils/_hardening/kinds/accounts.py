# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kinds ``account`` and ``group``. Never the whole of /etc/shadow: passwords that were changed meanwhile are not ours to bring back."""
from __future__ import annotations

from .. import undo
from ..plan import Change, Item, Plan
from ..system import System
from ..undo import Step

AGES = (("min_days", 3, "-m"), ("max_days", 4, "-M"), ("warn_days", 5, "-W"), ("inactive_days", 6, "-I"))


def plan_account(system: System, item: Item) -> Plan:
    """name; shell; lock (true: its password opens nothing any more); min_days, max_days, warn_days, inactive_days of its password. An account
    that does not exist is right."""
    name = item["name"]
    line, shadow = _line(system, "/etc/passwd", name), _line(system, "/etc/shadow", name)
    if line is None or shadow is None:
        return Plan()
    words: list[list[str]] = []
    back: list[Step] = []
    told: list[str] = []
    if item.get("shell") and line[6] != item["shell"]:
        words.append(["usermod", "-s", item["shell"], name])
        back.append({"do": "command", "words": ["usermod", "-s", line[6], name], "check": ["getent", "passwd", name], "text": ":".join(line)})
        told.append("shell {} (was {})".format(item["shell"], line[6]))
    if item.get("lock") and shadow[1][:1] not in ("!", "*"):
        empty = shadow[1] == ""
        words.append(["usermod", "-L", name] if not empty else ["usermod", "-p", "!", name])
        back.append({"do": "command", "words": ["passwd", "-d", name] if empty else ["usermod", "-U", name]})
        told.append("password locked")
    for key, place, option in AGES:
        wanted = item.get(key)
        if wanted is not None and shadow[place] != str(wanted):
            words.append(["chage", option, str(wanted), name])
            back.append({"do": "command", "words": ["chage", option, shadow[place] or "-1", name]})
            told.append("{} {} (was {})".format(key, wanted, shadow[place] or "none"))
    if not words:
        return Plan()

    def act() -> None:
        for command in words:
            _run(system, command)

    return Plan([Change("account:" + name + ":" + ",".join(sorted(words[n][1] for n in range(len(words)))), lambda _keep: back, act,
                        before=f"{name}: before\n", after="{}: {}\n".format(name, ", ".join(told)), detail="{}: {}".format(name, ", ".join(told)))])


def plan_group(system: System, item: Item) -> Plan:
    """name: a group of the system that exists; without members when it is made."""
    name = item["name"]
    if _line(system, "/etc/group", name) is not None:
        return Plan()

    def back(_keep: undo.Keep) -> list[Step]:
        return [{"do": "command", "words": ["groupdel", name]}]

    return Plan([Change("group:" + name, back, lambda: _run(system, ["groupadd", "-r", name]), after=name + "\n", detail=f"group {name} made")])


# ---------------------------------------------------------------------------------------------------- details
def _line(system: System, path: str, name: str) -> list[str] | None:
    for line in system.text(path).splitlines():
        fields = line.split(":")
        if fields[0] == name:
            return fields
    return None


def _run(system: System, words: list[str]) -> None:
    answer = system.run(words)
    if answer.rc:
        raise ValueError("{}: {}".format(" ".join(words), (answer.err or answer.out).strip() or answer.rc))
