# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a node tells of other firewalls and of who is connected to it, from literal answers of programs."""
from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.facts import firewall
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import Ran, System

DEBIAN = """#!/usr/sbin/nft -f

flush ruleset

table inet filter {
\tchain input {
\t\ttype filter hook input priority filter;
\t}
\tchain forward {
\t\ttype filter hook forward priority filter;
\t}
\tchain output {
\t\ttype filter hook output priority filter;
\t}
}
"""
REDHAT = """# Uncomment the include statement here to load the default config sample
# in /etc/nftables for nftables service.

#include "/etc/nftables/main.nft"
"""
CHAINS = {"nftables": [
    {"metainfo": {"version": "1.0.6"}},
    {"chain": {"family": "ip", "table": "filter", "name": "INPUT", "handle": 1, "type": "filter", "hook": "input", "prio": 0, "policy": "drop"}},
    {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "handle": 2, "type": "filter", "hook": "forward", "prio": 0, "policy": "drop"}},
    {"chain": {"family": "inet", "table": "hybridops_fleet", "name": "input", "handle": 1, "type": "filter", "hook": "input", "policy": "drop"}},
    {"chain": {"family": "inet", "table": "mine", "name": "input", "handle": 1, "type": "filter", "hook": "input", "policy": "accept"}}]}
SOCKETS = """tcp   LISTEN 0      4096         0.0.0.0:8080      0.0.0.0:*    users:(("docker-proxy",pid=7,fd=4))
tcp   LISTEN 0      128             [::]:22           [::]:*    users:(("sshd",pid=1,fd=4),("systemd",pid=1,fd=9))
udp   UNCONN 0      0      127.0.0.53%lo:53        0.0.0.0:*
"""
TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1
   1: 057100CB:0016 097100CB:9C40 01 00000000:00000000 00:00000000 00000000     0        0 2
   2: 057100CB:9000 097100CB:01BB 01 00000000:00000000 00:00000000 00000000     0        0 3
"""
TCP6 = """  sl  local_address rem_address   st
   0: 0000000000000000FFFF0000057100CB:0016 0000000000000000FFFF00000A7100CB:9C41 01 00000000:00000000
   1: B80D0120000000000000000005000000:0016 B80D0120000000000000000009000000:9C41 01 00000000:00000000
"""
ANSWERS = {
    ("nft", "--version"): "nftables v1.0.6 (Lester Gooch #5)\n", ("nft", "-j"): json.dumps(CHAINS), ("ss", "-H"): SOCKETS,
    ("ip", "-4"): "default via 203.0.113.1 dev ens3 proto dhcp\n", ("ip", "-6"): "default via fe80::1 dev ens4 proto ra metric 100\n",
}


def seen(root: Path, **files: str) -> dict[str, Any]:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(words: Sequence[str], _text: str | None = None, _timeout: float = 60) -> Ran:
        return Ran(0, ANSWERS.get((words[0], words[1]), ""), "")

    return firewall.about(System(str(root), run))


def test_everything_at_once(tmp_path: Path) -> None:
    told = seen(tmp_path, **{"proc/net/tcp": TCP, "proc/net/tcp6": TCP6, "etc/ufw/ufw.conf": "ENABLED=yes\n", "etc/nftables.conf": DEBIAN,
                             "etc/iptables/rules.v4": "*filter\n:INPUT DROP [0:0]\nCOMMIT\n",
                             "etc/iptables/rules.v6": "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n"})
    assert told == {
        "nft": "1.0.6", "allowed": True, "filters": ["ip filter INPUT"], "ufw": True, "persistent": ["/etc/iptables/rules.v4"],
        "configuration": {"path": "/etc/nftables.conf", "flush": True, "rules": False}, "default_routes": ["ens3", "ens4"],
        "peers": [{"source": "203.0.113.9", "destination": "203.0.113.5", "port": 22},
                  {"source": "203.0.113.10", "destination": "203.0.113.5", "port": 22},
                  {"source": "2001:db8::9", "destination": "2001:db8::5", "port": 22}],
        "joined": [], "programs": {"tcp 8080": "docker-proxy", "tcp 22": "sshd"}}


def test_a_node_that_has_nothing(tmp_path: Path) -> None:
    told = firewall.about(System(str(tmp_path), lambda words, text=None, timeout=60: Ran(127, "", "not found")))
    assert told == {"nft": "", "allowed": True, "filters": [], "ufw": False, "persistent": [], "configuration": None, "default_routes": [],
                    "peers": [], "joined": [], "programs": {}}


def test_whom_a_worker_asks_is_a_member_too(tmp_path: Path) -> None:
    rows = ["  sl  local_address rem_address   st",
            "   0: 1600A8C0:9C40 1500A8C0:0949 01",   # 192.168.0.22:40000 to 192.168.0.21:2377
            "   1: 1600A8C0:9C41 1600A8C0:0949 01",   # to itself
            "   2: 1600A8C0:9C42 1500A8C0:01BB 01"]   # to port 443
    told = seen(tmp_path, **{"proc/net/tcp": "\n".join(rows) + "\n"})
    assert told["joined"] == [{"source": "192.168.0.21", "destination": "192.168.0.22", "port": 2377}]
    assert told["peers"] == []


@pytest.mark.parametrize(("path", "text", "flush", "rules"), [
    ("etc/nftables.conf", DEBIAN.replace("priority filter;", "priority 0;"), True, False),
    ("etc/nftables.conf", DEBIAN.replace("priority filter;", "priority 0; policy accept;"), True, False),
    ("etc/nftables.conf", DEBIAN.replace("priority filter;", "priority 0; policy drop;"), True, True),
    ("etc/nftables.conf", DEBIAN.replace("\t}\n}", "\t\ttcp dport 22 accept\n\t}\n}"), True, True),
    ("etc/nftables.conf", DEBIAN + 'include "/etc/nftables.d/*.nft"\n', True, True),
    ("etc/sysconfig/nftables.conf", REDHAT, False, False),
    ("etc/sysconfig/nftables.conf", REDHAT.replace("#include", "include"), False, True),
])
def test_whether_the_service_of_nftables_has_rules(tmp_path: Path, path: str, text: str, flush: bool, rules: bool) -> None:
    assert seen(tmp_path, **{path: text})["configuration"] == {"path": "/" + path, "flush": flush, "rules": rules}


@pytest.mark.parametrize(("text", "on"), [("ENABLED=no\n", False), ("# ENABLED=yes\nENABLED=no\n", False), ("ENABLED=\"yes\"\n", True), ("", False)])
def test_ufw_counts_when_it_is_switched_on(tmp_path: Path, text: str, on: bool) -> None:
    assert seen(tmp_path, **{"etc/ufw/ufw.conf": text})["ufw"] is on


@pytest.mark.parametrize(("bits", "expected"), [("00000000a80425fb", False), ("000001ffffffffff", True), ("0000000000001000", True)])
def test_whether_root_may_filter_packets(tmp_path: Path, bits: str, expected: bool) -> None:
    """The first are those that Docker leaves to a container."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/status").write_text(f"Name:\tpython3\nCapPrm:\t0000000000000000\nCapEff:\t{bits}\n")
    assert firewall.about(System(str(tmp_path), lambda words, text, timeout: Ran(127, "", "")))["allowed"] is expected
