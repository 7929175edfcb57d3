# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One report as table, JSON, JUnit XML and page: every answer in each of them, and nothing that a cloud said does harm."""
from __future__ import annotations

import dataclasses
import html.parser
import json
import xml.etree.ElementTree as ET

import pytest
from ansible_collections.hybridops.fleet.plugins.plugin_utils._conformance import junit, lines, page
from ansible_collections.hybridops.fleet.plugins.plugin_utils._conformance.checks import CHECKS, YARDSTICK
from ansible_collections.hybridops.fleet.plugins.plugin_utils._conformance.report import CloudReport, as_dict
from ansible_collections.hybridops.fleet.plugins.plugin_utils._show.text import width
from ansible_collections.hybridops.fleet.tests.unit.plugins.plugin_utils.conformance.samples import AMAZON, DREAM, findings, report

REPORT = report(AMAZON, DREAM)
HOSTILE = report(CloudReport("<b>cloud</b>\x1b[2J", "openstack", "{{ 7*7 }}", findings(
    request=("NO", "\x00\x1b[31m<script>alert(1)</script> ]]> & \"quotes\" {{ 7*7 }} \ufffe")), 1.0, left=("node <n>",)))


# ---------------------------------------------------------------------------------------------------- table
def test_checks_go_down_and_clouds_across() -> None:
    table = lines.table(REPORT, 160)
    head = next(line for line in table if line.startswith("CHECK"))
    assert head.split() == ["CHECK", "YARDSTICK", "amazon", "dream"]
    row = next(line for line in table if line.startswith("5 public address"))
    assert row.split() == ["5", "public", "address", "YES", "YES", "1.2", "s", "NO", "1.2", "s"]
    assert row.index("NO") == head.index("dream")
    assert sum(line.startswith(tuple(check.label for check in CHECKS)) for line in table) >= len(CHECKS)
    assert next(line for line in table if line.startswith("time in all")).split()[-4:] == ["40.0", "s", "55.5", "s"]


def test_what_is_not_like_the_yardstick_stands_below_with_its_evidence() -> None:
    text = "\n".join(lines.table(REPORT, 160))
    assert "5 public address: NO, not YES: none to be had: pool <ext> & others are empty" in text
    assert "address stays over stop and start: YES, not PARTIAL: the same" in text
    assert "6 log in: ERROR: cloud 'dream'" in text
    assert "two nodes of one name: -: a machine has its own name" in text
    assert "needs '6 log in'" not in text, "what only follows is not told again"
    assert "amazon (aws, us-east-1): as the yardstick" in text
    assert "evidence of tags" not in text


def test_clouds_that_do_not_fit_follow_below() -> None:
    many = report(*(dataclasses.replace(DREAM, name=f"cloud-{number}") for number in range(12)))
    table = lines.table(many, 100)
    assert max(map(width, table)) <= 100
    heads = [line.split()[2:] for line in table if line.startswith("CHECK")]
    assert len(heads) > 1
    assert [name for head in heads for name in head] == [f"cloud-{number}" for number in range(12)]


def test_one_cause_is_told_once() -> None:
    dead = dataclasses.replace(DREAM, findings=tuple(dataclasses.replace(row, verdict="ERROR", evidence="no answer") for row in DREAM.findings))
    text = "\n".join(lines.table(report(dead), 160))
    assert text.count("no answer") == 1
    assert "all checks: ERROR: no answer" in text


def test_a_table_is_safe_for_a_terminal() -> None:
    assert not set("\x00\x1b") & set("".join(lines.table(HOSTILE, 160)))


def test_an_early_end_and_what_is_left_are_told() -> None:
    text = "\n".join(lines.table(report(dataclasses.replace(AMAZON, left=("floating IP 203.0.113.7",)), ended="ended by SIGINT"), 160))
    assert "ended early: ended by SIGINT" in text
    assert "LEFT BEHIND: floating IP 203.0.113.7" in text


def test_a_sweep_is_told() -> None:
    assert lines.swept([("dream", ["node n-1", "key k"], ["n-2: refused"], []), ("amazon", [], [], ["r9"])]) == [
        "dream: removed node n-1, key k", "    left: n-2: refused", "amazon: nothing to remove", "    run r9 is still going and was left alone"]


# ----------------------------------------------------------------------------------------------------- json
def test_json_holds_every_answer() -> None:
    data = json.loads(json.dumps(as_dict(REPORT)))
    assert data["schema"] == 1
    assert [check["id"] for check in data["checks"]] == [check.id for check in CHECKS]
    assert [cloud["name"] for cloud in data["clouds"]] == ["amazon", "dream"]
    assert data["yardstick"] == {"cloud": "amazon", "measured": False, "answers": YARDSTICK}
    assert data["clouds"][1]["results"]["public_address"] == {
        "verdict": "NO", "evidence": "none to be had: pool <ext> & others are empty", "seconds": 1.25, "like_yardstick": False}
    assert data["clouds"][1]["results"]["login"]["like_yardstick"] is None
    assert data["clouds"][0]["results"]["login"]["like_yardstick"] is True


