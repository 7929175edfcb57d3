# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The provider against an OpenStack that fails in all the ways clouds fail: a retry or an error, never fewer nodes."""
from __future__ import annotations

import dataclasses
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import Filters, parse_clouds
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.openstack.spec import SPEC
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.providers.openstack_reader import ALL, Opened, opening, server
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.providers.openstack_server import Fault

SERVERS = "/servers/detail"
HTML = b"<html><head><title>503</title></head><body><h1>Service Unavailable</h1>No server is available</body></html>"


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    with opening(tmp_path, monkeypatch) as reader:
        yield reader


class TestReading:
    def test_every_page_is_read_though_the_links_name_another_host(self, opened: Opened) -> None:
        assert opened.names() == ALL
        assert opened.fake.count(SERVERS) == 3

    def test_one_token_for_the_whole_run(self, opened: Opened) -> None:
        opened.fake.regions = ["RegionOne", "RegionTwo", "RegionThree"]
        assert len(opened.names(regions=opened.fake.regions)) == 15
        assert opened.fake.tokens == 1

    def test_newest_api_needs_neither_flavors_nor_image_properties(self, opened: Opened) -> None:
        node = opened.nodes()[0]
        assert (node.flavor, node.image.name, node.image.distro, node.image.version) == ("m1.small", "Debian 12", "debian", "12")
        assert node.tags == {"env": "prod", "web": ""}
        assert node.account == "acme"
        assert opened.fake.count("/flavors/detail") == 0
        assert opened.fake.paths().count("/glance/v2/images/i1") == 1

    @pytest.mark.parametrize(("newest", "spoken"), [("2.104", "2.98"), ("2.79", "2.79"), ("2.1", None), ("", None)])
    def test_old_api_gives_the_same_answers_by_other_requests(self, opened: Opened, newest: str, spoken: str | None) -> None:
        opened.fake.newest = newest
        node = opened.nodes()[0]
        assert (node.flavor, node.image.name, node.login.image_properties) == ("m1.small", "Debian 12", {"os_distro": "debian"})
        headers = next(headers for path, _query, headers in opened.fake.requests if path.endswith(SERVERS))
        assert headers.get("X-OpenStack-Nova-API-Version") == spoken

    def test_catalogue_without_version_in_the_compute_address(self, opened: Opened) -> None:
        opened.fake.services["compute"] = "/nova"
        assert opened.names() == ALL
        assert "/nova/v2.1/servers/detail" in opened.fake.paths()

    def test_hidden_version_document_means_plain_2_1(self, opened: Opened) -> None:
        opened.fake.faults = [Fault("/nova/v2.1/", status=404)]
        assert opened.names() == ALL

    def test_catalogue_with_versions_in_other_addresses(self, opened: Opened) -> None:
        opened.fake.services.update(network="/neutron/v2.0/", image="/glance/v2")
        node = opened.nodes()[0]
        assert (node.image.name, node.interfaces[0].mtu) == ("Debian 12", 1442)

    def test_many_images_are_listed_not_asked_for_one_by_one(self, opened: Opened) -> None:
        opened.fake.page_size = 20
        opened.fake.lists["images"] = [{"id": f"i{number}", "name": f"image {number}"} for number in range(30)]
        opened.fake.lists["servers"] = [server(number, image={"id": f"i{number}"}) for number in range(30)]
        assert [node.image.name for node in opened.nodes()] == [f"image {number}" for number in range(30)]
        assert [path for path in opened.fake.paths() if "/images" in path] == ["/glance/v2/images"] * 2

    def test_images_that_the_list_lacks_are_asked_for_but_not_without_end(self, opened: Opened) -> None:
        opened.fake.page_size = 100
        opened.fake.lists["servers"] = [server(number, image={"id": f"gone{number}"}) for number in range(30)]
        assert len(opened.nodes()) == 30
        assert len([path for path in opened.fake.paths() if "/images/gone" in path]) == 20
        assert "10 images are neither listed nor few" in "".join(opened.notes)

    def test_deleted_image_is_no_error(self, opened: Opened) -> None:
        opened.fake.lists["images"] = []
        node = opened.nodes()[0]
        assert (node.image.id, node.image.name, node.image.distro) == ("i1", None, "debian")

    @pytest.mark.parametrize("name", ["block-storage", "volumev3"])
    def test_volume_tells_the_image_it_was_made_from(self, opened: Opened, name: str) -> None:
        opened.fake.services[name] = "/cinder/v3/p1"
        opened.fake.lists["servers"] = [server(1, image="")]
        opened.fake.lists["volumes"] = [
            {"id": "data", "bootable": "false", "attachments": [{"server_id": "s1", "device": "/dev/vdb"}]},
            {"id": "root", "bootable": "true", "attachments": [{"server_id": "s1", "device": "/dev/vda"}],
             "volume_image_metadata": {"image_id": "i9", "image_name": "rocky-9", "os_distro": "rocky"}}]
        image = opened.nodes()[0].image
        assert (image.id, image.name, image.distro) == ("i9", "rocky-9", "rocky")

    def test_extra_fields_but_no_secret(self, opened: Opened) -> None:
        opened.fake.lists["servers"] = [server(1, hostId="h1", adminPass="x")]
        assert opened.nodes()[0].extra == {"hostId": "h1"}

    def test_networks_of_one_name_are_told_apart_by_their_ports(self, opened: Opened) -> None:
        opened.fake.lists["networks"].append({"id": "n2", "name": "inside", "router:external": False, "mtu": 1400})
        opened.fake.lists["subnets"].append({"id": "sub2", "network_id": "n2", "cidr": "10.0.0.0/24"})
        opened.fake.lists["servers"] = [server(1), server(2)]
        opened.fake.lists["ports"] = [
            {"id": "po1", "device_id": "s1", "network_id": "n2", "mac_address": "fa:16:3e:00:00:01", "fixed_ips": [{"ip_address": "10.0.0.1"}]},
            {"id": "po2", "device_id": "s2", "network_id": "n1", "mac_address": "fa:16:3e:00:00:02", "fixed_ips": [{"ip_address": "10.0.0.2"}]}]
        assert [node.interfaces[0].network_id for node in opened.nodes()] == ["n2", "n1"]

    def test_networks_of_one_name_with_different_subnets_need_no_ports(self, opened: Opened) -> None:
        opened.fake.lists["networks"].append({"id": "n2", "name": "inside", "router:external": True, "mtu": 1500})
        opened.fake.lists["subnets"].append({"id": "sub2", "network_id": "n2", "cidr": "198.51.100.0/24"})
        assert {node.interfaces[0].network_id for node in opened.nodes()} == {"n1"}
        assert all("device_id" not in query for query in opened.fake.queries("/ports"))


