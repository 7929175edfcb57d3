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
    plan = decide(cluster(), "1.34")
    assert plan.order == ("a", "b", "c", "w") and plan.first == "a"
    assert [name for name, turn in plan.hosts.items() if turn.apply] == ["a"]
    assert plan.kubeadm == "kubeadm=1.34.*" and plan.packages == ["kubelet=1.34.*", "kubectl=1.34.*"]
    assert decide(cluster(), "1.33.9").kubeadm == "kubeadm=1.33.9-*"


def test_after_a_failure_it_goes_on_where_it_ended() -> None:
    plan = decide(cluster(versions={"a": "1.34.3"}), "1.34")
    assert plan.order == ("b", "c", "w") and not any(turn.apply for turn in plan.hosts.values())
    plan = decide(cluster(versions={"a": "1.34.3"}, halfway="a", unready="a"), "1.34")
    assert plan.order == ("a", "b", "c", "w") and plan.hosts["a"].apply
    assert decide(cluster(versions={"a": "1.34.3", "b": "1.34.3"}, halfway="b"), "1.34").order == ("b", "c", "w")


def test_nothing_to_do() -> None:
    assert decide(cluster(versions=dict.fromkeys(NAMES, "1.34.3")), "1.34").order == ()
    assert decide(cluster(), "1.33.5").order == ()


def test_who_was_cordoned_stays_so() -> None:
    plan = decide(cluster(cordoned="w"), "1.34")
    assert plan.hosts["w"].cordoned and not plan.hosts["b"].cordoned
    assert not decide(cluster(cordoned="w", halfway="w"), "1.34").hosts["w"].cordoned  # it was this upgrade's
    again = cluster(cordoned="w", step={"step": "upgrade", "finished": False, "cordoned": True})
    assert decide(again, "1.34").hosts["w"].cordoned  # it was somebody else's before the run that failed


def test_a_kubelet_that_is_too_far_away_is_refused() -> None:
    with pytest.raises(FleetError, match=r"w has kubelet 1\.30\.2, which an API of 1\.34 does not take: bring it to 1\.31"):
        decide(cluster(versions={"w": "1.30.2"}), "1.34")
    with pytest.raises(FleetError, match=r"w has kubelet 1\.35\.0, which is newer than 1\.34"):
        decide(cluster(versions={"w": "1.35.0"}), "1.34")
    assert decide(cluster(versions={"w": "1.31.2"}), "1.34").order == ("a", "b", "c", "w")


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
