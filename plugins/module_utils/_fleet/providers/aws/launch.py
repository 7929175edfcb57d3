# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From an order to the parameters of RunInstances, the same for the same order. Pure."""
from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from ...errors import FleetError
from ..actions import Order
from . import catalog

MOST_USER_DATA = 16384  # bytes, before they are encoded
LONGEST_KEY, LONGEST_VALUE, MOST_TAGS = 128, 256, 50  # characters and number of tags


def check_tags(tags: Mapping[str, str]) -> None:
    """Raises FleetError for a tag that EC2 does not keep, and for a second name."""
    for key, value in tags.items():
        if not key or len(key) > LONGEST_KEY or key.lower().startswith("aws:"):
            raise _refused(
                "set tags", f"AWS takes no tag '{key[:40]}': 1 to {LONGEST_KEY} characters, not beginning with aws:", "Choose another tag.")
        if len(value) > LONGEST_VALUE:
            raise _refused("set tags", f"the value of tag '{key}' is longer than {LONGEST_VALUE} characters", "Shorten it.")
    if "Name" in tags:
        raise _refused("set tags", "the tag 'Name' is the node's name", "Leave it out.")
    if len(tags) >= MOST_TAGS:
        raise _refused("set tags", f"AWS keeps {MOST_TAGS} tags of a node, of which one is its name; {len(tags)} are too many", "Leave some out.")


def check(order: Order) -> None:
    """Raises FleetError for what cannot be asked for, before anything is made."""
    what = f"make node {order.name}"
    check_tags(order.tags)
    if order.image is None or order.network is None:
        raise _refused(what, "AWS needs an image and a subnet", "Name them in the requirement; catalog_info lists what there is.")
    zones = order.network.zones
    if order.zone and zones and order.zone not in zones:
        raise _refused(what, f"subnet {order.network.name} is in {', '.join(zones)}, not in {order.zone}", "Choose a subnet of that zone.")
    size = len((order.user_data or "").encode())
    if size > MOST_USER_DATA:
        raise _refused(what, f"user_data has {size} bytes, AWS takes {MOST_USER_DATA}", "Shorten it, or let it fetch the rest.")


def _refused(what: str, why: str, fix: str) -> FleetError:
    return FleetError(what, why=why, fix=fix, code="refused")


def parameters(order: Order, image: Element, group: str | None) -> dict[str, Any]:
    """What RunInstances is asked, but for the client token. image: as described; group: id of a security group, None for the
    VPC's default one."""
    tags = [{"Key": key, "Value": value} for key, value in {"Name": order.name, **order.tags}.items()]
    asked: dict[str, Any] = {
        "ImageId": image.findtext("imageId", ""),
        "InstanceType": order.flavor.id,
        "MinCount": 1,
        "MaxCount": 1,
        "MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled"},
        "NetworkInterfaces": [_interface(order, group)],
        "TagSpecifications": [{"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume", "network-interface")],
    }
    disks = _disks(image, order.disk_gib)
    if disks:
        asked["BlockDeviceMappings"] = disks
    if order.key_name:
        asked["KeyName"] = order.key_name
    if order.user_data:
        asked["UserData"] = order.user_data  # botocore encodes it
    return asked


def _interface(order: Order, group: str | None) -> dict[str, Any]:
    """A public IPv4 address is asked for at launch, which costs no elastic IP and leaves nothing to release. Where nothing is
    wished, the subnet's own settings hold."""
    network = order.network
    if network is None:
        raise AssertionError("network is known here")
    interface: dict[str, Any] = {"DeviceIndex": 0, "SubnetId": network.id, "DeleteOnTermination": True}
    if "ipv4" in network.reach and order.reachable != "any":
        interface["AssociatePublicIpAddress"] = (
            order.reachable == "public" and "ipv4" in order.families and network.how.get("ipv4") in ("assigned", "floating"))
    if "ipv6" in network.reach and "ipv4" in network.reach:  # a subnet of IPv6 only gives an address by itself
        if "ipv6" in order.families:
            interface["Ipv6AddressCount"] = 1
        elif order.reachable == "private" and network.reach["ipv6"] != "private":
            interface["Ipv6AddressCount"] = 0
    if group:
        interface["Groups"] = [group]
    return interface


def _disks(image: Element, root_gib: int | None) -> list[dict[str, Any]]:
    """The root disk where its size is chosen, and all disks that would outlive the node: they go with it."""
    root = catalog.root_device(image)
    disks = []
    for device in image.iterfind("blockDeviceMapping/item"):
        ebs = device.find("ebs")
        if ebs is None:
            continue
        name, size = device.findtext("deviceName", ""), ebs.findtext("volumeSize", "")
        wanted = root_gib if name == root else None
        if wanted or ebs.findtext("deleteOnTermination") != "true":
            disk: dict[str, Any] = {"DeleteOnTermination": True}
            if wanted or size.isdecimal():
                disk["VolumeSize"] = wanted or int(size)
            disks.append({"DeviceName": name, "Ebs": disk})
    if root_gib and root not in {disk["DeviceName"] for disk in disks}:
        disks.append({"DeviceName": root, "Ebs": {"VolumeSize": root_gib, "DeleteOnTermination": True}})
    return disks


# --------------------------------------------------------------------------------------------------- tokens
def salted(token: str, salt: str) -> str:
    """The client token that takes the place of one that is used up, the same in every run that knows the salt."""
    return hashlib.sha256(f"{token}/{salt}".encode()).hexdigest()


def unused(token: str, dead: Mapping[str, str]) -> str:
    """The first token of an order's chain that no dead instance was made with. dead: client token -> instance id."""
    current, seen = token, set()
    while current in dead and current not in seen:
        seen.add(current)
        current = salted(current, dead[current])
    return current


def digest(parts: Sequence[Any] | Mapping[str, Any]) -> str:
    """A salt from the settings of a request."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
