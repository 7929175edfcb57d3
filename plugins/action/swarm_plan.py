# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What each node of a swarm has to do: decided on the controller, for all at once, from what module swarm_facts told of each."""
from __future__ import annotations

import json
import tarfile
from typing import Any, ClassVar

from ansible.module_utils.common.validation import check_type_dict
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster.swarm_look import bare
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster.swarm_store import SEALED, locked
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._action.deciding import NAMES, Deciding
from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster import inventory, swarm_plan
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.config import plain

THROUGH = "through"
"""At the end of the name under which the facts of the member outside of the run are registered."""


class ActionModule(Deciding):
    """Documented in plugins/modules/swarm_plan.py."""

    _requires_connection = False

    arguments: ClassVar = {
        "purpose": {"type": "str", "choices": ["present", "upgrade", "backup", "restore"], "default": "present"},
        "members": {"type": "list", "elements": "dict", "required": True},
        "registered": {"type": "str", "default": ""},
        "through": {"type": "str", "default": ""},
        "copy": {"type": "path"},
        "rejoin": {"type": "bool", "default": False},
        "has_key": {"type": "bool", "default": False},
        "needs": NAMES, "pools": NAMES, "avoid": NAMES, "leaving": NAMES,
    }

    def work(self) -> dict[str, Any]:
        if self.given["purpose"] == "restore":
            return {"node": swarm_plan.restore_node(self.given["members"], _address_of(str(self.given["copy"])))}
        hosts = self.vars.get("hostvars") or {}
        through = self._through()
        seen = {str(row["name"]): self._seen(hosts, str(row["name"])) for row in self.given["members"]}
        silent = [name for name, facts in seen.items() if not facts]
        if silent:
            raise FleetError(f"{', '.join(silent)}: not looked at", why="a host failed or is not in this run", code="unreachable",
                             fix="A swarm is set up in one run over all of its members, without --limit.")
        if self._task.check_mode:  # the engine that a run would have installed by now
            seen = {name: facts if facts["answers"] else {**facts, "answers": True, "state": "inactive"} for name, facts in seen.items()}
        members = [swarm_plan.Member(row["name"], str(row.get("ip") or ""), str(row.get("role") or "worker"), seen[row["name"]])
                   for row in self.given["members"]]
        if self.given["purpose"] == "upgrade":
            return {"order": swarm_plan.upgrade_order(members), "halfway": swarm_plan.halfway(members)}
        if self.given["purpose"] == "backup":
            return {"node": swarm_plan.backup_node(members)}
        limit = str(plain(self.vars.get("ansible_limit") or ""))
        going = swarm_plan.leaving(members, self._leaving(hosts))
        plan = swarm_plan.decide(members, self.given["rejoin"], self.given["has_key"], limit, through, {str(row["id"]) for row in going})
        lacks = swarm_plan.lacking(members, self.given["needs"])
        pools, why = swarm_plan.address_pool(members, self.given["pools"], [*inventory.networks(self.vars), *self.given["avoid"]])
        managers = [one.ip for one in members if one.seen.get("manager") and plan.steps[one.name] == "nothing"]
        first = next((one.ip for one in members if one.name == plan.first), "")
        coming = [one for one in members if one.name != through]
        told: dict[str, Any] = {
            "first": plan.first, "keeper": coming[0].name if plan.first in ("", through) else plan.first, "steps": dict(plan.steps),
            "stale": list(plan.stale), "old": list(plan.old),
            "notes": list(plan.notes), "lacks": lacks, "pools": pools, "why": why, "managers": managers or [first],
            "unlocking": plan.doing("unlock"), "rejoining": plan.doing("rejoin"), "wishes": swarm_plan.wishes(coming, self._wanted(hosts)),
            "leaving": going, "joining": [one.name for one in members if plan.steps[one.name] in ("join", "rejoin")]}
        if plan.notes or lacks:
            told["warnings"] = [*plan.notes, *lacks]
        return told

    def _through(self) -> str:
        """Name of the member through whom the hosts of the run join; empty where the run has it."""
        name = str(self.given["through"])
        return "" if name in (plain(self.vars.get("ansible_play_hosts_all")) or ()) else name

    def _seen(self, hosts: Any, name: str) -> dict[str, Any]:
        """What a member told; of the one outside of this run the run's own hosts know it."""
        outside = name == self._through()
        told = plain(self.vars.get(f"{self.given['registered']}_{THROUGH}") if outside else hosts[name].get(self.given["registered"])) or {}
        seen: dict[str, Any] = told.get("swarm") or {}
        return seen

    def _wanted(self, hosts: Any) -> dict[str, dict[str, Any]]:
        """What each member's labels and availability are made of."""
        told = {}
        for row in self.given["members"]:
            variables = hosts[row["name"]]
            told[row["name"]] = {"labels": {**{name: plain(variables.get(f"fleet_{name}")) for name in swarm_plan.LABELS},
                                            **check_type_dict(plain(variables.get("docker_swarm_labels")) or {})},
                                 "availability": plain(variables.get("docker_swarm_availability")) or ""}
        return told

    def _leaving(self, hosts: Any) -> dict[str, list[str]]:
        """Each host that leaves, with all by which the swarm may know it."""
        told = {}
        for name in self.given["leaving"]:
            variables = hosts[name] if name in hosts else {}  # noqa: SIM401 - hostvars has no get
            seen = self._seen(hosts, name) if variables else {}
            words = (seen.get("id"), name, variables.get("fleet_cluster_ip"), variables.get("fleet_private_ipv4"))
            told[name] = [str(plain(word)) for word in words if word]
        return told


def _address_of(path: str) -> str:
    """The address that the manager had of which this is a copy. Raises FleetError."""
    try:
        with tarfile.open(path, "r:gz") as archive:
            kept = archive.extractfile("swarm/docker-state.json")
            told = json.loads(kept.read()) if kept else {}
            sealed = locked(archive)
    except (OSError, KeyError, ValueError, tarfile.TarError) as failure:
        raise FleetError(f"{path}: not a copy of a swarm", why=str(failure), code="argument",
                         fix="Name a file that playbook cluster_backup made.") from None
    if sealed:
        raise FleetError(f"{path}: {SEALED}", code="argument",
                         fix="Take another copy. With autolock, docker_swarm_backup_unlocked makes one that is of use.")
    return bare(str(told.get("AdvertiseAddr") or ""))
