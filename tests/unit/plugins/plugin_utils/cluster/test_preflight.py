# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who probes whom, and what the operator is told when somebody is not reached."""
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster import answer, ports, preflight
from ansible_collections.hybridops.fleet.tests.unit.plugins.plugin_utils.cluster.cluster_hosts import cloud, metal, recorded, seen

HOSTS = {name: {"ip": f"10.0.0.{number}", "ips": {"ipv4": f"10.0.0.{number}", "ipv6": f"fd00::{number}"}, "via": "private", "mtu": 1500}
         for number, name in enumerate(("m1", "m2", "w1"), 1)}
ROLES = {"m1": "control_plane", "m2": "control_plane", "w1": "worker"}
PLACES = {
    "aws1": preflight.Place("aws", "amazon", ("sg-1",), sources=("203.0.113.1",)),
    "rack1": preflight.Place("metal", "metal", firewall=True, sources=("198.51.100.1",)),
}


def asked(plan: preflight.Plan, name: str, target: str) -> set[str]:
    return {f"{row['protocol']}/{row['port']}" for row in plan.probe[name] if row["name"] == target}


def test_who_leads_is_asked_on_its_ports_by_those_who_need_them() -> None:
    plan = preflight.cluster(HOSTS, ROLES, ports.needed("kubernetes"))
    assert asked(plan, "m1", "m2") == {"tcp/6443", "tcp/2379", "tcp/2380", "tcp/10250"}
    assert asked(plan, "w1", "m1") == {"tcp/6443", "tcp/10250"}
    assert asked(plan, "m1", "w1") == {"tcp/10250"}
    assert {row["port"] for row in plan.listen["w1"]} == {10250}
    assert all(row["name"] != name for name, rows in plan.probe.items() for row in rows)


def test_swarm_needs_both_protocols_of_7946_and_further_ports_are_added_once() -> None:
    wanted = ports.needed("swarm", [{"port": "9100", "what": "metrics"}, {"port": 2377}])
    plan = preflight.cluster(HOSTS, {"m1": "manager", "m2": "worker", "w1": "worker"}, wanted)
    assert asked(plan, "w1", "m2") == {"tcp/7946", "udp/7946", "udp/4789", "tcp/9100"}
    assert asked(plan, "w1", "m1") == {"tcp/7946", "udp/7946", "udp/4789", "tcp/9100", "tcp/2377"}


@pytest.mark.parametrize("row", [{"protocol": "udp"}, {"port": 70000}, {"port": "x"}, {"port": 5, "protocol": "icmp"}])
def test_a_port_that_is_none_is_refused(row: dict[str, Any]) -> None:
    with pytest.raises(FleetError, match="is no port"):
        ports.needed("", [row])


def test_in_the_mesh_both_families_and_the_whole_size_are_tried() -> None:
    hosts = {name: {**host, "via": "mesh", "mtu": 1420} for name, host in HOSTS.items()}
    plan = preflight.cluster(hosts, dict.fromkeys(HOSTS, "member"), ports.needed(""))
    assert {(row["address"], row["protocol"], row["size"]) for row in plan.probe["w1"] if row["name"] == "m1"} == {
        ("10.0.0.1", "tcp", 0), ("10.0.0.1", "udp", 1420), ("fd00::1", "tcp", 0), ("fd00::1", "udp", 1420)}


def test_below_the_mesh_those_who_come_are_asked_by_the_addresses_that_packets_take() -> None:
    old = metal("old", facts=seen(mesh=recorded("10.213.0.9")))
    told = answer.answer([old, cloud("new"), cloud("near", ip="203.0.113.2", private="10.0.0.2")], answer.Wish())
    assert told["comers"] == ["near", "new"]
    plan = preflight.underlay(told["mesh"], told["comers"])
    assert {(name, row["name"], row["address"]) for name, rows in plan.probe.items() for row in rows} == {
        ("old", "new", "203.0.113.1"), ("old", "near", "203.0.113.2"), ("new", "near", "10.0.0.2"), ("near", "new", "10.0.0.1")}
    assert plan.listen["old"] == [] and plan.listen["new"] == [{"protocol": "udp", "port": 51820, "address": ""}]


# ------------------------------------------------------------------------------------------------- the verdict
def row(name: str, why: str = "no answer", port: int = 2377, protocol: str = "tcp", address: str = "10.0.0.9", size: int = 0) -> dict[str, Any]:
    return {"name": name, "address": address, "protocol": protocol, "port": port, "size": size, "why": why}


