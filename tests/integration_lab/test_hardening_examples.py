# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every example in the documentation of the hardening's modules is run, as it stands there, on a host that really boots, twice.

Needs a running lab with hosts: ``python3 tests/run.py --only hardening`` (as root).
"""
from __future__ import annotations

import importlib
import json
import re
from typing import Any

import attacked
import pytest
import yaml
from attacked import CHECKOUT, Machine, Play, Rack, opens, shows

pytestmark = attacked.needs_lab
rack, machine, play = attacked.rack, attacked.machine, attacked.play  # fixtures
ORDER = ("harden_facts", "harden", "harden_report", "harden_apply")
"""Examples of later ones use what earlier ones have registered; what brings all back is the last of all."""


def examples(module: str) -> list[dict[str, Any]]:
    documented = importlib.import_module(f"ansible_collections.hybridops.fleet.plugins.modules.{module}")
    tasks: list[dict[str, Any]] = yaml.safe_load(documented.EXAMPLES)
    assert tasks, f"{module} has no example"
    return tasks


def test_every_module_of_the_hardening_has_its_examples_run() -> None:
    assert {path.stem for path in (CHECKOUT / "plugins" / "modules").glob("harden*.py")} == set(ORDER)


@pytest.mark.parametrize("mode", ["check", "run"])
def test_the_examples(mode: str, rack: Rack, machine: Machine, play: Play) -> None:
    (play.folder / "roles").symlink_to(CHECKOUT / "roles")  # so that relative paths mean what they say in the documentation
    tasks = [task for module in ORDER for task in examples(module)]
    end = [task for task in tasks if (task.get("hybridops.fleet.harden") or {}).get("state") == "absent"]
    tasks = [task for task in tasks if task not in end]
    written = "".join(f"    - {json.dumps(task)}\n" for task in [*tasks, *end])
    before = rack.root(machine, "cat /etc/login.defs /etc/pam.d/common-auth; ls /etc/security/limits.d /etc/sudoers.d").stdout
    play.run(machine, written, *(["--check", "--diff"] if mode == "check" else []))
    page = (play.folder / "hardening-report" / "index.html").read_text(encoding="utf-8")
    assert machine.name in page and "strict" in page
    assert rack.root(machine, "cat /etc/login.defs /etc/pam.d/common-auth; ls /etc/security/limits.d /etc/sudoers.d").stdout == before
    assert opens(rack, machine) and not shows(rack, machine, "test -e /var/lib/hybridops-fleet")
    if mode == "run":
        out = (play.folder / "out").read_text(encoding="utf-8")
        assert int(re.findall(r"changed=(\d+)", out)[0]) >= 3 and "failed=0" in out
