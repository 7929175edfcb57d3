# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a cloud offers, in one shape: images, flavors, networks, zones. Pure data; the providers fill it.

As with nodes there are two layers where something is concluded: an image carries the evidence of its login user, which
``concluded`` turns into the user; everything else is the cloud's own word.
"""
from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import field
from typing import Any

from . import login_user
from .shape import Image, LoginEvidence

PARTS = ("images", "flavors", "networks", "zones")

REACHES = ("public", "floating", "external", "private", "unknown")
"""How a node on a network is reached by one family, best first: the roles that an address there would have."""


def reach_rank(role: str) -> int:
    """Place of a role among REACHES; one that is none of them (management, which only an operator gives) comes last."""
    return REACHES.index(role) if role in REACHES else len(REACHES)


def meet(first: Collection[str], second: Collection[str]) -> bool:
    """Whether two things that are offered in these zones can be had together; empty means everywhere."""
    return not first or not second or not set(first).isdisjoint(second)


@dataclasses.dataclass(frozen=True, slots=True)
class CatalogImage:
    """An image that nodes can be made from.

    id: what the create call takes; family: a name under which the newest of a series is found (GCE image family; None
    elsewhere). created: ISO 8601, UTC. min_disk_gib, min_memory_mib: the least a flavor must have, 0 when not told.
    usable: whether a node can be made from it now; why_not: the cloud's word when not. public: everybody's, not the
    account's own. legacy: not usable because its publisher has withdrawn it, yet the cloud takes it: it is used when it is named.
    """

    id: str
    name: str
    family: str | None = None
    distro: str | None = None
    version: str | None = None
    arch: str | None = None
    created: str | None = None
    owner: str | None = None
    public: bool = False
    min_disk_gib: int = 0
    min_memory_mib: int = 0
    usable: bool = True
    why_not: str = ""
    login: LoginEvidence = LoginEvidence()
    legacy: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class CatalogFlavor:
    """A size of node (flavor, instance type, machine type; on metal a free machine).

    memory_mib in MiB; disk_gib in GiB, None when the disk is chosen with the node. zones: where it is offered, empty for
    everywhere. price_rank orders flavors of equal size (smaller is preferred: current generations before old ones).
    legacy: of a previous generation, taken only when it is named.
    On metal ``networks`` holds the machine's own networks, as it comes with them, and ``image`` what is installed on it, None
    when that is not told or is chosen with the node.
    """

    id: str
    name: str
    vcpus: int | None
    memory_mib: int | None
    disk_gib: int | None = None
    arch: str | None = None
    zones: tuple[str, ...] = ()
    price_rank: int = 0
    networks: tuple[CatalogNetwork, ...] = ()
    why_not: str = ""
    image: CatalogImage | None = None
    legacy: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class CatalogNetwork:
    """A network (OpenStack network, AWS subnet, GCE subnetwork) that a node can be attached to.

    reach: family ("ipv4", "ipv6") -> role that the node's best address of that family would have (one of REACHES), only
    families that the network has. how: family -> what has to be done for it: "direct" (the address on the interface is
    it), "assigned" (the cloud maps one when the node starts), "floating" (an address must be attached), "none" (there is
    no way to a public one). why: family -> the reason of both, as a clause. usable: whether nodes may be attached;
    default: the cloud's own choice when none is named. zones: where nodes can be attached to it, empty for everywhere.
    aliases: other names and ids that mean it, among others perhaps (its VPC's). rank orders networks that are otherwise equal
    (smaller is preferred: near before far, own before another project's).
    """

    id: str
    name: str
    reach: Mapping[str, str] = field(default_factory=dict)
    how: Mapping[str, str] = field(default_factory=dict)
    why: Mapping[str, str] = field(default_factory=dict)
    cidrs: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    usable: bool = True
    why_not: str = ""
    default: bool = False
    aliases: tuple[str, ...] = ()
    rank: int = 0
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def role(self) -> str:
        """The best role over the families: what the network is, in one word."""
        return min(self.reach.values(), key=reach_rank, default="unknown")


@dataclasses.dataclass(frozen=True, slots=True)
class CatalogZone:
    """An availability zone. usable: nodes can be made there now."""

    name: str
    region: str | None = None
    usable: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class Catalog:
    """What one scope (region, project, source) of a cloud offers; parts not asked for are empty."""

    images: tuple[CatalogImage, ...] = ()
    flavors: tuple[CatalogFlavor, ...] = ()
    networks: tuple[CatalogNetwork, ...] = ()
    zones: tuple[CatalogZone, ...] = ()


def image_login(provider: str, image: CatalogImage, operator: str | None = None) -> login_user.LoginDecision:
    """Who will log in to a node made from this image, by the same rules as for nodes."""
    return login_user.decide(
        provider, Image(image.id, image.name, image.distro, image.version), image.login, operator=operator)


def as_dict(provider: str, catalog: Catalog, operator: str | None = None) -> dict[str, list[dict[str, Any]]]:
    """The catalog as plain data for a module's result; images with their login user and its reason."""
    return {
        "images": [_image(provider, image, operator) for image in catalog.images],
        "flavors": [_flavor(flavor) for flavor in catalog.flavors],
        "networks": [_network(network) for network in catalog.networks],
        "zones": [dataclasses.asdict(zone) for zone in catalog.zones],
    }


def _image(provider: str, image: CatalogImage, operator: str | None) -> dict[str, Any]:
    decision = image_login(provider, image, operator)
    row = {field.name: getattr(image, field.name) for field in dataclasses.fields(image) if field.name != "login"}
    return {**row, "login_user": decision.value, "login_candidates": list(decision.candidates), "why": decision.why}


def _flavor(flavor: CatalogFlavor) -> dict[str, Any]:
    return {
        "id": flavor.id, "name": flavor.name, "vcpus": flavor.vcpus, "memory_mib": flavor.memory_mib,
        "disk_gib": flavor.disk_gib, "arch": flavor.arch, "zones": list(flavor.zones), "usable": not flavor.why_not,
        "why_not": flavor.why_not, "networks": [_network(network) for network in flavor.networks],
        "image": {"id": flavor.image.id, "name": flavor.image.name} if flavor.image else None,
    }


def _network(network: CatalogNetwork) -> dict[str, Any]:
    return {
        "id": network.id, "name": network.name, "role": network.role, "reach": dict(network.reach), "how": dict(network.how),
        "why": dict(network.why), "cidrs": list(network.cidrs), "zones": list(network.zones), "usable": network.usable,
        "why_not": network.why_not, "default": network.default,
    }
