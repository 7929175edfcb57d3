# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The bench of hardening: auditors' answers in, figures out; an answer that says nothing about the host is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "bench"))

from hardening import accepted, results

PREFIX = "xccdf_org.ssgproject.content_rule_"


def scap(answers: dict[str, str]) -> str:
    """Two groups: one with a single rule (alone), one with all others."""
    def rule(name: str) -> str:
        return f'<Rule id="{PREFIX}{name}"><title>About  {name}</title></Rule>'
    rows = "".join(f'<rule-result idref="{PREFIX}{name}" severity="low"><result>{answer}</result></rule-result>' for name, answer in answers.items())
    others = "".join(rule(name) for name in answers if name != "alone")
    return (f'<Benchmark xmlns="http://checklists.nist.gov/xccdf/1.2"><Group id="a">{rule("alone")}</Group><Group id="b">{others}</Group>'
            f'<TestResult id="t">{rows}<score system="urn:xccdf:scoring:default">37.5</score></TestResult></Benchmark>')


def test_figures_of_openscap_and_what_each_rule_costs() -> None:
    found = results.openscap("p", scap({"alone": "fail", "x": "pass", "y": "fail", "z": "notapplicable"}), fewest=3)
    assert (found.score, found.passed, found.failed, found.not_applicable) == (37.5, 1, 2, 1)
    assert {rule.name: rule.points for rule in found.failing} == {"alone": 50.0, "y": 25.0}, "a rule alone in its group is dear"
    assert found.failing[0].title == "About alone" and found.failing[0].severity == "low"


def test_content_that_does_not_apply_is_no_result_though_nothing_failed() -> None:
    with pytest.raises(results.UnusableAudit, match="only 1 rules were evaluated and 2 do not apply"):
        results.openscap("p", scap({"alone": "pass", "x": "notapplicable", "y": "notapplicable"}))


def test_figures_of_lynis() -> None:
    found = results.lynis(
        "hardening_index=81\nlynis_tests_done=244\nwarning[]=A-1|Bad|-|-|\nsuggestion[]=B-2|Do it|x|-|\nsuggestion[]=B-3|And this|-|-|\n")
    assert (found.index, found.tests, found.warnings) == (81, 244, ("A-1: Bad",))
    assert found.suggestions == ("B-2: Do it", "B-3: And this")
    with pytest.raises(results.UnusableAudit, match="did not come to its end"):
        results.lynis("lynis_tests_done=3\n")


def test_figures_of_ssh_audit() -> None:
    told = {"kex": [{"algorithm": "k1", "notes": {"warn": ["old"]}}], "key": [{"algorithm": "rsa", "keysize": 2048, "notes": {"fail": ["short"]}}],
            "enc": [{"algorithm": "e", "notes": {"info": ["new"]}}], "mac": []}
    assert results.ssh_audit(json.dumps(told)) == results.SshAudit(("key rsa 2048: short",), ("kex k1: old",))
    for text in ("[exception] cannot connect", "{}"):
        with pytest.raises(results.UnusableAudit):
            results.ssh_audit(text)


def test_a_rule_that_fails_without_a_reason_and_a_reason_without_a_failure_are_faults() -> None:
    found = results.openscap("p", scap({"alone": "fail", "x": "pass", "y": "fail", "z": "notapplicable"}), fewest=3)
    assert accepted.faults((found,), {"alone": "", "y": "", "z": "of another release"}) == []
    assert accepted.faults((found,), {"alone": "", "x": ""}) == ["y fails and is not accepted", "x is accepted and passes: take it off the list"]
    other = results.openscap("q", scap({"alone": "fail", "x": "fail", "y": "pass"}), fewest=3)
    assert accepted.faults((found, other), {"alone": "", "x": "", "y": ""}) == [], "one profile asks for more than another"


def test_each_accepted_rule_has_one_reason(tmp_path: Path) -> None:
    assert len(accepted.load()) > 50
    for text, word in (("- {why: too bad, rules: [a]}", "no reason"), ("- {why: because the machine is none, rules: [a, a]}", "twice")):
        (tmp_path / "list.yml").write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=word):
            accepted.load(tmp_path / "list.yml")
