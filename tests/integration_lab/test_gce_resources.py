# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The GCE emulator as any HTTP client sees it: addresses, images, networks, guests, faults, transport."""

from __future__ import annotations

import gzip
import http.client
import ipaddress
import json
import time
import urllib.error

import pytest
from gce_lab import DOCUMENTATION, VMS, ZONE, Gce, Json, Project, instance, names, nat


# -- addresses ---------------------------------------------------------------------------------------------------
def test_a_static_address_survives_stop_and_serves_one_instance(gce_project: Project) -> None:
    gce_project.do("POST", "regions/us-central1/addresses", {"name": "ip"})
    address = gce_project.get("regions/us-central1/addresses/ip")
    static = [{"accessConfigs": [{"type": "ONE_TO_ONE_NAT", "natIP": address["address"]}]}]
    vm = gce_project.create("vm", networkInterfaces=static)
    assert nat(vm) == address["address"]
    used = gce_project.get("regions/us-central1/addresses/ip")
    assert (address["status"], used["status"], used["users"]) == ("RESERVED", "IN_USE", [vm["selfLink"]])
    assert (
        "already used"
        in gce_project.send("POST", VMS, instance("other", networkInterfaces=static)).body["error"]["message"]
    )
    assert gce_project.send("DELETE", "regions/us-central1/addresses/ip").reason == "resourceInUseByAnotherResource"
    gce_project.do("POST", f"{VMS}/vm/stop")
    assert nat(gce_project.get(f"{VMS}/vm")) == address["address"]
    gce_project.do("DELETE", f"{VMS}/vm")
    assert gce_project.get("regions/us-central1/addresses/ip")["status"] == "RESERVED"
    gce_project.do("DELETE", "regions/us-central1/addresses/ip")
    assert (
        gce_project.get("aggregated/addresses")["items"]["regions/us-central1"]["warning"]["code"]
        == "NO_RESULTS_ON_PAGE"
    )


def test_a_shared_vpc_serves_another_projects_instance(gce: Gce, gce_project: Project) -> None:
    host = Project(gce)
    host.do("POST", "global/networks", {"name": "shared", "autoCreateSubnetworks": False})
    body = {"name": "s", "network": "global/networks/shared", "ipCidrRange": "10.7.0.0/24"}
    host.do("POST", "regions/us-central1/subnetworks", body)
    subnetwork = f"projects/{host.name}/regions/us-central1/subnetworks/s"
    interface = gce_project.create("vm", networkInterfaces=[{"subnetwork": subnetwork}])["networkInterfaces"][0]
    assert interface["network"].endswith(f"/projects/{host.name}/global/networks/shared")
    assert interface["networkIP"].startswith("10.7.0.")
    assert host.send("DELETE", "regions/us-central1/subnetworks/s").reason == "resourceInUseByAnotherResource"
    gce_project.do("DELETE", f"{VMS}/vm")
    host.do("DELETE", "regions/us-central1/subnetworks/s")


def test_a_host_project_serves_its_service_projects_and_those_who_may(gce: Gce, gce_project: Project) -> None:
    host = Project(gce)
    host.do("POST", "enableXpnHost")
    host.do("POST", "enableXpnResource", {"xpnResource": {"id": gce_project.name, "type": "PROJECT"}})
    assert gce_project.get("getXpnHost")["name"] == host.name
    assert "name" not in host.get("getXpnHost")
    assert host.get("getXpnResources")["resources"] == [{"id": gce_project.name, "type": "PROJECT"}]
    subnetwork = f"projects/{host.name}/regions/us-central1/subnetworks/default"
    body = instance("vm", networkInterfaces=[{"subnetwork": subnetwork}])
    assert "compute.subnetworks.use" in gce_project.send("POST", VMS, body).body["error"]["message"]

    user = gce.user_token({gce_project.name: "admin", host.name: "networkUser"})
    place = f"compute/v1/projects/{host.name}/aggregated/subnetworks"
    assert gce.send("GET", place, token=user).status == 403
    first = gce.send("GET", f"{place}/listUsable?maxResults=2&serviceProject={gce_project.name}", token=user).body
    assert len(first["items"]) == 2
    rest = gce.send("GET", f"{place}/listUsable?serviceProject={gce_project.name}", token=user).body
    assert subnetwork in {row["subnetwork"].partition("/v1/")[2] for row in rest["items"]}
    assert "items" not in gce.send("GET", f"{place}/listUsable?serviceProject=acme-dev", token=user).body
    gce_project.token = user
    assert gce_project.create("vm", networkInterfaces=[{"subnetwork": subnetwork}])["networkInterfaces"]
    rule = {"name": "r", "network": f"projects/{host.name}/global/networks/default", "allowed": [{"IPProtocol": "icmp"}]}
    assert "Cross project" in gce_project.send("POST", "global/firewalls", rule).body["error"]["message"]
    assert host.send("POST", "disableXpnHost").status == 400
    host.do("POST", "disableXpnResource", {"xpnResource": {"id": gce_project.name, "type": "PROJECT"}})
    assert "Cross-project" in gce_project.send("POST", VMS, {**body, "name": "vm-2"}).body["error"]["message"]
    gce_project.do("DELETE", f"{VMS}/vm")
    host.do("POST", "disableXpnHost")


