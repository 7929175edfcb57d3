# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The node's OpenSSH: release, what the server's configuration comes to, its host keys and units."""
from __future__ import annotations

import glob
import os
import re
from typing import Any

from ..system import System

SERVERS = ("/usr/sbin/sshd", "/usr/bin/sshd", "/sbin/sshd")


def about(system: System) -> dict[str, Any]:
    """server: path of sshd, None without one; version ("9.2p1"); effective: sshd -T, key -> list of values; error: why sshd does not tell;
    host_keys: public key files; config: the main file; includes_folder: whether it reads sshd_config.d."""
    server = next((path for path in SERVERS if system.has(path)), None)
    config = next((path for path in ("/etc/ssh/sshd_config", "/usr/etc/ssh/sshd_config") if system.exists(path)), None)
    told: dict[str, Any] = {"server": server, "version": "", "effective": {}, "error": "", "config": config,
                            "host_keys": [path[len(system.root):] for path in sorted(glob.glob(system.real("/etc/ssh/ssh_host_*_key.pub")))],
                            "includes_folder": bool(re.search(r"(?mi)^\s*include\s.*sshd_config\.d/", system.text(config) if config else ""))}
    if not server:
        return told
    match = re.search(r"OpenSSH_(\d+\.\d+(?:\.\d+)?(?:p\d+)?)", system.run(["ssh", "-V"]).err)
    told["version"] = match.group(1) if match else ""
    answer = _effective(system, server)
    told["error"] = "" if answer.rc == 0 else (answer.err.strip() or str(answer.rc))[:500]
    effective: dict[str, list[str]] = {}
    for line in answer.out.splitlines():
        key, _blank, value = line.partition(" ")
        effective.setdefault(key.lower(), []).append(value)
    told["effective"] = effective
    return told


def _effective(system: System, server: str) -> Any:
    words = [server, "-T", "-C", "user=root,host=fleet.invalid,addr=192.0.2.1,laddr=192.0.2.2,lport=22"]
    answer = system.run(words)
    if answer.rc and "privilege separation directory" in answer.err and not system.root:
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # goes at the next boot; a socket-activated server makes it itself
        answer = system.run(words)
    return answer
