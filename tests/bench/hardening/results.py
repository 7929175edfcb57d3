# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the auditors wrote, as figures and failing rules. Pure."""

from __future__ import annotations

import dataclasses
import json
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Collection

_XCCDF = "{http://checklists.nist.gov/xccdf/1.2}"
_RULE = "xccdf_org.ssgproject.content_rule_"
_BAD = ("fail", "error", "unknown")
FEWEST_RULES = 100
"""Fewer evaluated rules than that: content for another release, which answers "notapplicable" to all and exits 0."""


class UnusableAudit(Exception):
    """An auditor ran and its answer says nothing about the host."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """One rule of OpenSCAP's content that a host does not meet. points: what it costs of the profile's score."""

    name: str
    title: str
    severity: str
    points: float = 0.0


@dataclasses.dataclass(frozen=True)
class OpenScap:
    """One profile on one host. score: 0 to 100, as XCCDF's default model weighs the rules that apply."""

    profile: str
    score: float
    passed: int
    failed: int
    not_applicable: int
    not_checked: int
    errors: int
    failing: tuple[Rule, ...]
    passing: tuple[str, ...] = ()

    @property
    def evaluated(self) -> int:
        return self.passed + self.failed


def openscap(profile: str, text: str, fewest: int = FEWEST_RULES) -> OpenScap:
    """Figures of an XCCDF results file. Raises UnusableAudit when hardly a rule was evaluated."""
    benchmark = ET.fromstring(text)
    result = benchmark if benchmark.tag == f"{_XCCDF}TestResult" else benchmark.find(f".//{_XCCDF}TestResult")
    if result is None:
        raise UnusableAudit(f"OpenSCAP, {profile}: no result in its file")
    titles = {rule.get("id"): _text(rule.find(f"{_XCCDF}title")) for rule in benchmark.iter(f"{_XCCDF}Rule")}
    answers = {
        row.get("idref", ""): (_text(row.find(f"{_XCCDF}result")), row.get("severity", "unknown")) for row in result.iter(f"{_XCCDF}rule-result")}
    count = Counter(answer for answer, _severity in answers.values())
    counted = {ident for ident, (answer, _severity) in answers.items() if answer in ("pass", "fixed", *_BAD)}
    shares = _shares(benchmark, counted)
    failing = [
        Rule(ident.removeprefix(_RULE), titles.get(ident, ""), severity, round(shares.get(ident, 0.0), 2))
        for ident, (answer, severity) in answers.items() if answer in _BAD]
    score = next((float(_text(mark)) for mark in result.iter(f"{_XCCDF}score") if mark.get("system", "").endswith("scoring:default")), 0.0)
    found = OpenScap(
        profile, round(score, 1), count["pass"] + count["fixed"], count["fail"], count["notapplicable"], count["notchecked"],
        count["error"] + count["unknown"], tuple(failing),
        tuple(sorted(ident.removeprefix(_RULE) for ident, (answer, _severity) in answers.items() if answer in ("pass", "fixed"))))
    if found.evaluated < fewest:
        raise UnusableAudit(
            f"OpenSCAP, {profile}: only {found.evaluated} rules were evaluated and {found.not_applicable} do not apply: the content is for "
            "another release, or the host lacks what it looks for (a kernel package, at least linux-base)")
    return found


def _shares(benchmark: ET.Element, counted: Collection[str]) -> dict[str, float]:
    """How many of a hundred points each rule decides in XCCDF's default model: a group's score is the mean of what counts in it."""
    found: dict[str, float] = {}

    def counts(element: ET.Element) -> bool:
        return any(rule.get("id") in counted for rule in element.iter(f"{_XCCDF}Rule"))

    def share(element: ET.Element, points: float) -> None:
        children = [child for child in element if child.tag in (f"{_XCCDF}Group", f"{_XCCDF}Rule") and counts(child)]
        for child in children:
            if child.tag == f"{_XCCDF}Rule":
                found[child.get("id", "")] = points / len(children)
            else:
                share(child, points / len(children))

    share(benchmark, 100.0)
    return found


@dataclasses.dataclass(frozen=True)
class Lynis:
    """index: 0 to 100."""

    index: int
    tests: int
    warnings: tuple[str, ...]
    suggestions: tuple[str, ...]


def lynis(report: str) -> Lynis:
    """Figures of a lynis-report.dat. Raises UnusableAudit when it ended early."""
    single: dict[str, str] = {}
    listed: dict[str, list[str]] = {}
    for line in report.splitlines():
        name, mark, value = line.partition("=")
        if mark and name.endswith("[]"):
            listed.setdefault(name[:-2], []).append(value)
        elif mark:
            single[name] = value
    if not single.get("hardening_index", "").isdecimal():
        raise UnusableAudit("lynis: no hardening index in its report: it did not come to its end")
    return Lynis(
        int(single["hardening_index"]), int(single.get("lynis_tests_done") or 0), tuple(map(_remark, listed.get("warning", []))),
        tuple(map(_remark, listed.get("suggestion", []))))


def _remark(value: str) -> str:
    ident, _mark, rest = value.partition("|")
    return f"{ident}: {rest.split('|')[0]}"


@dataclasses.dataclass(frozen=True)
class SshAudit:
    """Each entry: kind, algorithm, and what is said of it."""

    fails: tuple[str, ...]
    warnings: tuple[str, ...]


def ssh_audit(text: str) -> SshAudit:
    """Figures of ssh-audit's JSON. Raises UnusableAudit when it did not reach an SSH server."""
    try:
        told = json.loads(text)
    except ValueError as failure:
        raise UnusableAudit(f"ssh-audit: {text.strip()[:200] or failure}") from None
    if not told.get("kex"):
        raise UnusableAudit("ssh-audit: the server named no key exchange")
    fails, warnings = [], []
    for kind in ("kex", "key", "enc", "mac"):
        for entry in told.get(kind, []):
            notes = entry.get("notes") or {}
            size = f" {entry['keysize']}" if kind == "key" and entry.get("keysize") else ""
            fails += [f"{kind} {entry['algorithm']}{size}: {note}" for note in notes.get("fail", [])]
            warnings += [f"{kind} {entry['algorithm']}{size}: {note}" for note in notes.get("warn", [])]
    return SshAudit(tuple(fails), tuple(warnings))


def _text(element: ET.Element | None) -> str:
    return re.sub(r"\s+", " ", "".join(element.itertext())).strip() if element is not None else ""
