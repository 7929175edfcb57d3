# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The provider against a server that fails in all the ways servers fail: a retry or an error, never fewer nodes."""
from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import Filters
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.base import together
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.gce import api
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.gce.shape import STATES
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.providers.gce_opened import (
    ALL,
    LIST,
    Opened,
    machine,
    small_fleet,
    write_key,
)
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.providers.gce_server import (
    FakeGce,
    Fault,
    google_error,
)

KIND = "compute#instanceAggregatedList"


@pytest.fixture
def gce(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGce]:
    with small_fleet(monkeypatch) as fake:
        yield fake


@pytest.fixture
def key_file(tmp_path: Path, gce: FakeGce) -> Path:
    return write_key(tmp_path, gce)


@pytest.fixture
def opened(gce: FakeGce, key_file: Path) -> Opened:
    return Opened(gce, {"credentials_file": str(key_file)})


# ------------------------------------------------------------------------------------------------- the good case
def test_reads_all_pages_with_one_token(gce: FakeGce, opened: Opened) -> None:
    assert list(opened.provider.scopes()) == ["acme-prod"]
    found = {node.name: node for node in opened.nodes()}
    assert sorted(name or "" for name in found) == ALL
    assert gce.count(LIST) == 3
    assert gce.tokens == 1
    first = found["m1"]
    assert (first.interfaces[0].mtu, first.login.key_users) == (1500, ("ops",))
    query = next(query for _method, path, query, _headers in gce.requests if path.endswith(LIST))
    assert query["maxResults"] == "500"
    assert "items/*/instances(id,name,status" in query["fields"]
    assert "filter" not in query


def test_scopes_in_threads_share_one_token(gce: FakeGce, key_file: Path) -> None:
    gce.instances["acme-dev"] = {"us-east1-b": [machine(9)]}
    opened = Opened(gce, {"credentials_file": str(key_file), "projects": ["acme-prod", "acme-dev", "acme-prod"]})
    assert list(opened.provider.scopes()) == ["acme-prod", "acme-dev"]
    prod, dev = together(*(lambda scope=scope: opened.names(scope) for scope in opened.provider.scopes()))
    assert (prod, dev, gce.tokens) == (ALL, ["m9"], 1)


def test_only_the_endpoint_and_the_token_server_are_called(
    gce: FakeGce, opened: Opened, monkeypatch: pytest.MonkeyPatch,
) -> None:
    called: set[str] = set()
    resolve = socket.getaddrinfo

    def watched(host: Any, *more: Any, **words: Any) -> Any:
        called.add(str(host))
        return resolve(host, *more, **words)

    monkeypatch.setattr(socket, "getaddrinfo", watched)
    opened.nodes()
    time.sleep(0.2)  # google-auth's look-up of access boundaries would run in a thread of its own
    assert called == {"127.0.0.1"}
    assert not [thread for thread in threading.enumerate() if "Regional" in type(thread).__name__]


def test_zones_are_listed_one_by_one(gce: FakeGce, key_file: Path) -> None:
    gce.instances["acme-prod"]["europe-west1-e"] = []
    zones = ["europe-west1-b", "europe-west1-c", "europe-west1-e"]
    assert Opened(gce, {"credentials_file": str(key_file), "zones": zones}).names() == ["m1", "m2", "m3", "m4"]
    assert gce.count(LIST) == 0


def test_unknown_zone(gce: FakeGce, key_file: Path) -> None:
    failure = Opened(gce, {"credentials_file": str(key_file), "zones": ["mars-1"]}).failure()
    assert failure.code == "refused"
    assert "zone mars-1" in str(failure)


def test_extra_fields_are_asked_for_and_metadata_is_not_given(gce: FakeGce, key_file: Path) -> None:
    gce.instances["acme-prod"] = {"z-a": [machine(1, description="front", metadata={"items": []})]}
    opened = Opened(gce, {"credentials_file": str(key_file)}, extra=("description", "metadata", "absent"))
    assert opened.nodes()[0].extra == {"description": "front"}
    query = next(query for _method, path, query, _headers in gce.requests if path.endswith(LIST))
    assert ",description" in query["fields"]
    assert opened.notes == ["hostvars_extra: metadata may hold secrets and is left out"]


