# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Literal reports, nodes and catalogs for the tests of the conformance suite."""
from __future__ import annotations

import dataclasses
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet import assemble
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import Catalog, CatalogFlavor, CatalogImage, CatalogNetwork, CatalogZone
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import AddressEvidence, InterfaceEvidence, Node, NodeEvidence
from ansible_collections.hybridops.fleet.plugins.plugin_utils._conformance.checks import CHECKS, NONE, Finding
from ansible_collections.hybridops.fleet.plugins.plugin_utils._conformance.report import CloudReport, Report


def node(*addresses: AddressEvidence, node_id: str = "n-1", **changes: Any) -> Node:
    """A running node with those addresses on one interface."""
    made = assemble.node(
        NodeEvidence(id=node_id, name="fleet-conformance-r1-1", state="running", interfaces=(InterfaceEvidence("net", addresses=addresses),)),
        provider="openstack", cloud="dream")
    return dataclasses.replace(made, **changes)


DIRECT = AddressEvidence("198.51.100.7", routed=True, routed_why="network Ext-Net is router:external", network_known=True)
OFFICE = AddressEvidence("10.180.0.7", routed=True, routed_why="network corp is router:external", network_known=True)
INSIDE = AddressEvidence("10.0.0.7", routed=False, routed_why="network app is not external", network_known=True)
FLOATING = AddressEvidence("203.0.113.7", nat_of="10.0.0.7", nat_kind="floating IP")
SIX = AddressEvidence("2001:db8::7", routed=True, routed_why="network Ext-Net is router:external", network_known=True)

DEBIAN = CatalogImage("img-1", "Debian-12", distro="debian", version="12", public=True)
GOLDEN = CatalogImage("img-2", "golden-2026.10")
SMALL = CatalogFlavor("f-1", "small", 1, 512, 10)
LARGE = CatalogFlavor("f-2", "large", 4, 8192, 40)
OUTSIDE = CatalogNetwork("net-1", "Ext-Net", {"ipv4": "public"}, {"ipv4": "direct"}, {"ipv4": "router:external"})
DUAL = CatalogNetwork("net-2", "dual", {"ipv4": "public", "ipv6": "public"}, {"ipv4": "direct", "ipv6": "direct"})
ZONE = CatalogZone("a", "here")
CATALOG = Catalog((DEBIAN,), (SMALL, LARGE), (OUTSIDE,), (ZONE,))


def findings(**verdicts: tuple[str, str] | str) -> tuple[Finding, ...]:
    """One finding for every check: the yardstick's own answer where none is given."""
    rows = []
    for check in CHECKS:
        given = verdicts.get(check.id, check.aws)
        verdict, evidence = given if isinstance(given, tuple) else (given, f"evidence of {check.id}")
        rows.append(Finding(check.id, verdict, evidence, None if verdict == NONE else 1.25))
    return tuple(rows)


def report(*clouds: CloudReport, **changes: Any) -> Report:
    plain = Report(
        run="r1", fleet="fleet.yml", began="2026-11-28T04:00:00Z", seconds=61.5, clouds=clouds, yardstick="amazon", max_nodes=4, made=3)
    return dataclasses.replace(plain, **changes)


AMAZON = CloudReport("amazon", "aws", "us-east-1", findings(), 40.0)
DREAM = CloudReport("dream", "openstack", "RegionOne", findings(
    public_address=("NO", "none to be had: pool <ext> & others are empty"), address_stays=("YES", "the same: public IPv4 203.0.113.7"),
    login=("ERROR", "cloud 'dream': log in to 203.0.113.7: no answer"), fleet_keys=("-", "needs '6 log in', which is ERROR"),
    node_key_removed=("-", "needs '7 fleet keys in, passwords off', which is -"), key_stays_out=("-", "needs '8 node key removed', which is -"),
    same_name=("-", "a machine has its own name, and is bound, not made"), ipv6=("PARTIAL", "none by default; to be had on dual")), 55.5)
