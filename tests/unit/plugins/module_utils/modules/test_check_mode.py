# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check mode of every module on every provider: the cloud is read and nothing else, and one node is looked for without listing all."""
from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.actions import MARK
from ansible_collections.hybridops.fleet.plugins.modules import catalog_info, node, node_info, node_power, node_tags, ssh_key
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.modules.module_stub import runner
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.modules.stands import STANDS, Stand

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAabQkGZ9m1Zf0T1rcpB3bq1dVDJ1oPmJrYl0sWm1zPk someone"
SMALL = {"image": {"distro": "debian"}, "flavor": {"vcpus": 1}, "network": {"reachable": "any"}}
MODULES = {"node": node, "node_power": node_power, "node_tags": node_tags, "ssh_key": ssh_key, "node_info": node_info, "catalog_info": catalog_info}


@pytest.fixture(params=STANDS)
def stand(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    folder = tmp_path / "cloud"
    folder.mkdir()
    with STANDS[request.param](folder, monkeypatch) as made:
        yield made


@pytest.fixture
def run(stand: Stand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Runs a module on the stand."""
    def go(module: str, /, **arguments: Any) -> dict[str, Any]:
        ring = {"key_dir": str(tmp_path / "ring")} if module in ("node", "ssh_key") else {}
        always = {"definitions": json.dumps({"c": stand.definition}), "cloud": "c", "timeout": 20, "retries": 0}
        return runner(monkeypatch, MODULES[module], **always, **ring)(**arguments)

    return go


# ------------------------------------------------------------------------------------------------------- tests
CASES: dict[str, tuple[str, dict[str, Any], bool]] = {
    "make": ("node", {"name": "web-2", **SMALL}, True),
    "make three": ("node", {"name": "app", "count": 2, **SMALL}, True),
    "there already": ("node", {"name": "web-1", **SMALL}, False),
    "there, other tags": ("node", {"name": "web-1", "tags": {"team": "shop"}, **SMALL}, True),
    "started": ("node", {"name": "web-1", "state": "started", **SMALL}, False),
    "stopped": ("node", {"name": "web-1", "state": "stopped"}, True),
    "rebooted": ("node", {"name": "web-1", "state": "rebooted"}, True),
    "absent": ("node", {"name": "web-1", "state": "absent"}, True),
    "absent by id": ("node", {"id": "NODE", "state": "absent"}, True),
    "absent already": ("node", {"name": "web-9", "state": "absent"}, False),
    "power by name": ("node_power", {"names": ["web-1"], "state": "stopped"}, True),
    "power by id": ("node_power", {"ids": ["NODE"], "state": "rebooted"}, True),
    "power as it is": ("node_power", {"names": ["web-1"], "state": "started"}, False),
    "tags": ("node_tags", {"id": "NODE", "tags": {"team": "shop"}}, True),
    "tags as they are": ("node_tags", {"id": "NODE", "tags": {MARK: "web-1", "gone": None}}, False),
    "key": ("ssh_key", {"name": "k", "public_key": KEY}, True),
    "key to be made": ("ssh_key", {"name": "k", "private_key_file": "FOLDER/k"}, True),
    "key out": ("ssh_key", {"name": "k", "public_key": KEY, "node": "NODE", "state": "absent"}, False),
    "info by name": ("node_info", {"names": ["web-1"], "host_keys": True}, False),
    "info by id": ("node_info", {"ids": ["NODE"]}, False),
    "offers": ("catalog_info", {}, False),
}


@pytest.mark.parametrize("case", CASES)
def test_check_mode_only_reads_and_foretells(case: str, stand: Stand, run: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    module, arguments, changed = CASES[case]
    told = json.loads(json.dumps(arguments).replace("NODE", stand.node).replace("FOLDER", str(tmp_path)))
    before = sorted(path.name for path in tmp_path.iterdir())
    result = run(module, check=True, **told)
    assert not result.get("failed"), result["msg"]
    assert stand.changes() == []
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert result["changed"] is changed, result
    assert stand.listings() == []
    # Google tells of a Shared VPC only with a token of the wider scope
    wider = stand.definition["provider"] == "gce" and module in ("node", "catalog_info")
    assert stand.logins() <= (2 if module == "node" else 1) + wider


def test_the_stand_notes_what_is_changed(stand: Stand, run: Callable[..., dict[str, Any]]) -> None:
    metal = stand.definition["provider"] == "metal"
    run("node_tags", id=stand.node, tags={"team": "shop"})
    run("node_power", ids=[stand.node], state="stopped", wait=False)
    run("node_info")
    assert stand.changes() != []
    assert metal or stand.listings() != []  # a file is read as a whole
