# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The body of instances.insert for an order. Pure."""
from __future__ import annotations

import re
from typing import Any

from ..actions import MARK, Order
from . import keys
from .names import check_name, labels, network_tag

NAT = {"type": "ONE_TO_ONE_NAT", "name": "External NAT"}
NAT6 = {"type": "DIRECT_IPV6", "name": "external-ipv6", "networkTier": "PREMIUM"}

# series that take no Persistent Disk at all; the others all take pd-balanced
_HYPERDISK_ONLY = re.compile(r"(?:c4|n4|x4|m4|a4|h4|g4)[a-z]*-")


def check(order: Order) -> None:
    """Raises FleetError for a name, tags, a key and a user that Google would refuse."""
    check_name(order.name)
    labels({**order.tags, MARK: order.name})
    metadata(order, os_login=False)


def body(order: Order, zone: str, *, project: str, os_login: bool) -> dict[str, Any]:
    """What is asked for. project: in which the node is made; os_login: whether its metadata turns OS Login on. Raises FleetError
    for labels, keys and users that Google would refuse."""
    marks = labels(order.tags)
    asked: dict[str, Any] = {
        "name": order.name,
        "machineType": f"zones/{zone}/machineTypes/{order.flavor.name}",
        "labels": marks,
        "disks": [_boot_disk(order, zone, marks)],
        "networkInterfaces": [interface(order)],
        "metadata": {"items": [{"key": key, "value": value} for key, value in metadata(order, os_login=os_login).items()]},
    }
    if order.rules is not None:
        asked["tags"] = {"items": [network_tag(order.name, project if network_owner(order, project) != project else None)]}
    return asked


def _boot_disk(order: Order, zone: str, marks: dict[str, str]) -> dict[str, Any]:
    kind = "hyperdisk-balanced" if _HYPERDISK_ONLY.match(order.flavor.name) else "pd-balanced"
    made_from: dict[str, Any] = {"diskType": f"zones/{zone}/diskTypes/{kind}", "labels": marks}
    if order.image:
        made_from["sourceImage"] = order.image.id
    if order.disk_gib:
        made_from["diskSizeGb"] = str(order.disk_gib)
    return {"boot": True, "autoDelete": True, "initializeParams": made_from}


def interface(order: Order) -> dict[str, Any]:
    """The network interface. Google gives an external address only to those that ask for one; a node that may be reached
    from outside (everything but ``private``) asks, as its peers on other clouds get theirs unasked."""
    network = order.network
    if network is None:
        return {"network": "global/networks/default", **({"accessConfigs": [NAT]} if wants_nat(order) else {})}
    if "/subnetworks/" not in network.id:  # of the oldest kind, which has none
        return {"network": network.id, **({"accessConfigs": [NAT]} if wants_nat(order) else {})}
    nic: dict[str, Any] = {"subnetwork": network.id}
    if "ipv6" not in network.reach:
        nic["stackType"] = "IPV4_ONLY"
    elif "ipv4" not in network.reach:
        nic["stackType"] = "IPV6_ONLY"
    else:
        nic["stackType"] = "IPV4_IPV6" if "ipv6" in order.families else "IPV4_ONLY"
    if wants_nat(order):
        nic["accessConfigs"] = [NAT]
    if wants_nat6(order):
        nic["ipv6AccessConfigs"] = [NAT6]
    return nic


def network_path(order: Order, project: str) -> str:
    """The VPC network that the node will be in."""
    return order.network.extra["network"] if order.network else f"projects/{project}/global/networks/default"


def network_owner(order: Order, project: str) -> str:
    """The project of that network: another one in a Shared VPC."""
    return network_path(order, project).split("/")[1]


def wants_nat(order: Order) -> bool:
    """Whether the node wants an external IPv4 address that its subnetwork can have."""
    has = order.network is None or order.network.how.get("ipv4") == "assigned"
    return order.reachable != "private" and "ipv4" in order.families and has


def wants_nat6(order: Order) -> bool:
    """Whether the node wants an external IPv6 address that its subnetwork can have."""
    has = order.network is not None and order.network.extra.get("ipv6_access") == "EXTERNAL"
    return order.reachable != "private" and "ipv6" in order.families and has


def metadata(order: Order, *, os_login: bool) -> dict[str, str]:
    """Metadata items of a new instance."""
    items = {"enable-guest-attributes": "TRUE"}  # the guest tells its SSH host keys there
    if order.public_key:
        items["ssh-keys"] = keys.entry(order.login_user or keys.DEFAULT_USER, order.public_key)
        if os_login:
            items["enable-oslogin"] = "FALSE"  # with OS Login on, keys in the metadata are ignored
    if order.user_data:
        # Google's agent runs start-up scripts on every image (and at every boot); the rest only cloud-init understands
        items["startup-script" if order.user_data.startswith("#!") else "user-data"] = order.user_data
    return items
