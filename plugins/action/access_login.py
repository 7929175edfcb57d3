# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step 6: find the account that opens a node, its host key checked from the first connection on."""
from __future__ import annotations

import datetime
import os
from typing import Any, ClassVar

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access import candidates, keys, known_hosts, login, route, ssh
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access.action import AccessAction

YOUNG = 600  # seconds in which a new node's key may still be on its way


class ActionModule(AccessAction):
    """Tries accounts, each once; changes nothing on the node."""

    options: ClassVar[dict[str, Any]] = {
        "candidates": {"type": "list", "elements": "str", "default": []},
        "host_keys": {"type": "list", "elements": "str", "default": []},
        "wait": {"type": "int", "default": 180},
        "attempts": {"type": "int", "default": 8},
    }

    def work(self) -> dict[str, Any]:
        client = self.client()
        told = self._keep_told(client)
        user, own_key = self._option("remote_user"), self._own_key()
        known = candidates.Known(
            user=str(user) if user else None, admin=self.given["admin_user"], fleet_key=self.given["private_key_file"], node_key=self.node_key(),
            operator=tuple(self.given["candidates"]), own_key=own_key, node=self.given["node"])
        search = login.Search(
            connect=client.try_login, clock=self.clock, sleep=self.sleep, say=self.say, wait=self.given["wait"], most=self.given["attempts"],
            young=self._young(), host=self.host)
        found = search.find(candidates.attempts(known))
        # the key that the machine was handed over with goes in step 8, as the one that was made for a node
        first_key = own_key if own_key and found.attempt.key == own_key != self.given["private_key_file"] else self.node_key()
        name = route.key_name(client.way)
        now = known_hosts.keys_of(known_hosts.read(client.way.known_hosts), name)
        return {
            "changed": bool(told or client.learned),
            "user": found.attempt.user,
            "private_key_file": found.attempt.key,
            "node_private_key_file": first_key or "",
            "node_public_key": keys.public_line(self.node_key()),
            "why": found.attempt.why,
            "tried": [row.as_dict() for row in found.tried],
            "known_as": name,
            "host_keys": [f"{kind} {known_hosts.fingerprint((kind, blob))}" for kind, blob in now],
            "host_keys_from": "cloud" if self._told() else "first use" if any(row[0] == name for row in client.learned) else "known",
            "learned": sorted({row[0] for row in client.learned}),
            "variables": {"ansible_user": found.attempt.user, "ansible_ssh_private_key_file": found.attempt.key, **self.later(client.way)},
        }

    def _own_key(self) -> str | None:
        """The private key file that the inventory, or Ansible's configuration, names for connections; None when it is not there."""
        path = os.path.abspath(os.path.expanduser(str(self._option("private_key_file") or "")))
        return path if os.path.isfile(path) else None

    def _told(self) -> list[known_hosts.Key]:
        texts = [*self.given["host_keys"], *(self.given["node"].get("host_keys") or [])]
        return [key for key in map(known_hosts.parse_key, map(str, texts)) if key]

    def _keep_told(self, client: ssh.Client) -> bool:
        """Keep the keys that the cloud tells, before the first connection; whether the file changed."""
        told = list(dict.fromkeys(self._told()))
        if not told:
            if self.given["host_keys"]:
                raise FleetError(f"{self.host}: keep the host keys", why="access_host_keys holds no key", code="argument",
                                 fix="Write them as 'ssh-ed25519 AAAA...'.")
            return False
        name = route.key_name(client.way)
        return known_hosts.change(
            client.way.known_hosts,
            lambda lines: lines if set(told) == set(known_hosts.keys_of(lines, name)) else known_hosts.replaced(lines, name, told))

    def _young(self) -> bool:
        created = self.given["node"].get("created")
        try:
            moment = datetime.datetime.fromisoformat(str(created).replace("Z", "+00:00"))
        except ValueError:
            return False
        moment = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
        return (datetime.datetime.now(datetime.UTC) - moment).total_seconds() < YOUNG
