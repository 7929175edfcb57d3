# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading many clouds at once: order, filters, failures beside answers, deadlines, defects."""
from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet import collect as module
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.collect import Answer, Settings, collect, wanted
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError, library_missing
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import Cloud, Filters, parse_clouds
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.actions import Actions
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.base import Provider, ProviderSpec, Run, together
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import NodeEvidence

Behaviour = dict[str, Callable[[], Iterable[NodeEvidence]]]


def node(name: str, state: str = "running", **more: Any) -> NodeEvidence:
    return NodeEvidence(id=f"id-{name}", name=name, state=state, **more)


def fail(**kind: Any) -> Callable[[], Iterable[NodeEvidence]]:
    def action() -> Iterable[NodeEvidence]:
        raise FleetError("list servers", why="refused", **kind)
    return action


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Answer]]:
    """Reads clouds made of plain functions: {cloud: {scope: function}}."""

    def read(behaviours: dict[str, Behaviour], *, timeout: float = 30, workers: int = 8, **entry: Any) -> list[Answer]:
        class Scripted(Provider):
            def scopes(self) -> Sequence[str]:
                behaviour = behaviours[self.cloud.name]
                if "open" in behaviour:
                    behaviour["open"]()
                return [scope for scope in behaviour if scope != "open"]

            def evidence(self, scope: str) -> Iterable[NodeEvidence]:
                return behaviours[self.cloud.name][scope]()

            def actions(self, scope: str) -> Actions:
                raise NotImplementedError

        spec = ProviderSpec("metal", module.PROVIDERS["metal"].options, lambda options, environ: (), Scripted)
        monkeypatch.setitem(module.PROVIDERS, "metal", spec)
        source = {"provider": "metal", "sources": [{"kind": "file", "path": "x"}], **entry}
        clouds: list[Cloud] = parse_clouds(dict.fromkeys(behaviours, source), "fleet.yml")
        return collect(clouds, Settings(timeout=timeout, retries=0, workers=workers, states=("running", "stopped")))

    return read


def shown(answers: list[Answer]) -> list[tuple[str, str | None, list[str | None] | str]]:
    return [(answer.cloud.name, answer.scope, str(answer.failure.error) if answer.failure else [n.name for n in answer.nodes]) for answer in answers]


def test_all_scopes_answer_in_the_order_of_the_file(fleet: Callable[..., list[Answer]]) -> None:
    def slow() -> Iterable[NodeEvidence]:
        time.sleep(0.1)
        return [node("a1")]

    answers = fleet({"a": {"r1": slow, "r2": lambda: [node("a2")]}, "b": {"r1": lambda: [node("b1"), node("b2")]}})
    assert shown(answers) == [("a", "r1", ["a1"]), ("a", "r2", ["a2"]), ("b", "r1", ["b1", "b2"])]


def test_scopes_are_read_at_the_same_time(fleet: Callable[..., list[Answer]]) -> None:
    meeting = threading.Barrier(4, timeout=10)  # breaks unless all four are inside at once

    def meet() -> Iterable[NodeEvidence]:
        meeting.wait()
        return [node("x")]

    answers = fleet({"a": {"r1": meet, "r2": meet}, "b": {"r1": meet, "r2": meet}})
    assert [answer.failure for answer in answers] == [None] * 4


def test_a_failure_is_an_answer_that_names_its_place(fleet: Callable[..., list[Answer]]) -> None:
    answers = fleet({"a": {"r1": fail(fix="Do this."), "r2": lambda: [node("a2")]}, "b": {"open": fail(), "r1": lambda: [node("b1")]}})
    assert shown(answers) == [
        ("a", "r1", "cloud 'a' (r1): list servers: refused. Do this."),
        ("a", "r2", ["a2"]),
        ("b", None, "cloud 'b': list servers: refused"),
    ]


def test_a_failure_in_the_middle_of_a_listing_leaves_no_half_answer(fleet: Callable[..., list[Answer]]) -> None:
    def breaks() -> Iterable[NodeEvidence]:
        yield node("first")
        raise FleetError("list servers", why="page 2 is missing")

    answer, = fleet({"a": {"r1": breaks}})
    assert answer.nodes == ()
    assert answer.failure is not None


def test_a_defect_names_its_cloud_and_loses_no_other(fleet: Callable[..., list[Answer]]) -> None:
    def defect() -> Iterable[NodeEvidence]:
        raise KeyError("OS-EXT-IPS:type")

    answers = fleet({"a": {"r1": defect}, "b": {"r1": lambda: [node("b1")]}})
    assert "cloud 'a' (r1): read the cloud: KeyError" in shown(answers)[0][2]
    assert shown(answers)[1] == ("b", "r1", ["b1"])


