# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One member of a cluster, from its host variables and from what its node tells. Pure.

Where both speak of an address, the node decides what stands on an interface, and the inventory what the address is good for.
"""
from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.address_class import PUBLIC, classify
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

READ = ("ansible_host", "fleet_cloud", "fleet_cluster_ip", "fleet_cluster_role", "fleet_cluster_told", "fleet_interfaces", "fleet_mesh_endpoint",
        "fleet_mtu", "fleet_network_domain", "fleet_private_ipv4", "fleet_private_ipv6", "fleet_provider", "fleet_public_ip_on_interface",
        "fleet_public_ipv4", "fleet_public_ipv6", "fleet_region", "fleet_security_groups", "fleet_tags", "fleet_zone")
"""Variables of a host that matter here. No more are read, as each may be a template that has to be evaluated."""
TOLD = "fleet_cluster_told"
"""Fact that keeps what the operator wrote: later in the run fleet_cluster_ip and fleet_cluster_role are facts of ours, which hide it."""
FAMILIES = (4, 6)


@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """role: as in the one shape. nat_of: the inside address onto which the cloud maps this one."""

    ip: str
    family: int
    role: str
    nat_of: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Interface:
    """What the node tells of one of its interfaces. mtu in bytes; addresses with the length of their network."""

    name: str
    mtu: int
    addresses: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Peer:
    """What a node has written down of another member of its mesh."""

    name: str
    ipv4: str
    ipv6: str
    public_key: str


@dataclasses.dataclass(frozen=True, slots=True)
class Mesh:
    """A node's own record of the mesh that it is in. silent: peers that it has not spoken with since its interface came up."""

    cluster: str
    ipv4: str
    ipv6: str
    ipv4_pool: str
    ipv6_pool: str
    mtu: int
    port: int
    peers: tuple[Peer, ...] = ()
    silent: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """What module cluster_facts tells. routes: networks that the node has a way to, each with the interface. cluster_kind, cluster_role and
    cluster_ip: of the cluster that runs there now, empty when none does."""

    interfaces: tuple[Interface, ...] = ()
    routes: tuple[tuple[str, str], ...] = ()
    cluster_kind: str = ""
    cluster_role: str = ""
    cluster_ip: str = ""
    mesh: Mesh | None = None

    def interface_of(self, ip: str) -> Interface | None:
        return next((one for one in self.interfaces if any(_same(address, ip) for address in one.addresses)), None)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """name: in the inventory. domain: of its private addresses. mtu: of its main network in bytes, None when nobody tells.
    told_*: what the operator wrote for this host. seen: None where the node was not asked."""

    name: str
    provider: str = ""
    cloud: str = ""
    region: str = ""
    zone: str = ""
    domain: str | None = None
    addresses: tuple[Address, ...] = ()
    mtu: int | None = None
    security_groups: tuple[str, ...] = ()
    told_ip: str = ""
    told_role: str = ""
    told_endpoint: str = ""
    seen: Seen | None = None

    @property
    def failure_domain(self) -> tuple[str, str, str]:
        return (self.cloud or self.provider, self.region, self.zone)

    def private(self, family: int) -> str | None:
        return next((one.ip for one in self.addresses if one.role == "private" and one.family == family and not one.nat_of), None)

    def public(self, family: int) -> Address | None:
        """The address by which others reach it from outside, the best first: on its interface, mapped to it, on a company's network."""
        ranks = {"public": 0, "floating": 1, "external": 2}
        found = sorted((one for one in self.addresses if one.role in ranks and one.family == family), key=lambda one: ranks[one.role])
        return found[0] if found else None

    def carries(self, ip: str) -> bool:
        """Whether the address is on an interface of the node, as far as anybody tells."""
        if self.seen is not None and self.seen.interfaces:
            return self.seen.interface_of(ip) is not None
        return any(one.ip == ip and one.role != "floating" and not one.nat_of for one in self.addresses)


def read(name: str, variables: Mapping[str, Any], facts: Mapping[str, Any] | None = None) -> Member:
    """variables: those of READ, in built-in types. facts: the result of cluster_facts for this node.

    Raises FleetError that names host and variable where somebody wrote by hand what is not of the one shape.
    """
    seen = seen_of(facts) if facts else None
    tags = variables.get("fleet_tags") or {}
    told = variables.get(TOLD) or {"ip": variables.get("fleet_cluster_ip"), "role": variables.get("fleet_cluster_role") or tags.get("cluster_role")}
    mtu = str(variables.get("fleet_mtu") or 0)
    if not mtu.isdecimal():
        raise _not_so(name, "fleet_mtu", f"'{mtu}' is no number of bytes", "Write it as 1500.")
    return Member(
        name=name,
        provider=str(variables.get("fleet_provider") or ""),
        cloud=str(variables.get("fleet_cloud") or ""),
        region=str(variables.get("fleet_region") or ""),
        zone=str(variables.get("fleet_zone") or ""),
        domain=variables.get("fleet_network_domain") or None,
        addresses=_addresses(name, variables, seen),
        mtu=int(mtu) or None,
        security_groups=tuple(str(one) for one in variables.get("fleet_security_groups") or ()),
        told_ip=str(told.get("ip") or ""),
        told_role=str(told.get("role") or ""),
        told_endpoint=str(variables.get("fleet_mesh_endpoint") or ""),
        seen=seen,
    )


