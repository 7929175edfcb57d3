# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who has to reach whom, and what is to be said when somebody does not. Pure.

Two stages: ``underlay`` proves the mesh's own port by the addresses that packets really take; ``cluster`` the ports of the cluster by the
addresses that members use.
"""
from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

from .ports import LEAD, Needed

LEADING = ("manager", "control_plane")
SHOWN = 8
NO_ANSWER = "no answer"


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """listen: name -> ports; probe: name -> targets, as module port_probe takes both."""

    listen: dict[str, list[dict[str, Any]]]
    probe: dict[str, list[dict[str, Any]]]


def cluster(hosts: Mapping[str, Mapping[str, Any]], roles: Mapping[str, str], wanted: Sequence[Needed]) -> Plan:
    """hosts: name -> ips (ipv4, ipv6), via, mtu, as cluster_members tells them. Every needed port by the address that is used; in the mesh the
    other family too, and datagrams as large as the mesh is to carry."""
    listen: dict[str, list[dict[str, Any]]] = {name: [] for name in hosts}
    probe: dict[str, list[dict[str, Any]]] = {name: [] for name in hosts}
    for name, host in hosts.items():
        addresses = [str(host["ip"]), *(str(ip) for ip in host["ips"].values() if host["via"] == "mesh" and ip and ip != host["ip"])]
        for port in wanted:
            if not _means(port.to, roles[name]):
                continue
            for address in addresses:
                listen[name].append({"protocol": port.protocol, "port": port.port, "address": address})
                size = int(host["mtu"]) if port.protocol == "udp" and host["via"] == "mesh" else 0
                for other in hosts:
                    if other != name and _means(port.by, roles[other]):
                        probe[other].append({"name": name, "address": address, "protocol": port.protocol, "port": port.port, "size": size})
    return Plan(listen, probe)


def underlay(mesh: Mapping[str, Mapping[str, Any]], comers: Iterable[str]) -> Plan:
    """mesh: as cluster_members tells it, name -> port and peers with endpoint. comers: members that are not in the mesh yet; what listens on the
    others is WireGuard, which answers no question, so the way to those is proved through the mesh."""
    new = set(comers)
    listen = {name: [{"protocol": "udp", "port": int(node["port"]), "address": ""}] if name in new else [] for name, node in mesh.items()}
    probe: dict[str, list[dict[str, Any]]] = {name: [] for name in mesh}
    for name, node in mesh.items():
        for peer in node["peers"]:
            address, _colon, port = str(peer["endpoint"]).rpartition(":")
            if address and peer["name"] in new:
                probe[name].append({"name": peer["name"], "address": address.strip("[]"), "protocol": "udp", "port": int(port), "size": 0})
    return Plan(listen, probe)


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """What is known of where a member stands. firewall: whether role firewall filters there. sources: addresses by which its packets come."""

    provider: str = ""
    cloud: str = ""
    security_groups: tuple[str, ...] = ()
    firewall: bool = False
    sources: tuple[str, ...] = ()


def judge(failed: Mapping[str, Sequence[Mapping[str, Any]]], listening: Mapping[str, Sequence[Mapping[str, Any]]], places: Mapping[str, Place],
          silent: Iterable[str] = (), mesh: Mapping[str, Mapping[str, Any]] | None = None) -> FleetError | None:
    """What the operator is told; None when all is well.

    failed: name of who probed -> rows. listening: name -> rows of port_probe. silent: members that could not be asked. mesh: as cluster_members
    tells it, when members use its addresses: what does not come through at all there is missing below it.
    """
    lines = [f"{name} could not be asked" for name in sorted(silent)]
    for name, rows in sorted(listening.items()):
        for row in rows:
            if row["state"] not in ("listening", "served"):
                where = f" of {row['address']}" if row["address"] else ""
                lines.append(f"{name} cannot listen on {row['protocol']} {row['port']}{where}: {row['state']}")
    closed: dict[tuple[str, str, int], dict[str, str]] = {}
    for name, rows in sorted(failed.items()):
        for row in _below(name, rows, mesh or {}):
            closed.setdefault((str(row["name"]), str(row["protocol"]), int(row["port"])), {})[name] = f"{row['why']} by {row['address']}"
    fixes = []
    for (target, protocol, port), who in sorted(closed.items()):
        lines.append(f"{_some(who)} cannot reach {target} on {protocol} {port} ({next(iter(who.values()))})")
        fixes.append(_fix(target, protocol, port, who, places))
    if not lines:
        return None
    shown = lines[:SHOWN] + ([f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else [])
    return FleetError("preflight: members do not reach each other", why="; ".join(shown), code="unreachable",
                      fix=" ".join(dict.fromkeys(fixes[:SHOWN])) or "Mend that, and run it again.")


# ---------------------------------------------------------------------------------------------------- details
def _means(word: str, role: str) -> bool:
    return word != LEAD or role in LEADING


def _below(name: str, rows: Sequence[Mapping[str, Any]], mesh: Mapping[str, Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    """The rows, but one for the mesh's own port where nothing at all comes through the mesh to a member."""
    peers = {str(peer["name"]): peer for peer in (mesh.get(name) or {}).get("peers") or ()}
    for target in dict.fromkeys(str(row["name"]) for row in rows):
        mine = [row for row in rows if row["name"] == target]
        if target not in peers or any(row["why"] != NO_ANSWER for row in mine if not row.get("size")) or all(row.get("size") for row in mine):
            yield from mine
            continue
        endpoint = str(peers[target]["endpoint"])
        address, _colon, port = endpoint.rpartition(":")
        yield {"name": target, "protocol": "udp", "port": int(port) if endpoint else int(mesh[name]["port"]),
               "address": address.strip("[]") or "its own way here", "why": "nothing comes through the mesh"}


def _fix(target: str, protocol: str, port: int, who: Mapping[str, str], places: Mapping[str, Place]) -> str:
    place = places.get(target, Place())
    if all("bytes" in why for why in who.values()):
        return f"Large packets are lost on the way to {target}: set mesh_mtu to less (1280 always works), or let ICMP errors through."
    if all(why.startswith("refused") for why in who.values()):
        return f"{target} refuses it itself: a firewall there rejects it" + (", see firewall_members." if place.firewall else ".")
    ips = sorted({ip for name in who for ip in places.get(name, Place()).sources})
    listed = "[" + ", ".join(f"{ip}/{128 if ':' in ip else 32}" for ip in ips[:10]) + "]"
    own = (f" If it is let in there, role firewall on {target} does not know the members: set mesh_firewall: true, which runs it again for them."
           if place.firewall else "")
    if place.provider in ("aws", "gce", "openstack"):
        names = ", ".join(place.security_groups)
        groups = f"{names} of {target} (cloud {place.cloud})" if names else f"what filters packets to {target} in cloud {place.cloud}"
        return (f"No rule of {groups} seems to let it in: set mesh_open_ports: true, which adds {{port: {port}, protocol: {protocol}, "
                f"from: {listed}}} to the group that was made for it; or add it by hand.{own}")
    return f"Let {protocol} {port} in to {target} from {', '.join(ips[:10])} in whatever filters in front of it.{own}"


def _some(names: Iterable[str]) -> str:
    found = list(names)
    return ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
