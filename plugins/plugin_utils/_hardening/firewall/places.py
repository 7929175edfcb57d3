# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where this host's addresses are and what role each has: the one shape beside what the host itself tells. Pure.

Clouds that map a public address 1:1 (floating, elastic, natIP) deliver its packets to the private address; there the source tells the
internet from the inside.
"""
from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.address_class import PUBLIC, classify

from .policy import EVERYWHERE, Place
from .rules import ANY

_OUTER = ("public", "floating")
_CONTAINER = re.compile(
    r"docker\d+|docker_gwbridge|br-[0-9a-f]{12}|veth.*|cali.*|cni.*|flannel.*|cilium.*|lxc.*|vxlan\.calico|tunl\d+|kube-.*|nodelocaldns"
    r"|podman\d+|weave.*|antrea.*|genev_sys.*|virbr\d+|vnet\d+|lo|dummy\d+|ip6tnl0|sit0|gre0|wireguard\.cali|wg-v6\.cali|gretap0|erspan0")


@dataclasses.dataclass(frozen=True, slots=True)
class Own:
    """One address of this host as packets see it. nat_roles: roles of the outer addresses that the cloud maps onto it."""

    ip: str
    family: int
    role: str
    interface: str | None
    nat_roles: tuple[str, ...] = ()


def own(variables: Mapping[str, Any], interfaces: Sequence[Mapping[str, Any]], mesh: Sequence[str]) -> tuple[Own, ...]:
    """variables: this host's; interfaces: as the host tells them (name, addresses); mesh: names of interfaces of the mesh."""
    # An address on lo or on a bridge of containers is reached through the others, so its interface tells nothing.
    carried = {_plain(ip): str(interface["name"]) for interface in interfaces if not is_container(str(interface["name"]))
               for ip in interface.get("addresses") or ()}
    told = [address for interface in variables.get("fleet_interfaces") or () for address in interface.get("addresses") or ()]
    onto: dict[str, list[str]] = {}
    for address in told:
        if address.get("nat_of"):
            onto.setdefault(_plain(address["nat_of"]), []).append(str(address["role"]))
    found: dict[str, Own] = {}
    for address in told:
        ip = _plain(address["ip"])
        if address.get("nat_of") or address["role"] == "floating":
            continue
        found[ip] = Own(ip, address["family"], str(address["role"]), carried.get(ip), tuple(sorted(set(onto.get(ip, ())))))
    for ip, name in carried.items():  # what the cloud does not tell: metal, plain inventories, addresses given later
        family, kind = classify(ip)
        if ip in found or kind in ("link-local", "loopback"):
            continue
        role = "mesh" if _named(name, mesh) else "public" if kind == PUBLIC else "private"
        found[ip] = Own(ip, family, role, name, tuple(sorted(set(onto.get(ip, ())))))
    return tuple(found.values())


def is_container(name: str) -> bool:
    """Whether an interface is one that container engines and networks of Kubernetes make."""
    return bool(_CONTAINER.fullmatch(name))


def places(role: str, mine: Iterable[Own], mesh: Sequence[str]) -> tuple[Place, ...]:
    """Where packets for addresses of this role come in; () when this host has none."""
    if role == ANY:
        return EVERYWHERE
    every = list(mine)
    if role == "mesh":
        found = {own.interface for own in every if own.role == "mesh" and own.interface} | set(mesh)
        return tuple(Place(interface=name) for name in sorted(found))
    result: list[Place] = []
    seen: set[tuple[str | None, int]] = set()
    for address in every:
        key = (address.interface, address.family)
        if not _has(address, role) or key in seen:
            continue
        seen.add(key)
        here = [other for other in every if (other.interface, other.family) == key and _has(other, role)]
        result += _of_interface(role, key, here, every)
    return tuple(result)


# ---------------------------------------------------------------------------------------------------- details
def _of_interface(role: str, key: tuple[str | None, int], here: Sequence[Own], every: Sequence[Own]) -> list[Place]:
    """Addresses of the role on one interface, in at most two places: those with 1:1 NAT are told apart by the source."""
    name, family = key
    result = []
    for inside in (None, True, False):
        chosen = tuple(sorted(one.ip for one in here if _side(one, role) is inside))
        if not chosen:
            continue
        if inside is None and name and all(_has(other, role) and other.ip in chosen for other in every if (other.interface, other.family) == key):
            # The interface is of this role alone: addresses that others keep afloat (VRRP) and multicast count too.
            others = tuple(sorted(other.ip for other in every if other.family == family and other.ip not in chosen))
            result.append(Place(family, name, (), others))
        else:
            result.append(Place(family, name, chosen, (), inside))
    return result


def _has(address: Own, role: str) -> bool:
    if role == "public":
        return address.role in _OUTER or any(nat in _OUTER for nat in address.nat_roles)
    return role in (address.role, *address.nat_roles)


def _side(address: Own, role: str) -> bool | None:
    """Which sources are meant at this address; None when the address alone tells. A company's network (external) has inside addresses too."""
    if not any(nat in _OUTER for nat in address.nat_roles) or role == "external":
        return None
    return not (role == "public" and address.role not in _OUTER)


def _named(name: str, patterns: Iterable[str]) -> bool:
    return any(name == pattern or (pattern.endswith("*") and name.startswith(pattern[:-1])) for pattern in patterns)


def _plain(ip: str) -> str:
    return str(ipaddress.ip_address(ip))
