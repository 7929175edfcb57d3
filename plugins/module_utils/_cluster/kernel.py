# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What this node's kernel can carry of a swarm, found by trying: what docker info says is no answer, as a service whose packets nobody
balances or encrypts shows as running. Runs on nodes: Python 3.7 is enough.
"""
from __future__ import annotations

import os
import socket
import struct

from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import System

_GENERIC = 16  # NETLINK_GENERIC, and the number of its controller's family
_GET_FAMILY, _FAMILY_NAME, _REQUEST, _ERROR = 3, 2, 1, 2
KEY = "0x" + "00" * 20
"""Of no use: the association lives in a namespace that ends with the trial."""


def lacks(system: System) -> dict[str, str]:
    """ingress, encryption, overlay: empty where it works, else why not."""
    return {"ingress": balancing(), "encryption": encryption(system), "overlay": overlay(system)}


def balancing() -> str:
    """IP_VS, which every service with a virtual address and every port in ingress mode need. Asking for it loads the module where there is one."""
    try:
        number = generic_family("IPVS")
    except OSError as failure:
        return f"whether the kernel has IP_VS cannot be found out: {failure.strerror}"
    return "" if number == 0 else f"the kernel has no IP_VS ({os.strerror(number)})"


def generic_family(name: str) -> int:
    """0 when the kernel knows that family of generic netlink, else its error number. Raises OSError."""
    text = name.encode() + b"\0"
    attribute = struct.pack("HH", 4 + len(text), _FAMILY_NAME) + text + b"\0" * (-len(text) % 4)
    payload = struct.pack("BBH", _GET_FAMILY, 1, 0) + attribute
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _GENERIC) as channel:
        channel.settimeout(5)
        channel.bind((0, 0))
        channel.send(struct.pack("IHHII", 16 + len(payload), _GENERIC, _REQUEST, 1, 0) + payload)
        answer = channel.recv(65536)
    kind = struct.unpack("IHHII", answer[:16])[1]
    return -struct.unpack("i", answer[16:20])[0] if kind == _ERROR else 0


def encryption(system: System) -> str:
    """ESP in transport mode with the cipher that Docker uses."""
    ran = system.run(["unshare", "--net", "ip", "xfrm", "state", "add", "src", "127.0.0.1", "dst", "127.0.0.2", "proto", "esp", "spi", "0x100",
                      "mode", "transport", "aead", "rfc4106(gcm(aes))", KEY, "64"], None, 10)
    return _why(ran.rc, ran.err, "ESP")


def overlay(system: System) -> str:
    """VXLAN, which every overlay network needs."""
    ran = system.run(["unshare", "--net", "ip", "link", "add", "name", "fleetprobe1", "type", "vxlan", "id", "4096", "dstport", "4789", "dev", "lo"],
                     None, 10)
    return _why(ran.rc, ran.err, "VXLAN")


def _why(code: int, said: str, what: str) -> str:
    if code == 0:
        return ""
    last = (said.strip().splitlines() or [f"exit {code}"])[-1]
    if code in (126, 127):
        return f"whether the kernel has {what} cannot be found out: {last}"
    return f"the kernel has no {what} ({last})"
