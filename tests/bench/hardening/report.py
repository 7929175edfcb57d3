# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The figures as a table beside their goals, and the rules that still fail. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .audit import Audit
from .measure import Reach, Run

GOAL_OF = "strict"


@dataclasses.dataclass(frozen=True)
class Figures:
    """One contestant on one release. runs: the first and the second; none for a host as it is."""

    contestant: str
    suite: str
    audit: Audit
    reach: Reach
    runs: tuple[Run, ...] = ()


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table. good: whether a value meets the goal; None where there is no goal."""

    title: str
    value: Callable[[Figures], Any]
    goal: str = ""
    good: Callable[[Figures], bool] | None = None


def _scap(profile: str) -> Callable[[Figures], str]:
    def text(figures: Figures) -> str:
        found = figures.audit.profile(profile)
        return f"{found.score:.1f}; {found.passed}/{found.failed}/{found.not_applicable}"
    return text


def _run(number: int, text: Callable[[Run], str]) -> Callable[[Figures], str]:
    return lambda figures: text(figures.runs[number]) if len(figures.runs) > number else "-"


def _took(number: int, most: float) -> Callable[[Figures], bool]:
    return lambda figures: len(figures.runs) > number and figures.runs[number].ok and figures.runs[number].seconds <= most


def _doors(reach: Reach) -> str:
    names = {"admin": "IPv4", "admin_ipv6": "IPv6", "admin_crowded": "4 other keys", "sudo": "sudo", "root": "root"}
    shut = [title for name, title in names.items() if not getattr(reach, name)]
    return "all open" if not shut else f"shut: {', '.join(shut)}"


ROWS: Sequence[Row] = (
    Row("CIS level 1 server: score; pass/fail/na", _scap("cis_level1_server"), ">= 95",
        lambda figures: figures.audit.profile("cis_level1_server").score >= 95),
    Row("CIS level 2 server", _scap("cis_level2_server")),
    Row("ANSSI BP-028 minimal", _scap("anssi_bp28_minimal")),
    Row("ANSSI BP-028 intermediary", _scap("anssi_bp28_intermediary")),
    Row("ANSSI BP-028 enhanced", _scap("anssi_bp28_enhanced"), ">= 85", lambda figures: figures.audit.profile("anssi_bp28_enhanced").score >= 85),
    Row("lynis index (warnings/suggestions)",
        lambda figures: f"{figures.audit.lynis.index} ({len(figures.audit.lynis.warnings)}/{len(figures.audit.lynis.suggestions)})", ">= 80",
        lambda figures: figures.audit.lynis.index >= 80),
    Row("ssh-audit fail/warn", lambda figures: f"{len(figures.audit.ssh_audit.fails)}/{len(figures.audit.ssh_audit.warnings)}", "0/0",
        lambda figures: not figures.audit.ssh_audit.fails and not figures.audit.ssh_audit.warnings),
    Row("tasks in run 1", _run(0, lambda run: str(run.tasks)), "<= 47", lambda figures: bool(figures.runs) and figures.runs[0].tasks <= 47),
    Row("changed, run 1 / run 2", lambda figures: " / ".join(str(run.changed) for run in figures.runs) or "-", "run 2: 0",
        lambda figures: len(figures.runs) > 1 and figures.runs[1].changed == 0),
    Row("ended well", lambda figures: " / ".join("yes" if run.ok else "NO" for run in figures.runs) or "-", "yes",
        lambda figures: all(run.ok for run in figures.runs)),
    Row("wall, run 1", _run(0, lambda run: f"{run.seconds:.1f} s"), "<= 45 s", _took(0, 45)),
    Row("wall, run 2", _run(1, lambda run: f"{run.seconds:.1f} s"), "<= 10 s", _took(1, 10)),
    Row("CPU of the host, run 1", _run(0, lambda run: f"{run.cpu:.1f} s")),
    Row("CPU of the host, run 2", _run(1, lambda run: f"{run.cpu:.1f} s")),
    Row("who gets in over a new connection", lambda figures: _doors(figures.reach), "admin",
        lambda figures: all((figures.reach.admin, figures.reach.admin_ipv6, figures.reach.admin_crowded, figures.reach.sudo))),
)


def table(all_figures: Sequence[Figures]) -> str:
    """A table in Markdown, a column a contestant; the goal's column is for the strict profile."""
    names = [figures.contestant for figures in all_figures]
    lines = [f"| | {' | '.join(names)} | goal |", f"|---{'|---' * len(names)}|---|"]
    for row in ROWS:
        cells = [str(row.value(figures)) + _mark(row, figures) for figures in all_figures]
        lines.append(f"| {row.title} | {' | '.join(cells)} | {row.goal} |")
    return "\n".join(lines)


def _mark(row: Row, figures: Figures) -> str:
    if row.good is None or figures.contestant != GOAL_OF:
        return ""
    return " (met)" if row.good(figures) else " (MISSED)"


def missed(figures: Figures) -> list[str]:
    """Goals that these figures do not meet."""
    return [f"{row.title}: {row.value(figures)}, goal {row.goal}" for row in ROWS if row.good is not None and not row.good(figures)]


def failing(figures: Figures) -> str:
    """What still fails, by auditor, the dearest rule first; the number is what it costs of that profile's score."""
    lines = [f"### {figures.contestant} on {figures.suite}: what the auditors still say", ""]
    rules: dict[str, tuple[str, dict[str, float]]] = {}
    for found in figures.audit.openscap:
        for rule in found.failing:
            rules.setdefault(rule.name, (f"{rule.title} ({rule.severity})", {}))[1][found.profile] = rule.points
    dearest = sorted(rules.items(), key=lambda item: (-max(item[1][1].values()), item[0]))
    for name, (title, points) in dearest:
        lines.append(f"- {name}: {title} [{', '.join(f'{profile} {lost:g}' for profile, lost in points.items())}]")
    lines += [f"- lynis warning {text}" for text in figures.audit.lynis.warnings] + [f"- lynis {text}" for text in figures.audit.lynis.suggestions]
    lines += [f"- ssh-audit fail {text}" for text in figures.audit.ssh_audit.fails]
    lines += [f"- ssh-audit warn {text}" for text in figures.audit.ssh_audit.warnings]
    return "\n".join(lines)


def as_data(figures: Figures) -> Mapping[str, Any]:
    """For a file: all but the logs."""
    data = dataclasses.asdict(figures)
    for run in data["runs"]:
        del run["log"]
    return data