def test_access_configs_come_and_go(gce_project: Project) -> None:
    assert nat(gce_project.create("vm", networkInterfaces=[{}])) is None
    gce_project.do(
        "POST", f"{VMS}/vm/addAccessConfig", {"name": "ext", "type": "ONE_TO_ONE_NAT"}, networkInterface="nic0"
    )
    assert ipaddress.ip_address(str(nat(gce_project.get(f"{VMS}/vm")))) in DOCUMENTATION
    assert (
        gce_project.send("POST", f"{VMS}/vm/addAccessConfig", {"name": "more"}, networkInterface="nic0").status == 400
    )
    assert gce_project.send("POST", f"{VMS}/vm/addAccessConfig", {"name": "more"}).reason == "required"
    assert (
        gce_project.send("POST", f"{VMS}/vm/deleteAccessConfig", accessConfig="none", networkInterface="nic0").status
        == 400
    )
    gce_project.do("POST", f"{VMS}/vm/deleteAccessConfig", accessConfig="ext", networkInterface="nic0")
    assert "accessConfigs" not in gce_project.get(f"{VMS}/vm")["networkInterfaces"][0]


def test_ipv6_of_every_kind(gce_project: Project) -> None:
    gce_project.do(
        "POST", "global/networks", {"name": "n", "autoCreateSubnetworks": False, "enableUlaInternalIpv6": True}
    )
    v6: Json = {"type": "DIRECT_IPV6", "name": "external-ipv6", "networkTier": "PREMIUM"}
    shown: dict[str, Json] = {}
    for name, subnetwork, interface in (
        (
            "dual",
            {"ipCidrRange": "10.9.0.0/24", "stackType": "IPV4_IPV6", "ipv6AccessType": "EXTERNAL"},
            {"stackType": "IPV4_IPV6", "ipv6AccessConfigs": [v6]},
        ),
        (
            "only",
            {"stackType": "IPV6_ONLY", "ipv6AccessType": "EXTERNAL"},
            {"stackType": "IPV6_ONLY", "ipv6AccessConfigs": [v6]},
        ),
        (
            "ula",
            {"ipCidrRange": "10.9.1.0/24", "stackType": "IPV4_IPV6", "ipv6AccessType": "INTERNAL"},
            {"stackType": "IPV4_IPV6"},
        ),
    ):
        gce_project.do(
            "POST", "regions/us-central1/subnetworks", {"name": name, "network": "global/networks/n", **subnetwork}
        )
        vm = gce_project.create(
            name, networkInterfaces=[{"subnetwork": f"regions/us-central1/subnetworks/{name}", **interface}]
        )
        shown[name] = vm["networkInterfaces"][0]
    external = ipaddress.ip_network("2001:db8::/32")
    for name in ("dual", "only"):
        assert ipaddress.ip_address(shown[name]["ipv6AccessConfigs"][0]["externalIpv6"]) in external
        assert shown[name]["ipv6AccessType"] == "EXTERNAL"
    assert ("networkIP" in shown["dual"], "networkIP" in shown["only"]) == (True, False)
    assert ipaddress.ip_address(shown["ula"]["ipv6Address"]) in ipaddress.ip_network("fd20::/20")
    assert (shown["ula"]["ipv6AccessType"], "ipv6AccessConfigs" in shown["ula"]) == ("INTERNAL", False)
    gce_project.do("POST", f"{VMS}/only/stop")
    assert "externalIpv6" not in gce_project.get(f"{VMS}/only")["networkInterfaces"][0]["ipv6AccessConfigs"][0]
    assert gce_project.send("DELETE", "regions/us-central1/subnetworks/dual").reason == "resourceInUseByAnotherResource"


