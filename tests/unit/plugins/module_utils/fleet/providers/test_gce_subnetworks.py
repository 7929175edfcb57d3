# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Compute Engine's subnetworks, own and shared, in the catalog's one shape."""
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import CatalogNetwork, CatalogZone
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.network_role import NO_OPERATOR, OperatorRoles
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.gce import subnetworks

BASE = "https://www.googleapis.com/compute/v1/projects"
ZONES = [CatalogZone(f"{region}-{letter}", region) for region in ("asia-east1", "us-central1", "us-east1") for letter in "bc"]
EAST = ("us-east1-b", "us-east1-c")


def subnetwork(name: str, region: str = "us-east1", network: str = "wide", **changes: Any) -> dict[str, Any]:
    return {"network": f"{BASE}/acme/global/networks/{network}", "selfLink": f"{BASE}/acme/regions/{region}/subnetworks/{name}",
            "ipCidrRange": "10.1.0.0/20", "purpose": "PRIVATE", "stackType": "IPV4_ONLY", **changes}


def place(home: str = "us-east1", only: tuple[str, ...] = ()) -> subnetworks.Place:
    zones = [zone for zone in ZONES if not only or zone.name in only]
    return subnetworks.Place("acme", zones, home, narrowed=bool(only))


def one(row: dict[str, Any], roles: OperatorRoles = NO_OPERATOR, only: tuple[str, ...] = ()) -> CatalogNetwork:
    (found,) = subnetworks.networks([row], place(only=only), roles)
    return found


def test_ipv4_is_assigned_when_asked_for() -> None:
    found = one(subnetwork("net"))
    assert found.id == "projects/acme/regions/us-east1/subnetworks/net"
    assert (found.reach, found.how, found.role, found.cidrs) == ({"ipv4": "floating"}, {"ipv4": "assigned"}, "floating", ("10.1.0.0/20",))
    assert found.extra["network"] == "projects/acme/global/networks/wide"
    assert {"wide", found.extra["network"], subnetwork("net")["selfLink"]} <= set(found.aliases)


@pytest.mark.parametrize(("access", "prefix", "role", "how"), [
    ("EXTERNAL", {"externalIpv6Prefix": "2001:db8:5::/64"}, "public", "direct"),
    ("INTERNAL", {"internalIpv6Prefix": "fd20:1::/64"}, "private", "none"), ("EXTERNAL", {}, "public", "direct"), ("INTERNAL", {}, "private", "none"),
])
def test_ipv6_by_its_access(access: str, prefix: dict[str, str], role: str, how: str) -> None:
    found = one(subnetwork("net", stackType="IPV4_IPV6", ipv6AccessType=access, **prefix))
    assert (found.reach["ipv6"], found.how["ipv6"]) == (role, how)
    assert access in found.why["ipv6"]
    only = subnetwork("net", stackType="IPV6_ONLY", ipv6AccessType=access, **prefix)
    del only["ipCidrRange"]
    assert list(one(only).reach) == ["ipv6"]


@pytest.mark.parametrize("changes", [{"purpose": "REGIONAL_MANAGED_PROXY"}, {"purpose": "PRIVATE_NAT"}, {"state": "DRAINING"}])
def test_subnetworks_that_are_not_for_nodes(changes: dict[str, str]) -> None:
    found = one(subnetwork("net", **changes))
    assert not found.usable
    assert next(iter(changes.values())) in found.why_not


def test_the_fleet_file_speaks() -> None:
    said = OperatorRoles({"10.1.0.0/16": "public", "2001:db8:5::/48": "management"}, "fleet.yml")
    found = one(subnetwork("net", stackType="IPV4_IPV6", ipv6AccessType="EXTERNAL", externalIpv6Prefix="2001:db8:5::/64"), said)
    assert (found.reach["ipv4"], found.how["ipv4"]) == ("public", "direct")
    assert (found.reach["ipv6"], found.how["ipv6"]) == ("unknown", "none")
    assert "fleet.yml" in found.why["ipv4"]


def test_nodes_are_attached_in_the_zones_of_the_region() -> None:
    assert one(subnetwork("net")).zones == EAST
    assert one(subnetwork("net"), only=("us-east1-c", "asia-east1-b")).zones == ("us-east1-c",)
    outside = one(subnetwork("net"), only=("asia-east1-b",))
    assert (outside.usable, outside.why_not) == (False, "is in us-east1, where none of the fleet file's zones are")
    down = one(subnetwork("net", "mars-north1"))
    assert (down.usable, down.why_not) == (False, "is in mars-north1, where no zone is up")


def test_the_default_network_of_every_region_the_nearest_first() -> None:
    rows = [subnetwork("default", region, "default") for region in ("asia-east1", "us-east1", "us-central1")]
    found = subnetworks.networks([subnetwork("a-net"), *rows], place("us-central1"), NO_OPERATOR)
    assert [network.extra["region"] for network in found if network.default] == ["us-central1", "us-east1", "asia-east1"]
    assert [network.name for network in found] == ["default"] * 3 + ["a-net"]


def shared(name: str, region: str = "us-east1", network: str = "wide", **changes: Any) -> dict[str, Any]:
    """As subnetworks.listUsable tells it."""
    host = f"{BASE}/hub"
    return {"subnetwork": f"{host}/regions/{region}/subnetworks/{name}", "network": f"{host}/global/networks/{network}",
            "ipCidrRange": "10.9.0.0/20", "stackType": "IPV4_ONLY", **changes}


def test_shared_ones_keep_their_project() -> None:
    found = one(shared("net", network="default"))
    assert found.id == "projects/hub/regions/us-east1/subnetworks/net"
    assert found.extra["network"] == "projects/hub/global/networks/default"
    assert not found.default
    assert (found.usable, found.zones) == (True, EAST)


def test_one_name_in_two_projects() -> None:
    rows = [shared("net"), subnetwork("net"), {**subnetwork("net"), "subnetwork": subnetwork("net")["selfLink"]}, shared("net", "asia-east1")]
    found = subnetworks.networks(rows, place(), NO_OPERATOR)
    assert [network.id for network in found] == [
        "projects/acme/regions/us-east1/subnetworks/net", "projects/hub/regions/us-east1/subnetworks/net",
        "projects/hub/regions/asia-east1/subnetworks/net"]


def test_a_network_of_the_oldest_kind_is_everywhere() -> None:
    whole = [{"name": "old", "selfLink": f"{BASE}/acme/global/networks/old", "IPv4Range": "10.240.0.0/16"},
             {"name": "wide", "selfLink": f"{BASE}/acme/global/networks/wide"}]
    (found,) = subnetworks.networks([], place(), NO_OPERATOR, whole)
    assert (found.id, found.name, found.zones) == ("projects/acme/global/networks/old", "old", ())
    assert (found.reach, found.how, found.cidrs) == ({"ipv4": "floating"}, {"ipv4": "assigned"}, ("10.240.0.0/16",))


@pytest.mark.parametrize("link", ["", "projects/acme/subnetworks/net", "acme"])
def test_what_is_no_subnetwork_is_said(link: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        one({**subnetwork("net"), "selfLink": link, **({"subnetwork": link} if link else {})})
