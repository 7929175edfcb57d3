# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step 7: the fleet's admin in, passwords off, with a dead man's switch on the node.

The node is asked to change itself and to take it back after a while; a fresh connection as the admin, with the fleet's key,
tells it to keep the change. That connection is proof and confirmation in one: nothing can fall between them.
"""
from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

from . import answers, node_script
from .answers import Answer
from .node_script import Report, Values

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 8.0)
"""Seconds between fresh connections; few, so that a refusal does not lock this controller out."""

ROUNDS = 3
"""Times the change is made anew when it was taken back for a reason that passes, such as a reboot."""

Run = Callable[[str, str, Values, float], tuple[Answer, Report]]
"""(user, private key file, what to do, seconds) -> the connection's outcome and the node's report."""


@dataclasses.dataclass(slots=True)
class Switch:
    """One node's step 7. run: a script on the node over a fresh connection; wait: seconds a node that reboots may be away."""

    run: Run
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    say: Callable[[str], None]
    host: str
    login: tuple[str, str]
    admin: str
    fleet_key: str
    keys: Sequence[str]
    root: str
    seconds: int
    wait: float
    check: bool = False

    def turn(self) -> dict[str, Any]:
        """The task's result. Raises FleetError; the node is then as it was before, or goes back to it by itself."""
        did: list[str] = []
        notes: list[str] = []
        diff: list[dict[str, str]] = []
        reasons: list[str] = []
        for _round in range(ROUNDS):
            nonce = secrets.token_hex(8)
            report = self._apply(nonce)
            did += [word for word in report.did if word not in did]
            notes += [word for word in report.notes if word not in notes]
            diff = diff or node_script.diff(report)
            if "same" in report.words or self.check:
                break
            outcome = self._confirm(nonce)
            if outcome == "confirmed":
                break
            reasons.append(outcome)
            self.say(f"{self.host}: the old SSH configuration came back ({outcome}); once more")
        else:
            raise FleetError(
                f"{self.host}: switch passwords off", code="switch",
                why=f"{ROUNDS} times the old configuration came back before the new one could be confirmed ({', '.join(reasons)})",
                fix="See why the node restarts, or raise access_switch_seconds.")
        return {"changed": bool(did), "did": did, "notes": notes, "diff": diff}

    def _apply(self, nonce: str) -> Report:
        values = Values("apply", self.admin, self.login[0], self.root, self.keys, seconds=self.seconds, nonce=nonce, check=self.check)
        end = self.clock() + self.wait
        last: Answer | None = None
        pause = 1.0
        while True:
            # the login that was found, and when a reboot or an earlier run came in between, the admin
            answer, report = self.run(*self.login, values, 120.0)
            if report.error or report.ended:
                node_script.check(report, self.host, "step 7", "")
                return report
            if answer.kind not in answers.SILENT | {answers.OPEN} or self.clock() + pause >= end:
                what = "did not come to its end" if answer.kind == answers.OPEN else answer.text
                raise FleetError(f"{self.host}: step 7 as {self.login[0]}", why=what, code="interrupted",
                                 fix="Run again. A change that was not confirmed is taken back by the node itself.")
            last = answer
            self.say(f"{self.host}: {last.text}; waiting")
            self.sleep(pause)
            pause = min(pause * 2, 8.0)

    def _confirm(self, nonce: str) -> str:
        """'confirmed', or the word for why the old configuration is back. Raises FleetError when the fleet's key does not open."""
        begin = self.clock()
        last: Answer | None = None
        lost = False
        for count in range(1000):
            values = Values("confirm", self.admin, self.login[0], self.root, nonce=nonce)
            answer, report = self.run(self.admin, self.fleet_key, values, 60.0)
            if report.error:
                node_script.check(report, self.host, "confirm step 7", "")
            if "confirmed" in report.words:
                return "confirmed"
            if "gone" in report.words:
                return {"boot": "the node restarted", "timer": "time was up"}.get(report.words["gone"], "it had been put back")
            last = answer
            lost = lost or answer.kind in answers.SILENT
            elapsed = self.clock() - begin
            pause = PAUSES[min(count, len(PAUSES) - 1)]
            # a node that is away may be rebooting: it is waited for beyond the time of the switch
            limit = self.wait if answer.kind in answers.SILENT else self.seconds
            if elapsed + pause >= max(limit, self.seconds if lost else 0):
                break
            self.sleep(pause)
        raise self._not_opened(last, begin)

    def _not_opened(self, last: Answer | None, begin: float) -> FleetError:
        """The failure, once it is known how the node stands now."""
        text = last.text if last else "no answer"
        left = self.seconds + 4 - (self.clock() - begin)
        if left > 0:
            self.sleep(left)
        back = self._state()
        return FleetError(
            f"{self.host}: a fresh connection as {self.admin} with the fleet's key does not succeed within {self.seconds} s", why=f"{text}. {back}",
            code="switch", fix="See whether access_private_key_file belongs to access_authorized_keys, and whether the node's sshd lets "
            f"{self.admin} in (AllowUsers, AllowGroups, AuthorizedKeysFile, PAM).")

    def _state(self) -> str:
        for pause in (2.0, 4.0, 8.0, 0.0):
            answer, report = self.run(*self.login, Values("state", self.admin), 30.0)
            if "calm" in report.words:
                return "The old SSH configuration is back"
            if "armed" not in report.words and answer.kind == answers.DENIED:
                break
            self.sleep(pause)
        return "The old SSH configuration comes back by itself; whether it has, could not be seen"
