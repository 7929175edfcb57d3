# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plugin as Ansible runs it, from a fleet file to an inventory, on rack files that need no service."""
from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import inventory_loader

NAME = "hybridops.fleet.nodes"
RACK: dict[str, Any] = {
    "site": "r42",
    "nodes": [
        {"name": "db-1", "id": "SN-1", "login_user": "root", "tags": {"role": "db", "evil": "{{ 7 * 7 }}"}, "image": {"distro": "debian"},
         "interfaces": [{"network": "dmz", "role": "public", "addresses": ["198.51.100.21"]},
                        {"network": "rack", "role": "private", "addresses": ["10.42.0.21"]}]},
        {"name": "db-2", "interfaces": [{"network": "rack", "role": "private", "addresses": ["10.42.0.22"]}]},
        {"name": "old", "state": "stopped"},
        {"name": "gone", "state": "deleting"},
    ],
}

Load = Callable[..., InventoryData]


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Writes a fleet file with one rack and reads it: load(**top-level keys)."""
    monkeypatch.setattr(C, "INVENTORY_ANY_UNPARSED_IS_FAILED", False)
    monkeypatch.setenv("HYBRIDOPS_FLEET_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "r42.yml").write_text(yaml.safe_dump(RACK), encoding="utf-8")

    def load(
        name: str = "fleet.yml", text: str | None = None, cloud: dict[str, Any] | None = None, use_cache: bool = True, **keys: Any
    ) -> InventoryData:
        path = tmp_path / name
        rack = {"provider": "metal", "sources": [{"kind": "file", "path": "r42.yml"}], **(cloud or {})}
        path.write_text(text or yaml.safe_dump({"plugin": NAME, "clouds": {"rack": rack}, **keys}), encoding="utf-8")
        plugin = inventory_loader.get(NAME)
        inventory = InventoryData()
        plugin.parse(inventory, DataLoader(), str(path), cache=use_cache)
        plugin.update_cache_if_changed()
        inventory.reconcile_inventory()
        return inventory

    return load


def hosts(inventory: InventoryData, group: str) -> list[str]:
    return sorted(host.name for host in inventory.groups[group].get_hosts())


def test_hosts_variables_and_groups(fleet: Load) -> None:
    inventory = fleet()
    assert sorted(inventory.hosts) == ["db-1", "db-2", "old"]
    variables = inventory.hosts["db-1"].vars
    assert (variables["ansible_host"], variables["ansible_user"], variables["ansible_port"]) == ("198.51.100.21", "root", 22)
    assert variables["fleet_private_ip"] == "10.42.0.21"
    assert variables["fleet_network_domain"] == "site:r42"
    assert set(variables["fleet_why"]) == {"public_ip", "login_user", "network_role"}
    assert hosts(inventory, "network_role_public") == ["db-1"]
    assert hosts(inventory, "state_stopped") == ["old"]
    assert hosts(inventory, "cloud_rack") == hosts(inventory, "fleet") == ["db-1", "db-2", "old"]


def test_expressions_see_the_shape(fleet: Load) -> None:
    inventory = fleet(
        compose={"where": "fleet_cloud ~ '/' ~ fleet_id"}, groups={"databases": "fleet_tags.role | default('') == 'db'"},
        keyed_groups=[{"prefix": "role", "key": "fleet_tags.role"}], tag_groups=["role"])
    assert inventory.hosts["db-1"].vars["where"] == "rack/SN-1"
    assert hosts(inventory, "databases") == hosts(inventory, "role_db") == hosts(inventory, "tag_role_db") == ["db-1"]


def test_a_strict_expression_that_fails_stops_the_run(fleet: Load) -> None:
    with pytest.raises(AnsibleError, match="db-2"):
        fleet(keyed_groups=[{"prefix": "role", "key": "fleet_tags.role"}], strict=True)
    assert C.INVENTORY_ANY_UNPARSED_IS_FAILED is True


def test_values_from_a_cloud_are_never_templates(fleet: Load) -> None:
    inventory = fleet(compose={"copied": "fleet_tags.evil", "joined": "'x' ~ fleet_tags.evil"})
    from ansible.template import Templar

    variables = inventory.hosts["db-1"].vars
    templar = Templar(loader=DataLoader(), variables=variables)
    for name in ("fleet_tags", "copied", "joined"):
        assert "49" not in str(templar.template(variables[name]))
    assert templar.template(variables["copied"]) == "{{ 7 * 7 }}"


def test_states_and_environment(fleet: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sorted(fleet(states=["stopped", "deleting"]).hosts) == ["gone", "old"]
    monkeypatch.setenv("HYBRIDOPS_FLEET_STATES", "running")
    assert sorted(fleet().hosts) == ["db-1", "db-2"]
    monkeypatch.setenv("HYBRIDOPS_FLEET_CONNECT_TO", "private_ipv4,public_ipv4")
    assert fleet().hosts["db-1"].vars["ansible_host"] == "10.42.0.21"


def test_templates_in_the_file_are_the_operator_s(fleet: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RACK_USER", "ops")
    assert fleet(cloud={"login_user": "{{ lookup('env', 'RACK_USER') }}"}).hosts["db-2"].vars["ansible_user"] == "ops"


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"timeout": "soon"}, "fleet.yml: timeout: expected a whole number, found the string 'soon'"),
        ({"cluods": {}}, "fleet.yml: unknown key 'cluods'. Did you mean 'clouds'?"),
        ({"clouds": []}, "fleet.yml: clouds: expected a mapping of cloud names"),
        ({"clouds": {"a": {"provider": "metal", "sources": [{"kind": "file", "path": "{{ nothing }}"}]}}},
         "fleet.yml: clouds.a.sources[0].path: the template cannot be evaluated"),
        ({"hostnames": ["dns"]}, "fleet.yml: hostnames: 'dns' is not possible here"),
        ({"clouds": {"a": {"provider": "metal", "sources": [{"kind": "file", "path": "none.yml"}]}}},
         "fleet.yml: cloud 'a' (file none.yml): read the rack file: No such file or directory"),
    ],
)
def test_failures_are_one_sentence_and_end_the_command(fleet: Load, keys: dict[str, Any], sentence: str) -> None:
    with pytest.raises(AnsibleError) as caught:
        fleet(**keys)
    assert sentence in str(caught.value)
    assert C.INVENTORY_ANY_UNPARSED_IS_FAILED is True


def test_a_setting_from_the_environment_is_checked_too(fleet: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYBRIDOPS_FLEET_TIMEOUT", "0")
    with pytest.raises(AnsibleError, match="timeout: must be at least 1"):
        fleet()


@pytest.mark.parametrize(
    ("name", "text", "ours"),
    [
        ("fleet.yml", "x: 1", True), ("nodes.yaml", "x: 1", True), ("prod.nodes.yml", "x: 1", True),
        ("anything.yml", f"plugin: {NAME}\n", True), ("anything.yml", "plugin: amazon.aws.aws_ec2\n", False),
        ("fleet.ini", f"plugin: {NAME}\n", False), ("hosts", f"plugin: {NAME}\n", False),
    ],
)
def test_which_files_are_ours(tmp_path: Path, name: str, text: str, ours: bool) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert inventory_loader.get(NAME).verify_file(str(path)) is ours


def test_a_file_by_its_name_without_the_plugin_is_explained(fleet: Load) -> None:
    with pytest.raises(AnsibleError, match=r"is not a fleet file\. Begin it with 'plugin: hybridops\.fleet\.nodes'"):
        fleet(text="all: {hosts: {a: }}")


def test_cache(fleet: Load, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    keys: dict[str, Any] = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(folder)}
    fleet(**keys)
    file, = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    written = file.stat().st_mtime_ns
    inventory = fleet(**keys)
    assert file.stat().st_mtime_ns == written, "answered from the cache"
    assert inventory.hosts["db-1"].vars["ansible_host"] == "198.51.100.21"
    assert str(inventory.hosts["db-1"].vars["fleet_tags"]["evil"]) == "{{ 7 * 7 }}"
    fleet(**keys, states=["running"])  # other options: another key
    assert len(list(folder.iterdir())) == 2
    (tmp_path / "r42.yml").write_text("nodes: [{name: new-1}]", encoding="utf-8")
    assert list(fleet(**keys).hosts) == ["new-1"], "an edited rack file is another fleet"
    fleet(use_cache=False, **keys)
    file.write_text('"something else"', encoding="utf-8")
    (tmp_path / "r42.yml").write_text(yaml.safe_dump(RACK), encoding="utf-8")
    assert sorted(fleet(**keys).hosts) == ["db-1", "db-2", "old"], "what is not ours in the cache is not used"


def test_the_cache_holds_plain_json(fleet: Load, tmp_path: Path) -> None:
    fleet(cache=True, cache_plugin="ansible.builtin.jsonfile", cache_connection=str(tmp_path / "cache"))
    file, = (tmp_path / "cache").iterdir()
    assert "db-1" in json.dumps(json.loads(file.read_text(encoding="utf-8")))


def test_a_tag_cannot_forge_a_mark_of_ansible(fleet: Load, tmp_path: Path) -> None:
    forged = {"__ansible_unsafe": "{{ 7 * 7 }}", "__ansible_vault": "x", "__ansible_type": "y"}
    (tmp_path / "r42.yml").write_text(json.dumps({"nodes": [{"name": "a", "tags": forged}]}), encoding="utf-8")
    keys: dict[str, Any] = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(tmp_path / "cache")}
    for _time in ("read", "from the cache"):
        tags = fleet(**keys).hosts["a"].vars["fleet_tags"]
        assert dict(tags) == {"x__ansible_unsafe": "{{ 7 * 7 }}", "x__ansible_vault": "x", "x__ansible_type": "y"}


def test_two_sources_never_merge_two_machines(fleet: Load, tmp_path: Path) -> None:
    plugin = inventory_loader.get(NAME)
    inventory = fleet()
    other = {**RACK, "nodes": [{"name": "db-1", "id": "SN-9"}]}
    (tmp_path / "r43.yml").write_text(yaml.safe_dump(other), encoding="utf-8")
    path = tmp_path / "other.nodes.yml"
    path.write_text(yaml.safe_dump(
        {"plugin": NAME, "clouds": {"rack43": {"provider": "metal", "sources": [{"kind": "file", "path": "r43.yml"}]}}}), encoding="utf-8")
    plugin.parse(inventory, DataLoader(), str(path))
    assert inventory.hosts["db-1"].vars["fleet_id"] == "SN-1"
    assert inventory.hosts["db-1-SN9"].vars["fleet_id"] == "SN-9"
