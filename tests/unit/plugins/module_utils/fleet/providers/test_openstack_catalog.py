# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the payloads of Glance, Nova and Neutron to the catalog."""
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import CatalogNetwork
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.network_role import OperatorRoles
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.openstack.catalog import Topology, flavors, images, networks, zones
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.openstack.clouds_yaml import declarations

NOBODY = OperatorRoles({}, "")


def subnet(cidr: str, **changes: Any) -> dict[str, Any]:
    return {"id": f"sub-{cidr}", "network_id": "n1", "cidr": cidr, "gateway_ip": "there", **changes}


def judged(
    *cidrs: str, pool: str | None = None, gateway: bool = True, said: Any = (), roles: OperatorRoles = NOBODY, joined: bool = False, **row: Any,
) -> CatalogNetwork:
    """One network with subnets; pool: range of the external network that a router joins it to."""
    payload = {"id": "n1", "name": "net", "project_id": "p1", "admin_state_up": True, **row}
    subnets = [subnet(cidr, gateway_ip="there" if gateway else None) for cidr in cidrs]
    ports = [{"device_id": "r1", "network_id": "n1", "fixed_ips": [{"subnet_id": row["id"]} for row in subnets]}] if pool or joined else []
    rows = [payload]
    routers = [{"id": "r1", "name": "router", "external_gateway_info": None}] if joined else []
    if pool:
        rows.append({"id": "ext", "name": "outside", "router:external": True, "project_id": "op"})
        subnets.append(subnet(pool, network_id="ext"))
        routers = [{"id": "r1", "name": "router", "external_gateway_info": {"network_id": "ext"}}]
    return networks(Topology(rows, subnets, routers, ports), "p1", declarations(said), roles)[0]


EXTERNAL = {"router:external": True, "shared": True, "project_id": "op"}
SHARED = {"shared": True, "project_id": "op"}


@pytest.mark.parametrize(("network", "told"), [
    (judged("10.0.0.0/24"), {"ipv4": ("private", "none")}),
    (judged("10.0.0.0/24", joined=True), {"ipv4": ("private", "none")}),
    (judged("10.0.0.0/24", pool="203.0.113.0/24"), {"ipv4": ("floating", "floating")}),
    (judged("10.0.0.0/24", pool="10.9.0.0/24"), {"ipv4": ("external", "floating")}),
    (judged("10.0.0.0/24", pool="2001:db8:9::/64"), {"ipv4": ("private", "none")}),
    (judged("10.0.0.0/24", "2001:db8::/64", pool="203.0.113.0/24"), {"ipv4": ("floating", "floating"), "ipv6": ("public", "direct")}),
    (judged("10.0.0.0/24", "fd00::/64", pool="203.0.113.0/24"), {"ipv4": ("floating", "floating"), "ipv6": ("private", "none")}),
    (judged("2001:db8::/64"), {"ipv6": ("private", "none")}),
    (judged("2001:db8::/64", joined=True), {"ipv6": ("public", "direct")}),
    (judged("198.51.100.0/24", **SHARED), {"ipv4": ("public", "direct")}),
    (judged("198.51.100.0/24", gateway=False, **SHARED), {"ipv4": ("private", "none")}),
    (judged("198.51.100.0/24", **EXTERNAL), {"ipv4": ("public", "direct")}),
    (judged("10.181.0.0/24", **EXTERNAL), {"ipv4": ("external", "direct")}),
    (judged("100.64.8.0/24", gateway=False), {"ipv4": ("private", "none")}),
    (judged("10.0.0.0/24", said=[{"name": "net", "routes_externally": True}]), {"ipv4": ("external", "direct")}),
    (judged("198.51.100.0/24", said=[{"name": "net", "routes_externally": False}], **SHARED), {"ipv4": ("private", "none")}),
    (judged("10.0.0.0/24", roles=OperatorRoles({"net": "public"}, "fleet.yml")), {"ipv4": ("public", "direct")}),
    (judged("10.0.0.0/24", pool="203.0.113.0/24", roles=OperatorRoles({"203.0.113.0/24": "external"}, "fleet.yml")),
     {"ipv4": ("external", "floating")}),
    (judged("10.0.0.0/24", pool="203.0.113.0/24", roles=OperatorRoles({"net": "management"}, "fleet.yml")), {"ipv4": ("private", "none")}),
])
def test_how_a_node_on_it_is_reached(network: CatalogNetwork, told: dict[str, tuple[str, str]]) -> None:
    assert {family: (network.reach[family], network.how[family]) for family in network.reach} == told
    assert network.usable
    assert all(network.why.values())


def test_the_reason_names_router_and_pool() -> None:
    assert judged("10.0.0.0/24", pool="203.0.113.0/24").why == {
        "ipv4": "floating IP of network 'outside' (203.0.113.0/24) by router 'router'"}


@pytest.mark.parametrize(("network", "word"), [
    (judged("203.0.113.0/24", **{**EXTERNAL, "shared": False}), "router:external"),
    (judged("10.0.0.0/24", project_id="other"), "another project"),
    (judged("10.0.0.0/24", admin_state_up=False), "down"),
    (judged(), "no subnet"),
])
def test_what_cannot_be_used_says_why(network: CatalogNetwork, word: str) -> None:
    assert not network.usable
    assert word in network.why_not


def test_default_and_port_security() -> None:
    network = judged("10.0.0.0/24", said=[{"name": "net", "default_interface": True}], port_security_enabled=False)
    assert network.default
    assert network.extra == {"port_security": "disabled"}


def test_images() -> None:
    found = images([
        {"id": "i1", "name": "AlmaLinux 9", "status": "active", "os_distro": "centos", "os_version": "9", "visibility": "public", "min_disk": 4,
         "min_ram": 512, "virtual_size": 10 * 1024**3 + 1, "owner": "op", "created_at": "2026-01-01T00:00:00Z", "architecture": "arm64",
         "image_original_user": "almalinux", "direct_url": "http://user:secret@x"},
        {"id": "i2", "name": "x", "status": "deactivated", "visibility": "private"},
        {"id": "i3", "name": "kernel", "status": "active", "disk_format": "aki"}])
    assert [image.id for image in found] == ["i1", "i2"]
    first = found[0]
    assert (first.distro, first.arch, first.public, first.min_disk_gib, first.min_memory_mib) == ("almalinux", "aarch64", True, 11, 512)
    assert first.login.image_properties == {"image_original_user": "almalinux", "os_distro": "centos", "os_version": "9"}
    assert (found[1].usable, found[1].public, "deactivated" in found[1].why_not) == (False, False, True)


def test_flavors() -> None:
    rows = [{"id": "1", "name": "a", "vcpus": 1, "ram": 512, "disk": 0}, {"id": "2", "name": "b", "vcpus": 2, "ram": 1024, "disk": 10},
            {"id": "3", "name": "c", "vcpus": 2, "ram": 1024, "disk": 10, "OS-FLV-DISABLED:disabled": True}]
    assert [(row.disk_gib, bool(row.why_not)) for row in flavors(rows, volumes=True)] == [(None, False), (10, False), (10, True)]
    assert "no block storage" in flavors(rows, volumes=False)[0].why_not


def test_zones() -> None:
    rows = [{"zoneName": "a", "zoneState": {"available": True}}, {"zoneName": "b", "zoneState": {"available": False}}]
    assert [(zone.name, zone.region, zone.usable) for zone in zones(rows, "r")] == [("a", "r", True), ("b", "r", False)]
