# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A node as tests of the operating system's controls know it, and what is decided for it."""
from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening import profiles
from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening.areas import os as area
from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening.decision import Connection, Decision, Options

DATA = Path(__file__).parents[5] / "roles/os_hardening/vars"


def account(name: str, uid: int, **more: Any) -> dict[str, Any]:
    return {"name": name, "uid": uid, "gid": uid, "home": f"/home/{name}", "shell": "/bin/bash", "groups": [name], "password": "locked",
            "last_change": 20000, "min_days": 0, "max_days": 99999, "warn_days": 7, "inactive_days": None, "expires": None, "keys": 0, **more}


FACTS: dict[str, Any] = {
    "os": {"id": "debian", "like": [], "version": "12", "major": 12, "name": "Debian"},
    "virtual": {"kind": "kvm", "container": False, "image": False},
    "systemd": True,
    "kernel": {"efi": True, "apparmor": True, "selinux": "off", "loaded": [], "modules": True},
    "accounts": [account("root", 0, keys=1), account("debian", 1000, keys=1)], "login": {"user": "debian", "became": "root"},
    "sudo": {"present": True, "without_password": ["debian"], "includes_folder": True}, "packages": ["cron", "sudo", "rsyslog", "telnet"],
    "units": {"rpcbind.service": {"enabled": "enabled", "active": True}, "avahi-daemon.service": {"enabled": "enabled", "active": True}},
    "mounts": [{"path": "/dev/shm", "type": "tmpfs", "device": "tmpfs", "options": ["rw"]}], "fstab": [], "crontabs": ["backup"],
    "networks": [{"name": "eth0", "addresses": ["192.0.2.5/24"], "outside": True}], "default_routes": ["eth0"], "router_advertisements": [],
    "listening": [], "paths": ["/etc/default/grub"], "programs": ["pam-auth-update"], "workloads": {},
}


def decided(profile: str = "strict", workloads: tuple[str, ...] = (), controls: dict[str, bool] | None = None, values: dict[str, Any] | None = None,
            connection: Connection | None = None, variables: dict[str, Any] | None = None, node: dict[str, Any] | None = None,
            **facts: Any) -> dict[str, Decision]:
    known = {**copy.deepcopy(FACTS), **facts}
    options = Options(profile=profile, controls=profiles.controls(DATA, profile, controls or {}, values or {}),
                      distribution=profiles.distribution(DATA, known["os"]), workloads=dict.fromkeys(workloads, "said so"), node=node or {},
                      variables=variables or {}, connection=connection or Connection("ssh", "debian"))
    return {decision.control: decision for decision in area.decide(known, options)}


def text(decision: Decision) -> str:
    return "".join(str(item.get("content", "")) for item in decision.items)