def test_a_cloud_that_ignores_its_deadline_is_given_up_and_replaced(
    fleet: Callable[..., list[Answer]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRACE", 0.1)
    release = threading.Event()

    def hang() -> Iterable[NodeEvidence]:
        release.wait(30)
        return [node("late")]

    try:
        answers = fleet({"a": {"r1": hang}, "b": {"r1": lambda: [node("b1")]}}, timeout=0.2, workers=1)
    finally:
        release.set()
    assert "within 0.2 s" in shown(answers)[0][2]
    assert shown(answers)[1] == ("b", "r1", ["b1"])


def test_the_states_wanted_and_the_filters_of_a_cloud(fleet: Callable[..., list[Answer]]) -> None:
    nodes = [node("web-1"), node("web-2", "stopped"), node("db-1"), node("web-3", "error")]
    assert shown(fleet({"a": {"r": lambda: nodes}})) == [("a", "r", ["web-1", "web-2", "db-1"])]
    assert shown(fleet({"a": {"r": lambda: nodes}}, filters={"names": ["web-*"], "states": ["error", "stopped"]})) == [
        ("a", "r", ["web-2", "web-3"])]


@pytest.mark.parametrize(
    ("tags", "filters", "passes"),
    [
        ({"env": "prod"}, {"env": ("prod",)}, True),
        ({"env": "prod"}, {"env": ("test", "prod")}, True),
        ({"env": "prod"}, {"env": ("p*",)}, True),
        ({"env": "prod"}, {"env": ("Prod",)}, False),
        ({"env": "prod"}, {"env": ()}, True),
        ({}, {"env": ()}, False),
        ({"env": "prod"}, {"env": ("prod",), "role": ()}, False),
    ],
)
def test_tag_filters(tags: dict[str, str], filters: dict[str, tuple[str, ...]], passes: bool) -> None:
    assert wanted(node("x", tags=tags), Filters((), filters, ()), frozenset({"running"})) is passes


def test_a_node_without_name_is_filtered_by_its_id() -> None:
    nameless = NodeEvidence(id="i-0abc", name=None, state="running")
    assert wanted(nameless, Filters((), {}, ("i-0*",)), frozenset({"running"}))


def test_libraries_are_imported_before_there_are_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[tuple[str, threading.Thread]] = []
    opened: list[threading.Thread] = []

    class Scripted(Provider):
        def scopes(self) -> Sequence[str]:
            opened.append(threading.current_thread())
            return ["r1"]

        def evidence(self, scope: str) -> Iterable[NodeEvidence]:
            return [node(self.cloud.name)]

        def actions(self, scope: str) -> Actions:
            raise NotImplementedError

    def load(options: Mapping[str, Any]) -> None:
        loaded.append((options["sources"][0]["path"], threading.current_thread()))
        assert not opened
        raise ImportError("No module named 'sdk'")  # opening tells it, of the cloud that needs it

    def without(cloud: Cloud, run: Run) -> Provider:
        if cloud.name == "b":
            raise library_missing("sdk", "metal", ImportError("No module named 'sdk'"))
        return Scripted(cloud, run)

    real = module.PROVIDERS["metal"]
    monkeypatch.setitem(module.PROVIDERS, "metal", dataclasses.replace(real, open=without, load=load))
    clouds = parse_clouds(
        {name: {"provider": "metal", "sources": [{"kind": "file", "path": f"{name}.yml"}]} for name in ("a", "b")}, "fleet.yml")
    answers = collect(clouds, Settings(timeout=30, retries=0, workers=8, states=("running",)))
    assert loaded == [("a.yml", threading.current_thread()), ("b.yml", threading.current_thread())]
    assert threading.current_thread() not in opened
    assert shown(answers)[0] == ("a", "r1", ["a"])
    assert shown(answers)[1][2].startswith("cloud 'b': the Python library 'sdk' is needed for provider metal: No module named 'sdk'. Install it")


def test_the_library_of_every_provider_is_imported_ahead() -> None:
    """In a Python of its own, as this one has imported them all."""
    entries = {
        "dream": {"provider": "openstack"}, "amazon": {"provider": "aws"}, "google": {"provider": "gce"},
        "rack": {"provider": "metal", "sources": [{"kind": "ironic"}, {"kind": "redfish", "baseuri": "https://bmc.example.com"}]}}
    package = module.__name__.rpartition(".")[0]
    tree = str(Path(module.__file__).parents[package.count(".") + 1])
    for name, libraries in (("dream", ["openstack"]), ("amazon", ["botocore"]), ("google", ["google.auth", "requests"]),
                            ("rack", ["openstack", "requests"])):
        program = f"""
import sys
from {package}.fleet_file import parse_clouds
from {package}.providers.registry import load_libraries
clouds = parse_clouds({ {name: entries[name]}!r}, "fleet.yml")
assert not set({libraries!r}) & set(sys.modules), "too early"
load_libraries(clouds)
print([library for library in {libraries!r} if library not in sys.modules])
"""
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": tree})
        assert (done.stdout, done.stderr) == ("[]\n", ""), name


def test_together_gives_results_in_order_and_the_first_failure() -> None:
    assert together(lambda: 1, lambda: 2, lambda: 3) == [1, 2, 3]
    with pytest.raises(KeyError):
        together(lambda: 1, lambda: {}["x"])