# -- images, network, guests -------------------------------------------------------------------------------------
def test_images_by_family_and_own_copies(gce_project: Project) -> None:
    family = gce_project.gce.send(
        "GET", "compute/v1/projects/debian-cloud/global/images/family/debian-12", token=gce_project.token
    ).body
    view = gce_project.gce.send(
        "GET", "compute/v1/projects/debian-cloud/zones/-/imageFamilyViews/debian-12", token=gce_project.token
    ).body
    assert (family["name"], "deprecated" in family, view["image"]) == ("debian-12-bookworm-v20261111", False, family)
    gce_project.do("POST", "global/images", {"name": "golden", "sourceImage": family["selfLink"]})
    vm = gce_project.create(
        "vm", disks=[{"boot": True, "initializeParams": {"sourceImage": "global/images/golden", "diskSizeGb": "20"}}]
    )
    assert (vm["disks"][0]["licenses"], vm["disks"][0]["diskSizeGb"]) == (family["licenses"], "20")
    small = instance(
        "small", disks=[{"boot": True, "initializeParams": {"sourceImage": "global/images/golden", "diskSizeGb": "1"}}]
    )
    assert "cannot be smaller" in gce_project.send("POST", VMS, small).body["error"]["message"]
    assert (
        gce_project.gce.send(
            "GET", "compute/v1/projects/debian-cloud/global/images/family/none", token=gce_project.token
        ).status
        == 404
    )


def test_networks_subnetworks_and_firewalls(gce_project: Project) -> None:
    assert len(gce_project.get("global/networks/default")["subnetworks"]) == 5
    gce_project.do("POST", "global/networks", {"name": "n", "autoCreateSubnetworks": False})
    subnetwork = {"name": "s", "network": "global/networks/n", "ipCidrRange": "10.8.0.0/24"}
    gce_project.do("POST", "regions/us-east1/subnetworks", subnetwork)
    assert (
        "conflicts"
        in gce_project.send("POST", "regions/us-east1/subnetworks", subnetwork | {"name": "s2"}).body["error"][
            "message"
        ]
    )
    gce_project.do(
        "POST",
        "global/firewalls",
        {"name": "f", "network": "global/networks/n", "allowed": [{"IPProtocol": "tcp", "ports": ["22"]}]},
    )
    assert gce_project.get("global/firewalls/f")["sourceRanges"] == ["0.0.0.0/0"]
    assert gce_project.send("DELETE", "global/networks/n").reason == "resourceInUseByAnotherResource"
    for path in ("global/firewalls/f", "regions/us-east1/subnetworks/s", "global/networks/n"):
        gce_project.do("DELETE", path)
        assert gce_project.send("GET", path).status == 404


def test_host_keys_from_guest_attributes_and_console(gce: Gce, gce_project: Project) -> None:
    gce_project.create("vm", metadata={"items": [{"key": "enable-guest-attributes", "value": "TRUE"}]})
    entry = gce_project.get(f"{VMS}/vm/getGuestAttributes", queryPath="hostkeys/")["queryValue"]["items"][0]
    assert (entry["namespace"], entry["key"]) == ("hostkeys", "ssh-ed25519")
    console = gce_project.get(f"{VMS}/vm/serialPort")
    assert f"ssh-ed25519 {entry['value']}" in console["contents"]
    assert gce_project.get(f"{VMS}/vm/serialPort", start=console["next"])["contents"] == ""
    gce.control(
        "guest",
        {"instance": f"projects/{gce_project.name}/{VMS}/vm", "console": "login:", "attributes": {"lab/x": "1"}},
    )
    assert gce_project.get(f"{VMS}/vm/getGuestAttributes", variableKey="lab/x")["variableValue"] == "1"
    assert gce_project.get(f"{VMS}/vm/serialPort", start=console["next"])["contents"] == "login:"
    gce_project.create("closed")
    assert gce_project.send("GET", f"{VMS}/closed/getGuestAttributes").status == 403


def test_the_journal_tells_what_happened_to_instances(gce: Gce, gce_project: Project) -> None:
    known = [event["number"] for event in gce.control("events")]
    gce_project.create("vm")
    gce_project.do("POST", f"{VMS}/vm/stop")
    gce_project.do("DELETE", f"{VMS}/vm")
    path = f"projects/{gce_project.name}/{VMS}/vm"
    events = [event for event in gce.control(f"events?after={known[-1]}&wait=5") if event["instance"] == path]
    assert [event["event"] for event in events] == ["running", "stopped", "deleted"]


# -- faults, transport, document ---------------------------------------------------------------------------------
def test_faults_hit_what_they_name(gce: Gce, gce_project: Project) -> None:
    gce.control(
        "fault",
        {
            "match": "instances.list",
            "code": 429,
            "reason": "rateLimitExceeded",
            "times": 2,
            "headers": {"Retry-After": "1"},
        },
    )
    answers = [gce_project.send("GET", VMS) for _number in range(3)]
    assert [answer.status for answer in answers] == [429, 429, 200]
    assert (answers[0].reason, answers[0].headers["retry-after"]) == ("rateLimitExceeded", "1")
    gce.control("fault", {"match": "instances.list", "raw": '{"kind": "compute#instanceList"}', "code": 503})
    assert (gce_project.send("GET", VMS).status, gce_project.send("GET", VMS).status) == (503, 200)
    gce.control("fault", {"match": "instances.list", "delay": 0.3})
    began = time.monotonic()
    assert gce_project.send("GET", VMS).status == 200
    assert time.monotonic() - began >= 0.3
    gce.control("fault", {"match": "instances.list", "drop": True})
    with pytest.raises((http.client.RemoteDisconnected, urllib.error.URLError)):
        gce_project.send("GET", VMS)
    gce.control("fault", {"match": "token", "code": 503})
    assert gce.send("POST", "token", b"grant_type=refresh_token").status == 503


