# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The network of the hosts as commands for ip and nft. Pure.

Every layer-3 domain (a project's router, a VPC, a rack) has a router: a namespace with a bridge for each wire, 1:1 NAT for public
addresses, and one link to the core. The core is the internet, the company's network and the controller in one; it has no uplink.
Links between core and routers need no addresses of their own: routes go by the other end's link-local address.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Collection, Mapping

from .model import Address, Host, Nic, domains, is_global

CONTROLLER = ("192.0.2.1", "2001:db8:ffff::1")
"""The controller's own addresses; no part of the lab gives these out."""
METADATA = ("169.254.169.254", "fd00:ec2::254")
CORE_END, ROUTER_END = "fe80::1", "fe80::2"
LINK_MTU = 1500


@dataclasses.dataclass(frozen=True)
class Router:
    """What one router needs besides the hosts' own links."""

    bridges: Mapping[str, frozenset[str]]  # segment -> gateway addresses with prefix
    mtu: Mapping[str, int]
    ruleset: str
    routed: frozenset[str]  # addresses the core sends here


def routers(hosts: Collection[Host]) -> dict[str, Router]:
    """The router of each domain that has a host."""
    made = {}
    for domain, members in domains(hosts).items():
        bridges: dict[str, set[str]] = {}
        mtu: dict[str, int] = {}
        routed: set[str] = set()
        mapped: dict[str, str] = {}
        for host, number in members:
            nic = host.nics[number]
            gateways = bridges.setdefault(nic.segment, set())
            mtu[nic.segment] = max(nic.mtu, mtu.get(nic.segment, 0))
            for address in nic.addresses:
                if address.gateway:
                    gateways.add(f"{address.gateway}/{address.prefix}")
                if address.public:
                    mapped[address.ip] = address.public
                    routed.add(address.public)
                if address.reachable:
                    routed.add(address.ip)
        made[domain] = Router({segment: frozenset(found) for segment, found in bridges.items()}, mtu, ruleset(mapped), frozenset(routed))
    return made


def ruleset(mapped: Mapping[str, str]) -> str:
    """1:1 NAT of those fixed addresses; others leave under the router's address, which is what a cloud's NAT gateway does."""
    pairs = sorted(mapped.items())
    to_fixed = f"    dnat to ip daddr map {{ {', '.join(f'{public} : {fixed}' for fixed, public in pairs)} }}\n" if pairs else ""
    to_public = f"    snat to ip saddr map {{ {', '.join(f'{fixed} : {public}' for fixed, public in pairs)} }}\n" if pairs else ""
    return (
        "table ip fleet\ndelete table ip fleet\ntable ip fleet {\n"
        f"  chain in {{\n    type nat hook prerouting priority dstnat\n{to_fixed}  }}\n"
        "  chain out {\n    type nat hook postrouting priority srcnat\n"
        # two machines of one network by their public addresses: answers have to come back through here
        f'    oifname != "wan" ct status dnat iifname != "wan" goto leave\n    oifname "wan" goto leave\n  }}\n'
        f"  chain leave {{\n{to_public}    ip saddr {{ 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10 }} masquerade\n  }}\n}}\n"
    )


def core_setup() -> list[str]:
    """Addresses of the core itself."""
    return ["link set lo up", *(f"addr add {address}/{128 if ':' in address else 32} dev lo" for address in CONTROLLER)]


def core_link(number: int, router: str) -> list[str]:
    """Commands for the core: the link to a router."""
    return [
        f"link add r{number} type veth peer name wan netns {router}",
        f"link set r{number} mtu {LINK_MTU} up",
        f"addr add {CORE_END}/64 dev r{number} nodad",
        f"route replace {wan_address(number)}/32 via inet6 {ROUTER_END} dev r{number}",
    ]


def wan_address(number: int) -> str:
    """A router's own address towards the core, for what its hosts ask without having a public one."""
    return str(ipaddress.ip_address("198.18.0.0") + number + 1)


def router_setup(number: int) -> list[str]:
    """Commands for a new router."""
    return [
        "link set lo up",
        f"link set wan mtu {LINK_MTU} up",
        f"addr add {ROUTER_END}/64 dev wan nodad",
        f"addr add {wan_address(number)}/32 dev wan",
        f"route replace 0.0.0.0/0 via inet6 {CORE_END} dev wan src {wan_address(number)}",
        f"route replace ::/0 via {CORE_END} dev wan",
        *(f"addr add {address}/{'128' if ':' in address else '32'} dev lo{' nodad' if ':' in address else ''}" for address in METADATA),
    ]


def bridge_setup(bridge: str, mtu: int, gateways: Collection[str]) -> list[str]:
    """Commands for a router: one wire with its gateway addresses."""
    return [
        f"link add {bridge} type bridge",
        f"link set {bridge} mtu {mtu}",
        f"link set {bridge} up",
        f"addr add {CORE_END}/64 dev {bridge} nodad",
        *(f"addr replace {gateway} dev {bridge}{' nodad' if ':' in gateway else ''}" for gateway in sorted(gateways)),
    ]


def port(host: int, number: int) -> str:
    """Name of a host's link in its router."""
    return f"h{host}p{number}"


def route_to_host(bridge: str, nic: Nic) -> list[str]:
    """Commands for a router: how it reaches addresses on a wire that has no gateway of its own."""
    return [f"route replace {address.ip}/{128 if address.version == 6 else 32} dev {bridge}" for address in nic.addresses if not address.gateway]


def host_port(host: int, number: int, nic: Nic, namespace: str, bridge: str) -> list[str]:
    """Commands for a router: one link to a host."""
    name = port(host, number)
    return [
        f"link add {name} type veth peer name {nic.name} address {nic.mac} netns {namespace}",
        f"link set {name} mtu {nic.mtu}",
        f"link set {name} master {bridge}",
        f"link set {name} up",
    ]


def host_setup(nics: Collection[Nic]) -> list[str]:
    """Commands for a host: addresses and routes. The way out is where a public address is, else the first network with a gateway."""
    lines = ["link set lo up"]
    for nic in nics:
        lines += [f"link set {nic.name} mtu {nic.mtu} up"]
        lines += [f"addr add {address.ip}/{address.prefix} dev {nic.name}{' nodad' if address.version == 6 else ''}" for address in nic.addresses]
    lines += _metadata_routes(nics)
    for version, flag, default in ((4, "", "0.0.0.0/0"), (6, "-6 ", "::/0")):
        ways = [(nic, address) for nic in nics for address in nic.addresses if address.version == version and (address.gateway or address.reachable)]
        ways.sort(key=lambda way: not (way[1].public or way[1].reachable))
        if ways:
            nic, address = ways[0]
            lines.append(f"route replace {default} {_way(nic, address)} src {address.ip}")
        for table, (nic, address) in enumerate(ways[1:], start=101):  # what comes in through another interface goes back there
            lines += [f"route replace {default} {_way(nic, address)} table {table}", f"{flag}rule add from {address.ip} lookup {table} pref {table}"]
    return lines


def _way(nic: Nic, address: Address) -> str:
    """Through the network's gateway, or where it has none by the link-local address every wire of the lab has."""
    if address.gateway:
        return f"via {address.gateway} dev {nic.name} onlink"
    return f"via {CORE_END} dev {nic.name}" if address.version == 6 else f"via inet6 {CORE_END} dev {nic.name}"


def _metadata_routes(nics: Collection[Nic]) -> list[str]:
    for nic in nics:
        if any(address.version == 4 for address in nic.addresses):
            return [f"route replace {METADATA[0]}/32 dev {nic.name}"]
    for nic in nics:
        if nic.addresses:
            return [f"route replace {METADATA[1]}/128 via {CORE_END} dev {nic.name}"]
    return []


def core_routes(plans: Mapping[str, Router], numbers: Mapping[str, int]) -> dict[str, int]:
    """Address -> number of the router behind which it is."""
    return {address: numbers[domain] for domain, router in sorted(plans.items()) for address in router.routed}


def core_route(verb: str, address: str, number: int) -> str:
    """verb: replace or del."""
    prefix, way = (128, "via") if ":" in address else (32, "via inet6")
    source = CONTROLLER[":" in address]
    return f"route {verb} {address}/{prefix} {way} {ROUTER_END} dev r{number} src {source}"


def reaches_internet(ip: str, operators_network: bool, gateway: bool) -> bool:
    """Whether a fixed address is reachable as it is: on an operator's network always, on a project's own when it is global and routed."""
    return (operators_network and gateway) or (gateway and is_global(ip))
