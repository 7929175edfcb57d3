# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step 7: the fleet's admin in and passwords off, taken back by the node itself unless a fresh connection confirms it."""
from __future__ import annotations

import re
from typing import Any, ClassVar

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access import keys
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access.action import LOGIN, AccessAction
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access.switch import Switch


class ActionModule(AccessAction):
    """Changes the node; in check mode it only says what it would change."""

    options: ClassVar[dict[str, Any]] = {
        **LOGIN,
        "authorized_keys": {"type": "list", "elements": "str", "required": True, "no_log": False},
        "root_login": {"type": "str", "choices": ["no", "prohibit-password"], "default": "no"},
        "seconds": {"type": "int", "default": 60},
        "wait": {"type": "int", "default": 180},
    }

    def work(self) -> dict[str, Any]:
        given = self.given
        lines = keys.lines(given["authorized_keys"])
        self._check(lines)
        client = self.client()
        turned = Switch(
            run=self.run_on_node(client), clock=self.clock, sleep=self.sleep, say=self.say, host=self.host,
            login=(given["login_user"], given["login_private_key_file"]), admin=given["admin_user"], fleet_key=given["private_key_file"],
            keys=lines, root=given["root_login"], seconds=given["seconds"], wait=given["wait"], check=self._task.check_mode).turn()
        for note in turned.pop("notes"):
            self._display.warning(f"{self.host}: {note}")
        return turned

    def _check(self, lines: list[str]) -> None:
        if not lines:
            raise FleetError(f"{self.host}: step 7", why="access_authorized_keys is empty, so nobody could log in any more", code="argument",
                             fix="Give the fleet's public keys.")
        if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", self.given["admin_user"]) or self.given["admin_user"] == "root":
            raise FleetError(f"{self.host}: step 7", why=f"'{self.given['admin_user']}' cannot be the admin's account", code="argument",
                             fix="Choose a name of small letters and digits, other than root, as access_admin_user.")
        if not 10 <= self.given["seconds"] <= 3600:
            raise FleetError(f"{self.host}: step 7", why=f"access_switch_seconds is {self.given['seconds']}", code="argument",
                             fix="Choose 10 to 3600 seconds.")
        mine = keys.public_part(self.given["private_key_file"])
        if mine and mine not in {keys.blob(line) for line in lines}:
            raise FleetError(
                f"{self.host}: step 7", code="wrong_key",
                fix="Add its public part to access_authorized_keys, or name another access_private_key_file.",
                why=f"{self.given['private_key_file']} belongs to none of access_authorized_keys, so it could not open the node; nothing was changed")
