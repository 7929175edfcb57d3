# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check mode says what the run then does: whether something changes, for which node, in which words, and whether it fails."""
from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.outcomes import Making
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.actions import MARK
from ansible_collections.hybridops.fleet.plugins.module_utils._modules import node as node_work
from ansible_collections.hybridops.fleet.plugins.module_utils._modules import power as power_work
from ansible_collections.hybridops.fleet.plugins.modules import node, node_power, node_tags, ssh_key
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.fake_cloud import TENANT, World
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.modules.module_stub import runner

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAabQkGZ9m1Zf0T1rcpB3bq1dVDJ1oPmJrYl0sWm1zPk someone"
SMALL = {"image": {"distro": "debian"}, "flavor": {"vcpus": 1}}
MODULES = {"node": node, "node_power": node_power, "node_tags": node_tags, "ssh_key": ssh_key}
Prepare = Callable[[World], Any]


def nothing(world: World) -> None:
    """An empty cloud."""


def one(**more: Any) -> Prepare:
    return lambda world: world.add("web", **more)


def stored(world: World) -> None:
    world.keys["one", "k"] = "ssh-rsa AAAAB3other x"


def in_metadata(world: World) -> None:
    world.key_store = False
    world.add("web", keys=[KEY])


def without_address(world: World) -> None:
    world.catalogs["one"] = dataclasses.replace(world.catalogs["one"], networks=(TENANT,))
    world.add("web", on=TENANT)


def leftovers(world: World) -> None:
    world.groups.add(("two", "web"))


CASES: dict[str, tuple[Prepare, str, dict[str, Any]]] = {
    "a new node": (nothing, "node", {"name": "web", **SMALL}),
    "a new node started": (nothing, "node", {"name": "web", "state": "started", **SMALL}),
    "nothing fits": (nothing, "node", {"name": "web", "image": {"distro": "plan9"}, "flavor": {"vcpus": 1}}),
    "there": (one(), "node", {"name": "web", **SMALL}),
    "there, with other tags": (one(), "node", {"name": "web", "tags": {"role": "x"}, **SMALL}),
    "in state error": (one(fault="no host"), "node", {"name": "web", **SMALL}),
    "in state error, not ours": (one(fault="no host", ours=False), "node", {"name": "web", **SMALL}),
    "without its public address": (without_address, "node", {"name": "web", **SMALL}),
    "stopped": (one(power="stopped"), "node", {"name": "web", **SMALL}),
    "stopped, to be started": (one(power="stopped"), "node", {"name": "web", "state": "started", **SMALL}),
    "stopped, to be stopped": (one(power="stopped"), "node", {"name": "web", "state": "stopped"}),
    "nobody, to be stopped": (nothing, "node", {"name": "web", "state": "stopped"}),
    "rebooted": (one(), "node", {"name": "web", "state": "rebooted"}),
    "absent": (one(), "node", {"name": "web", "state": "absent"}),
    "absent, not ours": (one(ours=False), "node", {"name": "web", "state": "absent"}),
    "absent by id": (one(ours=False), "node", {"id": "i-1", "state": "absent"}),
    "absent already": (nothing, "node", {"name": "web", "state": "absent"}),
    "absent, but for what was left": (leftovers, "node", {"name": "web", "state": "absent"}),
    "power off": (one(), "node_power", {"names": ["web"], "state": "stopped"}),
    "power as it is": (one(), "node_power", {"names": ["web"], "state": "started"}),
    "on its way up": (one(runs_at=5.0), "node_power", {"names": ["web"], "state": "started"}),
    "power of nobody": (nothing, "node_power", {"names": ["web"], "state": "started"}),
    "tags": (one(), "node_tags", {"id": "i-1", "tags": {"role": "web", MARK: "web"}}),
    "tags as they are": (one(), "node_tags", {"id": "i-1", "tags": {MARK: "web", "no": None}}),
    "tags in a scope": (one(), "node_tags", {"id": "i-1", "scope": "one", "tags": {"role": "web", MARK: "web"}}),
    "a key": (nothing, "ssh_key", {"name": "k", "public_key": KEY}),
    "a key to be made": (nothing, "ssh_key", {"name": "k", "private_key_file": "FOLDER/k"}),
    "a key whose name is taken": (stored, "ssh_key", {"name": "k", "public_key": KEY}),
    "a key to be made whose name is taken": (stored, "ssh_key", {"name": "k", "private_key_file": "FOLDER/k"}),
    "a key to be made instead of another": (stored, "ssh_key", {"name": "k", "private_key_file": "FOLDER/k", "force": True}),
    "a key of a node": (in_metadata, "ssh_key", {"name": "k", "private_key_file": "FOLDER/k", "node": "web"}),
    "a key of nobody": (in_metadata, "ssh_key", {"name": "k", "private_key_file": "FOLDER/k", "node": "x"}),
    "a key of a node out": (in_metadata, "ssh_key", {"name": "k", "public_key": KEY, "node": "web", "state": "absent"}),
    "a key out": (stored, "ssh_key", {"name": "k", "state": "absent"}),
    "no key to take out": (nothing, "ssh_key", {"name": "k", "state": "absent"}),
}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(scopes=("one", "two")).register(monkeypatch)
    for work in (node_work, power_work):
        monkeypatch.setattr(work, "Making", lambda **more: Making(**{**more, "clock": world.clock, "sleep": world.sleep}))
    return world


@pytest.mark.parametrize("case", CASES)
def test_check_mode_foretells_the_run(case: str, world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    prepare, module, arguments = CASES[case]
    prepare(world)
    ring = {"key_dir": str(tmp_path / "ring")} if module in ("node", "ssh_key") else {}
    run = runner(monkeypatch, MODULES[module], definitions=json.dumps({"fake": {"provider": "openstack"}}), cloud="fake", **ring)
    told = json.loads(json.dumps(arguments).replace("FOLDER", str(tmp_path)))
    foretold = run(check=True, **told)
    assert (world.did(), list(tmp_path.iterdir())) == ([], [])
    done = run(**told)
    for result in (foretold, done):
        result.setdefault("failed", False)
    same = [key for key in ("failed", "msg", "did", "tags") if module == "ssh_key" or key != "did"]
    assert {key: foretold.get(key) for key in same} == {key: done.get(key) for key in same}
    if not done["failed"]:
        assert foretold["changed"] is done["changed"] is bool(world.did() or done.get("did"))
    each = [[(row["name"], row["changed"]) for row in result.get("results", ())] for result in (foretold, done)]
    assert each[0] == each[1]
