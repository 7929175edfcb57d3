# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module ssh_key: the pair on disk, the key store or the key ring, and everything out again."""
from __future__ import annotations

import dataclasses
import json
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers import registry
from ansible_collections.hybridops.fleet.plugins.modules import ssh_key
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.fake_cloud import World
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.modules.module_stub import runner, undocumented

pytestmark = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="needs ssh-keygen (OpenSSH client), which makes the keys")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAabQkGZ9m1Zf0T1rcpB3bq1dVDJ1oPmJrYl0sWm1zPk someone"
RETURN = yaml.safe_load(ssh_key.RETURN)

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(scopes=("one", "two")).register(monkeypatch)


@pytest.fixture
def run(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    definitions = json.dumps({"fake": {"provider": "openstack", "password": "hunter2-very-secret"}})
    return runner(monkeypatch, ssh_key, definitions=definitions, cloud="fake", key_dir=str(tmp_path / "ring"))


def test_a_pair_is_made_kept_and_given_to_the_cloud(run: Run, world: World, tmp_path: Path) -> None:
    path = tmp_path / "keys" / "web"
    made = run(name="web", private_key_file=str(path))
    assert (made["changed"], made["key"]["stored"]) == (True, "key store")
    assert undocumented(RETURN, {key: value for key, value in made.items() if key not in ("changed", "invocation", "warnings")}) == []
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["web"]
    assert world.keys == {("one", "web"): made["key"]["public_key"]}
    assert made["key"]["public_key"].startswith("ssh-ed25519 AAAA")
    assert (tmp_path / "ring" / "fake" / "web.pub").read_text(encoding="utf-8").strip() == made["key"]["public_key"]
    again = run(name="web", private_key_file=str(path))
    assert (again["changed"], again["key"]) == (False, made["key"])
    assert "PRIVATE" not in json.dumps([made, again])


def test_its_end_takes_it_out_of_every_place(run: Run, world: World, tmp_path: Path) -> None:
    path = tmp_path / "web"
    run(name="web", private_key_file=str(path))
    run(name="web", private_key_file=str(path), scope="two")
    assert len(world.keys) == 2
    foretold = run(name="web", private_key_file=str(path), state="absent", check=True)
    assert (foretold["changed"], len(world.keys), path.exists()) == (True, 2, True)
    gone = run(name="web", private_key_file=str(path), state="absent")
    assert gone["did"] == foretold["did"]
    assert (world.keys, path.exists(), (tmp_path / "ring" / "fake" / "web.pub").exists()) == ({}, False, False)
    assert run(name="web", private_key_file=str(path), state="absent")["changed"] is False


def test_check_mode_makes_nothing(run: Run, world: World, tmp_path: Path) -> None:
    foretold = run(name="web", private_key_file=str(tmp_path / "web"), check=True, diff=True)
    assert (foretold["changed"], foretold["key"]["public_key"]) == (True, None)
    assert foretold["diff"] == {"before": "", "after": "fake/web: there\n"}
    assert (list(tmp_path.iterdir()), world.did()) == ([], [])


def test_a_key_that_is_not_ours_stays_in_the_key_store(run: Run, world: World) -> None:
    world.keys["one", "web"] = "ssh-rsa AAAAB3operator someone@laptop"
    kept = run(name="web", state="absent")
    assert (kept["changed"], len(world.keys)) == (False, 1)
    assert any("was not made by this collection, and stays" in str(word) for word in kept["warnings"])
    assert run(name="web", state="absent", public_key="ssh-rsa AAAAB3operator")["did"] == ["removed from the key store of one"]
    world.keys["one", "web"] = "ssh-rsa AAAAB3operator someone@laptop"
    assert run(name="web", state="absent", force=True)["changed"] is True
    assert world.keys == {}


def test_a_leftover_of_ours_is_replaced_for_a_new_node_and_no_other_key(run: Run, world: World, tmp_path: Path) -> None:
    """A controller that is gone has left it, with the private part."""
    world.keys["one", "web"] = "ssh-ed25519 AAAAC3lost fleet_node=web"
    row = {"name": "web", "private_key_file": str(tmp_path / "web")}
    assert "replaced in the key store" in run(keys=[row], for_new_nodes=True)["did"]
    assert world.keys["one", "web"].endswith("fleet_node=web")
    assert "AAAAC3lost" not in world.keys["one", "web"]
    world.keys["one", "web"] = "ssh-ed25519 AAAAC3operator someone@laptop"
    (tmp_path / "web").unlink()
    assert run(keys=[row], for_new_nodes=True)["error"]["code"] == "key_differs"


def test_another_key_in_the_ring_of_a_cloud_without_key_store(run: Run, world: World) -> None:
    world.key_store = False
    run(name="web", public_key=KEY)
    other = "ssh-ed25519 AAAAC3other x"
    assert run(name="web", public_key=other)["error"]["code"] == "key_differs"
    assert run(name="web", public_key=other, force=True)["changed"] is True


def test_another_key_of_that_name(run: Run, world: World, tmp_path: Path) -> None:
    world.keys["one", "web"] = "ssh-rsa AAAAB3other x"
    refused = run(name="web", public_key=KEY)
    assert "the key store has another key of that name" in refused["msg"]
    assert refused["error"]["code"] == "key_differs"
    assert world.keys["one", "web"] == "ssh-rsa AAAAB3other x"
    assert not (tmp_path / "ring").exists()  # nothing is changed here either
    assert run(name="web", public_key=KEY, force=True)["did"][0] == "replaced in the key store"
    assert world.keys["one", "web"] == KEY
    assert run(name="web", public_key=KEY + " with another comment")["changed"] is True  # the ring's line only
    assert run(name="web", public_key=KEY + " with another comment")["changed"] is False


def test_a_file_that_is_open_to_others_is_closed(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "web"
    run(name="web", private_key_file=str(path))
    path.chmod(0o644)
    foretold = run(name="web", private_key_file=str(path), check=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert run(name="web", private_key_file=str(path))["did"] == foretold["did"] == [f"mode of {path} set to 0600"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"name": "web"}, "neither 'private_key_file' nor 'public_key' is given"),
        ({"name": "web", "public_key": "nonsense"}, "it is not a line of the form"),
        ({"name": "web", "public_key": KEY, "scope": "three"}, "the cloud has no scope 'three', only one, two"),
        ({"keys": [{"public_key": KEY}]}, "keys[0]: has no name"),
        ({"keys": [{"name": "a", "colour": 1}]}, "keys[0]: unknown key 'colour'"),
        ({"keys": [{"name": "a", "public_key": KEY}, {"name": "a", "public_key": KEY}]}, "'keys' names a more than once"),
        ({}, "one of the following is required: name, keys"),
        ({"name": "web", "keys": []}, "mutually exclusive"),
        ({"name": "web", "public_key": KEY, "cloud": "nowhere"}, "find the cloud"),
    ])
