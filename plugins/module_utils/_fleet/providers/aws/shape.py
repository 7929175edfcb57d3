# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""EC2's instances as evidence. Pure: the XML of DescribeInstances in, evidence out."""
from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

from ... import distro
from ...address_class import PUBLIC, classify
from ...shape import AddressEvidence, Image, InterfaceEvidence, LoginEvidence, NodeEvidence
from . import xmltree
from .network import Networks, Subnet

STATES: Mapping[str, str] = {
    "pending": "pending",
    "running": "running",
    "stopping": "stopping",
    "stopped": "stopped",
    "shutting-down": "deleting",
    "terminated": "deleting",
}
"""All states of an EC2 instance, and what the fleet calls them."""

_ARCHITECTURES = {"arm64": "aarch64", "arm64_mac": "aarch64", "x86_64_mac": "x86_64", "i386": "i686"}
_ONLY_NAT = "addresses of a VPC reach the internet only through NAT"


class Ami(NamedTuple):
    """What DescribeImages told about an image."""

    name: str | None
    owner: str | None
    description: str | None
    platform: str | None


def amis(items: Iterable[Element]) -> dict[str, Ami]:
    """Images by their ids. items: those of DescribeImages."""
    return {
        item.findtext("imageId", ""): Ami(
            item.findtext("name"),
            item.findtext("imageOwnerId"),
            item.findtext("description"),
            item.findtext("platform") or item.findtext("platformDetails"),
        )
        for item in items
    }


def image_ids(reservations: Iterable[Element]) -> set[str]:
    """The images that the instances were made from."""
    return {image.text for item in reservations for image in item.iterfind("instancesSet/item/imageId") if image.text}


def vpcs(reservations: Iterable[Element]) -> set[str]:
    """The VPCs that the instances have an interface in."""
    return {vpc.text for item in reservations for vpc in item.iterfind("instancesSet/item/networkInterfaceSet/item/vpcId") if vpc.text}


class Shaper:
    """Turns the instances of one region into evidence.

    networks: the region's subnets. images: what is known of images, read when an instance is shaped; an image that is
    not in it was deregistered or is not ours to see. extra: names of fields of the API to keep.
    """

    def __init__(self, region: str, networks: Networks, images: Mapping[str, Ami], extra: tuple[str, ...] = ()) -> None:
        self._region = region
        self._networks = networks
        self._images = images
        self._extra = extra
        self._shaped_images: dict[tuple[str | None, str | None], tuple[Image, str | None, str | None]] = {}

    def nodes(self, reservations: Iterable[Element]) -> Iterator[NodeEvidence]:
        """The instances of one page of DescribeInstances, in its order."""
        for reservation in reservations:
            account = reservation.findtext("ownerId")
            for item in reservation.iterfind("instancesSet/item"):
                yield self._node(item, account)

    def _node(self, item: Element, account: str | None) -> NodeEvidence:
        text = {field.tag: field.text for field in item}.get
        tags = xmltree.tags(item)
        interfaces = item.findall("networkInterfaceSet/item")
        image, owner, platform = self._image(text("imageId"), text("platform") or text("platformDetails"))
        arch = text("architecture")
        state = item.findtext("instanceState/name", "")
        return NodeEvidence(
            id=text("instanceId") or "",
            name=tags.get("Name") or None,
            state=STATES.get(state, "unknown"),
            account=account,
            region=self._region,
            zone=item.findtext("placement/availabilityZone"),
            created=created(item, text("launchTime"), interfaces),
            flavor=text("instanceType"),
            arch=_ARCHITECTURES.get(arch, arch) if arch else None,
            image=image,
            tags=tags,
            interfaces=self._interfaces(interfaces) or _without_interface(text("privateIpAddress"), text("ipAddress")),
            security_groups=_groups(item, interfaces),
            login=LoginEvidence(image_owner=owner, metadata=tags, platform=platform),
            extra=xmltree.extra(item, self._extra) if self._extra else {},
        )

    def _image(self, ami_id: str | None, platform: str | None) -> tuple[Image, str | None, str | None]:
        """The image, its owner and its platform; made once for all instances of an image."""
        key = (ami_id, platform)
        found = self._shaped_images.get(key)
        if found is None:
            ami = self._images.get(ami_id or "") or Ami(None, None, None, None)
            platform = platform or ami.platform
            kind, version = distro.identify(ami.name, ami.description, platform)
            found = self._shaped_images[key] = (Image(ami_id, ami.name, kind, version), ami.owner, platform)
        return found

    def _interfaces(self, items: list[Element]) -> tuple[InterfaceEvidence, ...]:
        if len(items) > 1:
            items.sort(key=_place)
        return tuple(self._interface(item) for item in items)

    def _interface(self, item: Element) -> InterfaceEvidence:
        vpc, subnet_id = item.findtext("vpcId"), item.findtext("subnetId")
        subnet = self._networks.subnet(subnet_id or "", vpc or "")
        private = item.findall("privateIpAddressesSet/item")
        if len(private) > 1:
            private.sort(key=lambda address: address.findtext("primary") != "true")
        addresses: list[AddressEvidence] = []
        for address in private or [item]:
            ip = address.findtext("privateIpAddress")
            if ip:
                addresses.append(AddressEvidence(ip, routed=False, routed_why=_ONLY_NAT, network_known=True))
                association = address.find("association")
                if association is not None:
                    addresses.extend(_mapped(association, ip, subnet))
        for address in item.iterfind("ipv6AddressesSet/item"):
            addresses.append(_ipv6(address.findtext("ipv6Address", ""), subnet))
        return InterfaceEvidence(
            network=subnet.name,
            network_id=subnet_id,
            mac=item.findtext("macAddress"),
            domain=f"vpc:{vpc}" if vpc else None,
            addresses=tuple(addresses),
        )


