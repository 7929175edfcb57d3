# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""By which addresses a node is reached from outside and inside, with the reason. Pure."""
from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from .address_class import PUBLIC, classify
from .shape import ROLES, Address, Interface

_RANK = {role: rank for rank, role in enumerate(ROLES)}
_REACH_ORDER = ("public", "floating", "external", "private", "unknown")


@dataclasses.dataclass(frozen=True, slots=True)
class Reach:
    """The chosen addresses (None where there is none), the node's network role, and the reasons."""

    public_ipv4: str | None
    public_ipv6: str | None
    private_ipv4: str | None
    private_ipv6: str | None
    on_interface: bool | None
    role: str
    why_public: str
    why_role: str
    main: tuple[Interface, Address] | None
    private: tuple[Interface, Address] | None

    @property
    def public_ip(self) -> str | None:
        return self.public_ipv4 or self.public_ipv6

    @property
    def private_ip(self) -> str | None:
        return self.private_ipv4 or self.private_ipv6


def best_role(roles: Sequence[str]) -> str:
    """The role that is reached best; unknown when there is none."""
    return min(roles, key=_RANK.__getitem__, default="unknown")


def choose(interfaces: Sequence[Interface], stale_access_ips: Sequence[str] = ()) -> Reach:
    """Pick the addresses of a node, per family; the cloud's order decides among equals.

    stale_access_ips: addresses the cloud advertises for access although the node has no such address; they are never
    used, only named in the reason.
    """
    having = [(interface, address) for interface in interfaces for address in interface.addresses]
    reachable = [pair for pair in having if pair[1].role in ("public", "floating")]
    nothing_better = not reachable
    if nothing_better:
        reachable = [pair for pair in having if pair[1].role == "external"]
    usable = [pair for pair in having if classify(pair[1].ip)[1] not in ("link-local", "loopback")]
    inside = [pair for pair in usable if pair[1].role == "private"] or [
        pair for pair in usable if pair[1].role == "unknown" and classify(pair[1].ip)[1] != PUBLIC]

    public4, public6 = _first(reachable, 4), _first(reachable, 6)
    private4, private6 = _first(inside, 4), _first(inside, 6)
    best = public4 or public6
    roles = {address.role for _interface, address in having}
    role = next((name for name in _REACH_ORDER if name in roles), "unknown")
    carrier = next((pair for pair in having if pair[1].role == role), None)
    return Reach(
        public_ipv4=public4[1].ip if public4 else None,
        public_ipv6=public6[1].ip if public6 else None,
        private_ipv4=private4[1].ip if private4 else None,
        private_ipv6=private6[1].ip if private6 else None,
        on_interface=None if best is None else best[1].nat_of is None and best[1].role != "floating",
        role=role,
        why_public=_why_public(having, public4, public6, nothing_better, stale_access_ips),
        why_role=f"{role}: {carrier[1].ip} ({carrier[1].why})" if carrier else "unknown: the cloud reports no address",
        main=best or private4 or private6 or (having[0] if having else None),
        private=private4 or private6,
    )


def _first(pairs: Sequence[tuple[Interface, Address]], family: int) -> tuple[Interface, Address] | None:
    """The best-reached address of that family; a stable sort keeps the cloud's order among equals."""
    return min((pair for pair in pairs if pair[1].family == family), key=lambda pair: _RANK[pair[1].role], default=None)


def _why_public(
    having: Sequence[tuple[Interface, Address]],
    public4: tuple[Interface, Address] | None,
    public6: tuple[Interface, Address] | None,
    nothing_better: bool,
    stale_access_ips: Sequence[str],
) -> str:
    chosen = [pair[1] for pair in (public4, public6) if pair]
    parts = [f"{address.ip}: {address.why}" for address in chosen]
    if chosen and nothing_better:
        parts.append("reached from outside the cloud only, nothing better found")
    if not having:
        parts.append("none: the cloud reports no address")
    elif not chosen:
        seen = ", ".join(f"{address.ip} is {address.role} ({address.why})" for _interface, address in having)
        parts.append(f"none: {seen}")
    else:
        others = [address for _i, address in having if address not in chosen and address.role in ("public", "floating", "external")]
        if others:
            parts.append("not chosen: " + ", ".join(f"{address.ip} ({address.role})" for address in others))
    if stale_access_ips:
        parts.append(f"access address {', '.join(stale_access_ips)} ignored: the node has no such address")
    return "; ".join(parts)
