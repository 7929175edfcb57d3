# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""No example is left out: those of filters are run here, those of modules on the lab, and what documents show in YAML is accepted.

The modules' examples that need a cloud are run by tests/integration_lab/test_module_examples.py, those of role access by test_access.py.
"""
from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.hybridops.fleet.plugins.action import access_key_out, access_login, access_prove, access_switch, conformance
from ansible_collections.hybridops.fleet.plugins.filter.requirements import requirements
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet import requirement
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import check_settings, parse_clouds
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access.action import COMMON
from ansible_collections.hybridops.fleet.plugins.plugin_utils._conformance import wishes
from ansible_collections.hybridops.fleet.tests.unit.playing import play

COLLECTION = Path(__file__).resolve().parents[3]
DOCUMENTS = sorted([COLLECTION / "README.md", *COLLECTION.glob("docs/*.md"), *COLLECTION.glob("roles/*/README.md")])
FILTERS = sorted(path.stem for path in (COLLECTION / "plugins" / "filter").glob("*.py"))
ACTIONS = {"access_key_out": access_key_out, "access_login": access_login, "access_prove": access_prove, "access_switch": access_switch}
NAMED_BY_PLAYBOOKS = {"fleet_file"}
MODULES = "ansible_collections.hybridops.fleet.plugins.modules"
CLUSTERS = sorted(path.stem for path in (COLLECTION / "plugins" / "modules").glob("*.py") if re.match(
    "cluster_|container_engine|engine_|swarm_|kube|mesh_|port_probe|node_files", path.stem))


def blocks() -> list[Any]:
    found = []
    for path in DOCUMENTS:
        for number, text in enumerate(re.findall(r"^ *```ya?ml\n(.*?)^ *```", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE), 1):
            found.append(pytest.param(yaml.safe_load(text), id=f"{path.relative_to(COLLECTION)} {number}"))
    return found


def examples(kind: str, name: str) -> list[dict[str, Any]]:
    text = importlib.import_module(f"ansible_collections.hybridops.fleet.plugins.{kind}.{name}").EXAMPLES
    tasks: list[dict[str, Any]] = yaml.safe_load(text)
    return tasks


# ------------------------------------------------------------------------------------------------- documents
def options_of(role: str) -> dict[str, Any]:
    """What a role takes; its variables may also be set for a play or in a file."""
    specs = yaml.safe_load((COLLECTION / "roles" / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    options: dict[str, Any] = specs["main"].get("options", {})
    return options


ROLES = {path.parent.parent.name: options_of(path.parent.parent.name) for path in COLLECTION.glob("roles/*/meta/argument_specs.yml")}


def accept_play(one: Mapping[str, Any]) -> None:
    """Roles that there are, with what each takes and needs."""
    assert one["hosts"]
    for row in one["roles"]:
        role = row["role"].removeprefix("hybridops.fleet.")
        given = {**one.get("vars", {}), **row.get("vars", {})}
        accept_variables(given)
        own = {name: value for name, value in given.items() if name in ROLES[role]}
        checked = ArgumentSpecValidator({name: spec_of(option) for name, option in ROLES[role].items()}).validate(own)
        assert not checked.error_messages


def spec_of(option: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in option.items() if key in ("type", "elements", "choices", "default", "required")}


def accept_variables(given: Mapping[str, Any]) -> None:
    playbook = (COLLECTION / "playbooks" / "conformance.yml").read_text(encoding="utf-8")
    known = {name for options in ROLES.values() for name in options} | set(re.findall(r"\bconformance_\w+", playbook)) | NAMED_BY_PLAYBOOKS
    assert set(given) <= known
    for row in requirements(given.get("fleet_nodes", []), given.get("allocate_defaults")):
        requirement.parse({key: value for key, value in row.items() if key != "cloud"}, "example")
    wishes.checked(given.get("conformance_requirement", {}), "example")
    for row in given.get("conformance_requirements", {}).values():
        wishes.checked(row, "example")


def test_documents_have_examples() -> None:
    assert len(blocks()) >= 5


@pytest.mark.parametrize("block", blocks())
def test_what_a_document_shows_is_accepted(block: Any) -> None:
    """A fleet file, plays with roles, or variables; another kind of block needs a test of its own."""
    if isinstance(block, list):
        for one in block:
            accept_play(one)
    elif "plugin" in block:
        check_settings(block, "example")
        assert parse_clouds(block["clouds"], "example")
    else:
        accept_variables(block)


# --------------------------------------------------------------------------------------------------- actions
@pytest.mark.parametrize("name", [*ACTIONS, "conformance"])
def test_an_action_takes_its_examples(name: str) -> None:
    spec = conformance.ARGUMENTS if name == "conformance" else {**COMMON, **ACTIONS[name].ActionModule.options}
    for task in examples("modules", name):
        assert not ArgumentSpecValidator(spec).validate(task[f"hybridops.fleet.{name}"]).error_messages


@pytest.mark.parametrize("name", CLUSTERS)
def test_a_module_of_clusters_takes_its_examples(name: str) -> None:
    """The modules work in the suites mesh, swarm and kubernetes; what their examples give is what they take."""
    options = yaml.safe_load(importlib.import_module(f"{MODULES}.{name}").DOCUMENTATION).get("options", {})
    spec = {option: spec_of(told) for option, told in options.items()}
    tasks = examples("modules", name)
    assert tasks
    for task in tasks:
        if f"hybridops.fleet.{name}" in task:
            given = {key: value for key, value in (task[f"hybridops.fleet.{name}"] or {}).items() if "{{" not in str(value)}
            lent = {key: {**told, "required": False} for key, told in spec.items()}
            assert not ArgumentSpecValidator(lent).validate(given).error_messages
            assert {key for key, told in spec.items() if told.get("required")} <= set(task[f"hybridops.fleet.{name}"] or {})


# --------------------------------------------------------------------------------------------------- filters
def test_the_examples_of_filters_are_run(tmp_path: Path) -> None:
    (tmp_path / "www").mkdir()
    rack = {"nodes": [{"name": f"blade-{number}", "interfaces": [{"addresses": [f"198.51.100.{number}"]}]} for number in (1, 2)]}
    (tmp_path / "rack.yml").write_text(yaml.safe_dump(rack), encoding="utf-8")
    clouds = {"rack": {"provider": "metal", "sources": [{"kind": "file", "path": "rack.yml"}]}}
    (tmp_path / "fleet.yml").write_text(yaml.safe_dump({"plugin": "hybridops.fleet.nodes", "clouds": clouds}), encoding="utf-8")
    tasks = {name: yaml.safe_load(yaml.safe_dump(examples("filter", name)).replace("/srv/", f"{tmp_path}/")) for name in FILTERS}
    assert all(tasks.values())
    tried = {"hosts": "all", "vars": {"port_result": {}, "ping_result": {"ping": "pong"}}, "tasks": tasks.pop("ping_answer")}
    answers = "{{ hostvars[inventory_hostname] | hybridops.fleet.ping_answer({}, {'ping': 'pong'}) }}"
    told = {"hosts": "all", "tasks": [{"ansible.builtin.set_fact": {"ping_result": answers}}, *(task for rows in tasks.values() for task in rows)]}
    shown = play(tmp_path, [tried, told], "-i", "fleet.yml")
    assert "blade-1" in (tmp_path / "www" / "fleet.html").read_text(encoding="utf-8")
    assert "198.51.100.2" in (tmp_path / "fleet.json").read_text(encoding="utf-8")
    assert "/tmp/keys" in shown
