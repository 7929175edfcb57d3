# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the addresses of a node to YES, PARTIAL or NO with the evidence. Pure."""
from __future__ import annotations

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import Catalog
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import Node

from .checks import NO, NONE, PARTIAL, YES
from .judging import CLOUD_S_NO, Answer, of_failure, some

_OFFICE = ", which only the outside of the cloud reaches, not the internet"


def public_address(before: Node, after: Node | None, *, word: str = "", failure: FleetError | None = None) -> Answer:
    """before: the node as it came; after: when it was asked for an IPv4 address, word: what was done for it; failure: why it
    got none."""
    if before.public_ipv4:
        return _by_ipv4(before, f"by default ({before.why.public_ip})")
    if after is not None and after.public_ipv4:
        return _by_ipv4(after, "when it was asked for" + (f" ({word})" if word else ""))
    if failure and failure.code not in CLOUD_S_NO:
        return of_failure(failure)
    reason = (failure.why or failure.what) if failure else before.why.public_ip
    if before.public_ipv6:
        return PARTIAL, f"only IPv6, {before.public_ipv6}; no IPv4: {reason}"
    return NO, f"none to be had: {reason}"


def _by_ipv4(node: Node, since: str) -> Answer:
    if _role(node, node.public_ipv4) == "external":
        return PARTIAL, f"{node.public_ipv4} {since}{_OFFICE}"
    return YES, f"{node.public_ipv4} {since}"


def default_address(node: Node) -> Answer:
    """node: as it came, without being asked for an address."""
    if node.public_ipv4:
        return _by_ipv4(node, f"without being asked for ({node.why.public_ip})")
    if node.public_ipv6:
        return PARTIAL, f"only IPv6, {node.public_ipv6}; no IPv4 unless it is asked for"
    return NO, f"none unless it is asked for ({node.why.public_ip})"


def private_address(node: Node) -> Answer:
    private = ", ".join(ip for ip in (node.private_ipv4, node.private_ipv6) if ip)
    if not private:
        return NO, f"none; the node has {node.public_ip or 'no address'}"
    if not node.public_ip:
        return PARTIAL, f"{private}, and no other"
    return YES, private


def ipv6(node: Node, catalog: Catalog) -> Answer:
    if node.public_ipv6:
        return YES, f"{node.public_ipv6} by default"
    networks = [*catalog.networks, *(network for flavor in catalog.flavors for network in flavor.networks)]
    offers = [network for network in networks if network.usable and "ipv6" in network.reach]
    public = list(dict.fromkeys(network.name for network in offers if network.reach["ipv6"] in ("public", "floating")))
    private = list(dict.fromkeys(network.name for network in offers if network.name not in public))
    if node.private_ipv6:
        return PARTIAL, f"{node.private_ipv6}, reached inside only"
    if public:
        return PARTIAL, f"none by default; to be had on {some(public)}"
    if private:
        return PARTIAL, f"none by default; private ones on {some(private)}"
    return NO, "no network has IPv6"


def address_stays(before: Node, after: Node) -> Answer:
    gone, changed, kept = [], [], []
    for kind in ("public_ipv4", "public_ipv6", "private_ipv4", "private_ipv6"):
        old, new = getattr(before, kind), getattr(after, kind)
        if not old:
            continue
        word = kind.replace("_ip", " IP")
        if old == new:
            kept.append(f"{word} {old}")
        elif new:
            changed.append(f"{word} {old} became {new}")
        else:
            gone.append(f"{word} {old} is gone")
    if not (kept or changed or gone):
        return NONE, "the node has no address"
    if not changed and not gone:
        return YES, f"the same: {', '.join(kept)}"
    told = "; ".join([*changed, *gone, *(f"{word} stayed" for word in kept)])
    only_public = all(word.startswith("public") for word in changed)
    return (PARTIAL if only_public and not gone and kept else NO), told


def _role(node: Node, ip: str | None) -> str | None:
    return next((address.role for interface in node.interfaces for address in interface.addresses if address.ip == ip), None)
