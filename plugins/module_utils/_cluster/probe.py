# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ports that answer for a while, and probes of those of others. Runs on nodes: Python 3.7 is enough, and nothing but its library.

A listener answers only to the run's own nonce, with the name of its node: so an answer proves that the packet came through, and to whom. TCP and
UDP alike, never ping. It ends when it is told to, or by itself.
"""
from __future__ import annotations

import errno
import os
import selectors
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Iterable, NamedTuple

GREETING = b"hybridops-fleet "
LONGEST = 65536  # bytes of a question or an answer
TRIES = 3  # datagrams sent, as one may be lost
WORKERS = 64
ALL = ("0.0.0.0", "::")  # noqa: S104 - answers to this run's nonce only, and for a while
CONTROL = "control"
_DISCOVER, _DO_NOT_FRAGMENT, _DISCOVER6, _DO_NOT_FRAGMENT6 = 10, 2, 23, 2
"""IP_MTU_DISCOVER, IP_PMTUDISC_DO and their like for IPv6 of Linux, which Python does not name."""


class Port(NamedTuple):
    """address: to listen on; empty for all of both families."""

    protocol: str
    port: int
    address: str


class Target(NamedTuple):
    """One probe: name of the member that should answer, and where. size: bytes of the datagram, which may not be sent in fragments; 0 for
    a short one."""

    name: str
    address: str
    protocol: str
    port: int
    size: int = 0


# ---------------------------------------------------------------------------------------------------- listening
def open_ports(wanted: Iterable[Port]) -> tuple[list[tuple[Port, socket.socket]], list[dict[str, Any]]]:
    """(sockets, one row for each port: protocol, port, address and state, which is listening, served where something has it already, or the
    error)."""
    sockets: list[tuple[Port, socket.socket]] = []
    rows = []
    for want in wanted:
        state = ""
        for address in [want.address] if want.address else ALL:
            try:
                sockets.append((want, _listen(want, address)))
            except OSError as failure:
                if failure.errno == errno.EADDRINUSE:
                    state = "served"
                elif want.address or failure.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                    state = failure.strerror or str(failure)
        rows.append({"protocol": want.protocol, "port": want.port, "address": want.address, "state": state or "listening"})
    return sockets, rows


def _listen(want: Port, address: str) -> socket.socket:
    found = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM if want.protocol == "tcp" else socket.SOCK_DGRAM)
    try:
        if want.protocol == "tcp":
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if ":" in address:
            found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        found.setblocking(False)
        found.bind((address, want.port))
        if want.protocol == "tcp":
            found.listen(64)
    except OSError:
        found.close()
        raise
    return found


def answer(sockets: list[tuple[Port, socket.socket]], nonce: str, name: str, seconds: float) -> None:
    """Answer until the time is over."""
    ends = time.monotonic() + seconds
    question, reply = _question(nonce), GREETING + name.encode()[:255] + b"\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as control, selectors.DefaultSelector() as selector:
        control.bind(_control(nonce))
        selector.register(control, selectors.EVENT_READ, CONTROL)
        for port, one in sockets:
            selector.register(one, selectors.EVENT_READ, port)
        while time.monotonic() < ends:
            for key, _events in selector.select(max(0.0, ends - time.monotonic())):
                ready = key.fileobj
                if not isinstance(ready, socket.socket):
                    raise AssertionError("only sockets were registered")
                if key.data == CONTROL:
                    return
                try:
                    _one(ready, key.data, selector, question, reply)
                except OSError:
                    continue


def _one(one: socket.socket, port: Port | None, selector: selectors.BaseSelector, question: bytes, reply: bytes) -> None:
    if port is None:  # a connection that was accepted
        selector.unregister(one)
        try:
            if one.recv(LONGEST) == question:
                one.sendall(reply)
        finally:
            one.close()
    elif port.protocol == "tcp":
        peer, _address = one.accept()
        peer.setblocking(False)
        selector.register(peer, selectors.EVENT_READ, None)
    else:
        data, source = one.recvfrom(LONGEST)
        if data.rstrip(b" ") == question:
            one.sendto(reply, source)


def stop(nonce: str) -> bool:
    """End the listener of that nonce; whether there was one."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        try:
            one.sendto(b"stop", _control(nonce))
        except OSError:
            return False
    return True


