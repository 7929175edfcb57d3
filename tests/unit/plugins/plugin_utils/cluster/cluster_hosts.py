# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Members for the tests of clusters, as the inventory and the nodes tell them."""
from __future__ import annotations

from typing import Any

from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster import member
from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster.member import Member


def address(ip: str, role: str, nat_of: str | None = None) -> dict[str, Any]:
    return {"ip": ip, "family": 6 if ":" in ip else 4, "role": role, "nat_of": nat_of, "why": ""}


def variables(*addresses: dict[str, Any], domain: str | None = None, cloud: str = "metal", **more: Any) -> dict[str, Any]:
    return {"fleet_cloud": cloud, "fleet_provider": cloud, "fleet_network_domain": domain,
            "fleet_interfaces": [{"network": "n", "addresses": list(addresses)}], **more}


def seen(*interfaces: tuple[str, int, tuple[str, ...]], routes: dict[str, str] | None = None, mesh: dict[str, Any] | None = None,
         cluster: dict[str, str] | None = None) -> dict[str, Any]:
    """interfaces: (name, MTU, addresses with prefix)."""
    return {"interfaces": [{"name": name, "mtu": mtu, "addresses": list(found)} for name, mtu, found in interfaces],
            "routes": [{"network": network, "interface": name} for network, name in (routes or {}).items()], "mesh": mesh, "cluster": cluster or {}}


def recorded(ipv4: str, *peers: tuple[str, str], pool: str = "10.213.0.0/16") -> dict[str, Any]:
    """A node's record of the mesh; peers: (name, address)."""
    return {"cluster": "fleet", "ipv4": ipv4, "ipv6": "fd00::1", "ipv4_pool": pool, "ipv6_pool": "fd00::/64", "mtu": 1420, "port": 51820,
            "peers": [{"name": name, "ipv4": ip, "ipv6": "fd00::2", "public_key": f"key of {name}"} for name, ip in peers]}


def metal(name: str, ip: str = "198.51.100.1", private: str = "10.42.0.1", **more: Any) -> Member:
    """A machine with a public address on its own interface."""
    facts = more.pop("facts", None)
    return member.read(name, variables(address(ip, "public"), address(private, "private"), domain=more.pop("domain", "metal:r1"), **more), facts)


def cloud(name: str, ip: str = "203.0.113.1", private: str = "10.0.0.1", domain: str = "vpc-1", where: str = "aws", **more: Any) -> Member:
    """A machine whose public address is mapped to it by NAT."""
    facts = more.pop("facts", None)
    found = variables(address(private, "private"), address(ip, "floating", private), domain=domain, cloud=where, **more)
    return member.read(name, found, facts)


def hidden(name: str, private: str = "10.9.0.1", domain: str = "vpc-9", where: str = "gce", **more: Any) -> Member:
    """A machine without any public address."""
    facts = more.pop("facts", None)
    return member.read(name, variables(address(private, "private"), domain=domain, cloud=where, **more), facts)
