# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Everything that decisions on hardening need to know of a node, read in one call. Reads only."""
from __future__ import annotations

from typing import Any, Callable, Sequence

from ..._cluster import record
from ..system import System
from . import accounts, firewall, kernel, network, ssh, sshd, units, workloads


def gather(system: System, sysctl: Sequence[str], programs: Sequence[str], paths: Sequence[str]) -> dict[str, Any]:
    """sysctl: keys whose running values are wanted. programs, paths: those of them that exist are told. A part that cannot be read
    is told by its name in ``unread`` and stays empty; decisions take it as unknown."""
    parts: dict[str, Callable[[], Any]] = {
        "os": lambda: kernel.release(system),
        "virtual": lambda: kernel.virtual(system),
        "kernel": lambda: kernel.about(system),
        "sysctl": lambda: kernel.sysctl(system, sysctl),
        "mounts": lambda: kernel.mounts(system),
        "fstab": lambda: kernel.fstab(system),
        "accounts": lambda: accounts.all_of(system),
        "crontabs": lambda: accounts.crontabs(system),
        "login": lambda: accounts.login(system),
        "sudo": lambda: accounts.sudo(system),
        "ssh": lambda: ssh.about(system),
        "sshd": lambda: sshd.about(system, facts.get("login") or {}),
        "packages": lambda: units.packages(system),
        "units": lambda: units.states(system),
        "networks": lambda: network.interfaces(system),
        "router_advertisements": lambda: network.router_advertisements(system),
        "default_routes": lambda: network.default_routes(system),
        "forwarding": lambda: network.forwarding(system),
        "listening": lambda: network.listening(system),
        "nft_tables": lambda: network.tables(system),
        "firewall": lambda: firewall.about(system),
        "mesh": lambda: record.read(system),
        "programs": lambda: [name for name in programs if system.has(name)],
        "paths": lambda: [path for path in paths if system.exists(path)],
    }
    facts: dict[str, Any] = {"systemd": system.systemd, "unread": {}}
    for name, read in parts.items():
        try:
            facts[name] = read()
        except (OSError, ValueError, KeyError, IndexError) as failure:
            facts[name] = None
            facts["unread"][name] = str(failure)
    facts["workloads"] = workloads.found(facts, system)
    return facts
