# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Find the account that opens a node, with as few connections as possible. Decides; the connection is handed in.

A refusal is taken for an answer: an account is not tried twice with a key, so that no host locks this controller out. The one
exception is a host that is booting or has been made a moment ago: its likeliest account is given a few more tries with growing
pauses, because the key may not be in yet. Silence is not an answer: it is waited for, until the deadline.
"""
from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

from . import answers
from .answers import Answer
from .candidates import Attempt

PAUSES = (1.0, 2.0, 3.0, 5.0)
"""Seconds between looks at a host that does not answer; the last one goes on."""

KEY_PAUSES = (2.0, 4.0, 8.0, 16.0)
"""Seconds before further tries of the likeliest account on a young host."""

SPACED_AFTER = 2
SPACE = 6.0
"""Servers that count refusals against an address (OpenSSH from 9.8 on) forget one in about five seconds."""


@dataclasses.dataclass(slots=True)
class Tried:
    """One connection, for the result and for the words of a failure."""

    user: str
    key: str
    why: str
    answer: Answer
    repeated: int = 0

    def as_dict(self) -> dict[str, Any]:
        return {"user": self.user, "private_key_file": self.key, "why": self.why, "answer": self.answer.kind, "text": self.answer.text,
                "times": 1 + self.repeated}


@dataclasses.dataclass(slots=True)
class Found:
    """The account that opens the node."""

    attempt: Attempt
    tried: list[Tried]
    booted: bool


@dataclasses.dataclass(slots=True)
class Search:
    """One search. connect: one fresh connection; clock, sleep: time in seconds; young: the host was made a moment ago;
    most: connections for guessed accounts (those that data or the operator name are always tried)."""

    connect: Callable[[str, str], Answer]
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    say: Callable[[str], None]
    wait: float
    most: int = 8
    young: bool = False
    host: str = ""
    tried: list[Tried] = dataclasses.field(default_factory=list)
    booted: bool = False

    def find(self, attempts: Sequence[Attempt]) -> Found:
        """Raises FleetError with every account's answer."""
        end = self.clock() + self.wait
        waiting = list(attempts)
        likeliest = next((row for row in waiting if row.told), None)
        while waiting or likeliest:
            attempt = waiting.pop(0) if waiting else None
            if likeliest and (attempt is None or not (attempt.told or attempt.user == "root")):
                # nothing that is known opened it: before guesses, the key of a young host may only now have come
                late, likeliest = likeliest, None
                if (self.young or self.booted) and self._last(late) == answers.DENIED and self._key_came(late, end):
                    return Found(late, self.tried, self.booted)
            if attempt is None or (not attempt.told and len(self.tried) >= self.most):
                continue
            answer = self._answered(attempt, end)
            if answer.kind == answers.OPEN:
                return Found(attempt, self.tried, self.booted)
            if answer.kind == answers.BASTION:
                raise self._failed("the bastion", answer.text, "Look at the bastion: its account, its key, and whether it may forward.", "bastion")
            if answer.kind == answers.REDIRECT and answer.user:
                named = Attempt(answer.user, attempt.key, f"the host's own answer to {attempt.user}", told=True)
                if not any((old.user, old.key) == (named.user, named.key) for old in self.tried):
                    waiting = [named, *(row for row in waiting if (row.user, row.key) != (named.user, named.key))]
        raise self._none()

    def _last(self, attempt: Attempt) -> str:
        """The kind of the last answer to an attempt."""
        return next((row.answer.kind for row in reversed(self.tried) if (row.user, row.key) == (attempt.user, attempt.key)), "")

    def _answered(self, attempt: Attempt, end: float) -> Answer:
        """The host's answer to one attempt; silence is waited for. Raises FleetError at the deadline."""
        silences = 0
        while True:
            refused = sum(1 for row in self.tried if row.answer.kind == answers.DENIED)
            if refused > SPACED_AFTER and answers.penalises(self.tried[-1].answer.server):
                self.sleep(SPACE)
            answer = self.connect(attempt.user, attempt.key)
            self._note(attempt, answer)
            if answer.kind not in answers.SILENT:
                return answer
            self.booted = True
            pause = PAUSES[min(silences, len(PAUSES) - 1)]
            silences += 1
            if self.clock() + pause >= end:
                if any(row.answer.kind == answers.DENIED for row in self.tried):
                    raise self._failed(
                        "no answer any more", f"after {len(self.tried)} logins: {answer.text}",
                        "The host may have shut this controller out (fail2ban, PerSourcePenalties); wait, and name the account in the inventory.",
                        "unreachable")
                raise self._failed(
                    "no answer", f"within {self.wait:g} s: {answer.text}",
                    "Look at the node's console, its security group or firewall for the SSH port, and at the address; raise access_wait for hosts "
                    "that boot slowly.", "unreachable")
            self.say(f"{self.host}: {answer.text}; waiting")
            self.sleep(pause)

    def _key_came(self, attempt: Attempt, end: float) -> bool:
        for pause in KEY_PAUSES:
            if self.clock() + pause >= end:
                break
            self.say(f"{self.host}: {attempt.user} is refused yet; the host is young, its key may still come")
            self.sleep(pause)
            answer = self._answered(attempt, end)
            if answer.kind != answers.DENIED:
                return answer.kind == answers.OPEN
        return False

    def _note(self, attempt: Attempt, answer: Answer) -> None:
        last = self.tried[-1] if self.tried else None
        if last and (last.user, last.key) == (attempt.user, attempt.key):
            last.answer = answer
            last.repeated += 1
        else:
            self.tried.append(Tried(attempt.user, attempt.key, attempt.why, answer))

    def _failed(self, what: str, why: str, fix: str, code: str) -> FleetError:
        return FleetError(f"log in to {self.host}: {what}", why=why, fix=fix, code=code)

    def _none(self) -> FleetError:
        told = "; ".join(f"{row.user} ({row.why}): {row.answer.text}" for row in self.tried)
        broken = next((row for row in self.tried if row.answer.kind == answers.KEY_FILE), None)
        fix = ("Correct the private key file." if broken else
               "Check that the key is the one the node was made with, and name the account with login_user, ansible_user or access_login_candidates.")
        return self._failed("no account opens it", told or "there is none to try", fix, "login")
