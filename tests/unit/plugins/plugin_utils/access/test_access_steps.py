# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Steps 7 and 8 as decisions: when a change is confirmed, done again or given up, and what counts as a proof."""
from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access import answers, node_script, proofs, switch
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access.answers import Answer
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access.node_script import Report, Values

DENIED = Answer(answers.DENIED, "permission denied (publickey)", ("publickey",), offered=True)
OPEN = Answer(answers.OPEN, "logged in", ("publickey",))
SILENT = Answer(answers.UNREACHABLE, "Connection refused")


@dataclasses.dataclass
class Node:
    """A node and a clock. answer: (mode, which call of that mode) -> what it says."""

    answer: Callable[[str, int], tuple[Answer, str]]
    now: float = 0.0
    calls: list[tuple[str, str, str]] = dataclasses.field(default_factory=list)

    def run(self, user: str, key: str, values: Values, timeout: float) -> tuple[Answer, Report]:
        self.calls.append((values.mode, user, key))
        self.now += 1
        kind, out = self.answer(values.mode, sum(1 for call in self.calls if call[0] == values.mode))
        return kind, node_script.parse(out)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def turn(self, **more: object) -> dict[str, object]:
        values: dict[str, object] = {"seconds": 20, "wait": 60.0, "check": False, **more}
        return switch.Switch(
            self.run, lambda: self.now, self.sleep, lambda text: None, "web-1", ("debian", "N"), "fleet", "F", ["ssh-ed25519 AAAA"], "no",
            **values,  # type: ignore[arg-type]
        ).turn()


def test_confirmed_by_the_admin_with_the_fleets_key() -> None:
    node = Node(lambda mode, count: (OPEN, "FLEET did x\nFLEET pending 1\nFLEET end" if mode == "apply" else "FLEET confirmed\nFLEET end"))
    assert node.turn()["changed"] is True
    assert node.calls == [("apply", "debian", "N"), ("confirm", "fleet", "F")]


def test_nothing_to_change_arms_nothing() -> None:
    node = Node(lambda mode, count: (OPEN, "FLEET same\nFLEET end"))
    assert node.turn()["changed"] is False
    assert [mode for mode, _user, _key in node.calls] == ["apply"]


def test_check_mode_does_not_confirm() -> None:
    node = Node(lambda mode, count: (OPEN, "FLEET did x\nFLEET end"))
    assert node.turn(check=True)["changed"] is True
    assert len(node.calls) == 1


def test_a_restart_in_between_is_waited_for_and_done_again() -> None:
    def answer(mode: str, count: int) -> tuple[Answer, str]:
        if mode == "apply":
            return OPEN, "FLEET did x\nFLEET pending 1\nFLEET end"
        if count in (1, 2):
            return SILENT, ""
        return OPEN, "FLEET gone boot\nFLEET end" if count == 3 else "FLEET confirmed\nFLEET end"

    node = Node(answer)
    assert node.turn()["did"] == ["x"]
    assert [mode for mode, _user, _key in node.calls].count("apply") == 2


def test_a_connection_that_breaks_while_the_node_works_is_made_again() -> None:
    def answer(mode: str, count: int) -> tuple[Answer, str]:
        if mode == "apply":
            return (SILENT, "FLEET did x\n") if count == 1 else (OPEN, "FLEET did y\nFLEET pending 1\nFLEET end")
        return OPEN, "FLEET confirmed\nFLEET end"

    assert Node(answer).turn()["changed"] is True


def test_a_key_that_does_not_open_ends_after_the_switch_has_fired() -> None:
    def answer(mode: str, count: int) -> tuple[Answer, str]:
        if mode == "apply":
            return OPEN, "FLEET did x\nFLEET pending 1\nFLEET end"
        return (DENIED, "") if mode == "confirm" else (OPEN, "FLEET calm timer\nFLEET end")

    node = Node(answer)
    with pytest.raises(FleetError, match=r"within 20 s: permission denied.*old SSH configuration is back"):
        node.turn()
    assert node.now >= 22
    assert [mode for mode, _user, _key in node.calls].count("confirm") <= 6


