# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every example that is shipped is a fleet file that the plugin accepts."""
from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.hybridops.fleet.plugins.inventory import nodes
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import SETTINGS, check_settings, parse_clouds
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.metal import rack_file

INVENTORIES = Path(__file__).resolve().parents[3] / "inventories"
FILES = sorted(path for path in INVENTORIES.rglob("*.yml") if path.parent.name not in ("racks", "requirements"))
FROM_ANSIBLE = {"plugin", "clouds", "compose", "groups", "keyed_groups", "strict", "use_extra_vars", "leading_separator", "cache",
                "cache_plugin", "cache_connection", "cache_timeout", "cache_prefix"}


def _loaded(path: Path) -> Any:
    """The file with an address for each template, as the plugin would evaluate it before it checks anything."""
    return yaml.safe_load(re.sub(r"\{\{.*?\}\}", "http://127.0.0.1:8000", path.read_text(encoding="utf-8")))


def _examples() -> list[Any]:
    shipped = [pytest.param(_loaded(path), id=str(path.relative_to(INVENTORIES))) for path in FILES]
    return [*shipped, pytest.param(yaml.safe_load(nodes.EXAMPLES), id="EXAMPLES")]


@pytest.mark.parametrize("document", _examples())
def test_an_example_is_accepted(document: dict[str, Any]) -> None:
    assert document["plugin"] == "hybridops.fleet.nodes"
    assert set(document) <= FROM_ANSIBLE | {option.name for option in SETTINGS}
    check_settings(document, "example")
    assert parse_clouds(document["clouds"], "example")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_an_example_is_recognised_by_its_name(path: Path) -> None:
    assert nodes.InventoryModule().verify_file(str(path))


def test_every_provider_and_the_whole_fleet_have_an_example() -> None:
    assert {path.relative_to(INVENTORIES).as_posix() for path in FILES} >= {
        "openstack.nodes.yml", "aws.nodes.yml", "gce.nodes.yml", "metal.nodes.yml", "fleet.yml", "lab/fleet.yml"}


@pytest.mark.parametrize("path", sorted((INVENTORIES / "racks").glob("*.yml")), ids=lambda path: path.name)
def test_a_rack_file_is_accepted(path: Path) -> None:
    assert rack_file.nodes(yaml.safe_load(path.read_text(encoding="utf-8")), path.name, path.stem)
