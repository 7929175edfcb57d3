# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From Compute Engine's subnetworks to the catalog's networks: those of the project, and those that the host project of a
Shared VPC lets it use. Pure.

A subnetwork is in a region, so nodes can be attached to it in the zones of that region. Its id is its whole path, which
``instances.insert`` takes, because names are unique in a region of a project only. Networks of the oldest kind have no
subnetworks, but one range of addresses for the whole world: nodes are attached to the network itself.
"""
from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ... import network_role
from ...catalog import REACHES, CatalogNetwork, CatalogZone
from ...network_role import OperatorRoles
from ...shape import AddressEvidence, InterfaceEvidence
from .shape import last_part, network_path

Row = Mapping[str, Any]

DEFAULT_NETWORK = "default"
_SERVES_NODES = ("PRIVATE", "PRIVATE_RFC_1918", None)  # purposes of a subnetwork that instances can be attached to
_PATH = re.compile(r"(?:.*/)?(projects/([^/]+)/regions/([^/]+)/subnetworks/([^/]+))")


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where nodes of a project may be. project: the one in which nodes are made; zones: those that can be used; home: the region
    to prefer; narrowed: whether the fleet file names the zones."""

    project: str
    zones: Sequence[CatalogZone]
    home: str | None
    narrowed: bool = False

    def distance(self, region: str) -> int:
        """How far a region is: 0 the one at home, 1 the same continent, 2 any other."""
        if region == self.home:
            return 0
        return 1 if region.partition("-")[0] == (self.home or "").partition("-")[0] else 2

    def zones_of(self, region: str) -> tuple[str, ...]:
        return tuple(zone.name for zone in self.zones if zone.region == region)


def networks(
    subnetworks: Iterable[Row], place: Place, roles: OperatorRoles, whole: Iterable[Row] = (),
) -> list[CatalogNetwork]:
    """What nodes can be attached to, the one that Google would take first. whole: the networks, for those of the oldest kind."""
    made = [_network(row, place, roles) for row in subnetworks]
    made += [_legacy(row, place, roles) for row in whole if row.get("IPv4Range")]
    one_of_each = {network.id: network for network in made}.values()  # own ones may be listed as shared ones too
    return sorted(one_of_each, key=lambda network: (not network.default, network.rank, network.name, network.id))


def _network(row: Row, place: Place, roles: OperatorRoles) -> CatalogNetwork:
    found = _PATH.fullmatch(row.get("selfLink") or row["subnetwork"])
    if not found:
        raise ValueError(f"{row.get('selfLink') or row['subnetwork']!r} is no address of a subnetwork")
    own_id, owner, region, name = found.groups()
    path = network_path(row["network"], owner) or ""
    vpc = last_part(path) or ""
    stack = row.get("stackType") or "IPV4_ONLY"
    access = row.get("ipv6AccessType") or ""
    nic = InterfaceEvidence(network=vpc, network_id=path)
    reach: dict[str, str] = {}
    how: dict[str, str] = {}
    why: dict[str, str] = {}
    if stack != "IPV6_ONLY":
        reach["ipv4"], how["ipv4"], why["ipv4"] = _ipv4(row.get("ipCidrRange"), nic, roles)
    if stack != "IPV4_ONLY":
        prefix = row.get("externalIpv6Prefix") or row.get("internalIpv6Prefix") or row.get("ipv6CidrRange")
        reach["ipv6"], how["ipv6"], why["ipv6"] = _ipv6(prefix, access, nic, roles)
    why_not = _unusable(row, region, place)
    own = owner == place.project
    return CatalogNetwork(
        id=own_id, name=name, reach=reach, how=how, why=why,
        cidrs=tuple(filter(None, (row.get("ipCidrRange"), row.get("externalIpv6Prefix"), row.get("internalIpv6Prefix")))),
        zones=place.zones_of(region), usable=not why_not, why_not=why_not, default=own and vpc == DEFAULT_NETWORK,
        aliases=(vpc, path, f"regions/{region}/subnetworks/{name}", *filter(None, (row.get("selfLink"), row.get("subnetwork")))),
        rank=2 * place.distance(region) + (not own),
        extra={"network": path, "region": region, "stack_type": stack, "ipv6_access": access})


def _legacy(row: Row, place: Place, roles: OperatorRoles) -> CatalogNetwork:
    path = network_path(row["selfLink"], place.project) or ""
    name, cidr = row["name"], row["IPv4Range"]
    role, how, why = _ipv4(cidr, InterfaceEvidence(network=name, network_id=path), roles)
    return CatalogNetwork(
        id=path, name=name, reach={"ipv4": role}, how={"ipv4": how}, why={"ipv4": why}, cidrs=(cidr,), default=name == DEFAULT_NETWORK,
        aliases=(row["selfLink"], f"global/networks/{name}"), extra={"network": path, "region": "", "stack_type": "IPV4_ONLY", "ipv6_access": ""})


def _unusable(row: Row, region: str, place: Place) -> str:
    purpose, state = row.get("purpose"), row.get("state", "READY")
    if purpose not in _SERVES_NODES:
        return f"is for {purpose}, not for nodes"
    if state != "READY":
        return f"is {state}"
    if not place.zones_of(region):
        return f"is in {region}, where none of the fleet file's zones are" if place.narrowed else f"is in {region}, where no zone is up"
    return ""


def _ipv4(cidr: str | None, nic: InterfaceEvidence, roles: OperatorRoles) -> tuple[str, str, str]:
    """Role, way and reason: every subnetwork with IPv4 can map an external address onto an interface."""
    inside = _first(cidr)
    if inside:
        told = roles.role_of(AddressEvidence(inside, routed=False, network_known=True), nic)
        if told and told.value == "public":
            return "public", "direct", told.why
    return "floating", "assigned", "an external address (natIP) is mapped onto the interface when the node asks for one"


def _ipv6(prefix: str | None, access: str, nic: InterfaceEvidence, roles: OperatorRoles) -> tuple[str, str, str]:
    outside = access == "EXTERNAL"
    told = f"ipv6AccessType {access or 'unknown'}"
    first = _first(prefix)
    if first is None:
        role, why = ("public" if outside else "private"), told
    else:
        evidence = AddressEvidence(first, routed=outside, routed_why=told, network_known=not outside)
        decision = network_role.role_of(evidence, nic, operator=roles)
        role, why = decision.value or "unknown", decision.why
    if role not in REACHES:  # management: never preferred, and no way to a public address
        return "unknown", "none", why
    return role, "direct" if outside else "none", why


def _first(cidr: str | None) -> str | None:
    """The first address of a range that a node could have."""
    if not cidr:
        return None
    network = ipaddress.ip_network(cidr, strict=False)
    return str(network[2] if network.num_addresses > 4 else network[0])
