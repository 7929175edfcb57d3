# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kinds ``sysctl`` (running values of the kernel) and ``unit`` (of systemd)."""
from __future__ import annotations

import os

from .. import undo
from ..plan import Change, Item, NotPossible, Plan
from ..system import System
from ..undo import Step

LASTING = ("enabled", "disabled", "masked", "")
"""States that can be brought back; others (static, generated, indirect) are not changed by enabling."""


def plan_sysctl(system: System, item: Item) -> Plan:
    """values {key: value}. A key that the kernel does not have, or that cannot be set here, is told and no failure."""
    if system.image:
        return Plan(not_possible="this is an image; the kernel is that of the machine that builds it")
    changes: list[Change] = []
    missing: list[str] = []
    for key, value in sorted(item["values"].items()):
        now, wanted = undo.read_sysctl(system, key), " ".join(str(value).split())
        if now is None:
            missing.append(key)
        elif now != wanted:
            if not os.access(system.real(undo.sysctl_path(key)), os.W_OK):
                missing.append(key)
                continue
            changes.append(_sysctl(system, key, now, wanted))
    return Plan(changes, not_possible="this kernel does not have, or does not let be set: " + " ".join(missing) if missing else "")


def plan_unit(system: System, item: Item) -> Plan:
    """name; enabled, active, masked: true, false or null (as it is). started: start it, without waiting, when it gets enabled. new: its file
    comes in the same run. A unit that does not exist is told and no failure, unless it is only to be off, which it is."""
    name = item["name"]
    if not system.systemd:
        return Plan(not_possible="no systemd runs here")
    unit = system.unit(name)
    off = item.get("masked") or (item.get("enabled") is not True and item.get("active") is not True)
    if not unit and not item.get("new"):
        return Plan() if off else Plan(not_possible=f"there is no unit {name}")
    state, runs = unit.get("UnitFileState", "") if unit else "disabled", unit.get("ActiveState") in ("active", "activating", "reloading")
    hopeless = "" if runs or item.get("active") is not True else _hopeless(unit, bool(item.get("may_fail")))
    commands, told = _unit_commands(item, state, runs or bool(hopeless))
    if not commands:
        return Plan(not_possible=f"{name} {hopeless}" if hopeless else "")

    def act() -> None:
        for words in commands:
            answer = system.run(words, None, 120)
            if answer.rc:
                system.forget_units()
                raise ValueError("{}: {}".format(" ".join(words), (answer.err or answer.out).strip().split("\n")[0] or answer.rc))
        system.forget_units()
        why = _hopeless(system.unit(name), False) if "start" in told else ""
        if why:
            raise NotPossible(why)

    def back(_keep: undo.Keep) -> list[Step]:
        return [{"do": "unit", "name": name, "enabled": state if state in LASTING else "", "active": runs}]

    words = "{} {}".format(state or "unknown", "running" if runs else "not running")
    return Plan([Change("unit:" + name, back, act, before=f"{name}: {words}\n", after="{}: {}\n".format(name, ", ".join(told)),
                        detail="{} {}".format(name, ", ".join(told)))])


# ---------------------------------------------------------------------------------------------------- details
def _hopeless(unit: dict[str, str], may_fail: bool) -> str:
    """Why a unit does not run though it was started, empty when it may."""
    if unit.get("ActiveState") in ("active", "activating", "reloading"):
        return ""
    if unit.get("ConditionResult") == "no" and unit.get("ConditionTimestampMonotonic", "0") != "0":
        return "does not run here: this machine does not meet its conditions (systemctl status says which)"
    if may_fail and unit.get("ActiveState") == "failed":
        return "could not start here (systemctl status says why)"
    return ""


def _unit_commands(item: Item, state: str, runs: bool) -> tuple[list[list[str]], list[str]]:
    """The calls of systemctl, and words for them. state: as systemctl show says; runs: whether it does."""
    rules = (
        ("masked", False, "unmask", state.startswith("masked")),
        ("enabled", False, "disable", state in ("enabled", "enabled-runtime")),
        ("active", False, "stop", runs),
        ("masked", True, "mask", not state.startswith("masked")),
        ("enabled", True, "enable", state in ("disabled", "masked")),
        ("active", True, "start", not runs),
    )
    words = [verb for key, wanted, verb, wrong in rules if item.get(key) is wanted and wrong]
    commands = [["systemctl", verb, item["name"]] for verb in words]
    if item.get("started") and "enable" in words:
        commands.append(["systemctl", "start", "--no-block", item["name"]])
    return commands, words


def _sysctl(system: System, key: str, now: str, wanted: str) -> Change:
    return Change("sysctl:" + key, lambda _keep: [{"do": "sysctl", "key": key, "value": now}], lambda: undo.write_sysctl(system, key, wanted),
                  before=f"{key} = {now}\n", after=f"{key} = {wanted}\n", detail=f"{key} = {wanted}")
