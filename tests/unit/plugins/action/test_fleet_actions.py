# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's part of the modules: the fleet file read and templated here, its secrets hidden, progress shown."""
from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.utils.display import Display
from ansible_collections.hybridops.fleet.plugins.action.catalog_info import ActionModule as CatalogInfo
from ansible_collections.hybridops.fleet.plugins.action.node import ActionModule as NodeAction
from ansible_collections.hybridops.fleet.plugins.action.node_info import ActionModule as NodeInfo
from ansible_collections.hybridops.fleet.plugins.action.node_power import ActionModule as NodePower
from ansible_collections.hybridops.fleet.plugins.action.node_tags import ActionModule as NodeTags
from ansible_collections.hybridops.fleet.plugins.action.ssh_key import ActionModule as SshKey
from ansible_collections.hybridops.fleet.plugins.plugin_utils._action import fleet_module

FLEET = """
plugin: hybridops.fleet.nodes
clouds:
  dream:
    provider: openstack
    cloud: "{{ dream_cloud }}"
    auth: {password: "{{ dream_password }}"}
  broken: {provider: openstack, cloud: "{{ not_defined_anywhere }}"}
  amazon: {provider: aws, regions: [us-east-1]}
"""
VARIABLES = {"dream_cloud": "os-dream", "dream_password": "hunter2-very-secret"}

Act = Callable[..., tuple[dict[str, Any], dict[str, Any]]]


@pytest.fixture
def act(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Act:
    """Runs an action with these arguments; gives what the module was called with, and the result."""
    (tmp_path / "fleet.yml").write_text(FLEET, encoding="utf-8")
    monkeypatch.delenv(fleet_module.FLEET_VARIABLE, raising=False)

    def run(kind: Any = NodeInfo, transport: str = "local", answer: Any = None, **arguments: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        loader = DataLoader()
        loader.set_basedir(str(tmp_path))
        task = SimpleNamespace(args=arguments, async_val=0, check_mode=False, diff=False, no_log=False, environment=None, delegate_to=None)
        plugin = kind(task, SimpleNamespace(transport=transport, _shell=SimpleNamespace(tmpdir=None), has_pipelining=False),
                      SimpleNamespace(check_mode=False), loader, Templar(loader=loader, variables=VARIABLES), None)
        called: dict[str, Any] = {}

        def execute(module_args: dict[str, Any], task_vars: Any = None, **_more: Any) -> dict[str, Any]:
            called.update(module_args)
            if callable(answer):
                answer(module_args)
            return {"changed": False, "invocation": {"module_args": dict(module_args)}}

        monkeypatch.setattr(plugin, "_execute_module", execute)
        return called, plugin.run(task_vars=dict(VARIABLES))

    return run


def definitions(called: dict[str, Any]) -> Any:
    assert isinstance(called["definitions"], str)  # one text: that is how it is hidden as a whole
    return json.loads(called["definitions"])


@pytest.mark.parametrize("delegate", [None, "localhost"])
@pytest.mark.parametrize(("transport", "named", "used"), [
    ("local", None, sys.executable), ("local", "auto_silent", sys.executable), ("local", "/opt/sdks/bin/python", "/opt/sdks/bin/python"),
    ("ssh", None, None)])
def test_on_this_machine_a_module_runs_with_ansible_s_own_python(transport: str, named: str | None, used: str | None, delegate: str | None) -> None:
    plugin = NodeInfo(SimpleNamespace(delegate_to=delegate), SimpleNamespace(transport=transport), None, None, None, None)
    own = {"ansible_python_interpreter": named} if named else {}
    variables = {"ansible_delegated_vars": {"localhost": own}, "ansible_python_interpreter": "/usr/bin/of-the-node"} if delegate else own
    told = plugin._with_own_python(variables)
    assert (told["ansible_delegated_vars"]["localhost"] if delegate else told).get("ansible_python_interpreter") == used
    if delegate:
        assert told["ansible_python_interpreter"] == "/usr/bin/of-the-node"


def test_the_cloud_s_entry_goes_along_with_its_templates_evaluated(act: Act, tmp_path: Path) -> None:
    called, _result = act(fleet="fleet.yml", cloud="dream", names=["a"])
    assert definitions(called) == {"dream": {"provider": "openstack", "cloud": "os-dream", "auth": {"password": "hunter2-very-secret"}}}
    assert (called["fleet"], called["base_dir"], called["names"]) == (str(tmp_path / "fleet.yml"), str(tmp_path), ["a"])


@pytest.mark.parametrize("kind", [CatalogInfo, NodeAction, NodeInfo, NodePower, NodeTags, SshKey])
def test_no_secret_is_in_the_result_of_any(act: Act, kind: Any) -> None:
    _called, result = act(kind, fleet="fleet.yml", cloud="dream")
    assert "hunter2" not in json.dumps(result)
    _called, result = act(kind, definition={"provider": "openstack", "auth": {"password": "hunter2"}})
    assert "hunter2" not in json.dumps(result)


def test_the_clouds_of_all_rows_and_of_no_other(act: Act) -> None:
    called, _result = act(NodeAction, fleet="fleet.yml", cloud="amazon", nodes=[{"name": "a"}, {"name": "b", "cloud": "dream"}])
    assert set(definitions(called)) == {"amazon", "dream"}
    called, _result = act(SshKey, fleet="fleet.yml", keys=[{"name": "a", "cloud": "amazon"}])
    assert set(definitions(called)) == {"amazon"}


def test_user_data_goes_as_one_hidden_text(act: Act) -> None:
    rows = [{"name": "a", "user_data": "of a"}, {"name": "b", "user_data": None}, {"name": "c"}, "odd"]
    called, result = act(NodeAction, cloud="amazon", fleet="fleet.yml", user_data="of all", nodes=rows)
    assert json.loads(called["hidden_user_data"]) == {"all": "of all", "0": "of a"}
    assert (called["nodes"], "user_data" in called) == ([{"name": "a"}, {"name": "b", "user_data": None}, {"name": "c"}, "odd"], False)
    assert rows[0] == {"name": "a", "user_data": "of a"}  # the task's own is not touched
    assert not any(text in json.dumps(result) for text in ("of a", "hidden_user_data"))
    called, _result = act(NodeAction, cloud="amazon", fleet="fleet.yml", name="a")
    assert "hidden_user_data" not in called


def test_a_definition_in_the_task(act: Act) -> None:
    entry = {"provider": "aws", "regions": ["us-east-1"]}
    called, _result = act(definition=entry)
    assert (definitions(called), "definition" in called) == ({"inline": entry}, False)
    called, _result = act(definition=entry, cloud="mine", fleet="fleet.yml")
    assert definitions(called) == {"mine": entry}
    called, _result = act(definitions={"x": entry}, cloud="x")
    assert definitions(called) == {"x": entry}
    called, _result = act(definitions=json.dumps({"x": entry}), cloud="dream", fleet="fleet.yml")
    assert set(definitions(called)) == {"x", "dream"}


def test_the_environment_names_the_file(act: Act, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(fleet_module.FLEET_VARIABLE, str(tmp_path / "fleet.yml"))
    called, _result = act(cloud="amazon")
    assert set(definitions(called)) == {"amazon"}


def test_without_anything_the_module_says_what_is_missing(act: Act) -> None:
    called, _result = act(names=["a"])
    assert called == {"names": ["a"]}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"fleet": "nowhere.yml", "cloud": "dream"}, "there is no nowhere.yml, neither beside the playbook nor in"),
        ({"fleet": "fleet.yml", "cloud": "dram"}, "there is no cloud 'dram'. There are: dream, broken, amazon."),
        ({"fleet": "fleet.yml", "cloud": "broken"}, "fleet.yml: clouds.broken.cloud: the template cannot be evaluated"),
        ({"cloud": "x", "definitions": "no json"}, "'definitions' is not a mapping"),
    ])
