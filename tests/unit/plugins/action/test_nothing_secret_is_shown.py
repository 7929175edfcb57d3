# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What ansible-playbook -vvv shows and a task returns: user data and the settings of clouds are never in it."""
from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from ansible_collections.hybridops.fleet.tests.unit.playing import play

SECRETS = {"BOARD": "board-password-7", "TASK": "token-of-the-task-7", "ROW": "token-of-a-row-7", "INLINE": "inline-password-7"}


def secret(name: str) -> str:
    """As an operator writes it; ansible-core quotes the lines of a playbook around a failure."""
    return f"{{{{ lookup('ansible.builtin.env', 'SECRET_{name}') }}}}"


BOARDS = {"provider": "metal", "sources": [{"kind": "redfish", "baseuri": "http://127.0.0.1:9", "username": "u", "password": secret("BOARD")}]}
INLINE = {"provider": "metal", "sources": [{"kind": "redfish", "baseuri": "http://127.0.0.1:9", "username": "u", "password": secret("INLINE")}]}
SMALL = {"flavor": {"vcpus": 1}, "timeout": 20, "retries": 0}

TASKS: dict[str, dict[str, Any]] = {
    "of the task": {"hybridops.fleet.node": {"cloud": "rack", "name": "web-1", "user_data": secret("TASK"), **SMALL}},
    "of a row": {"hybridops.fleet.node": {"cloud": "rack", "nodes": [{"name": "web-1"}, {"name": "web-2", "user_data": secret("ROW")}], **SMALL}},
    "made, short": {"hybridops.fleet.node": {"cloud": "rack", "name": "web-3", "user_data": "web", "state": "absent", **SMALL}},
    "wrong argument": {"hybridops.fleet.node": {
        "cloud": "rack", "nodes": [{"name": "a", "user_data": secret("ROW")}], "user_data": secret("TASK"), "state": "dancing"}},
    "no answer": {"hybridops.fleet.node_info": {"cloud": "boards", "timeout": 5, "retries": 0}},
    "no answer, inline": {"hybridops.fleet.node_info": {"definition": INLINE, "timeout": 5, "retries": 0}},
    "no answer, by name": {"hybridops.fleet.node_power": {
        "definitions": {"x": INLINE}, "cloud": "x", "names": ["a"], "state": "stopped", "timeout": 5, "retries": 0}},
}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """What was shown, and the result of each task by its name."""
    folder = tmp_path_factory.mktemp("play")
    rack = {"nodes": [{"name": "blade-1", "id": "SN-1", "pool": True, "vcpus": 4, "interfaces": [{"addresses": ["198.51.100.1"]}]}]}
    (folder / "rack.yml").write_text(yaml.safe_dump(rack), encoding="utf-8")
    clouds = {"rack": {"provider": "metal", "sources": [{"kind": "file", "path": "rack.yml"}]}, "boards": BOARDS}
    (folder / "fleet.yml").write_text(yaml.safe_dump({"plugin": "hybridops.fleet.nodes", "clouds": clouds}), encoding="utf-8")
    rows = [{"name": name, "register": f"r{number}", "ignore_errors": True, **task} for number, (name, task) in enumerate(TASKS.items())]
    saved = "{{ [" + ", ".join(f"r{number}" for number in range(len(rows))) + "] | to_json }}"
    save = {"ansible.builtin.copy": {"dest": str(folder / "results.json"), "content": saved, "mode": "0600"}, "no_log": True}
    one = {"hosts": "localhost", "module_defaults": {"group/hybridops.fleet.fleet": {"fleet": "fleet.yml"}}, "tasks": [*rows, save]}
    environ = {f"SECRET_{name}": value for name, value in SECRETS.items()}
    environ["ANSIBLE_INJECT_INVOCATION"] = "true"  # ansible-core 2.21 shows arguments only so
    shown = play(folder, [one], "-vvv", "-i", "localhost,", environ=environ)
    return shown, dict(zip(TASKS, json.loads((folder / "results.json").read_text(encoding="utf-8")), strict=True))


def test_no_secret_is_shown(played: tuple[str, dict[str, Any]]) -> None:
    shown, results = played
    for value in SECRETS.values():
        assert value not in shown
        assert value not in json.dumps(results)


def test_the_other_arguments_are_shown_as_they_are(played: tuple[str, dict[str, Any]]) -> None:
    shown, results = played
    blocks = re.findall(r"^TASK \[(.*?)\].*?=> (\{.*?^\})", shown, re.DOTALL | re.MULTILINE)
    told = {name: json.loads(block)["invocation"]["module_args"] for name, block in blocks if name in TASKS and name != "wrong argument"}
    assert set(told) == set(TASKS) - {"wrong argument"}
    assert told["of a row"]["nodes"] == [{"name": "web-1"}, {"name": "web-2"}]
    assert told["made, short"]["name"] == "web-3"
    assert told["no answer"]["cloud"] == "boards"
    assert results["made, short"]["results"][0]["name"] == "web-3"  # though "web" was its user data


def test_the_tasks_did_what_they_were_for(played: tuple[str, dict[str, Any]]) -> None:
    _shown, results = played
    said = {name: result.get("msg", "") for name, result in results.items()}
    assert "takes no user_data" in said["of the task"]  # a rack file cannot hand it to a machine: it came through
    assert "1 of 2 nodes failed" in said["of a row"]
    assert "value of state must be one of" in said["wrong argument"]
    assert all("does not answer" in said[name] for name in TASKS if name.startswith("no answer"))
