# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Network interfaces of instances: private addresses for life, public ones while the instance runs."""

from __future__ import annotations

from .errors import Json, invalid
from .store import link, new_fingerprint, path_of
from .world import World

_FIELD = "resource.networkInterfaces"
_STACKS = {  # stack type of a subnetwork -> what interfaces on it may have
    "IPV4_ONLY": ("IPV4_ONLY",),
    "IPV4_IPV6": ("IPV4_ONLY", "IPV4_IPV6", "IPV6_ONLY"),
    "IPV6_ONLY": ("IPV6_ONLY",),
}


def build(world: World, project: str, region: str, requested: list[Json]) -> list[Json]:
    """Interfaces as the instance will show them, with private addresses and without public ones.

    Private addresses are taken last, so that a refused request takes none.

    :raises ApiError: 400 for networks, stacks or access configs that do not fit together.
    """
    if not requested:
        raise invalid(_FIELD, "", "At least one network interface is required.")
    chosen = [_choose(world, project, region, item, f"{_FIELD}[{number}]") for number, item in enumerate(requested)]
    networks = [subnetwork["network"] for subnetwork, _path, _stack in chosen]
    if len(set(networks)) != len(networks):
        raise invalid(_FIELD, "", "Networks must be distinct for different network interfaces.")
    return [
        _interface(world, item, number, *choice)
        for number, (item, choice) in enumerate(zip(requested, chosen, strict=True))
    ]


def _choose(world: World, project: str, region: str, item: Json, field: str) -> tuple[Json, str, str]:
    """Subnetwork, its path and the stack type of one requested interface."""
    store = world.store
    if item.get("subnetwork"):
        path = path_of(item["subnetwork"], project, f"{field}.subnetwork")
    else:
        network = store.find(path_of(item.get("network") or "global/networks/default", project, f"{field}.network"))
        if network is None:
            raise invalid(f"{field}.network", item.get("network"), "The referenced network resource cannot be found.")
        if not network["autoCreateSubnetworks"]:
            raise invalid(
                f"{field}.network", item.get("network"), "Subnetwork should be specified for custom subnetmode network"
            )
        home = path_of(network["selfLink"], project).partition("/global/")[0]  # another project's in a shared VPC
        path = f"{home}/regions/{region}/subnetworks/{network['name']}"
    subnetwork = store.find(path)
    if subnetwork is None or f"/regions/{region}/" not in path:
        raise invalid(
            f"{field}.subnetwork",
            item.get("subnetwork"),
            f"The referenced subnetwork resource cannot be found in region {region}.",
        )
    stack = item.get("stackType") or ("IPV6_ONLY" if subnetwork["stackType"] == "IPV6_ONLY" else "IPV4_ONLY")
    if stack not in _STACKS[subnetwork["stackType"]]:
        raise invalid(f"{field}.stackType", stack, f"The subnetwork's stack type is {subnetwork['stackType']}.")
    for key in ("accessConfigs", "ipv6AccessConfigs"):
        if len(item.get(key) or []) > 1:
            raise invalid(f"{field}.{key}", len(item[key]), "At most one access config currently supported.")
    if item.get("accessConfigs") and stack == "IPV6_ONLY":
        raise invalid(
            f"{field}.accessConfigs", "ONE_TO_ONE_NAT", "An IPv6-only interface takes no external IPv4 address."
        )
    for config in item.get("accessConfigs") or []:
        check_static(world, project, region, config)
    if item.get("ipv6AccessConfigs") and (stack == "IPV4_ONLY" or subnetwork.get("ipv6AccessType") != "EXTERNAL"):
        raise invalid(f"{field}.ipv6AccessConfigs", "DIRECT_IPV6", "The subnetwork has no external IPv6 access.")
    return subnetwork, path, stack


def _interface(world: World, item: Json, number: int, subnetwork: Json, path: str, stack: str) -> Json:
    shown: Json = {
        "kind": "compute#networkInterface",
        "name": f"nic{number}",
        "network": subnetwork["network"],
        "subnetwork": link(path),
        "stackType": stack,
        "fingerprint": new_fingerprint(),
    }
    shown |= {key: item[key] for key in ("nicType", "aliasIpRanges", "queueCount") if item.get(key)}
    if stack != "IPV6_ONLY":
        pool = world.addresses.ipv4(subnetwork["ipCidrRange"], path)
        wanted = item.get("networkIP")
        if wanted and not pool.take_this(wanted):
            raise invalid(
                f"{_FIELD}[{number}].networkIP", wanted, "The IP address is in use or not in the subnetwork's range."
            )
        shown["networkIP"] = wanted or pool.take()
    if stack != "IPV4_ONLY":
        shown["ipv6AccessType"] = subnetwork["ipv6AccessType"]
        if subnetwork["ipv6AccessType"] == "INTERNAL":
            shown |= {
                "ipv6Address": world.addresses.ipv6(subnetwork["internalIpv6Prefix"], path).take(),
                "internalIpv6PrefixLength": 96,
            }
    if item.get("accessConfigs"):
        shown["accessConfigs"] = [access_config(item["accessConfigs"][0])]
    if item.get("ipv6AccessConfigs"):
        requested = item["ipv6AccessConfigs"][0]
        shown["ipv6AccessConfigs"] = [
            {
                "kind": "compute#accessConfig",
                "type": "DIRECT_IPV6",
                "name": requested.get("name") or "external-ipv6",
                "networkTier": "PREMIUM",
            }
        ]
    return shown


