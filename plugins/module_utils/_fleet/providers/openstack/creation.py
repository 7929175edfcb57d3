# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Making exactly one server for an order, on a cloud that knows no client token.

Nova makes a server for every POST. So every server carries the order's token and a word of the run that made it, and the
runs agree on one afterwards:

* Before the POST the token is looked up; a living server of the same order is taken. After an answer that was lost it
  is looked up again before anything is sent again.
* After the POST a server that is settled already wins at once. That is the run which stalled between look-up and POST
  while another one finished: its server is removed before it has run.
* When its server runs, a run confirms: it lists the servers of the order, takes the winner (``winner.winner``: a settled
  one, else the smallest creation time and id), settles it, looks once more, and removes a loser that it made itself.

Why two runs never keep one each: a server's creation time is Nova's, given in whole seconds. Of two servers A < B, A was
made at most a second (and the difference of the API hosts' clocks) after B. A run confirms B no earlier than SETTLE seconds
after it has seen B for the first time, so A, if it lives, is in that listing, and B does not win, however long either run stalls, and wherever:
the rule looks at servers, not at runs. B could win only if it were settled, and nobody settles it for the same reason. What is
younger than a settled server loses to it for good. What is left is an API host whose clock is SETTLE seconds wrong *and*
runs that meet within a moment; even then both servers carry the mark and the token, and nothing is lost from sight.

A loser is removed by the run that made it only (the word of the run says so), never when it is settled itself (a run may have
finished with it), and not before the winner runs: when the winner fails, the loser is still there to take its place. A run that
is killed in between leaves a surplus server with the mark, which ``absent`` removes by its name.
"""
from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ...errors import FleetError
from ..actions import Order
from . import request
from .failures import bad_answer
from .refusals import refusal
from .shape import state_of
from .winner import candidates, told, winner

if TYPE_CHECKING:
    from ..base import Run
    from .region import Region

SETTLE = 3.0  # seconds between the first sight of a server and the decision that it counts
LOOKS = 4  # after a lost answer, before it is taken for a request that was never carried out
SETTLINGS = 3  # tries to settle a server whose cloud does not keep it
POLL = 1.0  # seconds
WINNER = 300.0  # seconds to wait for another run's server to run
PAGE = 1000

_PLAIN = re.compile(r"[ -~]+")


class Creation:
    """Makes servers in one region, and settles which one counts."""

    def __init__(self, region: Region, run: Run, *, sleep: Callable[[float], None] = time.sleep,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._region = region
        self._patience = run.patience
        self._note = run.note
        self._sleep = sleep
        self._clock = clock
        self._lock = threading.Lock()
        self._words: set[str] = set()  # of requests of ours
        self._seen: dict[str, float] = {}  # id of a server -> when it was seen first

    # -- asking ------------------------------------------------------------------------------------------------
    def create(self, order: Order, groups: list[str] | None) -> str:
        """Id of the server for the order: one that is there, else a new one. Raises FleetError."""
        there = winner(self.of_order(order))
        if there is not None:
            return str(there["id"])
        word = uuid.uuid4().hex
        made = self._ask(order, word, groups)
        servers = self.of_order(order)
        best = winner(servers)
        if best is not None and best["id"] != made and told(best, request.SETTLED) is not None:
            self._remove_own(servers, word, str(best["id"]))
            return str(best["id"])
        return made

    def _ask(self, order: Order, word: str, groups: list[str] | None) -> str:
        """Send the request, again when it is sure that nothing came of it."""
        what = f"make node {order.name}"
        body = request.body(order, word, minor=self._region.compute_minor(), groups=groups)
        with self._lock:
            self._words.add(word)
        status, answer = self._region.post(
            "compute", "/servers", body, what=what, ok=(400, 403, 404, 409, 413), look=lambda: self._look_for(order))
        if status >= 400:
            raise refusal(what, status, answer)
        made = answer.get("server")
        if not isinstance(made, Mapping) or not isinstance(made.get("id"), str):
            found = self._look_for(order)
            if found is None:
                raise bad_answer(what, "the answer names no server")
            made = found[1]["server"]
        return str(made["id"])

    def _look_for(self, order: Order) -> tuple[int, dict[str, Any]] | None:
        """The server of a request whose answer was lost; it may show up a moment later."""
        for attempt in range(LOOKS):
            there = winner(self.of_order(order))
            if there is not None:
                return 202, {"server": dict(there)}
            if attempt + 1 < LOOKS:
                self._wait(POLL / 2 * (attempt + 1))
        return None

    # -- settling ----------------------------------------------------------------------------------------------
    def confirm(self, order: Order, node_id: str) -> str:
        """Id of the server that counts; a surplus one that was made here is removed. Raises FleetError (timeout) when another
        run's server does not run in time."""
        ends = self._clock() + WINNER
        self._wait_settling(self.of_order(order))
        settling = 0
        while True:
            servers = self.of_order(order)
            best = winner(servers)
            if best is None:
                return node_id
            pending = state_of(best) == "pending"
            if not pending and told(best, request.SETTLED) is None and settling < SETTLINGS:
                settling += 1
                self._settle(str(best["id"]))
                continue
            if best["id"] == node_id or not pending:
                mine = next((told(server, request.RUN) for server in servers if server["id"] == node_id), None)
                self._remove_own(servers, mine, str(best["id"]))
                return str(best["id"])
            if self._clock() >= ends:
                raise FleetError(
                    f"make node {order.name}", why=f"another run made {best['id']} for the same node, which does not run", code="timeout",
                    fix="Run again when it runs, or remove it.")
            self._wait(POLL)

    def _wait_settling(self, servers: list[Mapping[str, Any]]) -> None:
        """Wait until the servers on which nobody has agreed yet have been known for SETTLE seconds."""
        with self._lock:
            seen = [self._seen[str(server["id"])] for server in servers if told(server, request.SETTLED) is None]
        left = max((when + SETTLE - self._clock() for when in seen), default=0.0)
        if left > 0:
            self._wait(left)

    def _settle(self, server_id: str) -> None:
        self._region.send(
            "PUT", "compute", f"/servers/{server_id}/metadata/{request.SETTLED}", {"meta": {request.SETTLED: "true"}},
            what=f"settle node {server_id}", ok=(404, 409))

    def _remove_own(self, servers: list[Mapping[str, Any]], word: str | None, keep: str) -> None:
        """Remove what a request of ours has made beside the one to keep. word: of the request."""
        with self._lock:
            if word not in self._words:
                return
        for server in servers:
            if told(server, request.RUN) == word and server["id"] != keep and told(server, request.SETTLED) is None:
                self.remove(str(server["id"]))
                self._note(f"removed {server['id']}: {keep} was made for the same node at the same time")

    # -- requests ----------------------------------------------------------------------------------------------
    def of_order(self, order: Order) -> list[Mapping[str, Any]]:
        """The living servers made for the order."""
        query: dict[str, Any] = {"limit": PAGE}
        if _PLAIN.fullmatch(order.name):  # as in the listing: "." for all but letters and digits is right in each database
            query["name"] = "^" + re.sub(r"[^A-Za-z0-9]", ".", order.name) + "$"
        what = f"look for node {order.name}"
        rows = [row for page in self._region.pages("compute", "/servers/detail", "servers", query, what=what) for row in page]
        found = candidates(rows, order.token)
        with self._lock:
            for server in found:
                self._seen.setdefault(str(server["id"]), self._clock())
        return found

    def remove(self, server_id: str) -> None:
        """Ask for the end of a server; one that is gone is no failure."""
        what = f"remove node {server_id}"
        status, body = self._region.send("DELETE", "compute", f"/servers/{server_id}", what=what, ok=(404, 409))
        if status == 409:
            raise refusal(what, status, body, "Wait until the cloud has done what it is busy with (or unlock the server), and run again.")

    def _wait(self, seconds: float) -> None:
        if seconds >= self._patience.remaining():
            raise self._patience.out_of_time()
        self._sleep(seconds)
