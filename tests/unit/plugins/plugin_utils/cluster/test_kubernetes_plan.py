# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What each member of a Kubernetes cluster needs, and what is refused before anything changes."""
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster.kubernetes_plan import (
    Member,
    Wish,
    clock,
    decide,
    label_value,
    labels,
    node_name,
    removal,
)

WISH = Wish("1.34")


def seen(place: int, *, inside: bool = False, leads: bool = False, **more: Any) -> dict[str, Any]:
    """What kube_facts tells of a node that is as it should be."""
    packages = {name: {"version": "1.34.3-1.1", "held": True} for name in ("kubeadm", "kubelet", "kubectl")}
    packages["haproxy"] = {"version": "2.6", "held": False}
    found: dict[str, Any] = {
        "apt": True, "member": inside, "control_plane": leads, "authority": "aa" if inside else "", "api_version": "1.34.3" if leads else "",
        "packages": packages if inside else {}, "node": f"k{place}" if inside else "", "swap": [], "modular": True,
        "runtime": {"socket": "/run/containerd/containerd.sock"}, "features": {"overlay": True, "br_netfilter": True},
        "ids": {"machine_id": f"id{place}"}, "addresses": [f"192.0.2.{place}/24"],
        "cluster": {"answers": True, "nodes": []} if leads else None,
    }
    return {**found, **more}


def member(place: int, role: str = "worker", **more: Any) -> Member:
    return Member(f"k{place}", role, f"192.0.2.{place}", seen(place, **more))


def refused(*members: Member, wish: Wish = WISH) -> str:
    with pytest.raises(FleetError) as told:
        decide(members, wish)
    return str(told.value)


def test_from_nothing_one_begins_and_the_others_join() -> None:
    plan = decide([member(3), member(2, "control_plane"), member(1, "control_plane")], WISH)
    assert {name: step.step for name, step in plan.hosts.items()} == {"k1": "init", "k2": "join", "k3": "join"}
    assert plan.first == "k1" and plan.begins and plan.joining == ("k3", "k2") and set(plan.coming) == {"k1", "k2", "k3"} and plan.leads_join
    assert plan.control_planes == {"k1": "192.0.2.1", "k2": "192.0.2.2"}
    assert plan.hosts["k1"].packages[:3] == ["kubeadm=1.34.*", "kubelet=1.34.*", "kubectl=1.34.*"]
    assert plan.warnings and not decide([member(1, "control_plane")], WISH).warnings


def test_a_second_run_does_nothing() -> None:
    plan = decide([member(1, "control_plane", inside=True, leads=True), member(2, inside=True)], WISH)
    assert all(not step.step and not step.packages for step in plan.hosts.values()) and not plan.coming and not plan.begins


def test_a_node_that_comes_in_takes_the_version_of_the_cluster() -> None:
    plan = decide([member(1, "control_plane", inside=True, leads=True), member(2)], WISH)
    assert plan.hosts["k2"].packages[0] == "kubeadm=1.34.3-*" and not plan.hosts["k1"].packages
    assert plan.joining == plan.coming == ("k2",) and not plan.leads_join and plan.version == "1.34.3"


def test_who_leaves_does_so_before_anything_is_asked_of_those_who_stay_or_come() -> None:
    nodes = [{"name": f"k{place}", "ip": f"192.0.2.{place}", "control_plane": True} for place in (1, 2)]
    lead = member(1, "control_plane", inside=True, leads=True, cluster={"answers": True, "nodes": nodes})
    comes = member(4, runtime={"socket": ""}, swap=["/swap"])
    plan = removal([lead, comes], ["k2", "K_3"])
    assert plan.first == "k1" and plan.leaving == ("k-3", "k2") and not plan.begins and plan.control_planes == {"k1": "192.0.2.1"}
    assert {name: step.step for name, step in plan.hosts.items()} == {"k1": "", "k4": "", "k2": "leave", "K_3": "leave"}
    with pytest.raises(FleetError, match="different clusters"):
        removal([lead, member(5, inside=True, authority="bb")], ["k2"])


def test_nobody_leaves_a_cluster_that_there_is_not() -> None:
    plan = removal([member(1, "control_plane"), member(2)], ["k3"])
    assert plan.begins and not plan.leaving and not any(step.step for step in plan.hosts.values()) and set(plan.hosts) == {"k1", "k2", "k3"}


def test_control_planes_outside_of_the_run_are_known_to_the_proxy_until_they_leave() -> None:
    nodes = [{"name": f"k{place}", "ip": f"192.0.2.{place}", "control_plane": place < 9} for place in (1, 7, 9)]
    lead = member(1, "control_plane", inside=True, leads=True, cluster={"answers": True, "nodes": nodes})
    assert decide([lead, member(2)], WISH).control_planes == {"k1": "192.0.2.1", "k7": "192.0.2.7"}
    plan = decide([lead, member(2)], WISH, ["k7", "gone"])
    assert plan.control_planes == {"k1": "192.0.2.1"} and plan.leaving == ("gone", "k7") and plan.hosts["k7"].step == "leave"


