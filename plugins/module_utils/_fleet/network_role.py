# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The role of one address, with its reason. Pure: evidence in, decision out.

Rule order, strongest first:
1. what the operator says (fleet file, clouds.yaml flags, node tags);
2. what the cloud says is 1:1 NAT (floating IP, elastic IP, natIP, carrier IP);
3. the network that carries it (external, internet-gateway-routed, external IPv6), class of address considered;
4. the address a cloud advertises for access (accessIPv4), when the node really has it;
5. the network's name, last and weakest;
6. otherwise unknown, saying what was seen.
"""
from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence

from .address_class import PUBLIC, classify
from .shape import AddressEvidence, Decision, InterfaceEvidence

_PUBLIC_NAME = re.compile(r"(^|[^a-z])(public|publicnet|pub|internet|wan|ext|ext-?net|external)([^a-z]|$)", re.IGNORECASE)
_PRIVATE_NAME = re.compile(r"(^|[^a-z])(private|priv|internal|int|lan|servicenet|service-?net|tenant)([^a-z]|$)", re.IGNORECASE)


class OperatorRoles:
    """The fleet file's ``networks``: roles by CIDR (longest prefix first), by network id, by network name."""

    def __init__(self, networks: Mapping[str, str], source: str) -> None:
        self._source = source
        self._by_label = dict(networks)
        prefixes = []
        for label, role in networks.items():
            try:
                prefixes.append((ipaddress.ip_network(label, strict=False), role))
            except ValueError:
                continue  # a name or an id
        self._prefixes = sorted(prefixes, key=lambda row: row[0].prefixlen, reverse=True)

    def described(self) -> dict[str, str]:
        """Label -> role, as the fleet file holds it."""
        return dict(self._by_label)

    def role_of(self, address: AddressEvidence, interface: InterfaceEvidence) -> Decision | None:
        """The operator's word on this address, or None. A network's name or id speaks of its own addresses only,
        not of NAT addresses mapped onto them; a CIDR speaks of any address inside it."""
        if not self._by_label:
            return None
        if self._prefixes:
            ip = ipaddress.ip_address(address.ip)
            for prefix, role in self._prefixes:
                if ip.version == prefix.version and ip in prefix:
                    return Decision(role, f"{self._source} says networks '{prefix}' are {role}")
        if address.nat_of is None:
            for label in (interface.network_id, interface.network):
                if label and label in self._by_label:
                    role = self._by_label[label]
                    return Decision(role, f"{self._source} says network '{label}' is {role}")
        return None


NO_OPERATOR = OperatorRoles({}, "")


def role_of(
    address: AddressEvidence,
    interface: InterfaceEvidence,
    *,
    access_ips: Sequence[str] = (),
    nat_targets: frozenset[str] = frozenset(),
    operator: OperatorRoles = NO_OPERATOR,
) -> Decision:
    """Role of one address of one interface.

    nat_targets: the inside addresses that some other address of this node is NATed to. access_ips: addresses the
    cloud advertises for access. Raises ValueError when address.ip is not an IP address.
    """
    said = operator.role_of(address, interface)
    if said:
        return said
    if address.operator_role:
        return Decision(address.operator_role, address.operator_why)

    klass = classify(address.ip)[1]
    if address.nat_of or address.nat_kind:
        kind = (address.nat_kind or "NAT address") + (f" for {address.nat_of}" if address.nat_of else "")
        return _outside("floating", klass, kind)
    if klass in ("link-local", "loopback"):
        return Decision("private", f"{klass} address")
    if address.routed:
        return _outside("public", klass, address.routed_why)
    if address.routed is False:
        return Decision("private", address.routed_why)
    if klass == PUBLIC:
        return _publicly_routed(address, interface, nat_targets)
    if address.ip in access_ips:
        return _outside("public", klass, "the cloud advertises it for access")
    where = _where(interface)
    if address.network_known:
        return Decision("private", f"{klass} address and {address.routed_why or where + ' is not external'}")
    if address.ip in nat_targets:
        return Decision("private", f"{klass} address that a NAT address is mapped onto")
    return _by_name(interface.network, klass)


def _where(interface: InterfaceEvidence) -> str:
    return f"network '{interface.network}'" if interface.network else "its network"


def _outside(role: str, klass: str, why: str) -> Decision:
    """Reached from outside the cloud: by the internet, or, for a class it does not route, from nearer only."""
    if klass == PUBLIC:
        return Decision(role, why)
    return Decision("external", f"{why}, but a {klass} address is not routed on the internet")


def _publicly_routed(address: AddressEvidence, interface: InterfaceEvidence, nat_targets: frozenset[str]) -> Decision:
    """An address of a publicly routed class on a network that the cloud calls neither external nor closed."""
    where = _where(interface)
    if address.ip in nat_targets:
        return Decision("private", f"a NAT address is mapped onto it, so {where} is behind NAT")
    if address.routed_why and not address.network_known:
        return Decision("unknown", f"publicly routed address, but {address.routed_why}")
    return Decision("public", f"publicly routed address on {where}")


def _by_name(network: str | None, klass: str) -> Decision:
    """The weakest evidence: the cloud says nothing of the network but its name."""
    if network and _PRIVATE_NAME.search(network):
        return Decision("private", f"{klass} address on a network named '{network}'")
    if network and _PUBLIC_NAME.search(network):
        return Decision("external", f"weak: {klass} address, only the name of network '{network}' says it is reached from outside")
    seen = f"network '{network}'" if network else "no network"
    return Decision("unknown", f"{klass} address, {seen}: the cloud does not tell whether it is reached from outside")
