# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The dead man's switch from the controller's side: when a change stays, and what is said when it does not. Decides; connections are handed in.

The connection that tells the node to keep the change is itself the proof: nothing can fall between the two.
"""
from __future__ import annotations

import dataclasses
import shlex
import time
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access import answers

from . import confirm
from .confirm import Said
from .decision import Connection

STATE = "/var/lib/hybridops-fleet/hardening"
RUN = "/run/hybridops-fleet"
PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds between fresh connections, the last one goes on; few, so that a refusal does not lock this controller out."""

Run = Callable[[str, float], Said]
"""(command for sh as root, seconds) -> what came of it."""


def command(word: str, nonce: str = "") -> str:
    """What the node is to run: ``confirm`` or ``state``, also after the switch has fired and its script is gone."""
    script = f"{STATE}/pending/switch.sh"
    gone = "gone" if word == "confirm" else "calm"
    inner = (f"if [ -f {script} ]; then sh {script} {shlex.join([word, *([nonce] if nonce else [])])}; "
             f"else echo FLEET {gone} $(cat {RUN}/switched-back 2>/dev/null); fi")
    return f"/bin/sh -c {shlex.quote(inner)}"


@dataclasses.dataclass(slots=True)
class Guard:
    """fresh: over a connection of its own; open: over any, for a look at how the node stands. who: the account, for words.
    seconds: until the node goes back by itself, counted from about now."""

    fresh: Run
    open: Run
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    say: Callable[[str], None]
    host: str
    who: str
    seconds: int

    def confirm(self, nonce: str) -> str:
        """Words for the report. Raises FleetError when no fresh connection got in; the node is then as it was before, and that is said."""
        begin = self.clock()
        last = Said(answers.UNREACHABLE, text="no answer")
        for count in range(1000):
            left = self.seconds - (self.clock() - begin)
            last = self.fresh(command("confirm", nonce), max(5.0, min(left, 30.0)))
            words = _word(last.out)
            if words.startswith("confirmed"):
                return f"a fresh connection as {self.who} confirmed it"
            if words.startswith("gone"):
                raise self._gone(words.partition(" ")[2])
            pause = PAUSES[min(count, len(PAUSES) - 1)]
            if self.clock() - begin + pause >= self.seconds:
                break
            self.say(f"{self.host}: {last.text}; once more")
            self.sleep(pause)
        left = self.seconds + 4 - (self.clock() - begin)
        if left > 0:
            self.sleep(left)
        raise FleetError(
            f"{self.host}: a fresh connection as {self.who} does not succeed within {self.seconds} s", why=f"{last.text}. {self._state()}",
            code="locked_out", fix="The change would have locked you out. See which control it was, switch that one off or give it what it needs "
            "(key, group, address, sudo), and run again.")

    # ------------------------------------------------------------------------------------------------ details
    def _gone(self, why: str) -> FleetError:
        reason = {"boot": "the node restarted", "timer": "time was up"}.get(why, "something put it back")
        return FleetError(
            f"{self.host}: confirm the change", why=f"{reason} before a fresh connection could confirm it; what was guarded is as it was before",
            code="switch", fix="Run again; raise the seconds of the switch where logins take long.")

    def _state(self) -> str:
        for pause in (2.0, 4.0, 0.0):
            for run in (self.open, self.fresh):
                words = _word(run(command("state"), 10.0).out)
                if words.startswith("calm"):
                    return "What was guarded is as it was before"
                if words.startswith("armed"):
                    break
            self.sleep(pause)
        return "What was guarded comes back by itself; whether it has, could not be seen"


def beforehand(action: Any, connection: Connection) -> None:
    """That a fresh connection gets in before anything is changed. Raises FleetError. Where Ansible shares no connection its last call was one."""
    if not confirm.shares(action._connection):
        return
    freshly, _openly = _runs(action, connection)
    said = Said(answers.UNREACHABLE)
    for pause in (*PAUSES[:3], 0.0):
        said = freshly("/bin/sh -c 'echo FLEET here'", 30.0)
        if _word(said.out) == "here":
            return
        action.say(f"{action.host}: {said.text}; once more")
        time.sleep(pause)
    raise FleetError(
        f"{action.host}: a fresh connection as {connection.user} does not succeed, and nothing was changed", why=said.text, code="lockout",
        fix="Only a connection that is open already still works. Mend the login while it lasts, then run again.")


def prove(action: Any, connection: Connection, switch: Mapping[str, Any]) -> dict[str, Any]:
    """Confirm what an action plugin has just changed, over fresh connections of its own kind. Raises FleetError; the node is then as it was."""
    freshly, openly = _runs(action, connection)
    guard = Guard(fresh=freshly, open=openly, clock=time.monotonic, sleep=time.sleep, say=action.say, host=action.host, who=connection.user,
                  seconds=int(switch["seconds"]))
    return {"confirmed": guard.confirm(str(switch["nonce"]))}


def _runs(action: Any, connection: Connection) -> tuple[Run, Run]:
    """(over a connection of its own, over any)."""
    # with data for the command Ansible asks for no terminal, as it does for its modules where pipelining is on
    data = b"\n" if connection.pipelining else None

    def openly(command: str, seconds: float) -> Said:
        return confirm.ask(lambda: action._low_level_execute_command(command, in_data=data, sudoable=True), seconds)

    def freshly(command: str, seconds: float) -> Said:
        with confirm.fresh(action._connection):
            return openly(command, seconds)

    return freshly, openly


def _word(out: str) -> str:
    """What the node said, without the mark that begins it."""
    return next((line[6:].strip() for line in out.splitlines() if line.startswith("FLEET ")), "")
