# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When a change stays, and what is said when it does not; fresh connections are really fresh."""
from __future__ import annotations

import dataclasses
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access import answers, arguments
from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening import confirm, guard
from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening.confirm import Said
from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening.decision import Connection as Reached

DENIED = Said(answers.DENIED, text="ops@web-1: Permission denied (publickey).")


@dataclasses.dataclass
class Node:
    """answer: (word of the command, which fresh connection it is) -> what came of it."""

    answer: Callable[[str, int], Said]
    now: float = 0.0
    fresh: int = 0
    said: list[str] = dataclasses.field(default_factory=list)

    def run(self, command: str, seconds: float) -> Said:
        self.now += 1
        self.fresh += " confirm " in command
        return self.answer("confirm" if " confirm " in command else "state", self.fresh)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def confirm(self) -> str:
        return guard.Guard(fresh=self.run, open=self.run, clock=lambda: self.now, sleep=self.sleep, say=self.said.append, host="web-1", who="ops",
                           seconds=30).confirm("abc")


def test_one_fresh_connection_is_enough() -> None:
    node = Node(lambda word, count: Said(answers.OPEN, "motd\nFLEET confirmed\n"))
    assert node.confirm() == "a fresh connection as ops confirmed it" and node.fresh == 1


def test_a_server_that_still_starts_is_asked_again() -> None:
    node = Node(lambda word, count: Said(answers.OPEN, "FLEET confirmed") if count == 3 else Said(answers.UNREACHABLE, text="Connection refused"))
    node.confirm()
    assert node.fresh == 3 and node.now < 10


def test_who_is_refused_is_told_why_and_how_the_node_stands() -> None:
    node = Node(lambda word, count: DENIED if word == "confirm" else Said(answers.OPEN, "FLEET calm timer"))
    with pytest.raises(FleetError) as failure:
        node.confirm()
    words = str(failure.value)
    assert "Permission denied (publickey)" in words and "What was guarded is as it was before" in words and failure.value.code == "locked_out"
    assert node.now >= 34, "it was waited for the switch"
    assert node.fresh <= 10, "few refusals, so that the host does not shut this controller out"


def test_what_cannot_be_seen_is_not_claimed() -> None:
    node = Node(lambda word, count: DENIED)
    with pytest.raises(FleetError, match="could not be seen"):
        node.confirm()


@pytest.mark.parametrize(("why", "words"), [("boot", "the node restarted"), ("timer", "time was up"), ("now", "something put it back")])
def test_what_came_back_meanwhile(why: str, words: str) -> None:
    node = Node(lambda word, count: Said(answers.OPEN, f"FLEET gone {why}\n"))
    with pytest.raises(FleetError, match=words):
        node.confirm()


def test_the_command_works_in_sh_with_and_without_the_script(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "STATE", str(tmp_path))
    monkeypatch.setattr(guard, "RUN", str(tmp_path))

    def run(*words: str) -> str:
        return subprocess.run(guard.command(*words), shell=True, capture_output=True, text=True, check=True).stdout

    assert run("confirm", "abc") == "FLEET gone\n" and run("state") == "FLEET calm\n"
    (tmp_path / "switched-back").write_text("boot\n")
    assert run("confirm", "abc") == "FLEET gone boot\n"
    (tmp_path / "pending").mkdir()
    (tmp_path / "pending/switch.sh").write_text('echo "FLEET $@"\n')
    assert run("confirm", "abc") == "FLEET confirm abc\n"


class Connection:
    """What confirm needs of Ansible's ssh connection."""

    transport = "ssh"

    def __init__(self) -> None:
        self.options: dict[str, Any] = {
            "ssh_args": "-C -o ControlMaster=auto -o ControlPersist=60s", "ssh_common_args": "-o ControlPath=/tmp/x -J bastion",
            "ssh_extra_args": None, "reconnection_retries": 3}

    def get_option(self, name: str) -> Any:
        return self.options[name]

    def set_option(self, name: str, value: Any) -> None:
        self.options[name] = value


