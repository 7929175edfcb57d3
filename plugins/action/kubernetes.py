# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A node of a Kubernetes cluster: look there, decide here for all members, have the steps made there."""
from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._action.deciding import Deciding
from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster import kubernetes_config as config
from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster import kubernetes_files as files
from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster import kubernetes_plan as planning
from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster import kubernetes_upgrade as upgrading
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.config import plain

SEEN, TICKET = "kubernetes_seen", "kubernetes_ticket"
FACTS = "hybridops.fleet.kube_facts"


class ActionModule(Deciding):
    """Documented in plugins/modules/kubernetes.py."""

    arguments: ClassVar = {
        "state": {"type": "str", "choices": ["looked", "planned", "prepared", "initialized", "joined", "left", "upgrade_planned"],
                  "required": True},
        "options": {"type": "dict", "default": {}},
        "program": {"type": "path", "default": ""},
    }

    def work(self) -> dict[str, Any]:
        told: dict[str, Any] = getattr(self, "_" + self.given["state"])()
        return told

    # ------------------------------------------------------------------------------------------------ the states
    def _looked(self) -> dict[str, Any]:
        before = time.time()
        facts = self.node_module(FACTS, {})["facts"]
        return {"changed": False, "facts": facts, "clock": planning.clock(facts["time"], before, time.time())}

    def _planned(self) -> dict[str, Any]:
        members = self._members()
        if self.host in self._leaving():
            first = planning.leader(members) if any(member.leads for member in members) else None
            plan = planning.Plan(planning.node_name(self.host), "leave", first.name if first else "", {}, "")
        else:
            plan = planning.decide(members, self._wish())[self.host]
        return {"changed": False, **_told(plan), "leaving": sorted(map(planning.node_name, self._leaving()))}

    def _prepared(self) -> dict[str, Any]:
        member, plan = self._me(), self._plan()
        given = self.given["options"]
        wanted, units = [files.sysctl()], []
        if member.seen.get("modular"):
            wanted.append(files.modules())
        if not given["endpoint"]:
            more, unit = files.proxy(plan.control_planes)
            wanted += more
            units.append(unit)
        if given["network"] == "builtin":
            with open(self.given["program"], encoding="utf-8") as file:
                more, unit = files.network(file.read(), given["pods"], member.node, member.ip, given["mtu"])
            wanted += more
            units.append(unit)
        if "haproxy" not in (member.seen.get("packages") or {}):
            units.append({"name": "haproxy.service", "stopped": True})  # which came with the package, and has nothing to do
        missing = [name for name in ("overlay", "br_netfilter") if not (member.seen.get("features") or {}).get(name)]
        return self.node_module("hybridops.fleet.node_files", {
            "files": json.dumps(wanted), "units": json.dumps(units), "sysctl": files.SYSCTL, "kernel_modules": missing})

    def _initialized(self) -> dict[str, Any]:
        kubeadm = self._kubeadm()
        return self._make("init", config.init(self._cluster(kubeadm), self._node(), kubeadm))

    def _joined(self) -> dict[str, Any]:
        member, kubeadm = self._me(), self._kubeadm()
        if self._task.check_mode:
            return {"changed": True}
        ticket = self._ticket()
        return self._make("join", config.join(self._cluster(kubeadm), self._node(), kubeadm, ticket,
                                              control_plane=member.role == planning.CONTROL_PLANE))

    def _upgrade_planned(self) -> dict[str, Any]:
        plans = upgrading.decide(self._members(), str(self.given["options"]["version"]).lstrip("v"))
        return {"changed": False, **_told(plans[self.host])}

    def _left(self) -> dict[str, Any]:
        whole = bool(self.given["options"].get("whole"))
        return self.node_module("hybridops.fleet.kubeadm", {"step": "reset", "files": list(files.ALL), "units": list(files.UNITS), "whole": whole})

    # ------------------------------------------------------------------------------------------------ details
    def _make(self, step: str, text: str) -> dict[str, Any]:
        return self.node_module("hybridops.fleet.kubeadm", {"step": step, "config": text, "timeout": self.given["options"]["timeout"]})

    def _hosts(self) -> Mapping[str, Mapping[str, Any]]:
        hosts: Mapping[str, Mapping[str, Any]] = self.vars.get("hostvars") or {}
        return hosts

    def _members(self) -> list[planning.Member]:
        leaving = self._leaving()
        names = [str(name) for name in plain(self.vars.get("ansible_play_hosts_all") or []) if str(name) not in leaving]
        unseen = [name for name in names if "facts" not in (plain(self._hosts()[name].get(SEEN)) or {})]
        if unseen:
            raise FleetError("kubernetes: nothing was changed", why=f"{', '.join(unseen)} could not be looked at", code="unreachable",
                             fix="Bring them back, or take them out of the cluster first.")
        return [self._member(name) for name in names]

    def _leaving(self) -> set[str]:
        return {str(name) for name in self.given["options"].get("leaving") or ()}

    def _member(self, name: str) -> planning.Member:
        host = self._hosts()[name]
        keys = ("fleet_cluster_role", "fleet_cluster_ip", "fleet_provider", "fleet_region", "fleet_zone")
        told = {key: str(plain(host.get(key)) or "") for key in keys}
        seen = plain(host.get(SEEN)) or {}
        return planning.Member(name, told["fleet_cluster_role"], told["fleet_cluster_ip"], seen.get("facts") or {}, float(seen.get("clock") or 0),
                               told["fleet_provider"], told["fleet_region"], told["fleet_zone"])

    def _me(self) -> planning.Member:
        return self._member(self.host)

    def _wish(self) -> planning.Wish:
        given = self.given["options"]
        kubelet = given["kubelet"] or {}
        return planning.Wish(given["version"], given["pods"], given["services"], kubelet.get("failSwapOn") is False, bool(kubelet.get("resolvConf")),
                             given["proxy_mode"])

    def _plan(self) -> planning.Plan:
        told = plain(self.vars["kubernetes_plan"])
        return planning.Plan(**{name: told[name] for name in ("node", "step", "first", "control_planes", "version", "packages")})

    def _kubeadm(self) -> str:
        """Version of the kubeadm on the node, which was installed a moment ago perhaps."""
        seen = self.node_module(FACTS, {})["facts"] if not self._task.check_mode else self._me().seen
        return str((seen.get("versions") or {}).get("kubeadm") or self._plan().version or self.given["options"]["version"])

    def _cluster(self, kubeadm: str) -> config.Cluster:
        given = self.given["options"]
        return config.Cluster(
            name=given["name"], version=self._plan().version or kubeadm, endpoint=given["endpoint"] or f"127.0.0.1:{files.PROXY_PORT}",
            pods=given["pods"], services=given["services"], domain=given["domain"], repository=given["repository"], names=self._certificate_names(),
            proxy_mode=given["proxy_mode"], kubelet=given["kubelet"] or {}, proxy=given["proxy"] or {}, settings=given["cluster"] or {},
            schedulable=given["schedulable"])

    def _certificate_names(self) -> list[str]:
        """All by which somebody may come to the API: names and addresses of the control planes, and what the operator said."""
        found = list(self.given["options"]["names"] or [])
        for member in self._members():
            if member.role == planning.CONTROL_PLANE:
                host = self._hosts()[member.name]
                keys = ("ansible_host", "fleet_public_ipv4", "fleet_public_ipv6", "fleet_private_ipv4")
                found += [member.node, member.ip, *(str(plain(host.get(key)) or "") for key in keys)]
        return list(dict.fromkeys(name for name in found if name))

    def _node(self) -> config.Node:
        member, given = self._me(), self.given["options"]
        runtime = member.seen.get("runtime") or {}
        return config.Node(member.node, member.ip, runtime["socket"], runtime.get("cgroup_driver") or "systemd",
                           {**member.labels, **(given["labels"] or {})}, given["ignored"] or ())

    def _ticket(self) -> dict[str, str]:
        """Taken from the result that holds it, so that it is in no argument of a task."""
        told = plain(self._hosts()[self._plan().first].get(TICKET)) or {}
        if "ticket" not in told:
            raise FleetError(f"{self.host}: it cannot join", code="ticket",
                             why=f"{self._plan().first} gave no token: {told.get('msg', 'it was not made itself')}")
        ticket: dict[str, str] = told["ticket"]
        return ticket


def _told(plan: planning.Plan | upgrading.Upgrade) -> dict[str, Any]:
    """As a result has it: templates join lists with lists only."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(plan).items()}
