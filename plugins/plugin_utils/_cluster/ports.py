# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which ports members of a cluster need of each other, as data. Pure."""
from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

LEAD = "lead"
"""Stands for the leading members, whatever their kind of cluster calls them."""


@dataclasses.dataclass(frozen=True, slots=True)
class Needed:
    """One port. to, by: LEAD or empty for all members. what: what it is for, in words."""

    protocol: str
    port: int
    what: str
    to: str = ""
    by: str = ""


SWARM = (
    Needed("tcp", 2377, "management of the swarm", to=LEAD),
    Needed("tcp", 7946, "who is there"),
    Needed("udp", 7946, "who is there"),
    Needed("udp", 4789, "traffic of containers (VXLAN)"),
)
KUBERNETES = (
    Needed("tcp", 6443, "the API", to=LEAD),
    Needed("tcp", 2379, "etcd", to=LEAD, by=LEAD),
    Needed("tcp", 2380, "etcd", to=LEAD, by=LEAD),
    Needed("tcp", 10250, "kubelet"),
)
MESH_TRIAL = 51821
"""Port on which members prove each other inside of the mesh when no cluster asks for another. Nothing listens there otherwise."""
PLAIN = (Needed("tcp", MESH_TRIAL, "a trial of the mesh"), Needed("udp", MESH_TRIAL, "a trial of the mesh"))
OF_KIND: Mapping[str, tuple[Needed, ...]] = {"swarm": SWARM, "kubernetes": KUBERNETES, "": PLAIN}


def needed(kind: str, more: Iterable[Mapping[str, Any]] = ()) -> tuple[Needed, ...]:
    """Those of a kind of cluster, and the operator's: port, protocol (tcp), what. Raises FleetError."""
    found = list(OF_KIND[kind])
    for row in more:
        try:
            protocol, port = str(row.get("protocol") or "tcp"), int(row["port"])
        except (KeyError, TypeError, ValueError):
            raise FleetError("preflight", why=f"{dict(row)} is no port", fix="Write {port: 8472, protocol: udp}.", code="argument") from None
        if protocol not in ("tcp", "udp") or not 1 <= port <= 65535:
            raise FleetError("preflight", why=f"{dict(row)} is no port", fix="Ports go from 1 to 65535, by tcp or udp.", code="argument")
        if not any((one.protocol, one.port) == (protocol, port) for one in found):
            found.append(Needed(protocol, port, str(row.get("what") or "asked for"), str(row.get("to") or ""), str(row.get("by") or "")))
    return tuple(found)