def test_the_log_tells_every_request(gce: Gce, gce_project: Project) -> None:
    gce_project.get(VMS, maxResults=3)
    last = gce.control("log")[-1]
    assert (last["method"], last["query"], last["status"]) == ("instances.list", {"maxResults": ["3"]}, 200)


def test_long_answers_are_compressed_when_asked(gce: Gce, gce_project: Project) -> None:
    path = f"compute/v1/projects/{gce_project.name}/zones"
    packed = gce.send("GET", path, token=gce_project.token, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(packed.text)) == gce.send("GET", path, token=gce_project.token).body


def test_a_batch_answers_part_by_part(gce: Gce, gce_project: Project) -> None:
    base = f"/compute/v1/projects/{gce_project.name}"
    parts = [
        f"GET {base}/zones/{ZONE} HTTP/1.1",
        f"GET {base}/zones/nowhere HTTP/1.1",
        f"POST {base}/{VMS} HTTP/1.1\nContent-Type: application/json\n\n{{}}",
    ]
    body = (
        "".join(
            f"--cut\r\nContent-Type: application/http\r\nContent-ID: <b+{n}>\r\n\r\n{part}\r\n"
            for n, part in enumerate(parts)
        )
        + "--cut--"
    )
    answer = gce.send(
        "POST", "batch/compute/v1", body.encode(), gce_project.token, {"Content-Type": "multipart/mixed; boundary=cut"}
    )
    text = answer.text.decode()
    assert [text.count(f"HTTP/1.1 {status} ") for status in (200, 404, 400)] == [1, 1, 1]
    assert "Content-ID: <response-b+2>" in text


def test_what_is_not_there_and_what_is_not_served(gce_project: Project) -> None:
    statuses = {
        path: gce_project.send("GET", path).status
        for path in ("nonsense", "zones/nowhere", "zones/nowhere/instances", "global/instanceTemplates")
    }
    assert statuses == {
        "nonsense": 404,
        "zones/nowhere": 404,
        "zones/nowhere/instances": 400,
        "global/instanceTemplates": 501,
    }
    assert gce_project.send("POST", VMS, b"{not json").status == 400


def test_an_answer_that_breaks_googles_schema_is_a_500_and_is_logged(gce: Gce, gce_project: Project) -> None:
    gce_project.create("vm", metadata={"items": [{"key": "enable-guest-attributes", "value": "TRUE"}]})
    gce.control("guest", {"instance": f"projects/{gce_project.name}/{VMS}/vm", "attributes": {"lab/number": 1}})
    answer = gce_project.send("GET", f"{VMS}/vm/getGuestAttributes", variableKey="lab/number")
    assert (answer.status, answer.reason) == (500, "internalError")
    told = "BROKEN ANSWER of instances.getGuestAttributes: GuestAttributes.variableValue: must be a string (got '1')"
    assert told in (gce.state / "run" / "log" / "gce.log").read_text(encoding="utf-8")


def test_every_list_and_get_keeps_googles_schema(gce_project: Project) -> None:
    """The emulator checks each answer against the document and turns a break into a 500."""
    gce_project.create("vm")
    for path in (
        "",
        "zones",
        "regions",
        f"zones/{ZONE}",
        "regions/us-central1",
        f"zones/{ZONE}/machineTypes",
        "global/images",
        "global/networks",
        "aggregated/subnetworks",
        "aggregated/addresses",
        "aggregated/disks",
        "aggregated/machineTypes",
        "aggregated/operations",
        "global/firewalls",
        "global/operations",
        "regions/us-central1/operations",
        "regions/us-central1/subnetworks",
    ):
        gce_project.get(path)


def test_seeding_again_changes_nothing(gce: Gce) -> None:
    token = gce.user_token({"acme-prod": "viewer", "acme-dev": "viewer"})

    def fleet() -> list[Json]:
        return [
            gce.send("GET", f"compute/v1/projects/{project}/aggregated/instances", token=token).body
            for project in ("acme-prod", "acme-dev")
        ]

    before = fleet()
    gce.lab("seed", "--only", "gce")
    assert fleet() == before
    assert sum(len(names(project)) for project in before) == 12
