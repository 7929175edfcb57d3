# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What became of each control, for results and reports. Pure."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .decision import Decision, Options, replaced

ORDER = ("failed", "changed", "would_change", "not_possible", "right")
"""Of several items the first of these speaks for the control."""


def told(decisions: Sequence[Decision], options: Options) -> list[dict[str, Any]]:
    """The decisions as plain data."""
    return [{"control": decision.control, "title": options.controls[decision.control].title if decision.control in options.controls else "",
             "apply": decision.apply, "why": decision.why, "notes": list(decision.notes), "present": list(decision.present),
             "absent": list(decision.absent)} for decision in decisions]


def report(decisions: Sequence[Decision], options: Options, items: Sequence[Mapping[str, Any]], come_and_go: tuple[list[str], list[str]],
           check: bool, unavailable: Sequence[str] = ()) -> list[dict[str, Any]]:
    """One row a control: control, title, status (right, changed, would_change, not_possible, failed, left_out), why, notes, refs, details."""
    rows = []
    come, go = come_and_go
    for decision in decisions:
        control = options.controls.get(decision.control)
        mine = [item for item in items if item["control"] == decision.control]
        gone = [*(name for name in decision.absent if name in go), *replaced(decision, come)]
        moved = [f"{name} installed" for name in decision.present if name in come] + [f"{name} removed" for name in gone]
        without = [name for name in decision.present if name in unavailable]
        carried = [item for item in items if item["control"] == decision.part_of] if decision.part_of and not mine else []
        statuses = {item["status"] for item in (*mine, *carried)} | ({"would_change" if check else "changed"} if moved else set())
        statuses |= {"not_possible"} if without else set()
        status = next((word for word in ORDER if word in statuses), "right") if decision.apply else "left_out"
        missing = f"no package {', '.join(without)} can be had" if without else ""
        why = "; ".join(dict.fromkeys(filter(None, [decision.why, missing, *(str(item["why"]) for item in (*mine, *carried))])))
        rows.append({"control": decision.control, "title": control.title if control else "", "status": status, "why": why,
                     "notes": list(decision.notes), "refs": dict(control.refs) if control else {},
                     "details": moved + [detail for item in mine if item["status"] in ("changed", "would_change") for detail in
                                         (item["details"] if item["kind"] != "file" else [f"{item['what']} written"])]})
    return rows


def put_back(items: Sequence[Mapping[str, Any]], answer: dict[str, Any]) -> None:
    """The node has taken back what is guarded, and what was told of it is no longer so."""
    paths = {item["path"] for item in items if item.get("guarded") and item.get("path")}
    for item, row in zip(items, answer["items"], strict=True):
        if row["status"] == "changed" and (item.get("guarded") or item.get("path") in paths):
            row.update(status="failed", why="put back, as no fresh connection got in", details=[])
    answer["changed"] = any(row["status"] == "changed" for row in answer["items"])


def failure(host: str, failed: Sequence[Mapping[str, Any]], reloads: Mapping[str, str]) -> str:
    """One sentence for the operator."""
    words = [f"{row['control']}: {row['what']}: {row['why']}" for row in failed] + [f"reload of {name}: {said}" for name, said in reloads.items()]
    more = f" (and {len(words) - 5} more)" if len(words) > 5 else ""
    rest = "Nothing was changed" if any(row.get("stops") for row in failed) else "All else was done"
    return f"{host}: " + "; ".join(words[:5]) + more + f". {rest}; run again when this is mended."
