# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Would this packet be let in? The policy as the kernel applies it, for refusals and for telling what will be closed. Pure."""
from __future__ import annotations

import dataclasses
import fnmatch
import ipaddress

from .policy import INSIDE, Opening, Place, Policy


@dataclasses.dataclass(frozen=True, slots=True)
class Packet:
    """The first packet of a connection. interface: where it comes in, None when unknown."""

    source: str
    destination: str
    protocol: str
    port: int | None
    interface: str | None = None


def admits(policy: Policy, packet: Packet) -> str | None:
    """Why it is let in: the opening's name; None when it is dropped."""
    if packet.interface == "lo" or ipaddress.ip_address(packet.source).is_loopback:
        return "this host itself"
    if packet.interface and _of_containers(policy, packet.interface):
        return "a container of this host"
    return next((opening.name for opening in policy.openings if _opens(opening, packet)), None)


def _of_containers(policy: Policy, interface: str) -> bool:
    return interface not in policy.not_containers and any(fnmatch.fnmatchcase(interface, name) for name in policy.containers)


def _opens(opening: Opening, packet: Packet) -> bool:
    if opening.protocol not in (None, packet.protocol):
        return False
    if opening.first is not None and (packet.port is None or not opening.first <= packet.port <= (opening.last or opening.first)):
        return False
    source = ipaddress.ip_address(packet.source)
    return any(source in network for network in opening.sources) and any(_here(place, packet) for place in opening.places)


def _here(place: Place, packet: Packet) -> bool:
    source = ipaddress.ip_address(packet.source)
    if place.family not in (None, source.version):
        return False
    if place.interface and packet.interface and not fnmatch.fnmatchcase(packet.interface, place.interface):
        return False
    if place.to and packet.destination not in place.to:
        return False
    if packet.destination in place.not_to:
        return False
    return place.inside is None or place.inside == any(source in network for network in INSIDE)
