# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is known of the networks that carry a cloud's addresses. Pure: Neutron's payloads in.

Nova names a network by its label only, and labels are not unique; here a label (with MAC and address where it is
shared) becomes a network.
"""
from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .clouds_yaml import Declared

ROUTER_INTERFACES = (
    "network:router_interface",
    "network:router_interface_distributed",
    "network:ha_router_replicated_interface",
)
"""Values of a port's device_owner where a router joins a network. The gateway port is none: it hides what is behind."""


@dataclasses.dataclass(frozen=True, slots=True)
class Network:
    """One network as far as it is known. external: Neutron's router:external, None when Neutron told nothing;
    domain: opaque id of its layer-3 domain; mtu in bytes."""

    name: str
    id: str | None = None
    external: bool | None = None
    mtu: int | None = None
    domain: str | None = None
    cidrs: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    declared: Declared | None = None
    why: str = ""

    def holds(self, ip: str) -> bool:
        """Whether the address lies in one of the network's subnets."""
        address = ipaddress.ip_address(ip)
        return any(address.version == cidr.version and address in cidr for cidr in self.cidrs)


class Networks:
    """All networks of one region, found by what Nova tells of an address."""

    def __init__(self, networks: Sequence[Network], declared: Mapping[str, Declared], *, told: bool) -> None:
        """told: Neutron was asked and answered, so that a name it does not have is worth another question."""
        self.told = told
        self._declared = declared
        self._by_id = {network.id: network for network in networks}
        self._by_name: dict[str, list[Network]] = {}
        for network in networks:
            self._by_name.setdefault(network.name, []).append(network)
        self._certain = {name: found[0] for name, found in self._by_name.items() if len(found) == 1}
        self._strangers: dict[str, Network] = {}
        self._ports: dict[tuple[str, str], str] = {}

    def find(self, name: str, mac: str | None, ips: Iterable[str]) -> Network:
        """The network behind a label; one of which only the name is known when nothing tells which it is.

        ips: the fixed addresses of the interface.
        """
        network = self._certain.get(name) or self._by_subnet(name, ips)
        if network is None and mac:
            ids = (self._ports.get((mac, ip)) for ip in ips)
            network = next((self._by_id[found] for found in ids if found in self._by_id), None)
        return network or self._stranger(name)

    def unclear(self, addresses: Mapping[str, Sequence[Mapping[str, Any]]]) -> bool:
        """Whether ports must be asked which networks these are (a server's ``addresses``, by label)."""
        if not self.told or self._certain.keys() >= addresses.keys():
            return False
        return any(
            name not in self._certain
            and any(self._by_subnet(name, (entry["addr"],)) is None for entry in entries
                    if entry.get("OS-EXT-IPS:type") != "floating")
            for name, entries in addresses.items()
        )

    def learn_ports(self, ports: Iterable[Mapping[str, Any]]) -> None:
        """Remember on which network each address of these Neutron ports is."""
        for port in ports:
            for fixed in port.get("fixed_ips") or ():
                self._ports[port["mac_address"], fixed["ip_address"]] = port["network_id"]

    def _by_subnet(self, name: str, ips: Iterable[str]) -> Network | None:
        candidates = self._by_name.get(name)
        if not candidates:
            return None
        holding = [network for network in candidates if any(network.holds(ip) for ip in ips)]
        return holding[0] if len(holding) == 1 else None

    def _stranger(self, name: str) -> Network:
        network = self._strangers.get(name)
        if network is None:
            network = self._strangers[name] = Network(name=name, declared=self._declared.get(name))
        return network


def build(
    networks: Iterable[Mapping[str, Any]],
    subnets: Iterable[Mapping[str, Any]],
    router_ports: Iterable[Mapping[str, Any]],
    declared: Mapping[str, Declared],
) -> Networks:
    """Networks from Neutron's lists: networks, subnets, and the ports by which routers join networks."""
    cidrs: dict[str, list[ipaddress.IPv4Network | ipaddress.IPv6Network]] = {}
    for subnet in subnets:
        cidrs.setdefault(subnet["network_id"], []).append(ipaddress.ip_network(subnet["cidr"], strict=False))
    domains = _domains(router_ports)
    return Networks([
        Network(
            name=payload.get("name") or payload["id"],
            id=payload["id"],
            external=bool(payload.get("router:external")),
            mtu=payload.get("mtu") or None,
            domain=domains.get(payload["id"], f"network:{payload['id']}"),
            cidrs=tuple(cidrs.get(payload["id"], ())),
            declared=declared.get(payload["id"]) or declared.get(payload.get("name") or ""),
            why=f"network '{payload.get('name') or payload['id']}' is "
                + ("router:external" if payload.get("router:external") else "not external"),
        )
        for payload in networks
    ], declared, told=True)


def _domains(router_ports: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Network id -> id of its layer-3 domain, for the networks that routers join (also through other networks).

    The smallest router id names the domain, so that the answer does not depend on the order of the ports.
    """
    routers_of: dict[str, set[str]] = {}
    networks_of: dict[str, set[str]] = {}
    for port in router_ports:
        if port.get("device_id"):
            routers_of.setdefault(port["network_id"], set()).add(port["device_id"])
            networks_of.setdefault(port["device_id"], set()).add(port["network_id"])
    domains: dict[str, str] = {}
    for start in routers_of:
        if start in domains:
            continue
        reached, routers, todo = {start}, set[str](), [start]
        while todo:
            for router in routers_of[todo.pop()] - routers:
                routers.add(router)
                todo.extend(networks_of[router] - reached)
                reached |= networks_of[router]
        domains.update(dict.fromkeys(reached, f"router:{min(routers)}"))
    return domains
