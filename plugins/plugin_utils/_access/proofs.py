# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The proof of step 8: the fleet's key opens, the node's own key and passwords are refused. Decides; connections are handed in.

Only a refusal is a proof of refusal. A connection that dies or is never answered proves nothing; it is repeated, and then said so.
"""
from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from . import answers
from .answers import Answer

PASSWORD_METHODS = frozenset({"password", "keyboard-interactive"})
NOBODY = "fleet-nobody"
"""An account that no node has: a server that asks it for a password asks everybody."""

RETRIES = (3.0, 10.0, 20.0)
"""Seconds before a connection that gave no answer is made again."""

SPACE = 6.0
"""Seconds between refusals on servers that count them against an address (OpenSSH from 9.8 on)."""

Connect = Callable[[str, str | None], Answer]


@dataclasses.dataclass(slots=True)
class Proof:
    """What was proved. fleet_key: opened or the reason; node_key: refused, opened, absent, same, unproved; password: refused, offered, unproved."""

    fleet_key: str = "unproved"
    node_key: str = "unproved"
    password: str = "unproved"  # noqa: S105
    evidence: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    failures: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(slots=True)
class Prover:
    """connect: a fresh connection as a user with a private key file, or with none; sudo: whether the admin may work as root."""

    connect: Connect
    sudo: Callable[[], Answer]
    sleep: Callable[[float], None]
    refusals: int = 0

    def prove(self, *, admin: str, users: Sequence[str], node_key: str | None, node_key_is: str = "") -> Proof:
        """users: accounts a stranger would try (the image's own login among them). node_key_is: why there is no key to try."""
        proof = Proof()
        answer = self._asked(self.sudo)
        self._note(proof, admin, "fleet key", answer)
        proof.fleet_key = "opened" if answer.kind == answers.OPEN else answer.kind
        if answer.kind != answers.OPEN:
            proof.failures.append(f"the fleet's key does not open {admin} with sudo: {answer.text}")
        accounts = list(dict.fromkeys([*users, admin, "root"]))
        opened: list[str] = []
        unproved: list[str] = []
        offered: list[str] = []
        silent: list[str] = []
        for user in [*accounts, NOBODY]:
            key = node_key if user != NOBODY else None
            answer = self._refusal(user, key)
            self._note(proof, user, "node key" if key else "no key", answer)
            if answer.kind in answers.ACCEPTED:
                (opened if key else offered).append(f"{user} ({answer.text})")
            elif key and answer.kind == answers.DENIED and not answer.offered:
                unproved.append(f"{user}: the key was not put to the server")
            elif answer.kind != answers.DENIED:
                (unproved if key else silent).append(f"{user}: {answer.text}")
            if PASSWORD_METHODS & set(answer.methods):
                offered.append(f"{user} ({', '.join(answer.methods)})")
            elif not answer.methods and answer.kind not in answers.ACCEPTED:
                silent.append(f"{user}: {answer.text}")
        proof.node_key = node_key_is or ("opened" if opened else "unproved" if unproved else "refused") if node_key else node_key_is or "absent"
        proof.password = "offered" if offered else "unproved" if silent else "refused"
        if opened:
            proof.failures.append(f"the node's own key still opens {', '.join(opened)}")
        if offered:
            proof.failures.append(f"the server still takes passwords, asked as {', '.join(offered)}")
        unsure = list(dict.fromkeys(unproved + silent))
        if unsure:
            proof.failures.append(f"a refusal could not be proved, as there was no answer ({'; '.join(unsure)})")
        return proof

    def _refusal(self, user: str, key: str | None) -> Answer:
        answer = self._asked(lambda: self.connect(user, key))
        if answer.kind == answers.DENIED:
            self.refusals += 1
            if self.refusals >= 2 and answers.penalises(answer.server):
                self.sleep(SPACE)
        return answer

    def _asked(self, ask: Callable[[], Answer]) -> Answer:
        answer = ask()
        for pause in RETRIES:
            if answer.kind not in answers.SILENT:
                break
            self.sleep(pause)
            answer = ask()
        return answer

    @staticmethod
    def _note(proof: Proof, user: str, offered: str, answer: Answer) -> None:
        proof.evidence.append({
            "user": user, "offered": offered, "answer": answer.kind, "text": answer.text, "methods": list(answer.methods), "server": answer.server})
