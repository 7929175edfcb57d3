# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""By which address members use each other."""
from __future__ import annotations

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster import addresses, member
from ansible_collections.hybridops.fleet.tests.unit.plugins.plugin_utils.cluster.cluster_hosts import (
    address,
    cloud,
    hidden,
    metal,
    recorded,
    seen,
    variables,
)


def test_one_domain_is_private() -> None:
    found = addresses.choose([cloud("a", private="10.0.0.1"), cloud("b", ip="203.0.113.2", private="10.0.0.2")])
    assert (found.via, found.ips["b"][4]) == ("private", "10.0.0.2")
    assert "network domain vpc-1" in found.why


def test_public_addresses_on_interfaces_serve_where_domains_differ() -> None:
    found = addresses.choose([metal("a", "198.51.100.1"), metal("b", "198.51.100.2", domain="metal:r2")])
    assert (found.via, found.ips["b"][4]) == ("public", "198.51.100.2")
    assert "metal:r1, metal:r2" in found.why


def test_an_address_behind_nat_sends_all_to_the_mesh_and_the_reason_names_it() -> None:
    found = addresses.choose([metal("m1"), cloud("aws1")])
    assert found.via == "mesh"
    assert "aws1 has none of IPv4 on an interface" in found.why


def test_equal_private_ranges_of_two_clouds_are_not_one_network() -> None:
    found = addresses.choose([cloud("a", private="10.0.0.1", domain="vpc-1"), cloud("b", private="10.0.0.2", domain="vpc-2")])
    assert found.via == "mesh"


def test_unknown_domains_are_not_one_network() -> None:
    plain = [member.read(name, {"ansible_host": ip}) for name, ip in (("a", "10.0.0.1"), ("b", "10.0.0.2"))]
    assert "domain of a, b is not known" in addresses.choose(plain).why


def test_the_node_decides_what_is_on_an_interface() -> None:
    """An operator's inventory may call a NAT address public; packets could not be listened for on it."""
    nat = metal("b", "198.51.100.2", domain="metal:r2", facts=seen(("eth0", 1500, ("10.42.0.2/24",))))
    assert addresses.choose([metal("a"), nat]).via == "mesh"


@pytest.mark.parametrize("have", ["both", "six"])
def test_the_family_is_the_first_that_all_have(have: str) -> None:
    six = [address("2001:db8::1", "private")]
    one = member.read("a", variables(*six, domain="d"))
    two = member.read("b", variables(address("2001:db8::2", "private"), *([address("10.0.0.2", "private")] if have == "both" else []), domain="d"))
    found = addresses.choose([one, two])
    assert (found.family, found.ips["b"][6]) == (6, "2001:db8::2")
    assert "none for a" in found.why


def test_what_the_operator_wrote_goes_first_for_one_and_for_all() -> None:
    one = hidden("a", fleet_cluster_ip="10.9.0.77")
    assert addresses.choose([one]).via == "given"
    mixed = addresses.choose([one, hidden("b", private="10.9.0.2")])
    assert (mixed.via, mixed.given) == ("private", {"a": "10.9.0.77"})


def test_what_is_insisted_on_is_done_or_refused_with_the_reason() -> None:
    pair = [cloud("a"), cloud("b", ip="203.0.113.2", private="10.0.0.2")]
    assert addresses.choose(pair, "mesh").via == "mesh"
    with pytest.raises(FleetError, match=r"is 'public', and a, b have none of IPv4 on an interface"):
        addresses.choose(pair, "public")


@pytest.mark.parametrize(("found", "words"), [
    ([hidden("a", fleet_cluster_ip="10.9.0.300")], "is '10.9.0.300'"),
    ([hidden("a", fleet_cluster_ip="203.0.113.9", facts=seen(("eth0", 1500, ("10.9.0.1/24",))))], "on none of its interfaces"),
    ([hidden("a"), hidden("b")], "a, b have the same address 10.9.0.1"),
    ([], "no members"),
])
def test_what_cannot_be_is_refused(found: list[member.Member], words: str) -> None:
    with pytest.raises(FleetError) as failure:
        addresses.choose(found)
    assert words in str(failure.value)


def test_a_running_cluster_keeps_its_addresses() -> None:
    running = hidden("a", facts=seen(("eth0", 1500, ("10.9.0.1/24",)), cluster={"kind": "swarm", "role": "manager", "ip": "10.9.0.1"}))
    assert addresses.choose([running, hidden("b", private="10.9.0.2")]).via == "private"
    with pytest.raises(FleetError, match=r"swarm cluster by 10\.9\.0\.1, and would now be in the mesh") as failure:
        addresses.choose([running, cloud("far")])
    assert failure.value.code == "moves"


def test_a_cluster_in_the_mesh_stays_in_it_though_one_domain_is_left() -> None:
    """Its members know each other by mesh addresses; network: mesh keeps them, auto must not move them silently."""
    facts = seen(mesh=recorded("10.213.0.5"), cluster={"kind": "swarm", "role": "manager", "ip": "10.213.0.5"})
    assert addresses.choose([hidden("a", facts=facts)], "mesh").via == "mesh"
    assert addresses.choose([hidden("a", facts=facts)]).via == "mesh"


def test_a_member_of_a_swarm_with_an_address_of_its_own_moves_nobody() -> None:
    """Most of them are right, so it joined with a wrong one; in Kubernetes, or where half of them would move, nothing tells who is right."""
    def swarm(kind: str, *now: str) -> list[member.Member]:
        return [hidden(f"n{place}", private=f"10.9.0.{place}", facts=seen(
            ("eth0", 1500, (f"10.9.0.{place}/24", f"10.8.0.{place}/24")), cluster={"kind": kind, "role": "worker", "ip": ip}))
            for place, ip in enumerate(now, 1)]

    assert addresses.choose(swarm("swarm", "10.9.0.1", "10.9.0.2", "10.8.0.3")).ips["n3"] == {4: "10.9.0.3"}
    for wrong in (swarm("kubernetes", "10.9.0.1", "10.9.0.2", "10.8.0.3"), swarm("swarm", "10.9.0.1", "10.8.0.2")):
        with pytest.raises(FleetError) as failure:
            addresses.choose(wrong)
        assert failure.value.code == "moves"
