# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A node's container engine: look there, decide here what it needs and how it is set, have it written there."""
from __future__ import annotations

import json
from typing import Any, ClassVar

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._action.deciding import NAMES, Deciding
from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster import engine_plan, inventory

OPTIONS: dict[str, Any] = {
    "engine": {"type": "str", "choices": ["docker", "containerd"], "default": "docker"},
    "source": {"type": "str", "choices": ["distribution", "vendor"], "default": "distribution"},
    "version": {"type": "str", "default": ""},
    "packages": NAMES,
    "repository": {"type": "dict", "apply_defaults": True, "options": {
        name: {"type": "str"} for name in ("url", "suite", "components", "key", "options")}},
    "cgroup_driver": {"type": "str", "choices": ["systemd", "cgroupfs"], "default": "systemd"},
    "log_driver": {"type": "str", "default": "json-file"},
    "log_size": {"type": "str", "default": "20m"},
    "log_files": {"type": "int", "default": 5},
    "registry_mirrors": NAMES,
    "insecure_registries": NAMES,
    "live_restore": {"type": "str", "choices": ["auto", "true", "false"], "default": "auto"},
    "swarm": {"type": "bool", "default": False},
    "mtu": {"type": "int", "default": 0},
    "address_pools": NAMES,
    "avoid": NAMES,
    "users": NAMES,
    "settings": {"type": "dict", "default": {}},
    "containerd_settings": {"type": "dict", "default": {}},
    "sandbox_image": {"type": "str", "default": ""},
    "registry_hosts": {"type": "list", "elements": "dict", "default": [], "options": {
        "registry": {"type": "str", "required": True},
        "server": {"type": "str"},
        "mirrors": {"type": "list", "elements": "dict", "default": [], "options": {
            "url": {"type": "str", "required": True},
            "capabilities": {"type": "list", "elements": "str", "choices": ["pull", "resolve", "push"], "default": ["pull", "resolve"]},
            "skip_verify": {"type": "bool", "default": False}}}}},
    "timeout": {"type": "int", "default": 90},
}
"""As the role's variables, without container_engine_."""


class ActionModule(Deciding):
    """Documented in plugins/modules/container_engine.py."""

    arguments: ClassVar = {
        "state": {"type": "str", "choices": ["surveyed", "planned", "present", "absent", "restarted"], "default": "present"},
        "options": {"type": "dict", "apply_defaults": True, "options": OPTIONS},
        "data": {"type": "dict", "default": {}},
        "facts": {"type": "dict"},
    }

    def work(self) -> dict[str, Any]:
        options = self.given["options"]
        state = self.given["state"]
        if state == "surveyed":
            return {"changed": False, "networks": inventory.networks(self.vars)}
        if state == "restarted":
            wanted = {"engine": options["engine"], "state": "restarted", "timeout": options["timeout"]}
            return self.node_module("hybridops.fleet.engine_config", wanted)
        if state == "absent":
            return self.node_module("hybridops.fleet.engine_config", {"engine": options["engine"], "state": "absent"})
        facts = self.given["facts"] or self._look()
        if state == "planned":
            return self._plan(self._listed(facts))
        if options["engine"] == "containerd":
            facts = self._look() if not facts["containerd"]["version"] and not self._task.check_mode else facts
            settings = engine_plan.containerd_settings(facts, options)
            return self._write(settings, engine_plan.registry_hosts(options["registry_hosts"]))
        pools, why = engine_plan.address_pools(facts, options)
        return {**self._write(engine_plan.docker_settings(facts, options, pools), {}), "pools": [row["base"] for row in pools], "why": why}

    def _plan(self, facts: dict[str, Any]) -> dict[str, Any]:
        options = self.given["options"]
        if not facts.get("manager"):
            raise FleetError(f"{self.host}: container engine", why="it has neither apt nor dnf", code="unsupported",
                             fix="Install the engine yourself.")
        entry = engine_plan.distribution(facts, self.given["data"], self.host)
        names = engine_plan.packages(facts, entry, options)
        bare = [name.partition("=")[0] for name in names]
        unknown = (facts.get("users") or {}).get("unknown")
        if unknown:
            raise FleetError(f"{self.host}: container_engine_users names accounts that do not exist: {', '.join(unknown)}", code="argument",
                             fix="Make them first, or take them out of the list.")
        others = [name for name in entry.get("others", {}).get(options["source"], ())
                  if name in (facts.get("packages") or {}).get("installed", {}) and not options["packages"]]
        held = (facts.get("packages") or {}).get("held") or ()
        return {"changed": False, "facts": facts, "packages": names, "names": bare, "unlisted": _unlisted(facts),
                "outdated": bool(others) or engine_plan.outdated(facts, bare[0], options["version"]),
                "repository": engine_plan.repository(facts, entry, options),
                "unheld": [name for name in bare if name not in held], "present": bool(facts[options["engine"]]["version"]),
                "others": others, "clustered": facts["docker"]["swarm"] != "inactive" or bool(facts.get("kubernetes"))}

    def _listed(self, facts: dict[str, Any]) -> dict[str, Any]:
        """The facts once the package manager has lists; in check mode nothing is fetched. A vendor's lists come with its repository."""
        if self._task.check_mode or not _unlisted(facts) or self.given["options"]["source"] == "vendor":
            return facts
        self.node_module("ansible.builtin.apt", {"update_cache": True, "lock_timeout": 300})
        return self._look()

    def _look(self) -> dict[str, Any]:
        options = self.given["options"]
        names = [str(name) for name in options["packages"]]
        for entry in self.given["data"].values():
            for source in ("distribution", "vendor"):
                names += entry.get(source, {}).get(options["engine"], ())
            names += [*entry.get("optional", {}).get(options["engine"], ()), *entry.get("others", {}).get(options["source"], ())]
        facts: dict[str, Any] = self.node_module("hybridops.fleet.engine_facts", {
            "packages": sorted(set(names)), "users": options["users"]})["facts"]
        return facts

    def _write(self, settings: dict[str, Any], hosts: dict[str, Any]) -> dict[str, Any]:
        return self.node_module("hybridops.fleet.engine_config", {
            "engine": self.given["options"]["engine"], "settings": json.dumps(settings), "registry_hosts": json.dumps(hosts)})


def _unlisted(facts: dict[str, Any]) -> bool:
    """Whether apt knows none of the engines' packages: a fresh image has no lists."""
    return facts.get("manager") == "apt" and not (facts.get("packages") or {}).get("known")
