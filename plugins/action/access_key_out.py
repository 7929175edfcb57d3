# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step 8 on the node: its own key out of every authorized_keys."""
from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access import answers, keys, node_script
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access.action import LOGIN, AccessAction
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access.node_script import Values


class ActionModule(AccessAction):
    """Changes authorized_keys files; in check mode it only says which."""

    options: ClassVar[dict[str, Any]] = {
        **LOGIN,
        "authorized_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
        "public_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
        "wait": {"type": "int", "default": 180},
    }

    def work(self) -> dict[str, Any]:
        given = self.given
        fleet = {keys.blob(line) for line in keys.lines(given["authorized_keys"])} | {keys.public_part(given["private_key_file"])}
        node_key = self.node_key()
        mine = keys.public_part(node_key) if node_key else None
        if node_key and not mine:
            raise FleetError(
                f"{self.host}: step 8", why=f"the public part of {node_key} cannot be read", code="key_file",
                fix="It must be a private key without a passphrase, or have its .pub file beside it.")
        out = dict.fromkeys(text for text in (mine, *map(keys.blob, keys.lines(given["public_keys"]))) if text)
        kept = [text for text in out if text in fleet]
        wanted = [text for text in out if text not in fleet]
        if not wanted:
            why = "the node's key is one of the fleet's" if kept or self.node_key_is_fleets() else "no key of the node's own is known here"
            return {"changed": False, "did": [], "skipped_because": why}
        did = self._take_out(wanted)
        return {"changed": bool(did), "did": did}

    def _take_out(self, blobs: list[str]) -> list[str]:
        given = self.given
        run = self.run_on_node(self.client())
        end = self.clock() + given["wait"]
        values = Values("key_out", given["admin_user"], out=blobs, check=self._task.check_mode)
        done: list[str] = []
        pause = 1.0
        while True:
            answer, report = run(given["login_user"], given["login_private_key_file"], values, 60.0)
            done += [word for word in report.did if word not in done]
            waits = answer.kind in answers.SILENT | {answers.OPEN} and not report.error and not report.ended
            if not waits or self.clock() + pause >= end:
                node_script.check(report, self.host, "step 8, the node's key out", answer.text)
                return done
            self.sleep(pause)
            pause = min(pause * 2, 8.0)
