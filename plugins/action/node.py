# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controller's part of module hybridops.fleet.node."""
from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._modules.node import OF_ALL
from ansible_collections.hybridops.fleet.plugins.plugin_utils._action.fleet_module import FleetModule
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.config import plain


class ActionModule(FleetModule):
    """Reads the fleet file. Hides user data. Shows the progress of each node."""

    progress = True

    def _fill_in(self, arguments: dict[str, Any], task_vars: Mapping[str, Any]) -> None:
        """User data may hold secrets, and Ansible would show them with the other keys of a node in a list. It goes as one text of
        its own, hidden as a whole: the user data of a few letters hides no other words of the result."""
        super()._fill_in(arguments, task_vars)
        hidden = {OF_ALL: arguments.pop("user_data")} if isinstance(arguments.get("user_data"), str) else {}
        if isinstance(arguments.get("nodes"), list):
            rows = [dict(row) if isinstance(row, Mapping) else row for row in arguments["nodes"]]
            for number, row in enumerate(rows):
                if isinstance(row, dict) and isinstance(row.get("user_data"), str):
                    hidden[str(number)] = row.pop("user_data")
            arguments["nodes"] = rows
        if hidden:
            arguments["hidden_user_data"] = json.dumps(plain(hidden))
