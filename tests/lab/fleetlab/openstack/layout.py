# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a lab cloud consists of, and the role and login user its servers are expected to be shown with.

The clouds themselves are in ``clouds.py``, the metal nodes in ``racks.py``. No import beyond the standard library:
the contract tests read the expectations from here, with whatever Python they run on.
"""
from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Literal

Role = Literal["public", "floating", "external", "private"]


class SeedError(Exception):
    """A service of the lab did not do what it was asked; the text says what, and what it answered."""


class Access(enum.Flag):
    """What the project of a cloud may do with one of the operator's networks."""

    BOOT = enum.auto()      # shared with it: servers may be attached
    FLOAT = enum.auto()     # router:external for it: floating addresses, gateway of routers


@dataclasses.dataclass(frozen=True)
class Network:
    """A network. Without access it belongs to the project itself, otherwise to the operator."""

    name: str
    cidrs: tuple[str, ...]
    access: Access | None = None
    routed: bool = False    # the project's router connects it to the network that gives floating addresses
    gateway: bool = True    # False: no default gateway (a storage or vRack-like network)


@dataclasses.dataclass(frozen=True)
class Image:
    name: str
    login_user: str | None  # expected; None: the cloud's data do not tell
    properties: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Nic:
    """One network interface: its addresses, each with the role expected for it."""

    network: str
    addresses: Mapping[str, Role]
    floating: str | None = None             # floating address of the first of them
    floating_role: Role = "floating"


@dataclasses.dataclass(frozen=True)
class Server:
    name: str
    image: str
    nics: tuple[Nic, ...] = ()
    status: Literal["ACTIVE", "SHUTOFF", "ERROR"] = "ACTIVE"
    flavor: str = "m1.tiny"
    attach_to: str | None = None            # ask Nova for this network by its id, as users do, not for prepared ports
    login_user: str | None = None           # expected; None: that of the image
    access_ipv4: str | None = None
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)
    tags: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Cloud:
    """One entry of clouds.yaml: a project of its own, with a user, images and networks nobody else sees."""

    name: str
    credential: Literal["application", "password"]
    images: tuple[Image, ...]
    networks: tuple[Network, ...]
    servers: tuple[Server, ...]

    def expected_login(self, server: Server) -> str | None:
        by_image = {image.name: image.login_user for image in self.images}
        return server.login_user or by_image[server.image]


@dataclasses.dataclass(frozen=True)
class MetalNode:
    """One node of Ironic, enrolled with one port."""

    name: str
    mac: str
    provision_state: Literal["active", "available", "manageable", "enroll"]
    address: str | None = None              # kept in the port's extra field, for Ironic knows none itself
    display_name: str | None = None
    login_user: str | None = None
    maintenance_reason: str | None = None
    size: tuple[int, int, int] = (16, 65536, 400)     # processors, MiB of memory, GiB of disk
