# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the node works for, as far as it shows: name -> how it was seen. The operator's ``fleet_workloads`` come on top, on the controller."""
from __future__ import annotations

from typing import Any

from ..system import System

UNITS = {
    "docker": ("docker.service", "docker.socket"),
    "podman": ("podman.socket", "podman.service"),
    "containerd": ("containerd.service",),
    "kubernetes": ("kubelet.service", "k3s.service", "k3s-agent.service", "rke2-server.service", "rke2-agent.service",
                   "microk8s.daemon-kubelite.service"),
    "libvirt": ("libvirtd.service", "virtqemud.service", "nova-compute.service"),
    "ipsec": ("strongswan.service", "strongswan-starter.service", "ipsec.service", "libreswan.service"),
    "database": ("postgresql.service", "mysql.service", "mariadb.service", "mongod.service", "redis-server.service", "redis.service"),
    "web": ("nginx.service", "apache2.service", "httpd.service", "haproxy.service", "caddy.service"),
    "mail": ("exim4.service", "postfix.service", "dovecot.service"),
    "dns": ("named.service", "bind9.service", "unbound.service", "dnsmasq.service"),
    "nfs": ("nfs-server.service", "nfs-kernel-server.service"),
    "router": ("frr.service", "bird.service", "quagga.service", "keepalived.service"),
    "snap": ("snapd.service", "snapd.socket"),
    "print": ("cups.service", "cups.socket"),
}


def found(facts: dict[str, Any], system: System) -> dict[str, str]:
    """Only what is enabled or runs counts."""
    seen: dict[str, str] = {}
    units = facts.get("units") or {}
    for name, candidates in UNITS.items():
        for unit in candidates:
            state = units.get(unit)
            if state and (state["active"] or state["enabled"] == "enabled"):
                seen[name] = "{} {}".format(unit, "runs" if state["active"] else "is enabled")
                break
    if "docker" in seen and _swarm(system):
        seen["swarm"] = "/var/lib/docker/swarm holds a member's state"
    if system.exists("/var/lib/kubelet/config.yaml") or system.exists("/etc/kubernetes/kubelet.conf"):
        seen.setdefault("kubernetes", "the node has a kubelet's configuration")
    if any(row["name"].startswith(("wg", "fleet")) for row in facts.get("networks") or []):
        seen["mesh"] = "it has a WireGuard interface"
    outside = [row["name"] for row in facts.get("networks") or [] if row["outside"] and row["addresses"]]
    forwards = [family for family, on in (facts.get("forwarding") or {}).items() if on]
    if forwards and len(outside) > 1 and not {"docker", "kubernetes", "podman", "containerd", "libvirt"} & set(seen):
        seen.setdefault("router", "it forwards {} between {}".format(" and ".join(forwards), ", ".join(outside)))
    return seen


def _swarm(system: System) -> bool:
    return system.exists("/var/lib/docker/swarm/docker-state.json") or system.exists("/var/lib/docker/swarm/state.json")
