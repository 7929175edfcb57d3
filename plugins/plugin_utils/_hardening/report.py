# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report of a hardening run as data and as a page. Pure: data in, text out."""
from __future__ import annotations

import dataclasses
import html
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

AREAS = {"os": "Operating system", "ssh": "OpenSSH", "firewall": "Firewall"}
WORDS = {"changed": "changed", "would_change": "would change", "right": "already right", "not_possible": "not possible here", "left_out": "left out",
         "failed": "failed"}
SIGNS = {"changed": "&#9679;", "would_change": "&#9675;", "right": "&#10003;", "not_possible": "&#8709;", "left_out": "&ndash;", "failed": "&#10007;"}
BENCHMARKS = {"cis_debian12": "CIS Debian 12", "cis_rhel9": "CIS RHEL 9", "anssi_bp28": "ANSSI BP-028", "stig": "DISA"}
STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:0;color:#1c2430;background:#f6f7f9}main{max-width:1200px;margin:0 auto;padding:24px}
h1{font-size:24px;margin:0 0 4px}h2{font-size:18px;margin:32px 0 8px}p{margin:4px 0 12px;color:#4a5566}
table{border-collapse:collapse;width:100%;background:#fff;border:1px solid #dfe3e8}th,td{padding:6px 10px;text-align:left;vertical-align:top;
border-bottom:1px solid #eceff3}th{background:#eef1f5;font-weight:600}td.s,th.h{text-align:center;white-space:nowrap}.scroll{overflow-x:auto}
.changed{color:#0b5cad}.would_change{color:#0b5cad}.right{color:#1a7f37}.not_possible,.left_out{color:#6b7280}.failed{color:#b42318;font-weight:700}
small{color:#6b7280}details{background:#fff;border:1px solid #dfe3e8;margin:8px 0;padding:8px 12px}summary{cursor:pointer;font-weight:600}
ul{margin:2px 0;padding-left:18px}@media(prefers-color-scheme:dark){body{background:#12161c;color:#dbe2ea}table,details{background:#1a2029;
border-color:#2b3440}th{background:#222a35}th,td{border-color:#2b3440}p,small{color:#9aa7b5}.right{color:#5bd37f}.changed,.would_change{color:#6db3f2}}
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """What one run came to in one area. state: present or absent; failure: why it failed or was refused, empty when it did not; guard: how the
    connection was guarded."""

    profile: str
    state: str
    rows: Sequence[Mapping[str, Any]]
    failure: str = ""
    guard: str = ""


def area(said: Said, before: Mapping[str, Any], check: bool, when: str) -> dict[str, Any]:
    """One area of one host. before: what was reported of it last, which still holds when nothing came about; when: UTC."""
    rows = [dict(row) for row in said.rows]
    if said.failure and not rows:
        known = {name: before.get(name) for name in ("profile", "check", "counts", "controls") if name in before}
        told: dict[str, Any] = {"profile": said.profile, "check": check, "counts": {}, "controls": [], **known}
    else:
        told = {"profile": said.profile, "check": check, "counts": dict(Counter(str(row["status"]) for row in rows)), "controls": rows}
    return {**told, "state": said.state, "when": when, "failure": said.failure, "guard": said.guard}


def host(name: str, facts: Mapping[str, Any], areas: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """What a host's file holds: only what the report is about, none of the accounts and packages that were looked at. before: the file's
    last content, for what a host that was not reached does not tell."""
    if not facts:
        return {"host": name, "system": "", "kind": "", "workloads": {}, **before, "areas": dict(areas)}
    system = facts.get("os") or {}
    return {"host": name, "system": system.get("name", ""), "kind": (facts.get("virtual") or {}).get("kind", ""),
            "workloads": dict(facts.get("workloads") or {}), "areas": dict(areas)}


def page(hosts: Sequence[Mapping[str, Any]]) -> str:
    """One page without anything from elsewhere: hosts side by side, and below why and what for each."""
    names = [str(entry["host"]) for entry in hosts]
    parts = ["<!DOCTYPE html><html lang=en><head><meta charset=utf-8><meta name=viewport content='width=device-width,initial-scale=1'>",
             f"<title>Hardening of {len(names)} hosts</title><style>{STYLE}</style></head><body><main>", f"<h1>Hardening of {len(names)} hosts</h1>",
             "<p>" + " &nbsp; ".join(f"<span class={status}>{SIGNS[status]}</span> {word}" for status, word in WORDS.items()) + "</p>", _hosts(hosts)]
    for key, title in AREAS.items():
        concerned = [entry for entry in hosts if key in entry["areas"]]
        if concerned:
            parts.append(f"<h2>{title}</h2>" + _matrix(key, concerned))
    parts.append("<h2>What was done and why</h2>" + "".join(_detail(entry) for entry in hosts) + "</main></body></html>\n")
    return "\n".join(parts)


# ---------------------------------------------------------------------------------------------------- details
def _hosts(hosts: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for entry in hosts:
        told = []
        for key, data in entry["areas"].items():
            counts = ", ".join(f"{count} {WORDS[status]}" for status in WORDS if (count := data["counts"].get(status)))
            what = _text(data["profile"]) + (" (check only)" if data["check"] else "") + f": {counts or 'nothing yet'}"
            if data.get("state") == "absent" and not data.get("failure"):
                what = "as it was before hardening"
            failure = f"<div class=failed>{SIGNS['failed']} {_text(data['failure'])}</div>" if data.get("failure") else ""
            told.append(f"{AREAS.get(key, _text(key))}: {what}{failure}")
        work = ", ".join(f"{_text(name)} <small>({_text(why)})</small>" for name, why in entry["workloads"].items()) or "<small>none seen</small>"
        rows.append(f"<tr><td><b>{_text(entry['host'])}</b></td><td>{_text(entry['system'])}</td><td>{work}</td><td>{'<br>'.join(told)}</td></tr>")
    return "<div class=scroll><table><tr><th>Host</th><th>System</th><th>Works for</th><th>Result</th></tr>" + "".join(rows) + "</table></div>"


def _matrix(key: str, hosts: Sequence[Mapping[str, Any]]) -> str:
    found = [{row["control"]: row for row in entry["areas"][key]["controls"]} for entry in hosts]
    order: dict[str, Mapping[str, Any]] = {}
    for rows in found:
        for name, row in rows.items():
            order.setdefault(name, row)
    head = "".join(f"<th class=h>{_text(entry['host'])}</th>" for entry in hosts)
    lines = []
    for name, row in order.items():
        cells = "".join(_cell(rows.get(name)) for rows in found)
        refs = "; ".join(f"{BENCHMARKS.get(kind, kind)} {', '.join(ids)}" for kind, ids in (row.get("refs") or {}).items() if ids)
        lines.append(f"<tr><td>{_text(row['title'])}<br><small>{_text(name)}{' &middot; ' + _text(refs) if refs else ''}</small></td>{cells}</tr>")
    return f"<div class=scroll><table><tr><th>Control</th>{head}</tr>{''.join(lines)}</table></div>"


def _cell(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "<td class=s></td>"
    status = row["status"] if row["status"] in WORDS else "failed"
    title = WORDS[status] + (": " + row["why"] if row["why"] else "")
    return f"<td class='s {status}' title='{_text(title)}'>{SIGNS[status]}</td>"


def _detail(entry: Mapping[str, Any]) -> str:
    lines = []
    for key, data in entry["areas"].items():
        for row in data["controls"]:
            told = [*(row["details"] or []), *(row["notes"] or [])]
            if row["why"] or told:
                more = "<ul>" + "".join(f"<li>{_text(word)}</li>" for word in told) + "</ul>" if told else ""
                lines.append(f"<tr><td>{AREAS.get(key, _text(key))}</td><td>{_text(row['title'])}</td><td class={_text(row['status'])}>"
                             f"{WORDS.get(row['status'], _text(row['status']))}</td><td>{_text(row['why'])}{more}</td></tr>")
    return f"<details><summary>{_text(entry['host'])}</summary><div class=scroll><table>{''.join(lines)}</table></div></details>"


def _text(value: Any) -> str:
    return html.escape(str(value), quote=True)
