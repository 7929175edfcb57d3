# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which way the traffic of a subnet takes, from subnets and route tables. Pure: EC2's XML in, evidence out."""
from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import NamedTuple
from xml.etree.ElementTree import Element

from . import xmltree

# Destinations that stand for the whole internet, the more exact first as it wins: halves and 2000::/3 are used to
# overrule a default route that is propagated.
_INTERNET = {4: ("0.0.0.0/1", "128.0.0.0/1", "0.0.0.0/0"), 6: ("2000::/3", "::/0")}
_DESTINATION = {4: "destinationCidrBlock", 6: "destinationIpv6CidrBlock"}
_TARGETS = (
    "gatewayId", "natGatewayId", "egressOnlyInternetGatewayId", "transitGatewayId", "carrierGatewayId",
    "localGatewayId", "vpcPeeringConnectionId", "coreNetworkArn", "networkInterfaceId", "instanceId",
)
_WORDS = {
    "igw": "internet gateway", "nat": "NAT gateway", "eigw": "egress-only internet gateway", "tgw": "transit gateway",
    "cagw": "carrier gateway", "lgw": "local gateway", "pcx": "peering connection", "vgw": "virtual private gateway",
    "eni": "network interface", "i": "instance", "vpce": "endpoint",
}


class Way(NamedTuple):
    """Whether the internet reaches the subnet by one family (None: not told), and why, as a clause about it."""

    open: bool | None
    why: str


class Subnet(NamedTuple):
    """A subnet as far as it matters to its addresses. closed_v6: its IPv6 blocks that AWS does not advertise."""

    id: str
    name: str | None
    ipv4: Way
    ipv6: Way
    closed_v6: tuple[ipaddress.IPv6Network, ...] = ()


class _Table(NamedTuple):
    ipv4: Way
    ipv6: Way


_NOT_READ = Way(None, "has a route table that could not be read")
_UNTOLD = _Table(_NOT_READ, _NOT_READ)


class Networks:
    """The subnets of a region, each with the ways in that its route table gives.

    subnets: items of DescribeSubnets. tables: items of DescribeRouteTables, None when they may not be read; then no
    subnet tells whether it is reached.
    """

    def __init__(self, subnets: Iterable[Element], tables: Iterable[Element] | None) -> None:
        self._described = {item.findtext("subnetId", ""): item for item in subnets}
        self._by_subnet: dict[str, _Table] = {}
        self._main: dict[str, _Table] = {}  # by VPC: the table of the subnets that have none of their own
        self._known: dict[tuple[str, str], Subnet] = {}
        for item in tables or ():
            table = _Table(_way(item, 4), _way(item, 6))
            for association in item.iterfind("associationSet/item"):
                subnet = association.findtext("subnetId")
                if subnet:
                    self._by_subnet[subnet] = table
                elif association.findtext("main") == "true":
                    self._main[item.findtext("vpcId", "")] = table

    def subnet(self, subnet_id: str, vpc_id: str) -> Subnet:
        """What is known of a subnet; also of one that was not described, by its id and its VPC's main route table."""
        key = (subnet_id, vpc_id)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._build(subnet_id, vpc_id)
        return found

    def rows(self) -> list[tuple[Element, Subnet]]:
        """Every subnet as EC2 described it, with what is known of its ways."""
        return [(item, self.subnet(subnet_id, item.findtext("vpcId", ""))) for subnet_id, item in self._described.items()]

    def _build(self, subnet_id: str, vpc_id: str) -> Subnet:
        table = self._by_subnet.get(subnet_id) or self._main.get(vpc_id) or _UNTOLD
        item = self._described.get(subnet_id)
        if item is None:
            return Subnet(subnet_id, None, table.ipv4, table.ipv6)
        mode = item.findtext("blockPublicAccessStates/internetGatewayBlockMode")
        if mode in ("block-bidirectional", "block-ingress"):
            blocked = Way(False, f"is closed to the internet by VPC Block Public Access ({mode})")
            table = _Table(blocked, blocked)
        closed = tuple(
            ipaddress.IPv6Network(block.findtext("ipv6CidrBlock", "::/128"), strict=False)
            for block in item.iterfind("ipv6CidrBlockAssociationSet/item")
            if block.findtext("ipv6AddressAttribute") == "private")
        return Subnet(subnet_id, xmltree.tags(item).get("Name") or None, table.ipv4, table.ipv6, closed)


def _way(table: Element, family: int) -> Way:
    """The way that a route table gives to one family."""
    name = table.findtext("routeTableId", "its route table")
    routes = {route.findtext(_DESTINATION[family]): route for route in table.iterfind("routeSet/item")}
    for destination in _INTERNET[family]:
        route = routes.get(destination)
        if route is not None:
            return _led(route, destination, name)
    return Way(False, f"has no {'IPv6 ' if family == 6 else ''}route to an internet gateway ({name})")


def _led(route: Element, destination: str, table: str) -> Way:
    """Where the route to the internet leads."""
    target = next((told for told in map(route.findtext, _TARGETS) if told), "nothing")
    leads = f"routes {destination} to {_word(target)} ({table})"
    if route.findtext("state", "active") != "active":
        return Way(False, f"{leads}, but that route is a blackhole")
    if target.startswith("igw-"):
        return Way(True, leads)
    if target.startswith("vpce-"):
        return Way(None, leads)  # a firewall in between; what it lets in is not told
    if target.startswith("eigw-"):
        return Way(False, f"{leads}, which lets nothing in")
    return Way(False, f"{leads}, not to an internet gateway")


def _word(target: str) -> str:
    kind = _WORDS.get(target.partition("-")[0])
    return f"{kind} {target}" if kind else target
