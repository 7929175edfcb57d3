# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The proof of steps 7 and 8, from fresh connections: the fleet's key opens, the node's own key and passwords are refused."""
from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.hybridops.fleet.plugins.plugin_utils._access import answers, ssh
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access.action import AccessAction
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access.answers import Answer
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access.proofs import Prover

SUDO = f"sudo -n true && echo {answers.MARKER}"


class ActionModule(AccessAction):
    """Changes nothing."""

    options: ClassVar[dict[str, Any]] = {"users": {"type": "list", "elements": "str", "default": []}}

    def work(self) -> dict[str, Any]:
        client = self.client()
        admin = self.given["admin_user"]

        def connect(user: str, key: str | None) -> Answer:
            return client.try_login(user, key, methods="publickey" if key else "none")

        proof = Prover(connect, lambda: self._sudo(client), self.sleep).prove(
            admin=admin, users=[user for user in self.given["users"] if answers.USER_NAME.fullmatch(user)], node_key=self.node_key(),
            node_key_is="same" if self.node_key_is_fleets() else "")
        result = {"changed": False, "fleet_key": proof.fleet_key, "node_key": proof.node_key, "password": proof.password, "evidence": proof.evidence,
                  "variables": {"ansible_user": admin, "ansible_ssh_private_key_file": self.given["private_key_file"], **self.later(client.way)}}
        if proof.failures:
            return {**result, "failed": True, "code": "not_proved", "msg": f"{self.host}: not proved: " + "; ".join(proof.failures)}
        return result

    def _sudo(self, client: ssh.Client) -> Answer:
        return client.try_login(self.given["admin_user"], self.given["private_key_file"], remote=SUDO)
