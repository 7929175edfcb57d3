# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What goes wrong on Compute Engine after a request was accepted, or because somebody else is at it: told, or done again."""
from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import CatalogFlavor, CatalogImage, CatalogNetwork
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.actions import MARK, Order
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.gce import faults, instances
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.gce.actions import GceActions
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.providers.gce_changes import ChangingGce
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.providers.gce_opened import Opened, write_key
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.providers.gce_server import Fault, google_error, serving

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAabQkGZ9m1Zf0T1rcpB3bq1dVDJ1oPmJrYl0sWm1zPk me@desk"
DUAL = CatalogNetwork(
    "projects/acme-prod/regions/europe-west1/subnetworks/net", "net", reach={"ipv4": "floating", "ipv6": "public"},
    how={"ipv4": "assigned", "ipv6": "direct"}, zones=("europe-west1-b",),
    extra={"network": "projects/acme-prod/global/networks/wide", "region": "europe-west1", "ipv6_access": "EXTERNAL"})
ORDER = Order(
    "web-1", CatalogImage("projects/debian-cloud/global/images/debian-12", "debian-12"), CatalogFlavor("e2-small", "e2-small", 2, 2048),
    DUAL, "t1", reachable="public", public_key=KEY, tags={MARK: "web-1"}, zone="europe-west1-b")
PLACE = "zones/europe-west1-b/instances/web-1"
STALE = google_error(412, "Supplied fingerprint does not match current metadata fingerprint.", "conditionNotMet")
NOT_READY = google_error(400, f"The resource 'projects/acme-prod/{PLACE}' is not ready", "resourceNotReady")


@pytest.fixture
def gce(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChangingGce]:
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(instances, "PATIENT", 0.0)
    fake = ChangingGce()
    with serving(fake):
        yield fake


@pytest.fixture
def opened(gce: ChangingGce, tmp_path: Path) -> Opened:
    return Opened(gce, {"credentials_file": str(write_key(tmp_path, gce))})


@pytest.fixture
def actions(opened: Opened) -> GceActions:
    made = opened.provider.actions("acme-prod")
    assert isinstance(made, GceActions)
    return made


@pytest.fixture
def node(gce: ChangingGce, actions: GceActions) -> str:
    made = actions.create(dataclasses.replace(ORDER, families=("ipv4",)))
    gce.bodies.clear()
    gce.requests.clear()
    return made


# ------------------------------------------------------------------------------------------------------- operations
def test_a_start_that_fails_is_told_by_the_operation(gce: ChangingGce, actions: GceActions, node: str) -> None:
    gce.resources[PLACE]["status"] = "TERMINATED"
    gce.outcomes["start"] = [{"code": "ZONE_RESOURCE_POOL_EXHAUSTED", "message": "The zone does not have enough resources"}]
    assert actions.power(node, "start")
    status = actions.status([node])[node]
    assert (status.state, status.fault) == ("error", "ZONE_RESOURCE_POOL_EXHAUSTED: The zone does not have enough resources")
    assert actions.power(node, "start")  # asked again, it is another operation
    assert actions.status([node])[node].state == "stopped"


def test_an_end_that_fails_is_told_by_the_operation(gce: ChangingGce, actions: GceActions, node: str) -> None:
    gce.outcomes["delete"] = [{"code": "INTERNAL_ERROR", "message": "sorry"}]
    actions.delete(node)
    assert actions.status([node])[node].fault == "INTERNAL_ERROR: sorry"
    actions.delete(node)
    gce.requests.clear()
    assert actions.status([node]) == {}
    assert not [path for _method, path, _query, _headers in gce.requests if "/operations/" in path]


