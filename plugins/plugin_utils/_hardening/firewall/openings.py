# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who gets in where: the operator's rules, members of the cluster, ssh and what containers publish, as openings. Pure."""
from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

from ..decision import Facts, Options
from . import rules
from .inventory import Inventory
from .places import Own, is_container, own, places
from .policy import ANYWHERE, EVERYWHERE, Opening, Place, networks

PUBLISHER = "docker-proxy"
DEFAULT_MESH_PORT = 51820


class Openings:
    """What is let in on one host. notes: what the operator should know."""

    def __init__(self, facts: Facts, options: Options) -> None:
        self._facts = facts
        self._options = options
        self._given = options.variables
        self._mesh_names = tuple(self._given.get("mesh_interfaces") or ())
        self.mine: tuple[Own, ...] = own(options.node, [
            {**row, "addresses": [str(address).partition("/")[0] for address in row.get("addresses") or ()]} for row in facts.get("networks") or ()],
            self._mesh_names)
        member_roles = tuple(self._given.get("member_roles") or ("private",))
        self.inventory = Inventory(options.host, options.hosts, options.groups, roles=member_roles)
        self._member_roles = member_roles
        self.members = self.inventory.members(list(self._given.get("members") or ()), str(self._given.get("cluster") or ""))

    @property
    def notes(self) -> list[str]:
        return list(dict.fromkeys(self.inventory.notes))

    def all(self, rate: int, guarded: bool) -> tuple[Opening, ...]:
        """rate: new ssh connections of one source in a minute, 0 for any. guarded: published ports are let in by rules only."""
        found = [*self.ssh(rate), *self.of_members(), *self.of_mesh(), *self.of_record()]
        for rule in rules.parse(self._given.get("rules")):
            found += self.of_rule(rule)
        return tuple(found if guarded else [*found, *self.published()])

    # ------------------------------------------------------------------------------------------------ kinds
    def ssh(self, rate: int) -> list[Opening]:
        words = rules.sources(self._given.get("ssh_from") or [rules.ANY], "firewall_ssh_from")
        found = self.inventory.sources(words, self.members, "firewall_ssh_from")
        role = str(self._given.get("ssh_on") or rules.ANY)
        if role not in rules.ROLES:
            raise FleetError("firewall_ssh_on", why=f"it is '{role}'", fix=f"Choose one of {', '.join(rules.ROLES)}.", code="argument")
        return [Opening(f"ssh {port}", "tcp", port, None, found, self._places(role, "firewall_ssh_on"), rate) for port in self.ssh_ports()]

    def ssh_ports(self) -> list[int]:
        given = self._given.get("ssh_ports") or ()
        if given:
            return sorted({rules.port_number(port, "firewall_ssh_ports") for port in given})
        told = ((self._facts.get("ssh") or {}).get("effective") or {}).get("port") or ()
        now = (self._facts.get("login") or {}).get("to_port")
        return sorted({int(port) for port in (*told, *([now] if now else ()))}) or [22]

    def of_members(self) -> list[Opening]:
        if not self.members:
            return []
        inside, mesh = self.inventory.inside(self.members), self.inventory.mesh(self.members)
        found = []
        here = tuple(dataclasses.replace(place, inside=None) for role in self._member_roles for place in places(role, self.mine, self._mesh_names))
        if inside and here:
            found.append(Opening("members of the cluster", None, sources=inside, places=here))
        elif inside:
            self.inventory.notes.append("this host has no private address known, so members come in by the mesh only, if there is one")
        if mesh:
            found.append(Opening("members by the mesh", None, sources=mesh, places=places("mesh", self.mine, self._mesh_names)))
        return found

    def of_mesh(self) -> list[Opening]:
        """The port of the mesh itself, on every address, as that is how members of other clouds come."""
        given = self._given.get("mesh_port")
        if not self.members or not (given or "mesh" in self._options.workloads):
            return []
        port = rules.port_number(given or DEFAULT_MESH_PORT, "firewall_mesh_port")
        found = self.inventory.outside(self.members)
        hidden = [name for name in self.members if not self.inventory.outside([name])]
        if hidden:
            self.inventory.notes.append(f"udp {port} of the mesh is open to everybody, as addresses of some members are not known beforehand "
                                        f"({', '.join(hidden[:3])}); the mesh answers to its members' keys only")
            found = ANYWHERE
        return [Opening("mesh", "udp", port, None, found)]

    def of_record(self) -> list[Opening]:
        """Where nobody tells members: those that the host's own mesh knows, so that a run on one host alone does not cut it off."""
        mesh = self._facts.get("mesh") or {}
        peers = mesh.get("peers") or ()
        if self.members or not peers:
            return []
        self.inventory.notes.append(f"no members are told; those of the mesh '{mesh['cluster']}' are let in, as the host has them written down")
        ends = [str(peer["endpoint"]).rpartition(":")[0].strip("[]") for peer in peers]
        known = all(rules.is_network(end) for end in ends)
        return [Opening("members by the mesh", None, sources=networks(str(peer[family]) for peer in peers for family in ("ipv4", "ipv6")),
                        places=places("mesh", self.mine, self._mesh_names)),
                Opening("mesh", "udp", int(mesh["port"]), None, networks(ends) if known else ANYWHERE)]

    def of_rule(self, rule: rules.Rule) -> list[Opening]:
        where = f"fleet_firewall_rules, rule '{rule.name}'"
        found = self.inventory.sources(rule.sources, self.members, f"{where}, from")
        if not found:
            self.inventory.notes.append(f"rule '{rule.name}' lets nobody in: {', '.join(rule.sources)} has no address here")
            return []
        here = self._places(rule.role, f"rule '{rule.name}'")
        families = {place.family for place in here} - {None}
        if families and not families & {one.version for one in found}:
            self.inventory.notes.append(f"rule '{rule.name}' lets nobody in: its sources and the {rule.role} addresses of this host are of different "
                                        "families")
            return []
        protocol = None if rule.protocol == rules.ANY else rule.protocol
        return [Opening(rule.name, protocol, rule.port, rule.last_port, found, here)] if here else []

    def published(self) -> list[Opening]:
        """Ports that Docker publishes by a program of its own (IPv6, or iptables off): those come in like any other program's."""
        programs = (self._facts.get("firewall") or {}).get("programs") or {}
        found: list[Opening] = []
        for row in self._facts.get("listening") or ():
            address = str(row["address"])
            if programs.get(f"{row['protocol']} {row['port']}") != PUBLISHER or ipaddress.ip_address(address).is_loopback:
                continue
            here = EVERYWHERE if ipaddress.ip_address(address).is_unspecified else (Place(ipaddress.ip_address(address).version, to=(address,)),)
            found.append(Opening(f"published by Docker, {row['protocol']} {row['port']}", row["protocol"], int(row["port"]), None, ANYWHERE, here))
        return list(dict.fromkeys(found))

    # ------------------------------------------------------------------------------------------------ details
    def _places(self, role: str, where: str) -> tuple[Place, ...]:
        found = places(role, self.mine, self._mesh_names)
        if not found:
            self.inventory.notes.append(f"{where}: this host has no address of role {role}, so nothing is opened for it")
        return found