class TestFilters:
    def query(self, opened: Opened, **options: Any) -> dict[str, list[str]]:
        opened.nodes(**options)
        return opened.fake.queries(SERVERS)[0]

    def test_nothing_is_pushed_that_could_leave_a_node_out(self, opened: Opened) -> None:
        filters = {"states": ["running"], "tags": {"web": None, "env": ["prod", "test"], "tier": "front*"}, "names": ["web-*", "db-1"]}
        assert self.query(opened, filters=filters) == {"limit": ["1000"]}

    @pytest.mark.parametrize(("names", "asked"), [
        (["m1"], "^m1$"), (["shop-1", "shop-2"], "^shop."), (["shop-*"], "^shop."), (["shop", "shop-1"], "^shop"), (["a[*](b|c)$"], "^a..b.c..$"),
        (["*"], None), (["[ab]1"], None), (["é1"], None), (["web-é1"], "^web."), (["a\nb"], "^a"),
    ])
    def test_how_all_names_begin_is_pushed(self, opened: Opened, names: list[str], asked: str | None) -> None:
        query = self.query(opened, filters={"names": names})
        assert query.get("name") == ([asked] if asked else None)

    def test_exact_name_and_tag_are_pushed(self, opened: Opened) -> None:
        query = self.query(opened, filters={"tags": {"env": "prod", "web": None}, "names": ["db-1.example"]})
        assert query == {"limit": ["1000"], "name": ["^db.1.example$"], "metadata": ['{"env": "prod"}']}

    def test_the_one_state_that_is_one_status_is_pushed(self, opened: Opened) -> None:
        opened.states = ("error",)
        assert self.query(opened)["status"] == ["ERROR"]

    def test_all_projects(self, opened: Opened) -> None:
        assert self.query(opened, all_projects=True)["all_tenants"] == ["1"]


