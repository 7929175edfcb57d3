# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Steps 6 to 8 over ssh, by the functions of role access."""
from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.records import as_dict
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access import answers, candidates, keys, known_hosts, login, node_script, route, ssh
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access.answers import Answer
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access.node_script import Report, Values
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access.proofs import Proof, Prover
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access.switch import Switch

from . import reach
from .judging import Door
from .shell import Access

ADMIN = "fleet"
SUDO = f"sudo -n true && echo {answers.MARKER}"
CONNECT = 10  # seconds for one connection to be answered
SWITCH = 60  # seconds after which the node takes a change back that nobody confirmed


class OpenSsh:
    """The shell interface with the OpenSSH client. sleep: raises when the run is to end."""

    def __init__(self, sleep: Callable[[float], None], say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._sleep = sleep
        self._say = say
        self._clock = clock

    def login(self, access: Access) -> Door:
        client = self._client(access)
        self._keep(client, access.host_keys)
        known = candidates.Known(user=access.predicted, admin=ADMIN, fleet_key=access.fleet_key_file, node_key=access.key_file,
                                 node=as_dict(access.node))
        # the fleet's key is not on a node that was just made
        attempts = [row for row in candidates.attempts(known) if row.key == access.key_file]
        search = login.Search(connect=client.try_login, clock=self._clock, sleep=self._sleep, say=self._say, wait=access.timeout, young=True,
                              host=access.host)
        try:
            found = search.find(attempts)
        except FleetError as failure:
            if failure.code != "login":
                raise
            return Door(access.predicted, None, told=failure.why)
        tried = [row.user for row in search.tried if row.user != found.attempt.user]
        hint = f"{found.attempt.why}; refused: {', '.join(tried)}" if tried else ""
        return Door(access.predicted, found.attempt.user, hint, found.attempt.why)

    def harden(self, access: Access, user: str) -> list[str]:
        client = self._client(access)
        done = Switch(
            run=self._runner(client), clock=self._clock, sleep=self._sleep, say=self._say, host=access.host, login=(user, access.key_file),
            admin=ADMIN, fleet_key=access.fleet_key_file, keys=[access.fleet_public_key], root="no", seconds=SWITCH, wait=access.timeout).turn()
        return list(done["did"])

    def take_out(self, access: Access) -> list[str]:
        blob = keys.public_part(access.key_file)
        run = self._runner(self._client(access))
        answer, report = run(ADMIN, access.fleet_key_file, Values("key_out", ADMIN, out=[blob] if blob else []), 60.0)
        node_script.check(report, access.host, "the node's key out", answer.text)
        return list(report.did)

    def prove(self, access: Access, users: Sequence[str]) -> Proof:
        client = self._client(access)
        self._await(client, access)
        prover = Prover(
            lambda user, key: client.try_login(user, key, methods="publickey" if key else "none"),
            lambda: client.try_login(ADMIN, access.fleet_key_file, remote=SUDO), self._sleep)
        return prover.prove(admin=ADMIN, users=users, node_key=access.key_file)

    # -- connections -------------------------------------------------------------------------------------------
    def _client(self, access: Access) -> ssh.Client:
        """Raises FleetError (no_route) before a packet is sent where none could arrive."""
        if not any("proxy" in word.lower() or word.startswith("-J") for word in access.arguments):
            lost = reach.why_not(access.host)
            if lost:
                raise FleetError(f"log in to {access.host}", why=f"no route to the host: {lost}", code="no_route",
                                 fix="Run it where the nodes are reached, name a bastion in the fleet file, or leave the checks that log in out "
                                     "(ssh: false).")
        way = ssh.plan(
            ssh="ssh", host=access.host, port=access.port, operator=access.arguments, alias=route.alias_for(access.node.cloud, access.node.id),
            known_hosts_file=access.known_hosts, connect_timeout=CONNECT, hop_keys=[])
        return ssh.Client(way)

    @staticmethod
    def _keep(client: ssh.Client, told: Sequence[str]) -> None:
        """Keep the keys that the cloud tells, before the first connection."""
        found = list(dict.fromkeys(key for key in map(known_hosts.parse_key, told) if key))
        if found:
            name = route.key_name(client.way)
            known_hosts.change(client.way.known_hosts, lambda lines: known_hosts.replaced(lines, name, found))

    def _await(self, client: ssh.Client, access: Access) -> None:
        """Wait for a node that boots; what answers is judged by the proof."""
        ends = self._clock() + access.timeout
        while client.try_login(ADMIN, access.fleet_key_file).kind in (answers.UNREACHABLE, answers.BOOTING):
            if self._clock() >= ends:
                raise FleetError(f"log in to {access.host}", why=f"no answer within {access.timeout:g} s", code="unreachable",
                                 fix="Look at the node's console.")
            self._sleep(3.0)

    @staticmethod
    def _runner(client: ssh.Client) -> Callable[[str, str, Values, float], tuple[Answer, Report]]:
        def run(user: str, key: str, values: Values, timeout: float) -> tuple[Answer, Report]:
            answer, done = client.run_script(user, key, node_script.REMOTE, node_script.script(values), timeout=timeout)
            return answer, node_script.parse(done.out)

        return run
