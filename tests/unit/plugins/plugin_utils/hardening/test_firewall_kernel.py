# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The firewall in the kernel, with real packets: a host with two networks and containers, in network namespaces."""
from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening import undo
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.kinds import nft_table
from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening.areas import firewall
from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening.decision import Options
from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening.firewall import nft
from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening.firewall.openings import Openings
from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening.firewall.packet import Packet, admits
from ansible_collections.hybridops.fleet.tests.unit.plugins.plugin_utils.hardening import firewall_hosts as given
from ansible_collections.hybridops.fleet.tests.unit.plugins.plugin_utils.hardening.namespaces import DOCKER, HOST, WHY_NOT, Namespaces

pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)

ME = given.host(given.address("203.0.113.5", "public"), given.address("2001:db8::5", "public"), given.address("10.0.0.5", "private"),
                given.address("fd00:1::5", "private"), cluster="c")
MEMBER = given.host(given.address("10.0.0.6", "private"), given.address("fd00:1::6", "private"), given.address("203.0.113.10", "public"), cluster="c")
FACTS = given.facts(("eth0", ("203.0.113.5/24", "2001:db8::5/64")), ("eth1", ("10.0.0.5/24", "fd00:1::5/64")), ("docker0", ("172.17.0.1/16",)),
                    login=("203.0.113.9", "203.0.113.5", 22))
RULES = [{"name": "web", "port": 80, "role": "public"},
         {"name": "db", "port": 5432, "last_port": 5433, "from": ["10.0.0.0/24", "fd00:1::/64"], "role": "private"},
         {"name": "dns", "port": 53, "protocol": "udp"}, {"name": "six", "port": 443, "from": ["2001:db8::/64"]},
         {"name": "by member", "port": 9000, "from": ["b"]}]


@pytest.fixture()
def net() -> Iterator[Namespaces]:
    with Namespaces() as made:
        yield made


def options(**more: Any) -> Options:
    return given.options(ME, **{"others": {"b": MEMBER}, "ssh_from": ["203.0.113.0/24", "2001:db8::/64"], "rules": RULES, **more})


def test_the_kernel_lets_in_what_the_policy_says_and_nothing_else(net: Namespaces) -> None:
    """Every source to every address and port, as the pure decision has it: it is that decision that refuses lockouts."""
    chosen = options()
    policy = firewall._Decided(FACTS, chosen, Openings(FACTS, chosen)).policy()
    net.load(nft.text(policy))
    ports = [("tcp", 22), ("tcp", 80), ("tcp", 443), ("tcp", 5432), ("tcp", 5434), ("tcp", 9000), ("udp", 53), ("udp", 54)]
    seen = 0
    for where, sources in (("o", ("203.0.113.9", "203.0.113.10", "2001:db8::9")), ("i", ("10.0.0.6", "10.0.0.7", "fd00:1::6", "fd00:1::7"))):
        probes = [(source, destination, protocol, port) for source, destination, (protocol, port) in itertools.product(sources, HOST, ports)
                  if (":" in source) == (":" in destination) and not (":" in source and destination[:4] != source[:4])]
        interface = "eth0" if where == "o" else "eth1"
        expected = [admits(policy, Packet(*probe, interface=interface)) is not None for probe in probes]
        assert dict(zip(probes, net.reach(where, probes), strict=True)) == dict(zip(probes, expected, strict=True))
        assert True in expected and False in expected
        seen += len(probes)
    assert seen > 80


def test_members_are_let_in_on_private_addresses_only(net: Namespaces) -> None:
    net.load(given.table(FACTS, options()))
    assert net.reach("i", [("10.0.0.6", "10.0.0.5", "tcp", 7777), ("fd00:1::6", "fd00:1::5", "udp", 4789), ("10.0.0.7", "10.0.0.5", "tcp", 7777),
                           ("10.0.0.6", "203.0.113.5", "tcp", 7777)]) == [True, True, False, False]
    assert net.reach("o", [("203.0.113.10", "203.0.113.5", "tcp", 7777), ("203.0.113.10", "10.0.0.5", "tcp", 7777)]) == [False, False]


def test_a_member_forged_on_the_outer_network_is_not_let_in(net: Namespaces) -> None:
    net.run("o", "ip", "address", "add", "10.0.0.6/32", "dev", "eth0")
    net.run("h", "sh", "-c", "for one in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$one; done; ip route add 10.0.0.6 dev eth0")
    assert net.reach("o", [("10.0.0.6", "10.0.0.5", "tcp", 7777)]) == [True]
    net.load(given.table(FACTS, options()))
    assert net.reach("o", [("10.0.0.6", "10.0.0.5", "tcp", 7777)]) == [False]