class TestSingleServers:
    def read(self, opened: Opened, *ids: str, names: tuple[str, ...] = (), **options: Any) -> list[str]:
        cloud = parse_clouds({"dream": {"provider": "openstack", **options}}, "fleet.yml")[0]
        cloud = dataclasses.replace(cloud, filters=Filters((), {}, names, ids))
        provider = SPEC.open(cloud, opened.run())
        return sorted(node.id for scope in provider.scopes() for node in provider.evidence(scope))

    def test_by_id_nothing_is_listed(self, opened: Opened) -> None:
        assert self.read(opened, "s1", "s3", "s1") == ["s1", "s3"]
        assert [opened.fake.count(f"/servers/{name}") for name in ("s1", "s3", "detail")] == [1, 1, 0]

    def test_by_id_with_name_only_the_id_counts_for_the_cloud(self, opened: Opened) -> None:
        assert self.read(opened, "s1", names=("no",)) == ["s1"]  # the collector filters for all clouds alike

    def test_what_is_not_there_costs_one_request(self, opened: Opened) -> None:
        assert self.read(opened, "s9") == []
        assert [path for path in opened.fake.paths() if path.startswith(("/nova/v2.1/", "/neutron", "/glance"))] == [
            "/nova/v2.1/", "/nova/v2.1/servers/s9"]

    def test_by_name_one_filtered_list_and_nothing_more_when_it_is_empty(self, opened: Opened) -> None:
        opened.fake.lists["servers"] = []
        assert self.read(opened, names=("m1",)) == []
        assert opened.fake.queries(SERVERS) == [{"limit": ["1000"], "name": ["^m1$"]}]
        assert opened.fake.count("/networks") == 0

    def test_many_ids_are_picked_from_one_listing(self, opened: Opened) -> None:
        assert len(self.read(opened, *(f"s{number}" for number in range(6)))) == 5
        assert opened.fake.count("/servers/s1") == 0

    @pytest.mark.parametrize("fault", [
        {"status": 404, "body": HTML}, {"status": 404, "body": {"message": "no route"}}, {"status": 403, "body": {"forbidden": {}}},
        {"status": 400, "body": {"badRequest": {}}}, {"body": {"servers": []}}, {"body": {"server": {"id": "s1", "status": "UNKNOWN"}}},
    ])
    def test_an_answer_in_doubt_is_settled_by_the_listing(self, opened: Opened, fault: dict[str, Any]) -> None:
        opened.fake.faults = [Fault("/servers/s1", **fault)]
        assert "s1" in self.read(opened, "s1")
        assert opened.fake.count(SERVERS) > 0

    def test_a_server_of_another_project_is_shown_only_with_all_projects(self, opened: Opened) -> None:
        opened.fake.lists["servers"][0]["tenant_id"] = "p2"
        assert self.read(opened, "s1", "s2") == ["s2"]
        assert self.read(opened, "s1", "s2", all_projects=True) == ["s1", "s2"]


