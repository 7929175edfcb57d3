# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The networks of one lab cloud: what its operator offers, what its project made, and the servers' ports."""
from __future__ import annotations

import functools
import ipaddress
from typing import Any

from openstack.connection import Connection

from . import clouds_yaml
from .layout import Access, Cloud, Network, Nic

_RBAC = {Access.BOOT: "access_as_shared", Access.FLOAT: "access_as_external"}


# Who else gives addresses of these ranges: EC2 the upper half of each quarter of the first, the rack file the lower ones of the second.
_SHARED = {ipaddress.ip_network("203.0.113.0/24"): 0, ipaddress.ip_network("198.51.100.0/24"): 1}


def pool(cidr: str) -> dict[str, list[dict[str, str]]]:
    """Which addresses Neutron may choose by itself: in ranges that the whole lab shares, the half nobody else gives."""
    network = ipaddress.ip_network(cidr)
    half = next((half for shared, half in _SHARED.items() if network.version == 4 and network.subnet_of(shared)), None)
    if half is None:
        return {}
    chosen = list(network.subnets())[half]
    return {"allocation_pools": [{"start": str(chosen[3]), "end": str(chosen[-2])}]}


class Layout:
    """Makes what is missing of one cloud's networks, with the operator's rights."""

    def __init__(self, admin: Connection, cloud: Cloud, project_id: str) -> None:
        self.admin = admin
        self.neutron = admin.network
        self.cloud = cloud
        self.project_id = project_id
        self.ids: dict[str, str] = {}   # network name -> id

    def apply(self) -> dict[str, list[str]]:
        """Returns each server's port ids, in the order of its interfaces."""
        owners = (self.project_id, self._operator_id)
        networks = {found.name: found.id for owner in owners for found in self.neutron.networks(project_id=owner)}
        subnets = {(found.network_id, found.cidr): found.id for owner in owners
                   for found in self.neutron.subnets(project_id=owner)}
        to_route = []
        for network in self.cloud.networks:
            network_id = self.ids[network.name] = networks.get(network.name) or self._make_network(network)
            for cidr in network.cidrs:
                subnet_id = subnets.get((network_id, cidr)) or self._make_subnet(network, cidr)
                if network.routed:
                    to_route.append(subnet_id)
            if network.access:
                self._open_to_project(network_id, network.access)
        if to_route:
            self._route(to_route)
        return self._ports()

    @functools.cached_property
    def _operator_id(self) -> str:
        """Project that owns what the operator of this cloud offers: names repeat among clouds, as in real life."""
        name = f"{self.cloud.name}-operator"
        identity = self.admin.identity
        found = identity.find_project(name) or identity.create_project(name=name, domain_id=clouds_yaml.DOMAIN)
        return str(found.id)

    def _owner(self, network: Network) -> str:
        return self._operator_id if network.access else self.project_id

    def _make_network(self, network: Network) -> str:
        physical = {
            "provider_network_type": "flat",
            "provider_physical_network": f"{self.cloud.name}-{network.name}".lower(),
        } if network.access else {}
        made = self.neutron.create_network(name=network.name, project_id=self._owner(network), **physical)
        return str(made.id)

    def _make_subnet(self, network: Network, cidr: str) -> str:
        parsed = ipaddress.ip_network(cidr)
        made = self.neutron.create_subnet(
            network_id=self.ids[network.name], project_id=self._owner(network),
            name=f"{network.name}-v{parsed.version}", ip_version=parsed.version, cidr=cidr,
            gateway_ip=str(parsed[1]) if network.gateway else None, **pool(cidr))
        return str(made.id)

    def _open_to_project(self, network_id: str, wanted: Access) -> None:
        """Let this one project use the network, where real clouds say shared or router:external to everybody.

        The project sees the same two flags; the other clouds of the lab see nothing.
        """
        policies = self.neutron.rbac_policies(object_id=network_id, target_project_id=self.project_id)
        there = {policy.action for policy in policies}
        for access, action in _RBAC.items():
            if access in wanted and action not in there:
                self.neutron.create_rbac_policy(
                    object_type="network", object_id=network_id, action=action, target_project_id=self.project_id)

    @property
    def _floating_source(self) -> Network:
        """The network that serves floating addresses and the router, and nothing else."""
        return next(network for network in self.cloud.networks if network.access == Access.FLOAT)

    def _route(self, subnet_ids: list[str]) -> None:
        router = next(iter(self.neutron.routers(project_id=self.project_id)), None)
        if router is None:
            source = self._floating_source
            outside = str(ipaddress.ip_network(source.cidrs[0])[2])     # a fixed one: the others are spoken for
            router = self.neutron.create_router(name="router", project_id=self.project_id, external_gateway_info={
                "network_id": self.ids[source.name], "external_fixed_ips": [{"ip_address": outside}]})
        ports = self.neutron.ports(device_id=router.id)
        connected = {address["subnet_id"] for port in ports for address in port.fixed_ips}
        for subnet_id in subnet_ids:
            if subnet_id not in connected:
                self.neutron.add_interface_to_router(router, subnet_id=subnet_id)

    def _security_group(self) -> str:
        """A group that lets SSH in, on both families; returns its id."""
        group = next(iter(self.neutron.security_groups(project_id=self.project_id, name="ssh")), None)
        group = group or self.neutron.create_security_group(name="ssh", project_id=self.project_id)
        rules = self.neutron.security_group_rules(security_group_id=group.id, direction="ingress")
        there = {rule.ether_type for rule in rules}
        for family in ("IPv4", "IPv6"):
            if family not in there:
                self.neutron.create_security_group_rule(
                    security_group_id=group.id, project_id=self.project_id, direction="ingress", ethertype=family,
                    protocol="tcp", port_range_min=22, port_range_max=22)
        return str(group.id)

    def _ports(self) -> dict[str, list[str]]:
        """Ports before servers: addresses are the same in every lab, and a floating one is listed from the start."""
        there = {port.name: port.id for port in self.neutron.ports(project_id=self.project_id)}
        floating = {address.floating_ip_address for address in self.neutron.ips(project_id=self.project_id)}
        group_id = self._security_group()
        ports: dict[str, list[str]] = {}
        for server in self.cloud.servers:
            ports[server.name] = []
            for number, nic in enumerate(server.nics):
                name = f"{server.name}-{number}"
                port_id = there.get(name) or self._make_port(name, nic, group_id)
                ports[server.name].append(port_id)
                if nic.floating and nic.floating not in floating:
                    self._make_floating(nic, port_id)
        return ports

    def _make_port(self, name: str, nic: Nic, group_id: str) -> str:
        made: Any = self.neutron.create_port(
            name=name, network_id=self.ids[nic.network], project_id=self.project_id, security_groups=[group_id],
            fixed_ips=[{"ip_address": address} for address in nic.addresses])
        return str(made.id)

    def _make_floating(self, nic: Nic, port_id: str) -> None:
        self.neutron.create_ip(
            floating_network_id=self.ids[self._floating_source.name], floating_ip_address=nic.floating,
            port_id=port_id, fixed_ip_address=next(iter(nic.addresses)), project_id=self.project_id)