LISTEN = """
import socket
server = socket.create_server(("203.0.113.5", 22))
print("ready", flush=True)
client, _ = server.accept()
while True:
    data = client.recv(100)
    if not data:
        break
    client.sendall(data)
"""
TALK = """
import socket, sys
client = socket.create_connection(("203.0.113.5", 22), 5)
for line in sys.stdin:
    client.sendall(line.encode())
    print(client.recv(100).decode(), end="", flush=True)
"""


def test_an_open_connection_lives_on_when_the_rules_are_made_and_replaced(net: Namespaces) -> None:
    server = net.start("h", LISTEN)
    assert server.stdout and server.stdout.readline() == "ready\n"
    client = net.start("o", TALK)
    assert client.stdin and client.stdout

    def answered(word: str) -> bool:
        assert client.stdin and client.stdout
        client.stdin.write(word + "\n")
        client.stdin.flush()
        return client.stdout.readline() == word + "\n"

    try:
        assert answered("before")
        net.load(given.table(FACTS, options()))
        assert answered("made, by a kernel that had followed no connection until now")
        net.load(given.table(FACTS, options(transport="local", ssh_from=["203.0.113.9"])))
        assert answered("replaced")
        closed = given.facts(("eth0", ("203.0.113.5/24",)))
        net.load(given.table(closed, given.options(ME, ssh_from=["198.51.100.0/24"])))
        assert answered("shut out, and not cut")
        assert net.reach("o", [("203.0.113.9", "203.0.113.5", "tcp", 22)]) == [False]
    finally:
        client.stdin.close()
        client.wait(10)
        server.kill()
        server.wait(10)


TAKES = """
import socket
client = socket.create_connection(("203.0.113.9", 5000), 5)
print("open", flush=True)
print(client.recv(100).decode(), end="", flush=True)
"""
GIVES = """
import socket, sys
server = socket.create_server(("203.0.113.9", 5000))
print("ready", flush=True)
connection, _address = server.accept()
sys.stdin.readline()
connection.send(b"an answer that took its time\\n")
sys.stdin.readline()
"""


def test_what_was_open_before_the_first_rules_goes_on_though_it_is_let_in_no_more(net: Namespaces, tmp_path: Path) -> None:
    """By a kernel that had followed no connection until then: a session of somebody who is shut out now, and one that the host has opened itself
    and on which it waits for an answer."""
    server, gives = net.start("h", LISTEN), net.start("o", GIVES)
    assert server.stdout and gives.stdout and gives.stdin and server.stdout.readline() == gives.stdout.readline() == "ready\n"
    client, takes = net.start("o", TALK), net.start("h", TAKES)
    assert client.stdin and client.stdout and takes.stdout and takes.stdout.readline() == "open\n"
    try:
        client.stdin.write("before\n")
        client.stdin.flush()
        assert client.stdout.readline() == "before\n"
        content = given.table(given.facts(("eth0", ("203.0.113.5/24",))), given.options(ME, ssh_from=["198.51.100.0/24"]))
        system = net.system(tmp_path)
        (tmp_path / "proc/net").mkdir(parents=True)
        (tmp_path / "proc/net/tcp").write_text(net.run("h", "cat", "/proc/net/tcp"))
        item = {"kind": "nft_table", "family": nft.FAMILY, "name": nft.TABLE, "unit": firewall.UNIT, "content": content}
        nft_table.plan(system, item).changes[0].act()
        client.stdin.write("after\n")
        client.stdin.flush()
        gives.stdin.write("\n")
        gives.stdin.flush()
        assert client.stdout.readline() == "after\n" and takes.stdout.readline() == "an answer that took its time\n"
        assert net.reach("o", [("203.0.113.9", "203.0.113.5", "tcp", 22)]) == [False]
        assert not nft_table.plan(system, item).changes, "what was open before makes the next run load it again"
    finally:
        for process in (client, gives, takes, server):
            process.kill()
            process.wait(10)


def test_nothing_slips_through_while_the_table_is_replaced(net: Namespaces) -> None:
    net.load(given.table(FACTS, options()))
    script = """
import socket, sys, time
count = 0
end = time.monotonic() + 60
while count < 500 and time.monotonic() < end:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.connect(("203.0.113.5", 7777))
    one.settimeout(0.002)
    one.send(b"x")
    try:
        one.recv(1)
    except TimeoutError:
        pass
    except ConnectionRefusedError:
        print("let in")
        break
    count += 1
print(count)
"""
    storm, times = net.start("o", script), 0
    while storm.poll() is None:
        net.load(given.table(FACTS, options()))
        times += 1
    assert storm.stdout and storm.stdout.read() == "500\n"
    assert times > 1


