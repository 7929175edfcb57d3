# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Elastic IPs for nodes that run without a public address: a free one, else one that is allocated and marked."""
from __future__ import annotations

import re
from xml.etree.ElementTree import Element

from ...errors import FleetError
from ..actions import MARK
from ..base import Run
from . import filters, instances, xmltree
from .client import Ec2
from .operations import ADDRESSES, ALLOCATE, ASSIGN_IPV6, ASSOCIATE, DISASSOCIATE, RELEASE, ZONES, Operation

ALLOCATIONS = 3  # tries, when whether an address was allocated is not known
LOOKS = 3  # tries to attach an address that was just allocated
TRIED = 10  # free addresses that other runs may be faster to take, one after the other


class Addresses:
    """The elastic IPs of one region."""

    def __init__(self, ec2: Ec2, region: str, run: Run) -> None:
        self._ec2 = ec2
        self._region = region
        self._run = run

    def marked(self, node: str) -> list[Element]:
        """Those allocated for a node."""
        return self._ec2.items(self._region, ADDRESSES, {"Filters": [filters.exactly(f"tag:{MARK}", [node])]})

    def attach(self, node: str, item: Element) -> str | None:
        """Give an instance an elastic IP: one allocated for it before, else a free one, else a new one. Returns what was done, None
        when another run was faster to do it. item: the instance as described."""
        interface = item.findtext("networkInterfaceSet/item/networkInterfaceId", "")
        border = self._border(item.findtext("placement/availabilityZone", ""))
        for free in self._free(node, border)[:TRIED]:
            if self._associate(free, interface):
                return f"attached free elastic IP {free.findtext('publicIp')}"
            if self._has_one(interface):
                return None
        made = self._allocate(node, border)
        try:
            for look in range(LOOKS):
                if look:  # an address of a moment ago may not be known everywhere yet
                    self._run.patience.sleep(min(1.0, self._run.patience.remaining()))
                if self._associate(made, interface):
                    return f"allocated elastic IP {made.findtext('publicIp')}"
                if self._has_one(interface):
                    break
        except FleetError:
            self._release(made)
            raise
        self._release(made)
        if self._has_one(interface):
            return None
        raise FleetError(ASSOCIATE.what, why=f"{made.findtext('publicIp')} could not be attached", code="address_pool", fix="Run again.")

    def _border(self, zone: str) -> str:
        """The part of the network that advertises addresses of a zone: the region, but for zones outside its own buildings."""
        if not zone or re.fullmatch(rf"{re.escape(self._region)}[a-z]", zone):
            return self._region
        listed = self._ec2.items(self._region, ZONES, {"Filters": [filters.exactly("zone-name", [zone])], "AllAvailabilityZones": True})
        return next((item.findtext("networkBorderGroup") or self._region for item in listed), self._region)

    def _free(self, node: str, border: str) -> list[Element]:
        """Free addresses that this node may have: those made for it, then those made for no node."""
        listed = [
            item for item in self._ec2.items(self._region, ADDRESSES, {})
            if item.findtext("allocationId") and not (item.findtext("associationId") or item.findtext("networkInterfaceId"))
            and (item.findtext("networkBorderGroup") or self._region) == border and not item.findtext("carrierIp")
            and not item.findtext("customerOwnedIp") and item.findtext("serviceManaged") in (None, "")]
        listed.sort(key=lambda item: item.findtext("allocationId", ""))
        own = [item for item in listed if xmltree.tags(item).get(MARK) == node]
        return own + [item for item in listed if MARK not in xmltree.tags(item)]

    def _allocate(self, node: str, border: str) -> Element:
        """One new address. The request has no token: when its answer is lost, what it made is found by its mark."""
        tags = [{"Key": MARK, "Value": node}, {"Key": "Name", "Value": node}]
        asked = {
            "Domain": "vpc", "TagSpecifications": [{"ResourceType": "elastic-ip", "Tags": tags}],
            **({"NetworkBorderGroup": border} if border != self._region else {})}
        for attempt in range(ALLOCATIONS):
            try:
                return self._ec2.ask_once(self._region, ALLOCATE, asked)
            except FleetError as failure:
                if not failure.transient or attempt == ALLOCATIONS - 1:
                    raise
                self._run.patience.sleep(min(max(failure.retry_after or 0.0, 1.0 + attempt), self._run.patience.remaining()))
            made = [item for item in self.marked(node) if not item.findtext("associationId")]
            if made:
                return made[0]
        raise AssertionError("the last attempt returns or raises")

    def _associate(self, address: Element, interface: str) -> bool:
        """Whether the address is now this interface's; False when the address, or the interface, was taken meanwhile."""
        allocation = address.findtext("allocationId", "")
        try:
            self._ec2.ask(self._region, ASSOCIATE, {
                "AllocationId": allocation, "NetworkInterfaceId": interface, "AllowReassociation": False})
        except FleetError as failure:
            if failure.code not in ("taken", "not_found"):
                raise
            listed = self._ec2.items(self._region, ADDRESSES, {"Filters": [filters.exactly("allocation-id", [allocation])]})
            return any(item.findtext("networkInterfaceId") == interface for item in listed)  # by a request whose answer was lost
        return True

    def _has_one(self, interface: str) -> bool:
        return bool(self._ec2.items(self._region, ADDRESSES, {"Filters": [filters.exactly("network-interface-id", [interface])]}))

    def assign_ipv6(self, item: Element) -> None:
        """Give the instance's first interface an IPv6 address of its subnet. item: the instance as described."""
        interface = item.findtext("networkInterfaceSet/item/networkInterfaceId", "")
        try:
            self._ec2.ask_once(self._region, ASSIGN_IPV6, {"NetworkInterfaceId": interface, "Ipv6AddressCount": 1})
        except FleetError as failure:
            if not failure.transient:
                raise
            again = instances.find(self._ec2, self._region, "instance-id", [instances.id_of(item)])
            if not any(told.find("networkInterfaceSet/item/ipv6AddressesSet/item") is not None for told in again):
                self._ec2.ask_once(self._region, ASSIGN_IPV6, {"NetworkInterfaceId": interface, "Ipv6AddressCount": 1})

    def release(self, node: str) -> list[str]:
        """Release what was allocated for a node; what was done. An address that somebody has moved to another machine stays."""
        done = []
        for item in self.marked(node):
            ip, holder = item.findtext("publicIp"), item.findtext("instanceId")
            if item.findtext("associationId") or item.findtext("networkInterfaceId"):
                if not self._is_ours(holder, node):
                    self._run.warn(f"elastic IP {ip}, allocated for node {node}, is attached to {holder or 'something else'} and is not released")
                    continue
                self._unless_gone(DISASSOCIATE, {"AssociationId": item.findtext("associationId", "")})
            self._release(item)
            done.append(f"elastic IP {ip}")
        return done

    def _is_ours(self, instance: str | None, node: str) -> bool:
        made = instances.named(instances.marked(self._ec2, self._region, node), node)
        return bool(instance) and any(instances.id_of(item) == instance for item in made)

    def _release(self, item: Element) -> None:
        self._unless_gone(RELEASE, {"AllocationId": item.findtext("allocationId", "")})

    def _unless_gone(self, operation: Operation, asked: dict[str, str]) -> None:
        try:
            self._ec2.ask(self._region, operation, asked)
        except FleetError as failure:
            if failure.code != "not_found":
                raise
