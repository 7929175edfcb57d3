# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The provider against an OpenStack that fails in all the ways clouds fail: a retry or an error, never fewer nodes."""
from __future__ import annotations

import hashlib
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import DEFAULT_STATES, parse_clouds
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.base import Run, together
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.openstack.client import open_bare_metal
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.openstack.spec import SPEC
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.retry import Patience
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import NodeEvidence
from openstack_server import FakeCloud, Fault, serving

SERVERS = "/servers/detail"
PASSWORD = "not-to-be-seen"  # what no message may contain
HTML = b"<html><head><title>503</title></head><body><h1>Service Unavailable</h1>No server is available</body></html>"


def server(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"s{number}", "name": f"m{number}", "status": "ACTIVE", "tenant_id": "p1", "metadata": {"env": "prod"}, "tags": ["web"],
        "created": "2026-05-07T12:34:56Z", "image": {"id": "i1", "properties": {"os_distro": "debian"}},
        "flavor": {"original_name": "m1.small"}, "security_groups": [{"name": "default"}],
        "addresses": {"inside": [
            {"addr": f"10.0.0.{number}", "version": 4, "OS-EXT-IPS:type": "fixed", "OS-EXT-IPS-MAC:mac_addr": f"fa:16:3e:00:00:{number:02x}"},
        ]},
        **changes,
    }


@pytest.fixture
def fake() -> Iterator[FakeCloud]:
    cloud = FakeCloud()
    cloud.lists["servers"] = [server(number) for number in range(1, 6)]
    cloud.lists["networks"] = [{"id": "n1", "name": "inside", "router:external": False, "mtu": 1442}]
    cloud.lists["subnets"] = [{"id": "sub1", "network_id": "n1", "cidr": "10.0.0.0/24"}]
    cloud.lists["images"] = [{"id": "i1", "name": "Debian 12", "os_distro": "debian"}]
    cloud.lists["flavors"] = [{"id": "f-m1.small", "name": "m1.small"}]
    with serving(cloud):
        yield cloud


class Opened:
    """Reads the fake with a clouds.yaml of its own and remembers what the operator is told."""

    def __init__(self, fake: FakeCloud, folder: Path) -> None:
        self.fake = fake
        self.folder = folder
        self.notes: list[str] = []
        self.waits: list[float] = []
        self.timeout = 20.0
        self.retries = 2
        self.entry: dict[str, Any] = {
            "auth": {"auth_url": f"{fake.url}/v3", "username": "ops", "password": PASSWORD, "project_name": "acme",
                     "user_domain_id": "default", "project_domain_id": "default"},
            "region_name": "RegionOne"}

    def write(self, **clouds: Any) -> None:
        (self.folder / "clouds.yaml").write_text(json.dumps({"clouds": clouds or {"dream": self.entry}}))

    def run(self) -> Run:
        patience = Patience(ends=time.monotonic() + self.timeout, retries=self.retries, timeout=self.timeout, sleep=self.waits.append)
        return Run(patience, frozenset(self.states), extra=("hostId", "adminPass"), environ=os.environ, note=self.notes.append)

    states: tuple[str, ...] = DEFAULT_STATES

    def nodes(self, **options: Any) -> list[NodeEvidence]:
        cloud = parse_clouds({"dream": {"provider": "openstack", **options}}, "fleet.yml")[0]
        provider = SPEC.open(cloud, self.run())
        return [node for part in together(*[lambda scope=scope: list(provider.evidence(scope)) for scope in provider.scopes()])
                for node in part]

    def names(self, **options: Any) -> list[str | None]:
        return [node.name for node in self.nodes(**options)]

    def failure(self, **options: Any) -> FleetError:
        with pytest.raises(FleetError) as caught:
            self.nodes(**options)
        assert PASSWORD not in str(caught.value)
        assert "token-" not in str(caught.value)
        assert caught.value.fix
        return caught.value