def test_a_named_yardstick_is_what_was_measured() -> None:
    measured = report(DREAM, AMAZON, yardstick="dream", measured=True)
    assert measured.reference("public_address") == "NO"
    assert measured.reference("login") == "YES", "what could not be asked there is taken from AWS"
    assert [finding.check for finding in measured.unlike(AMAZON)] == ["public_address", "address_stays"]
    assert measured.lacking == []
    assert REPORT.lacking == [("dream", DREAM.finding("public_address"))]


# ---------------------------------------------------------------------------------------------------- junit
def _cases(text: str, suite: int) -> dict[str, ET.Element]:
    root = ET.fromstring(text)
    return {str(case.get("name")): case for case in root.findall("testsuite")[suite].findall("testcase")}


def test_a_suite_for_each_cloud() -> None:
    root = ET.fromstring(junit.xml(REPORT))
    assert root.tag == "testsuites"
    assert {name: root.get(name) for name in ("tests", "failures", "errors", "skipped", "time")} == {
        "tests": str(2 * len(CHECKS)), "failures": "1", "errors": "1", "skipped": "4", "time": "61.500"}
    amazon, dream = root.findall("testsuite")
    assert (amazon.get("name"), dream.get("name")) == ("conformance.amazon", "conformance.dream")
    assert (amazon.get("failures"), dream.get("failures"), dream.get("errors"), dream.get("skipped")) == ("0", "1", "1", "4")
    assert dream.get("timestamp") == "2026-11-28T04:00:00"
    for suite in (amazon, dream):
        assert suite.get("tests") == str(len(suite.findall("testcase")))
        assert sum(len(suite.findall(f"testcase/{kind}")) for kind in ("failure",)) == int(str(suite.get("failures")))


def test_what_passes_and_what_does_not() -> None:
    cases = _cases(junit.xml(REPORT), 1)
    failure = cases["5 public address"].find("failure")
    assert failure is not None
    assert failure.text == "NO, the yardstick says YES: none to be had: pool <ext> & others are empty"
    assert cases["6 log in"].find("error") is not None
    skipped = cases["two nodes of one name"].find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "a machine has its own name, and is bound, not made"
    passed = cases["IPv6"].find("system-out")
    assert passed is not None
    assert passed.text == "PARTIAL: none by default; to be had on dual"
    assert cases["4 request the node"].get("time") == "1.250"
    assert cases["4 request the node"].get("classname") == "conformance.dream"


def test_a_no_that_the_yardstick_does_not_say_yes_to_passes() -> None:
    text = junit.xml(report(dataclasses.replace(DREAM, findings=findings(ipv6=("NO", "no network has IPv6")))))
    assert _cases(text, 0)["IPv6"].find("failure") is None


def test_junit_is_xml_whatever_a_cloud_says() -> None:
    cases = _cases(junit.xml(HOSTILE), 0)
    failure = cases["4 request the node"].find("failure")
    assert failure is not None
    assert "<script>alert(1)</script> ]]> & \"quotes\"" in str(failure.text)


# ----------------------------------------------------------------------------------------------------- page
class _Page(html.parser.HTMLParser):
    """Collects a page's tables, and what it would load or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.outside: list[str] = []
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.titles: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br", "link"):
            self.open.append(tag)
        if tag in ("script", "link", "iframe", "img", "object"):
            self.outside.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "action", "data") and value and not value.startswith("#"):
                self.outside.append(f"{name}={value}")
            if name == "title":
                self.titles.append(str(value))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.rows and ("td" in self.open or "th" in self.open):
            self.rows[-1][-1] += data


def test_the_page_puts_clouds_side_by_side() -> None:
    found = _Page(page.page(REPORT))
    assert found.outside == []
    assert found.open == []
    assert found.rows[0] == ["Check", "Yardstick", "amazonaws, us-east-1", "dreamopenstack, RegionOne"]
    answers = next(row for row in found.rows if row[0].startswith("public address"))
    assert answers[:2] == ["public addressstep 5", "YES"]
    assert answers[3] == "NO1.2 snone to be had: pool <ext> & others are empty"
    assert "none to be had: pool <ext> & others are empty" in found.titles, "the evidence shows when the pointer is on it"


def test_the_page_tells_what_is_not_like_the_yardstick() -> None:
    text = page.page(REPORT)
    assert text.count('class="answer v-no unlike"') == 1
    assert "Every answer is the yardstick&#x27;s." in text or "Every answer is the yardstick's." in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


@pytest.mark.parametrize("bad", ["<script", "<b>cloud", "\x1b", "\x00"])
def test_the_page_is_harmless_whatever_a_cloud_says(bad: str) -> None:
    assert bad not in page.page(HOSTILE)


def test_the_same_report_makes_the_same_page() -> None:
    assert page.page(REPORT) == page.page(report(AMAZON, DREAM))
