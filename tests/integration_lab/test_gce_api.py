# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The GCE emulator as any HTTP client sees it: who may call, the life of an instance, fingerprints, lists."""

from __future__ import annotations

import ipaddress
import time

import pytest
from gce_lab import DOCUMENTATION, READ_ONLY, VMS, ZONE, Gce, Json, Project, instance, names, nat


# -- who may ----------------------------------------------------------------------------------------------------
def test_calls_without_a_good_token_are_401(gce: Gce, gce_project: Project) -> None:
    path = f"compute/v1/projects/{gce_project.name}/{VMS}"
    for token, reason in (("", "required"), ("made-up", "authError"), ("a.b.c", "authError")):
        answer = gce.send("GET", path, token=token)
        assert (answer.status, answer.reason, answer.body["error"]["status"]) == (401, reason, "UNAUTHENTICATED")


def test_expired_tokens_are_401(gce: Gce, gce_project: Project) -> None:
    assert gce_project.send("GET", VMS).status == 200
    gce.control("expire", {"lifetime": 1})
    assert gce_project.send("GET", VMS).status == 401
    gce_project.token = gce.user_token({gce_project.name: "admin"})
    assert gce_project.send("GET", VMS).status == 200
    time.sleep(1.1)
    assert gce_project.send("GET", VMS).reason == "authError"
    gce.control("expire", {"lifetime": 3599})


def test_a_project_is_closed_to_others(gce: Gce, gce_project: Project) -> None:
    stranger = gce.user_token({"acme-dev": "admin"})
    answer = gce.send("GET", f"compute/v1/projects/{gce_project.name}/{VMS}", token=stranger)
    assert (answer.status, answer.reason) == (403, "forbidden")
    assert (
        answer.body["error"]["message"]
        == f"Required 'compute.instances.list' permission for 'projects/{gce_project.name}'"
    )
    assert gce.send("GET", "compute/v1/projects/debian-cloud/global/images", token=stranger).status == 200


def test_viewers_and_read_only_scopes_cannot_change(gce: Gce, gce_project: Project) -> None:
    path = f"compute/v1/projects/{gce_project.name}/{VMS}"
    viewer, narrow = (
        gce.user_token({gce_project.name: "viewer"}),
        gce.user_token({gce_project.name: "admin"}, READ_ONLY),
    )
    for token, reason in ((viewer, "forbidden"), (narrow, "insufficientPermissions")):
        assert gce.send("GET", path, token=token).status == 200
        answer = gce.send("POST", path, instance("x"), token)
        assert (answer.status, answer.reason) == (403, reason)


# -- life of an instance -----------------------------------------------------------------------------------------
def test_an_instance_from_insert_to_delete(gce_project: Project) -> None:
    started = gce_project.send("POST", VMS, instance("vm", labels={"env": "x"}, tags={"items": ["ssh"]})).body
    assert (started["kind"], started["status"], started["operationType"]) == ("compute#operation", "RUNNING", "insert")
    vm = gce_project.get(f"{VMS}/vm")
    assert (vm["status"], nat(vm)) == ("PROVISIONING", None)
    gce_project.send("POST", started["selfLink"].partition(f"/projects/{gce_project.name}/")[2] + "/wait")
    vm = gce_project.get(f"{VMS}/vm")
    first = nat(vm)
    assert vm["status"] == "RUNNING"
    assert ipaddress.ip_address(str(first)) in DOCUMENTATION
    assert vm["disks"][0]["licenses"] == [
        "https://www.googleapis.com/compute/v1/projects/debian-cloud/global/licenses/debian-12-bookworm"
    ]
    assert gce_project.get(f"zones/{ZONE}/disks/vm")["users"] == [vm["selfLink"]]
    assert gce_project.get(f"{VMS}/{vm['id']}")["name"] == "vm"
    gce_project.do("POST", f"{VMS}/vm/stop")
    vm = gce_project.get(f"{VMS}/vm")
    assert (vm["status"], nat(vm)) == ("TERMINATED", None)
    assert gce_project.send("POST", f"{VMS}/vm/reset").reason == "resourceNotReady"
    gce_project.do("POST", f"{VMS}/vm/start")
    assert nat(gce_project.get(f"{VMS}/vm")) not in (None, first)
    gce_project.do("POST", f"{VMS}/vm/reset")
    gce_project.do("DELETE", f"{VMS}/vm")
    assert [gce_project.send("GET", path).status for path in (f"{VMS}/vm", f"zones/{ZONE}/disks/vm")] == [404, 404]
    assert gce_project.send("DELETE", f"{VMS}/vm").reason == "notFound"


