# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Listeners and probes over real sockets of this machine."""
from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster import probe
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster.probe import Port, Target

HERE = "127.0.0.1"


def free() -> int:
    with socket.socket() as one:
        one.bind((HERE, 0))
        return int(one.getsockname()[1])


@contextmanager
def listening(*ports: Port, nonce: str = "run1", name: str = "node") -> Iterator[list[str]]:
    sockets, rows = probe.open_ports(ports)
    thread = threading.Thread(target=probe.answer, args=(sockets, nonce, name, 20), daemon=True)
    thread.start()
    time.sleep(0.05)
    try:
        yield [str(row["state"]) for row in rows]
    finally:
        probe.stop(nonce)
        thread.join(5)
        assert not thread.is_alive()
        for _port, one in sockets:
            one.close()


def why(target: Target, nonce: str = "run1", served: bool = False) -> str:
    rows = probe.probe_all([target], {(target.name, target.protocol, target.port)} if served else set(), nonce, 0.6)
    return str(rows[0]["why"]) if rows else ""


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
@pytest.mark.parametrize("address", [HERE, ""])
def test_an_answer_proves_the_way_and_who_answers(protocol: str, address: str) -> None:
    port = free()
    with listening(Port(protocol, port, address)) as states:
        assert states == ["listening"]
        assert why(Target("node", HERE, protocol, port)) == ""
        assert why(Target("other", HERE, protocol, port)) == "node answers there"
        assert why(Target("node", HERE, protocol, port), nonce="run2") != ""


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_nobody_there_is_a_refusal(protocol: str) -> None:
    assert why(Target("node", HERE, protocol, free())) == "refused"


def test_silence_is_no_answer_and_takes_no_longer_than_told() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind((HERE, 0))
        began = time.monotonic()
        assert why(Target("node", HERE, "udp", one.getsockname()[1])) == "no answer"
        assert time.monotonic() - began < 2


def test_what_something_else_serves_is_proved_by_a_connection() -> None:
    with socket.socket() as one:
        one.bind((HERE, 0))
        one.listen()
        port = one.getsockname()[1]
        assert [row["state"] for row in probe.open_ports([Port("tcp", port, HERE)])[1]] == ["served"]
        assert why(Target("node", HERE, "tcp", port), served=True) == ""
    assert why(Target("node", HERE, "tcp", port), served=True) == "refused"


def test_a_datagram_that_does_not_fit_is_not_sent_in_fragments() -> None:
    port = free()
    with listening(Port("udp", port, HERE)):
        assert why(Target("node", HERE, "udp", port, 1400)) == ""
        assert "too long" in why(Target("node", HERE, "udp", port, 65536 + 20))


def test_many_at_once_are_answered() -> None:
    port = free()
    with listening(Port("tcp", port, HERE), Port("udp", port, HERE)):
        targets = [Target("node", HERE, protocol, port) for protocol in ("tcp", "udp")] * 100
        assert probe.probe_all(targets, set(), "run1", 5) == []


def test_strangers_get_no_answer() -> None:
    port = free()
    with listening(Port("udp", port, HERE)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.settimeout(0.3)
        one.sendto(b"hybridops-fleet guess\n", (HERE, port))
        with pytest.raises(TimeoutError):
            one.recv(100)


def test_an_address_that_is_not_of_this_machine_is_told() -> None:
    assert "assign" in str(probe.open_ports([Port("tcp", free(), "192.0.2.77")])[1][0]["state"])
