# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Network namespaces: run ip and nft in them, and open sockets that belong to them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_IPV6_FREEBIND = 78  # linux/in6.h; the socket module does not name it
_LIBC = ctypes.CDLL(None, use_errno=True)
FOLDER = Path("/run/netns")
_HARMLESS = (
    "File exists",
    "lready assigned",
    "Command failed",
    "Cannot find device",
    "No such process",
    "Cannot assign",
)  # it is there already, or gone already


class NetworkError(Exception):
    """The kernel refused something; the text says what."""


def exists(name: str) -> bool:
    return (FOLDER / name).exists()


def add(name: str) -> None:
    if not exists(name):
        subprocess.run(["ip", "netns", "add", name], check=True, capture_output=True)
        _set(
            name,
            {
                "net/ipv4/ip_forward": "0",
                "net/ipv4/conf/all/rp_filter": "0",
                "net/ipv4/conf/default/rp_filter": "0",
                "net/ipv6/conf/all/accept_ra": "0",
                "net/ipv6/conf/default/accept_ra": "0",
                "net/ipv6/conf/default/accept_dad": "0",
                "net/ipv6/conf/all/disable_ipv6": "0",
                "net/ipv6/conf/default/disable_ipv6": "0",
                "net/ipv6/conf/lo/disable_ipv6": "0",
            },
        )


def forward(name: str) -> None:
    """Let a namespace route."""
    _set(
        name,
        {
            "net/ipv4/ip_forward": "1",
            "net/ipv6/conf/all/forwarding": "1",
            "net/ipv6/conf/default/forwarding": "1",
            "net/ipv4/conf/all/send_redirects": "0",
            "net/ipv4/conf/default/send_redirects": "0",
        },
    )


def delete(name: str) -> None:
    if exists(name):
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def named(prefix: str) -> list[str]:
    """All namespaces whose name begins so."""
    return sorted(path.name for path in FOLDER.glob(f"{prefix}*"))


def ip(name: str, lines: Iterable[str]) -> None:
    """Give ip a batch of commands; those of one family only begin with -4 or -6. All are tried.

    What was refused (but for what is there already) is reported on stderr."""
    batches: dict[str, list[str]] = {}
    for line in lines:
        family = "-6" if line.startswith("-6 ") else "-4" if line.startswith("-4 ") else ""
        batches.setdefault(family, []).append(line.removeprefix(f"{family} "))
    for family, batch in batches.items():
        command = ["ip", *([family] if family else []), "-n", name, "-force", "-batch", "-"]
        done = subprocess.run(command, input="\n".join(batch) + "\n", capture_output=True, text=True, check=False)
        wrong = [line for line in done.stderr.splitlines() if not any(known in line for known in _HARMLESS)]
        if wrong:
            print(f"hosts: ip in {name}: {'; '.join(wrong)}", file=sys.stderr, flush=True)


def nft(name: str, ruleset: str) -> None:
    """Load a ruleset. Raises NetworkError."""
    done = subprocess.run(["ip", "netns", "exec", name, "nft", "-f", "-"], input=ruleset, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NetworkError(f"nft in {name}: {done.stderr.strip()[-400:]}")


def listener(name: str, family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    """A listening socket of that namespace. A socket stays in the namespace in which it was made, whoever accepts from it."""
    made: list[socket.socket | OSError] = []

    def make() -> None:  # in a thread of its own: only the thread changes its namespace
        try:
            _enter(name)
            made.append(_listen(family, address, port))
        except OSError as refused:
            made.append(refused)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if isinstance(made[0], OSError):
        raise made[0]
    return made[0]


def _listen(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)  # a fresh address may not be usable yet on a busy machine
    listening.bind((address, port))
    listening.listen(128)
    listening.setblocking(False)
    return listening


def _enter(name: str) -> None:
    handle = os.open(FOLDER / name, os.O_RDONLY)
    try:
        if _LIBC.setns(handle, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter the namespace {name}")
    finally:
        os.close(handle)


def _set(name: str, values: dict[str, str]) -> None:
    """Write net.* settings of a namespace, which only a thread inside sees; /proc/sys/net follows the thread's namespace."""

    def write() -> None:
        _enter(name)
        for path, value in values.items():
            with contextlib.suppress(OSError):
                Path("/proc/thread-self/root/proc/sys", path).write_text(value, encoding="ascii")

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()


def run(name: str, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["nsenter", f"--net={FOLDER / name}", "--", *command], capture_output=True, text=True, check=False)
