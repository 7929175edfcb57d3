# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Brings items about, or says what would change; and brings back what was before the first run."""
from __future__ import annotations

from typing import Any, Callable, Dict, Sequence

from . import reloads
from .kinds import accounts, blocks, files, kernel, mounts, nft_table, pam, settings, ssh_keys, sshd
from .plan import Change, Item, NotPossible, Plan
from .record import Record
from .restore import Restore
from .switch import Switch
from .system import System

KINDS: dict[str, Callable[[System, Item], Plan]] = {
    "file": files.plan_file,
    "absent": files.plan_absent,
    "mode": files.plan_mode,
    "settings": settings.plan,
    "sysctl": kernel.plan_sysctl,
    "unit": kernel.plan_unit,
    "account": accounts.plan_account,
    "group": accounts.plan_group,
    "block": blocks.plan_block,
    "words": blocks.plan_words,
    "mount": mounts.plan,
    "pam": pam.plan,
    "pam_words": pam.plan_words,
    "authselect": pam.plan_authselect,
    "sshd": sshd.plan,
    "sshd_value": sshd.plan_value,
    "host_key": ssh_keys.plan_host_key,
    "moduli": ssh_keys.plan_moduli,
    "nft_table": nft_table.plan,
}
LATE = ("nft_table", "unit")
"""Kinds that need what the others have written."""

Result = Dict[str, Any]


class Engine:
    """record: what was before. check: only tell. guard: the dead man's switch, armed once, before the first guarded change (``arm``); ``settle``
    when all is done, or ``back`` when something guarded failed. None when the caller wants none."""

    def __init__(self, system: System, record: Record, check: bool = False, guard: Switch | None = None) -> None:
        self._system = system
        self._record = record
        self._check = check
        self._guard = guard

    # ------------------------------------------------------------------------------------------------ apply
    def apply(self, items: Sequence[Item]) -> dict[str, Any]:
        """Result: ``items`` (one each, in order), ``changed``, ``diff``, ``reloads`` that failed, ``armed``."""
        self._system.look_at_units(sorted({item["name"] for item in items if item["kind"] == "unit"}))
        plans = _unless_stopped(items, [self._plan(item) for item in items])
        results = [_result(item, plan, self._check) for item, plan in zip(items, plans)]
        order = [n for n, item in enumerate(items) if item["kind"] not in LATE] + [n for n, item in enumerate(items) if item["kind"] in LATE]
        answer: dict[str, Any] = {"items": results, "changed": any(plan.changes for plan in plans), "diff": _diff(items, plans), "reloads": {},
                                  "armed": False}
        if self._check:
            return answer
        guarded = [n for n in order if items[n].get("guarded") and plans[n].changes]
        if guarded and self._guard:
            self._guard.arm([entry for n in guarded for entry in self._entries(plans[n].changes)], _notified(items, guarded))
        answer["reloads"] = self._perform(items, plans, results, order)
        self._system.relabel()
        if guarded and self._guard:
            answer["armed"] = self._settle(self._guard, items, results, guarded, set(answer["reloads"]))
        answer["changed"] = any(result["status"] == "changed" for result in results)
        return answer

    def _plan(self, item: Item) -> Plan:
        kind = KINDS.get(item["kind"])
        if kind is None:
            return Plan(failed="there is no kind of item '{}'".format(item["kind"]))
        try:
            plan = kind(self._system, item)
        except (OSError, ValueError, KeyError) as failure:
            return Plan(failed=f"{type(failure).__name__}: {failure}")
        if not item.get("coming"):
            return plan
        # check mode, and the package that brings it would have been installed by now
        if plan.changes and item["kind"] == "mode":
            return Plan([*plan.changes, Change("coming", lambda keep: [], lambda: None, detail="more, after its package is installed")])
        if not plan.changes and (plan.not_possible or item["kind"] == "mode"):
            return Plan([Change("coming", lambda keep: [], lambda: None, detail="after its package is installed")]) if item["kind"] != "unit" \
                else Plan()
        return plan

    def _entries(self, changes: Sequence[Change]) -> list[dict[str, Any]]:
        return [entry for change in changes for entry in _entries(change, change.undo(self._record.keep))]

    def _perform(self, items: Sequence[Item], plans: Sequence[Plan], results: list[Result], order: Sequence[int]) -> dict[str, str]:
        notified: list[str] = []
        failed: dict[str, str] = {}
        first_done = False
        for number in order:
            if items[number]["kind"] in LATE and not first_done:
                failed.update(self._reload([name for name in notified if name in reloads.FIRST]))
                first_done = True
            if not plans[number].changes:
                continue
            self._act(items[number], plans[number], results[number])
            if results[number]["status"] == "changed":
                notified += [name for name in items[number].get("notify", []) if name not in notified]
        failed.update(self._reload([name for name in notified if not (first_done and name in reloads.FIRST)]))
        return failed

    def _act(self, item: Item, plan: Plan, result: Result) -> None:
        done = 0
        for change in plan.changes:
            try:
                for entry in _entries(change, change.undo(self._record.keep)):
                    self._record.remember(entry["key"], entry["steps"], item.get("control", ""))
                change.act()
                done += 1
            except (OSError, ValueError) as failure:
                words = getattr(failure, "strerror", None) or str(failure)
                if item["kind"] == "sysctl" or item.get("may_fail") or isinstance(failure, NotPossible):
                    result["why"] = "; ".join(filter(None, [result["why"], "{}: {}".format(change.key.split(":", 1)[1], words)]))
                    continue
                result.update(status="failed", why="{}: {}".format(change.key.split(":", 1)[-1], words))
                return
        result["status"] = "changed" if done else "not_possible"

    def _settle(self, guard: Switch, items: Sequence[Item], results: list[Result], guarded: Sequence[int], reloads_failed: set[str]) -> bool:
        """Wait for the confirmation (True), or, when something that is guarded failed, put all that is guarded back at once."""
        wrong = [n for n in guarded if results[n]["status"] == "failed"]
        if not wrong and not reloads_failed & set(_notified(items, guarded)):
            guard.settle()
            return True
        guard.back()
        for n in guarded:
            if n not in wrong:
                results[n].update(status="failed", why="put back, as something else that is guarded failed")
        return False

    def _reload(self, names: list[str]) -> dict[str, str]:
        return reloads.perform(self._system, names)

    # ------------------------------------------------------------------------------------------------ restore
    def restore(self) -> dict[str, Any]:
        """Back to what was before the first run."""
        return Restore(self._system, self._record, self._check, self._guard).perform()


