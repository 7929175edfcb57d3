# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A node of a Kubernetes cluster: look there, decide here for all members, have the steps made there."""
from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._action.deciding import NAMES, Deciding
from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster import kubernetes_config as config
from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster import kubernetes_files as files
from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster import kubernetes_plan as planning
from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster import kubernetes_store as storing
from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster import kubernetes_upgrade as upgrading
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.config import plain

SEEN, PLAN, TICKET, LEAD, COPY = "kubernetes_seen", "kubernetes_plan", "kubernetes_ticket", "kubernetes_lead", "kubernetes_copy"
FACTS = "hybridops.fleet.kube_facts"
EVER = 10 ** 9
"""Days that no certificate has left."""
OPTIONS: dict[str, Any] = {
    **{name: {"type": "str", "default": ""} for name in (
        "name", "version", "endpoint", "pods", "services", "domain", "network", "proxy_mode", "repository", "control_plane", "snapshot_schedule")},
    **{name: {"type": "int", "default": 0} for name in ("mtu", "snapshots", "certificate_days", "timeout")},
    **{name: {"type": "bool", "default": False} for name in ("schedulable", "whole")},
    **{name: {"type": "dict", "default": {}} for name in ("labels", "kubelet", "proxy", "cluster")},
    "names": NAMES, "ignored": NAMES, "leaving": NAMES}
"""As the role's variables, without kubernetes_; texts of a survey become what they mean."""