def test_what_changes_at_once_costs_no_question(
    gce: ChangingGce, actions: GceActions, node: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(instances, "PATIENT", 60.0)
    assert actions.power(node, "stop")
    gce.requests.clear()
    assert actions.status([node])[node].state == "running"
    assert [path.rpartition("/")[2] for _method, path, _query, _headers in gce.requests] == ["web-1"]


@pytest.mark.parametrize("change", ["keys", "labels"])
def test_a_change_whose_operation_comes_too_late_is_made_anew(gce: ChangingGce, actions: GceActions, node: str, change: str) -> None:
    verb = "setMetadata" if change == "keys" else "setLabels"
    gce.outcomes[verb] = [{"code": "CONDITION_NOT_MET", "message": "Fingerprint does not match"}]
    assert actions.remove_node_key(node, KEY) if change == "keys" else actions.tag(node, {"a": "b"})
    assert len(gce.sent(f"/{verb}")) == 2
    assert gce.resources[PLACE]["labels"].get("a") == ("b" if change == "labels" else None)


def test_a_change_whose_operation_fails(gce: ChangingGce, actions: GceActions, node: str) -> None:
    gce.outcomes["setMetadata"] = [{"code": "INTERNAL_ERROR", "message": "sorry"}]
    with pytest.raises(FleetError) as failure:
        actions.remove_node_key(node, KEY)
    assert (failure.value.code, failure.value.why) == ("unavailable", "INTERNAL_ERROR: sorry")
    assert actions.node_keys(node) == (KEY,)


def test_an_operation_that_tells_its_failure_by_status_only() -> None:
    failure = faults.operation_error("make it", {"status": "DONE", "httpErrorStatusCode": 500, "httpErrorMessage": "INTERNAL SERVER ERROR"})
    assert failure is not None
    assert (failure.code, failure.why) == ("refused", "HTTP 500 INTERNAL SERVER ERROR")


# -------------------------------------------------------------------------------------------------- others are at it
@pytest.mark.parametrize(("path", "act"), [
    ("/stop", lambda actions, node: actions.power(node, "stop")), ("/instances/web-1", lambda actions, node: actions.delete(node)),
    ("/setLabels", lambda actions, node: actions.tag(node, {"a": "b"})),
])
def test_what_is_not_ready_is_asked_again(gce: ChangingGce, actions: GceActions, opened: Opened, node: str, path: str, act: Any) -> None:
    gce.faults += [Fault(path, 400, NOT_READY, method=method, times=2) for method in ("POST", "DELETE")]
    act(actions, node)
    assert len(gce.bodies) == 1
    assert len(opened.waits) >= 2


def test_what_is_never_ready_is_said(gce: ChangingGce, actions: GceActions, node: str) -> None:
    gce.faults.append(Fault("/stop", 400, NOT_READY, method="POST"))
    with pytest.raises(FleetError) as failure:
        actions.power(node, "stop")
    assert failure.value.code == "conflict"
    assert "is not ready" in failure.value.why


def test_another_run_changes_the_interface_meanwhile(gce: ChangingGce, actions: GceActions, node: str) -> None:
    gce.faults.append(Fault("/updateNetworkInterface", 412, STALE, times=2))
    wish = dataclasses.replace(ORDER, reachable="public", families=("ipv6",))
    assert actions.publish(wish, node) == "attached an external IPv6 address"
    assert actions.publish(wish, node) is None


def test_another_run_attaches_ipv6_first(gce: ChangingGce, actions: GceActions, node: str) -> None:
    gce.faults.append(Fault("/updateNetworkInterface", 412, STALE, times=1, late=True))
    assert actions.publish(dataclasses.replace(ORDER, families=("ipv6",)), node) is None


# ---------------------------------------------------------------------------------------------------------- limits
PER_MINUTE = ("Quota exceeded for quota metric 'Heavy-weight read requests' and limit 'Heavy-weight read requests per minute' of service "
              "'compute.googleapis.com' for consumer 'project_number:1'.")


@pytest.mark.parametrize("reason", ["rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED"])
def test_too_many_requests_a_minute_are_no_quota_for_machines(
    gce: ChangingGce, actions: GceActions, opened: Opened, reason: str,
) -> None:
    gce.faults.append(Fault("/instances", 403, google_error(403, PER_MINUTE, reason), method="POST", times=2))
    assert actions.create(ORDER)
    assert len(opened.waits) >= 2


def test_an_organisation_that_demands_os_login(gce: ChangingGce, actions: GceActions) -> None:
    gce.project["commonInstanceMetadata"] = {"items": [{"key": "enable-oslogin", "value": "TRUE"}]}
    gce.faults.append(Fault("/instances", 412, google_error(
        412, "Constraint constraints/compute.requireOsLogin violated for project acme-prod.", "conditionNotMet"), method="POST"))
    with pytest.raises(FleetError) as failure:
        actions.create(ORDER)
    assert failure.value.code == "refused"
    assert "OS Login" in failure.value.fix


@pytest.mark.parametrize("message", [
    "The resource 'projects/debian-cloud/global/images/debian-12' is not ready",
    "Invalid value for field 'resource.disks[0].initializeParams.sourceImage': 'x'. The image is obsolete.",
])
def test_an_image_that_cannot_be_used_is_left_for_another(gce: ChangingGce, actions: GceActions, message: str) -> None:
    gce.faults.append(Fault("/instances", 400, google_error(400, message, "resourceNotReady"), method="POST"))
    with pytest.raises(FleetError) as failure:
        actions.create(ORDER)
    assert failure.value.code == "image_gone"


@pytest.mark.parametrize(("project", "instance", "warned"), [
    ("", "", None), ("TRUE", "", "the project's"), ("TRUE", "FALSE", None), ("", "TRUE", "the node's"), ("FALSE", "true", "the node's"),
])
def test_a_key_that_os_login_ignores(
    gce: ChangingGce, actions: GceActions, opened: Opened, node: str, project: str, instance: str, warned: str | None,
) -> None:
    gce.project["commonInstanceMetadata"] = {"items": [{"key": "enable-oslogin", "value": project}] if project else []}
    if instance:
        gce.resources[PLACE]["metadata"]["items"].append({"key": "enable-oslogin", "value": instance})
    assert actions.add_node_key(node, "ann", KEY)
    assert [f"({warned} metadata enable-oslogin)" in word for word in opened.warnings] == ([True] if warned else [])


# --------------------------------------------------------------------------------------------------------- console
@pytest.mark.parametrize("answer", [
    Fault("/serialPort", 403, google_error(403, "Required 'compute.instances.getSerialPortOutput' permission", "forbidden")),
    Fault("/serialPort", 400, google_error(400, "Serial port output is disabled", "invalid")),
])
def test_a_console_that_is_closed_tells_no_keys(gce: ChangingGce, actions: GceActions, opened: Opened, node: str, answer: Fault) -> None:
    gce.faults.append(answer)
    assert actions.host_keys(node) is None
    assert "read the SSH host keys" in opened.notes[-1]


def test_a_console_whose_beginning_is_lost_tells_no_keys(gce: ChangingGce, actions: GceActions, node: str) -> None:
    gce.resources[PLACE]["_serialPort"] = {
        "start": "1048576", "contents": "AAAAIMcut root@web-1\r\n-----END SSH HOST KEY KEYS-----\r\nlogin: "}
    assert actions.host_keys(node) is None