# ---------------------------------------------------------------------------------------------------- details
def _entries(change: Change, steps: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A path is kept under its own name, whichever change touches it first: several may touch one file."""
    others = [step for step in steps if step["do"] != "path"]
    found = [{"key": "path:" + step["path"], "steps": [step]} for step in steps if step["do"] == "path"]
    return found + ([{"key": change.key, "steps": others}] if others else [])


def _unless_stopped(items: Sequence[Item], plans: list[Plan]) -> list[Plan]:
    """Where an item that is ``needed`` fails, nothing is changed at all: half of an area is no hardening, and may be a trap."""
    stops = [_what(item) for item, plan in zip(items, plans) if item.get("needed") and plan.failed]
    if not stops:
        return plans
    return [Plan(not_possible=f"not done, as {stops[0]} failed") if plan.changes else plan for plan in plans]


def _first_modes(entries: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Mode and owner of each path before anything was changed: what a later entry tells of them is our own work."""
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        for step in entry["steps"]:
            if "mode" in step:
                found.setdefault(step["path"], {name: step[name] for name in ("mode", "uid", "gid")})
    return found


def _result(item: Item, plan: Plan, check: bool) -> Result:
    status = "failed" if plan.failed else "would_change" if plan.changes else "not_possible" if plan.not_possible else "right"
    return {"control": item.get("control", ""), "kind": item["kind"], "what": _what(item), "status": status, "stops": bool(item.get("needed")),
            "why": plan.failed or plan.not_possible, "details": [change.detail for change in plan.changes][:20]}


def _what(item: Item) -> str:
    if item["kind"] == "sysctl":
        return "{} kernel settings".format(len(item["values"]))
    return str(item.get("path") or item.get("name") or ", ".join(item.get("paths", [])) or item["kind"])


def _diff(items: Sequence[Item], plans: Sequence[Plan]) -> list[dict[str, str]]:
    found = []
    for item, plan in zip(items, plans):
        for change in plan.changes:
            if change.before != change.after and not item.get("secret"):
                name = change.key.split(":", 1)[-1]
                found.append({"before": change.before, "after": change.after, "before_header": name, "after_header": name})
    return found


def _notified(items: Sequence[Item], numbers: Sequence[int]) -> list[str]:
    names: list[str] = []
    for number in numbers:
        names += [name for name in items[number].get("notify", []) if name not in names]
    return names
