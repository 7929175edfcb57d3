# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which cloud, which region, which credentials: clouds.yaml and the environment as OpenStack's own tools read them."""
from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.openstack.client import open_bare_metal
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.openstack.spec import SPEC
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.providers.openstack_reader import (
    ALL,
    PASSWORD,
    Opened,
    opening,
    server,
)
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.providers.openstack_server import Fault


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    with opening(tmp_path, monkeypatch) as reader:
        yield reader


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
        addresses = {"Public Internet": [{"addr": "198.51.100.9", "version": 4}]}
        opened.fake.lists["servers"] = [server(1, addresses=addresses)]
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
        assert failure.why == f"{opened.folder}/clouds.yaml is not valid YAML"

    def test_entry_without_auth_url(self, opened: Opened) -> None:
        del opened.entry["auth"]["auth_url"]
        opened.write()
        failure = opened.failure()
        assert failure.code == "credential_missing"
        assert "auth_url" in failure.why

    def test_auth_url_that_is_not_keystone(self, opened: Opened) -> None:
        opened.entry["auth"]["auth_url"] = f"{opened.fake.url}/elsewhere"
        opened.write()
        failure = opened.failure()
        assert (failure.what, failure.code) == ("get a token", "not_found")
        assert "Check auth_url" in failure.fix

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
    OPTIONS: ClassVar[dict[str, Any]] = {"cloud": None, "regions": [], "all_projects": False}

    def environ(self, folder: Path, **more: str) -> dict[str, str]:
        return {"HOME": str(folder), "XDG_CONFIG_DIRS": str(folder), **more}

    def test_content_of_the_file_counts_not_its_path(self, tmp_path: Path) -> None:
        found = set()
        for name in ("a.yaml", "b.yaml"):
            (tmp_path / name).write_text("clouds: {x: {}}")
            environ = self.environ(tmp_path, OS_CLIENT_CONFIG_FILE=str(tmp_path / name))
            found.add(tuple(SPEC.identity(self.OPTIONS, environ)))
        assert found == {(f"clouds sha256:{hashlib.sha256(b'clouds: {x: {}}').hexdigest()}",)}

    @pytest.mark.parametrize(
        "place", [".config/openstack/clouds.yaml", ".config/openstack/secure.yaml", "openstack/clouds-public.yml"])
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
        plain = SPEC.identity(options, self.environ(tmp_path))
        assert SPEC.identity(options, self.environ(tmp_path, OS_CLOUD="a")) == plain


def test_bare_metal_without_keystone(opened: Opened) -> None:
    """Standalone Ironic, as provider metal uses it."""
    opened.write(bifrost={"auth_type": "none", "baremetal_endpoint_override": f"{opened.fake.url}/ironic"})
    first = {"nodes": [{"uuid": "a"}], "next": "http://inside.invalid/v1/nodes?limit=1&marker=a"}
    opened.fake.faults = [
        Fault("/ironic/v1/nodes", marker="a", body={"nodes": [{"uuid": "b"}]}), Fault("/ironic/v1/nodes", body=first)]
    api = open_bare_metal("bifrost", opened.run())
    assert [node["uuid"] for node in api.pages("/nodes", "nodes", {"limit": 1})] == ["a", "b"]
