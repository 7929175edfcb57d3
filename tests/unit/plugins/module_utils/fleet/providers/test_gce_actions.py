# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The actions against a server that loses answers, remembers requests, and changes things meanwhile: once, or a clear word."""
from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import CatalogFlavor, CatalogImage, CatalogNetwork
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.actions import MARK, Order, SecurityRule
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.gce import creation
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.gce.actions import GceActions
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.providers.gce_changes import BASE, ChangingGce
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.providers.gce_opened import Opened, write_key
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.providers.gce_server import (
    Fault,
    google_error,
    serving,
)

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAabQkGZ9m1Zf0T1rcpB3bq1dVDJ1oPmJrYl0sWm1zPk me@desk"
NETWORK = CatalogNetwork(
    "projects/acme-prod/regions/europe-west1/subnetworks/net", "net", reach={"ipv4": "floating"}, how={"ipv4": "assigned"},
    zones=("europe-west1-b", "europe-west1-c"),
    extra={"network": "projects/acme-prod/global/networks/wide", "region": "europe-west1", "ipv6_access": ""})
ORDER = Order(
    "web-1", CatalogImage("projects/debian-cloud/global/images/debian-12", "debian-12"), CatalogFlavor("e2-small", "e2-small", 2, 2048),
    NETWORK, "t1", reachable="public", public_key=KEY, tags={MARK: "web-1"}, zone="europe-west1-b")
PLACE = "zones/europe-west1-b/instances/web-1"
RULES = (SecurityRule(22, 22, "tcp", ("203.0.113.0/24",)),)


@pytest.fixture
def gce(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChangingGce]:
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
    fake = ChangingGce()
    with serving(fake):
        yield fake


@pytest.fixture
def opened(gce: ChangingGce, tmp_path: Path) -> Opened:
    return Opened(gce, {"credentials_file": str(write_key(tmp_path, gce))})


@pytest.fixture
def actions(opened: Opened) -> GceActions:
    return again(opened)


def again(opened: Opened) -> GceActions:
    """The actions as another run has them: nothing known yet."""
    made = opened.provider.actions("acme-prod")
    assert isinstance(made, GceActions)
    return made


def order(**changes: Any) -> Order:
    return dataclasses.replace(ORDER, **changes)


def refused(actions: GceActions, wish: Order = ORDER) -> FleetError:
    with pytest.raises(FleetError) as caught:
        actions.create(wish)
    return caught.value


# ---------------------------------------------------------------------------------------------------- making
def test_a_node_is_made_with_its_mark(gce: ChangingGce, actions: GceActions) -> None:
    node_id = actions.create(ORDER)
    made = gce.resources[PLACE]
    assert node_id == made["id"]
    assert made["labels"] == made["disks"][0]["initializeParams"]["labels"] == {MARK: "web-1"}
    assert actions.status([node_id])[node_id].state == "running"


def test_the_mark_is_there_even_when_the_order_forgot_it(gce: ChangingGce, actions: GceActions) -> None:
    actions.create(order(tags={}))
    assert gce.resources[PLACE]["labels"] == {MARK: "web-1"}


def test_only_changes_ask_for_a_token_that_may_change(gce: ChangingGce, actions: GceActions) -> None:
    actions.catalog(frozenset({"zones"}))
    assert gce.tokens == 1
    actions.create(ORDER)
    assert gce.tokens == 2
    tokens = {method: {value for name, value in headers.items() if name.lower() == "authorization"}
              for method, path, _query, headers in gce.requests if path.startswith("/compute/")}
    assert tokens == {"GET": {"Bearer token-1"}, "POST": {"Bearer token-2"}}
    claims = [json.loads(base64.urlsafe_b64decode(parse_qs(form)["assertion"][0].split(".")[1] + "==")) for form in gce.token_requests]
    assert [claim["scope"].rpartition("/")[2] for claim in claims] == ["compute.readonly", "compute"]


def test_the_same_order_is_the_same_request(gce: ChangingGce, opened: Opened, actions: GceActions) -> None:
    for wish in (ORDER, ORDER, order(token="t2"), order(disk_gib=30)):
        again(opened).create(wish)
        gce.resources.pop(PLACE)
        gce.by_request.clear()
    ids = [query["requestId"] for method, path, query, _headers in gce.requests if method == "POST" and path.endswith("/instances")]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