def test_a_taken_name_is_409_and_a_protected_instance_stays(gce_project: Project) -> None:
    gce_project.create("vm", deletionProtection=True)
    answer = gce_project.send("POST", VMS, instance("vm"))
    assert (answer.status, answer.reason) == (409, "alreadyExists")
    assert gce_project.send("DELETE", f"{VMS}/vm").status == 400


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"machineType": "zones/us-central1-a/machineTypes/huge"}, "Machine type with name 'huge' does not exist"),
        ({"machineType": ""}, "Machine type must be specified"),
        ({"name": "Upper"}, "Must be a match of regex"),
        ({"name": None}, "'name' must be specified"),
        ({"nome": "x"}, 'Unknown name "nome"'),
        ({"disks": []}, "At least one disk must be specified as boot"),
        (
            {"disks": [{"boot": True, "initializeParams": {"sourceImage": "global/images/none"}}]},
            "image resource cannot be found",
        ),
        ({"disks": [{"boot": True, "source": "zones/us-central1-a/disks/none"}]}, "disk resource cannot be found"),
        ({"networkInterfaces": [{"network": "global/networks/none"}]}, "network resource cannot be found"),
        ({"networkInterfaces": [{}, {}]}, "Networks must be distinct"),
        ({"networkInterfaces": [{"stackType": "IPV4_IPV6"}]}, "stack type is IPV4_ONLY"),
        ({"networkInterfaces": [{"accessConfigs": [{"natIP": "192.0.2.1"}]}]}, "was not found in region"),
        ({"labels": {"env": "{{ 7*7 }}"}}, "Label values hold only"),
        ({"labels": {"Env": "x"}}, "Label keys start with"),
        ({"tags": {"items": ["Not A Tag"]}}, "Must be a match of regex"),
        ({"metadata": {"items": [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]}}, "Duplicate metadata key"),
        ({"metadata": {"items": [{"key": "a", "value": "x" * 262145}]}}, "256 KiB"),
    ],
)
def test_wrong_instances_are_refused_and_leave_nothing(gce_project: Project, change: Json, words: str) -> None:
    answer = gce_project.send("POST", VMS, instance("vm") | change)
    assert answer.status == 400, answer.text
    assert words in answer.body["error"]["message"]
    assert "items" not in gce_project.get(VMS)
    assert "items" not in gce_project.get(f"zones/{ZONE}/disks")


def test_the_same_request_id_is_the_same_operation(gce_project: Project) -> None:
    identity = "5f6a1d0e-6f0b-4f7e-8f14-0a4c4d4e5f60"
    names = {gce_project.send("POST", VMS, instance("vm"), requestId=identity).body["name"] for _number in range(3)}
    assert len(names) == 1
    assert gce_project.send("POST", VMS, instance("other"), requestId="no-uuid").status == 400


def test_operations_are_listed_and_waited_for(gce_project: Project) -> None:
    gce_project.create("vm")
    listed = gce_project.get(f"zones/{ZONE}/operations", filter="operationType = insert")["items"]
    assert [(item["status"], item["progress"], item["targetLink"].rpartition("/")[2]) for item in listed] == [
        ("DONE", 100, "vm")
    ]
    assert gce_project.send("GET", f"zones/{ZONE}/operations/none").status == 404


# -- fingerprints ------------------------------------------------------------------------------------------------
def test_metadata_is_changed_only_from_the_newest_reading(gce_project: Project) -> None:
    fingerprint = gce_project.create("vm")["metadata"]["fingerprint"]
    body: Json = {"fingerprint": fingerprint, "items": [{"key": "ssh-keys", "value": "a:ssh-ed25519 AAAA a"}]}
    assert gce_project.send("POST", f"{VMS}/vm/setMetadata", body).status == 200
    stale: list[Json] = [body, {"items": []}, body | {"fingerprint": "AAAA"}]
    for refused in stale:
        answer = gce_project.send("POST", f"{VMS}/vm/setMetadata", refused)
        assert (answer.status, answer.reason) == (412, "conditionNotMet")
    assert "items" not in gce_project.get(f"{VMS}/vm")["metadata"]  # not done yet
    time.sleep(0.4)
    vm = gce_project.get(f"{VMS}/vm")
    assert vm["metadata"]["items"] == body["items"]
    gce_project.do("POST", f"{VMS}/vm/setMetadata", {"fingerprint": vm["metadata"]["fingerprint"], "items": []})
    assert "items" not in gce_project.get(f"{VMS}/vm")["metadata"]


def test_labels_tags_and_project_metadata_too(gce_project: Project) -> None:
    vm = gce_project.create("vm")
    gce_project.do(
        "POST", f"{VMS}/vm/setLabels", {"labelFingerprint": vm["labelFingerprint"], "labels": {"env": "prod"}}
    )
    gce_project.do("POST", f"{VMS}/vm/setTags", {"fingerprint": vm["tags"]["fingerprint"], "items": ["http", "ssh"]})
    fresh = gce_project.get(f"{VMS}/vm")
    assert (fresh["labels"], fresh["tags"]["items"]) == ({"env": "prod"}, ["http", "ssh"])
    assert (
        gce_project.send(
            "POST", f"{VMS}/vm/setLabels", {"labelFingerprint": vm["labelFingerprint"], "labels": {}}
        ).status
        == 412
    )
    assert (
        gce_project.send("POST", f"{VMS}/vm/setTags", {"fingerprint": vm["tags"]["fingerprint"], "items": []}).status
        == 412
    )
    common = gce_project.get("")["commonInstanceMetadata"]
    body = {"fingerprint": common["fingerprint"], "items": [{"key": "ssh-keys", "value": "ops:ssh-ed25519 AAAA ops"}]}
    gce_project.do("POST", "setCommonInstanceMetadata", body)
    assert gce_project.get("")["commonInstanceMetadata"]["items"] == body["items"]
    assert gce_project.send("POST", "setCommonInstanceMetadata", body).status == 412