def _place(interface: Element) -> tuple[int, int]:
    """Network card and device index of an interface; the primary one is (0, 0)."""
    card = interface.findtext("attachment/networkCardIndex", "0")
    device = interface.findtext("attachment/deviceIndex", "0")
    return int(card), int(device)


def _mapped(association: Element, inside: str, subnet: Subnet) -> Iterator[AddressEvidence]:
    """The addresses that are mapped 1:1 onto an inside one."""
    owner = association.findtext("ipOwnerId", "")
    public = _public_kind(owner)
    if subnet.ipv4.open is False:
        # the mapping exists, but no packet comes by it: the operator must read that beside the address
        public = f"{public} (not reached from outside: subnet {subnet.name or subnet.id} {subnet.ipv4.why})"
    for tag, kind in (("publicIp", public), ("carrierIp", "carrier IP"), ("customerOwnedIp", "customer-owned IP")):
        ip = association.findtext(tag)
        if ip:
            yield AddressEvidence(ip, nat_of=inside, nat_kind=kind)


def _public_kind(owner: str) -> str:
    """What AWS calls a public IPv4 address, by who owns it: an account's own ones stay, the others change."""
    if owner.isdecimal():
        return "elastic IP"
    if owner == "amazon":
        return "public IP of AWS (auto-assigned)"
    return f"public IP of AWS (for {owner})" if owner else "public IP of AWS"


def _ipv6(ip: str, subnet: Subnet) -> AddressEvidence:
    name = f"subnet {subnet.name or subnet.id}"
    if classify(ip)[1] != PUBLIC:
        return AddressEvidence(ip, routed=False, routed_why=f"{classify(ip)[1]} address of {name}", network_known=True)
    if any(ipaddress.IPv6Address(ip) in block for block in subnet.closed_v6):
        return AddressEvidence(
            ip, routed=False, routed_why=f"{name} has private IPv6, which AWS does not advertise", network_known=True)
    way = subnet.ipv6
    return AddressEvidence(
        ip, routed=way.open, routed_why=f"{name} {way.why}", network_known=way.open is False)


def _without_interface(private: str | None, public: str | None) -> tuple[InterfaceEvidence, ...]:
    """The addresses of an instance that is told without network interfaces (EC2-Classic, and what imitates it)."""
    addresses = []
    if private:
        addresses.append(AddressEvidence(private, routed=False, routed_why=_ONLY_NAT, network_known=True))
    if public:
        addresses.append(AddressEvidence(public, nat_of=private, nat_kind=_public_kind("")))
    return (InterfaceEvidence(addresses=tuple(addresses)),) if addresses else ()


def _groups(item: Element, interfaces: Sequence[Element]) -> tuple[str, ...]:
    """Names of the security groups of the instance and of all its interfaces, each once."""
    names = [group.findtext("groupName") for group in item.iterfind("groupSet/item")]
    for interface in interfaces:
        names += [group.findtext("groupName") for group in interface.iterfind("groupSet/item")]
    return tuple(dict.fromkeys(name for name in names if name))


def created(item: Element, launched: str | None, interfaces: Sequence[Element]) -> str | None:
    """When the instance was made: the earliest time it tells, as its launch time is that of its last start."""
    times = [launched]
    times += [interface.findtext("attachment/attachTime") for interface in interfaces]
    root = item.findtext("rootDeviceName")
    times += [
        device.findtext("ebs/attachTime")
        for device in item.iterfind("blockDeviceMapping/item") if device.findtext("deviceName") == root
    ]
    # all are ISO 8601 in UTC and so sort as text; fractions of a second are dropped
    told = [time[:19] for time in times if time and len(time) >= 19]
    return f"{min(told)}Z" if told else None