def test_a_fresh_connection_shares_nothing_and_leaves_all_as_it_was() -> None:
    connection = Connection()
    before = dict(connection.options)
    with confirm.fresh(connection):
        words = [word for name in ("ssh_args", "ssh_common_args", "ssh_extra_args") for word in arguments.split(connection.options[name])]
        assert arguments.value_of(words, "controlmaster") == "no" and arguments.value_of(words, "controlpath") == "none"
        assert not any(value == "60s" or value == "/tmp/x" for _name, value, _start, _end in arguments.settings(words))
        assert "-C" in words and "-J" in words and connection.options["reconnection_retries"] == 0
    assert connection.options == before


@pytest.mark.parametrize(("done", "kind"), [
    ({"rc": 0, "stdout": "FLEET confirmed\n", "stderr": ""}, answers.OPEN),
    ({"rc": 255, "stdout": "", "stderr": "ops@web-1: Permission denied (publickey).\n"}, answers.DENIED),
    ({"rc": 255, "stdout": "", "stderr": "ssh: connect to host web-1 port 22: Connection refused"}, answers.UNREACHABLE),
    ({"rc": 1, "stdout": "", "stderr": "sudo: a password is required"}, answers.NO_SHELL)])
def test_what_a_connection_said(done: dict[str, Any], kind: str) -> None:
    said = confirm.ask(lambda: done, 5)
    assert said.kind == kind and (said.text or kind == answers.OPEN)


def test_a_failure_of_ansible_is_an_answer_and_a_login_that_hangs_is_given_up() -> None:
    def denied() -> dict[str, Any]:
        raise AnsibleConnectionFailure("Failed to connect to the host via ssh: ops@web-1: Permission denied (publickey).")

    assert confirm.ask(denied, 5) == DENIED
    begin = time.monotonic()
    said = confirm.ask(lambda: subprocess.run(["sleep", "30"], check=False) and {}, 0.3)
    assert "no command came to an end within 0.3 s" in said.text and time.monotonic() - begin < 5


def test_only_ssh_can_be_cut() -> None:
    assert confirm.why_no_switch("ssh") == "" and "docker" in confirm.why_no_switch("docker")


class Shares:
    """A connection and its action, of which ``beforehand`` asks a few words only."""

    transport, host = "ssh", "web-1"

    def __init__(self, arguments_of_ssh: str, answer: dict[str, Any]) -> None:
        self.options: dict[str, Any] = {"ssh_args": arguments_of_ssh, "ssh_common_args": "", "ssh_extra_args": "", "reconnection_retries": 3}
        self.answer, self.asked, self._connection = answer, list[str](), self
        self.get_option = self.options.get
        self.set_option = self.options.__setitem__
        self.say = self.asked.append

    def _low_level_execute_command(self, command: str, **_more: Any) -> dict[str, Any]:
        self.asked.append(str(self.options["ssh_args"]))
        return self.answer


def test_a_login_that_is_dead_already_is_seen_before_anything_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    shared = "-o ControlMaster=auto -o ControlPersist=60s"
    dead = Shares(shared, {"rc": 255, "stdout": "", "stderr": "ops@web-1: Permission denied (publickey)."})
    with pytest.raises(FleetError, match=r"does not succeed, and nothing was changed: .*Permission denied") as failure:
        guard.beforehand(dead, Reached("ssh", "ops"))
    assert failure.value.code == "lockout"
    alive = Shares(shared, {"rc": 0, "stdout": "motd\nFLEET here\n", "stderr": ""})
    guard.beforehand(alive, Reached("ssh", "ops"))
    assert len(alive.asked) == 1 and "ControlMaster=no" in alive.asked[0]
    own = Shares("-C", {"rc": 255, "stdout": "", "stderr": ""})  # each call of Ansible has been a fresh one
    guard.beforehand(own, Reached("ssh", "ops"))
    assert not own.asked