@pytest.mark.parametrize("fault", [
    Fault("/instances", 503, method="POST", times=1, late=True), Fault("/instances", 200, b"cut", method="POST", times=1, cut=True, late=True),
    Fault("/instances", 503, method="POST", times=2), Fault("/operations/op-5000", 503, times=2),
    Fault("/instances", 403, google_error(403, "Rate Limit Exceeded", "rateLimitExceeded"), method="POST", times=1),
], ids=["lost", "cut", "not carried out", "operation", "throttled"])
def test_lost_answers_make_one_node(gce: ChangingGce, actions: GceActions, fault: Fault) -> None:
    gce.faults.append(fault)
    assert actions.create(ORDER) == gce.resources[PLACE]["id"]
    assert gce.instances_there() == [PLACE]
    assert len(gce.by_request) == 1


def test_a_run_that_was_killed_after_its_request_finds_its_node(gce: ChangingGce, opened: Opened, actions: GceActions) -> None:
    node_id = actions.create(ORDER)
    assert again(opened).create(ORDER) == node_id
    assert again(opened).create(order(token="t2", zone="europe-west1-c")) == node_id
    assert gce.instances_there() == [PLACE]


def test_a_node_of_the_name_that_is_made_meanwhile(gce: ChangingGce, opened: Opened, actions: GceActions) -> None:
    node_id = actions.create(ORDER)
    gce.faults.append(Fault("aggregated/instances", body={"kind": "compute#instanceAggregatedList", "items": {"zones/z": {}}}, times=1))
    assert again(opened).create(order(token="t2")) == node_id


def test_a_stranger_of_that_name_is_left_alone(gce: ChangingGce, opened: Opened, actions: GceActions) -> None:
    gce.resources[PLACE] = {"id": "7", "name": "web-1", "status": "RUNNING", "zone": f"{BASE}/zones/europe-west1-b", "labels": {"a": "b"}}
    failure = refused(actions, order(rules=RULES))
    assert (failure.code, gce.bodies) == ("exists", [])
    assert "europe-west1-b" in failure.why
    gce.faults.append(Fault("aggregated/instances", body={"kind": "compute#instanceAggregatedList", "items": {"zones/z": {}}}, times=1))
    assert refused(again(opened)).code == "exists"


def test_an_answer_of_a_request_whose_node_is_gone_is_not_believed(gce: ChangingGce, opened: Opened, actions: GceActions) -> None:
    first = actions.create(ORDER)
    for _time in range(3):
        del gce.resources[PLACE]
        gce.operations = {path: {**operation, "status": "DONE"} for path, operation in gce.operations.items()}
        node_id = again(opened).create(ORDER)
        assert node_id != first
        assert node_id == gce.resources[PLACE]["id"]
        first = node_id


def test_the_failure_of_an_earlier_run_is_not_told_again(gce: ChangingGce, opened: Opened, actions: GceActions) -> None:
    gce.outcomes["insert"] = [{"code": "QUOTA_EXCEEDED", "message": "Quota 'CPUS' exceeded."}]
    assert refused(actions).code == "quota"
    assert again(opened).create(ORDER) == gce.resources[PLACE]["id"]