def _control(nonce: str) -> bytes:
    """A socket without a file, which goes with its process."""
    return b"\0hybridops-fleet-probe-" + nonce.encode()


def _question(nonce: str) -> bytes:
    return GREETING + nonce.encode() + b"\n"


def stay(sockets: list[tuple[Port, socket.socket]], nonce: str, name: str, seconds: float) -> None:
    """Answer in a process of its own, which outlives this one."""
    first = os.fork()
    if first:
        for _port, one in sockets:
            one.close()
        os.waitpid(first, 0)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    try:
        quiet = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(quiet, number)
        _close_others({one.fileno() for _port, one in sockets})
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        answer(sockets, nonce, name, seconds)
    finally:
        os._exit(0)


def _close_others(kept: set[int]) -> None:
    """Descriptors that Ansible waits on must not stay open here."""
    for text in os.listdir("/proc/self/fd"):
        number = int(text)
        if number > 2 and number not in kept:
            try:
                os.close(number)
            except OSError:
                continue


# ---------------------------------------------------------------------------------------------------- probing
def probe_all(targets: Iterable[Target], served: set[tuple[str, str, int]], nonce: str, seconds: float) -> list[dict[str, Any]]:
    """One row for each target that did not answer as it should, with why. served: (name, protocol, port) of what something else listens on."""
    with ThreadPoolExecutor(WORKERS) as pool:
        rows = list(pool.map(lambda target: (target, _probe(target, (target.name, target.protocol, target.port) in served, nonce, seconds)), targets))
    return [{"name": target.name, "address": target.address, "protocol": target.protocol, "port": target.port, "size": target.size, "why": why}
            for target, why in rows if why]


def _probe(target: Target, served: bool, nonce: str, seconds: float) -> str:
    """Why it failed, empty when it did not."""
    if served and target.protocol == "udp":
        return ""  # what serves it answers to its own protocol only; the port was open for it to be there, and TCP beside it is proved
    question = _question(nonce)
    try:
        data = _over_tcp(target, question, served, seconds) if target.protocol == "tcp" else _over_udp(target, question, seconds)
    except socket.timeout:
        return f"no answer to a datagram of {target.size} bytes" if target.size else "no answer"
    except OSError as failure:
        return {errno.ECONNREFUSED: "refused", errno.EHOSTUNREACH: "no route", errno.ENETUNREACH: "no route"}.get(
            failure.errno or 0, failure.strerror or str(failure))
    if served:
        return ""
    if not data.startswith(GREETING):
        return "something else answers there"
    name = data[len(GREETING):].strip().decode("utf-8", "replace")
    return "" if name == target.name else f"{name} answers there"


def _over_tcp(target: Target, question: bytes, served: bool, seconds: float) -> bytes:
    with socket.create_connection((target.address, target.port), seconds) as one:
        if served:
            return b""
        one.sendall(question)
        data = b""
        while not data.endswith(b"\n") and len(data) < LONGEST:
            more = one.recv(LONGEST)
            if not more:
                break
            data += more
        return data


def _over_udp(target: Target, question: bytes, seconds: float) -> bytes:
    family = socket.AF_INET6 if ":" in target.address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        one.settimeout(seconds / TRIES)
        one.connect((target.address, target.port))
        if target.size:
            six = ":" in target.address
            one.setsockopt(*((socket.IPPROTO_IPV6, _DISCOVER6, _DO_NOT_FRAGMENT6) if six else (socket.IPPROTO_IP, _DISCOVER, _DO_NOT_FRAGMENT)))
            question = question.ljust(target.size - (48 if six else 28))
        for left in range(TRIES - 1, -1, -1):
            one.send(question)
            try:
                return one.recv(LONGEST)
            except socket.timeout:
                if not left:
                    raise
    raise socket.timeout