def seen_of(facts: Mapping[str, Any]) -> Seen:
    """The answer of module cluster_facts as data."""
    mesh, running = facts.get("mesh") or None, facts.get("cluster") or {}
    return Seen(
        interfaces=tuple(Interface(str(row["name"]), int(row.get("mtu") or 0), tuple(row.get("addresses") or ()))
                         for row in facts.get("interfaces") or ()),
        routes=tuple((str(row["network"]), str(row.get("interface") or "")) for row in facts.get("routes") or ()),
        cluster_kind=str(running.get("kind") or ""),
        cluster_role=str(running.get("role") or ""),
        cluster_ip=str(running.get("ip") or ""),
        mesh=mesh and Mesh(
            cluster=str(mesh["cluster"]), ipv4=str(mesh["ipv4"]), ipv6=str(mesh["ipv6"]), ipv4_pool=str(mesh["ipv4_pool"]),
            ipv6_pool=str(mesh["ipv6_pool"]), mtu=int(mesh["mtu"]), port=int(mesh["port"]),
            peers=tuple(Peer(str(row["name"]), str(row["ipv4"]), str(row["ipv6"]), str(row["public_key"])) for row in mesh.get("peers") or ()),
            silent=tuple(str(name) for name in mesh.get("silent") or ())),
    )


# ---------------------------------------------------------------------------------------------------- details
def _addresses(name: str, variables: Mapping[str, Any], seen: Seen | None) -> tuple[Address, ...]:
    told = _interfaces(name, variables.get("fleet_interfaces") or ())
    known = {one.ip for one in told}
    on_interface = variables.get("fleet_public_ip_on_interface")
    for family in FAMILIES:
        for word, role in (("private", "private"), ("public", "floating" if on_interface is False else "public")):
            ip = variables.get(f"fleet_{word}_ipv{family}")
            if not ip:
                continue
            if not _is_address(ip, family):
                raise _not_so(name, f"fleet_{word}_ipv{family}", f"'{ip}' is no IPv{family} address", "Write one, or leave it empty.")
            if _plain(ip) not in known:
                told.append(Address(_plain(ip), family, role))
    return tuple(told or _of_connection(str(variables.get("ansible_host") or ""), seen))


def _interfaces(name: str, rows: Any) -> list[Address]:
    """Addresses of fleet_interfaces. The family is the address's own: what somebody wrote of it by hand would tell nothing new."""
    found = []
    try:
        for row in (row for interface in rows for row in interface.get("addresses") or ()):
            ip = ipaddress.ip_address(str(row["ip"]))
            found.append(Address(str(ip), ip.version, str(row["role"]), _plain(row["nat_of"]) if row.get("nat_of") else None))
    except (AttributeError, KeyError, TypeError, ValueError) as failure:
        why = f"{failure} is missing" if isinstance(failure, KeyError) else str(failure)
        raise _not_so(name, "fleet_interfaces", why, "Write it as [{name: eth0, addresses: [{ip: 10.0.0.5, role: private}]}].") from None
    return found


def _not_so(name: str, variable: str, why: str, fix: str) -> FleetError:
    return FleetError(f"{name}: {variable}", why=why, fix=fix, code="argument")


def _is_address(text: object, family: int) -> bool:
    try:
        return ipaddress.ip_address(str(text)).version == family
    except ValueError:
        return False


def _of_connection(host: str, seen: Seen | None) -> Iterable[Address]:
    """A host of a plain inventory has the address that it is reached by, and no other is known."""
    try:
        family, kind = classify(host)
    except ValueError:
        return
    if kind in ("loopback", "link-local", "multicast"):
        return
    if kind != PUBLIC:
        yield Address(_plain(host), family, "private")
    else:
        yield Address(_plain(host), family, "floating" if seen and seen.interfaces and not seen.interface_of(host) else "public")


def _plain(ip: object) -> str:
    return str(ipaddress.ip_address(str(ip)))


def _same(address: str, ip: str) -> bool:
    return ipaddress.ip_interface(address).ip == ipaddress.ip_address(ip)
