# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What each node of a swarm has to do, from what all of them tell."""
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster import swarm_plan
from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster.swarm_plan import Member

FRESH: dict[str, Any] = {"answers": True, "state": "inactive", "networks": [], "lacks": {}}


def row(number: int, *, leader: bool = False, manager: bool = True, state: str = "ready", labels: dict[str, str] | None = None) -> dict[str, Any]:
    return {"id": f"id{number}", "hostname": f"n{number}", "address": f"10.0.0.{number}", "state": state, "leader": leader, "labels": labels or {},
            "role": "manager" if manager else "worker", "reachability": "reachable" if manager else ""}


def seen(number: int, rows: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    """A node that is in a swarm; with rows it is a manager of it."""
    told = {"answers": True, "state": "active", "id": f"id{number}", "hostname": f"n{number}", "address": f"10.0.0.{number}", "networks": [],
            "advertised": f"10.0.0.{number}", "manager": rows is not None, "quorum": rows is not None, "nodes": rows or [], "lacks": {},
            "services": [], "cluster": {"id": "one", "pools": ["10.201.0.0/16"]} if rows is not None else {}}
    return {**told, **more}


def member(number: int, facts: dict[str, Any] | None = None, role: str = "") -> Member:
    return Member(f"n{number}", f"10.0.0.{number}", role or ("manager" if number <= 3 else "worker"), facts or FRESH)


RUNNING = [row(1), row(2, leader=True), row(3), row(4, manager=False)]


def running(**more: dict[str, Any]) -> list[Member]:
    """Three managers, of which the second leads, and a worker. more: facts of single ones by name."""
    facts = {f"n{number}": seen(number, RUNNING if number <= 3 else None) for number in range(1, 5)}
    return [member(number, more.get(f"n{number}") or facts[f"n{number}"]) for number in range(1, 5)]


# ------------------------------------------------------------------------------------------------- from nothing, and on
def test_from_nothing_the_first_manager_begins_and_all_others_join() -> None:
    plan = swarm_plan.decide([member(4), member(2), member(1), member(3)])
    assert plan.steps == {"n2": "init", "n1": "join", "n3": "join", "n4": "join"} and plan.first == "n2"


def test_in_a_swarm_that_is_right_nobody_does_anything_and_the_leader_speaks() -> None:
    plan = swarm_plan.decide(running())
    assert set(plan.steps.values()) == {"nothing"} and plan.first == "n2" and not plan.stale and not plan.notes


def test_a_new_member_joins_and_old_entries_of_its_address_or_name_go() -> None:
    rows = [*RUNNING, {**row(9, manager=False, state="down"), "address": "10.0.0.5"}]
    plan = swarm_plan.decide([member(number, seen(number, rows if number <= 3 else None)) for number in range(1, 5)] + [member(5)])
    assert plan.steps["n5"] == "join" and plan.stale == ("id9",)
    renewed = [member(1), *[member(number, seen(number, [row(1, state="down"), *RUNNING[1:]] if number <= 3 else None)) for number in range(2, 5)]]
    plan = swarm_plan.decide(renewed)
    assert plan.steps["n1"] == "join" and plan.stale == ("id1",)


def test_an_entry_that_is_ready_is_never_taken_for_an_old_one() -> None:
    rows = [*RUNNING, {**row(9, manager=False), "address": "10.0.0.5"}]
    plan = swarm_plan.decide([member(number, seen(number, rows if number <= 3 else None)) for number in range(1, 5)] + [member(5)])
    assert not plan.stale and "n9 (10.0.0.5, ready)" in plan.notes[0]


def test_managers_that_are_locked_are_unlocked_first_and_without_a_key_it_is_told() -> None:
    locked = {"answers": True, "state": "locked", "networks": [], "lacks": {}}
    plan = swarm_plan.decide(running(n3=locked), key=True)
    assert plan.doing("unlock") == ["n3"] and plan.doing("join") == []
    with pytest.raises(FleetError, match=r"n3: locked .* Give docker_swarm_unlock_key"):
        swarm_plan.decide(running(n3=locked))


# ------------------------------------------------------------------------------------------------- refusals
@pytest.mark.parametrize("managers", [0, 2, 4, 9])
def test_an_even_number_of_managers_none_or_too_many_is_refused(managers: int) -> None:
    with pytest.raises(FleetError, match=f"{managers} managers"):
        swarm_plan.decide([member(number, role="manager" if number <= managers else "worker") for number in range(1, 11)])


def test_members_need_addresses_of_their_own() -> None:
    with pytest.raises(FleetError, match="n1: no fleet_cluster_ip"):
        swarm_plan.decide([Member("n1", "", "manager", FRESH)])
    with pytest.raises(FleetError, match="n1, n2: the same fleet_cluster_ip"):
        swarm_plan.decide([Member("n1", "10.0.0.1", "manager", FRESH), Member("n2", "10.0.0.1", "worker", FRESH)])


def test_engines_that_do_not_answer_are_named_all_at_once() -> None:
    silent = {"answers": False, "state": "inactive", "error": "there is no /var/run/docker.sock: Docker does not run"}
    with pytest.raises(FleetError, match="n2, n3: Docker does not answer"):
        swarm_plan.decide([member(1), member(2, silent), member(3, silent)])


def test_two_swarms_among_the_members_are_refused() -> None:
    other = seen(3, [row(3, leader=True)], cluster={"id": "two", "pools": []})
    with pytest.raises(FleetError, match="different swarms"):
        swarm_plan.decide(running(n3=other))


def test_a_limited_run_begins_no_swarm_of_its_own() -> None:
    with pytest.raises(FleetError, match=r"limited to 'n1'.*fleet_cluster_hosts"):
        swarm_plan.decide([member(1)], limit="n1")
    assert set(swarm_plan.decide(running(), limit="n1,n2,n3,n4").steps.values()) == {"nothing"}


def test_a_lost_quorum_leads_to_the_restore() -> None:
    alone = seen(1, None, manager=True, quorum=False, error="rpc error: the swarm does not have a leader")
    with pytest.raises(FleetError, match=r"no leader.*cluster_restore"):
        swarm_plan.decide([member(1, alone), member(2), member(3)])


def test_a_node_of_a_swarm_without_managers_here_is_refused_unless_told() -> None:
    members = [member(1), member(2), member(3), member(4, seen(4))]
    with pytest.raises(FleetError, match=r"n4: in a swarm of which no manager"):
        swarm_plan.decide(members)
    assert swarm_plan.decide(members, rejoin=True).steps["n4"] == "rejoin"


def test_a_wrong_advertised_address_is_told_and_mended_on_request() -> None:
    wrong = seen(3, RUNNING, advertised="198.51.100.3")
    with pytest.raises(FleetError, match=r"n3 advertises 198\.51\.100\.3, but members use 10\.0\.0\.3"):
        swarm_plan.decide(running(n3=wrong))
    assert swarm_plan.decide(running(n3=wrong), rejoin=True).doing("rejoin") == ["n3"]


def test_the_only_manager_cannot_join_again() -> None:
    wrong = seen(1, [row(1, leader=True)], advertised="198.51.100.1")
    with pytest.raises(FleetError, match="cluster_restore"):
        swarm_plan.decide([member(1, wrong), member(4)], rejoin=True)


# ------------------------------------------------------------------------------------------------- the rest
def test_what_the_kernel_lacks_is_told_with_the_services_that_rely_on_it() -> None:
    lame = {"ingress": "the kernel has no IP_VS", "encryption": "", "overlay": ""}
    members = running(n1=seen(1, RUNNING, lacks=lame, services=[{"name": "shop", "needs": ["ingress"]}, {"name": "db", "needs": []}]))
    told = swarm_plan.lacking(members)
    assert len(told) == 1 and told[0].startswith("n1: the kernel has no IP_VS") and told[0].endswith("rely on it: shop")
    assert swarm_plan.lacking(members, ["encryption"]) == told
    with pytest.raises(FleetError, match="docker_swarm_needs"):
        swarm_plan.lacking(members, ["ingress"])


def test_the_pool_overlaps_nothing_and_stays() -> None:
    fresh = [member(1, {**FRESH, "networks": ["10.201.4.0/24"]})]
    assert swarm_plan.address_pool(fresh, [], ["10.202.0.0/15"])[0] == ["10.204.0.0/16"]
    assert swarm_plan.address_pool(running(), [], [])[0] == ["10.201.0.0/16"]
    pools, why = swarm_plan.address_pool(running(), [], ["10.201.9.0/24"])
    assert pools == ["10.201.0.0/16"] and "10.201.9.0/24" in why
    with pytest.raises(FleetError, match="overlaps"):
        swarm_plan.address_pool(fresh, ["10.201.0.0/16"], [])


def test_upgrades_end_with_the_leader_and_backups_spare_it() -> None:
    assert swarm_plan.upgrade_order(running()) == ["n4", "n1", "n3", "n2"]
    assert swarm_plan.backup_node(running()) == "n1"
    assert swarm_plan.backup_node([member(1, seen(1, [row(1, leader=True)])), member(4, seen(4))]) == "n1"
    with pytest.raises(FleetError, match="none of the hosts is a manager"):
        swarm_plan.backup_node([member(4, seen(4))])


def test_a_copy_comes_back_under_its_address() -> None:
    rows = [{"name": "n1", "ip": "10.0.0.1", "role": "manager"}, {"name": "n4", "ip": "10.0.0.4", "role": "worker"}]
    assert swarm_plan.restore_node(rows, "10.0.0.1") == "n1"
    for address in ("10.0.0.4", "10.0.0.9", ""):
        with pytest.raises(FleetError, match="fleet_cluster_ip"):
            swarm_plan.restore_node(rows, address)


def test_wishes_name_managers_first_and_take_away_what_nobody_tells() -> None:
    members = [*running()[3:], *running()[:3]]
    wanted = {one.name: {"labels": {"provider": "aws", "zone": None}, "availability": "drain" if one.name == "n1" else ""} for one in members}
    told = swarm_plan.wishes(members, wanted)
    assert [one["id"] for one in told] == ["id1", "id2", "id3", "id4"]
    assert told[0] == {"id": "id1", "role": "manager", "labels": {"provider": "aws", "zone": None}, "availability": "drain"}
    assert told[3]["availability"] is None and told[3]["role"] == "worker"
    assert swarm_plan.wishes([member(1)], {}) == []


def test_those_who_leave_are_found_by_id_name_or_address_but_never_a_member() -> None:
    rows = [*RUNNING, row(7, manager=False, state="down"), row(8, manager=False)]
    members = [member(number, seen(number, rows if number <= 3 else None)) for number in range(1, 5)]
    assert [one["id"] for one in swarm_plan.leaving(members, {"old": ["n7"], "other": ["10.0.0.8"], "n4": ["id4"]})] == ["id7", "id8"]


# ------------------------------------------------------------------------------------------------- through one manager, without the others
def through(*coming: Member, rows: list[dict[str, Any]] | None = None, **more: Any) -> swarm_plan.Plan:
    """The second manager is asked; the members that are there are rows."""
    return swarm_plan.decide([member(2, seen(2, rows or RUNNING)), *coming], limit="n5", through="n2", **more)


def test_a_worker_joins_through_one_manager_and_nothing_is_said_of_members_that_were_not_asked() -> None:
    plan = through(member(5))
    assert plan.first == "n2" and plan.steps == {"n2": "nothing", "n5": "join"} and not plan.notes and not plan.stale


def test_managers_that_join_through_one_are_counted_with_those_that_are_there() -> None:
    with pytest.raises(FleetError, match="4 managers"):
        through(member(5, role="manager"))
    assert through(member(5, role="manager"), member(6, role="manager")).doing("join") == ["n5", "n6"]
    lost = [row(1, state="down"), *RUNNING[1:]]
    with pytest.raises(FleetError, match="4 managers"):
        through(member(5, role="manager"), rows=lost)
    assert through(member(5, role="manager"), rows=lost, going={"id1"}).doing("join") == ["n5"]


def test_a_manager_with_a_new_disk_takes_its_own_place_among_them() -> None:
    plan = through(member(1), rows=[row(1, state="down"), *RUNNING[1:]])
    assert plan.stale == ("id1",) and plan.steps["n1"] == "join"


def test_whoever_is_no_manager_lets_nobody_join_and_a_limit_says_how_it_could_be() -> None:
    with pytest.raises(FleetError, match="n2: no manager of a swarm"):
        swarm_plan.decide([member(2, seen(2)), member(5)], through="n2")
    with pytest.raises(FleetError, match="fleet_cluster_through"):
        swarm_plan.decide([member(1)], limit="n1")


def test_who_leaves_is_only_looked_for_where_somebody_does() -> None:
    lost = [member(1, seen(1, RUNNING, quorum=False))]
    assert swarm_plan.leaving(lost, {}) == []


def test_whoever_an_ended_run_has_drained_is_known_by_the_label() -> None:
    rows = [row(1, labels={"fleet.drained": "active"}), *RUNNING[1:3], row(4, manager=False, labels={"zone": "a"})]
    assert swarm_plan.halfway([member(number, seen(number, rows if number <= 3 else None)) for number in range(1, 5)]) == ["n1"]
    assert swarm_plan.halfway([member(1)]) == []


def test_a_leader_with_a_wrong_address_lets_another_speak_while_it_leaves() -> None:
    plan = swarm_plan.decide(running(n2=seen(2, RUNNING, advertised="192.0.2.2")), rejoin=True)
    assert plan.steps["n2"] == "rejoin" and plan.old == ("id2",) and plan.first in ("n1", "n3")


def test_a_manager_whose_engine_does_not_answer_is_known_by_its_address_and_comes_first() -> None:
    rows = [row(1, labels={"fleet.drained": "active"}), *RUNNING[1:]]
    silent = member(1, {"answers": False, "state": "inactive", "id": "", "manager": False, "error": "no answer"})
    found = [silent, *[member(number, seen(number, rows if number <= 3 else None)) for number in range(2, 5)]]
    assert swarm_plan.halfway(found) == ["n1"]
    assert swarm_plan.upgrade_order(found) == ["n1", "n4", "n3", "n2"]