def test_icmp_that_networks_need_works_on_both_families(net: Namespaces) -> None:
    net.load(given.table(FACTS, options()))
    net.run("h", "ip", "-6", "neigh", "flush", "all")
    assert [net.ping("o", address) for address in ("203.0.113.5", "2001:db8::5")] == [True, True]
    net.load(given.table(FACTS, options(switches={"ping": False})))
    assert [net.ping("o", address) for address in ("203.0.113.5", "2001:db8::5")] == [False, False]
    net.run("h", "ip", "-6", "neigh", "flush", "all")
    time.sleep(0.2)
    assert net.reach("o", [("2001:db8::9", "2001:db8::5", "tcp", 443)]) == [True]


# ---------------------------------------------------------------------------------------------------- containers
HEARS = """
import socket, sys
address, port = sys.argv[1], int(sys.argv[2])
one = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
one.bind((address, port))
one.settimeout(5)
print("ready", flush=True)
try:
    print(one.recv(100).decode(), flush=True)
except TimeoutError:
    print("nothing", flush=True)
"""
SAYS = """
import socket, sys, time
address, port, mine = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
one = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
one.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
one.bind(("::" if ":" in address else "", mine))
for count in range(20):  # addresses of the link are tried out before they are used
    try:
        one.sendto(b"an offer", socket.getaddrinfo(address, port, type=socket.SOCK_DGRAM)[0][4])
    except OSError:
        pass
    time.sleep(0.2)
"""


@pytest.mark.parametrize(("kind", "port", "mine", "comes"), [
    ("unicast", 68, 67, True), ("broadcast", 68, 67, True), ("unicast", 68, 6700, False), ("link", 546, 547, True), ("global", 546, 547, False)])
def test_leases_are_kept(net: Namespaces, kind: str, port: int, mine: int, comes: bool) -> None:
    """DHCP from a server's port only, DHCPv6 from the link only."""
    net.load(given.table(FACTS, options(profile="strict")))
    rows = json.loads(net.run("h", "ip", "-json", "-6", "address", "show", "dev", "eth0"))[0]["addr_info"]
    link = next(row["local"] for row in rows if row["scope"] == "link")
    listen, to = {"unicast": ("0.0.0.0", "203.0.113.5"), "broadcast": ("0.0.0.0", "203.0.113.255"), "link": ("::", f"{link}%eth0"),
                  "global": ("::", "2001:db8::5")}[kind]
    hears = net.start("h", HEARS, listen, str(port))
    assert hears.stdout and hears.stdout.readline() == "ready\n"
    net.run("o", sys.executable, "-S", "-c", SAYS, to, str(port), str(mine))
    assert hears.stdout.readline() == ("an offer\n" if comes else "nothing\n")
    hears.wait(10)


def test_published_ports_reach_their_container_as_the_engine_says(net: Namespaces) -> None:
    net.load(DOCKER)
    probe = [("203.0.113.9", "203.0.113.5", "tcp", 8080)]
    assert net.reach("o", probe) == [True]
    for profile in ("baseline", "strict"):
        net.load(given.table(FACTS, options(profile=profile, workloads={"docker": "seen"})))
        assert net.reach("o", probe) == [True], profile


def test_published_ports_are_guarded_when_wanted(net: Namespaces) -> None:
    net.load(DOCKER)
    guarded = {"workloads": {"docker": "seen"}, "switches": {"published_ports": True}}
    net.load(given.table(FACTS, options(**guarded)))
    assert net.reach("o", [("203.0.113.9", "203.0.113.5", "tcp", 8080), ("203.0.113.9", "203.0.113.5", "tcp", 80)]) == [False, True]
    assert net.reach("i", [("10.0.0.6", "10.0.0.5", "tcp", 8080), ("10.0.0.7", "10.0.0.5", "tcp", 8080)]) == [True, False]
    rules = [*RULES, {"name": "published", "port": 8080, "from": ["203.0.113.9"]}]
    net.load(given.table(FACTS, options(**guarded, rules=rules)))
    assert net.reach("o", [("203.0.113.9", "203.0.113.5", "tcp", 8080), ("203.0.113.10", "203.0.113.5", "tcp", 8080)]) == [True, False]


@pytest.mark.parametrize("switches", [{}, {"published_ports": True}])
def test_containers_reach_the_world_and_their_host(net: Namespaces, switches: dict[str, bool]) -> None:
    net.load(DOCKER)
    net.load(given.table(FACTS, options(workloads={"docker": "seen"}, switches=switches)))
    assert net.reach("c", [("172.17.0.2", "203.0.113.9", "tcp", 1234), ("172.17.0.2", "172.17.0.1", "udp", 53),
                           ("172.17.0.2", "172.17.0.1", "tcp", 5000)]) == [True, True, True]


