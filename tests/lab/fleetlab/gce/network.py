# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Networks, subnetworks, firewalls and static addresses."""

from __future__ import annotations

import ipaddress

from . import catalog
from .errors import Json, in_use, invalid
from .marks import labels
from .store import Store, link, name_of, new_fingerprint, path_of
from .world import Call, Handler, World


def insert_network(call: Call) -> Json:
    path = f"{call.target}/{call.body['name']}"
    call.world.store.claim(path)
    return call.begin(path, lambda: _add_network(call.world, call.project, call.body))


def _add_network(world: World, project: str, body: Json) -> None:
    path = f"projects/{project}/global/networks/{body['name']}"
    content: Json = {
        "autoCreateSubnetworks": True,
        "mtu": 1460,
        "routingConfig": {"routingMode": "REGIONAL"},
        "networkFirewallPolicyEnforcementOrder": "AFTER_CLASSIC_FIREWALL",
    } | body
    if body.get("enableUlaInternalIpv6"):
        content.setdefault("internalIpv6Range", world.addresses.ula_range())
    network = world.store.add(path, "compute#network", content)
    network["selfLinkWithId"] = link(f"projects/{project}/global/networks/{network['id']}")
    if content["autoCreateSubnetworks"]:
        for region, (_zones, cidr) in catalog.REGIONS.items():
            _add_subnetwork(world, project, region, {"name": body["name"], "network": path, "ipCidrRange": cidr})


def add_default_network(world: World, project: str) -> None:
    """What a new project has: an auto-mode network and the firewall rules that come with it."""
    _add_network(world, project, {"name": "default", "description": "Default network for the project"})
    for name, ranges, allowed in (
        ("default-allow-ssh", ["0.0.0.0/0"], [{"IPProtocol": "tcp", "ports": ["22"]}]),
        ("default-allow-icmp", ["0.0.0.0/0"], [{"IPProtocol": "icmp"}]),
        (
            "default-allow-internal",
            ["10.128.0.0/9"],
            [{"IPProtocol": "tcp", "ports": ["0-65535"]}, {"IPProtocol": "udp", "ports": ["0-65535"]}],
        ),
    ):
        _add_firewall(
            world.store,
            project,
            {
                "name": name,
                "network": "global/networks/default",
                "priority": 65534,
                "sourceRanges": ranges,
                "allowed": allowed,
            },
        )


def insert_subnetwork(call: Call) -> Json:
    """A subnetwork; its IPv6 /64 comes from the documentation range or from the network's ULA range."""
    body, store = call.body, call.world.store
    network = store.get(path_of(body.get("network") or "", call.project, "resource.network"))
    stack = body.get("stackType", "IPV4_ONLY")
    if stack != "IPV6_ONLY":
        _check_range(body.get("ipCidrRange") or "", network, store, call.project)
    if stack != "IPV4_ONLY":
        if not body.get("ipv6AccessType"):
            raise invalid("resource.ipv6AccessType", "", "It must be set when the subnetwork has IPv6.")
        if network["autoCreateSubnetworks"]:
            raise invalid("resource.network", network["selfLink"], "IPv6 subnetworks need a custom mode network.")
        if body["ipv6AccessType"] == "INTERNAL" and not network.get("internalIpv6Range"):
            raise invalid("resource.ipv6AccessType", "INTERNAL", "The network must have ULA internal IPv6 enabled.")
    path = f"{call.target}/{body['name']}"
    store.claim(path)
    return call.begin(path, lambda: _add_subnetwork(call.world, call.project, call.params["region"], body))


def _add_subnetwork(world: World, project: str, region: str, body: Json) -> None:
    network = world.store.get(path_of(body["network"], project))
    path = f"projects/{project}/regions/{region}/subnetworks/{body['name']}"
    content: Json = {
        "stackType": "IPV4_ONLY",
        "privateIpGoogleAccess": False,
        "purpose": "PRIVATE",
        "privateIpv6GoogleAccess": "DISABLE_GOOGLE_ACCESS",
        "enableFlowLogs": False,
    } | body
    content |= {
        "network": network["selfLink"],
        "region": link(f"projects/{project}/regions/{region}"),
        "fingerprint": new_fingerprint(),
    }
    if content["stackType"] == "IPV6_ONLY":
        content.pop("ipCidrRange", None)
    else:
        content["gatewayAddress"] = str(ipaddress.IPv4Network(content["ipCidrRange"])[1])
    if content["stackType"] != "IPV4_ONLY":
        if content["ipv6AccessType"] == "EXTERNAL":
            prefix = content["externalIpv6Prefix"] = world.addresses.external_prefix()
        else:
            prefix = world.addresses.ula_prefix(network["internalIpv6Range"], len(network.get("subnetworks", [])) + 1)
            content["internalIpv6Prefix"] = prefix
        content |= {"ipv6CidrRange": prefix, "ipv6GceEndpoint": "VM_AND_FR"}
    network.setdefault("subnetworks", []).append(link(path))
    world.store.add(path, "compute#subnetwork", content)


def _check_range(cidr: str, network: Json, store: Store, project: str) -> None:
    try:
        wanted = ipaddress.IPv4Network(cidr)
    except ValueError:
        raise invalid("resource.ipCidrRange", cidr, "Must be a CIDR address range.") from None
    for other in network.get("subnetworks", []):
        known = store.get(path_of(other, project)).get("ipCidrRange")
        if known and wanted.overlaps(ipaddress.IPv4Network(known)):
            raise invalid(
                "resource.ipCidrRange",
                cidr,
                f"IPCidrRange conflicts with existing subnetwork '{name_of(other)}' ({known}).",
            )


