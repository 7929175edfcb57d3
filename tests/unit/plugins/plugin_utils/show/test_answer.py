# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Answers of pinged nodes. Results are those that ansible-core 2.16 and 2.21 gave for a real SSH server."""
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.plugin_utils._show.answer import ORDER, answer, summary

NODE = {"inventory_hostname": "web-1", "fleet_cloud": "dream", "fleet_state": "running", "ansible_host": "192.0.2.2", "ansible_user": "ops",
        "ansible_port": 4022}
OPEN = {"changed": False, "elapsed": 0, "failed": False, "port": 4022, "state": "started"}
CLOSED = {"changed": False, "elapsed": 2, "failed": False, "failed_when_result": False, "msg": "Timeout when waiting for 192.0.2.2:4022"}
SKIPPED = {"changed": False, "skipped": True, "skip_reason": "Conditional result was False"}
PONG = {"changed": False, "failed": False, "ping": "pong"}
_SSH = "Failed to connect to the host via ssh: Warning: Permanently added '[192.0.2.2]:4022' (ED25519) to the list of known hosts.\r\n"


def _unreachable(text: str) -> dict[str, Any]:
    return {"changed": False, "unreachable": True, "msg": text}


@pytest.mark.parametrize(("port", "login", "word", "ok"), [
    (OPEN, PONG, "reachable", True),
    (SKIPPED, PONG, "reachable", True),  # behind a bastion
    (CLOSED, SKIPPED, "port closed", False),
    (OPEN, _unreachable(_SSH + "ops@192.0.2.2: Permission denied (publickey)."), "login refused", False),
    (OPEN, _unreachable("Task failed: Failed to connect to the host via ssh: Host key verification failed."), "host key", False),
    (SKIPPED, _unreachable(_SSH + "Connection timed out during banner exchange"), "unreachable", False),
    (OPEN, {"failed": False, "rc": 127, "msg": "The module interpreter '/usr/bin/python9' was not found."}, "no Python", True),
    (OPEN, {"failed": False, "rc": 127, "module_stdout": "/bin/sh: 1: /usr/bin/python9: not found\r\n",
            "msg": "The module failed to execute correctly, you probably need to set the interpreter."}, "no Python", True),
    (OPEN, {"failed": False, "rc": 1, "msg": "MODULE FAILURE: No space left on device"}, "module failed", False),
    (OPEN, None, "unreachable", False),
])
def test_an_answer(port: dict[str, Any], login: dict[str, Any] | None, word: str, ok: bool) -> None:
    found = answer(NODE, port, login)
    assert (found["answer"], found["ok"]) == (word, ok)
    assert found["text"].startswith(f"{word}: ")
    assert "192.0.2.2 port 4022" in found["text"]
    assert word in ORDER


def test_the_reason_of_ssh_is_told_without_the_noise_around_it() -> None:
    text = answer(NODE, SKIPPED, _unreachable("Task failed: Failed to connect to the host via ssh: Connection timed out during banner exchange"))
    assert text["text"] == "unreachable: ops at 192.0.2.2 port 4022: Connection timed out during banner exchange"


def test_a_warning_of_ssh_is_no_reason() -> None:
    found = answer(NODE, SKIPPED, _unreachable("Warning: Permanently added x.\r\nssh: connect to host 192.0.2.2: No route to host"))
    assert found["text"].endswith("ssh: connect to host 192.0.2.2: No route to host")


def test_a_node_that_does_not_run_is_skipped() -> None:
    found = answer({**NODE, "fleet_state": "stopped"}, SKIPPED, SKIPPED)
    assert (found["answer"], found["ok"], found["text"]) == ("skipped", None, "skipped: the node is stopped")


def test_a_node_without_address() -> None:
    found = answer({key: value for key, value in NODE.items() if key != "ansible_host"}, SKIPPED, SKIPPED)
    assert (found["answer"], found["ok"], found["address"]) == ("no address", False, "(no address)")


def test_a_host_of_another_inventory_counts_as_running() -> None:
    assert answer({"inventory_hostname": "printer", "ansible_host": "192.0.2.9"}, OPEN, PONG)["text"] == (
        "reachable: logged in as the default user at 192.0.2.9 port 22")


def test_the_summary_ends_with_trouble_and_numbers() -> None:
    stopped = {**NODE, "inventory_hostname": "off-1", "fleet_state": "stopped"}
    lines = summary([answer(NODE, CLOSED, SKIPPED), answer({**NODE, "inventory_hostname": "web-2"}, OPEN, PONG), answer(stopped, None, None)])
    assert [line.split()[0] for line in lines[:4]] == ["NAME", "off-1", "web-2", "web-1"]
    assert lines[4:] == ["", "1 reachable, 1 port closed, 1 skipped"]


def test_the_summary_of_nobody() -> None:
    assert summary([]) == ["No node was asked."]


def test_what_a_node_says_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in answer(NODE, OPEN, _unreachable("\x1b[2Jfoo"))["text"]