def test_arguments_that_cannot_be_meant(run: Run, arguments: dict[str, Any], said: str) -> None:
    result = run(**arguments)
    assert result["failed"]
    assert said in result["msg"]
    assert "hunter2" not in json.dumps(result)


def test_a_file_that_is_no_key(run: Run, tmp_path: Path) -> None:
    (tmp_path / "web").write_text("no key\n", encoding="utf-8")
    (tmp_path / "web").chmod(0o600)
    assert "It must be a private key in OpenSSH format" in run(name="web", private_key_file=str(tmp_path / "web"))["msg"]


def test_a_folder_that_cannot_be_written_is_no_defect(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    result = run(name="web", private_key_file=str(tmp_path / "file" / "web"))
    assert "defect" not in result["msg"]
    result = run(name="web", private_key_file=str(tmp_path), state="absent")
    assert "defect" not in result["msg"]


def test_several_at_once_and_one_that_fails(run: Run, world: World, tmp_path: Path) -> None:
    rows = [{"name": name, "private_key_file": str(tmp_path / name)} for name in ("a", "b", "c")]
    done = run(keys=rows)
    assert [row["name"] for row in done["keys"]] == ["a", "b", "c"]
    assert len(world.keys) == 3
    assert len({row["public_key"] for row in done["keys"]}) == 3
    world.keys["one", "b"] = "ssh-rsa AAAAB3other x"
    failed = run(keys=rows)
    assert failed["msg"].startswith("1 of 3 keys failed: cloud 'fake' (one): store key b")


def test_without_a_key_store_it_is_in_the_ring_and_in_the_node(run: Run, world: World, tmp_path: Path) -> None:
    world.key_store = False
    made = run(name="web", public_key=KEY)
    assert made["key"]["stored"] == "key ring"
    one = world.add("web")
    named = run(name="web", public_key=KEY, node="web", login_user="ops")
    assert named["key"]["stored"] == "instance metadata"
    assert (one.keys, world.node_users) == ([KEY], {one.id: "ops"})
    assert run(name="web", public_key=KEY, node=one.id)["changed"] is False
    assert run(name="web", state="absent")["changed"] is True  # out of all that the collection made
    assert one.keys == []
    assert run(name="web", state="absent")["changed"] is False
    assert "the cloud has no such node" in run(name="web", public_key=KEY, node="nobody")["msg"]


def test_for_new_nodes_only(run: Run, world: World, tmp_path: Path) -> None:
    path = tmp_path / "web"
    world.add("web")
    none = run(name="web", private_key_file=str(path), for_new_nodes=True)
    assert (none["changed"], none["key"]["stored"], path.exists()) == (False, None, False)
    new = run(name="db", private_key_file=str(tmp_path / "db"), for_new_nodes=True)
    assert new["changed"] is True
    world.add("db")  # the run that made the node was ended before the key was taken out
    assert run(name="db", private_key_file=str(tmp_path / "db"), for_new_nodes=True)["key"]["stored"] == "key store"


def test_many_keys_are_one_login_and_one_look(run: Run, world: World, tmp_path: Path) -> None:
    world.add("web-1")
    rows = [{"name": f"web-{number}", "private_key_file": str(tmp_path / f"web-{number}")} for number in range(1, 5)]
    result = run(keys=rows, for_new_nodes=True)
    assert [row["stored"] for row in result["keys"]] == [None, "key store", "key store", "key store"]
    assert (world.logins, len(world.asked)) == (1, 2)  # one for each scope
    assert all(filters.names == ("web-1", "web-2", "web-3", "web-4") for filters in world.asked)


def test_a_cloud_that_cannot_be_opened_fails_its_own_keys(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    other = dataclasses.replace(world.spec(), name="gce", open=lambda cloud, run: refuse())

    def refuse() -> Any:
        raise FleetError("log in", why="refused", code="auth")

    monkeypatch.setitem(registry.PROVIDERS, "gce", other)
    definitions = json.dumps({"fake": {"provider": "openstack"}, "google": {"provider": "gce"}})
    result = run(definitions=definitions, keys=[{"name": "a", "public_key": KEY}, {"name": "b", "public_key": KEY, "cloud": "google"}])
    assert result["msg"] == "1 of 2 keys failed: cloud 'google': log in: refused"
    assert world.keys == {("one", "a"): KEY}


def test_a_node_is_found_by_id_or_name_without_listing_all(run: Run, world: World) -> None:
    world.key_store = False
    world.add("web[1]")
    assert run(name="key", public_key=KEY, node="web[1]")["did"][-1] == "added to the metadata of i-1"
    assert (world.logins, len(world.asked)) == (1, 4)
    assert all(filters.ids or filters.names for filters in world.asked)


def test_where_nodes_keep_no_keys_none_is_looked_for(run: Run, world: World) -> None:
    run(name="key", public_key=KEY)
    assert run(name="key", public_key=KEY, node="i-1", state="absent")["changed"] is True
    assert (world.asked, world.did("node_keys")) == ([], [])


def test_a_cloud_that_fails(run: Run, world: World) -> None:
    world.fails["add_key"] = [FleetError("add key", why="quota", code="quota")]
    assert run(name="web", public_key=KEY)["msg"] == "cloud 'fake' (one): add key: quota"
