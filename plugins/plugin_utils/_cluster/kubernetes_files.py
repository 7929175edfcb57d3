# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files that a node of Kubernetes has from us, and the units that live by them. Pure."""
from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

FOLDER = "/etc/hybridops-fleet/kubernetes"
SYSCTL = "/etc/sysctl.d/90-hybridops-fleet-kubernetes.conf"
MODULES = "/etc/modules-load.d/hybridops-fleet-kubernetes.conf"
PROXY, PROXY_UNIT = f"{FOLDER}/api-proxy.cfg", "/etc/systemd/system/fleet-kubernetes-api.service"
NETWORK, NETWORK_UNIT = f"{FOLDER}/pod-network.json", "/etc/systemd/system/fleet-kubernetes-network.service"
PROGRAM = "/usr/local/lib/hybridops-fleet/pod-network.py"
PROXY_PORT, API_PORT, VXLAN_PORT, DEVICE = 7443, 6443, 8472, "fleetpods"
_SAID = "# Written by hybridops.fleet.kubernetes; changes are lost.\n"

_PROXY = """\
global
  maxconn 8192
  user haproxy
  group haproxy

defaults
  mode tcp
  timeout connect 4s
  timeout client 1h
  timeout server 1h
  timeout check 3s

frontend api
  bind 127.0.0.1:{port}
  default_backend control_planes

backend control_planes
  balance leastconn
  option httpchk GET /readyz
  http-check expect status 200
  default-server check check-ssl verify none inter 2s fall 2 rise 1 on-marked-down shutdown-sessions
{servers}
"""
_PROXY_SERVICE = """\
[Unit]
Description=The API of Kubernetes, on whatever control plane answers
After=network-online.target
Wants=network-online.target

[Service]
Type=notify
ExecStart=/usr/sbin/haproxy -Ws -q -f {config} -p /run/fleet-kubernetes-api.pid
ExecReload=/usr/sbin/haproxy -c -q -f {config}
ExecReload=/bin/kill -USR2 $MAINPID
KillMode=mixed
Restart=always
RestartSec=2

[Install]
WantedBy=multi-user.target
"""
_NETWORK_SERVICE = """\
[Unit]
Description=Pod network of this node
After=network-online.target
Wants=network-online.target

[Service]
ExecStart=/usr/bin/python3 {program} {config}
Restart=always
RestartSec=2

[Install]
WantedBy=multi-user.target
"""


_SNAPSHOT_SERVICE = """\
[Unit]
Description=A snapshot of etcd on this control plane

[Service]
Type=oneshot
Nice=10
ExecStart=/usr/bin/python3 {program} {folder} {number}
"""
_SNAPSHOT_TIMER = """\
[Unit]
Description=Snapshots of etcd on this control plane

[Timer]
OnCalendar={schedule}
RandomizedDelaySec=300
Persistent=true

[Install]
WantedBy=timers.target
"""

REPOSITORY, KEYRING = "/etc/apt/sources.list.d/hybridops-fleet-kubernetes.list", "/etc/apt/keyrings/hybridops-fleet-kubernetes.asc"
SNAPSHOT_PROGRAM = "/usr/local/lib/hybridops-fleet/etcd-snapshot.py"
SNAPSHOT_UNIT, SNAPSHOT_TIMER = (f"/etc/systemd/system/fleet-kubernetes-snapshot.{kind}" for kind in ("service", "timer"))
SNAPSHOTS = "/var/lib/hybridops-fleet/kubernetes/snapshots"
SNAPSHOT_STAMP = "/var/lib/systemd/timers/stamp-fleet-kubernetes-snapshot.timer"
"""When the timer last went off, as systemd keeps it."""
ALL = (SYSCTL, MODULES, PROXY, PROXY_UNIT, NETWORK, NETWORK_UNIT, PROGRAM, SNAPSHOT_PROGRAM, SNAPSHOT_UNIT, SNAPSHOT_TIMER, SNAPSHOT_STAMP,
       REPOSITORY, KEYRING)
"""Everything that a reset takes away; the folders of others stay."""
UNITS = ("fleet-kubernetes-api.service", "fleet-kubernetes-network.service", "fleet-kubernetes-snapshot.timer")


def sysctl() -> dict[str, str]:
    keys = ("net.ipv4.ip_forward", "net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables")
    return {"path": SYSCTL, "content": _SAID + "".join(f"{key} = 1\n" for key in keys)}


def modules(names: tuple[str, ...] = ("overlay", "br_netfilter")) -> dict[str, str]:
    return {"path": MODULES, "content": _SAID + "".join(f"{name}\n" for name in names)}


def proxy(control_planes: Mapping[str, str]) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """The way to the API on every node, with its unit. control_planes: name -> address."""
    servers = "\n".join(f"  server {name} {address}:{API_PORT}" for name, address in sorted(control_planes.items()))
    files = [{"path": PROXY, "content": _SAID + _PROXY.format(port=PROXY_PORT, servers=servers)},
             {"path": PROXY_UNIT, "content": _SAID + _PROXY_SERVICE.format(config=PROXY)}]
    return files, {"name": "fleet-kubernetes-api.service", "files": [PROXY, PROXY_UNIT], "unit_file": PROXY_UNIT, "reload": True}


def network(program: str, pods: str, name: str, ip: str, mtu: int) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """The built-in pod network of a node. program: its text; mtu: of a pod's interface, 0 for what the interface of ``ip`` allows."""
    settings = {"pods": pods, "node": name, "ip": ip, "device": DEVICE, "port": VXLAN_PORT, "mtu": mtu}
    files = [{"path": PROGRAM, "content": program, "mode": "0755"},
             {"path": NETWORK, "content": json.dumps(settings, indent=1) + "\n"},
             {"path": NETWORK_UNIT, "content": _SAID + _NETWORK_SERVICE.format(program=PROGRAM, config=NETWORK)}]
    return files, {"name": "fleet-kubernetes-network.service", "files": [file["path"] for file in files]}


def snapshots(program: str, schedule: str, number: int) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """Snapshots of a control plane's etcd. program: its text; schedule: as OnCalendar of systemd; number: how many are kept."""
    files = [{"path": SNAPSHOT_PROGRAM, "content": program, "mode": "0755"},
             {"path": SNAPSHOT_UNIT, "content": _SAID + _SNAPSHOT_SERVICE.format(program=SNAPSHOT_PROGRAM, folder=SNAPSHOTS, number=number)},
             {"path": SNAPSHOT_TIMER, "content": _SAID + _SNAPSHOT_TIMER.format(schedule=schedule)}]
    return files, {"name": "fleet-kubernetes-snapshot.timer", "files": [SNAPSHOT_TIMER]}


def no_snapshots() -> tuple[list[str], dict[str, Any]]:
    """Files not to have, and the unit that is off without them. What was taken stays."""
    return [SNAPSHOT_TIMER, SNAPSHOT_STAMP, SNAPSHOT_UNIT, SNAPSHOT_PROGRAM], {"name": "fleet-kubernetes-snapshot.timer", "stopped": True}