def test_a_host_that_is_no_router_forwards_nothing_between_its_networks(net: Namespaces) -> None:
    net.run("i", "ip", "route", "add", "203.0.113.0/24", "via", "10.0.0.5")
    net.run("o", "ip", "route", "add", "10.0.0.0/24", "via", "203.0.113.5")
    probe = [("10.0.0.7", "203.0.113.9", "tcp", 1234)]
    assert net.reach("i", probe) == [True]
    net.load(given.table(FACTS, options(profile="strict")))
    assert net.reach("i", probe) == [False]
    net.load(given.table(FACTS, options(profile="strict", workloads={"router": "the operator says so"})))
    assert net.reach("i", probe) == [True]


def test_too_many_new_ssh_connections_of_one_source(net: Namespaces) -> None:
    net.load(given.table(FACTS, options(switches={"ssh_rate": True})))
    assert net.reach("o", [("2001:db8::9", "2001:db8::5", "tcp", 22)] * 4) == [True] * 4
    many = net.reach("o", [("203.0.113.9", "203.0.113.5", "tcp", 22)] * 200, seconds=0.7)
    assert 3 <= sum(many) <= 80
    assert net.reach("o", [("203.0.113.10", "203.0.113.5", "tcp", 22)]) == [True]
    six = net.reach("o", [("2001:db8::9", "2001:db8::5", "tcp", 22)] * 200, seconds=0.7)
    assert sum(six) <= 80


def test_a_role_of_one_family_opens_nothing_on_the_other(net: Namespaces) -> None:
    """203.0.113.5 is public here and 2001:db8::5, on the same interface, is not."""
    mixed = given.host(given.address("203.0.113.5", "public"), given.address("2001:db8::5", "management"))
    net.load(given.table(FACTS, given.options(mixed, rules=[{"name": "web", "port": 80, "role": "public"}])))
    assert net.reach("o", [("203.0.113.9", "203.0.113.5", "tcp", 80), ("2001:db8::9", "2001:db8::5", "tcp", 80)]) == [True, False]


# ---------------------------------------------------------------------------------------------------- the table as an item
def others(net: Namespaces) -> str:
    listing = net.run("h", "nft", "list", "ruleset")
    ours = net.run("h", "nft", "list", "table", nft.FAMILY, nft.TABLE) if nft.TABLE in listing else ""
    return listing.replace(ours, "")


def test_made_kept_mended_and_taken_away_without_touching_others(net: Namespaces, tmp_path: Path) -> None:
    net.load(DOCKER)
    before = others(net)
    system = net.system(tmp_path)
    item = {"kind": "nft_table", "family": nft.FAMILY, "name": nft.TABLE, "unit": firewall.UNIT,
            "content": given.table(FACTS, options(profile="strict", workloads={"docker": "seen"}))}
    plan = nft_table.plan(system, item)
    assert [change.key for change in plan.changes] == ["nft:inet hybridops_fleet"] and "no systemd" in plan.not_possible
    back = plan.changes[0].undo(lambda data: "")
    assert undo.differs(system, back[0], lambda name: b"") == ""
    plan.changes[0].act()
    assert undo.differs(system, back[0], lambda name: b"")
    net.reach("o", [("203.0.113.9", "203.0.113.5", "tcp", 22)])  # fills the set of new connections
    assert "203.0.113.9" in net.run("h", "nft", "list", "table", nft.FAMILY, nft.TABLE).partition("chain")[0]
    assert nft_table.plan(system, item).changes == []

    net.run("h", "nft", "insert", "rule", "inet", nft.TABLE, "input", "accept")
    (mend,) = nft_table.plan(system, item).changes
    former = mend.undo(lambda data: "")
    mend.act()
    assert nft_table.plan(system, item).changes == []
    for step in former:  # what the dead man's switch does
        undo.put_back(system, step, lambda name: b"")
    assert "accept" in net.run("h", "nft", "list", "chain", "inet", nft.TABLE, "input").splitlines()[3]

    for _again in range(2):
        for step in back:
            undo.put_back(system, step, lambda name: b"")
    assert undo.differs(system, back[0], lambda name: b"") == ""
    assert others(net) == before and nft.TABLE not in net.run("h", "nft", "list", "ruleset")


def test_text_that_does_not_load_changes_nothing(net: Namespaces, tmp_path: Path) -> None:
    item = {"kind": "nft_table", "family": nft.FAMILY, "name": nft.TABLE, "unit": firewall.UNIT, "content": "table inet x { chain y { drip } }\n"}
    plan = nft_table.plan(net.system(tmp_path), item)
    assert not plan.changes and plan.failed.startswith("nft refuses the rules")
