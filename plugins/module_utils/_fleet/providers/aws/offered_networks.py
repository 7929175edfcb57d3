# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From subnets and their ways to the catalog's networks. Pure; judged by the same evidence as the addresses of nodes."""
from __future__ import annotations

import ipaddress
from typing import NamedTuple
from xml.etree.ElementTree import Element

from ...address_class import PUBLIC, classify
from ...catalog import CatalogNetwork
from ...network_role import OperatorRoles
from ...shape import AddressEvidence, Decision, InterfaceEvidence
from .network import Networks, Subnet

_OUTSIDE = ("public", "external")
_NOT_THERE = ("disassociating", "disassociated", "failing", "failed")  # states of an IPv6 block that cannot be used


class _Reach(NamedTuple):
    role: str
    how: str
    why: str


def networks(known: Networks, roles: OperatorRoles) -> list[CatalogNetwork]:
    """The subnets of a region. roles: what the fleet file says of networks."""
    return [_network(item, subnet, roles) for item, subnet in known.rows()]


def _network(item: Element, subnet: Subnet, roles: OperatorRoles) -> CatalogNetwork:
    cidr = item.findtext("cidrBlock")
    blocks = [
        block.findtext("ipv6CidrBlock", "") for block in item.iterfind("ipv6CidrBlockAssociationSet/item")
        if block.findtext("ipv6CidrBlockState/state", "") not in _NOT_THERE]
    judged: dict[str, _Reach] = {}
    if cidr:
        judged["ipv4"] = _ipv4(item, subnet, _said(roles, cidr, subnet))
    if blocks:
        judged["ipv6"] = _ipv6(subnet, blocks, _said(roles, blocks[0], subnet))
    why_not = _why_not(item, cidr)
    return CatalogNetwork(
        id=subnet.id,
        name=subnet.name or subnet.id,
        reach={family: told.role for family, told in judged.items()},
        how={family: told.how for family, told in judged.items()},
        why={family: told.why for family, told in judged.items()},
        cidrs=tuple(block for block in (cidr, *blocks) if block),
        zones=(zone,) if (zone := item.findtext("availabilityZone")) else (),
        usable=not why_not,
        why_not=why_not,
        default=item.findtext("defaultForAz") == "true",
        aliases=(vpc,) if (vpc := item.findtext("vpcId")) else (),
        extra={"vpc": item.findtext("vpcId", "")},
    )


def _why_not(item: Element, cidr: str | None) -> str:
    state = item.findtext("state", "available")
    if state != "available":
        return f"its state is {state}"
    return "has no free address" if cidr and item.findtext("availableIpAddressCount") == "0" else ""


def _ipv4(item: Element, subnet: Subnet, said: Decision | None) -> _Reach:
    """An operator's word speaks of the private address; a public one that is mapped onto it stays what it is."""
    if said and said.value in _OUTSIDE:
        return _Reach(str(said.value), "direct", said.why)
    name, way = f"subnet {subnet.name or subnet.id}", subnet.ipv4
    maps = item.findtext("mapPublicIpOnLaunch") == "true"
    if way.open or (way.open is None and maps):
        mapped = "maps a public IPv4 address at launch" if maps else "maps a public IPv4 address on request"
        return _Reach("floating", "assigned" if maps else "floating", f"{name} {way.why} and {mapped}")
    return _Reach("private" if way.open is False else "unknown", "none", f"{name} {way.why}")


def _ipv6(subnet: Subnet, blocks: list[str], said: Decision | None) -> _Reach:
    if said:
        outside = said.value in _OUTSIDE
        return _Reach(str(said.value) if outside or said.value == "unknown" else "private", "direct" if outside else "none", said.why)
    name, way = f"subnet {subnet.name or subnet.id}", subnet.ipv6
    kinds = [classify(block.partition("/")[0])[1] for block in blocks]
    routed = [
        block for block, kind in zip(blocks, kinds, strict=True)
        if kind == PUBLIC and ipaddress.IPv6Network(block, strict=False) not in subnet.closed_v6]
    if not routed:
        return _Reach("private", "none", f"{name} has only IPv6 that AWS does not advertise")
    if way.open is None:
        return _Reach("unknown", "direct", f"{name} {way.why}")
    return _Reach("public", "direct", f"{name} {way.why}") if way.open else _Reach("private", "none", f"{name} {way.why}")


def _said(roles: OperatorRoles, block: str, subnet: Subnet) -> Decision | None:
    """What the operator says of an address of the subnet."""
    first = str(ipaddress.ip_network(block, strict=False)[0])
    return roles.role_of(AddressEvidence(first), InterfaceEvidence(network=subnet.name, network_id=subnet.id))