def test_failures_are_one_sentence(act: Act, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(AnsibleActionFail) as caught:
        act(**arguments)
    assert said in str(caught.value)


def test_a_file_that_is_not_yaml(act: Act, tmp_path: Path) -> None:
    (tmp_path / "odd.yml").write_text("a: [", encoding="utf-8")
    with pytest.raises(AnsibleActionFail, match=r"odd\.yml: cannot be read as YAML"):
        act(fleet="odd.yml", cloud="dream")
    (tmp_path / "list.yml").write_text("[a]", encoding="utf-8")
    with pytest.raises(AnsibleActionFail, match="Is this a fleet file"):
        act(fleet="list.yml", cloud="dream")


def test_progress_is_shown_as_it_comes_and_the_file_goes(act: Act, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(Display, "display", lambda self, text, *a, **k: lines.append(text))
    seen: dict[str, Path] = {}

    def module(arguments: dict[str, Any]) -> None:
        seen["path"] = Path(arguments["progress_file"])
        seen["path"].write_text("web: requested\nweb: runs after 2 s\n", encoding="utf-8")

    act(NodeAction, answer=module, fleet="fleet.yml", cloud="amazon", name="web")
    assert lines == ["  web: requested", "  web: runs after 2 s"]
    assert not seen["path"].exists()
    act(NodeAction, answer=module, fleet="fleet.yml", cloud="amazon", name="web", progress_file=str(seen["path"]))
    assert len(lines) == 2  # the operator has a file of their own
    seen["path"].unlink()
    called, _result = act(NodeAction, transport="ssh", fleet="fleet.yml", cloud="amazon", name="web")
    assert "progress_file" not in called
    called, _result = act(NodeInfo, fleet="fleet.yml", cloud="amazon")
    assert "progress_file" not in called