class TestFaults:
    """Each fault once is survived with all nodes; for good it is an error with the cloud's words."""

    CASES: ClassVar[dict[str, tuple[Fault, str, str]]] = {
        "503 with JSON": (Fault(SERVERS, status=503, body={"error": {"message": "cell is gone"}}), "http", "cell is gone"),
        "503 with HTML": (Fault(SERVERS, status=503, body=HTML, headers={"Content-Type": "text/html"}), "http", "Service Unavailable"),
        "500": (Fault(SERVERS, status=500, body={"computeFault": {"message": "boom", "code": 500}}), "http", "boom"),
        "429": (Fault(SERVERS, status=429, body={"overLimit": {"message": "slow down"}}), "throttled", "slow down"),
        "page without items": (Fault(SERVERS, body={}), "bad_answer", "no list 'servers'"),
        "second page without items": (Fault(SERVERS, body={"x": []}, marker="s2"), "bad_answer", "no list 'servers'"),
        "items that are no objects": (Fault(SERVERS, body={"servers": [None]}), "bad_answer", "no list 'servers'"),
        "server without id": (Fault(SERVERS, body={"servers": [{"name": "x"}]}), "bad_answer", "no id"),
        "200 with HTML": (Fault(SERVERS, body=HTML), "bad_answer", "not JSON"),
        "answer cut in half": (Fault(SERVERS, body={"servers": []}, cut=True), "unreachable", "connection"),
        "partial: a cell is down": (
            Fault(SERVERS, body={"servers": [{"id": "s1", "status": "UNKNOWN", "tenant_id": "p1"}]}), "partial", "cell"),
        "networks 503": (Fault("/networks", status=503), "http", "503"),
        "subnets without list": (Fault("/subnets", body={"subnets": None}), "bad_answer", "no list 'subnets'"),
        "image 502": (Fault("/images/i1", status=502), "http", "502"),
        "version document 503": (Fault("/nova/v2.1/", status=503), "http", "503"),
        "token 503": (Fault("/auth/tokens", status=503), "http", "503"),
        "token without token": (Fault("/auth/tokens", status=201, body={"x": 1}), "bad_answer", "token"),
        "identity 503": (Fault("/v3", status=503), "http", "503"),
    }

    @pytest.mark.parametrize("case", [name for name in CASES if name != "identity 503"])
    def test_for_good_is_an_error(self, opened: Opened, case: str) -> None:
        fault, code, words = self.CASES[case]
        opened.fake.faults = [Fault(**vars(fault))]
        failure = opened.failure()
        assert (failure.code, len(opened.waits)) == (code, opened.retries)
        assert words in failure.why

    @pytest.mark.parametrize("case", CASES)
    def test_once_is_survived(self, opened: Opened, case: str) -> None:
        opened.fake.faults = [Fault(**{**vars(self.CASES[case][0]), "times": 1})]
        assert opened.names() == ALL

    def test_retry_after_is_honoured(self, opened: Opened) -> None:
        opened.fake.faults = [Fault(SERVERS, status=429, headers={"Retry-After": "7"}, times=1)]
        assert opened.names() == ALL
        assert opened.waits == [7.0]

    def test_old_novas_413_is_throttling(self, opened: Opened) -> None:
        opened.fake.faults = [Fault(SERVERS, status=413, headers={"Retry-After": "3"}, times=1)]
        assert opened.names() == ALL
        assert opened.waits == [3.0]

    def test_read_timeout(self, opened: Opened) -> None:
        opened.timeout, opened.retries = 1.0, 0
        opened.fake.faults = [Fault(SERVERS, hang=3.0)]
        begun = time.monotonic()
        failure = opened.failure()
        assert (failure.code, failure.why.partition(": ")[2]) == ("unreachable", "no answer in time")
        assert time.monotonic() - begun < 2.5

    def test_identity_that_hangs_times_out_too(self, opened: Opened) -> None:
        opened.timeout, opened.retries = 1.0, 0
        opened.fake.faults = [Fault("/auth/tokens", hang=3.0)]
        assert opened.failure().what == "get a token"

    def test_connection_refused(self, opened: Opened) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            opened.fake.services["compute"] = f":{unused.getsockname()[1]}"
            opened.entry["compute_endpoint_override"] = f"http://127.0.0.1:{unused.getsockname()[1]}/v2.1"
            opened.write()
            failure = opened.failure()
        assert (failure.code, failure.transient) == ("unreachable", True)
        assert "connection refused" in failure.why

    def test_page_link_that_leads_back(self, opened: Opened) -> None:
        opened.fake.faults = [Fault(SERVERS, marker="s2", body={
            "servers": [server(3)], "servers_links": [{"rel": "next", "href": "http://x/v2.1/servers/detail?limit=1000&marker=s2"}]})]
        failure = opened.failure()
        assert failure.code == "bad_answer"
        assert "earlier page" in failure.why

    @pytest.mark.parametrize("links", [[{"rel": "next"}], [{"rel": "next", "href": "http://x/servers/detail"}], ["x"]])
    def test_page_link_without_sense(self, opened: Opened, links: list[Any]) -> None:
        opened.fake.faults = [Fault(SERVERS, body={"servers": [server(1)], "servers_links": links})]
        assert opened.failure().code == "bad_answer"

    def test_marker_refused_is_an_error(self, opened: Opened) -> None:
        opened.fake.faults = [Fault(SERVERS, marker="s2", status=400, body={"badRequest": {"message": "marker [s2] not found"}})]
        assert "marker [s2] not found" in opened.failure().why

    def test_address_that_is_none_is_an_error(self, opened: Opened) -> None:
        opened.fake.lists["servers"][3]["addresses"]["inside"][0]["addr"] = "not-an-address"
        failure = opened.failure()
        assert failure.code == "bad_answer"
        assert "s4" in failure.why

    def test_expired_token_is_replaced_once(self, opened: Opened) -> None:
        opened.fake.expired = {"token-1"}
        assert opened.names() == ALL
        assert opened.fake.tokens == 2

    def test_token_refused_for_good(self, opened: Opened) -> None:
        opened.fake.expired = {f"token-{number}" for number in range(100)}
        failure = opened.failure()
        assert (failure.code, failure.transient) == ("auth", False)

    def test_password_refused(self, opened: Opened) -> None:
        opened.fake.refuse_login = True
        failure = opened.failure()
        assert (failure.what, failure.code, opened.waits) == ("get a token", "auth", [])
        assert f"cloud 'dream' of {opened.folder}/clouds.yaml" in failure.fix

    def test_all_projects_without_the_role(self, opened: Opened) -> None:
        opened.fake.faults = [Fault(SERVERS, status=403, body={"forbidden": {"message": "Policy doesn't allow get_all_tenants"}})]
        failure = opened.failure(all_projects=True)
        assert "Policy doesn't allow" in failure.why
        assert "all_projects: false" in failure.fix


