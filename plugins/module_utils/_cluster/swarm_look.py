# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a node knows of its swarm, in one look. Runs on nodes: Python 3.7 is enough."""
from __future__ import annotations

import json
import time
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import System

from . import kernel, networks
from .docker_api import Docker, DockerError

STATE = "/var/lib/docker/swarm/docker-state.json"
ELECTION = 20.0
"""Seconds for managers to agree on who leads, after one was lost or started again."""
DRAINED = "fleet.drained"
"""Label of a node that was drained for a while, with the availability that it goes back to."""


def gather(system: System, docker: Docker) -> dict[str, Any]:
    """See module swarm_facts. A part that the node cannot tell is empty."""
    told: dict[str, Any] = {
        "answers": True, "state": "inactive", "error": "", "version": "", "hostname": "", "id": "", "address": "", "manager": False, "quorum": False,
        "cluster": {}, "nodes": [], "services": [], **_kept(system), "networks": networks.known(system), "lacks": kernel.lacks(system)}
    try:
        info = docker.get("/info", 20)
    except DockerError as failure:
        return {**told, "answers": False, "error": str(failure)}
    swarm = info.get("Swarm") or {}
    told.update(version=info.get("ServerVersion", ""), hostname=info.get("Name", ""), state=swarm.get("LocalNodeState") or "inactive",
                error=swarm.get("Error") or "", id=swarm.get("NodeID") or "", address=swarm.get("NodeAddr") or "",
                manager=bool(swarm.get("ControlAvailable")))
    if told["manager"]:
        told.update(_managed(docker))
    return told


def _managed(docker: Docker) -> dict[str, Any]:
    """What a manager knows of the swarm, or why it does not. While there is no leader it is asked again: one may be elected soon."""
    ends = time.monotonic() + ELECTION
    while True:
        try:
            return {"nodes": nodes(docker), "cluster": cluster(docker), "services": services(docker), "quorum": True}
        except DockerError as failure:
            if "does not have a leader" not in str(failure) or time.monotonic() > ends:
                return {"error": str(failure)}
        time.sleep(1)


def _kept(system: System) -> dict[str, str]:
    """Addresses that the node was given when it came into its swarm, which it never changes by itself."""
    try:
        kept = json.loads(system.text(STATE) or "{}")
    except ValueError:
        kept = {}
    return {"advertised": bare(str(kept.get("AdvertiseAddr") or "")), "listens": str(kept.get("ListenAddr") or ""),
            "data_path": bare(str(kept.get("DataPathAddr") or ""))}


def bare(address: str) -> str:
    """The address without brackets and port."""
    if address.startswith("["):
        return address[1:address.find("]")]
    return address.rsplit(":", 1)[0] if address.count(":") == 1 else address


def nodes(docker: Docker) -> list[dict[str, Any]]:
    told = []
    for row in docker.get("/nodes", 15):
        spec, status, manager = row.get("Spec") or {}, row.get("Status") or {}, row.get("ManagerStatus") or {}
        description = row.get("Description") or {}
        told.append({
            "id": row["ID"], "hostname": description.get("Hostname", ""), "role": spec.get("Role", ""), "availability": spec.get("Availability", ""),
            "labels": spec.get("Labels") or {}, "state": status.get("State", ""), "leader": bool(manager.get("Leader")),
            "address": bare(str(manager.get("Addr") or "")) or str(status.get("Addr") or ""), "reachability": manager.get("Reachability", ""),
            "version": (description.get("Engine") or {}).get("EngineVersion", "")})
    return sorted(told, key=lambda one: (one["hostname"], one["id"]))


def cluster(docker: Docker) -> dict[str, Any]:
    """Settings of the swarm; its tokens stay where they are."""
    row = docker.get("/swarm", 15)
    return {"id": row.get("ID", ""), "pools": row.get("DefaultAddrPool") or [], "subnet_size": row.get("SubnetSize") or 0,
            "data_path_port": row.get("DataPathPort") or 4789,
            "autolock": bool(((row.get("Spec") or {}).get("EncryptionConfig") or {}).get("AutoLockManagers"))}


def services(docker: Docker) -> list[dict[str, Any]]:
    """What each service asks of the kernel: ingress (a virtual address or a port in ingress mode), encryption."""
    encrypted = {row["Id"] for row in docker.get("/networks", 15) if "encrypted" in (row.get("Options") or {})}
    told = []
    for row in docker.get("/services", 15):
        spec = row.get("Spec") or {}
        endpoint = spec.get("EndpointSpec") or {}
        used = {one.get("Target") for one in [*((spec.get("TaskTemplate") or {}).get("Networks") or []), *(spec.get("Networks") or [])]}
        published = any(port.get("PublishMode", "ingress") == "ingress" for port in endpoint.get("Ports") or ())
        needs = (["ingress"] if published or (endpoint.get("Mode", "vip") == "vip" and used) else []) + (["encryption"] if used & encrypted else [])
        told.append({"name": spec.get("Name", ""), "needs": needs})
    return told
