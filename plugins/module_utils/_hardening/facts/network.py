# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Networks of the node, whether it forwards, what listens, and the tables of its packet filter."""
from __future__ import annotations

import json
import socket
import struct
from typing import Any

from .. import undo
from ..system import System

INNER = ("lo", "docker", "br-", "veth", "cali", "cni", "flannel", "cilium", "lxc", "kube", "vxlan", "virbr", "tap", "dummy", "nodelocaldns")
"""Beginnings of names of interfaces that lead to no network outside of the node."""


def interfaces(system: System) -> list[dict[str, Any]]:
    """name, mac, addresses (with prefix length), outside: whether it leads out of the node."""
    answer = system.run(["ip", "-json", "address"])
    found = []
    for row in json.loads(answer.out or "[]"):
        name = row.get("ifname", "")
        addresses = ["{}/{}".format(info["local"], info["prefixlen"]) for info in row.get("addr_info", []) if "local" in info]
        found.append({"name": name, "mac": row.get("address", ""), "addresses": addresses, "outside": not name.startswith(INNER)})
    return found


def router_advertisements(system: System) -> list[str]:
    """Interfaces whose addresses or routes come from routers on the link, by the kernel or by a program that listens to them."""
    found = []
    for row in json.loads(system.run(["ip", "-json", "-6", "route", "show", "table", "all"]).out or "[]"):
        if row.get("protocol") == "ra" and row.get("dev"):
            found.append(row["dev"])
    for row in json.loads(system.run(["ip", "-json", "-6", "address"]).out or "[]"):
        for info in row.get("addr_info", []):
            if info.get("scope") == "global" and (info.get("mngtmpaddr") or info.get("protocol") == "kernel_ra"):
                found.append(row["ifname"])
    return sorted(set(found))


def default_routes(system: System) -> list[str]:
    """Interfaces through which IPv4 leaves for everywhere."""
    rows = json.loads(system.run(["ip", "-json", "-4", "route", "show", "default"]).out or "[]")
    return sorted({row["dev"] for row in rows if row.get("dev")})


def forwarding(system: System) -> dict[str, bool]:
    """Whether packets are passed on, by family."""
    keys = {"ipv4": "net.ipv4.ip_forward", "ipv6": "net.ipv6.conf.all.forwarding"}
    return {family: undo.read_sysctl(system, key) not in (None, "0") for family, key in keys.items()}


def listening(system: System) -> list[dict[str, Any]]:
    """protocol, address, port of what is open to others or to the node itself; from /proc, so without any program."""
    found = []
    for protocol, path, state in (("tcp", "tcp", "0A"), ("tcp", "tcp6", "0A"), ("udp", "udp", "07"), ("udp", "udp6", "07")):
        for line in system.text("/proc/net/" + path).splitlines()[1:]:
            fields = line.split()
            if len(fields) > 3 and fields[3] == state:
                address, port = fields[1].split(":")
                row = {"protocol": protocol, "address": _address(address), "port": int(port, 16)}
                if row not in found:
                    found.append(row)
    return found


def established(system: System) -> list[dict[str, Any]]:
    """Connections over TCP that are open: source, source_port of the other side; destination, port of the node's; listening: whether others
    opened it."""
    rows = [line.split()[1:4] for path in ("tcp", "tcp6") for line in system.text("/proc/net/" + path).splitlines()[1:] if len(line.split()) > 3]
    ports = {local.split(":")[1] for local, _remote, state in rows if state == "0A"}
    found = []
    for local, remote, state in rows:
        if state == "01":
            (address, port), (source, source_port) = local.split(":"), remote.split(":")
            found.append({"source": _plain(_address(source)), "source_port": int(source_port, 16), "destination": _plain(_address(address)),
                          "port": int(port, 16), "listening": port in ports})
    return found


def _plain(address: str) -> str:
    """An IPv4 address that a socket of IPv6 shows as IPv4."""
    return address[7:] if address.lower().startswith("::ffff:") and "." in address else address


def tables(system: System) -> list[str]:
    """Family and name of each table of nftables ("inet filter"); those of iptables-nft are among them."""
    answer = system.run(["nft", "list", "tables"])
    return [" ".join(line.split()[1:]) for line in answer.out.splitlines() if line.startswith("table ")]


def _address(text: str) -> str:
    if len(text) == 8:
        return socket.inet_ntoa(struct.pack("=I", int(text, 16)))
    words = [struct.pack("=I", int(text[place:place + 8], 16)) for place in range(0, 32, 8)]
    return socket.inet_ntop(socket.AF_INET6, b"".join(words))