def access_config(requested: Json) -> Json:
    """An access config as shown; ``natIP`` is in it only when a static address was asked for."""
    shown: Json = {
        "kind": "compute#accessConfig",
        "type": "ONE_TO_ONE_NAT",
        "name": requested.get("name") or "External NAT",
        "networkTier": requested.get("networkTier") or "PREMIUM",
    }
    return shown | ({"natIP": requested["natIP"]} if requested.get("natIP") else {})


def bind(world: World, project: str, region: str, instance_link: str, interfaces: list[Json]) -> None:
    """Mark the static addresses of an instance as used by it."""
    for interface in interfaces:
        for config in interface.get("accessConfigs", []):
            address = _static(world, project, region, config.get("natIP"))
            if address:
                address |= {"status": "IN_USE", "users": [instance_link]}


def check_static(world: World, project: str, region: str, config: Json) -> None:
    """An address an access config asks for must be reserved here, and free.

    :raises ApiError: 400.
    """
    wanted = config.get("natIP")
    address = _static(world, project, region, wanted)
    if wanted and address is None:
        raise invalid(
            f"{_FIELD}.accessConfigs.natIP",
            wanted,
            f"The specified external IP address was not found in region '{region}'.",
        )
    if address and address["status"] == "IN_USE":
        raise invalid(f"{_FIELD}.accessConfigs.natIP", wanted, "External IP address was already used.")


def _static(world: World, project: str, region: str, address: str | None) -> Json | None:
    known = world.store.children(f"projects/{project}/regions/{region}/addresses")
    return next((item for item in known if item["address"] == address), None)


def connect(world: World, project: str, interfaces: list[Json]) -> None:
    """Give public addresses to an instance that starts."""
    for interface in interfaces:
        for config in interface.get("accessConfigs", []):
            if not config.get("natIP"):
                config["natIP"] = world.addresses.external_ipv4.take()
        for config in interface.get("ipv6AccessConfigs", []):
            path = path_of(interface["subnetwork"], project)
            prefix = world.store.get(path)["externalIpv6Prefix"]
            config |= {"externalIpv6": world.addresses.ipv6(prefix, path).take(), "externalIpv6PrefixLength": 96}


def disconnect(world: World, project: str, region: str, interfaces: list[Json]) -> None:
    """Take ephemeral public addresses from an instance that stopped; static ones stay."""
    for interface in interfaces:
        for config in interface.get("accessConfigs", []):
            if config.get("natIP") and _static(world, project, region, config["natIP"]) is None:
                world.addresses.external_ipv4.give_back(config.pop("natIP"))
        for config in interface.get("ipv6AccessConfigs", []):
            if config.get("externalIpv6"):
                path = path_of(interface["subnetwork"], project)
                world.addresses.ipv6(world.store.get(path)["externalIpv6Prefix"], path).give_back(
                    config.pop("externalIpv6")
                )
                config.pop("externalIpv6PrefixLength")


def release(world: World, project: str, region: str, interfaces: list[Json]) -> None:
    """Give every address of a deleted instance back."""
    disconnect(world, project, region, interfaces)
    for interface in interfaces:
        path = path_of(interface["subnetwork"], project)
        subnetwork = world.store.get(path)
        if interface.get("networkIP"):
            world.addresses.ipv4(subnetwork["ipCidrRange"], path).give_back(interface["networkIP"])
        if interface.get("ipv6Address"):
            world.addresses.ipv6(subnetwork["internalIpv6Prefix"], path).give_back(interface["ipv6Address"])
        for config in interface.get("accessConfigs", []):
            free_static(world, project, region, config)


def free_static(world: World, project: str, region: str, config: Json) -> None:
    """The static address of an access config is free again, and stays reserved."""
    address = _static(world, project, region, config.get("natIP"))
    if address:
        address["status"] = "RESERVED"
        address.pop("users", None)


def named(instance: Json, name: str) -> Json:
    """:raises ApiError: 400 when the instance has no interface of that name."""
    interfaces: list[Json] = instance["networkInterfaces"]
    for interface in interfaces:
        if interface["name"] == name:
            return interface
    raise invalid("networkInterface", name, "The network interface is not found.")