def test_a_node_that_goes_back_every_time_is_given_up() -> None:
    node = Node(lambda mode, count: (OPEN, "FLEET did x\nFLEET pending 1\nFLEET end" if mode == "apply" else "FLEET gone boot\nFLEET end"))
    with pytest.raises(FleetError, match="3 times the old configuration came back"):
        node.turn()


def test_a_failure_of_the_node_is_told_with_its_code() -> None:
    node = Node(lambda mode, count: (OPEN, "FLEET failed disk_full cannot write /etc/ssh/: the disk is full\n"))
    with pytest.raises(FleetError, match="Make room") as failed:
        node.turn()
    assert failed.value.code == "disk_full"


def test_the_script_carries_values_as_data_only() -> None:
    text = node_script.script(Values("apply", keys=["ssh-ed25519 AAAA it's $(id) `id`"], nonce="n"))
    assert "F_KEYS='ssh-ed25519 AAAA it'\"'\"'s $(id) `id`'" in text
    assert text.rstrip().endswith("main </dev/null")


def test_files_of_a_diff() -> None:
    report = node_script.parse("banner\nFLEET after /a/b  x y\nFLEET before /a/b old\nFLEET end\n")
    assert node_script.diff(report) == [{"before": "old\n", "after": " x y\n", "before_header": "/a/b", "after_header": "/a/b"}]


# ---------------------------------------------------------------------------------------------------- proofs
def _prove(rule: Callable[[str, str | None], Answer], key: str | None = "N", sudo: Answer = OPEN, is_: str = "") -> proofs.Proof:
    return proofs.Prover(rule, lambda: sudo, lambda seconds: None).prove(admin="fleet", users=["debian"], node_key=key, node_key_is=is_)


def test_proved() -> None:
    proof = _prove(lambda user, key: DENIED)
    assert (proof.fleet_key, proof.node_key, proof.password, proof.failures) == ("opened", "refused", "refused", [])
    assert [(row["user"], row["offered"]) for row in proof.evidence] == [
        ("fleet", "fleet key"), ("debian", "node key"), ("fleet", "node key"), ("root", "node key"), ("fleet-nobody", "no key")]


def test_a_dead_connection_proves_nothing() -> None:
    proof = _prove(lambda user, key: SILENT if user == "root" else DENIED)
    assert (proof.node_key, proof.password) == ("unproved", "unproved")
    assert "could not be proved" in proof.failures[0]


def test_a_key_that_was_not_offered_proves_nothing() -> None:
    proof = _prove(lambda user, key: dataclasses.replace(DENIED, offered=False))
    assert proof.node_key == "unproved"


def test_a_key_that_opens_and_passwords_that_are_taken() -> None:
    proof = _prove(lambda user, key: OPEN if user == "debian" else DENIED)
    assert proof.node_key == "opened"
    assert "still opens debian" in proof.failures[0]
    asks = dataclasses.replace(DENIED, methods=("publickey", "keyboard-interactive"))
    proof = _prove(lambda user, key: asks if user == "root" else DENIED)
    assert (proof.node_key, proof.password) == ("refused", "offered")
    assert "asked as root" in proof.failures[0]


def test_without_a_node_key_the_rest_is_proved() -> None:
    assert _prove(lambda user, key: DENIED, key=None).node_key == "absent"
    assert _prove(lambda user, key: DENIED, key=None, is_="same").node_key == "same"


def test_a_host_that_falls_silent_is_asked_again_and_a_key_that_it_took_is_not_refused() -> None:
    stalled = Answer(answers.STALLED, "logged in, then the host fell silent")
    proof = _prove(lambda user, key: stalled if user == "debian" else DENIED)
    assert proof.node_key == "opened" and "still opens debian" in proof.failures[0]
    later = iter([stalled, OPEN])
    proof = proofs.Prover(lambda user, key: DENIED, lambda: next(later), lambda _seconds: None).prove(admin="fleet", users=["debian"], node_key="N")
    assert proof.fleet_key == "opened" and not proof.failures


def test_the_fleets_key_must_open_with_sudo() -> None:
    proof = _prove(lambda user, key: DENIED, sudo=Answer(answers.NO_SHELL, "sudo: a password is required"))
    assert proof.failures
    assert "a password is required" in proof.failures[0]