def containers(facts: Facts, workloads: Mapping[str, str], more: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(names of the interfaces of containers here, real interfaces that such a name would match)."""
    names = dict.fromkeys(name for workload, mine in _INTERFACES.items() if workload in workloads for name in mine)
    names.update(dict.fromkeys(more))
    routes = set((facts.get("firewall") or {}).get("default_routes") or ())
    real = [str(row["name"]) for row in facts.get("networks") or () if str(row["name"]) in routes or not is_container(str(row["name"]))]
    return tuple(names), tuple(sorted(name for name in real if any(fnmatchcase(name, pattern) for pattern in names) and name not in more))


_DOCKER = ("docker0", "docker_gwbridge", "br-*")
_KUBERNETES = ("cni*", "cali*", "tunl*", "vxlan.calico", "wireguard.cali", "flannel*", "cilium*", "lxc*", "veth*", "kube-*", "weave*", "antrea*",
               "genev_sys*", "nodelocaldns")
_INTERFACES: dict[str, tuple[str, ...]] = {
    "docker": _DOCKER, "swarm": _DOCKER, "podman": ("podman*", "cni-podman*"), "kubernetes": _KUBERNETES, "containerd": ("cni*", "nerdctl*"),
    "libvirt": ("virbr*",), "lxd": ("lxdbr*", "incusbr*"),
}


def outside(facts: Facts, mine: Sequence[Own]) -> tuple[str, ...]:
    """Interfaces that lead out of the host: those with its addresses or a default route, the mesh not among them."""
    routes = (facts.get("firewall") or {}).get("default_routes") or ()
    return tuple(sorted({own.interface for own in mine if own.interface and own.role != "mesh"} | set(routes)))


def number(given: Mapping[str, Any], key: str, where: str) -> int:
    """A whole number of 0 or more. Raises FleetError."""
    try:
        value = int(given.get(key) or 0)
        if value < 0:
            raise ValueError
    except (TypeError, ValueError):
        raise FleetError(where, why=f"{key} is {given.get(key)!r}", fix="Write a whole number, 0 for no limit.", code="argument") from None
    return value