@pytest.fixture
def opened(fake: FakeCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    for variable in [name for name in os.environ if name.startswith("OS_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    reader = Opened(fake, tmp_path)
    reader.write()
    return reader


ALL = ["m1", "m2", "m3", "m4", "m5"]


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
        opened.fake.page_size = 100
        opened.fake.lists["images"] = [{"id": f"i{number}", "name": f"image {number}"} for number in range(30)]
        opened.fake.lists["servers"] = [server(number, image={"id": f"i{number}"}) for number in range(30)]
        assert [node.image.name for node in opened.nodes()] == [f"image {number}" for number in range(30)]
        assert [path for path in opened.fake.paths() if "/images" in path] == ["/glance/v2/images"]

    def test_deleted_image_is_no_error(self, opened: Opened) -> None:
        opened.fake.lists["images"] = []
        node = opened.nodes()[0]
        assert (node.image.id, node.image.name, node.image.distro) == ("i1", None, "debian")

    def test_volume_tells_the_image_it_was_made_from(self, opened: Opened) -> None:
        opened.fake.services["block-storage"] = "/cinder/v3/p1"
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

    def test_exact_name_and_tag_are_pushed(self, opened: Opened) -> None:
        query = self.query(opened, filters={"tags": {"env": "prod", "web": None}, "names": ["db-1.example"]})
        assert query == {"limit": ["1000"], "name": ["^db.1.example$"], "metadata": ['{"env": "prod"}']}

    def test_the_one_state_that_is_one_status_is_pushed(self, opened: Opened) -> None:
        opened.states = ("error",)
        assert self.query(opened)["status"] == ["ERROR"]

    def test_all_projects(self, opened: Opened) -> None:
        assert self.query(opened, all_projects=True)["all_tenants"] == ["1"]


class TestFaults:
    """Each fault once is survived with all nodes; for good it is an error with the cloud's words."""

    CASES = {
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


class TestRegions:
    def test_region_of_clouds_yaml_is_the_default(self, opened: Opened) -> None:
        opened.fake.regions = ["RegionOne", "RegionTwo"]
        assert {node.region for node in opened.nodes()} == {"RegionOne"}

    def test_all_regions_of_clouds_yaml(self, opened: Opened) -> None:
        opened.fake.regions = ["RegionOne", "RegionTwo", "RegionThree"]
        del opened.entry["region_name"]
        opened.entry["regions"] = ["RegionTwo", {"name": "RegionThree", "values": {}}]
        opened.write()
        assert {node.region for node in opened.nodes()} == {"RegionTwo", "RegionThree"}

    def test_without_any_the_catalogue_tells(self, opened: Opened) -> None:
        opened.fake.regions = ["RegionTwo", "RegionOne"]
        del opened.entry["region_name"]
        opened.write()
        assert {node.region for node in opened.nodes()} == {"RegionOne", "RegionTwo"}

    def test_region_that_clouds_yaml_does_not_list(self, opened: Opened) -> None:
        opened.fake.regions = ["RegionOne", "RegionTwo"]
        assert {node.region for node in opened.nodes(regions=["RegionTwo"])} == {"RegionTwo"}

    def test_region_that_does_not_exist(self, opened: Opened) -> None:
        failure = opened.failure(regions=["regionone"])
        assert failure.code == "region"
        assert "only in RegionOne" in failure.why


class TestNetworksOfCloudsYaml:
    """What the operator wrote of networks reaches the evidence, and only that."""

    def addresses(self, opened: Opened, **entry: Any) -> tuple[str | None, str]:
        opened.entry.update(entry)
        opened.write()
        address = opened.nodes()[0].interfaces[0].addresses[0]
        return address.operator_role, address.operator_why

    def test_routes_externally(self, opened: Opened) -> None:
        role, why = self.addresses(opened, networks=[{"name": "inside", "routes_externally": True}])
        assert role == "external"
        assert why == "clouds.yaml says network 'inside' routes IPv4 externally"

    def test_false_is_the_operators_word(self, opened: Opened) -> None:
        assert self.addresses(opened, networks=[{"name": "n1", "routes_externally": False}])[0] == "private"

    def test_silence_is_not(self, opened: Opened) -> None:
        assert self.addresses(opened, networks=[{"name": "inside", "nat_destination": True}])[0] is None

    def test_older_spelling(self, opened: Opened) -> None:
        assert self.addresses(opened, external_network="inside")[0] == "external"

    def test_limestone_profile_speaks_for_the_region_the_user_names(self, opened: Opened) -> None:
        opened.fake.regions = ["us-slc"]
        opened.fake.lists["servers"] = [server(1, addresses={"Public Internet": [{"addr": "198.51.100.9", "version": 4}]})]
        role, why = self.addresses(opened, profile="limestonenetworks", region_name="us-slc")
        assert role == "public"
        assert "'Public Internet'" in why


class TestCredentials:
    def test_only_cloud_of_the_file_is_meant(self, opened: Opened) -> None:
        assert opened.names() == ALL

    def test_several_clouds_and_none_named(self, opened: Opened) -> None:
        opened.write(dream=opened.entry, city=opened.entry)
        failure = opened.failure()
        assert failure.code == "credential_missing"
        assert "dream, city" in failure.why

    def test_os_cloud(self, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
        opened.write(dream=opened.entry, city={**opened.entry, "region_name": "Elsewhere"})
        monkeypatch.setenv("OS_CLOUD", "dream")
        assert opened.names() == ALL

    def test_cloud_of_the_entry_beats_os_cloud(self, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
        opened.write(dream=opened.entry, city={**opened.entry, "region_name": "Elsewhere"})
        monkeypatch.setenv("OS_CLOUD", "city")
        assert opened.names(cloud="dream") == ALL

    def test_unknown_cloud_names_those_there_are(self, opened: Opened) -> None:
        failure = opened.failure(cloud="dreem")
        assert "no cloud 'dreem'" in failure.why
        assert "clouds.yaml has: dream" in failure.why

    def test_variables_of_an_openrc(self, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
        opened.write(city={}, other={})
        auth = opened.entry["auth"]
        for name, value in {**auth, "region_name": "RegionOne"}.items():
            monkeypatch.setenv(f"OS_{name.upper()}", value)
        assert opened.names() == ALL

    def test_variables_that_are_no_credentials(self, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OS_IDENTITY_API_VERSION", "3")
        monkeypatch.setenv("OS_INTERFACE", "public")
        assert opened.names() == ALL

    def test_file_named_but_not_there(self, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(opened.folder / "no.yaml"))
        failure = opened.failure()
        assert failure.code == "credential_missing"
        assert "no.yaml, which does not exist" in failure.why

    def test_no_file_at_all(self, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
        empty = opened.folder / "empty.yaml"
        empty.write_text("clouds: {}\n")
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(empty))
        assert "no OS_AUTH_URL" in opened.failure().why

    def test_broken_yaml_is_named(self, opened: Opened) -> None:
        (opened.folder / "clouds.yaml").write_text(f"clouds: {{dream: {{auth: {{password: {PASSWORD}\n")
        failure = opened.failure(cloud="dream")
        assert failure.code == "credential_missing"
        assert f"not valid YAML: {opened.folder}/clouds.yaml" in failure.why

    def test_entry_without_auth_url(self, opened: Opened) -> None:
        del opened.entry["auth"]["auth_url"]
        opened.write()
        failure = opened.failure()
        assert failure.code == "credential_missing"
        assert "auth_url" in failure.why

    @pytest.mark.parametrize("auth", ["text", ["list"]])
    def test_misshapen_entry(self, opened: Opened, auth: Any) -> None:
        opened.entry["auth"] = auth
        opened.write()
        assert opened.failure().code == "credential_missing"

    def test_unknown_way_of_authentication(self, opened: Opened) -> None:
        opened.entry["auth_type"] = "v9magic"
        opened.write()
        failure = opened.failure()
        assert failure.code == "credential_missing"
        assert "v9magic" in failure.why

    def test_certificate_that_is_not_trusted_is_no_transient_failure(self, opened: Opened) -> None:
        opened.entry["auth"]["auth_url"] = opened.fake.url.replace("http://", "https://") + "/v3"
        opened.write()
        failure = opened.failure()
        assert (failure.code, failure.transient) == ("tls", False)

    def test_no_authentication_with_fixed_addresses(self, opened: Opened) -> None:
        opened.write(dream={"auth_type": "none", "compute_endpoint_override": f"{opened.fake.url}/nova/v2.1"})
        assert opened.names() == ALL


class TestIdentity:
    OPTIONS = {"cloud": None, "regions": [], "all_projects": False}

    def environ(self, folder: Path, **more: str) -> dict[str, str]:
        return {"HOME": str(folder), "XDG_CONFIG_DIRS": str(folder), **more}

    def test_content_of_the_file_counts_not_its_path(self, tmp_path: Path) -> None:
        found = set()
        for name in ("a.yaml", "b.yaml"):
            (tmp_path / name).write_text("clouds: {x: {}}")
            found.add(tuple(SPEC.identity(self.OPTIONS, self.environ(tmp_path, OS_CLIENT_CONFIG_FILE=str(tmp_path / name)))))
        assert found == {(f"clouds sha256:{hashlib.sha256(b'clouds: {x: {}}').hexdigest()}",)}

    @pytest.mark.parametrize("place", [".config/openstack/clouds.yaml", ".config/openstack/secure.yaml", "openstack/clouds-public.yml"])
    def test_files_where_openstacksdk_looks(self, tmp_path: Path, place: str) -> None:
        before = SPEC.identity(self.OPTIONS, self.environ(tmp_path))
        (tmp_path / place).parent.mkdir(parents=True)
        (tmp_path / place).write_text("clouds: {}")
        assert SPEC.identity(self.OPTIONS, self.environ(tmp_path)) != before

    def test_variables_count_without_showing(self, tmp_path: Path) -> None:
        one = SPEC.identity(self.OPTIONS, self.environ(tmp_path, OS_CLOUD="a", OS_PASSWORD=PASSWORD))
        two = SPEC.identity(self.OPTIONS, self.environ(tmp_path, OS_CLOUD="b", OS_PASSWORD=PASSWORD))
        assert one != two
        assert PASSWORD not in "".join(one)

    def test_variables_do_not_count_for_a_named_cloud(self, tmp_path: Path) -> None:
        options = {**self.OPTIONS, "cloud": "dream"}
        assert SPEC.identity(options, self.environ(tmp_path, OS_CLOUD="a")) == SPEC.identity(options, self.environ(tmp_path))


def test_bare_metal_without_keystone(opened: Opened) -> None:
    """Standalone Ironic, as provider metal uses it."""
    opened.write(bifrost={"auth_type": "none", "baremetal_endpoint_override": f"{opened.fake.url}/ironic"})
    first = {"nodes": [{"uuid": "a"}], "next": "http://inside.invalid/v1/nodes?limit=1&marker=a"}
    opened.fake.faults = [Fault("/ironic/v1/nodes", marker="a", body={"nodes": [{"uuid": "b"}]}), Fault("/ironic/v1/nodes", body=first)]
    assert [node["uuid"] for node in open_bare_metal("bifrost", opened.run()).pages("/nodes", "nodes", {"limit": 1})] == ["a", "b"]