# -- lists -------------------------------------------------------------------------------------------------------
def many(gce_project: Project, count: int) -> None:
    """Instances i-00, i-01... in turn over three zones, private only."""
    zones = (ZONE, "us-central1-b", "europe-west1-b")
    for number in range(count):
        zone = zones[number % 3]
        answer = gce_project.send(
            "POST",
            f"zones/{zone}/instances",
            instance(f"i-{number:02}", zone, networkInterfaces=[{}], labels={"n": str(number % 2)}),
        )
        assert answer.status == 200, answer.text
    time.sleep(0.3)


def test_pages_are_a_snapshot_with_every_instance_once(gce_project: Project) -> None:
    many(gce_project, 12)
    page = gce_project.get("aggregated/instances", maxResults=5)
    seen, sizes = names(page), [len(names(page))]
    gce_project.do("POST", VMS, instance("a-new-one"))
    while "nextPageToken" in page:
        page = gce_project.get("aggregated/instances", maxResults=5, pageToken=page["nextPageToken"])
        seen += names(page)
        sizes.append(len(names(page)))
    assert (sorted(seen), sizes) == ([f"i-{number:02}" for number in range(12)], [5, 5, 2])


def test_wrong_page_tokens_and_sizes_are_400(gce_project: Project) -> None:
    many(gce_project, 2)
    token = gce_project.get("aggregated/instances", maxResults=1)["nextPageToken"]
    wrong = (
        {"pageToken": "made-up"},
        {"maxResults": 501},
        {"maxResults": -1},
        {"maxResults": "x"},
        {"pageToken": token, "filter": "name = x"},
        {"orderBy": "zone"},
        {"filter": "nome = x"},
        {"fields": "items/*/nome"},
        {"nome": 1},
        {"returnPartialSuccess": "perhaps"},
    )
    assert [gce_project.send("GET", "aggregated/instances", **query).status for query in wrong] == [400] * len(wrong)
    assert gce_project.send("GET", f"{VMS}", pageToken=token).status == 400


def test_filters_order_and_masks(gce_project: Project) -> None:
    many(gce_project, 4)
    assert names(gce_project.get("aggregated/instances", filter="labels.n = 1 AND name != i-01")) == ["i-03"]
    assert names(gce_project.get("aggregated/instances", filter="name eq i-0[12]")) == ["i-02", "i-01"]
    newest = gce_project.get(VMS, orderBy="creationTimestamp desc")["items"]
    assert [vm["name"] for vm in newest] == ["i-03", "i-00"]
    masked = gce_project.get(
        "aggregated/instances", fields="items/*/instances(name,networkInterfaces/networkIP),nextPageToken"
    )
    assert set(masked) == {"items"}
    assert all(
        set(vm) == {"name", "networkInterfaces"}
        for scope in masked["items"].values()
        for vm in scope.get("instances", [])
    )
    assert all(
        set(nic) == {"networkIP"}
        for scope in masked["items"].values()
        for vm in scope.get("instances", [])
        for nic in vm["networkInterfaces"]
    )


def test_empty_scopes_carry_a_warning(gce_project: Project) -> None:
    many(gce_project, 1)
    items = gce_project.get("aggregated/instances")["items"]
    assert len(items) == 16
    assert items["zones/asia-east1-a"]["warning"]["code"] == "NO_RESULTS_ON_PAGE"
    everything = gce_project.get("aggregated/instances", includeAllScopes=True)["items"]
    assert {"global", "regions/us-central1", f"zones/{ZONE}"} <= set(everything)


def test_a_zone_out_of_reach(gce: Gce, gce_project: Project) -> None:
    many(gce_project, 3)
    gce.control("unreachable", {"zones": ["us-central1-b"]})
    assert gce_project.send("GET", "aggregated/instances").status == 503
    assert gce_project.send("GET", "zones/us-central1-b/instances").reason == "backendError"
    partial = gce_project.get("aggregated/instances", returnPartialSuccess="True")
    assert names(partial) == ["i-02", "i-00"]
    assert partial["items"]["zones/us-central1-b"]["warning"]["code"] == "UNREACHABLE"
    assert partial["unreachables"] == [
        f"https://www.googleapis.com/compute/v1/projects/{gce_project.name}/zones/us-central1-b"
    ]
    gce.control("unreachable", {"zones": ["us-central1-b"], "needs_flag": False})
    assert names(gce_project.get("aggregated/instances")) == ["i-02", "i-00"]
