# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Pools, numbers, endpoints and MTU of the mesh."""
from __future__ import annotations

import ipaddress
import random

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster import mesh_plan, pools
from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster.member import Member
from ansible_collections.hybridops.fleet.tests.unit.plugins.plugin_utils.cluster.cluster_hosts import address, cloud, hidden, metal, recorded, seen

M6 = address("2001:db8:42::1", "public")


def plan(*found: Member, **more: int) -> mesh_plan.Plan:
    chosen = pools.pools(found, {}, "fleet")
    return mesh_plan.plan(found, chosen, pools.numbers(found, chosen, "fleet"), **more)


def link(of: mesh_plan.Plan, one: str, other: str) -> mesh_plan.Link:
    return next(row for row in of.links[one] if row.peer == other)


# ------------------------------------------------------------------------------------------------- pools
def test_the_pool_moves_when_a_network_of_a_node_overlaps_and_says_whose() -> None:
    busy = hidden("a", facts=seen(("eth0", 1500, ("10.9.0.1/24",)), routes={"10.213.7.0/24": "br-1234", "0.0.0.0/0": "eth0"}))
    found = pools.pools([busy, hidden("b")], {}, "fleet")
    assert str(found.ipv4) == pools.IPV4_POOLS[1]
    assert "10.213.0.0/16 would overlap 10.213.7.0/24 of a (br-1234)" in found.why


@pytest.mark.parametrize(("others", "expected"), [({"10.213.200.1": "far"}, 1), ({"10.0.0.0/8": "pods"}, 2), ({}, 0)])
def test_what_others_have_is_avoided(others: dict[str, str], expected: int) -> None:
    assert str(pools.pools([hidden("a")], others, "fleet").ipv4) == pools.IPV4_POOLS[expected]


def test_an_operators_pool_is_refused_when_it_overlaps_and_taken_when_not() -> None:
    with pytest.raises(FleetError, match=r"10\.9\.0\.0/16 overlaps 10\.9\.0\.1 of a"):
        pools.pools([hidden("a")], {}, "fleet", "10.9.0.0/16")
    assert str(pools.pools([hidden("a")], {}, "fleet", "10.8.0.0/24", "fd00:9::/64").ipv6) == "fd00:9::/64"


@pytest.mark.parametrize("text", ["10.8.0.0/30", "fd00::/64", "10.8.0.1/16", "pool", "10.8.0.0"])
def test_a_pool_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(FleetError, match="mesh_ipv4_pool is"):
        pools.pools([hidden("a")], {}, "fleet", text)


def test_a_running_mesh_keeps_its_pool_and_a_newcomer_in_the_way_is_refused() -> None:
    mesh = recorded("10.199.0.5", pool="10.199.0.0/16")
    old = hidden("a", facts=seen(("fleet0", 1420, ("10.199.0.5/16",)), routes={"10.199.0.0/16": "fleet0"}, mesh=mesh))
    assert str(pools.pools([old, hidden("b")], {}, "fleet").ipv4) == "10.199.0.0/16"
    with pytest.raises(FleetError, match=r"overlaps 10\.199\.3\.3 of b.*runs already"):
        pools.pools([old, hidden("b", private="10.199.3.3")], {}, "fleet")


def test_the_ipv6_pool_is_unique_local_and_different_for_each_cluster() -> None:
    found = [pools.pools([hidden("a")], {}, name).ipv6 for name in ("one", "two", "one")]
    assert found[0] == found[2] != found[1]
    assert all(one.subnet_of(ipaddress.IPv6Network("fd00::/8")) and one.prefixlen == 64 for one in found)


# ----------------------------------------------------------------------------------------------- numbers
def test_members_keep_their_address_whoever_comes_and_goes() -> None:
    """In any order of joins and departures; every member remembers itself and those that it has met."""
    chance = random.Random(7)
    chosen = pools.Pools(ipaddress.IPv4Network("10.8.0.0/27"), ipaddress.IPv6Network("fd00::/64"), "")  # thirty places: names do meet
    for _round in range(60):
        known: dict[str, int] = {}
        present: list[str] = []
        for step in range(25):
            if present and chance.random() < 0.35:
                present.remove(chance.choice(present))
            elif len(present) < 12:
                present.append(f"host{step}-{chance.random()}")
            chance.shuffle(present)
            ips = {name: f"10.8.0.{known[name]}" for name in present if name in known}
            records = {name: recorded(ip, *((other, far) for other, far in ips.items() if other != name), pool="10.8.0.0/27")
                       for name, ip in ips.items()}
            found = pools.numbers([hidden(name, facts=seen(mesh=records.get(name))) for name in present], chosen, "fleet")
            assert len(set(found.values())) == len(present)
            assert all(1 <= number <= 30 for number in found.values())
            for name in present:
                assert known.setdefault(name, found[name]) == found[name]


def test_a_member_that_is_not_in_this_run_keeps_its_number_and_one_that_left_does_not() -> None:
    chosen = pools.Pools(ipaddress.IPv4Network("10.8.0.0/28"), ipaddress.IPv6Network("fd00::/64"), "")
    names = [f"n{place}" for place in range(40)]
    newcomer = next(name for name in names if pools.first(f"fleet/{name}", chosen.numbers) == 7)
    old = hidden("old", facts=seen(mesh=recorded("10.8.0.3", ("away", "10.8.0.7"), pool="10.8.0.0/28")))
    assert pools.numbers([old, hidden(newcomer)], chosen, "fleet")[newcomer] == 8
    assert pools.numbers([old, hidden(newcomer)], chosen, "fleet", ["away"])[newcomer] == 7


