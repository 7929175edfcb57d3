# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is kept between runs, and the policy for clouds that fail."""
from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet import assemble
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.collect import Answer, Settings
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import Failure, FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import Cloud, parse_clouds
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import Node, NodeEvidence
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory import read as module
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.read import Policy, Reading, read
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.store import LastGood, cloud_key, fleet_key


def node(name: str) -> Node:
    return assemble.node(NodeEvidence(id=name, name=name, state="running"), provider="aws", cloud="a")


AWS: dict[str, Any] = {"provider": "aws", "regions": ["r1", "r2"]}


def clouds(**entries: dict[str, Any]) -> list[Cloud]:
    return parse_clouds(entries, "fleet.yml")


class Case:
    """Two clouds read with a policy; what each scope answers is set by the test."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clouds = clouds(a=AWS, b={**AWS, "regions": ["r1"]})
        self.answers: dict[tuple[str, str | None], list[Node] | FleetError] = {}
        self.warnings: list[str] = []
        self.folder = folder
        monkeypatch.setattr(module, "collect", self._collect)

    def _collect(self, asked: list[Cloud], settings: Settings) -> list[Answer]:
        by_name = {cloud.name: cloud for cloud in asked}
        return [
            Answer(by_name[cloud], scope, failure=Failure(cloud, scope, result.at(cloud, scope))) if isinstance(result, FleetError)
            else Answer(by_name[cloud], scope, tuple(result)) for (cloud, scope), result in self.answers.items()]

    def read(self, on_failure: str) -> Reading:
        settings = Settings(timeout=1, retries=0, workers=1, states=("running",), environ={}, warn=self.warnings.append)
        return read(self.clouds, settings, Policy(on_failure, LastGood(self.folder)), {})

    def names(self, on_failure: str) -> list[tuple[str, bool]]:
        return [(record["name"], record["stale"]) for record in self.read(on_failure).records]


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    made = Case(tmp_path / "last_good", monkeypatch)
    made.answers = {("a", "r1"): [node("a1")], ("a", "r2"): [node("a2")], ("b", "r1"): [node("b1")]}
    return made


def down() -> FleetError:
    return FleetError("list instances", why="HTTP 503", fix="Try again later.")


def test_all_well(case: Case) -> None:
    for policy in ("fail", "warn", "stale"):
        assert case.names(policy) == [("a1", False), ("a2", False), ("b1", False)]
        assert case.read(policy).complete
    assert case.warnings == []


def test_fail_names_every_cloud_that_failed(case: Case) -> None:
    case.answers[("a", "r2")] = down()
    with pytest.raises(FleetError) as caught:
        case.read("fail")
    text = str(caught.value)
    assert text.startswith("cloud 'a' (r2): list instances: HTTP 503. Try again later. To go on without it")
    case.answers[("b", "r1")] = down()
    with pytest.raises(FleetError) as caught:
        case.read("fail")
    assert "cloud 'a' (r2)" in str(caught.value)
    assert "cloud 'b' (r1)" in str(caught.value)


def test_warn_goes_on_and_says_so(case: Case) -> None:
    case.answers[("a", "r2")] = down()
    assert case.names("warn") == [("a1", False), ("b1", False)]
    assert not case.read("warn").complete
    assert "cloud 'a' (r2): list instances: HTTP 503" in case.warnings[0]
    assert "missing" in case.warnings[0]


def test_stale_shows_the_last_good_answer_of_what_failed_only(case: Case) -> None:
    case.read("stale")
    case.answers = {("a", "r1"): [node("a1"), node("a3")], ("a", "r2"): down(), ("b", "r1"): [node("b1")]}
    assert case.names("stale") == [("a1", False), ("a3", False), ("a2", True), ("b1", False)]
    assert not case.read("stale").complete
    assert "marked fleet_stale" in case.warnings[0]


def test_stale_for_a_cloud_that_could_not_be_opened(case: Case) -> None:
    case.read("stale")
    case.answers = {("a", None): down(), ("b", "r1"): [node("b1")]}
    assert case.names("stale") == [("a1", True), ("a2", True), ("b1", False)]


def test_a_stale_answer_does_not_become_the_last_good_one(case: Case) -> None:
    case.read("stale")
    case.answers[("a", "r2")] = down()
    case.read("stale")
    assert case.names("stale") == [("a1", False), ("a2", True), ("b1", False)]


def test_stale_without_an_earlier_answer_fails(case: Case) -> None:
    case.answers[("a", "r2")] = down()
    with pytest.raises(FleetError, match="no earlier good answer"):
        case.read("stale")


def test_a_damaged_file_is_no_answer(case: Case) -> None:
    case.read("stale")
    for path in case.folder.iterdir():
        path.write_text("{", encoding="utf-8")
    case.answers[("a", "r2")] = down()
    with pytest.raises(FleetError, match="no earlier good answer"):
        case.read("stale")


def test_files_are_for_the_owner_only(case: Case) -> None:
    case.read("stale")
    assert stat.S_IMODE(case.folder.stat().st_mode) == 0o700
    files = list(case.folder.iterdir())
    assert len(files) == 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_folder_that_cannot_be_written_is_a_warning(case: Case, tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.touch()
    case.folder = blocker / "x"
    assert len(case.names("stale")) == 3
    assert "could not be kept" in case.warnings[0]


@pytest.fixture
def credentials(tmp_path: Path) -> dict[str, str]:
    path = tmp_path / "credentials"
    path.write_text("[default]\naws_access_key_id = AKIAONE\naws_secret_access_key = s3cr3t\n", encoding="utf-8")
    return {"AWS_SHARED_CREDENTIALS_FILE": str(path), "AWS_CONFIG_FILE": os.devnull, "AWS_PROFILE": "one"}


def _other_file(environ: Mapping[str, str]) -> Mapping[str, str]:
    Path(environ["AWS_SHARED_CREDENTIALS_FILE"]).write_text("[default]\naws_access_key_id = AKIATWO\n", encoding="utf-8")
    return environ


@pytest.mark.parametrize(
    "change",
    [
        lambda environ: {**environ, "AWS_PROFILE": "two"},
        lambda environ: {**environ, "AWS_ACCESS_KEY_ID": "AKIAX"},
        lambda environ: {**environ, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
        _other_file,
    ],
)
def test_other_credentials_are_another_key(credentials: dict[str, str], change: Callable[[Mapping[str, str]], Mapping[str, str]]) -> None:
    fleet = clouds(a=AWS)
    before = fleet_key(fleet, {}, credentials, "")
    assert fleet_key(fleet, {}, credentials, "") == before
    assert fleet_key(fleet, {}, change(credentials), "") != before


@pytest.mark.parametrize(
    "entry",
    [
        {"regions": ["r1"]}, {"login_user": "x"}, {"ssh_port": 2222}, {"networks": {"10.0.0.0/8": {"role": "private"}}},
        {"filters": {"tags": {"a": "b"}}}, {"filters": {"names": ["x"]}}, {"profile": "p"},
    ],
)
def test_other_options_are_another_key(entry: dict[str, Any]) -> None:
    base, = clouds(a=AWS)
    other, = clouds(a={**AWS, **entry})
    assert cloud_key(base, {}, {}, "") != cloud_key(other, {}, {}, "")
    assert cloud_key(base, {}, {}, "") != cloud_key(base, {"states": ["running"]}, {}, "")


def test_the_last_good_file_holds_no_credentials(case: Case, credentials: dict[str, str]) -> None:
    case.read("stale")
    text = "".join(path.read_text(encoding="utf-8") for path in case.folder.iterdir())
    assert json.loads("[" + text.replace("}{", "},{") + "]")
    assert "s3cr3t" not in text
