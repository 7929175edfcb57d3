# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A node that joins the running inventory looks as the inventory plugin would have shown it."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleActionFail
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import inventory_loader
from ansible.template import Templar
from ansible_collections.hybridops.fleet.plugins.action.add_node import ActionModule

RACK = {"site": "r42", "nodes": [
    {"name": "db-1", "id": "SN-1", "login_user": "root", "tags": {"role": "db", "evil": "{{ 7 * 7 }}"}, "image": {"distro": "debian"},
     "interfaces": [{"network": "dmz", "role": "public", "addresses": ["198.51.100.21"]},
                    {"network": "rack", "role": "private", "addresses": ["10.42.0.21"]}]}]}
FLEET: dict[str, Any] = {
    "plugin": "hybridops.fleet.nodes", "connect_to": ["private_ipv4"], "tag_groups": ["role"],
    "clouds": {
        "rack": {"provider": "metal", "sources": [{"kind": "file", "path": "r42.yml"}], "bastion": {"host": "jump.example.org", "user": "me"}},
        "other": {"provider": "openstack", "cloud": "{{ not_defined_anywhere }}"}},
}
NODE: dict[str, Any] = {
    "id": "SN-1", "name": "db-1", "cloud": "rack", "provider": "metal", "account": None, "region": None, "zone": None, "state": "running",
    "created": None, "flavor": None, "arch": None, "image": {"id": None, "name": None, "distro": "debian", "version": None},
    "tags": {"role": "db", "evil": "{{ 7 * 7 }}"}, "public_ip": "198.51.100.21", "public_ipv4": "198.51.100.21", "public_ipv6": None,
    "public_ip_on_interface": True, "private_ip": "10.42.0.21", "private_ipv4": "10.42.0.21", "private_ipv6": None, "interfaces": [],
    "network_role": "public", "network_domain": "r42", "mtu": None, "login_user": "root", "ssh_port": 22, "security_groups": [],
    "host_keys": None, "why": {"public_ip": "", "login_user": "", "network_role": ""}, "stale": False, "extra": {},
}

Add = Callable[..., dict[str, Any]]


@pytest.fixture
def add(tmp_path: Path) -> Add:
    (tmp_path / "r42.yml").write_text(yaml.safe_dump(RACK), encoding="utf-8")
    (tmp_path / "fleet.yml").write_text(yaml.safe_dump(FLEET), encoding="utf-8")

    def run(hosts: dict[str, dict[str, Any]] | None = None, taken: tuple[str, ...] = (), **arguments: Any) -> dict[str, Any]:
        loader = DataLoader()
        loader.set_basedir(str(tmp_path))
        task = SimpleNamespace(args=arguments, async_val=0, check_mode=False, diff=False)
        plugin = ActionModule(task, None, SimpleNamespace(check_mode=False), loader, Templar(loader=loader, variables={}), None)
        known = {name: SimpleNamespace(vars=variables) for name, variables in (hosts or {}).items()}
        variables = {"hostvars": SimpleNamespace(_inventory=SimpleNamespace(hosts=known)), "groups": {name: [] for name in taken}}
        return plugin.run(task_vars=variables)

    return run


def test_as_the_inventory_plugin_shows_it(add: Add, tmp_path: Path) -> None:
    one_cloud = {**FLEET, "clouds": {"rack": FLEET["clouds"]["rack"]}}
    (tmp_path / "alone.yml").write_text(yaml.safe_dump(one_cloud), encoding="utf-8")
    (tmp_path / "alone.fleet.yml").write_text(yaml.safe_dump(one_cloud), encoding="utf-8")
    plugin, inventory = inventory_loader.get("hybridops.fleet.nodes"), InventoryData()
    plugin.parse(inventory, DataLoader(), str(tmp_path / "alone.fleet.yml"), cache=False)
    inventory.reconcile_inventory()
    host = inventory.hosts["db-1"]
    record = {key.removeprefix("fleet_"): value for key, value in host.vars.items() if key.startswith("fleet_")}
    joined = add(node=record, fleet="alone.yml")["add_host"]
    assert joined["host_name"] == "db-1"
    assert {key: str(value) for key, value in joined["host_vars"].items()} == {
        key: str(value) for key, value in host.vars.items() if key in joined["host_vars"]}
    assert {key for key in host.vars if key.startswith(("fleet_", "ansible_"))} - set(joined["host_vars"]) == set()
    assert {group.name for group in host.get_groups()} - {"all"} == set(joined["groups"])


def test_connection_groups_and_variables(add: Add) -> None:
    result = add(node=NODE, fleet="fleet.yml", groups=["fresh", "fleet"], variables={"mine": 1})
    joined = result["add_host"]
    assert result["changed"] is True
    assert joined["host_vars"]["ansible_host"] == "10.42.0.21"
    assert joined["host_vars"]["ansible_ssh_common_args"] == "-o ProxyJump=me@jump.example.org:22"
    assert joined["host_vars"]["mine"] == 1
    assert {"fleet", "cloud_rack", "tag_role_db", "fresh"} <= set(joined["groups"])
    assert joined["groups"].count("fleet") == 1
    plain = add(node=NODE)["add_host"]["host_vars"]
    assert (plain["ansible_host"], "ansible_ssh_common_args" in plain) == ("198.51.100.21", False)


def test_values_from_a_cloud_are_no_templates(add: Add) -> None:
    joined = add(node=NODE)["add_host"]["host_vars"]
    evil = joined["fleet_tags"]["evil"]
    templar = Templar(loader=DataLoader(), variables={"evil": evil})
    assert templar.template(evil) == "{{ 7 * 7 }}"


def test_a_node_that_is_there_keeps_its_name(add: Add) -> None:
    result = add({"database": {"fleet_cloud": "rack", "fleet_id": "SN-1"}, "db-1": {}}, node=NODE)
    assert (result["name"], result["changed"]) == ("database", False)


def test_a_machine_that_was_bound_since_the_inventory_was_read_has_its_new_name(add: Add) -> None:
    result = add({"r1-u07": {"fleet_cloud": "rack", "fleet_id": "SN-1", "fleet_name": "r1-u07"}}, node=NODE)
    assert (result["name"], result["changed"]) == ("db-1", True)
    chosen = add({"SN-1": {"fleet_cloud": "rack", "fleet_id": "SN-1", "fleet_name": "r1-u07"}}, node=NODE)
    assert (chosen["name"], chosen["changed"]) == ("SN-1", False), "a name of the operator's choice stays"


def test_a_name_that_is_taken_gets_another(add: Add) -> None:
    for result in (add({"db-1": {"fleet_cloud": "rack", "fleet_id": "SN-2"}}, node=NODE), add({}, ("db-1",), node=NODE)):
        assert result["name"] != "db-1"
        assert result["name"].startswith("db-1")
        assert result["changed"] is True


@pytest.mark.parametrize("node", [None, "db-1", {}, {"id": "x", "name": "y"}])
def test_what_is_no_node(add: Add, node: Any) -> None:
    with pytest.raises(AnsibleActionFail, match="must be a node"):
        add(node=node)


def test_a_fleet_file_that_is_not_there(add: Add) -> None:
    with pytest.raises(AnsibleActionFail, match=r"there is no nowhere\.yml"):
        add(node=NODE, fleet="nowhere.yml")
