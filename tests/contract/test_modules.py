# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The modules as a playbook runs them, on the lab: made once and gone without a trace, the same on every cloud."""
from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.finding import look_up
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import parse_clouds
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.opened import Opened
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import Node

from .conftest import FLEET_FILE, TREE, described
from .gce_project import settings

SMALL = {"vcpus": 1, "memory_mib": 512}
WISHES: dict[str, dict[str, Any]] = {
    "floating": {"image": {"distro": "debian"}, "flavor": SMALL},
    "provider": {"image": {"distro": "debian"}, "flavor": SMALL},
    "amazon": {"image": {"distro": "debian"}, "flavor": SMALL},
    "google": {"image": {"distro": "debian"}, "flavor": SMALL},
    "metal": {"scope": "ironic bifrost", "image": {"distro": "debian"}, "flavor": {"vcpus": 4}},
}
KEPT = (
    "changed", "failed", "msg", "nodes", "node", "results", "did", "key", "keys", "diff", "chosen", "tags", "images", "networks", "warnings")

Play = Callable[..., dict[str, dict[str, Any]]]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Runs tasks in a play of their own and gives each result by its name; failures of tasks are results too."""
    environment = {
        **os.environ, "ANSIBLE_COLLECTIONS_PATH": str(TREE or os.environ["ANSIBLE_COLLECTIONS_PATH"]), "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false", "HYBRIDOPS_FLEET_KEY_DIR": str(tmp_path / "ring")}

    def run(cloud: str | None = None, *options: str, **tasks: dict[str, Any]) -> dict[str, dict[str, Any]]:
        common = {"fleet": str(FLEET_FILE), "timeout": 240, **({"cloud": cloud} if cloud else {})}
        rows = [{**task, "register": name, "ignore_errors": True} for name, task in tasks.items()]
        wanted = "{{ {" + ", ".join(f"'{name}': {name}" for name in tasks) + "} | to_json }}"
        save = {"ansible.builtin.copy": {"dest": str(tmp_path / "results.json"), "content": wanted, "mode": "0600"}, "check_mode": False}
        book = [{"hosts": "localhost", "gather_facts": False, "module_defaults": {"group/hybridops.fleet.fleet": common}, "tasks": [*rows, save]}]
        (tmp_path / "play.yml").write_text(yaml.safe_dump(book, sort_keys=False), encoding="utf-8")
        done = subprocess.run([sys.executable, "-m", "ansible.cli.playbook", *options, str(tmp_path / "play.yml")], env=environment, cwd=tmp_path,
                              capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        shown = done.stdout + done.stderr
        assert done.returncode == 0, shown[-4000:]
        assert "Traceback" not in shown
        assert os.environ["FLEET_LAB_REDFISH_PASSWORD"] not in shown
        results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
        return {name: {"shown": shown, **{key: row[key] for key in KEPT if key in row}} for name, row in results.items()}

    return run


@pytest.fixture
def names(play: Play) -> Iterator[list[tuple[str, str]]]:
    """(cloud, name) of nodes that a test makes; they are gone after it, whatever became of it."""
    made: list[tuple[str, str]] = []
    yield made
    if made:
        rows = [{"cloud": cloud, "name": name} for cloud, name in made]
        result = play(end={"hybridops.fleet.node": {"nodes": rows, "state": "absent"}})["end"]
        assert not result.get("failed"), result["msg"]
        for cloud, name in made:
            assert traces(cloud, name) == []


def traces(cloud: str, name: str) -> list[str]:
    """What there is of a node, behind the modules' back."""
    entry = parse_clouds({cloud: described(cloud)}, "fleet.yml")[0]
    asked = dataclasses.replace(settings(), base_dir=str(FLEET_FILE.parent))
    alive = [node.id for answer in look_up(entry, [name], asked) for node in answer.nodes if node.state != "deleting"]
    opened = Opened(entry, asked)
    return alive + [word for scope in opened.scopes for word in opened.actions(scope).leftovers(name)]


def address(node: dict[str, Any]) -> str:
    assert set(node) == {field.name for field in dataclasses.fields(Node)}
    return str(node["public_ip"])


