# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From evidence to a node: apply the decisions, once, for every provider. Pure."""
from __future__ import annotations

from . import login_user, network_role, public_address
from .address_class import classify
from .network_role import OperatorRoles
from .shape import Address, Interface, InterfaceEvidence, Node, NodeEvidence, Why

DEFAULT_SSH_PORT = 22
PUBLIC_IP_TAG = "fleet_public_ip"
SSH_PORT_TAGS = ("fleet_ssh_port", "ssh_port")


def node(
    evidence: NodeEvidence,
    *,
    provider: str,
    cloud: str,
    operator_login_user: str | None = None,
    operator_ssh_port: int | None = None,
    operator_roles: OperatorRoles = network_role.NO_OPERATOR,
) -> Node:
    """The node that this evidence shows; operator_* come from the cloud's entry in the fleet file."""
    interfaces = _interfaces(evidence, operator_roles)
    present = {address.ip for interface in interfaces for address in interface.addresses}
    reach = public_address.choose(interfaces, [ip for ip in evidence.access_ips if ip not in present])
    login = login_user.decide(provider, evidence.image, evidence.login, operator=operator_login_user)
    domain_interface = _evidence_of(evidence, interfaces, reach.private)
    return Node(
        id=evidence.id,
        name=evidence.name,
        cloud=cloud,
        provider=provider,
        account=evidence.account,
        region=evidence.region,
        zone=evidence.zone,
        state=evidence.state,
        created=evidence.created,
        flavor=evidence.flavor,
        arch=evidence.arch,
        image=evidence.image,
        tags=evidence.tags,
        public_ip=reach.public_ip,
        public_ipv4=reach.public_ipv4,
        public_ipv6=reach.public_ipv6,
        public_ip_on_interface=reach.on_interface,
        private_ip=reach.private_ip,
        private_ipv4=reach.private_ipv4,
        private_ipv6=reach.private_ipv6,
        interfaces=interfaces,
        network_role=reach.role,
        network_domain=domain_interface.domain if domain_interface else None,
        mtu=reach.main[0].mtu if reach.main else (interfaces[0].mtu if interfaces else None),
        login_user=login.value,
        ssh_port=operator_ssh_port or _tagged_port(evidence) or evidence.ssh_port or DEFAULT_SSH_PORT,
        security_groups=evidence.security_groups,
        host_keys=evidence.host_keys,
        why=Why(public_ip=reach.why_public, login_user=login.why, network_role=reach.why_role),
        stale=False,
        extra=evidence.extra,
    )


def _interfaces(evidence: NodeEvidence, operator: OperatorRoles) -> tuple[Interface, ...]:
    nat_targets = frozenset(a.nat_of for i in evidence.interfaces for a in i.addresses if a.nat_of)
    tagged_ip = evidence.tags.get(PUBLIC_IP_TAG) or evidence.login.metadata.get(PUBLIC_IP_TAG)
    built = []
    for interface in evidence.interfaces:
        addresses = []
        for seen in interface.addresses:
            if seen.ip == tagged_ip:
                role, why = "public" if seen.nat_of is None else "floating", f"node tag {PUBLIC_IP_TAG} says so"
            else:
                value, why = network_role.role_of(
                    seen, interface, access_ips=evidence.access_ips, nat_targets=nat_targets, operator=operator)
                role = value or "unknown"
            addresses.append(Address(seen.ip, classify(seen.ip)[0], role, seen.nat_of, why))
        built.append(Interface(
            network=interface.network,
            network_id=interface.network_id,
            role=public_address.best_role([address.role for address in addresses]),
            mac=interface.mac,
            mtu=interface.mtu,
            addresses=tuple(addresses),
        ))
    return tuple(built)


def _evidence_of(
    evidence: NodeEvidence, interfaces: tuple[Interface, ...], pair: tuple[Interface, Address] | None
) -> InterfaceEvidence | None:
    """The evidence behind the interface that carries the private address; the first interface when there is none."""
    if pair:
        for seen, interface in zip(evidence.interfaces, interfaces, strict=True):
            if interface is pair[0]:
                return seen
    return evidence.interfaces[0] if evidence.interfaces else None


def _tagged_port(evidence: NodeEvidence) -> int | None:
    for tag in SSH_PORT_TAGS:
        value = evidence.login.metadata.get(tag) or evidence.tags.get(tag, "")
        if value.isdecimal() and len(value) <= 5 and 0 < int(value) < 65536:
            return int(value)
    return None
