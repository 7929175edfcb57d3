# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A host with two networks and a container, in network namespaces of its own: real packets for the tests of the firewall. Needs root.

``o`` (the internet, 203.0.113.9 and .10) -- eth0 ``h`` eth1 -- ``i`` (inside, 10.0.0.6 and .7); ``c`` is a container behind docker0 of ``h``.
"""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

WHY_NOT = ("needs root for network namespaces" if os.geteuid() else
           next((f"needs {program}" for program in ("nft", "ip", "unshare") if not shutil.which(program)), ""))

HOST = ("203.0.113.5", "10.0.0.5", "2001:db8::5", "fd00:1::5")
SETUP = """
link add eth0 netns {h} type veth peer name eth0 netns {o}
link add eth1 netns {h} type veth peer name eth0 netns {i}
link add vethc netns {h} type veth peer name eth0 netns {c}
"""
ADDRESSES = {
    "h": ["link add docker0 type bridge", "link set vethc master docker0", "link set vethc up", "address add 172.17.0.1/16 dev docker0",
          "address add 203.0.113.5/24 dev eth0", "address add 2001:db8::5/64 dev eth0 nodad", "address add 10.0.0.5/24 dev eth1",
          "address add fd00:1::5/64 dev eth1 nodad", "link set docker0 up", "link set eth0 up", "link set eth1 up", "link set lo up"],
    "o": ["address add 203.0.113.9/24 dev eth0", "address add 203.0.113.10/24 dev eth0", "address add 2001:db8::9/64 dev eth0 nodad",
          "link set eth0 up", "route add 10.0.0.5 via 203.0.113.5"],
    "i": ["address add 10.0.0.6/24 dev eth0", "address add 10.0.0.7/24 dev eth0", "address add fd00:1::6/64 dev eth0 nodad",
          "address add fd00:1::7/64 dev eth0 nodad", "link set eth0 up", "route add 203.0.113.5 via 10.0.0.5"],
    "c": ["address add 172.17.0.2/16 dev eth0", "link set eth0 up", "route add default via 172.17.0.1"],
}
DOCKER = """
table ip docker_like {
  chain PREROUTING { type nat hook prerouting priority -100; tcp dport 8080 fib daddr type local dnat to 172.17.0.2:80; }
  chain POSTROUTING { type nat hook postrouting priority 100; ip saddr 172.17.0.0/16 oifname != "docker0" masquerade; }
  chain FORWARD { type filter hook forward priority 0; policy drop;
    ct state established,related accept; oifname "docker0" accept; iifname "docker0" accept; }
}
"""
PROBE = """
import errno, json, select, socket, sys, time
waiting = {}
answers = {}
for number, (source, destination, protocol, port) in enumerate(json.loads(sys.argv[1])):
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    probe = socket.socket(family, socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)
    probe.setblocking(False)
    probe.bind((source, 0))
    code = probe.connect_ex((destination, port))
    if protocol == "udp":
        probe.send(b"x")
    waiting[probe] = number
end = time.monotonic() + float(sys.argv[2])
while waiting and time.monotonic() < end:
    tcp = [one for one in waiting if one.type == socket.SOCK_STREAM]
    udp = [one for one in waiting if one.type == socket.SOCK_DGRAM]
    readable, writable, _ = select.select(udp, tcp, [], 0.1)
    for one in readable + writable:
        # refused by the host itself: the packet came through
        answers[waiting.pop(one)] = True
print(json.dumps([answers.get(number, False) for number in range(len(json.loads(sys.argv[1])))]))
"""

PING = """
import os, socket, struct, sys
address = sys.argv[1]
six = ":" in address
one = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP)
one.settimeout(1)
kind = 128 if six else 8
number = os.getpid() & 0x7FFF  # its own, or it would belong to an earlier exchange
body = struct.pack("!HHI", number, 1, 0)
total = (kind << 8) + number + 1
total = (total >> 16) + (total & 0xffff)
one.sendto(struct.pack("!BBH", kind, 0, ~total & 0xffff) + body, (address, 0))
try:
    while True:
        data = one.recv(100)
        if (data[0] if six else data[20]) == (129 if six else 0):
            print("answer")
            break
except TimeoutError:
    pass
"""


class Namespaces:
    """Made by ``with``; everything goes at its end."""

    def __init__(self) -> None:
        self._names = {key: f"fw{os.getpid()}{key}" for key in ADDRESSES}

    def __enter__(self) -> Namespaces:
        for name in self._names.values():
            subprocess.run(["ip", "netns", "add", name], check=True)
        subprocess.run(["ip", "-batch", "-"], input=SETUP.format(**self._names), text=True, check=True)
        for key, lines in ADDRESSES.items():
            subprocess.run(["ip", "-netns", self._names[key], "-batch", "-"], input="\n".join(lines), text=True, check=True)
        self.run("h", "sh", "-c", "cd /proc/sys/net; echo 1 >ipv4/ip_forward; echo 0 >ipv4/icmp_ratelimit; echo 0 >ipv6/icmp/ratelimit")
        return self

    def __exit__(self, *exception: object) -> None:
        for name in self._names.values():
            subprocess.run(["ip", "netns", "del", name], check=False)

    def run(self, where: str, *words: str, text: str | None = None) -> str:
        done = subprocess.run(self.words(where, *words), input=text, text=True, capture_output=True, check=False, timeout=60)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def words(self, where: str, *words: str) -> list[str]:
        return ["ip", "netns", "exec", self._names[where], *words]

    def load(self, text: str) -> None:
        self.run("h", "nft", "-f", "-", text=text)

    def reach(self, where: str, probes: Sequence[tuple[str, str, str, int]], seconds: float = 1.5) -> list[bool]:
        """(source, destination, protocol, port) -> whether the host, or the container, got the packet."""
        return [bool(one) for one in json.loads(self.run(where, sys.executable, "-S", "-c", PROBE, json.dumps(list(probes)), str(seconds)))]

    def ping(self, where: str, address: str) -> bool:
        """Whether an echo request is answered within a second."""
        return self.run(where, sys.executable, "-S", "-c", PING, address) == "answer\n"

    def start(self, where: str, script: str, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(self.words(where, sys.executable, "-S", "-c", script, *words), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                text=True)

    def system(self, root: Path) -> Any:
        """The host as the engine sees it: programs run in its namespace, files lie below root."""
        from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import System, run
        for name in ("nft", "unshare", "sh"):
            (root / "usr/sbin").mkdir(parents=True, exist_ok=True)
            (root / "usr/sbin" / name).symlink_to(str(shutil.which(name)))
        (root / "run").mkdir()
        return System(str(root), lambda words, text=None, timeout=60: run(self.words("h", *words), text, timeout))