def test_an_operation_that_takes_long_is_not_waited_for(gce: ChangingGce, actions: GceActions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(creation, "FOLLOWED", 0.1)
    gce.polls = 10**6
    node_id = actions.create(ORDER)
    del gce.resources[PLACE]
    assert actions.status([node_id]) == {}
    gce.operations["zones/europe-west1-b/operations/op-5000"] |= {
        "status": "DONE", "error": {"errors": [{"code": "ZONE_RESOURCE_POOL_EXHAUSTED", "message": "no room"}]}}
    status = actions.status([node_id])[node_id]
    assert (status.state, status.fault) == ("error", "ZONE_RESOURCE_POOL_EXHAUSTED: no room")


EXHAUSTED = {"code": "ZONE_RESOURCE_POOL_EXHAUSTED", "message": "The zone does not have enough resources"}


def test_the_next_zone_when_one_is_exhausted(gce: ChangingGce, opened: Opened, actions: GceActions) -> None:
    gce.outcomes["insert"] = [EXHAUSTED]
    actions.create(order(zone=None))
    asked = [path.split("/")[1] for method, path, _body in gce.bodies if method == "POST"]
    assert sorted(asked) == ["europe-west1-b", "europe-west1-c"]
    assert "ZONE_RESOURCE_POOL_EXHAUSTED" in opened.notes[0]


def test_all_zones_exhausted(gce: ChangingGce, actions: GceActions) -> None:
    gce.outcomes["insert"] = [EXHAUSTED] * 2
    assert refused(actions, order(zone=None)).code == "capacity"
    gce.outcomes["insert"] = [EXHAUSTED]
    assert refused(actions, order(name="web-2", tags={})).code == "capacity"


def test_every_run_begins_in_the_same_zone(gce: ChangingGce, opened: Opened, actions: GceActions) -> None:
    zones = set()
    for _run in range(3):
        again(opened).create(order(zone=None))
        (place,) = gce.instances_there()
        zones.add(place)
        del gce.resources[place]
        gce.by_request.clear()
    assert len(zones) == 1


@pytest.mark.parametrize("changes", [
    {"name": "Web_1"}, {"tags": {"9": "x"}}, {"zone": "mars-1"}, {"zone": "us-central1-a"}, {"login_user": "Root!"}, {"public_key": "junk"},
    {"zone": None, "flavor": CatalogFlavor("t2a", "t2a", 1, 1, zones=("us-central1-a",))},
])
def test_what_cannot_be_is_refused_before_anything_is_made(gce: ChangingGce, actions: GceActions, changes: dict[str, Any]) -> None:
    assert refused(actions, order(rules=RULES, **changes)).code == "refused"
    assert gce.bodies == []


def test_a_zone_in_which_flavor_and_network_are(gce: ChangingGce, actions: GceActions) -> None:
    flavor = CatalogFlavor("t2a", "t2a", 1, 1, zones=("us-central1-a", "europe-west1-c"))
    actions.create(order(zone=None, flavor=flavor))
    assert gce.instances_there() == ["zones/europe-west1-c/instances/web-1"]


def test_a_network_without_subnetworks(gce: ChangingGce, actions: GceActions) -> None:
    old = CatalogNetwork("projects/acme-prod/global/networks/old", "old", reach={"ipv4": "floating"}, how={"ipv4": "assigned"},
                         extra={"network": "projects/acme-prod/global/networks/old", "region": "", "ipv6_access": ""})
    actions.create(order(network=old, zone=None))
    assert gce.instances_there() == ["zones/us-central1-a/instances/web-1"]  # at home, where nobody says otherwise
    (asked,) = gce.sent("/instances")
    assert asked["networkInterfaces"] == [{"network": old.id, "accessConfigs": [{"type": "ONE_TO_ONE_NAT", "name": "External NAT"}]}]


def test_os_login_of_the_project_is_switched_off_for_the_node(gce: ChangingGce, actions: GceActions) -> None:
    gce.project["commonInstanceMetadata"] = {"items": [{"key": "enable-oslogin", "value": "TRUE"}]}
    actions.create(ORDER)
    assert {"key": "enable-oslogin", "value": "FALSE"} in gce.resources[PLACE]["metadata"]["items"]


def test_os_login_that_cannot_be_read(gce: ChangingGce, opened: Opened, actions: GceActions) -> None:
    gce.faults.append(Fault("/projects/acme-prod", 403, google_error(403, "no", "forbidden")))
    actions.create(ORDER)
    assert "enable-oslogin" not in json.dumps(gce.resources[PLACE])
    assert "OS Login" in opened.notes[0]


# ------------------------------------------------------------------------------------------------------ firewall
def firewalls(gce: ChangingGce) -> list[str]:
    return [path for path in gce.resources if path.startswith("global/firewalls/")]


def test_rules_come_before_the_node_are_brought_into_line_and_go(gce: ChangingGce, actions: GceActions) -> None:
    gce.resources["global/firewalls/fleet-web-1-theirs"] = {"name": "fleet-web-1-theirs", "description": "fleet_node=web-10"}
    actions.create(order(rules=RULES))
    assert [path for _method, path, _body in gce.bodies] == ["global/firewalls"] * 2 + ["zones/europe-west1-b/instances"]
    mine = set(firewalls(gce)) - {"global/firewalls/fleet-web-1-theirs"}
    assert len(mine) == 2
    actions.create(order(rules=RULES))
    assert len(gce.bodies) == 3
    actions.create(order(rules=(SecurityRule(443, 443, "tcp", ("0.0.0.0/0",)),)))
    assert len(set(firewalls(gce)) & mine) == 1
    gce.resources.pop(PLACE)
    words = actions.leftovers("web-1")
    assert len(words) == 2
    assert sorted(actions.clean("web-1")) == sorted(words)
    assert actions.clean("web-1") == actions.leftovers("web-1") == []
    assert firewalls(gce) == ["global/firewalls/fleet-web-1-theirs"]


def test_two_runs_make_the_same_rules(gce: ChangingGce, opened: Opened, actions: GceActions) -> None:
    actions.create(order(rules=RULES))
    present = firewalls(gce)
    gce.faults.append(Fault("global/firewalls", body={"kind": "compute#firewallList", "id": "x"}, method="GET", times=1))
    again(opened).create(order(rules=RULES))
    assert firewalls(gce) == present


def test_disks_are_cleaned_only_when_they_are_marked_and_free(gce: ChangingGce, actions: GceActions) -> None:
    rows: dict[str, dict[str, Any]] = {
        "free": {"labels": {MARK: "web-1"}}, "used": {"labels": {MARK: "web-1"}, "users": ["x"]},
        "theirs": {"labels": {MARK: "web-2"}}, "unmarked": {}}
    for name, row in rows.items():
        gce.resources[f"zones/europe-west1-b/disks/{name}"] = {"name": name, "zone": f"{BASE}/zones/europe-west1-b", **row}
    assert actions.leftovers("web-1") == actions.clean("web-1") == ["disk free in europe-west1-b"]
    assert sorted(path.rpartition("/")[2] for path in gce.resources if "/disks/" in path) == ["theirs", "unmarked", "used"]
    assert actions.leftovers("Not A Name") == actions.clean("Not A Name") == []


def test_whose_things_there_are(gce: ChangingGce, actions: GceActions) -> None:
    labels = {"instances/live": "x-1", "instances/other": "y-1", "disks/free": "x-2", "disks/other": "y-2"}
    for place, mark in labels.items():
        name = place.rpartition("/")[2]
        gce.resources[f"zones/europe-west1-b/{place}"] = {
            "id": f"{len(gce.resources)}", "name": name, "zone": f"{BASE}/zones/europe-west1-b", "labels": {MARK: mark}}
    gce.resources["zones/europe-west1-b/disks/used"] = {
        "name": "used", "zone": f"{BASE}/zones/europe-west1-b", "labels": {MARK: "x-3"}, "users": ["x"]}
    rules = {"rule": "fleet_node=x-4", "other": "fleet_node=y-4", "words": "of fleet_node=x-5", "theirs": "x-6", "bare": ""}
    for name, description in rules.items():
        gce.resources[f"global/firewalls/{name}"] = {"name": name, "description": description}
    assert actions.marked("x-") == {"x-1", "x-2", "x-4"}
    assert gce.bodies == []


# ----------------------------------------------------------------------------------------------- existing nodes
@pytest.fixture
def node(gce: ChangingGce, actions: GceActions) -> str:
    made = actions.create(ORDER)
    gce.bodies.clear()
    gce.requests.clear()
    return made


def test_many_are_asked_for_in_one_request(gce: ChangingGce, opened: Opened, actions: GceActions, node: str) -> None:
    other = actions.create(order(name="web-2", tags={}))
    gce.requests.clear()
    assert set(again(opened).status([node, other])) == {node, other}
    assert [path.rpartition("/")[2] for _method, path, _query, _headers in gce.requests] == ["instances"]
    gce.requests.clear()
    assert set(actions.status([node])) == {node}
    assert [path.rpartition("/")[2] for _method, path, _query, _headers in gce.requests] == ["web-1"]


def test_a_list_that_lags_is_not_the_end(gce: ChangingGce, actions: GceActions, opened: Opened, node: str) -> None:
    other = actions.create(order(name="web-2", tags={}))
    empty = {"kind": "compute#instanceAggregatedList", "items": {"zones/z": {}}}
    gce.faults.append(Fault("aggregated/instances", body=empty, times=1))
    assert set(actions.status([node, other])) == {node, other}
    gce.faults.append(Fault("aggregated/instances", body=empty, times=1))
    assert set(again(opened).status([node, other])) == {node, other}


def test_another_instance_of_the_name_is_another(gce: ChangingGce, actions: GceActions, node: str) -> None:
    gce.resources[PLACE] = {**gce.resources[PLACE], "id": "99"}
    assert actions.status([node]) == {}
    actions.delete(node)
    with pytest.raises(FleetError) as gone:
        actions.power(node, "stop")
    assert gone.value.code == "not_found"
    assert gce.bodies == []


def test_deletion_is_for_once(gce: ChangingGce, actions: GceActions, opened: Opened, node: str) -> None:
    actions.delete(node)
    actions.delete(node)
    again(opened).delete(node)
    assert (gce.instances_there(), len(gce.bodies)) == ([], 1)


@pytest.mark.parametrize(("status", "action", "verb"), [
    ("RUNNING", "start", None), ("STAGING", "start", None), ("TERMINATED", "start", "start"), ("SUSPENDED", "start", "resume"),
    ("RUNNING", "stop", "stop"), ("SUSPENDED", "stop", "stop"), ("TERMINATED", "stop", None), ("STOPPING", "stop", None),
    ("RUNNING", "reboot", "reset"), ("STOPPING", "start", "conflict"), ("STAGING", "stop", "conflict"), ("TERMINATED", "reboot", "conflict"),
    ("RUNNING", "explode", "refused"),
])
def test_power(gce: ChangingGce, actions: GceActions, node: str, status: str, action: str, verb: str | None) -> None:
    gce.resources[PLACE]["status"] = status
    if verb in ("conflict", "refused"):
        with pytest.raises(FleetError) as wrong:
            actions.power(node, action)
        assert wrong.value.code == verb
        assert gce.bodies == []
        return
    assert actions.power(node, action) is (verb is not None)
    assert [path for _method, path, _body in gce.bodies] == ([f"{PLACE}/{verb}"] if verb else [])


def test_labels(gce: ChangingGce, actions: GceActions, node: str) -> None:
    assert actions.tag(node, {"Role": "Web", "gone": None})
    assert not actions.tag(node, {"role": "web", "gone": None})
    assert gce.resources[PLACE]["labels"] == {MARK: "web-1", "role": "web"}
    assert actions.tag(node, {"Role": None})
    assert gce.resources[PLACE]["labels"] == {MARK: "web-1"}
    assert actions.adapted_tags({"Role": "Web"}) == {"role": "web"}


STALE = google_error(412, "Supplied fingerprint does not match current metadata fingerprint.", "conditionNotMet")


def test_changes_of_others_meanwhile_are_kept(gce: ChangingGce, actions: GceActions, node: str) -> None:
    gce.faults += [Fault("/setMetadata", 412, STALE, times=3), Fault("/setLabels", 412, STALE, times=3)]
    assert actions.add_node_key(node, "ann", KEY)
    assert actions.tag(node, {"a": "b"})
    assert actions.node_keys(node) == (KEY,)
    assert gce.resources[PLACE]["metadata"]["items"][1]["value"] == f"fleet:{KEY}\nann:{KEY}"
    gce.faults.append(Fault("/setLabels", 412, STALE))
    with pytest.raises(FleetError) as failure:
        actions.tag(node, {"a": "c"})
    assert failure.value.code == "conflict"


def test_a_key_goes_whatever_else_is_there(gce: ChangingGce, actions: GceActions, node: str) -> None:
    assert actions.remove_node_key(node, KEY)
    assert gce.resources[PLACE]["metadata"]["items"] == [{"key": "enable-guest-attributes", "value": "TRUE"}]
    assert not actions.remove_node_key(node, KEY)
    assert len(gce.bodies) == 1


def test_a_lost_answer_to_a_change_is_no_second_change(gce: ChangingGce, actions: GceActions, node: str) -> None:
    gce.faults.append(Fault("/setMetadata", 503, method="POST", times=1, late=True))
    assert actions.remove_node_key(node, KEY)
    assert actions.node_keys(node) == ()


# ------------------------------------------------------------------------------------------------------ host keys
HOST = "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519" + b"\0\0\0\x20" + b"k" * 32).decode()