@pytest.mark.parametrize("cloud", WISHES)
def test_a_node_from_its_key_to_its_end(cloud: str, play: Play, names: list[tuple[str, str]], tmp_path: Path) -> None:
    name = f"mod-{uuid.uuid4().hex[:8]}"
    path = str(tmp_path / "key")
    wish = {"name": name, "ssh_key": name, "tags": {"role": "web"}, "security": {"allow": [{"port": 22}]}, **WISHES[cloud]}
    key = {"hybridops.fleet.ssh_key": {"name": name, "private_key_file": path}}
    make = {"hybridops.fleet.node": wish}
    end = {"hybridops.fleet.node": {"name": name, "state": "absent"}}
    foretold = play(cloud, make_foretold={**make, "check_mode": True, "diff": True})["make_foretold"]
    assert not foretold.get("failed"), foretold["msg"]
    assert (foretold["changed"], foretold["diff"]["after"]) == (True, f"{name}: there (would be made)\n")
    assert traces(cloud, name) == []

    names.append((cloud, name))
    tag = {"hybridops.fleet.node_tags": {"id": "{{ made.node.id }}", "tags": {"role": None, "team": "shop"}}}
    steps = {
        "key": key, "key_again": key, "made": make, "again": make, "told": {"hybridops.fleet.node_info": {"names": [name]}},
        "stopped": {"hybridops.fleet.node_power": {"names": [name], "state": "stopped"}},
        "started": {"hybridops.fleet.node_power": {"names": [name], "state": "started"}},
        "tagged": tag, "tagged_again": tag, "after": {"hybridops.fleet.node": {**wish, "tags": {}}}, "end": end, "end_again": end,
        "key_end": {"hybridops.fleet.ssh_key": {"name": name, "private_key_file": path, "state": "absent"}}}
    told_before = ("key", "stopped", "started", "tagged", "end", "key_end")
    tasks: dict[str, dict[str, Any]] = {}
    for step, task in steps.items():
        tasks |= {f"{step}_foretold": {**task, "check_mode": True}} if step in told_before else {}
        tasks[step] = task
    done = play(cloud, "--diff", **tasks)
    assert [f"{step}: {row['msg']}" for step, row in done.items() if row.get("failed")] == []
    assert {step: done[f"{step}_foretold"]["changed"] for step in told_before} == {step: done[step]["changed"] for step in told_before}
    assert {step for step in steps if not done[step]["changed"]} == {"key_again", "again", "told", "tagged_again", "after", "end_again"}
    made = done["made"]["node"]
    assert address(made)
    assert made["state"] == "running"
    assert {key: made["tags"].get(key) for key in ("role", "fleet_node")} == {"role": "web", "fleet_node": name}
    assert (done["again"]["node"]["id"], address(done["again"]["node"])) == (made["id"], address(made))
    assert [row["id"] for row in done["told"]["nodes"]] == [made["id"]]
    assert f"  {name}: requested" in done["made"]["shown"]
    assert done["stopped"]["nodes"][0]["state"] == "stopped"
    assert done["started"]["nodes"][0]["state"] == "running"
    assert "role" not in done["tagged_again"]["tags"]
    assert done["tagged_again"]["tags"]["team"] == "shop"
    assert done["end_foretold"]["results"][0]["did"][0] == f"would remove {made['id']}"
    assert not Path(path).exists()
    assert traces(cloud, name) == []


def test_nodes_of_three_clouds_at_once_and_one_that_cannot_be(play: Play, names: list[tuple[str, str]]) -> None:
    stem = f"mod-{uuid.uuid4().hex[:8]}"
    clouds = ("provider", "amazon", "google")
    rows: list[dict[str, Any]] = [{"cloud": cloud, "name": f"{stem}-{number}"} for cloud in clouds for number in (1, 2)]
    names += [(row["cloud"], row["name"]) for row in rows]
    odd = {"cloud": "google", "name": f"{stem}-odd", "image": {"distro": "plan9"}}
    task = {"image": {"distro": "debian"}, "flavor": SMALL}
    done = play(made={"hybridops.fleet.node": {"nodes": [*rows, odd], **task}}, again={"hybridops.fleet.node": {"nodes": rows, **task}},
                end={"hybridops.fleet.node": {"nodes": rows, "state": "absent"}})
    assert done["made"]["failed"] is True
    assert done["made"]["msg"].startswith("1 of 7 nodes failed (6 are there): cloud 'google' (acme-prod): choose the image: nothing fits 'plan9'")
    assert [(row["cloud"], row["name"]) for row in done["made"]["nodes"]] == [(row["cloud"], row["name"]) for row in rows]
    assert len({address(row) for row in done["made"]["nodes"]}) == 6
    assert (done["again"]["changed"], done["again"].get("failed", False)) == (False, False)
    assert not done["end"].get("failed"), done["end"]["msg"]


def test_three_alike(play: Play, names: list[tuple[str, str]]) -> None:
    name = f"mod-{uuid.uuid4().hex[:8]}"
    names += [("floating", f"{name}-{number}") for number in (1, 2, 3)]
    made = play("floating", made={"hybridops.fleet.node": {"name": name, "count": 3, **WISHES["floating"]}})["made"]
    assert not made.get("failed"), made["msg"]
    assert [row["name"] for row in made["nodes"]] == [f"{name}-1", f"{name}-2", f"{name}-3"]
    assert len({address(row) for row in made["nodes"]}) == 3


def test_words_of_failures(play: Play) -> None:
    node, offer = "hybridops.fleet.node", "hybridops.fleet.catalog_info"
    done = play(
        nowhere={node: {"cloud": "nowhere", "name": "x"}},
        large={node: {"cloud": "floating", "name": "x", "image": {"distro": "debian"}, "flavor": {"vcpus": 9999999}}, "check_mode": True},
        nothing={node: {"cloud": "floating", "name": "x"}, "check_mode": True}, argument={node: {"cloud": "metal", "name": "x", "state": "dancing"}},
        scope={offer: {"cloud": "amazon", "scope": "mars"}}, offer={offer: {"cloud": "floating", "images": ["debian"]}})
    assert "there is no cloud 'nowhere'. There are: floating, provider, " in done["nowhere"]["msg"]
    assert "choose the flavor: nothing fits '9999999 vCPU'; nearest: " in done["large"]["msg"]
    assert "the requirement names none. Write for example image: {distro: debian" in done["nothing"]["msg"]
    assert "value of state must be one of" in done["argument"]["msg"]
    assert "the cloud has no scope 'mars', only us-east-1, eu-west-1" in done["scope"]["msg"]
    assert {row["name"]: row["role"] for row in done["offer"]["networks"]}["private-network"] in ("floating", "public")
    assert all(row["login_user"] for row in done["offer"]["images"])
