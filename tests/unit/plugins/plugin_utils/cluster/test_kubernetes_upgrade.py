# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""In which order nodes come to the next version, and what is refused."""
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster.kubernetes_plan import Member
from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster.kubernetes_upgrade import decide

NAMES = ("a", "b", "c", "w")


def cluster(*, versions: dict[str, str] | None = None, unready: str = "", cordoned: str = "", halfway: str = "", **changes: Any) -> list[Member]:
    """Control planes a, b and c, worker w, on 1.33.5 where ``versions`` says nothing else."""
    runs = dict.fromkeys(NAMES, "1.33.5") | (versions or {})
    nodes = [{"name": name, "ready": name != unready, "schedulable": name != cordoned} for name in NAMES]
    members = []
    for name in NAMES:
        leads = name != "w"
        seen = {"member": True, "control_plane": leads, "api_version": runs[name] if leads else "", "versions": {"kubelet": runs[name]},
                "cluster": {"answers": True, "nodes": nodes} if leads else None,
                "step": {"step": "upgrade", "finished": False} if name == halfway else {"step": "join", "finished": True}}
        members.append(Member(name, "control_plane" if leads else "worker", "192.0.2.1", {**seen, **changes}))
    return members


def test_control_planes_first_and_one_of_them_brings_the_cluster_along() -> None:
    plans = decide(cluster(), "1.34")
    assert plans["w"].order == ("a", "b", "c", "w") and plans["w"].first == "a"
    assert [name for name, plan in plans.items() if plan.apply] == ["a"]
    assert plans["w"].kubeadm == "kubeadm=1.34.*" and plans["w"].packages == ["kubelet=1.34.*", "kubectl=1.34.*"]
    assert decide(cluster(), "1.33.9")["a"].kubeadm == "kubeadm=1.33.9-*"


def test_after_a_failure_it_goes_on_where_it_ended() -> None:
    plans = decide(cluster(versions={"a": "1.34.3"}), "1.34")
    assert plans["a"].order == ("b", "c", "w") and not any(plan.apply for plan in plans.values())
    plans = decide(cluster(versions={"a": "1.34.3"}, halfway="a", unready="a"), "1.34")
    assert plans["a"].order == ("a", "b", "c", "w") and plans["a"].apply
    assert decide(cluster(versions={"a": "1.34.3", "b": "1.34.3"}, halfway="b"), "1.34")["b"].order == ("b", "c", "w")


def test_nothing_to_do() -> None:
    assert decide(cluster(versions=dict.fromkeys(NAMES, "1.34.3")), "1.34")["a"].order == ()
    assert decide(cluster(), "1.33.5")["a"].order == ()


def test_who_was_cordoned_stays_so() -> None:
    assert decide(cluster(cordoned="w"), "1.34")["w"].cordoned and not decide(cluster(cordoned="w"), "1.34")["b"].cordoned
    assert not decide(cluster(cordoned="w", halfway="w"), "1.34")["w"].cordoned  # it was this upgrade's


@pytest.mark.parametrize(("members", "asked", "said"), [
    (cluster(), "1.35", "one minor at a time, 1.34 comes next"),
    (cluster(), "1.32", "newer than 1.32"),
    (cluster(), "1.33.1", "newer than 1.33.1"),
    (cluster(unready="w"), "1.34", "w is not ready"),
    (cluster(member=False), "1.34", "not in the cluster"),
    (cluster(), "new", "no version"),
])
def test_what_is_refused(members: list[Member], asked: str, said: str) -> None:
    with pytest.raises(FleetError) as told:
        decide(members, asked)
    assert said in str(told.value)
