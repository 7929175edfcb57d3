# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who is meant by the names of hosts and groups, and by which addresses they come. Pure; reads the inventory only.

A member's private addresses count only within one layer-3 domain: the same 10.0.0.5 is somebody else's in another cloud.
"""
from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.address_class import PUBLIC, classify
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.config import plain

from .policy import ANYWHERE, Network, collapsed, networks
from .rules import ANY, MEMBERS, is_network

Hosts = Mapping[str, Mapping[str, Any]]
Groups = Mapping[str, Sequence[str]]
READ = ("ansible_host", "fleet_cluster_ip", "fleet_interfaces", "fleet_mesh_addresses", "fleet_network_domain", "fleet_private_ipv4",
        "fleet_private_ipv6", "fleet_public_ipv4", "fleet_public_ipv6")
"""Variables of other hosts that matter here. No more are read, as each may be a template that has to be evaluated."""


class Inventory:
    """me: name of the host that gets the firewall. notes: what the operator should know, filled while names are resolved."""

    def __init__(self, me: str, hosts: Hosts, groups: Groups, *, roles: Sequence[str] = ("private",)) -> None:
        self.me = me
        self.notes: list[str] = []
        self._hosts = hosts
        self._groups = groups
        self._roles = tuple(roles)
        self._read: dict[str, dict[str, Any]] = {}

    # ------------------------------------------------------------------------------------------------ members
    def members(self, given: Sequence[str], cluster: str) -> tuple[str, ...]:
        """Names of the other members: those given as hosts and groups; else the group with the cluster's name; else all hosts with the
        same fleet_cluster. Raises FleetError for a name that is neither."""
        if given:
            found = [host for word in given for host in self._named(word, "firewall_members")]
        elif not cluster:
            found = []
        elif cluster in self._groups:
            found = list(self._groups[cluster])
        else:
            found = [name for name in self._groups.get("all", self._hosts) if str(plain(self._hosts[name].get("fleet_cluster")) or "") == cluster]
        return tuple(sorted(set(found) - {self.me}))

    def inside(self, members: Iterable[str]) -> tuple[Network, ...]:
        """Private addresses by which members come to this host."""
        found: list[str] = []
        elsewhere, unknown = [], []
        for name in members:
            addresses = self._private(name)
            if addresses and not self._near(name):
                elsewhere.append(name)
            elif addresses:
                found += addresses
            else:
                unknown.append(name)
        if elsewhere:
            self.notes.append(f"{_some(elsewhere)}: in another network, so let in by the mesh only, if there is one")
        if unknown:
            self.notes.append(f"{_some(unknown)}: no private address known, so let in by the mesh only, if there is one")
        return networks(found)

    def mesh(self, members: Iterable[str]) -> tuple[Network, ...]:
        """Addresses of members in the mesh."""
        return networks(address for name in members for address in mesh_addresses(self._of(name)))

    def outside(self, members: Iterable[str]) -> tuple[Network, ...]:
        """Addresses by which the members' mesh packets come: their public ones, and the private ones that are near."""
        return networks(address for name in members for address in (*self._public(name), *(self._private(name) if self._near(name) else ())))

    # ------------------------------------------------------------------------------------------------ sources
    def sources(self, words: Sequence[str], members: Sequence[str], where: str) -> tuple[Network, ...]:
        """The networks that a rule's sources stand for. Raises FleetError for an unknown name."""
        found: list[Network] = []
        for word in words:
            if word == ANY:
                return ANYWHERE
            if is_network(word):
                found.append(ipaddress.ip_network(word))
            elif word == MEMBERS:
                found += [*self.inside_quietly(members), *self.mesh(members)]
            else:
                found += self._addresses(word, where)
        return collapsed(found)

    def inside_quietly(self, members: Iterable[str]) -> tuple[Network, ...]:
        return networks(address for name in members if self._near(name) for address in self._private(name))

    def _addresses(self, word: str, where: str) -> list[Network]:
        found: list[Network] = []
        bare = []
        for name in self._named(word, where):
            addresses = [*self._public(name), *mesh_addresses(self._of(name)), *(self._private(name) if self._near(name) else ())]
            if not addresses and name != self.me:
                bare.append(name)
            found += networks(addresses)
        if bare:
            self.notes.append(f"{where}: no address known of {_some(bare)}, so not let in")
        return found

    def _named(self, word: str, where: str) -> Sequence[str]:
        if word in self._groups:
            if not self._groups[word]:
                self.notes.append(f"{where}: group '{word}' has no hosts")
            return self._groups[word]
        if word in self._groups.get("all", self._hosts):
            return [word]
        raise FleetError(where, why=f"'{word}' is neither a network nor a group or host of the inventory; nothing was changed", code="argument",
                         fix="Write it as the inventory does, or give the network.")

    # ------------------------------------------------------------------------------------------------ addresses
    def _of(self, name: str) -> dict[str, Any]:
        if name not in self._read:
            self._read[name] = {key: plain(self._hosts[name].get(key)) for key in READ}
        return self._read[name]

    def _near(self, name: str) -> bool:
        """Whether private addresses of that host mean that host here. Hosts that tell no domain at all are taken as the operator put them."""
        return bool(self._of(name)["fleet_network_domain"] == self._of(self.me)["fleet_network_domain"])

    def _private(self, name: str) -> list[str]:
        variables = self._of(name)
        if variables.get("fleet_interfaces"):
            return [str(address["ip"]) for interface in variables["fleet_interfaces"] for address in interface.get("addresses") or ()
                    if address["role"] in self._roles and not address.get("nat_of")]
        told = [variables.get("fleet_private_ipv4"), variables.get("fleet_private_ipv6")]
        return [str(one) for one in (told if any(told) else [variables.get("ansible_host")]) if one and _is(str(one), public=False)]

    def _public(self, name: str) -> list[str]:
        variables = self._of(name)
        told = [variables.get("fleet_public_ipv4"), variables.get("fleet_public_ipv6")]
        more = [address["ip"] for interface in variables.get("fleet_interfaces") or () for address in interface.get("addresses") or ()
                if address["role"] in ("public", "floating", "external")]
        found = [str(one) for one in (*told, *more) if one]
        plain = str(variables.get("ansible_host") or "")
        return found if found or not _is(plain, public=True) else [plain]


def mesh_addresses(variables: Mapping[str, Any]) -> list[str]:
    """Addresses of a host in the mesh: fleet_mesh_addresses, and fleet_cluster_ip when it is none of the cloud's."""
    found = variables.get("fleet_mesh_addresses") or []
    result = [found] if isinstance(found, str) else [str(one) for one in found]
    chosen = variables.get("fleet_cluster_ip")
    told = {address["ip"] for interface in variables.get("fleet_interfaces") or () for address in interface.get("addresses") or ()}
    told |= {variables.get(name) for name in ("fleet_public_ipv4", "fleet_public_ipv6", "fleet_private_ipv4", "fleet_private_ipv6", "ansible_host")}
    if chosen and chosen not in told and chosen not in result:
        result.append(str(chosen))
    return result


def _is(text: str, *, public: bool) -> bool:
    try:
        kind = classify(text)[1]
    except ValueError:
        return False
    return (kind == PUBLIC) is public and kind not in ("loopback", "link-local")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