def test_host_keys_are_those_that_the_guest_publishes(gce: ChangingGce, actions: GceActions, node: str) -> None:
    assert actions.host_keys(node) is None
    gce.resources[PLACE]["_serialPort"] = {
        "contents": f"boot\n-----BEGIN SSH HOST KEY KEYS-----\r\n{HOST} root@web-1\r\n-----END SSH HOST KEY KEYS-----\r\n"}
    assert actions.host_keys(node) == (HOST,)
    other = HOST.replace("a", "b")
    gce.resources[PLACE]["_getGuestAttributes"] = {
        "queryValue": {"items": [{"namespace": "hostkeys", "key": "ssh-ed25519", "value": other.split()[1]}]}}
    assert actions.host_keys(node) == (other,)
    gce.faults.append(Fault("/getGuestAttributes", 403, google_error(403, "disabled", "accessDenied")))
    assert actions.host_keys(node) == (HOST,)


# ------------------------------------------------------------------------------------------------------ addresses
def address(gce: ChangingGce, name: str, ip: str, **changes: Any) -> None:
    gce.resources[f"regions/europe-west1/addresses/{name}"] = {
        "name": name, "address": ip, "status": "RESERVED", "addressType": "EXTERNAL", "networkTier": "STANDARD", **changes}


@pytest.fixture
def bare(gce: ChangingGce, actions: GceActions) -> str:
    """A node without an external address, in a region whose reserved addresses are all somebody's."""
    made = actions.create(order(reachable="private"))
    address(gce, "a-used", "192.0.2.1", status="IN_USE", users=["x"])
    address(gce, "b-inside", "10.0.0.8", addressType="INTERNAL", purpose="GCE_ENDPOINT")
    address(gce, "c-nat", "192.0.2.2", purpose="NAT_AUTO")
    address(gce, "d-kept", "192.0.2.3", labels={MARK: "web-2"})
    address(gce, "e-six", "2001:db8::1", ipVersion="IPV6")
    gce.bodies.clear()
    return made