def test_a_full_pool_is_refused() -> None:
    chosen = pools.Pools(ipaddress.IPv4Network("10.8.0.0/28"), ipaddress.IPv6Network("fd00::/64"), "")
    assert len(pools.numbers([hidden(f"n{place}") for place in range(14)], chosen, "fleet")) == 14
    with pytest.raises(FleetError, match="15 members do not fit"):
        pools.numbers([hidden(f"n{place}") for place in range(15)], chosen, "fleet")


# --------------------------------------------------------------------------------------------- endpoints
def test_neighbours_use_private_addresses_and_strangers_public_ones() -> None:
    found = plan(cloud("a"), cloud("b", ip="203.0.113.2", private="10.0.0.2"), metal("m"))
    assert link(found, "a", "b").endpoint == "10.0.0.2:51820"
    assert link(found, "a", "m").endpoint == "198.51.100.1:51820"
    assert link(found, "m", "a").endpoint == "203.0.113.1:51820"


def test_who_is_behind_nat_keeps_the_way_open_and_neighbours_and_public_machines_do_not() -> None:
    found = plan(cloud("a"), cloud("b", ip="203.0.113.2", private="10.0.0.2"), metal("m"), metal("n", "198.51.100.2", "10.43.0.1", domain="metal:r2"))
    assert {(one, row.peer): row.keepalive for one, rows in found.links.items() for row in rows} == {
        ("a", "b"): 0, ("b", "a"): 0, ("a", "m"): 25, ("a", "n"): 25, ("b", "m"): 25, ("b", "n"): 25, ("m", "a"): 0, ("m", "b"): 0, ("m", "n"): 0,
        ("n", "a"): 0, ("n", "b"): 0, ("n", "m"): 0}


def test_a_member_without_public_address_begins_itself() -> None:
    found = plan(hidden("inner"), metal("m"))
    assert link(found, "m", "inner").endpoint == ""
    assert (link(found, "inner", "m").endpoint, link(found, "inner", "m").keepalive) == ("198.51.100.1:51820", 25)


def test_two_that_cannot_reach_each_other_are_named() -> None:
    with pytest.raises(FleetError) as failure:
        plan(hidden("a"), hidden("b", domain="vpc-8"), metal("m"))
    assert "a (private 10.9.0.1) and b (private 10.9.0.1)" in str(failure.value)
    assert "and m" not in str(failure.value)


def test_ipv6_is_used_where_ipv4_does_not_lead_there_and_costs_twenty_bytes_more() -> None:
    six = metal("six", "2001:db8:42::6", "fd01::6", domain="r6")
    both = metal("both", "2001:db8:42::7", "fd02::7", domain="r7")
    found = plan(six, both)
    assert link(found, "six", "both").endpoint == "[2001:db8:42::7]:51820"
    assert found.mtu == 1420


@pytest.mark.parametrize(("told", "expected"), [("203.0.113.77", "203.0.113.77:51820"), ("203.0.113.77:4500", "203.0.113.77:4500"),
                                                ("2001:db8::7", "[2001:db8::7]:51820"), ("[2001:db8::7]:4500", "[2001:db8::7]:4500"),
                                                ("vpn.example.org:51820", "vpn.example.org:51820")])
def test_what_the_operator_says_of_an_endpoint_is_used(told: str, expected: str) -> None:
    assert link(plan(hidden("a", fleet_mesh_endpoint=told), hidden("b", domain="vpc-8")), "b", "a").endpoint == expected


@pytest.mark.parametrize("told", ["a b", "203.0.113.7:99999", "vpn.example.org", "10.0.0.1:1\nPostUp = true"])
def test_an_endpoint_that_is_none_is_refused(told: str) -> None:
    with pytest.raises(FleetError, match="fleet_mesh_endpoint of a"):
        plan(hidden("a", fleet_mesh_endpoint=told), hidden("b", domain="vpc-8"))


# --------------------------------------------------------------------------------------------------- MTU
@pytest.mark.parametrize(("mtus", "domains", "expected"), [
    ((1500, 1500), ("d1", "d2"), 1440), ((9001, 1500), ("d1", "d2"), 1440), ((9001, 9001), ("d1", "d2"), 1440), ((9001, 9001), ("d1", "d1"), 8941),
    ((1460, 9001), ("d1", "d2"), 1400), ((1450, 1500), ("d1", "d2"), 1390), ((1300, 1500), ("d1", "d2"), 1280)])
def test_mtu_is_that_of_the_narrowest_way_less_the_headers(mtus: tuple[int, int], domains: tuple[str, str], expected: int) -> None:
    found = [cloud(f"n{place}", ip=f"203.0.113.{place + 1}", private=f"10.0.0.{place + 1}", domain=domains[place], fleet_mtu=mtu)
             for place, mtu in enumerate(mtus)]
    assert plan(*found).mtu == expected


def test_the_nodes_own_mtu_counts_and_that_of_other_interfaces_does_not() -> None:
    facts = seen(("eth0", 1400, ("10.0.0.1/24",)), ("docker0", 576, ("172.17.0.1/16",)))
    found = plan(cloud("a", facts=facts, fleet_mtu=1500), metal("m"))
    assert found.mtu == 1340
    assert "the network of a carries 1400 bytes" in found.mtu_why
    assert plan(cloud("a", facts=facts), metal("m"), mtu=1300).mtu == 1300
