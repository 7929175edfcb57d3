# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fixtures of this folder: the lab's environment, the playbook on it, and what the clouds list."""
from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from lab_suite import NAME, Listing, Suite, lab, lab_variables
from listing import everything


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """The lab's variables for child processes; ansible commands come from the environment that runs the tests."""
    running = lab()
    if not running.children() or not all(child.alive for child in running.children()):
        pytest.exit("the conformance tests need a lab: python3 tests/lab up && python3 tests/lab seed", returncode=3)
    own = {name: os.environ[name] for name in ("ANSIBLE_COLLECTIONS_PATH",) if name in os.environ}
    return {**os.environ, **lab_variables(running), **own, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "ANSIBLE_NOCOLOR": "1", "COLUMNS": "200"}


@pytest.fixture(scope="session")
def suite(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    folder = tmp_path_factory.mktemp("conformance")
    yield Suite(environment, folder / "state", folder)


@pytest.fixture(scope="session")
def things(environment: dict[str, str]) -> Listing:
    """Everything on the lab's clouds that nodes could leave behind and that carries the suite's name, asked behind its back."""
    return lambda: {cloud: {thing for thing in found if NAME.search(thing)} for cloud, found in everything(environment).items()}