def test_nothing_is_done_that_nobody_wants(gce: ChangingGce, actions: GceActions, node: str) -> None:
    assert actions.publish(ORDER, node) is None
    assert gce.bodies == []


def test_ephemeral_when_none_is_free(gce: ChangingGce, actions: GceActions, bare: str) -> None:
    assert actions.publish(order(reachable="private"), bare) is None
    assert actions.publish(ORDER, bare) == "attached an ephemeral IPv4 address"
    assert gce.sent("/addAccessConfig") == [{"type": "ONE_TO_ONE_NAT", "name": "External NAT"}]
    assert actions.publish(ORDER, bare) is None


def test_a_reserved_one_that_is_free_its_own_first(gce: ChangingGce, actions: GceActions, bare: str) -> None:
    address(gce, "f-free", "192.0.2.4")
    address(gce, "g-own", "192.0.2.5", labels={MARK: "web-1"})
    assert actions.publish(ORDER, bare) == "attached reserved address 192.0.2.5 (g-own)"
    assert gce.sent("/addAccessConfig")[0]["networkTier"] == "STANDARD"


TAKEN = google_error(400, "Invalid value for field 'resource.natIP': '192.0.2.4'. External IP address was already used.", "invalid")


def test_one_that_another_run_takes_meanwhile(gce: ChangingGce, actions: GceActions, bare: str) -> None:
    address(gce, "f-free", "192.0.2.4")
    address(gce, "g-free", "192.0.2.5")
    gce.faults.append(Fault("/addAccessConfig", 400, TAKEN, times=1))
    assert actions.publish(ORDER, bare) == "attached reserved address 192.0.2.5 (g-free)"


