# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every example in the modules' documentation is run, as it stands there, on the seeded lab."""
from __future__ import annotations

import importlib
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from lab_commands import ROOT, lab_environment

ORDER = ("catalog_info", "ssh_key", "node_info", "node", "add_node", "node_tags", "node_rules", "node_power")
"""Examples of later ones use the node that earlier ones make; the end of it is the last task of all."""


def examples(module: str) -> list[dict[str, Any]]:
    documented = importlib.import_module(f"ansible_collections.hybridops.fleet.plugins.modules.{module}")
    tasks = yaml.safe_load(documented.EXAMPLES)
    assert tasks, f"{module} has no example"
    return list(tasks)


def test_every_module_has_its_examples_run() -> None:
    modules = {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")}
    on_booted_hosts = {name for name in modules if name.startswith(("access_", "harden"))}  # test_access.py, test_hardening_examples.py
    for_minutes = {"conformance"}  # tests/conformance runs it; its examples are checked by tests/unit/docs/test_examples_are_run.py
    # test_swarm_life.py runs them, but those of Kubernetes, which tests/unit/docs/test_examples_are_run.py checks
    of_clusters = {name for name in modules if re.match("cluster_|container_engine|engine_|swarm_|kube|mesh_|port_probe|node_files", name)}
    assert modules - on_booted_hosts - for_minutes - of_clusters == set(ORDER)


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    return lab_environment()


def test_the_examples(environment: dict[str, str], tmp_path: Path) -> None:
    tasks = [task for module in ORDER for task in examples(module)]
    end = [task for task in tasks if (task.get("hybridops.fleet.node") or {}).get("state") == "absent"]
    tasks = [task for task in tasks if task not in end]
    vanish = {"hybridops.fleet.node": {"definition": {"provider": "aws", "profile": "lab", "regions": ["us-east-1"]},
                                       "name": "worker", "count": 3, "state": "absent"}, "name": "No example: the end of the three"}
    find = {"name": "No example: the node's variables", "hybridops.fleet.node_info": {
        "fleet": "inventories/lab/fleet.yml", "cloud": "floating", "names": ["shop-1"]}, "register": "shop"}
    known = {"fleet_cloud": "floating", "fleet_id": "{{ shop.nodes[0].id }}"}
    where = next(number for number, task in enumerate(tasks) if "hybridops.fleet.node_tags" in task)
    play = [{
        "hosts": "localhost", "gather_facts": False, "connection": "local", "vars": known,
        "tasks": [{"block": [*tasks[:where], find, *tasks[where:]], "always": [*end, vanish]}],
    }]
    # beside the playbooks, so that relative paths mean what they say in the documentation
    book = ROOT / f".examples-{tmp_path.name}.yml"
    book.write_text(json.dumps(play), encoding="utf-8")
    try:
        done = subprocess.run(["ansible-playbook", str(book)], cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL)
    finally:
        book.unlink()
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "Traceback" not in done.stdout + done.stderr
