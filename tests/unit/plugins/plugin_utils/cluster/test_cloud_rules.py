# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What security groups of clouds have to let in for members."""
from __future__ import annotations

from typing import Any

from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster import answer, cloud_rules, ports
from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster.member import Member
from ansible_collections.hybridops.fleet.tests.unit.plugins.plugin_utils.cluster.cluster_hosts import cloud, hidden, metal


def of_mesh(*members: Member) -> dict[str, list[dict[str, Any]]]:
    told = answer.answer(list(members), answer.Wish(network="mesh"))
    return cloud_rules.mesh({one.name: one for one in members}, told["mesh"])


def test_the_mesh_is_let_in_from_each_peer_s_addresses_and_from_nobody_else() -> None:
    found = of_mesh(cloud("a1"), cloud("g1", ip="203.0.113.2", domain="vpc-2", where="gce"), metal("m1"))
    assert found["a1"] == [{"port": 51820, "protocol": "udp", "from": ["198.51.100.1/32", "203.0.113.2/32"]}]
    assert found["g1"][0]["from"] == ["198.51.100.1/32", "203.0.113.1/32"]


def test_neighbours_come_by_their_private_addresses_too() -> None:
    found = of_mesh(cloud("a1"), cloud("a2", ip="203.0.113.2", private="10.0.0.2"), metal("m1"))
    assert found["a1"][0]["from"] == ["10.0.0.2/32", "198.51.100.1/32", "203.0.113.2/32"]


def test_a_peer_whose_address_nobody_knows_makes_it_open_to_all() -> None:
    found = of_mesh(cloud("a1"), hidden("g1"), metal("m1"))
    assert found["a1"][0]["from"] == ["0.0.0.0/0", "::/0"]
    assert found["g1"][0]["from"] == ["198.51.100.1/32", "203.0.113.1/32"]


def test_ports_of_a_cluster_are_open_to_those_who_use_them() -> None:
    hosts = {"m1": {"ip": "10.0.0.1", "role": "control_plane"}, "m2": {"ip": "10.0.0.2", "role": "control_plane"},
             "w1": {"ip": "fd00::3", "role": "worker"}}
    found = cloud_rules.cluster(hosts, ports.needed("kubernetes", [{"port": 8472, "protocol": "udp"}]))
    rows = {name: {(row["port"], row["protocol"]): row["from"] for row in rules} for name, rules in found.items()}
    assert rows["m1"] == {(6443, "tcp"): ["10.0.0.2/32", "fd00::3/128"], (2379, "tcp"): ["10.0.0.2/32"], (2380, "tcp"): ["10.0.0.2/32"],
                          (10250, "tcp"): ["10.0.0.2/32", "fd00::3/128"], (8472, "udp"): ["10.0.0.2/32", "fd00::3/128"]}
    assert set(rows["w1"]) == {(10250, "tcp"), (8472, "udp")}
    assert cloud_rules.cluster({"m1": hosts["m1"]}, ports.needed("kubernetes")) == {"m1": []}
