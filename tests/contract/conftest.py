# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One suite for every provider: the clouds of the lab's fleet file, read through the same door as the inventory plugin.

Needs a running, seeded lab; ``python3 tests/run.py --only live`` brings one up.
"""
from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TREE = next((parent.parent for parent in ROOT.parents if parent.name == "ansible_collections"), None)
sys.path.insert(0, str(ROOT / "tests" / "lab"))

if TREE and not any(type(finder).__name__ == "_AnsibleCollectionFinder" for finder in sys.meta_path):
    from ansible.plugins.loader import init_plugin_loader

    init_plugin_loader([str(TREE)])

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.collect import Answer, Settings, collect  # noqa: E402
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import parse_clouds  # noqa: E402
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import STATES, Node  # noqa: E402
from fleetlab.cli import environment  # noqa: E402
from fleetlab.core import Lab  # noqa: E402

FLEET_FILE = ROOT / "inventories" / "lab" / "fleet.yml"
_LOOKUP = re.compile(r"\{\{ *lookup\('(?:ansible\.builtin\.)?env', *'(\w+)'\) *\}\}")


@pytest.fixture(scope="session", autouse=True)
def lab() -> Iterator[Lab]:
    """The running lab, with its variables in the environment."""
    running = Lab(Path(os.environ.get("FLEET_LAB_STATE", ROOT / ".lab")))
    missing = {"openstack", "ec2", "gce", "metal"} - set(running.state()["endpoints"])
    if missing or not all(child.alive for child in running.children()):
        pytest.exit("the contract tests need a lab: python3 tests/lab up && python3 tests/lab seed", returncode=3)
    before = dict(os.environ)
    os.environ.update(environment(running))
    yield running
    os.environ.clear()
    os.environ.update(before)


def described(name: str) -> dict[str, Any]:
    """The entry of that cloud in the lab's fleet file, its environment look-ups resolved."""
    text = _LOOKUP.sub(lambda found: os.environ[found[1]], FLEET_FILE.read_text(encoding="utf-8"))
    entry: dict[str, Any] = yaml.safe_load(text)["clouds"][name]
    return entry


CLOUDS = sorted(yaml.safe_load(FLEET_FILE.read_text(encoding="utf-8"))["clouds"])

Read = Callable[..., list[Answer]]


@pytest.fixture
def read() -> Read:
    """Reads one cloud of the lab: read(name, **keys that differ)."""

    def answers(
        name: str, *, timeout: float = 60, retries: int = 3, states: tuple[str, ...] = STATES, extra: tuple[str, ...] = (), **keys: Any
    ) -> list[Answer]:
        cloud = parse_clouds({name: {**described(name), **keys}}, "fleet.yml")
        return collect(cloud, Settings(
            timeout=timeout, retries=retries, workers=8, states=states, extra=extra, base_dir=str(FLEET_FILE.parent), environ=os.environ))

    return answers


def nodes(answers: list[Answer]) -> list[Node]:
    """All nodes; a failure is raised."""
    for answer in answers:
        if answer.failure:
            raise answer.failure.error
    return [node for answer in answers for node in answer.nodes]