class ActionModule(Deciding):
    """Documented in plugins/modules/kubernetes.py."""

    arguments: ClassVar = {
        "state": {"type": "str", "required": True, "choices": [
            "looked", "planned", "leave_planned", "prepared", "initialized", "joined", "left", "upgrade_planned", "renewal_planned", "copy_planned",
            "saved", "restore_planned", "unpacked"]},
        "options": {"type": "dict", "apply_defaults": True, "options": OPTIONS},
        "programs": {"type": "path", "default": ""},
        "copy": {"type": "path", "default": ""},
    }

    def work(self) -> dict[str, Any]:
        told: dict[str, Any] = getattr(self, "_" + self.given["state"])()
        return told

    # ------------------------------------------------------------------------------------------------ looking, and deciding for all
    def _looked(self) -> dict[str, Any]:
        before = time.time()
        facts = self.node_module(FACTS, {})["facts"]
        return {"changed": False, "facts": facts, "clock": planning.clock(facts["time"], before, time.time())}

    def _planned(self) -> dict[str, Any]:
        leaving = sorted(self._leaving())
        members = self._members()
        plan = planning.decide(members, self._wish(), leaving)
        limit = str(plain(self.vars.get("ansible_limit") or ""))
        if plan.begins and limit:
            raise FleetError("kubernetes: nothing was changed", why=f"none of these hosts is in a cluster, and the run is limited to '{limit}'",
                             code="part", fix="Name a control plane of the cluster that they are to join in kubernetes_control_plane; or begin the "
                             "cluster without --limit, with fleet_cluster_hosts for its members.")
        renewing = storing.due(members, self.given["options"]["certificate_days"])
        return {**_told(plan), "names": self._certificate_names(members), "renewing": renewing}

    def _leave_planned(self) -> dict[str, Any]:
        return _told(planning.removal(self._members(), sorted(self._leaving())))

    def _upgrade_planned(self) -> dict[str, Any]:
        return _told(upgrading.decide(self._members(), self.given["options"]["version"].lstrip("v")))

    def _renewal_planned(self) -> dict[str, Any]:
        renewing = storing.due(self._members(), EVER)
        if not renewing:
            raise FleetError("kubernetes: nothing was changed", why="none of these hosts is a control plane", code="argument")
        return {"first": renewing[0], "renewing": renewing}

    def _copy_planned(self) -> dict[str, Any]:
        first, about = storing.about(self._members(), self.given["options"]["name"])
        return {"first": first, "about": about}

    def _restore_planned(self) -> dict[str, Any]:
        members = self._members()
        played = {member.name for member in members} | self._leaving()
        elsewhere = [name for name in map(str, plain((self.vars.get("groups") or {}).get("all") or [])) if name not in played]
        plan = storing.restore(members, storing.read(self.given["copy"]), self.given["options"]["name"], elsewhere)
        return {**_told(plan), "token": secrets.token_hex(8)}

    # ------------------------------------------------------------------------------------------------ steps of one node
    def _saved(self) -> dict[str, Any]:
        """Runs on the control plane that was chosen; its program is the one that the timer runs."""
        about = plain(self.vars[COPY])["about"]
        return self.node_module("hybridops.fleet.kube_store", {"state": "saved", "program": self._program("etcd_snapshot.py"), "about": about})

    def _unpacked(self) -> dict[str, Any]:
        plan: Mapping[str, Any] = self.vars[COPY]
        row = plain(plan["leads"][self.host])
        return self.node_module("hybridops.fleet.kube_store", {"state": "unpacked", "name": row["name"], "url": row["url"],
                                                               "cluster": plain(plan["cluster"]), "token": plain(plan["token"])})

    def _prepared(self) -> dict[str, Any]:
        seen, step, plan = self._seen(), self._step(), self._plan()
        given = self.given["options"]
        wanted, units = [files.sysctl()], []
        if seen.get("modular"):
            wanted.append(files.modules())
        if not given["endpoint"]:
            more, unit = files.proxy(plan["control_planes"])
            wanted += more
            units.append(unit)
        if given["network"] == "builtin":
            more, unit = files.network(self._program("pod_network.py"), given["pods"], step.node, step.ip, given["mtu"])
            wanted += more
            units.append(unit)
        absent: list[str] = []
        if step.role == planning.CONTROL_PLANE and given["snapshots"]:
            more, unit = files.snapshots(self._program("etcd_snapshot.py"), given["snapshot_schedule"], given["snapshots"])
            wanted += more
        else:
            absent, unit = files.no_snapshots()
        units.append(unit)
        if "haproxy" not in (seen.get("packages") or {}):
            units.append({"name": "haproxy.service", "stopped": True})  # which came with the package, and has nothing to do
        missing = [name for name in ("overlay", "br_netfilter") if not (seen.get("features") or {}).get(name)]
        return self.node_module("hybridops.fleet.node_files", {
            "files": json.dumps(wanted), "absent": absent, "units": json.dumps(units), "sysctl": files.SYSCTL, "kernel_modules": missing})

    def _initialized(self) -> dict[str, Any]:
        kubeadm = self._kubeadm()
        return self._make("init", config.init(self._cluster(kubeadm), self._node(), kubeadm))

    def _joined(self) -> dict[str, Any]:
        kubeadm = self._kubeadm()
        if self._task.check_mode:
            return {"changed": True}
        return self._make("join", config.join(self._cluster(kubeadm), self._node(), kubeadm, self._ticket(),
                                              control_plane=self._step().role == planning.CONTROL_PLANE))

    def _left(self) -> dict[str, Any]:
        return self.node_module("hybridops.fleet.kubeadm", {"step": "reset", "files": list(files.ALL), "units": list(files.UNITS),
                                                            "whole": self.given["options"]["whole"]})

    # ------------------------------------------------------------------------------------------------ members
    def _hosts(self) -> Mapping[str, Mapping[str, Any]]:
        hosts: Mapping[str, Mapping[str, Any]] = self.vars.get("hostvars") or {}
        return hosts

    def _members(self) -> list[planning.Member]:
        """Those of the run that stay, and the control plane outside of it that is asked, if there is one."""
        leaving, hosts = self._leaving(), self._hosts()
        names = [name for name in map(str, plain(self.vars.get("ansible_play_hosts_all") or [])) if name not in leaving]
        seen = {name: plain(hosts[name].get(SEEN)) or {} for name in names}
        lead = self.given["options"]["control_plane"]
        if lead and lead not in seen:
            seen[lead] = plain(self.vars.get(LEAD)) or {}
        unseen = [name for name, told in seen.items() if "facts" not in told]
        if unseen:
            raise FleetError("kubernetes: nothing was changed", why=f"{', '.join(unseen)} could not be looked at", code="unreachable",
                             fix="Bring them back, or take them out of the cluster first.")
        return [self._member(name, told, name not in names) for name, told in seen.items()]

    def _leaving(self) -> set[str]:
        return {name.strip() for name in self.given["options"]["leaving"]} - {""}

    def _member(self, name: str, seen: Mapping[str, Any], lead: bool) -> planning.Member:
        """lead: it is that control plane, outside of the run."""
        host = self._hosts()[name]
        role, address = (str(plain(host.get(key)) or "") for key in ("fleet_cluster_role", "fleet_cluster_ip"))
        facts = seen["facts"]
        if lead:
            rows = (facts.get("cluster") or {}).get("nodes") or ()
            role, address = planning.CONTROL_PLANE, next((row["ip"] for row in rows if row["name"] == facts.get("node")), address)
        return planning.Member(name, role, address, facts, float(seen.get("clock") or 0))

    def _wish(self) -> planning.Wish:
        given = self.given["options"]
        kubelet = given["kubelet"]
        return planning.Wish(given["version"], given["pods"], given["services"], kubelet.get("failSwapOn") is False, bool(kubelet.get("resolvConf")),
                             given["proxy_mode"])

    def _certificate_names(self, members: list[planning.Member]) -> list[str]:
        """All by which somebody may come to the API: names and addresses of the control planes, and what the operator said."""
        found = list(self.given["options"]["names"])
        for member in members:
            if member.role == planning.CONTROL_PLANE:
                host = self._hosts()[member.name]
                keys = ("ansible_host", "fleet_public_ipv4", "fleet_public_ipv6", "fleet_private_ipv4")
                found += [member.node, member.ip, *(str(plain(host.get(key)) or "") for key in keys)]
        return list(dict.fromkeys(name for name in found if name))

    # ------------------------------------------------------------------------------------------------ this node's part of what was decided
    def _make(self, step: str, text: str) -> dict[str, Any]:
        return self.node_module("hybridops.fleet.kubeadm", {"step": step, "config": text, "timeout": self.given["options"]["timeout"]})

    def _seen(self) -> Mapping[str, Any]:
        seen: Mapping[str, Any] = plain(self.vars[SEEN])["facts"]
        return seen

    def _plan(self) -> Mapping[str, Any]:
        """Not evaluated as a whole: it holds a part for every host."""
        plan: Mapping[str, Any] = self.vars[PLAN]
        return plan

    def _step(self) -> planning.Step:
        return planning.Step(**plain(self._plan()["hosts"][self.host]))

    def _program(self, name: str) -> str:
        with open(os.path.join(self.given["programs"], name), encoding="utf-8") as file:
            return file.read()

    def _kubeadm(self) -> str:
        """Version of the kubeadm on the node, which was installed a moment ago perhaps."""
        seen = self.node_module(FACTS, {})["facts"] if not self._task.check_mode else self._seen()
        return str((seen.get("versions") or {}).get("kubeadm") or self._plan()["version"] or self.given["options"]["version"])

    def _cluster(self, kubeadm: str) -> config.Cluster:
        given, plan = self.given["options"], self._plan()
        return config.Cluster(
            name=given["name"], version=str(plan["version"]) or kubeadm, endpoint=given["endpoint"] or f"127.0.0.1:{files.PROXY_PORT}",
            pods=given["pods"], services=given["services"], domain=given["domain"], repository=given["repository"], names=plain(plan["names"]),
            proxy_mode=given["proxy_mode"], kubelet=given["kubelet"], proxy=given["proxy"], settings=given["cluster"],
            schedulable=given["schedulable"])

    def _node(self) -> config.Node:
        step, seen, given = self._step(), self._seen(), self.given["options"]
        runtime = seen.get("runtime") or {}
        return config.Node(step.node, step.ip, runtime["socket"], runtime.get("cgroup_driver") or "systemd",
                           {**planning.labels(*(str(plain(self.vars.get(f"fleet_{key}")) or "") for key in ("provider", "region", "zone"))),
                            **given["labels"]}, given["ignored"])

    def _ticket(self) -> dict[str, str]:
        """Taken from the result that holds it, so that it is in no argument of a task."""
        told = plain(self.vars.get(TICKET)) or {}
        if "ticket" not in told:
            raise FleetError(f"{self.host}: it cannot join", code="ticket",
                             why=f"{self._plan()['first']} gave no token: {told.get('msg', 'it was not made itself')}")
        ticket: dict[str, str] = told["ticket"]
        return ticket


def _told(plan: planning.Plan | upgrading.Upgrade | storing.Restore) -> dict[str, Any]:
    """As a result has it: templates join lists with lists only."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(plan).items()}
