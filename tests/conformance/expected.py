# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the lab's layouts make true of each of its clouds, found out from the layouts alone.

Not from what the suite says: each answer is derived from the description of networks, images, subnets and machines in
tests/lab/fleetlab, and from what is known of the kind of cloud. hosts: whether hosts boot behind the APIs.
"""
from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from fleetlab.ec2 import fleet as ec2
from fleetlab.ec2.accounts import MAIN, ROLE, SECOND
from fleetlab.gce import fleet as gce
from fleetlab.openstack.clouds import CLOUDS
from fleetlab.openstack.layout import Access, Cloud, Network

INTERNET = tuple(map(ipaddress.ip_network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")))
"""The lab's public addresses."""

SHELL = ("login", "fleet_keys", "node_key_removed", "key_stays_out")
PLAIN = dict.fromkeys(
    ("add_key", "metadata", "pick", "request", "tags", "private_address", "second_request", "same_name", "stop_start", "reboot", "deletion"), "YES")
"""What every cloud of the lab does unless its layout says otherwise."""


def _public(cidr: str) -> bool:
    network = ipaddress.ip_network(cidr)
    return any(network.version == wide.version and network.subnet_of(wide) for wide in INTERNET)  # type: ignore[arg-type]


def _family(network: Network, version: int) -> list[str]:
    return [cidr for cidr in network.cidrs if ipaddress.ip_network(cidr).version == version]


def openstack(cloud: Cloud, hosts: bool) -> dict[str, str]:
    """By the networks on which the project may boot, and by its images."""
    bootable = [network for network in cloud.networks if network.access is None or Access.BOOT in network.access]
    floating = [network for network in cloud.networks if network.access and Access.FLOAT in network.access]
    direct = [network for network in bootable if any(map(_public, _family(network, 4)))]
    office = [network for network in bootable if network.access and Access.BOOT in network.access and not any(map(_public, network.cidrs))]
    pools = [network for network in floating if network not in bootable]
    if direct:
        address, home = "YES", direct
    elif office:
        address, home = "PARTIAL", office  # reached from the company's network only
    elif pools and any(network.routed for network in bootable):
        address, home = "PARTIAL", [network for network in bootable if network.routed]
    else:
        address, home = "NO", bootable
    six = [network for network in bootable if _family(network, 6)]
    six_at_home = [network for network in home if any(map(_public, _family(network, 6)))]
    ipv6 = "NO" if not six else "YES" if len(six_at_home) == len(home) else "PARTIAL"
    untold = [image for image in cloud.images if image.login_user is None and image.properties.get("image_original_user") != "none"]
    return {
        **PLAIN, "metadata": "PARTIAL" if untold else "YES", "public_address": address, "ipv6": ipv6, "address_stays": "YES",
        "private_address": "NO" if home in (direct, office) else "YES", "host_keys": "YES" if hosts else "NO", **dict.fromkeys(SHELL, "YES")}


def aws(account: str, region: str, role: str | None, hosts: bool) -> dict[str, str]:
    """The first region. Nodes without a wish go to the default VPC, whose subnets map public IPv4 addresses, and have none of IPv6."""
    if role == ROLE:  # a reader may make nothing
        return {"metadata": "YES", "pick": "YES", "add_key": "ERROR", "request": "ERROR"}
    site = next(site for site in ec2.SITES if (site.account, site.region) == (account, region))
    six = [subnet for subnet in site.subnets if subnet.ipv6 is not None]
    return {
        **PLAIN, "public_address": "YES", "ipv6": "PARTIAL" if six else "NO", "address_stays": "PARTIAL",
        "host_keys": "YES" if hosts else "NO", **dict.fromkeys(SHELL, "YES")}


def google(project: str) -> dict[str, str]:
    """No key store, no address but in the request, one instance of a name in a zone; the guests tell their host keys."""
    six = [body for _region, body in gce.SUBNETWORKS[project] if body.get("ipv6AccessType")]
    return {
        **PLAIN, "add_key": "PARTIAL", "public_address": "PARTIAL", "ipv6": "PARTIAL" if six else "NO", "address_stays": "PARTIAL",
        "same_name": "NO", "host_keys": "YES", **dict.fromkeys(SHELL, "YES")}


def of(name: str, entry: Mapping[str, Any], hosts: bool) -> dict[str, str]:
    """Check -> answer that the layout makes true, for one cloud of the lab's fleet file; nothing for metal, whose machines are
    the lab's own business and are asked in a rack of the test's own."""
    if entry["provider"] == "openstack":
        return openstack(next(cloud for cloud in CLOUDS if cloud.name == entry["cloud"]), hosts)
    if entry["provider"] == "aws":
        role = (entry.get("assume_role") or {}).get("arn")
        account = re.sub(r"^arn:aws:iam::(\d+):.*", r"\1", role) if role else MAIN
        assert account in (MAIN, SECOND)
        return aws(account, entry["regions"][0], role, hosts)
    if entry["provider"] == "gce":
        return google(entry["projects"][0])
    return {}