class TestMissingServices:
    @pytest.mark.parametrize("status", [403, 404])
    @pytest.mark.parametrize("path", ["/networks", "/subnets", "/ports", "/images/i1"])
    def test_lasting_refusal_is_a_note(self, opened: Opened, status: int, path: str) -> None:
        opened.fake.faults = [Fault(path, status=status)]
        assert opened.names() == ALL
        assert len(opened.notes) == 1

    @pytest.mark.parametrize("service", ["network", "image"])
    def test_service_not_in_the_catalogue_is_a_note(self, opened: Opened, service: str) -> None:
        del opened.fake.services[service]
        assert opened.names() == ALL
        assert opened.notes[0].startswith(f"no {service} service")

    def test_no_neutron_means_no_knowledge_of_networks(self, opened: Opened) -> None:
        del opened.fake.services["network"]
        interface = opened.nodes()[0].interfaces[0]
        assert (interface.network, interface.network_id, interface.domain) == ("inside", None, None)
        assert (interface.addresses[0].routed, interface.addresses[0].network_known) == (None, False)

    def test_broken_service_can_be_ruled_out_in_clouds_yaml(self, opened: Opened) -> None:
        opened.fake.faults = [Fault("/networks", status=503)]
        assert "has_network: false" in opened.failure().fix
        opened.entry["has_network"] = False
        opened.write()
        assert opened.names() == ALL

    def test_no_compute_service(self, opened: Opened) -> None:
        del opened.fake.services["compute"]
        assert opened.failure().code == "no_service"
