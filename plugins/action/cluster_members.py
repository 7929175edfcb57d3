# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who is in a cluster, who leads it and by which address each is used: decided on the controller, for all members at once."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._action.deciding import NAMES, Deciding
from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster import addresses, answer, inventory, member, members
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.config import plain

SEEN, THROUGH = "mesh_seen", "mesh_through"


class ActionModule(Deciding):
    """Documented in plugins/modules/cluster_members.py."""

    _requires_connection = False

    arguments: ClassVar = {
        "kind": {"type": "str", "choices": ["", "swarm", "kubernetes"], "default": ""},
        "name": {"type": "str", "default": "fleet"},
        "managers": {"type": "int", "default": 0},
        "network": {"type": "str", "choices": list(addresses.VIA), "default": "auto"},
        "size": {"type": "int", "default": 0},
        "removed": NAMES,
        "through": {"type": "str", "default": ""},
        "mesh_ipv4_pool": {"type": "str", "default": ""},
        "mesh_ipv6_pool": {"type": "str", "default": ""},
        "mesh_port": {"type": "int", "default": 51820},
        "mesh_mtu": {"type": "int", "default": 0},
        "avoid": NAMES,
        "decided": {"type": "dict"},
    }

    def work(self) -> dict[str, Any]:
        me = str(plain(self.vars.get("inventory_hostname")))
        if self.given["decided"] is not None:
            return {"changed": False, "ansible_facts": self.given["decided"]["hosts"].get(me, {})}
        told = self._decide()
        facts = {} if self._task.run_once else {"ansible_facts": told["hosts"].get(me, {})}
        return {"changed": False, **told, **facts}

    def _decide(self) -> dict[str, Any]:
        hosts: Mapping[str, Mapping[str, Any]] = self.vars.get("hostvars") or {}
        played = [str(name) for name in plain(self.vars.get("ansible_play_hosts_all") or [])]
        known_hosts = [str(name) for name in plain((self.vars.get("groups") or {}).get("all") or [])]
        removed = {str(name) for name in self.given["removed"]}
        names = [name for name in played if name not in removed]
        found = [self._member(hosts, name, plain(hosts[name].get(SEEN))) for name in names]
        known = {peer.name for one in found if one.seen and one.seen.mesh for peer in one.seen.mesh.peers}
        members.refuse_parts(known | {one.name for one in found if one.seen and one.seen.mesh}, played, known_hosts,
                             limit=str(plain(self.vars.get("ansible_limit") or "")),
                             variables={name: plain(self.vars.get(name)) for name in members.SLICES}, leaving=removed,
                             expected=0 if self.given["through"] else self.given["size"])
        through, network = self._through(hosts, names), self.given["network"]
        if through:
            found, network = [through, *found], members.network_of(through, self.given["kind"], network)
        wish = answer.Wish(
            kind=self.given["kind"], name=self.given["name"], managers=self.given["managers"], network=network,
            ipv4_pool=self.given["mesh_ipv4_pool"], ipv6_pool=self.given["mesh_ipv6_pool"], port=self.given["mesh_port"], mtu=self.given["mesh_mtu"],
            others={**inventory.addresses(hosts, [name for name in known_hosts if name not in names]),
                    **dict.fromkeys(self.given["avoid"], "the cluster's own settings")}, leaving=tuple(sorted(removed)),
            through=through.name if through else "")
        told = answer.answer(found, wish)
        for facts in told["hosts"].values():
            facts["fleet_cluster_members"] = told["members"]
        return told

    def _through(self, hosts: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> member.Member | None:
        """The member through whom the hosts of this run join; None where the run has it, and so all members. Raises FleetError."""
        name = self.given["through"]
        if not name or name in names:
            return None
        if self.given["kind"] != "swarm":
            raise FleetError("cluster", why=f"fleet_cluster_through is {name}, and the cluster is no swarm", code="argument",
                             fix="Leave it out.")
        if name not in hosts:
            raise FleetError("cluster", why=f"fleet_cluster_through is {name}, which is no host of the inventory", code="argument",
                             fix="Name a manager as the inventory does.")
        return self._member(hosts, name, plain(self.vars.get(THROUGH)))

    @staticmethod
    def _member(hosts: Mapping[str, Mapping[str, Any]], name: str, seen: Any) -> member.Member:
        return member.read(name, {key: plain(hosts[name].get(key)) for key in member.READ}, seen if "interfaces" in (seen or {}) else None)
