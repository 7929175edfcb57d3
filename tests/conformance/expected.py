# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the lab's layouts make true of each of its clouds, found out from the layouts alone.

Not from what the suite says: each answer is derived from the description of networks, images, subnets and machines in
tests/lab/fleetlab, from what is known of the kind of cloud, and from two rules that the documentation gives: of equal
networks the first by name is taken, of machines the smallest of the first source that has a free one. hosts: whether hosts
boot behind the APIs.
"""
from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fleetlab.metal
import yaml
from fleetlab.ec2 import fleet as ec2
from fleetlab.ec2.accounts import MAIN, SECOND
from fleetlab.gce import fleet as gce
from fleetlab.openstack.clouds import CLOUDS
from fleetlab.openstack.layout import Access, Cloud, Network
from fleetlab.openstack.racks import NODES

INTERNET = tuple(map(ipaddress.ip_network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")))
"""The lab's public addresses."""

SHELL = ("login", "fleet_keys", "node_key_removed", "key_stays_out")
PLAIN = dict.fromkeys(
    ("add_key", "metadata", "pick", "request", "public_address", "default_address", "tags", "private_address", "second_request", "same_name",
     "stop_start", "reboot", "deletion", *SHELL), "YES")
"""What every cloud of the lab does unless its layout says otherwise."""


def _public(cidr: str) -> bool:
    network = ipaddress.ip_network(cidr)
    return any(network.version == wide.version and network.subnet_of(wide) for wide in INTERNET)  # type: ignore[arg-type]


def _family(network: Network, version: int) -> list[str]:
    return [cidr for cidr in network.cidrs if ipaddress.ip_network(cidr).version == version]


def _six(network: Network) -> bool:
    return any(map(_public, _family(network, 6)))


def openstack(cloud: Cloud, hosts: bool) -> dict[str, str]:
    """By the networks on which the project may boot, and by its images."""
    bootable = sorted((network for network in cloud.networks if network.access is None or Access.BOOT in network.access), key=lambda net: net.name)
    direct = [network for network in bootable if any(map(_public, _family(network, 4)))]
    office = [network for network in bootable if network.access and Access.BOOT in network.access and not any(map(_public, network.cidrs))]
    routed = [network for network in bootable if network.routed]
    pools = [network for network in cloud.networks if network.access == Access.FLOAT]
    home = (direct or office or routed or bootable)[0]
    six = "PARTIAL" if _six(home) else "NO"
    if direct:
        address, default = "YES", "YES"
    elif office:
        address, default = "PARTIAL", "PARTIAL"  # reached from the company's network only
    elif routed and pools:
        address, default = "YES" if any(_public(cidr) for pool in pools for cidr in pool.cidrs) else "PARTIAL", six
    else:
        address, default = ("PARTIAL", "PARTIAL") if _six(home) else ("NO", "NO")
    any_six = any(_family(network, 6) for network in bootable)
    untold = [image for image in cloud.images if image.login_user is None and image.properties.get("image_original_user") != "none"]
    return {
        **PLAIN, "metadata": "PARTIAL" if untold else "YES", "public_address": address, "default_address": default,
        "ipv6": "YES" if _six(home) else "PARTIAL" if any_six else "NO", "address_stays": "YES",
        "private_address": "NO" if home in (*direct, *office) else "YES", "host_keys": "YES" if hosts else "NO"}


def aws(account: str, region: str, hosts: bool) -> dict[str, str]:
    """The first region. Nodes without a wish go to the default VPC, whose subnets map public IPv4 addresses, and have none of IPv6."""
    site = next(site for site in ec2.SITES if (site.account, site.region) == (account, region))
    six = [subnet for subnet in site.subnets if subnet.ipv6 is not None]
    return {**PLAIN, "ipv6": "PARTIAL" if six else "NO", "address_stays": "PARTIAL", "host_keys": "YES" if hosts else "NO"}


def google(project: str) -> dict[str, str]:
    """No key store, no address but one that is asked for, one instance of a name in a zone; the guests tell their host keys."""
    six = [body for _region, body in gce.SUBNETWORKS[project] if body.get("ipv6AccessType")]
    return {
        **PLAIN, "add_key": "PARTIAL", "default_address": "NO", "ipv6": "PARTIAL" if six else "NO", "address_stays": "PARTIAL",
        "same_name": "NO", "host_keys": "YES"}


def rack() -> dict[str, str]:
    """A machine of the rack file: it is what it is, nobody can switch it, and the node's key is not on it."""
    machines = yaml.safe_load((Path(fleetlab.metal.__file__).parent / "r42.yml").read_text(encoding="utf-8"))["nodes"]
    machine = min((row for row in machines if row.get("pool")), key=lambda row: (row["vcpus"], row["memory_mib"]))
    roles = {interface["role"] for interface in machine["interfaces"]}
    six = [row for row in machines for interface in row["interfaces"] if any(":" in address for address in interface["addresses"])]
    meaningless = ("same_name", "stop_start", "address_stays", "reboot", *SHELL)
    return {
        **PLAIN, **dict.fromkeys(meaningless, "-"), "add_key": "PARTIAL", "host_keys": "NO",
        "metadata": "YES" if all("vcpus" in row and "memory_mib" in row for row in machines) else "PARTIAL",
        "private_address": "YES" if "private" in roles else "NO", "ipv6": "YES" if machine in six else "PARTIAL" if six else "NO"}


def deployed() -> dict[str, str]:
    """A machine of the Ironic: it is deployed with the node's key, and has the one public address of its port."""
    machine = min((row for row in NODES if row.provision_state == "available"), key=lambda row: row.size)
    assert machine.address, "the smallest has an address"
    assert _public(machine.address)
    return {
        **PLAIN, "add_key": "PARTIAL", "private_address": "NO", "ipv6": "NO", "same_name": "-", "host_keys": "NO", "address_stays": "YES"}


def of(entry: Mapping[str, Any], hosts: bool) -> dict[str, str]:
    """Check -> answer that the layout makes true, for one cloud of the lab's fleet file. On metal the rack file comes first."""
    if entry["provider"] == "openstack":
        return openstack(next(cloud for cloud in CLOUDS if cloud.name == entry["cloud"]), hosts)
    if entry["provider"] == "aws":
        role = (entry.get("assume_role") or {}).get("arn")
        account = re.sub(r"^arn:aws:iam::(\d+):.*", r"\1", role) if role else MAIN
        assert account in (MAIN, SECOND)
        return aws(account, entry["regions"][0], hosts)
    if entry["provider"] == "gce":
        return google(entry["projects"][0])
    assert entry["sources"][0]["kind"] == "file"
    return rack()
