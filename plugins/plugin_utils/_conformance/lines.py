# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report as lines of text: checks down, clouds across, and below what is not like the yardstick. Pure."""
from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.hybridops.fleet.plugins.plugin_utils._show.table import aligned
from ansible_collections.hybridops.fleet.plugins.plugin_utils._show.text import cut, visible, width, wrap

from .checks import NONE, RANK, Finding
from .report import CloudReport, Report, labels, time_of

GAP = "  "
_LONGEST_NAME = 24
_INDENT = "    "
LEAST = 60
"""Columns that are used even where there are fewer."""


def table(report: Report, columns: int) -> list[str]:
    """Lines of at most that many columns; clouds that do not fit beside the others follow in a table of their own."""
    columns = max(columns, LEAST)
    ended = f", ended early: {report.ended}" if report.ended else ""
    lines = [f"{report.fleet}, run {report.run}: {report.made} nodes made in {report.seconds:.0f} s{ended}"]
    for clouds in _fitting(report, columns):
        lines += ["", *_table(report, clouds)]
    lines += ["", f"The yardstick is {report.yardstick_words}."]
    for cloud in report.clouds:
        lines += _evidence(report, cloud, columns)
    return lines


def _table(report: Report, clouds: Sequence[CloudReport]) -> list[str]:
    heads = ["CHECK", "YARDSTICK", *(_name(cloud) for cloud in clouds)]
    rows = [[check.label, report.reference(check.id), *(_cell(cloud.finding(check.id)) for cloud in clouds)] for check in report.checks]
    rows.append(["time in all", "", *(f"{cloud.seconds:.1f} s" for cloud in clouds)])
    return [line.rstrip() for line in aligned([heads, *rows])]


def _fitting(report: Report, columns: int) -> list[list[CloudReport]]:
    """The clouds in groups that fit beside each other."""
    left = max([len("CHECK"), *(width(check.label) for check in report.checks)]) + len(GAP) + len("YARDSTICK")
    groups: list[list[CloudReport]] = []
    used = 0
    for cloud in report.clouds:
        need = len(GAP) + max([width(_name(cloud)), *(width(_cell(finding)) for finding in cloud.findings)])
        if not groups or used + need > columns:
            groups.append([])
            used = left
        groups[-1].append(cloud)
        used += need
    return groups


def _name(cloud: CloudReport) -> str:
    return cut(visible(cloud.name), _LONGEST_NAME)


def _cell(finding: Finding) -> str:
    return f"{finding.verdict} {time_of(finding)}".rstrip()


def _evidence(report: Report, cloud: CloudReport, columns: int) -> list[str]:
    title = f"{visible(cloud.name)} ({cloud.provider}{f', {visible(cloud.scope)}' if cloud.scope else ''})"
    unlike = report.unlike(cloud)
    rows = [(f"{labels(report, checks)}: {finding.verdict}" + (f", not {report.reference(finding.check)}" if finding.verdict in RANK else ""),
             finding.evidence) for checks, finding in report.told_once(unlike)]
    rows += [(f"{labels(report, checks)}: {NONE}", finding.evidence) for checks, finding in report.told_once(cloud.pointless)]
    if cloud.left:
        rows.append(("LEFT BEHIND", "; ".join(cloud.left)))
    lines = ["", f"{title}: " + ("as the yardstick" if not rows else "")]
    for head, evidence in rows:
        first, *others = wrap(f"{head}: {visible(evidence)}", columns - len(_INDENT))
        lines += [f"  {first}", *(_INDENT + part for part in others)]
    return [line.rstrip() for line in lines]


def swept(rows: Sequence[tuple[str, Sequence[str], Sequence[str], Sequence[str]]]) -> list[str]:
    """What a sweep did: of each cloud what was removed, what is left, and which runs were spared."""
    lines = []
    for cloud, removed, left, spared in rows:
        did = f"removed {', '.join(map(visible, removed))}" if removed else "nothing was removed" if left else "nothing to remove"
        lines.append(f"{visible(cloud)}: {did}")
        lines += [f"{_INDENT}left: {visible(word)}" for word in left]
        lines += [f"{_INDENT}run {visible(run)} is still going and was left alone" for run in spared]
    return lines