def insert_firewall(call: Call) -> Json:
    body = call.body
    if bool(body.get("allowed")) == bool(body.get("denied")):
        raise invalid("resource", body["name"], "Exactly one of allowed and denied must be given.")
    network = path_of(body.get("network") or "global/networks/default", call.project, "resource.network")
    if not network.startswith(f"projects/{call.project}/"):
        raise invalid("resource.network", network, "Cross project referencing is not allowed for this resource.")
    call.world.store.get(network)
    path = f"{call.target}/{body['name']}"
    call.world.store.claim(path)
    return call.begin(path, lambda: _add_firewall(call.world.store, call.project, body))


def _add_firewall(store: Store, project: str, body: Json) -> None:
    content: Json = {"direction": "INGRESS", "priority": 1000, "disabled": False, "logConfig": {"enable": False}} | body
    content["network"] = link(path_of(body.get("network") or "global/networks/default", project))
    if content["direction"] == "INGRESS" and not any(
        content.get(key) for key in ("sourceRanges", "sourceTags", "sourceServiceAccounts")
    ):
        content["sourceRanges"] = ["0.0.0.0/0"]
    store.add(f"projects/{project}/global/firewalls/{body['name']}", "compute#firewall", content)


def insert_address(call: Call) -> Json:
    """A static external IPv4 address; a chosen one must lie in the emulator's range."""
    body, pool = call.body, call.world.addresses.external_ipv4
    if body.get("addressType", "EXTERNAL") != "EXTERNAL" or body.get("ipVersion", "IPV4") != "IPV4":
        raise invalid("resource.addressType", body.get("addressType"), "The lab reserves external IPv4 addresses only.")
    path = f"{call.target}/{body['name']}"
    chosen_labels = labels(body.get("labels"))
    call.world.store.claim(path)
    if not body.get("address"):
        address = pool.take()
    elif pool.take_this(body["address"]):
        address = body["address"]
    else:
        call.world.store.release(path)
        raise invalid("resource.address", body["address"], "Specified IP address is in use or cannot be reserved.")
    content: Json = (
        {"addressType": "EXTERNAL", "networkTier": "PREMIUM", "ipVersion": "IPV4", "description": ""}
        | body
        | {
            "address": address,
            "status": "RESERVED",
            "region": link(f"projects/{call.project}/regions/{call.params['region']}"),
            "labelFingerprint": new_fingerprint(),
        }
    )
    if chosen_labels:
        content["labels"] = chosen_labels

    def effect() -> None:
        call.world.store.add(path, "compute#address", content)

    return call.begin(path, effect)


def delete_address(call: Call) -> Json:
    address = call.world.store.get(call.target)
    if address.get("users"):
        raise in_use(call.target, address["users"][0])

    def effect() -> None:
        call.world.addresses.external_ipv4.give_back(address["address"])
        call.world.store.remove(call.target)

    return call.begin(call.target, effect)


def delete_network(call: Call) -> Json:
    network, store = call.world.store.get(call.target), call.world.store
    firewalls = [
        rule
        for rule in store.children(f"projects/{call.project}/global/firewalls")
        if rule["network"] == network["selfLink"]
    ]
    if firewalls:
        raise in_use(call.target, firewalls[0]["selfLink"])
    subnetworks = [path_of(reference, call.project) for reference in network.get("subnetworks", [])]
    if subnetworks and not network["autoCreateSubnetworks"]:
        raise in_use(call.target, subnetworks[0])
    for subnetwork in subnetworks:
        _refuse_used(store, subnetwork)

    def effect() -> None:
        for path in (*subnetworks, call.target):
            store.remove(path)

    return call.begin(call.target, effect)


def delete_subnetwork(call: Call) -> Json:
    subnetwork, store = call.world.store.get(call.target), call.world.store
    _refuse_used(store, call.target)

    def effect() -> None:
        store.remove(call.target)
        network = store.find(path_of(subnetwork["network"], call.project))
        if network:
            network["subnetworks"].remove(subnetwork["selfLink"])

    return call.begin(call.target, effect)


def _refuse_used(store: Store, subnetwork: str) -> None:
    """An interface of some instance still hangs on the subnetwork; the instance may be another project's (shared VPC).

    :raises ApiError: 400.
    """
    for project in store.children("projects"):
        for zone in catalog.ZONES:
            for instance in store.children(f"projects/{project['name']}/zones/{zone}/instances"):
                if any(interface["subnetwork"] == link(subnetwork) for interface in instance["networkInterfaces"]):
                    raise in_use(subnetwork, instance["selfLink"])


def delete_firewall(call: Call) -> Json:
    call.world.store.get(call.target)
    return call.begin(call.target, lambda: call.world.store.remove(call.target))


HANDLERS: dict[str, Handler] = {
    "networks.insert": insert_network,
    "networks.delete": delete_network,
    "subnetworks.insert": insert_subnetwork,
    "subnetworks.delete": delete_subnetwork,
    "firewalls.insert": insert_firewall,
    "firewalls.delete": delete_firewall,
    "addresses.insert": insert_address,
    "addresses.delete": delete_address,
}