def test_a_machine_on_two_pages_is_one(gce: FakeGce, opened: Opened) -> None:
    gce.instances["acme-prod"]["europe-west1-d"].append(machine(1))
    assert opened.names() == ALL


# -------------------------------------------------------------------------------------------------------- filters
def test_filters_that_mean_the_same_are_pushed(gce: FakeGce, key_file: Path) -> None:
    options = {"credentials_file": str(key_file), "filters": {
        "states": ["running", "stopped"], "names": ["m1", "m2"], "tags": {"env": ["prod", "test"], "web": None}}}
    Opened(gce, options, states=("running", "stopped")).nodes()
    query = next(query for _method, path, query, _headers in gce.requests if path.endswith(LIST))
    assert query["filter"] == (
        '((status = "RUNNING") OR (status = "STOPPED") OR (status = "TERMINATED")) AND ((name = "m1") OR (name = "m2"))'
        ' AND ((labels.env = "prod") OR (labels.env = "test"))')


@pytest.mark.parametrize(("filters", "asked"), [
    (Filters((), {}, ("m1",)), '(name = "m1")'),
    (Filters((), {}, (), ("11",)), "(id = 11)"),
    (Filters((), {}, ("m1", "m2"), ("11", "x", "12")), '((name = "m1") OR (name = "m2")) AND ((id = 11) OR (id = 12))'),
    (Filters((), {}, (), ("i-0abc",)), "(id = 0)"),
    (Filters((), {}, (), tuple(map(str, range(41)))), None),
])
def test_single_instances_are_asked_for_by_name_and_id(filters: Filters, asked: str | None) -> None:
    assert api.instance_query(filters, STATES.values(), (), aggregated=True).get("filter", "").partition(" AND ")[2] == (asked or "")


@pytest.mark.parametrize("filters", [
    {"names": ["m*"]}, {"names": ["m1", "web-?"]}, {"tags": {"web": None}}, {"tags": {"env": ["pro*"]}},
    {"tags": {"Name": "x"}}, {"names": ['m1" OR (name != "x']}, {"tags": {"env": ""}},
])
def test_filters_that_could_mean_something_else_are_not(gce: FakeGce, key_file: Path, filters: dict[str, Any]) -> None:
    Opened(gce, {"credentials_file": str(key_file), "filters": filters}).nodes()
    assert all("filter" not in query for _method, _path, query, _headers in gce.requests)


def test_a_server_that_refuses_the_filter_is_asked_for_all(gce: FakeGce, key_file: Path) -> None:
    gce.faults.append(Fault(LIST, 400, google_error(400, "Invalid value for field 'filter'", "invalid"), times=1))
    opened = Opened(gce, {"credentials_file": str(key_file)}, states=("running",))
    assert opened.names() == ALL
    assert "without filter and fields" in opened.notes[0]


# ----------------------------------------------------------------------------------------------- transient faults
UNREACHABLE = {"kind": KIND, "id": "x", "items": {
    "zones/europe-west1-b": {"instances": [machine(1)]},
    "zones/europe-west1-c": {"warning": {"code": "UNREACHABLE", "message": "down"}}}}
RATE_LIMIT = google_error(403, "Rate Limit Exceeded", "rateLimitExceeded")

