# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Host variables as the inventory plugin gives them, for the tests of what is shown."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

HOSTILE = "<script>alert(1)</script>\"'&{{ 7*7 }}"


def interface(network: str | None, *addresses: tuple[str, str] | tuple[str, str, str], network_id: str | None = None) -> dict[str, Any]:
    """addresses: (ip, role) or (ip, role, inside address)."""
    rows = [{"ip": row[0], "family": 6 if ":" in row[0] else 4, "role": row[1], "nat_of": row[2] if len(row) > 2 else None,
             "why": f"{row[0]} is {row[1]}"} for row in addresses]
    return {"network": network, "network_id": network_id, "role": rows[0]["role"] if rows else "unknown", "mac": None, "mtu": 1500, "addresses": rows}


def host(name: str, cloud: str = "dream", *, provider: str = "openstack", state: str = "running", domain: str | None = "router-1",
         interfaces: Sequence[dict[str, Any]] = (), address: str | None = None, user: str | None = "debian", stale: bool = False,
         role: str | None = None, **more: Any) -> dict[str, Any]:
    """Variables of one host. address: what it is reached by; without it the first one of its interfaces."""
    seen = [row for entry in interfaces for row in entry["addresses"]]
    address = address or (seen[0]["ip"] if seen else None)
    variables = {
        "inventory_hostname": name, "ansible_port": 22,
        "fleet_id": f"id-{name}", "fleet_name": name, "fleet_cloud": cloud, "fleet_provider": provider, "fleet_state": state,
        "fleet_region": "RegionOne", "fleet_zone": None, "fleet_image": {"id": None, "name": None, "distro": "debian", "version": "12"},
        "fleet_tags": {}, "fleet_interfaces": list(interfaces), "fleet_network_domain": domain, "fleet_stale": stale,
        "fleet_network_role": role or (seen[0]["role"] if seen else "unknown"), "fleet_login_user": user,
        "fleet_why": {"public_ip": f"{address}: told", "login_user": "image property os_admin_user", "network_role": f"told of {address}"},
        **{f"fleet_{key}": value for key, value in more.items()},
    }
    if address:
        variables["ansible_host"] = address
    if user:
        variables["ansible_user"] = user
    return variables


def many(number: int) -> list[dict[str, Any]]:
    """That many nodes of one network, half of them with floating addresses."""
    nodes = []
    for index in range(number):
        inside = f"10.0.{index // 250}.{index % 250 + 1}"
        floating = [(f"203.0.113.{index % 250 + 1}", "floating", inside)] if index % 2 else []
        nodes.append(host(f"worker-{index:03}", interfaces=[interface("private-network", *floating, (inside, "private"))],
                          state="stopped" if index % 10 == 0 else "running"))
    return nodes