def test_another_run_gives_the_node_its_address_meanwhile(gce: ChangingGce, actions: GceActions, bare: str) -> None:
    full = google_error(400, "At most one access config currently supported.", "invalid")
    gce.faults.append(Fault("/addAccessConfig", 400, full, times=1, late=True))
    assert actions.publish(ORDER, bare) is None


def test_no_address_to_be_had(gce: ChangingGce, actions: GceActions, bare: str) -> None:
    quota = google_error(403, "Quota 'IN_USE_ADDRESSES' exceeded. Limit: 8.0", "quotaExceeded")
    gce.faults.append(Fault("/addAccessConfig", 403, quota))
    with pytest.raises(FleetError) as failure:
        actions.publish(ORDER, bare)
    assert failure.value.code == "address_pool"


def test_ipv6_for_a_node_that_has_none(gce: ChangingGce, actions: GceActions, node: str) -> None:
    dual = dataclasses.replace(NETWORK, reach={"ipv4": "floating", "ipv6": "public"}, extra={**NETWORK.extra, "ipv6_access": "EXTERNAL"})
    assert actions.publish(order(network=dual, families=("ipv4", "ipv6")), node) == "attached an external IPv6 address"
    assert gce.sent("/updateNetworkInterface") == [{
        "stackType": "IPV4_IPV6", "fingerprint": "n0",
        "ipv6AccessConfigs": [{"type": "DIRECT_IPV6", "name": "external-ipv6", "networkTier": "PREMIUM"}]}]
    assert actions.publish(order(network=dual, families=("ipv4", "ipv6")), node) is None
