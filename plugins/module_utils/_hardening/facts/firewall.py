# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who filters packets on the node already, and who is connected to it. Reads only. Runs on nodes: Python 3.7 is enough."""
from __future__ import annotations

import json
import re
from typing import Any

from ..system import System
from .network import established

CONFIGURATIONS = ("/etc/nftables.conf", "/etc/sysconfig/nftables.conf")
PERSISTENT = ("/etc/iptables/rules.v4", "/etc/iptables/rules.v6", "/etc/sysconfig/iptables", "/etc/sysconfig/ip6tables")
OURS = "hybridops_fleet"
SWARM = (2377, 7946)
"""Ports by which members of a swarm find each other, TCP."""
PEERS = 500
"""Connections told at most."""
_NET_ADMIN = 12
"""Number of the capability."""


def about(system: System) -> dict[str, Any]:
    """nft: its version, empty without it. allowed: whether root may filter packets here (CAP_NET_ADMIN), which many containers keep from it.
    filters: chains of others that drop what comes in. ufw: whether it is switched on. persistent: files of saved rules that drop something.
    configuration: path, flush and rules (whether it has any) of nftables.service's file, None without one. default_routes: interfaces. peers:
    connections that others opened. joined: members of a swarm that this node opened one to, each as if it had come from there.
    programs: "tcp 80" -> name of what listens."""
    version = re.search(r"v(\d+\.\d+(?:\.\d+)?)", system.run(["nft", "--version"]).out)
    sockets = system.run(["ss", "-H", "-n", "-l", "-t", "-u", "-p"]).out
    return {
        "nft": version.group(1) if version else "",
        "allowed": _allowed(system.text("/proc/self/status")),
        "filters": _filters(system),
        "ufw": bool(re.search(r"(?m)^\s*ENABLED\s*=\s*[\"']?yes", system.text("/etc/ufw/ufw.conf"))),
        "persistent": [path for path in PERSISTENT if re.search(r"(?m)^:\S+ DROP|^-A .*-j (DROP|REJECT)", system.text(path))],
        "configuration": _configuration(system),
        "default_routes": _default_routes(system),
        "peers": _peers(system),
        "joined": _joined(system),
        "programs": _programs(sockets),
    }


def _allowed(status: str) -> bool:
    match = re.search(r"(?m)^CapEff:\s*([0-9a-fA-F]+)", status)
    return not match or bool(int(match.group(1), 16) >> _NET_ADMIN & 1)


def _filters(system: System) -> list[str]:
    """``family table chain`` of base chains on the way in whose policy is to drop."""
    answer = system.run(["nft", "-j", "list", "chains"])
    try:
        rows = [row["chain"] for row in json.loads(answer.out or "{}").get("nftables", []) if "chain" in row]
    except ValueError:
        return []
    return sorted("{family} {table} {name}".format(**row) for row in rows
                  if row.get("hook") == "input" and row.get("policy") == "drop" and row.get("table") != OURS)


def _configuration(system: System) -> Any:
    path = next((path for path in CONFIGURATIONS if system.exists(path)), None)
    if path is None:
        return None
    lines = [line.split("#")[0].strip() for line in system.text(path).splitlines()]
    rest = [line for line in lines if line and line not in ("flush ruleset", "flush ruleset;", "}")]
    shell = re.compile(r"table inet filter \{|chain (input|forward|output) \{|type filter hook (input|forward|output) priority (filter|0);"
                       r"( policy accept;)?")
    return {"path": path, "flush": any(line.startswith("flush ruleset") for line in lines),
            "rules": any(not shell.fullmatch(line) for line in rest)}


def _default_routes(system: System) -> list[str]:
    found = set()
    for family in ("-4", "-6"):
        for line in system.run(["ip", family, "route", "show", "default"]).out.splitlines():
            match = re.search(r"\bdev (\S+)", line)
            if match:
                found.add(match.group(1))
    return sorted(found)


def _peers(system: System) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for connection in established(system):
        row = {name: connection[name] for name in ("source", "destination", "port")}
        if connection["listening"] and row not in found and len(found) < PEERS:
            found.append(row)
    return found


def _joined(system: System) -> list[dict[str, Any]]:
    """A worker asks its managers and is not asked by them; what containers send comes from there all the same."""
    found: list[dict[str, Any]] = []
    for connection in established(system):
        row = {"source": connection["source"], "destination": connection["destination"], "port": connection["source_port"]}
        if not connection["listening"] and row["port"] in SWARM and row["source"] != row["destination"] and row not in found:
            found.append(row)
    return found[:PEERS]


def _programs(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 5:
            continue
        port = fields[4].rsplit(":", 1)[-1]
        match = re.search(r'users:\(\("([^"]+)"', line)
        if match:
            found.setdefault(f"{fields[0]} {port}", match.group(1))
    return found