TRANSIENT = {
    "503 JSON without error": (Fault(LIST, 503, {"status": "busy"}), "unavailable", "HTTP 503"),
    "503 HTML": (Fault(LIST, 503, b"<html><title>503</title></html>"), "unavailable", "HTTP 503"),
    "500": (Fault(LIST, 500, google_error(500, "Internal error", "backendError")), "unavailable", "Internal error"),
    "429": (Fault(LIST, 429, google_error(429, "Slow down", "rateLimitExceeded")), "throttled", "Slow down"),
    "403 rate limit": (Fault(LIST, 403, RATE_LIMIT), "throttled", "Rate Limit Exceeded"),
    "page without items": (Fault(LIST, body={"kind": KIND}), "bad_answer", "page without items"),
    "last page without items": (
        Fault(LIST, body={"kind": KIND, "id": "x"}, page="t4"), "bad_answer", "without items"),
    "empty object": (Fault(LIST, body={}), "bad_answer", f"not a {KIND}"),
    "other kind": (Fault(LIST, body={"kind": "compute#instanceList"}), "bad_answer", f"not a {KIND}"),
    "200 HTML": (Fault(LIST, body=b"<html>sign in</html>"), "bad_answer", "not JSON"),
    "200 list": (Fault(LIST, body=[]), "bad_answer", "not a JSON object"),
    "200 empty": (Fault(LIST), "bad_answer", "not JSON"),
    "items is a list": (
        Fault(LIST, body={"kind": KIND, "items": [1]}), "bad_answer", "not a mapping"),
    "zone is null": (
        Fault(LIST, body={"kind": KIND, "items": {"zones/a": None}}), "bad_answer", "no list"),
    "cut body": (Fault(LIST, body=b'{"kind": "compute#inst', cut=True), "unreachable", "127.0.0.1"),
    "unreachable zone": (Fault(LIST, body=UNREACHABLE), "partial", "europe-west1-c (UNREACHABLE)"),
    "unreachables": (
        Fault(LIST, body={"kind": KIND, "items": {}, "unreachables": ["zones/a-b"]}),
        "partial", "a-b"),
    "top-level warning": (
        Fault(LIST, body={"kind": KIND, "items": {}, "warning": {"code": "PARTIAL_SUCCESS"}}),
        "partial", "PARTIAL_SUCCESS"),
    "project metadata 503": (Fault("/projects/acme-prod", 503), "unavailable", "HTTP 503"),
    "networks 503": (Fault("/global/networks", 503), "unavailable", "HTTP 503"),
    "token 503": (Fault("/token", 503, {"error": "busy"}), "unavailable", "HTTP 503"),
}


@pytest.mark.parametrize("case", TRANSIENT)
def test_a_fault_that_passes_costs_a_retry_and_no_node(gce: FakeGce, opened: Opened, case: str) -> None:
    fault = TRANSIENT[case][0]
    gce.faults.append(Fault(**{**vars(fault), "times": 1}))
    assert opened.names() == ALL
    assert len(opened.waits) == 1


@pytest.mark.parametrize("case", TRANSIENT)
def test_a_fault_that_stays_is_an_error(gce: FakeGce, opened: Opened, case: str) -> None:
    fault, code, why = TRANSIENT[case]
    gce.faults.append(Fault(**vars(fault)))
    failure = opened.failure()
    assert failure.code == code
    assert why in failure.why
    assert failure.fix
    threads = 3 if case == "token 503" else 1  # instances, project and networks all need a token
    assert len(opened.waits) == 2 * threads, "each tried three times"


def test_retry_after_is_honoured(gce: FakeGce, opened: Opened) -> None:
    gce.faults.append(Fault(LIST, 429, RATE_LIMIT, headers={"Retry-After": "7"}, times=1))
    assert opened.names() == ALL
    assert opened.waits == [7.0]


def test_empty_pages_with_a_next_page_are_read_through(gce: FakeGce, opened: Opened) -> None:
    empty = {"kind": KIND, "id": "x", "nextPageToken": "t0"}
    gce.faults.append(Fault(LIST, body=empty, times=1))
    assert opened.names() == ALL


def test_an_empty_project_is_empty(gce: FakeGce, opened: Opened) -> None:
    gce.instances["acme-prod"] = {"europe-west1-b": []}
    assert opened.names() == []


def test_a_silent_server_times_out(gce: FakeGce, key_file: Path) -> None:
    gce.faults.append(Fault(LIST, hang=5.0))
    opened = Opened(gce, {"credentials_file": str(key_file)}, timeout=0.6)
    began = time.monotonic()
    assert opened.failure().code == "timeout"
    assert time.monotonic() - began < 3.0