def said(failed: dict[str, list[dict[str, Any]]], **more: Any) -> str:
    return str(preflight.judge(failed, more.pop("listening", {}), PLACES, **more))


def test_all_well_is_nothing_to_say() -> None:
    listening = {"aws1": [{"protocol": "tcp", "port": 1, "address": "", "state": "served"}]}
    assert preflight.judge({"aws1": [], "rack1": []}, listening, PLACES) is None


def test_the_pair_the_group_and_the_missing_rule_are_named() -> None:
    text = said({"rack1": [row("aws1")]})
    assert "rack1 cannot reach aws1 on tcp 2377 (no answer by 10.0.0.9)" in text
    assert "No rule of sg-1 of aws1 (cloud amazon)" in text
    assert "{port: 2377, protocol: tcp, from: [198.51.100.1/32]}" in text


def test_metal_behind_the_fleets_own_firewall_is_told_so() -> None:
    text = said({"aws1": [row("rack1")]})
    assert "Let tcp 2377 in to rack1 from 203.0.113.1" in text and "mesh_firewall: true" in text


def test_a_refusal_of_the_host_itself_is_no_missing_rule() -> None:
    assert "aws1 refuses it itself" in said({"rack1": [row("aws1", "refused")]})


def test_nothing_through_the_mesh_is_told_as_its_own_port_below_it() -> None:
    mesh = {"rack1": {"port": 51820, "peers": [{"name": "aws1", "endpoint": "203.0.113.1:51820"}]}}
    rows = [row("aws1", port=51821, address="10.213.0.1"), row("aws1", "no answer to a datagram of 1420 bytes", 51821, "udp", "10.213.0.1", 1420)]
    text = said({"rack1": rows}, mesh=mesh)
    assert "rack1 cannot reach aws1 on udp 51820 (nothing comes through the mesh by 203.0.113.1)" in text
    assert "51821" not in text


def test_large_packets_alone_lost_are_told_as_the_mtu() -> None:
    mesh = {"rack1": {"port": 51820, "peers": [{"name": "aws1", "endpoint": "203.0.113.1:51820"}]}}
    text = said({"rack1": [row("aws1", "no answer to a datagram of 1420 bytes", 51821, "udp", "10.213.0.1", 1420)]}, mesh=mesh)
    assert "set mesh_mtu to less" in text and "sg-1" not in text


def test_who_could_not_be_asked_or_could_not_listen_is_told() -> None:
    text = said({}, silent=["gone"], listening={"aws1": [{"protocol": "tcp", "port": 80, "address": "10.0.0.1", "state": "Permission denied"}]})
    assert "gone could not be asked" in text and "aws1 cannot listen on tcp 80 of 10.0.0.1: Permission denied" in text


def test_many_pairs_do_not_make_a_wall_of_text() -> None:
    failed = {f"h{number}": [row(f"t{other}") for other in range(20)] for number in range(20)}
    text = said(failed)
    assert "and 12 more" in text and "h0, h1, h10, h11, h12 and 15 more cannot reach t0" in text


def test_a_cluster_grows_by_who_is_not_in_it_yet_and_a_mesh_by_whom_others_do_not_know() -> None:
    def grows(kind: str, network: str, **facts: Any) -> tuple[bool, bool]:
        told = answer.answer([cloud("a", facts=seen(**facts))], answer.Wish(kind=kind, network=network))
        return told["grows"], told["mesh_grows"]

    here = {"kind": "swarm", "role": "manager", "ip": "10.0.0.1"}
    assert grows("swarm", "auto") == (True, False)
    assert grows("swarm", "auto", cluster=here) == (False, False)
    assert grows("kubernetes", "auto", cluster={**here, "kind": "swarm"}) == (True, False)
    assert grows("", "mesh") == (True, True)
    assert grows("", "mesh", mesh=recorded("10.213.0.5")) == (False, False)
    assert grows("swarm", "mesh", mesh=recorded("10.213.0.5")) == (True, False)


def test_members_that_never_spoke_are_proved_again() -> None:
    """A run that failed half-way has written peers down; the next one must not take that for a proof."""
    pair = [cloud("a", facts=seen(mesh=recorded("10.213.0.5", ("b", "10.213.0.6")))),
            cloud("b", ip="203.0.113.2", facts=seen(mesh={**recorded("10.213.0.6", ("a", "10.213.0.5")), "silent": ["a"]}), domain="vpc-2")]
    assert answer.answer(pair, answer.Wish())["mesh_grows"]
    assert not answer.answer([pair[0]], answer.Wish(network="mesh"))["mesh_grows"]
