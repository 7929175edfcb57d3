# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a node tells of itself as a member of a cluster: interfaces, ways out, its record of the mesh, the cluster that runs on it.

Runs on nodes: Python 3.7 is enough.
"""
from __future__ import annotations

import ipaddress
import json
import re
from typing import Any

from .._hardening.system import System
from . import record

SWARM = "/var/lib/docker/swarm"
KUBERNETES = "/etc/kubernetes"
KUBELET_FLAGS = ("/var/lib/kubelet/kubeadm-flags.env", "/etc/default/kubelet", "/etc/sysconfig/kubelet")


def gather(system: System) -> dict[str, Any]:
    """All parts by name; see module cluster_facts."""
    return {
        "interfaces": interfaces(system),
        "routes": routes(system),
        "mesh": mesh(system),
        "cluster": cluster(system),
        "wireguard": wireguard(system),
        "distribution": distribution(system),
        "firewall": "table inet hybridops_fleet" in system.run(["nft", "list", "tables"]).out,
    }


def interfaces(system: System) -> list[dict[str, Any]]:
    """name, mtu and addresses with their prefix, of interfaces that have one; neither loopback nor link-local."""
    found = []
    for row in _rows(system, ["ip", "-json", "address"]):
        addresses = ["{}/{}".format(info["local"], info["prefixlen"]) for info in row.get("addr_info", [])
                     if "local" in info and info.get("scope") not in ("link", "host")]
        if addresses:
            found.append({"name": row.get("ifname", ""), "mtu": int(row.get("mtu") or 0), "addresses": addresses})
    return found


def routes(system: System) -> list[dict[str, str]]:
    """Networks that lead somewhere, in any table, with the interface; no default routes, no addresses of the node itself, nothing link-local."""
    found = []
    for family in ("-4", "-6"):
        for row in _rows(system, ["ip", "-json", family, "route", "show", "table", "all"]):
            network = str(row.get("dst") or "")
            if row.get("type", "unicast") not in ("unicast", "blackhole", "unreachable") or network in ("", "default") or row.get("table") == "local":
                continue
            try:
                parsed = ipaddress.ip_network(network)
            except ValueError:
                continue
            if parsed.is_link_local or parsed.is_multicast or parsed.is_loopback or row.get("dev") == "lo":
                continue
            entry = {"network": str(parsed), "interface": str(row.get("dev") or "")}
            if entry not in found:
                found.append(entry)
    return found


def mesh(system: System) -> dict[str, Any] | None:
    """The node's record of its mesh, and as ``silent`` the names of peers with which it has not spoken since the interface came up."""
    found = record.read(system)
    if found is None:
        return None
    answer = system.run(["wg", "show", str(found["interface"]), "latest-handshakes"])
    spoken = {line.split()[0] for line in answer.out.splitlines() if len(line.split()) == 2 and line.split()[1] != "0"}
    return {**found, "silent": [peer["name"] for peer in found["peers"] if peer["public_key"] not in spoken]}


def wireguard(system: System) -> dict[str, Any]:
    """tools: whether wg is there. kernel: whether the kernel has WireGuard; tried with an interface that goes at once, as a kernel that
    has it built in shows no module. userspace: path of a program that does without, empty when there is none."""
    tried = system.run(["ip", "link", "add", "dev", "fleetprobe0", "type", "wireguard"])
    if tried.rc == 0:
        system.run(["ip", "link", "delete", "dev", "fleetprobe0"])
    path = next((folder + "/wireguard-go" for folder in ("/usr/bin", "/usr/local/bin", "/usr/sbin", "/usr/local/sbin")
                 if system.has(folder + "/wireguard-go")), "")
    return {"tools": system.has("wg"), "kernel": tried.rc == 0, "userspace": path, "tun": system.exists("/dev/net/tun")}


def distribution(system: System) -> dict[str, Any]:
    """id and like (what it descends from, nearest first), as os-release names them."""
    text = system.text("/etc/os-release") or system.text("/usr/lib/os-release")
    found = dict(re.findall(r"(?m)^(ID|ID_LIKE)=[\"']?([A-Za-z0-9 ._-]*)", text))
    return {"id": found.get("ID", ""), "like": found.get("ID_LIKE", "").split()}


def cluster(system: System) -> dict[str, str]:
    """kind, role and ip of the cluster that runs here; {} when none does. ip is empty where it cannot be told."""
    if system.exists(KUBERNETES + "/kubelet.conf") or system.exists(KUBERNETES + "/manifests/kube-apiserver.yaml"):
        server = system.text(KUBERNETES + "/manifests/kube-apiserver.yaml")
        flags = "\n".join(system.text(path) for path in KUBELET_FLAGS)
        match = re.search(r"--advertise-address=([0-9A-Fa-f:.]+)", server) or re.search(r"--node-ip=([0-9A-Fa-f:.]+)", flags)
        return {"kind": "kubernetes", "role": "control_plane" if server else "worker", "ip": match.group(1) if match else ""}
    state = system.text(SWARM + "/docker-state.json")
    if state:
        try:
            told = json.loads(state)
        except ValueError:
            told = {}
        ip = str(told.get("AdvertiseAddr") or told.get("LocalAddr") or "")
        bare = ip[1:ip.rfind("]")] if ip.startswith("[") else ip.rsplit(":", 1)[0] if ip.count(":") == 1 else ip
        return {"kind": "swarm", "role": "manager" if system.exists(SWARM + "/raft") else "worker", "ip": bare}
    return {}


def _rows(system: System, words: list[str]) -> list[dict[str, Any]]:
    try:
        found = json.loads(system.run(words).out or "[]")
    except ValueError:
        return []
    return [row for row in found if isinstance(row, dict)]
