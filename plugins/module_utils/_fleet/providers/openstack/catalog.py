# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From Glance's images, Nova's flavors and zones and Neutron's networks to the catalog's one shape. Pure."""
from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...address_class import PUBLIC, classify
from ...catalog import CatalogFlavor, CatalogImage, CatalogNetwork, CatalogZone
from ...network_role import OperatorRoles, role_of
from ...shape import AddressEvidence, Decision, InterfaceEvidence, LoginEvidence
from .clouds_yaml import Declared
from .images import ImageBook

Row = Mapping[str, Any]

_GIB = 1024**3
_OUTSIDE = ("public", "external")
_NO_SYSTEM = ("aki", "ari")  # kernels and ramdisks that belong to another image


# --------------------------------------------------------------------------------------------------- images
def images(rows: Iterable[Row]) -> list[CatalogImage]:
    """Image records of Glance; kernels and ramdisks are left out, they are parts of others."""
    book = ImageBook()
    return [_image(row, book) for row in rows if row.get("disk_format") not in _NO_SYSTEM]


def _image(row: Row, book: ImageBook) -> CatalogImage:
    facts = book.told_by(row)
    status = row.get("status")
    return CatalogImage(
        id=row["id"],
        name=row.get("name") or row["id"],
        distro=facts.image.distro,
        version=facts.image.version,
        arch=facts.arch,
        created=row.get("created_at") or None,
        owner=row.get("owner") or None,
        public=row.get("visibility") in ("public", "community"),
        min_disk_gib=max(int(row.get("min_disk") or 0), -(-int(row.get("virtual_size") or 0) // _GIB)),
        min_memory_mib=int(row.get("min_ram") or 0),
        usable=status in ("active", None),
        why_not="" if status in ("active", None) else f"its status is {status}",
        login=LoginEvidence(image_properties=facts.properties),
    )


# -------------------------------------------------------------------------------------------------- flavors
def flavors(rows: Iterable[Row], *, volumes: bool) -> list[CatalogFlavor]:
    """Flavor records of Nova. volumes: whether there is block storage, which flavors without a disk boot from."""
    return [_flavor(row, volumes) for row in rows]


def _flavor(row: Row, volumes: bool) -> CatalogFlavor:
    disk = int(row.get("disk") or 0)
    why_not = ""
    if row.get("OS-FLV-DISABLED:disabled"):
        why_not = "is disabled"
    elif not disk and not volumes:
        why_not = "has no disk of its own, and the cloud has no block storage to boot from"
    return CatalogFlavor(
        id=str(row["id"]), name=row.get("name") or str(row["id"]), vcpus=int(row["vcpus"]), memory_mib=int(row["ram"]),
        disk_gib=disk or None, why_not=why_not)


def zones(rows: Iterable[Row], region: str | None) -> list[CatalogZone]:
    """Availability zones of Nova."""
    return [CatalogZone(row["zoneName"], region, bool((row.get("zoneState") or {}).get("available", True))) for row in rows]


# ------------------------------------------------------------------------------------------------- networks
@dataclasses.dataclass(frozen=True, slots=True)
class Gateway:
    """A way out: the external network that a router joins a network to, where floating IPs come from."""

    router: str
    pool: str


@dataclasses.dataclass(frozen=True, slots=True)
class Topology:
    """Neutron's lists. router_ports: those by which routers join networks; None when routers cannot be read."""

    networks: Sequence[Row]
    subnets: Sequence[Row]
    routers: Sequence[Row] | None
    router_ports: Sequence[Row] | None

    def gateways(self, network_id: str) -> list[Gateway]:
        """The ways from a network to external ones, in a lasting order."""
        joined = {port["device_id"] for port in self.router_ports or () if port["network_id"] == network_id}
        return [
            Gateway(router.get("name") or router["id"], router["external_gateway_info"]["network_id"])
            for router in sorted(self.routers or (), key=lambda row: str(row["id"]))
            if router["id"] in joined and (router.get("external_gateway_info") or {}).get("network_id")
        ]

    def joined(self, subnet: Row) -> bool | None:
        """Whether a router joins the subnet; None when that cannot be read."""
        if self.router_ports is None:
            return None
        return any(
            port["network_id"] == subnet["network_id"]
            and any(fixed.get("subnet_id") == subnet["id"] for fixed in port.get("fixed_ips") or ())
            for port in self.router_ports)


def networks(
    topology: Topology, project: str | None, declared: Mapping[str, Declared], roles: OperatorRoles,
) -> list[CatalogNetwork]:
    """What a node on each network would be reached by. project: id the token is for; declared: clouds.yaml's flags;
    roles: the fleet file's."""
    return [_Judged(row, topology, project, declared, roles).network() for row in topology.networks]


class _Judged:
    """One network and what bears on it. A prospective address is judged by the rules that judge nodes' addresses."""

    def __init__(
        self, row: Row, topology: Topology, project: str | None, declared: Mapping[str, Declared], roles: OperatorRoles,
    ) -> None:
        self.row = row
        self.id = row["id"]
        self.name = row.get("name") or row["id"]
        self.topology = topology
        self.roles = roles
        self.declared = declared.get(self.id) or declared.get(self.name)
        owner = row.get("project_id") or row.get("tenant_id")
        self.shared = bool(row.get("shared"))
        self.external = bool(row.get("router:external"))
        self.own = owner == project if owner and project else not self.external
        self.subnets = [subnet for subnet in topology.subnets if subnet["network_id"] == self.id]

    def network(self) -> CatalogNetwork:
        judged = {family: self._judge(number) for number, family in ((4, "ipv4"), (6, "ipv6")) if self._of(number)}
        why_not = self._why_not()
        return CatalogNetwork(
            id=self.id,
            name=self.name,
            reach={family: role for family, (role, _how, _why) in judged.items()},
            how={family: how for family, (_role, how, _why) in judged.items()},
            why={family: why for family, (_role, _how, why) in judged.items()},
            cidrs=tuple(str(subnet["cidr"]) for subnet in self.subnets),
            usable=not why_not,
            why_not=why_not,
            default=self.declared is not None and self.declared.default,
            extra={"port_security": "disabled"} if self.row.get("port_security_enabled") is False else {},
        )

    def _of(self, number: int) -> list[Row]:
        return [subnet for subnet in self.subnets if ipaddress.ip_network(subnet["cidr"], strict=False).version == number]

    def _why_not(self) -> str:
        if not self.own and not self.shared:
            if self.external:
                return "is router:external and not shared: it serves routers and floating IPs, nodes on it end in ERROR"
            return "belongs to another project and is not shared"
        if self.row.get("admin_state_up") is False:
            return "is administratively down"
        return "" if self.subnets else "has no subnet, so nodes on it get no address"

    def _judge(self, number: int) -> tuple[str, str, str]:
        """Role, way and reason for one family."""
        subnet = self._of(number)[0]
        fixed = self._fixed(subnet)
        if fixed.value in _OUTSIDE:
            return str(fixed.value), "direct", fixed.why
        if number == 4 and fixed.value != "management":
            for gateway in self.topology.gateways(self.id):
                floating = self._floating(gateway)
                if floating.value in ("public", "floating", "external"):
                    return str(floating.value), "floating", floating.why
        role = "private" if fixed.value == "management" else str(fixed.value)
        return role, "none", fixed.why

    def _fixed(self, subnet: Row) -> Decision:
        address = _first(subnet["cidr"])
        family, kind = classify(address)
        said, said_why = self.declared.role(family, public=kind == PUBLIC) if self.declared else (None, "")
        routed: bool | None = True if self.external else None
        why = f"network '{self.name}' is " + ("router:external" if self.external else "not external")
        if not self.external and kind == PUBLIC:
            closed = self._closed(subnet)
            if closed:
                routed, why = False, closed
        nic = InterfaceEvidence(network=self.name, network_id=self.id)
        evidence = AddressEvidence(
            address, routed=routed, routed_why=why, network_known=not self.external, operator_role=said, operator_why=said_why)
        return role_of(evidence, nic, operator=self.roles)

    def _closed(self, subnet: Row) -> str:
        """Why a publicly routed range leads nowhere all the same; empty when it may lead outside."""
        if not subnet.get("gateway_ip"):
            return f"{subnet['cidr']} has no gateway"
        if self.own and not self.shared and self.topology.joined(subnet) is False:
            return f"no router joins {subnet['cidr']} of network '{self.name}'"
        return ""

    def _floating(self, gateway: Gateway) -> Decision:
        """What a floating IP of that pool would be."""
        pool = next((row for row in self.topology.networks if row["id"] == gateway.pool), None)
        name = (pool or {}).get("name") or gateway.pool
        ranges = [subnet["cidr"] for subnet in self.topology.subnets if subnet["network_id"] == gateway.pool]
        cidrs = [cidr for cidr in ranges if ipaddress.ip_network(cidr, strict=False).version == 4]
        if ranges and not cidrs:
            return Decision("private", f"network '{name}' behind router '{gateway.router}' has no IPv4")
        if not cidrs:  # some clouds do not show the subnets of their pools
            return Decision("floating", f"router '{gateway.router}' joins it to external network '{name}'")
        kind = f"floating IP of network '{name}' ({cidrs[0]}) by router '{gateway.router}'"
        evidence = AddressEvidence(_first(cidrs[0]), nat_of=_first(self._of(4)[0]["cidr"]), nat_kind="floating IP")
        decision = role_of(evidence, InterfaceEvidence(network=self.name, network_id=self.id), operator=self.roles)
        return Decision(decision.value, decision.why.replace(f"floating IP for {evidence.nat_of}", kind))


def _first(cidr: str) -> str:
    """An address of the range, to be judged in place of those that nodes will get."""
    network = ipaddress.ip_network(cidr, strict=False)
    return str(network[1]) if network.num_addresses > 1 else str(network[0])