def test_what_did_not_come_to_its_end_is_done_again() -> None:
    half = {"step": {"step": "join", "finished": False}}
    plan = decide([member(1, "control_plane", inside=True, leads=True), member(2, inside=True, **half)], WISH)
    assert plan.hosts["k2"].step == "join"
    assert decide([member(1, "control_plane", inside=True, leads=True, **half)], WISH).hosts["k1"].step == "init"


def test_the_control_plane_that_answers_is_asked() -> None:
    silent = {"cluster": {"answers": False, "why": "connection refused"}}
    lost, good = member(1, "control_plane", inside=True, leads=True, **silent), member(2, "control_plane", inside=True, leads=True)
    assert decide([lost, good], WISH).first == "k2"
    assert "k1: connection refused" in refused(lost) and "ended" not in refused(lost)
    ended = member(1, "control_plane", inside=True, leads=True, **silent, certificates={"apiserver": {"days": 3}, "admin.conf": {"days": -1}})
    assert "Certificates have ended" in refused(ended)


@pytest.mark.parametrize("asked", ["1.33", "1.35", "1.34.2", "one"])
def test_a_run_that_adds_nodes_does_not_upgrade(asked: str) -> None:
    assert "kubernetes_version" in refused(member(1, "control_plane", inside=True, leads=True), member(2), wish=Wish(asked))


@pytest.mark.parametrize(("changes", "said"), [
    ({"swap": ["/dev/sda2"]}, "swaps to /dev/sda2"),
    ({"runtime": {}}, "no container runtime"),
    ({"runtime": {"socket": "/run/containerd/containerd.sock", "off": True}}, "disabled_plugins"),
    ({"modular": False, "features": {"overlay": True}}, "neither modules nor br_netfilter"),
    ({"addresses": ["192.0.2.77/24"]}, "192.0.2.2 stands on no interface"),
    ({"addresses": ["192.0.2.2/24", "10.244.7.1/24"]}, "lies in kubernetes_pod_network"),
    ({"addresses": ["192.0.2.2/24", "10.100.0.1/16"]}, "lies in kubernetes_service_network"),
    ({"ids": {"machine_id": "id1"}}, "the same machine id"),
    ({"apt": False}, "no apt"),
    ({"resolvers": ["127.0.0.1", "::1"]}, "asks only itself for names"),
    ({"inside": True, "authority": "bb"}, "different clusters"),
    ({"inside": True, "leads": True}, "is a control_plane and is to be a worker"),
    ({"inside": True, "node": "other"}, "in the cluster as other"),
])
def test_what_stands_in_the_way_is_told_before_anything_changes(changes: dict[str, Any], said: str) -> None:
    told = refused(member(1, "control_plane", inside=True, leads=True), member(2, **changes))
    assert said in told and "k2" in told.replace("2 members", "k2")


def test_all_that_stands_in_the_way_is_told_at_once() -> None:
    told = refused(Member("k1", "control_plane", "", seen(1)), Member("k2", "boss", "2001:db8::2", seen(2), clock=-99.0))
    for words in ("k1 has no fleet_cluster_ip", "k2 (boss)", "is IPv6", "99 s behind"):
        assert words in told
    assert "no member is a control_plane" in refused(member(1), member(2))
    assert "are in a cluster of which no" in refused(member(1, "control_plane"), member(2, inside=True)).replace("k2: in a", "k2 are in a")
    assert "overlap" in refused(member(1, "control_plane"), wish=Wish("1.34", pods="10.96.8.0/24"))
    assert "no IP_VS" in refused(member(1, "control_plane", modular=False), wish=Wish("1.34", proxy_mode="ipvs"))


def test_swap_is_the_operators_choice() -> None:
    assert decide([member(1, "control_plane", swap=["/swap"])], Wish("1.34", swap=True)).hosts["k1"].step == "init"


@pytest.mark.parametrize(("told", "ahead"), [(100.0, 0.0), (179.0, 0.0), (181.5, 1.5), (90.0, -10.0)])
def test_a_slow_connection_is_no_wrong_clock(told: float, ahead: float) -> None:
    assert clock(told, before=100.0, after=180.0) == ahead


def test_names_and_labels_as_kubernetes_takes_them() -> None:
    assert node_name("Web_1.Example") == "web-1.example" and label_value("eu west/1 ") == "eu-west-1"
    assert labels("aws", "eu-west-1", "") == {"topology.kubernetes.io/region": "eu-west-1", "hybridops.fleet/provider": "aws"}
