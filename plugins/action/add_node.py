# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Put a node into the running inventory as the inventory plugin would have shown it."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._action.fleet_module import FleetModule
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory import names
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.newcomer import Settings, host_of
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.trust import clean


class ActionModule(FleetModule):
    """Changes the inventory of this run, nothing else."""

    BYPASS_HOST_LOOP = True  # the inventory is one for all hosts
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        arguments = self._task.args
        node = arguments.get("node")
        if not isinstance(node, Mapping) or not {"id", "cloud", "name"} <= set(node):
            raise AnsibleActionFail("'node' must be a node as module node or node_info returns it.")
        try:
            settings = Settings.of(self._fleet_file(arguments, str(node["cloud"]), task_vars or {}), str(node["cloud"]))
        except FleetError as failure:
            raise AnsibleActionFail(str(failure)) from None
        name = self._name(node, task_vars or {})
        groups, variables = host_of(dict(node), settings)
        groups += [group for group in arguments.get("groups") or [] if group not in groups]
        known = self._known(name, task_vars or {})
        return {
            "changed": not known, "name": name,
            "add_host": {"host_name": name, "groups": groups, "host_vars": {**clean(variables), **(arguments.get("variables") or {})}},
        }

    def _fleet_file(self, arguments: Mapping[str, Any], cloud: str, task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """What the fleet file says of connections to that cloud's nodes; nothing without one."""
        path = arguments.get("fleet")
        if not path:
            return {}
        full = self._find(str(path))
        data = self._load(full, str(path))
        clouds = data.get("clouds") if isinstance(data, Mapping) else None
        if isinstance(clouds, Mapping):  # what another cloud lacks is none of this node's business
            data = {**data, "clouds": {name: entry for name, entry in clouds.items() if name == cloud}}
        return self._evaluated(data, full, task_vars)

    @staticmethod
    def _inventory_hosts(task_vars: Mapping[str, Any]) -> Mapping[str, Any]:
        """The hosts of the running inventory as they are, without evaluating the variables of each."""
        inventory = getattr(task_vars.get("hostvars"), "_inventory", None)
        hosts: Mapping[str, Any] = getattr(inventory, "hosts", {})
        return hosts

    def _name(self, node: Mapping[str, Any], task_vars: Mapping[str, Any]) -> str:
        """The name the node has in the inventory already, else its own, else its own with its id. Those that join with it are
        named together: none of them is in the inventory yet while a loop goes on."""
        hosts = self._inventory_hosts(task_vars)
        known = {(host.vars.get("fleet_cloud"), host.vars.get("fleet_id")): str(name) for name, host in hosts.items()
                 if not _renamed(host, str(name), node)}
        if (node["cloud"], node["id"]) in known:
            return known[node["cloud"], node["id"]]
        rows = {(row["cloud"], row["id"]): {**row, "tags": row.get("tags") or {}} for row in (node, *(self._task.args.get("among") or ()))}
        newcomers = {place: row for place, row in rows.items() if place not in known}
        assigned = names.assign(list(newcomers.values()), ["name"], taken=set(hosts), groups=set(task_vars.get("groups") or ()))
        return dict(zip(newcomers, assigned, strict=True))[node["cloud"], node["id"]]

    def _known(self, name: str, task_vars: Mapping[str, Any]) -> bool:
        return name in self._inventory_hosts(task_vars)


def _renamed(host: Any, name: str, node: Mapping[str, Any]) -> bool:
    """Whether the inventory has this node by a name of its own that is no longer its name: a machine that has just been bound. The
    next run will read its new name, and what the operator keeps for that name must hold in this one too."""
    told = host.vars.get("fleet_name")
    return bool(host.vars.get("fleet_id") == node["id"] and told == name and told != node["name"])
