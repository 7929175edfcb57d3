# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One cloud's way through all checks, on clouds in memory: the answers, and that nothing is ever left."""
from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.collect import Settings
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import DEFAULT_STATES, Cloud
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.outcomes import Making
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.actions import MARK
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.registry import PROVIDERS
from ansible_collections.hybridops.fleet.plugins.plugin_utils._conformance import cleaning, guard, suite
from ansible_collections.hybridops.fleet.plugins.plugin_utils._conformance.checks import YARDSTICK
from ansible_collections.hybridops.fleet.plugins.plugin_utils._conformance.course import Course, Plan
from ansible_collections.hybridops.fleet.plugins.plugin_utils._conformance.probes import PROBES
from ansible_collections.hybridops.fleet.plugins.plugin_utils._conformance.report import CloudReport
from ansible_collections.hybridops.fleet.plugins.plugin_utils._conformance.stop import Stop
from ansible_collections.hybridops.fleet.tests.unit.plugins.plugin_utils.conformance.fake_cloud import FakeCloud, FakeShell, Machine, cloud_of

NAME = "fleet-conformance-r1-1"
SETTINGS = Settings(timeout=30, retries=0, workers=4, states=DEFAULT_STATES)
PAIR = ("/nowhere/node", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINode node")


class _Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.01
        return self.now


class _Stop(Stop):
    def __init__(self, clock: _Clock) -> None:
        super().__init__()
        self.clock = clock

    def sleep(self, seconds: float) -> None:
        self.check()
        self.clock.now += seconds


Go = Callable[..., CloudReport]


@pytest.fixture
def go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Go:
    def run(state: FakeCloud, *, shell: Any = None, only: tuple[str, ...] = (), skip: tuple[str, ...] = (), nodes: int = 2,
            when: Callable[[Stop, str], None] | None = None) -> CloudReport:
        cloud, spec = cloud_of(state)
        monkeypatch.setitem(PROVIDERS, "openstack", spec)
        clock = _Clock()
        stop = _Stop(clock)
        plan = Plan(
            run="r1", checks=guard.selected(only, skip), place=str(tmp_path), pair=PAIR, fleet_pair=("/nowhere/fleet", "ssh-ed25519 AAAAFleet fleet"),
            timeout=60, workers=4, settings=SETTINGS, budget=guard.Budget(nodes), stop=stop, shell=shell or FakeShell(), clock=clock,
            sleep=lambda seconds: None, say=lambda name, word: when(stop, word) if when else None)
        return Course(cloud, NAME, {}, plan).run(PROBES)

    return run


def verdicts(report: CloudReport) -> dict[str, str]:
    return {finding.check: finding.verdict for finding in report.findings}


def test_a_cloud_like_aws(go: Go) -> None:
    state, shell = FakeCloud(), FakeShell()
    report = go(state, shell=shell)
    assert verdicts(report) == {**YARDSTICK, "ipv6": "NO"}
    assert state.empty
    assert (report.removed, report.left) == ((), ())
    assert state.made == 2
    assert shell.asked[0] == "login 203.0.113.2 as debian"
    after_start = report.facts["public_ipv4"]
    assert shell.asked[-1] == f"prove at {after_start}", "after the restart the node is asked at its new address"
    assert after_start != "203.0.113.2"
    assert all(finding.seconds is not None for finding in report.findings)


def test_a_cloud_with_floating_addresses(go: Go) -> None:
    state = FakeCloud(floating=True, sticky=True)
    report = go(state)
    found = verdicts(report)
    assert (found["default_address"], found["public_address"], found["address_stays"], found["deletion"]) == ("NO", "YES", "YES", "YES")
    assert "allocated floating IP" in report.finding("public_address").evidence
    assert "floating IP" in report.finding("deletion").evidence
    assert state.empty


def test_a_cloud_that_keeps_addresses(go: Go) -> None:
    report = go(FakeCloud(floating=True, sticky=True, keeps=True))
    assert verdicts(report)["deletion"] == "PARTIAL"
    assert re.search(r"still there: floating IP 203\.0\.113\.\d+", report.finding("deletion").evidence)


def test_a_cloud_with_one_node_of_a_name(go: Go) -> None:
    report = go(FakeCloud(one_name=True))
    assert verdicts(report)["same_name"] == "NO"
    assert "the name is taken" in report.finding("same_name").evidence


def test_a_cloud_that_makes_a_node_for_every_request(go: Go) -> None:
    state = FakeCloud(forgetful=True)
    report = go(state)
    assert verdicts(report)["second_request"] == "NO"
    assert state.empty


def test_a_cloud_that_tells_no_host_keys(go: Go) -> None:
    assert verdicts(go(FakeCloud(keys_told=False)))["host_keys"] == "NO"


def test_a_host_that_lets_nobody_in(go: Go) -> None:
    state = FakeCloud()
    found = verdicts(go(state, shell=FakeShell(used=None)))
    assert [found[check] for check in ("login", "fleet_keys", "node_key_removed", "key_stays_out")] == ["NO", "-", "-", "-"]
    assert found["reboot"] == "YES"
    assert state.empty


def test_a_key_that_still_opens(go: Go) -> None:
    assert verdicts(go(FakeCloud(), shell=FakeShell(own="opened")))["node_key_removed"] == "NO"


def test_passwords_that_are_taken(go: Go) -> None:
    assert verdicts(go(FakeCloud(), shell=FakeShell(passwords="offered")))["fleet_keys"] == "PARTIAL"


def test_what_is_left_out_is_not_made(go: Go) -> None:
    state = FakeCloud()
    report = go(state, only=("metadata",), nodes=0)
    assert verdicts(report) == {"metadata": "YES"}
    assert state.made == 0


def test_the_budget_holds_whatever_the_checks_want(go: Go) -> None:
    state = FakeCloud()
    report = go(state, nodes=1)
    assert state.made == 1
    assert verdicts(report)["same_name"] == "ERROR"
    assert state.empty


# ------------------------------------------------------------------------------------------------- early ends
@pytest.mark.parametrize("word", ["1 add key", "requested", "runs after", "two nodes", "asked to be stopped", "6 log in", "being removed"])
def test_a_run_that_is_ended_leaves_nothing(go: Go, word: str) -> None:
    state = FakeCloud(floating=True)

    def end(stop: Stop, said: str) -> None:
        if said.startswith(word):
            stop.ask("ended by SIGINT")

    report = go(state, when=end)
    assert state.empty, f"left: {state}"
    assert report.left == ()
    assert any("ended by SIGINT" in finding.evidence for finding in report.findings)


@pytest.mark.parametrize("calls", range(2, 60, 4))
def test_a_cloud_that_dies_costs_answers_and_is_swept_later(go: Go, calls: int) -> None:
    state = FakeCloud(floating=True, dead=calls)
    report = go(state)
    assert any(finding.verdict == "ERROR" for finding in report.findings)
    assert state.empty or report.left, "what could not be removed must be told"
    state.dead = 1_000_000
    swept = cleaning.sweep(_cloud(state), [NAME], [], _making())
    assert state.empty
    assert swept.left == ()


def test_a_defect_costs_one_answer(go: Go) -> None:
    class Broken(FakeShell):
        def login(self, access: Any) -> Any:
            raise RuntimeError("boom")

    state = FakeCloud()
    report = go(state, shell=Broken())
    assert report.finding("login").verdict == "ERROR"
    assert "RuntimeError: boom" in report.finding("login").evidence
    assert report.finding("deletion").verdict == "YES"
    assert state.empty


# ------------------------------------------------------------------------------------------------------ sweep
def _cloud(state: FakeCloud) -> Cloud:
    cloud, spec = cloud_of(state)
    PROVIDERS["openstack"] = spec
    return cloud


@pytest.fixture(autouse=True)
def providers() -> Any:
    before = dict(PROVIDERS)
    yield
    PROVIDERS.clear()
    PROVIDERS.update(before)


def _making() -> Making:
    return Making(timeout=30, workers=4, settings=SETTINGS, sleep=lambda seconds: None)


def _left() -> FakeCloud:
    state = FakeCloud()
    for run, name in (("old", "fleet-conformance-old-1"), ("live", "fleet-conformance-live-2"), ("", "web-1")):
        state.machines[f"n-{run or 'web'}"] = Machine(f"n-{run or 'web'}", name, "t", {MARK: name, **({"fleet_conformance": run} if run else {})})
    state.machines["n-stranger"] = Machine("n-stranger", "fleet-conformance-old-7", "t", {})
    state.addresses = {"203.0.113.1": "fleet-conformance-old-1", "203.0.113.2": "web-1"}
    state.keys = {"fleet-conformance-old-1": "k", "fleet-conformance-gone-1": "k", "web-1": "k"}
    return state


def test_a_sweep_removes_what_is_the_suites_and_nothing_else() -> None:
    state = _left()
    swept = cleaning.sweep(_cloud(state), ["fleet-conformance-gone-1"], ["live"], _making())
    assert set(state.machines) == {"n-live", "n-web", "n-stranger"}, "a node without the mark is somebody else's"
    assert set(state.keys) == {"web-1"}
    assert set(state.addresses) == {"203.0.113.2"}
    assert set(swept.removed) == {
        "n-old", "floating IP 203.0.113.1", "key fleet-conformance-old-1", "key fleet-conformance-gone-1"}
    assert (swept.left, swept.spared) == ((), ("live",))


def test_a_sweep_of_one_run() -> None:
    state = _left()
    cleaning.sweep(_cloud(state), ["fleet-conformance-gone-1"], [], _making(), only="live")
    assert "n-live" not in state.machines
    assert "n-old" in state.machines
    assert "fleet-conformance-gone-1" in state.keys


def test_a_sweep_needs_no_notes() -> None:
    """A run of another controller that was killed: its node is gone already, a key and an address are left."""
    state = FakeCloud(keys={"fleet-conformance-a-1": "k", "web-1": "k", "fleet-conformance-mine": "k"},
                      addresses={"203.0.113.1": "fleet-conformance-b-2", "203.0.113.2": "web-1"})
    swept = cleaning.sweep(_cloud(state), [], [], _making())
    assert (set(state.keys), set(state.addresses)) == ({"web-1", "fleet-conformance-mine"}, {"203.0.113.2"})
    assert (set(swept.removed), swept.left) == ({"key fleet-conformance-a-1", "floating IP 203.0.113.1"}, ())


def test_a_sweep_removes_a_node_that_carries_another_mark_of_its_run() -> None:
    """Killed while a second node of the name was asked for."""
    state = FakeCloud(machines={"n-1": Machine("n-1", "fleet-conformance-a-1", "t", {MARK: "fleet-conformance-a-01"})})
    swept = cleaning.sweep(_cloud(state), [], [], _making())
    assert state.empty
    assert (swept.removed, swept.left) == (("n-1",), ())


def test_what_a_sweep_means() -> None:
    names = ["fleet-conformance-old-1", "fleet-conformance-live-2", "fleet-conformance-new-03", "fleet-conformance-mine", "web-1"]
    assert cleaning.meant(names, ["live"], None) == ["fleet-conformance-new-03", "fleet-conformance-old-1"]
    assert cleaning.meant(names, ["live"], "old") == ["fleet-conformance-old-1"]
    assert cleaning.meant(names, ["live"], "live") == []


def test_a_sweep_tells_what_it_could_not_remove() -> None:
    state = dataclasses.replace(_left(), dead=0)
    swept = cleaning.sweep(_cloud(state), [], [], _making())
    assert "connection refused" in swept.left[0]


# ------------------------------------------------------------------------------------------------- side by side
def test_a_cloud_s_defect_does_not_lose_the_others() -> None:
    clouds = [cloud_of(FakeCloud(), name)[0] for name in ("a", "b", "c")]

    def act(cloud: Cloud) -> str:
        if cloud.name == "b":
            raise RuntimeError("boom")
        return cloud.name

    assert suite.side_by_side(clouds, act, lambda cloud, surprise: f"{cloud.name}: {surprise}") == ["a", "b: boom", "c"]


def test_the_first_aws_cloud_is_shown_first_unless_another_is_named() -> None:
    clouds = [dataclasses.replace(cloud_of(FakeCloud(), name)[0], provider=provider) for name, provider in (
        ("dream", "openstack"), ("amazon", "aws"), ("second", "aws"))]
    assert suite.yardstick_of(clouds, None) == ("amazon", False)
    assert suite.yardstick_of(clouds, "aws") == ("amazon", False)
    assert suite.yardstick_of(clouds, "dream") == ("dream", True)
    assert suite.yardstick_of(clouds[:1], None) == (None, False)
