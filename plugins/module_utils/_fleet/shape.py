# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one shape: what a node, its interfaces and its addresses look like, whatever cloud they run on.

Two layers. *Evidence* is what a cloud told, translated into common words and nothing more; the providers make it.
*Node* is what the collection concludes from it; only ``assemble`` makes it. Host variables, cache and documentation
derive from ``Node`` (its fields' ``doc`` metadata is the text of the generated table).
"""
from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import field
from typing import Any, NamedTuple

ROLES = ("public", "floating", "external", "private", "management", "unknown")
"""Roles of an address, best reached first (management and unknown are never preferred)."""

STATES = ("pending", "running", "stopping", "stopped", "paused", "error", "deleting", "unknown")
"""Normalised life-cycle states of a node."""

NO_TAGS: Mapping[str, str] = {}


class Decision(NamedTuple):
    """A derived answer together with its reason, in words for an operator."""

    value: str | None
    why: str


@dataclasses.dataclass(frozen=True, slots=True)
class Image:
    """The image a node was made from; a field the cloud did not tell is None."""

    id: str | None = None
    name: str | None = None
    distro: str | None = None
    version: str | None = None


# ---------------------------------------------------------------------------------------------- evidence
@dataclasses.dataclass(frozen=True, slots=True)
class AddressEvidence:
    """What a cloud told about one address.

    nat_of: the inside address, when the cloud maps this one onto it 1:1; nat_kind: what the cloud calls that.
    routed: True when the network is reached from outside the cloud, False when the cloud says it never is, None when
    it did not tell. network_known: the cloud described the network and it is not an external one.
    routed_why: the source of both, as a clause ("network Ext-Net is router:external"), or why the cloud did not tell.
    operator_role: role given to this address by clouds.yaml or a tag; operator_why says where.
    """

    ip: str
    nat_of: str | None = None
    nat_kind: str | None = None
    routed: bool | None = None
    routed_why: str = ""
    network_known: bool = False
    operator_role: str | None = None
    operator_why: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class InterfaceEvidence:
    """One network interface, in the cloud's order (the primary one first). mtu in bytes."""

    network: str | None = None
    network_id: str | None = None
    mac: str | None = None
    mtu: int | None = None
    domain: str | None = None
    addresses: tuple[AddressEvidence, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class LoginEvidence:
    """What a cloud told that bears on the login user; the rules are in ``login_user``.

    image_owner: account that owns the image (AWS). image_properties: OpenStack image properties. metadata: the node's
    own metadata or tags. key_users: users the instance's or project's SSH keys are for, in order (GCE), key_source
    names where they came from. os_login: why metadata keys are not used, when GCE's OS Login is on.
    """

    image_owner: str | None = None
    image_properties: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    key_users: tuple[str, ...] = ()
    key_source: str = ""
    os_login: str = ""
    platform: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class NodeEvidence:
    """Everything one cloud told about one node, in common words. ``extra`` holds fields asked for by hostvars_extra."""

    id: str
    name: str | None
    state: str
    account: str | None = None
    region: str | None = None
    zone: str | None = None
    created: str | None = None
    flavor: str | None = None
    arch: str | None = None
    image: Image = Image()
    tags: Mapping[str, str] = field(default_factory=dict)
    interfaces: tuple[InterfaceEvidence, ...] = ()
    security_groups: tuple[str, ...] = ()
    login: LoginEvidence = LoginEvidence()
    access_ips: tuple[str, ...] = ()
    host_keys: tuple[str, ...] | None = None
    ssh_port: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


# -------------------------------------------------------------------------------------------- conclusions
@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """An address with its role and the reason for it; nat_of is the inside address when the role comes from 1:1 NAT."""

    ip: str
    family: int
    role: str
    nat_of: str | None
    why: str


@dataclasses.dataclass(frozen=True, slots=True)
class Interface:
    """A network interface; its role is the best role among its addresses."""

    network: str | None
    network_id: str | None
    role: str
    mac: str | None
    mtu: int | None
    addresses: tuple[Address, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Why:
    """The reasons of the three decisions, in words an operator understands."""

    public_ip: str
    login_user: str
    network_role: str


def _doc(doc: str, kind: str) -> dict[str, str]:
    """What the generated table says of a field: its meaning, and its type as a host variable."""
    return {"doc": doc, "type": kind}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One machine of the fleet. Field ``x`` becomes host variable ``fleet_x``; None means the cloud does not tell."""

    id: str = field(metadata=_doc("Identifier of the node in its cloud.", "str"))
    name: str | None = field(metadata=_doc("Name the cloud shows, unchanged; the inventory name may differ.", "str"))
    cloud: str = field(metadata=_doc("Name of the cloud in the fleet file.", "str"))
    provider: str = field(metadata=_doc("Kind of infrastructure: openstack, aws, gce or metal.", "str"))
    account: str | None = field(metadata=_doc("AWS account, GCE project, OpenStack project, owner on metal.", "str"))
    region: str | None = field(metadata=_doc("Region.", "str"))
    zone: str | None = field(metadata=_doc("Availability zone.", "str"))
    state: str = field(metadata=_doc(f"Life-cycle state, one of {', '.join(STATES)}.", "str"))
    created: str | None = field(metadata=_doc("Time of creation, ISO 8601, UTC.", "str"))
    flavor: str | None = field(metadata=_doc("Flavor, instance type or machine type.", "str"))
    arch: str | None = field(metadata=_doc("Processor architecture as uname says it (x86_64, aarch64).", "str"))
    image: Image = field(metadata=_doc("Image the node was made from: id, name, distro, version.", "dict"))
    tags: Mapping[str, str] = field(metadata=_doc("Tags, labels or metadata; a tag without a value holds an empty string.", "dict"))
    public_ip: str | None = field(metadata=_doc("Address by which the node is reached from outside: IPv4 if it has one, else IPv6.", "str"))
    public_ipv4: str | None = field(metadata=_doc("IPv4 address by which the node is reached from outside.", "str"))
    public_ipv6: str | None = field(metadata=_doc("IPv6 address by which the node is reached from outside.", "str"))
    public_ip_on_interface: bool | None = field(metadata=_doc(
        "Whether public_ip is configured on the node itself; false for floating, elastic and NAT addresses.", "bool"))
    private_ip: str | None = field(metadata=_doc("Address inside the cloud: IPv4 if it has one, else IPv6.", "str"))
    private_ipv4: str | None = field(metadata=_doc("IPv4 address inside the cloud.", "str"))
    private_ipv6: str | None = field(metadata=_doc("IPv6 address inside the cloud.", "str"))
    interfaces: tuple[Interface, ...] = field(metadata=_doc(
        "Network interfaces: network, network_id, role, mac, mtu and addresses (ip, family, role, nat_of, why).", "list"))
    network_role: str = field(metadata=_doc(
        "Role of the address by which the node is best reached: public, floating, external, private, unknown.", "str"))
    network_domain: str | None = field(metadata=_doc(
        "Opaque id of the layer-3 domain; nodes with equal ids reach each other by their private addresses.", "str"))
    mtu: int | None = field(metadata=_doc("MTU of the network that carries the node's main address, in bytes.", "int"))
    login_user: str | None = field(metadata=_doc("Account to log in with.", "str"))
    ssh_port: int = field(metadata=_doc("TCP port of the SSH server.", "int"))
    security_groups: tuple[str, ...] = field(metadata=_doc("Names of security groups or firewall tags.", "list"))
    host_keys: tuple[str, ...] | None = field(metadata=_doc("SSH host keys ('type base64'), when the cloud tells them.", "list"))
    why: Why = field(metadata=_doc("Reasons of the decisions: public_ip, login_user, network_role.", "dict"))
    stale: bool = field(metadata=_doc("True when the cloud did not answer and this is its last good answer.", "bool"))
    extra: Mapping[str, Any] = field(metadata=_doc("Fields of the cloud's own record asked for with hostvars_extra.", "dict"))
