# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a firewall lets in: plain data between the decisions and the text for the kernel. Pure."""
from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable, Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
FAMILIES = (4, 6)
ANYWHERE: tuple[Network, ...] = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))

INSIDE: tuple[Network, ...] = tuple(ipaddress.ip_network(text) for text in (
    "10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10"))
"""Sources that the internet cannot send from: what tells inside from outside where both come to one address through 1:1 NAT."""

WITH_PORTS = ("tcp", "udp", "sctp")


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where packets come in. None and () mean that it does not matter.

    interface: name; a star at its end stands for any rest. to: destinations, all of one family; not_to: what is not meant.
    inside: True when only sources of INSIDE are meant, False when only others are.
    """

    family: int | None = None
    interface: str | None = None
    to: tuple[str, ...] = ()
    not_to: tuple[str, ...] = ()
    inside: bool | None = None


EVERYWHERE = (Place(),)


@dataclasses.dataclass(frozen=True, slots=True)
class Opening:
    """One thing that is let in. protocol None: all of them; first and last: ports, None for all."""

    name: str
    protocol: str | None
    first: int | None = None
    last: int | None = None
    sources: tuple[Network, ...] = ANYWHERE
    places: tuple[Place, ...] = EVERYWHERE
    rate: int = 0
    """New connections of one source in a minute that are let in; 0 for no limit."""


@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    """Everything that the text depends on.

    containers: interfaces of containers on this host, whose packets come from this host itself; not_containers: real interfaces whose
    names look like those. forward: interfaces between which nothing is forwarded; () leaves forwarding alone. guard: interfaces on which
    the ports that containers publish are let in by the same openings as the host's own; () leaves them to the container engine.
    """

    openings: tuple[Opening, ...]
    containers: tuple[str, ...] = ()
    not_containers: tuple[str, ...] = ()
    forward: tuple[str, ...] = ()
    guard: tuple[str, ...] = ()
    ping: bool = True
    log: bool = True


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Without doubles and overlaps, IPv4 first: older nft refuses sets whose elements overlap."""
    found = [ipaddress.ip_network(text) for text in texts]
    return collapsed(found)


def collapsed(found: Sequence[Network]) -> tuple[Network, ...]:
    v4 = ipaddress.collapse_addresses(one for one in found if isinstance(one, ipaddress.IPv4Network))
    v6 = ipaddress.collapse_addresses(one for one in found if isinstance(one, ipaddress.IPv6Network))
    return (*v4, *v6)