def test_connection_refused(gce: FakeGce, key_file: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        opened = Opened(gce, {"credentials_file": str(key_file), "endpoint": endpoint})
        failure = opened.failure()
    assert (failure.code, failure.why) == ("unreachable", f"{endpoint.removeprefix('http://')}: Connection refused")
    assert opened.waits


# ----------------------------------------------------------------------------------------------- lasting faults
LASTING = {
    "broken page token": (
        Fault(LIST, 400, google_error(400, "Invalid page token", "invalid"), page="t2"), "refused", "page token"),
    "second page gone": (
        Fault(LIST, 404, google_error(404, "Not found", "notFound"), page="t2"), "not_found", "Not found"),
    "forbidden": (
        Fault(LIST, 403, google_error(403, "Required 'compute.instances.list'", "forbidden")),
        "forbidden", "roles/compute.viewer"),
    "API off": (
        Fault(LIST, 403, google_error(403, "API has not been used", "accessNotConfigured", "SERVICE_DISABLED")),
        "forbidden", "gcloud services enable compute.googleapis.com --project acme-prod"),
    "scope": (
        Fault(LIST, 403, google_error(403, "Insufficient scopes", "forbidden", "ACCESS_TOKEN_SCOPE_INSUFFICIENT")),
        "forbidden", "compute.readonly"),
    "redirect": (Fault(LIST, 302, headers={"Location": "https://login.example.test/"}), "bad_answer", "HTTP 302"),
    "malformed instance": (
        Fault(LIST, body={"kind": KIND, "items": {"zones/a": {"instances": [{"name": "x"}]}}}),
        "bad_answer", "KeyError: 'id'"),
}


@pytest.mark.parametrize("case", LASTING)
def test_a_lasting_fault_is_an_error_at_once(gce: FakeGce, opened: Opened, case: str) -> None:
    fault, code, words = LASTING[case]
    gce.faults.append(Fault(**vars(fault)))
    failure = opened.failure()
    assert failure.code == code
    assert words in str(failure)
    assert opened.waits == []


def test_a_page_token_that_comes_back_is_an_error(gce: FakeGce, opened: Opened) -> None:
    gce.faults.append(Fault(LIST, body={
        "kind": KIND, "nextPageToken": "t2", "items": {"zones/a": {"instances": [machine(1)]}}}))
    failure = opened.failure()
    assert (failure.code, "page token came twice" in failure.why) == ("bad_answer", True)


def test_unknown_project(opened: Opened) -> None:
    assert opened.failure("nobody").code == "not_found"


# -------------------------------------------------------------------------------------- less than full permissions
def test_without_permission_on_networks_the_mtu_is_unknown(gce: FakeGce, opened: Opened) -> None:
    gce.faults.append(Fault("/global/networks", 403, google_error(403, "no", "forbidden")))
    assert {node.interfaces[0].mtu for node in opened.nodes()} == {None}
    assert "no MTU for networks of project acme-prod" in opened.notes[0]


def test_without_permission_on_the_project_login_users_may_be_missing(gce: FakeGce, opened: Opened) -> None:
    gce.faults.append(Fault("/projects/acme-prod", 403, google_error(403, "no", "forbidden")))
    assert {node.login.key_users for node in opened.nodes()} == {()}
    assert "login users of project acme-prod may be missing" in opened.warnings[0]


def test_shared_vpc_takes_the_mtu_of_the_host_project(gce: FakeGce, opened: Opened) -> None:
    shared = "https://x/compute/v1/projects/acme-net/global/networks/shared"
    gce.instances["acme-net"] = {}
    gce.networks["acme-net"] = [{"selfLink": shared, "mtu": 8896}]
    gce.instances["acme-prod"] = {"z-a": [machine(1, networkInterfaces=[{"network": shared, "networkIP": "10.0.0.1"}])]}
    assert opened.nodes()[0].interfaces[0].mtu == 8896
