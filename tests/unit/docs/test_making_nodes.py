# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The requirements and the commands in docs/making_nodes.md mean something, and so do those for the lab."""
from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.hybridops.fleet.plugins.filter.requirements import requirements
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet import requirement

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs" / "making_nodes.md").read_text(encoding="utf-8")
REQUIREMENTS = ROOT / "inventories" / "lab" / "requirements"
LAB = yaml.safe_load((REQUIREMENTS / "two_on_each.yml").read_text(encoding="utf-8"))
TOUR = yaml.safe_load((REQUIREMENTS / "tour.yml").read_text(encoding="utf-8"))


def _documents() -> list[Any]:
    blocks = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    return [*(yaml.safe_load(block) for block in blocks), LAB, TOUR]


@pytest.mark.parametrize("document", _documents())
def test_requirements_are_accepted(document: dict[str, Any]) -> None:
    rows = requirements(document["fleet_nodes"], document["allocate_defaults"])
    assert len(rows) >= 4
    for row in rows:
        wanted = requirement.parse({key: value for key, value in row.items() if key != "cloud"}, "docs")
        assert wanted.name == row["name"]
        assert wanted.ssh_key == row["name"]


def test_the_commands_name_playbooks_that_exist() -> None:
    named = re.findall(r"ansible-playbook .*?hybridops\.fleet\.(\w+)", TEXT)
    assert len(named) >= 2
    for name in named:
        assert (ROOT / "playbooks" / f"{name}.yml").exists()


def test_the_lab_s_requirements_are_two_for_each_of_its_clouds() -> None:
    fleet = yaml.safe_load(re.sub(r"\{\{.*?\}\}", "x", (ROOT / "inventories" / "lab" / "fleet.yml").read_text(encoding="utf-8")))
    clouds = [row["cloud"] for row in LAB["fleet_nodes"]]
    assert {cloud: clouds.count(cloud) for cloud in fleet["clouds"]} == dict.fromkeys(fleet["clouds"], 2)
