# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report as one HTML page that needs nothing but itself: no script, no font, no image from elsewhere. Pure."""
from __future__ import annotations

from ansible_collections.hybridops.fleet.plugins.plugin_utils._show.picture import escape

from .checks import NONE, RANK, Check, Finding, like
from .page_style import CSS
from .report import CloudReport, Report, labels, time_of

_CLASSES = {"YES": "yes", "PARTIAL": "partial", "NO": "no", "ERROR": "error", NONE: "none"}
_MEANINGS = (
    ("YES", "as the title says"), ("PARTIAL", "in part, or by a further step"), ("NO", "it does not"),
    ("ERROR", "could not be asked, which says nothing about the cloud"), (NONE, "has no meaning there, or was not asked"))


def page(report: Report) -> str:
    """The page of a whole run."""
    deviations = "".join(_deviations(report, cloud) for cloud in report.clouds)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # nothing that a cloud's text might smuggle in could load or run
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>Conformance of {escape(report.fleet)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n"
        f"<header><h1>Which clouds behave like AWS</h1>\n{_facts(report)}</header>\n"
        f'<main>\n<nav aria-label="Parts"><a href="#answers">Answers</a><a href="#unlike">What is not like the yardstick</a>'
        '<a href="#meanings">What the answers mean</a></nav>\n'
        f'<h2 id="answers">Answers</h2>\n{_legend()}\n{_table(report)}\n'
        f'<h2 id="unlike">What is not like the yardstick</h2>\n<div class="deviations">{deviations}</div>\n'
        f'<h2 id="meanings">What the answers mean</h2>\n{_meanings(report)}\n</main>\n'
        "<footer>Made by hybridops.fleet. Everything that was made for it carried the tag fleet_conformance.</footer>\n</body>\n</html>\n")


def _facts(report: Report) -> str:
    ended = f'<p class="notice" role="status"><strong>Ended early:</strong> {escape(report.ended)}</p>\n' if report.ended else ""
    left = [cloud.name for cloud in report.clouds if cloud.left]
    where = escape(", ".join(left))
    notice = f'<p class="notice" role="status"><strong>Left behind</strong> in {where}; see below, and sweep.</p>\n' if left else ""
    return (f'<p class="soft">{escape(report.fleet)}, run {escape(report.run)}, {escape(report.began)}: {len(report.clouds)} clouds, '
            f"{report.made} nodes made, {report.seconds:.0f} s. The yardstick is {escape(report.yardstick_words)}.</p>\n{ended}{notice}")


def _legend() -> str:
    items = "".join(f'<li class="v-{_CLASSES[word]}"><span class="verdict">{word}</span> {meaning}</li>' for word, meaning in _MEANINGS)
    return f'<ul class="legend">{items}</ul>\n<p class="soft">A tinted cell is not like the yardstick. Each answer opens to its evidence.</p>'


def _table(report: Report) -> str:
    heads = "".join(f'<th scope="col">{escape(cloud.name)}<small>{escape(_place(cloud))}</small></th>' for cloud in report.clouds)
    rows = "".join(_row(report, check) for check in report.checks)
    times = "".join(f'<td class="answer"><span class="time">{cloud.seconds:.1f} s</span></td>' for cloud in report.clouds)
    return (
        '<div class="scroll answers" tabindex="0" role="region" aria-labelledby="answers"><table class="answers" aria-labelledby="answers">\n'
        f'<thead><tr><th scope="col">Check</th><th scope="col">Yardstick</th>{heads}</tr></thead>\n<tbody>\n{rows}'
        f'<tr><th scope="row">time in all</th><td></td>{times}</tr>\n</tbody></table></div>')


def _row(report: Report, check: Check) -> str:
    reference = report.reference(check.id)
    cells = "".join(_cell(cloud.finding(check.id), reference) for cloud in report.clouds)
    step = f"<small>step {check.step}</small>" if check.step else ""
    return (f'<tr><th scope="row">{escape(check.title)}{step}</th><td class="v-{_CLASSES[reference]}"><span class="verdict">{reference}</span></td>'
            f"{cells}</tr>\n")


def _cell(finding: Finding, reference: str) -> str:
    kind = f"v-{_CLASSES[finding.verdict]}" + (" unlike" if like(finding.verdict, reference) is False or finding.verdict == "ERROR" else "")
    took = time_of(finding)
    time = f'<span class="time">{took}</span>' if took else ""
    evidence = escape(finding.evidence)
    return (f'<td class="answer {kind}" title="{evidence}"><details><summary><span class="verdict">{finding.verdict}</span>{time}</summary>'
            f"<p>{evidence}</p></details></td>")


def _place(cloud: CloudReport) -> str:
    return ", ".join(word for word in (cloud.provider, cloud.scope) if word)


def _deviations(report: Report, cloud: CloudReport) -> str:
    rows = "".join(
        f'<dt class="v-{_CLASSES[finding.verdict]}"><span class="verdict">{finding.verdict}</span> {escape(labels(report, checks))}'
        f'{_compared(report, finding)}</dt><dd>{escape(finding.evidence)}</dd>'
        for checks, finding in report.told_once(report.unlike(cloud)))
    rows += "".join(
        f'<dt class="v-none"><span class="verdict">{NONE}</span> {escape(labels(report, checks))}</dt>'
        f'<dd class="soft">{escape(finding.evidence)}</dd>'
        for checks, finding in report.told_once(cloud.pointless))
    if cloud.left:
        rows += f'<dt class="v-no"><span class="verdict">LEFT</span> could not be removed</dt><dd>{escape("; ".join(cloud.left))}</dd>'
    body = f"<dl>{rows}</dl>" if rows else '<p class="soft">Every answer is the yardstick\'s.</p>'
    return f"<section><h3>{escape(cloud.name)} <small>{escape(_place(cloud))}</small></h3>{body}</section>\n"


def _compared(report: Report, finding: Finding) -> str:
    return f' <span class="soft">(yardstick: {report.reference(finding.check)})</span>' if finding.verdict in RANK else ""


def _meanings(report: Report) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(check.label)}</th><td>{escape(check.yes)}</td><td>{escape(check.partial or NONE)}</td>'
        f"<td>{escape(check.no)}</td></tr>\n"
        for check in report.checks)
    return ('<div class="scroll" tabindex="0" role="region" aria-labelledby="meanings"><table aria-labelledby="meanings">'
            '<thead><tr><th scope="col">Check</th>'
            f'<th scope="col">YES</th><th scope="col">PARTIAL</th><th scope="col">NO</th></tr></thead>\n<tbody>\n{rows}</tbody></table></div>')
