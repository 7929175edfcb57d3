# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The suite on every cloud of the lab: what it says is what the layouts make true, and nothing is left."""
from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any

import expected
import pytest
from lab_suite import SHELL_CHECKS, Listing, Suite, entries, hosts_up


@pytest.fixture(scope="module")
def report(suite: Suite, things: Listing) -> Any:
    """One run over all clouds."""
    before = things()
    found = suite.report(status=None, conformance_timeout=300)
    errors = [result for cloud in found["clouds"] for result in cloud["results"].values() if result["verdict"] == "ERROR"]
    assert suite.status == (2 if errors else 0), "the play fails exactly when something could not be asked"
    assert things() == before, "the suite left something behind"
    return found


def _answers(report: Any, cloud: str) -> dict[str, str]:
    row = next(row for row in report["clouds"] if row["name"] == cloud)
    return {check: result["verdict"] for check, result in row["results"].items()}


def _unlike(found: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, tuple[str | None, str]]:
    """Check -> (found, what the layout makes true), where they differ."""
    asked = {check: answer for check, answer in wanted.items() if hosts_up() or check not in expected.SHELL}
    return {check: (found.get(check), answer) for check, answer in asked.items() if found.get(check) != answer}


def test_every_cloud_is_what_its_layout_makes_it(report: Any, environment: dict[str, str]) -> None:
    wrong = {name: _unlike(_answers(report, name), expected.of(entry, hosts_up())) for name, entry in entries(environment).items()}
    assert {name: row for name, row in wrong.items() if row} == {}, "(found, what the layout makes true)"


def test_every_check_has_its_expectation(report: Any, environment: dict[str, str]) -> None:
    """Nothing that the suite says goes unlooked at."""
    for name, entry in entries(environment).items():
        assert _answers(report, name).keys() - expected.of(entry, hosts_up()).keys() == set(), name


def test_the_yardstick_comes_first(report: Any) -> None:
    assert report["clouds"][0]["name"] == report["yardstick"]["cloud"] == "amazon"


def test_every_answer_has_its_evidence(report: Any) -> None:
    for cloud in report["clouds"]:
        for check, result in cloud["results"].items():
            assert result["evidence"], f"{cloud['name']} {check}"


def test_every_node_was_removed(report: Any) -> None:
    assert all(cloud["left"] == [] for cloud in report["clouds"])
    assert report["nodes_made"] <= report["max_nodes"] == 2 * len(report["clouds"])


def test_without_hosts_nothing_is_said_of_logins(report: Any) -> None:
    if hosts_up():
        pytest.skip("needs a lab without booted hosts, as with them logins are asked: python3 tests/lab up")
    assert all(check not in cloud["results"] for cloud in report["clouds"] for check in SHELL_CHECKS.split(","))


def test_the_reports_say_the_same(report: Any, suite: Suite) -> None:
    root = ET.parse(suite.folder / "report.xml").getroot()
    assert [row.get("name") for row in root] == [f"conformance.{cloud['name']}" for cloud in report["clouds"]]
    assert int(str(root.get("tests"))) == sum(len(cloud["results"]) for cloud in report["clouds"])
    errors = sum(result["verdict"] == "ERROR" for cloud in report["clouds"] for result in cloud["results"].values())
    assert int(str(root.get("errors"))) == errors
    page = (suite.folder / "report.html").read_text(encoding="utf-8")
    assert all(f">{cloud['name']}<" in page for cloud in report["clouds"])


def test_a_node_that_no_packet_can_reach(suite: Suite) -> None:
    """Without hosts, logins that are asked for all the same come out as ERROR, and no packet leaves this machine."""
    if hosts_up():
        pytest.skip("needs a lab without booted hosts, as with them the nodes are reached: python3 tests/lab up")
    found = suite.report(status=2, conformance_clouds="provider", conformance_only="key_stays_out,deletion", conformance_ssh=True)
    answers = next(cloud["results"] for cloud in found["clouds"])
    assert answers["login"]["verdict"] == "ERROR"
    assert "no route to the host" in answers["login"]["evidence"]
    assert answers["fleet_keys"]["verdict"] == answers["node_key_removed"]["verdict"] == answers["key_stays_out"]["verdict"] == "-"
    assert answers["deletion"]["verdict"] == "YES"


def test_a_machine_that_is_deployed(suite: Suite, things: Listing) -> None:
    """The same checks on metal that takes the node's key: not the rack file, which comes first, but the Ironic."""
    before = things()
    found = suite.report(conformance_clouds="metal", conformance_requirements={"metal": {"scope": "ironic bifrost"}})
    assert found["clouds"][0]["scope"] == "ironic bifrost"
    assert _unlike(_answers(found, "metal"), expected.deployed()) == {}, "(found, what the layout makes true)"
    assert things() == before
