# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The generated table of host variables is up to date and tells everything that the plugin makes."""
from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet import assemble
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import Bastion
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.records import as_dict
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import (
    AddressEvidence,
    Image,
    InterfaceEvidence,
    LoginEvidence,
    NodeEvidence,
)
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.variables import group_names, host_variables

COLLECTION = Path(__file__).resolve().parents[3]

RECORD = as_dict(assemble.node(
    NodeEvidence(
        id="1", name="n", state="running", region="here", zone="a", arch="x86_64", image=Image(distro="debian"), tags={"env": "prod"},
        login=LoginEvidence(metadata={"login_user": "ops"}),
        interfaces=(InterfaceEvidence("net", addresses=(AddressEvidence("203.0.113.9"),)),)),
    provider="metal", cloud="rack"))


def _make_docs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_docs", COLLECTION / "tests" / "tools" / "make_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_document_is_what_the_code_says() -> None:
    docs = _make_docs()
    written = (COLLECTION / "docs" / "host_variables.md").read_text(encoding="utf-8")
    assert written == docs.render(docs.load_shape()), "run: python3 tests/tools/make_docs.py"


def test_every_variable_of_a_host_is_told() -> None:
    made = host_variables(RECORD, connect_to=["public_ipv4"], bastion=Bastion("bastion.example.com", None, 22))
    document = (COLLECTION / "docs" / "host_variables.md").read_text(encoding="utf-8")
    assert {name for name in made if f"| `{name}` |" not in document} == set()
    assert {name for name in made if not name.startswith("fleet_")} == set(_make_docs().CONNECTION)


def test_every_kind_of_group_is_told() -> None:
    kinds = set(_make_docs().GROUPS)
    made = group_names(RECORD, ["env"])
    assert {kind for kind in kinds if not any(name == kind or name.startswith(f"{kind}_") for name in made)} == set()
    assert {name for name in made if not any(name == kind or name.startswith(f"{kind}_") for kind in kinds)} == set()
