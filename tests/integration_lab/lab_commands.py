# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What tests that type commands share: the checkout, and the environment of the running lab."""
from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lab"))

from fleetlab.cli import environment as lab_variables  # noqa: E402
from fleetlab.core import Lab  # noqa: E402


def running_lab() -> Lab:
    """The lab that runs; ends the session when there is none."""
    lab = Lab(Path(os.environ.get("FLEET_LAB_STATE", ROOT / ".lab")))
    if not lab.children() or not all(child.alive for child in lab.children()):
        pytest.exit("these tests need a lab: python3 tests/lab up && python3 tests/lab seed", returncode=3)
    return lab


def lab_environment() -> dict[str, str]:
    """The lab's variables for child processes; ansible commands come from the environment that runs the tests."""
    return {**os.environ, **lab_variables(running_lab()), "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "ANSIBLE_NOCOLOR": "1", "COLUMNS": "200"}
