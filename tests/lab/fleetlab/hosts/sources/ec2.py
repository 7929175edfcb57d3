# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""EC2's instances as hosts, from the lab's EC2's own account of itself. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from .. import login
from ..model import Address, Host, Nic, World
from ..network import reaches_internet

_MTU = 9001


def world(dump: Mapping[str, Any]) -> World:
    running, stopped = [], []
    for instance in dump["instances"]:
        key = f"ec2/{instance['account']}/{instance['region']}/{instance['id']}"
        if instance["state"] == "running":
            running.append(_host(key, instance, dump["subnets"]))
        elif instance["state"] == "stopped":
            stopped.append(key)
    return World.of(running, stopped)


def _host(key: str, instance: Mapping[str, Any], subnets: Mapping[str, Any]) -> Host:
    nics = tuple(_nic(instance, nic, subnets[nic["subnet"]]) for nic in instance["nics"])
    return Host(
        key=key,
        cloud="ec2",
        ident=instance["id"],
        name=instance["dns"] or instance["id"],
        user=login.ec2(instance["image_names"], instance["windows"]),
        nics=nics,
        born=instance["launched"],
        image=" ".join(map(str, instance["image_names"])),
        restarted=instance["restarted"],
        metadata={
            name: instance[name]
            for name in (
                "account",
                "region",
                "zone",
                "id",
                "image",
                "type",
                "dns",
                "key_name",
                "public_key",
                "user_data",
                "tags",
                "security_groups",
                "launch_index",
                "nics",
            )
        },
    )


def _nic(instance: Mapping[str, Any], nic: Mapping[str, Any], subnet: Mapping[str, Any]) -> Nic:
    addresses = []
    if nic["ipv4"]:
        block = ipaddress.ip_network(subnet["ipv4"])
        for number, ip in enumerate(nic["ipv4"]):
            addresses.append(Address(ip, block.prefixlen, str(block[1]), nic["public"] if number == 0 else None))
    for ip in nic["ipv6"]:
        block6 = ipaddress.ip_network(subnet["ipv6"])
        addresses.append(Address(ip, block6.prefixlen, str(block6[1]), None, reaches_internet(ip, False, bool(subnet["ipv6_open"]))))
    return Nic(
        domain=f"ec2/{instance['account']}/{instance['region']}/{subnet['vpc']}",
        segment=nic["subnet"],
        name=f"eth{nic['index']}",
        mac=nic["mac"],
        mtu=_MTU,
        addresses=tuple(addresses),
    )
