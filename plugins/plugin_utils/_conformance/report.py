# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run found, as data: the source of table, JSON, JUnit XML and page. Pure."""
from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from .checks import BY_ID, CHECKS, ERROR, NONE, RANK, YARDSTICK, Check, Finding, like, worse

SCHEMA = 1
"""Version of the JSON; it changes when something that was there means something else."""


@dataclasses.dataclass(frozen=True, slots=True)
class CloudReport:
    """One cloud's column. findings: in the order of CHECKS; seconds: of the whole course; facts: of the node that was made;
    removed: what was cleaned up at the end, beyond check 'deletion'; left: what could not be removed, in words."""

    name: str
    provider: str
    scope: str
    findings: tuple[Finding, ...]
    seconds: float
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    removed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def pointless(self) -> list[Finding]:
        """Questions without meaning there, but those that only wait for another one's answer."""
        return [finding for finding in self.findings if finding.verdict == NONE and not finding.evidence.startswith("needs ")]

    def finding(self, check: str) -> Finding:
        return next(finding for finding in self.findings if finding.check == check)


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """A whole run. began: ISO 8601, UTC. yardstick: name of the cloud whose column comes first, None when there is none;
    measured: whether its answers are the yardstick (the operator named it), and not what is known of AWS. ended: why the run
    ended early, empty when it did not."""

    run: str
    fleet: str
    began: str
    seconds: float
    clouds: tuple[CloudReport, ...]
    yardstick: str | None = None
    measured: bool = False
    max_nodes: int = 0
    made: int = 0
    ended: str = ""

    @property
    def checks(self) -> tuple[Check, ...]:
        """Those that were asked of any cloud."""
        asked = {finding.check for cloud in self.clouds for finding in cloud.findings}
        return tuple(check for check in CHECKS if check.id in asked)

    def reference(self, check: str) -> str:
        """The yardstick's answer."""
        if self.measured:
            column = next((cloud for cloud in self.clouds if cloud.name == self.yardstick), None)
            found = next((finding.verdict for finding in column.findings if finding.check == check), NONE) if column else NONE
            if found in RANK:
                return found
        return YARDSTICK[check]

    @property
    def yardstick_words(self) -> str:
        """What the answers are compared with."""
        return f"cloud '{self.yardstick}' as measured in this run" if self.measured else "AWS with its defaults"

    def unlike(self, cloud: CloudReport) -> list[Finding]:
        """A cloud's answers that are not the yardstick's, and those that could not be had."""
        return [finding for finding in cloud.findings
                if finding.verdict == ERROR or like(finding.verdict, self.reference(finding.check)) is False]

    @property
    def errors(self) -> list[tuple[str, Finding]]:
        """(cloud, finding) of every question that could not be asked."""
        return [(cloud.name, finding) for cloud in self.clouds for finding in cloud.findings if finding.verdict == ERROR]

    def told_once(self, findings: Sequence[Finding]) -> list[tuple[tuple[str, ...], Finding]]:
        """Findings with the ids of all that say the very same, so that one cause is told once."""
        groups: dict[tuple[str, str], list[Finding]] = {}
        for finding in findings:
            groups.setdefault((finding.verdict, finding.evidence), []).append(finding)
        return [(tuple(finding.check for finding in group), group[0]) for group in groups.values()]

    @property
    def lacking(self) -> list[tuple[str, Finding]]:
        """(cloud, finding) of every NO where the yardstick says YES."""
        return [(cloud.name, finding) for cloud in self.clouds for finding in cloud.findings
                if worse(finding.verdict, self.reference(finding.check))]


def as_dict(report: Report) -> dict[str, Any]:
    """For JSON; docs/conformance.md says what each key means."""
    answers = {check.id: report.reference(check.id) for check in report.checks}
    return {
        "schema": SCHEMA, "run": report.run, "fleet": report.fleet, "began": report.began, "seconds": round(report.seconds, 1),
        "ended_early": report.ended, "max_nodes": report.max_nodes, "nodes_made": report.made,
        "yardstick": {"cloud": report.yardstick, "measured": report.measured, "answers": answers},
        "checks": [
            {"id": check.id, "step": check.step, "title": check.title, "yes": check.yes, "partial": check.partial, "no": check.no}
            for check in report.checks],
        "clouds": [_cloud(report, cloud) for cloud in report.clouds],
    }


def _cloud(report: Report, cloud: CloudReport) -> dict[str, Any]:
    return {
        "name": cloud.name, "provider": cloud.provider, "scope": cloud.scope, "seconds": round(cloud.seconds, 1), "node": dict(cloud.facts),
        "removed": list(cloud.removed), "left": list(cloud.left),
        "results": {
            finding.check: {
                "verdict": finding.verdict, "evidence": finding.evidence, "seconds": _rounded(finding.seconds),
                "like_yardstick": like(finding.verdict, report.reference(finding.check)),
            } for finding in cloud.findings},
    }


def ordered(findings: Mapping[str, Finding], asked: Sequence[str]) -> tuple[Finding, ...]:
    """In the order of CHECKS; what was never come to is told so."""
    return tuple(findings.get(check.id) or Finding(check.id, NONE, "not come to") for check in CHECKS if check.id in asked)


def label(check: str) -> str:
    return BY_ID[check].label


SHORTEST = 0.05  # seconds below which a time tells nothing


def time_of(finding: Finding) -> str:
    """How long it took, in words; empty where that tells nothing."""
    return "" if finding.seconds is None or finding.seconds < SHORTEST else f"{finding.seconds:.1f} s"


def labels(report: Report, checks: Sequence[str]) -> str:
    """The names of checks that share an answer."""
    return "all checks" if len(checks) == len(report.checks) > 1 else ", ".join(map(label, checks))


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)
