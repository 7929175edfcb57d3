# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs that come to no good end: ended by a signal, killed, refused, broken clouds. Nothing is left, or swept later."""
from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from lab_suite import ROOT, Listing, Suite
from listing import remove_servers

CLOUDS = "floating,google,amazon,metal"


def _until(process: subprocess.Popen[str], word: str, seconds: float = 240) -> str:
    """The output up to a line that holds the word."""
    assert process.stdout
    lines: list[str] = []
    ends = time.monotonic() + seconds
    for line in process.stdout:
        lines.append(line)
        if word in line:
            return "".join(lines)
        assert time.monotonic() < ends, "".join(lines)
    raise AssertionError("".join(lines))


def _family(pid: int) -> list[int]:
    """The process and all its descendants."""
    found = [pid]
    for number in found:
        for path in Path(f"/proc/{number}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += [int(child) for child in path.read_text(encoding="ascii").split()]
    return found


def _gone(pids: list[int], seconds: float) -> None:
    ends = time.monotonic() + seconds
    while any(Path(f"/proc/{pid}").exists() and "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="ascii") for pid in pids[1:]):
        assert time.monotonic() < ends, "the run does not end"
        time.sleep(0.5)


def _killed(suite: Suite, word: str, clouds: str) -> None:
    """A run that gets no time to clean up."""
    process = suite.start(conformance_clouds=clouds)
    _until(process, word)
    for pid in _family(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.communicate(timeout=60)
    time.sleep(3)  # what was asked for is still being made


def _elsewhere(suite: Suite) -> Suite:
    """Another controller, which knows nothing of the runs of this one."""
    return Suite(suite.environment, suite.folder / "another-controller", suite.folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("word", ["floating: requested", "floating: 5 public address"])
def test_a_run_that_is_ended_cleans_up(suite: Suite, things: Listing, number: signal.Signals, word: str) -> None:
    before = things()
    report = suite.folder / f"ended-{number}-{len(word)}.json"
    process = suite.start(conformance_clouds=CLOUDS, conformance_json=str(report), conformance_skip="same_name")
    _until(process, word)
    family = _family(process.pid)
    os.killpg(process.pid, number)  # as a terminal does: to the whole group
    process.communicate(timeout=300)
    _gone(family, 300)
    assert process.returncode != 0
    assert things() == before
    assert json.loads(report.read_text(encoding="utf-8"))["ended_early"] == f"ended by {number.name}", "what was found until then is written"
    assert not list(suite.state.glob("*/run.json"))


@pytest.mark.parametrize("word", ["floating: 1 add key", "floating: requested", "amazon: requested", "floating: 5 public address"])
def test_a_run_that_is_killed_is_swept(suite: Suite, things: Listing, word: str) -> None:
    before = things()
    _killed(suite, word, CLOUDS)
    assert things() != before
    _elsewhere(suite).sweep(conformance_clouds=CLOUDS)
    assert things() == before, "also a controller that knows nothing of the run finds what it has left"
    assert "nothing to remove" in suite.sweep(conformance_clouds=CLOUDS)
    assert not list(suite.state.glob("*/run.json"))


def test_what_is_left_of_a_node_that_is_gone_is_swept_from_anywhere(suite: Suite, things: Listing) -> None:
    before = things()
    _killed(suite, "floating: 5 public address", "floating")
    remove_servers("floating", things()["openstack floating"] - before["openstack floating"], suite.environment)
    left = things()["openstack floating"] - before["openstack floating"]
    assert {line.split()[0] for line in left} == {"key", "address", "group"}
    foretold = subprocess.run([*_elsewhere(suite).command(conformance_clouds="floating", conformance_sweep=True), "--check", "-v"], cwd=ROOT,
                              env=suite.environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL).stdout
    assert re.search(r'"names": \["fleet-conformance-\w+-1"\]', foretold), foretold
    assert things()["openstack floating"] - before["openstack floating"] == left
    text = _elsewhere(suite).sweep(conformance_clouds="floating")
    assert "floating: removed floating IP" in text
    assert things() == before
    suite.sweep(conformance_clouds="floating")


def test_the_parent_s_end_is_noticed(suite: Suite, things: Listing) -> None:
    """Killing ansible-playbook alone leaves the process that does the work, which then cleans up by itself."""
    before = things()
    process = suite.start(conformance_clouds="google,floating")
    _until(process, "floating: requested")
    family = _family(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=30)
    _gone(family, 300)
    assert things() == before


def test_the_cost_guard_refuses_before_anything_is_made(suite: Suite, things: Listing) -> None:
    before = things()
    text = suite.run(status=2, conformance_clouds="floating,provider", conformance_max_nodes=3)
    assert "it would make up to 4 nodes on 2 clouds, 3 are allowed" in text
    assert things() == before
    assert not list(suite.state.glob("*/run.json"))


def test_the_cost_guard_lets_pass_what_is_allowed(suite: Suite) -> None:
    found = suite.report(conformance_clouds="google", conformance_max_nodes=1, conformance_only="request,deletion")
    assert found["nodes_made"] == found["max_nodes"] == 1


def test_check_mode_makes_nothing(suite: Suite, things: Listing) -> None:
    before = things()
    command = [*suite.command(conformance_clouds="floating,google"), "--check", "-v"]
    done = subprocess.run(command, env=suite.environment, capture_output=True, text=True, check=False, cwd=ROOT, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout
    assert '"plan": {"floating": 2, "google": 2}' in done.stdout
    assert things() == before


def test_a_cloud_that_cannot_be_asked_does_not_stop_the_others(suite: Suite, tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.yml"
    fleet.write_text(json.dumps({"plugin": "hybridops.fleet.nodes", "clouds": {
        "nowhere": {"provider": "openstack", "cloud": "nowhere"}, "google": {"provider": "gce", "projects": ["acme-prod"]}}}), encoding="utf-8")
    found = suite.report(fleet, status=2, conformance_only="request,deletion")
    answers = {cloud["name"]: {result["verdict"] for result in cloud["results"].values()} for cloud in found["clouds"]}
    assert answers == {"nowhere": {"ERROR"}, "google": {"YES"}}


def test_a_no_is_an_answer_and_strict_makes_it_a_failure(suite: Suite) -> None:
    wanted = {"conformance_clouds": "google", "conformance_only": "same_name,deletion"}
    assert next(iter(suite.report(**wanted)["clouds"]))["results"]["same_name"]["verdict"] == "NO"
    assert "NO where the yardstick says YES: google, two nodes of one name" in suite.run(status=2, conformance_strict=True, **wanted)


def test_a_rack_of_machines(suite: Suite, tmp_path: Path) -> None:
    """Machines are bound, not made: what has no meaning for them is told so, and they are released."""
    (tmp_path / "rack.yml").write_text(json.dumps({"site": "r9", "nodes": [
        {"name": "r9-u01", "pool": True, "login_user": "root", "image": {"distro": "debian", "version": "12"},
         "interfaces": [{"name": "eno1", "network": "dmz", "role": "public", "addresses": ["203.0.113.250"]},
                        {"name": "eno2", "network": "rack", "role": "private", "addresses": ["10.9.0.1"]}]}]}), encoding="utf-8")
    fleet = tmp_path / "fleet.yml"
    fleet.write_text(json.dumps({"plugin": "hybridops.fleet.nodes", "clouds": {
        "rack9": {"provider": "metal", "sources": [{"kind": "file", "path": "rack.yml"}]}}}), encoding="utf-8")
    found = suite.report(fleet)
    answers = {check: result["verdict"] for check, result in found["clouds"][0]["results"].items() if check not in ("login", "fleet_keys")}
    alike = ("pick", "request", "public_address", "private_address", "second_request", "deletion")
    assert {check: answers[check] for check in alike} == dict.fromkeys(alike, "YES")
    assert (answers["same_name"], answers["stop_start"], answers["reboot"]) == ("-", "-", "-")
    again = suite.report(fleet, conformance_only="request,deletion")
    assert again["clouds"][0]["results"]["request"]["verdict"] == "YES", "the machine was released"
