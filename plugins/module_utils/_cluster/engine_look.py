# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What there is of container engines on a node, in one look. Runs on nodes: Python 3.7 is enough."""
from __future__ import annotations

import json
import re
from typing import Any, Sequence

from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import System

from . import networks
from .docker_api import Docker, DockerError

DAEMON = "/etc/docker/daemon.json"
CONTAINERD = "/etc/containerd/config.toml"
STATE = "/var/lib/hybridops-fleet/cluster"
WAITING = "/run/hybridops-fleet/restart-%s"
"""There while an engine runs with older settings than its file says; gone with a reboot, as the wish is then fulfilled."""


def gather(system: System, packages: Sequence[str], users: Sequence[str]) -> dict[str, Any]:
    """packages: of which it is to be told what is installed and held. users: who should be in group docker."""
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', system.text("/etc/os-release"), re.MULTILINE))
    return {
        "os": {"id": release.get("ID", ""), "like": release.get("ID_LIKE", "").split(), "version": release.get("VERSION_ID", ""),
               "codename": release.get("VERSION_CODENAME", ""), "architecture": _architecture(system)},
        "manager": "apt" if system.has("apt-get") else "dnf" if system.has("dnf") else "",
        "packages": _packages(system, packages),
        "docker": _docker(system),
        "containerd": {"version": _version(system, ["containerd", "--version"]), "active": _active(system, "containerd.service"),
                       "waiting": system.exists(WAITING % "containerd")},
        "networks": networks.known(system),
        "users": _users(system, users),
        "kubernetes": system.exists("/etc/kubernetes/kubelet.conf"),
    }


def _architecture(system: System) -> str:
    return system.run(["dpkg", "--print-architecture"]).out.strip() if system.has("dpkg") else system.run(["uname", "-m"]).out.strip()


def _packages(system: System, names: Sequence[str]) -> dict[str, Any]:
    """Version and whether it is held, of those that are installed; and which of the others exist at all."""
    told: dict[str, Any] = {"installed": {}, "held": [], "known": [], "candidates": {}}
    if not names:
        return told
    if system.has("dpkg-query"):
        ran = system.run(["dpkg-query", "-W", "-f=${Package} ${db:Status-Want} ${db:Status-Status} ${Version}\n", *names])
        for line in ran.out.splitlines():
            name, want, status, version = ([*line.split(" "), "", "", ""])[:4]
            if status == "installed":
                told["installed"][name] = version
            if want == "hold":
                told["held"].append(name)
        policy = system.run(["apt-cache", "policy", *names]).out
        told["candidates"] = dict(re.findall(r"^(\S+):\n  Installed: .*\n  Candidate: (?!\(none\))(\S+)$", policy, re.MULTILINE))
        told["known"] = sorted(told["candidates"])
    elif system.has("rpm"):
        ran = system.run(["rpm", "-q", "--qf", "%{NAME} %{EPOCH}:%{VERSION}-%{RELEASE}\n", *names])
        told["installed"] = dict(line.split(" ", 1) for line in ran.out.splitlines() if re.match(r"^\S+ \S+:\S+$", line))
        told["known"] = list(names)
    return told


def _docker(system: System) -> dict[str, Any]:
    told: dict[str, Any] = {"version": _version(system, ["dockerd", "--version"]), "active": _active(system, "docker.service"), "swarm": "inactive",
                            "running": "", "containers": 0, "pools": [], "waiting": system.exists(WAITING % "docker")}
    try:
        settings = json.loads(system.text(DAEMON) or "{}")
        told["pools"] = [str(row.get("base")) for row in settings.get("default-address-pools") or ()] if isinstance(settings, dict) else []
    except (ValueError, AttributeError):
        told["pools"] = []
    if told["active"]:
        try:
            info = Docker().get("/info")
            told.update(running=info.get("ServerVersion", ""), containers=info.get("ContainersRunning", 0),
                        swarm=(info.get("Swarm") or {}).get("LocalNodeState") or "inactive")
        except DockerError as failure:
            told["trouble"] = str(failure)
    return told


def _version(system: System, words: Sequence[str]) -> str:
    """What a program says of itself; empty where it is not installed."""
    ran = system.run(words)
    found = re.search(r"\bv?(\d+\.\d+(?:\.\d+)?\S*?),?(?: |$)", ran.out.strip()) if ran.rc == 0 else None
    return found.group(1) if found else ""


def _active(system: System, unit: str) -> bool:
    return system.unit(unit).get("ActiveState") == "active"


def _users(system: System, names: Sequence[str]) -> dict[str, list[str]]:
    """Which of them are not in group docker yet, and which do not exist."""
    accounts = {line.split(":")[0] for line in system.text("/etc/passwd").splitlines()}
    row = next((line.split(":") for line in system.text("/etc/group").splitlines() if line.startswith("docker:")), ["", "", "", ""])
    inside = set(row[3].split(","))
    return {"missing": [name for name in names if name not in inside and name in accounts],
            "unknown": [name for name in names if name not in accounts]}
