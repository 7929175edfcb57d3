# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether all members of a cluster reach each other: planned, opened in the clouds and judged on the controller, once for all of them."""
from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, ClassVar

from ansible_collections.hybridops.fleet.plugins.plugin_utils._action.deciding import Deciding
from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster import cloud_rules, member, ports, preflight
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.config import plain

LISTENED, PROBED, SEEN = "mesh_preflight_listened", "mesh_preflight_probed", "mesh_seen"


class ActionModule(Deciding):
    """Documented in plugins/modules/cluster_preflight.py."""

    _requires_connection = False

    arguments: ClassVar = {
        "step": {"type": "str", "choices": ["plan", "rules", "judge"], "required": True},
        "stage": {"type": "str", "choices": ["underlay", "cluster"], "default": "cluster"},
        "kind": {"type": "str", "choices": ["", "swarm", "kubernetes"], "default": ""},
        "members": {"type": "dict", "required": True},
        "ports": {"type": "list", "elements": "dict", "default": []},
    }

    def work(self) -> dict[str, Any]:
        steps = {"plan": self._plan, "rules": self._rules, "judge": self._judge}
        return {"changed": False, **steps[self.given["step"]]()}

    def _plan(self) -> dict[str, Any]:
        told = self.given["members"]
        if self.given["stage"] == "underlay":
            plan = preflight.underlay(told["mesh"], told["comers"])
        else:
            hosts = {name: {"ip": facts["fleet_cluster_ip"], "ips": facts["fleet_cluster_ips"], "via": told["via"], "mtu": facts["fleet_cluster_mtu"]}
                     for name, facts in told["hosts"].items()}
            roles = {name: str(facts["fleet_cluster_role"]) for name, facts in told["hosts"].items()}
            plan = preflight.cluster(hosts, roles, ports.needed(self.given["kind"], self.given["ports"]))
        return {"nonce": secrets.token_hex(8), "listen": plan.listen, "probe": plan.probe, "probes": sum(map(len, plan.probe.values()))}

    def _rules(self) -> dict[str, Any]:
        """For every host of the play that has an id in a cloud that filters; none for those that are no members, so that theirs go."""
        hosts: Mapping[str, Mapping[str, Any]] = self.vars.get("hostvars") or {}
        told, found = self.given["members"], {}
        if self.given["stage"] == "underlay":
            found = cloud_rules.mesh({name: self._member(name)[0] for name in told["mesh"]}, told["mesh"])
        elif told["via"] != "mesh":
            facts = {name: {"ip": row["fleet_cluster_ip"], "role": str(row["fleet_cluster_role"])} for name, row in told["hosts"].items()}
            found = cloud_rules.cluster(facts, ports.needed(self.given["kind"], self.given["ports"]) if self.given["kind"] else ())
        rows = []
        for name in plain(self.vars.get("ansible_play_hosts_all") or []):
            place = {key: plain(hosts[name].get(f"fleet_{key}")) for key in ("provider", "cloud", "id")}
            if place["provider"] in cloud_rules.FILTERING and place["cloud"] and place["id"]:
                rows.append({"cloud": place["cloud"], "id": place["id"], "allow": found.get(name, [])})
        return {"nodes": rows}

    def _member(self, name: str) -> tuple[member.Member, Mapping[str, Any]]:
        """A host as a member, and what its node told."""
        variables: Mapping[str, Any] = (self.vars.get("hostvars") or {})[name]
        seen = plain(variables.get(SEEN)) or {}
        return member.read(name, {key: plain(variables.get(key)) for key in member.READ}, seen if "interfaces" in seen else None), seen

    def _judge(self) -> dict[str, Any]:
        hosts: Mapping[str, Mapping[str, Any]] = self.vars.get("hostvars") or {}
        told, failed, listening, places, silent = self.given["members"], {}, {}, {}, []
        for name in told["hosts"]:
            listened, probed = plain(hosts[name].get(LISTENED)) or {}, plain(hosts[name].get(PROBED)) or {}
            if "ports" not in listened or "failed_probes" not in probed:
                silent.append(name)
                continue
            failed[name], listening[name] = probed["failed_probes"], listened["ports"]
        if any(failed.values()):
            for name, facts in told["hosts"].items():
                one, seen = self._member(name)
                outside = tuple(address.ip for address in one.addresses if address.role in ("public", "floating", "external"))
                places[name] = preflight.Place(one.provider, one.cloud, one.security_groups, bool(seen.get("firewall")),
                                               outside if told["via"] == "mesh" else (str(facts["fleet_cluster_ip"]),))
        mesh = told["mesh"] if self.given["stage"] == "cluster" and told["via"] == "mesh" else {}
        failure = preflight.judge(failed, listening, places, silent, mesh)
        if failure:
            raise failure
        return {"msg": f"{len(failed)} members reach each other"}
