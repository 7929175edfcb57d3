# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who leads a cluster, and what is refused because a part of it would be cut off."""
from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._cluster import members
from ansible_collections.hybridops.fleet.tests.unit.plugins.plugin_utils.cluster.cluster_hosts import hidden, metal, recorded, seen


def leading(found: list[members.Member], kind: str = "swarm", wanted: int = 0) -> list[str]:
    return sorted(name for name, (role, _why) in members.roles(found, kind, wanted).items() if role != "worker")


@pytest.mark.parametrize(("number", "expected"), [(1, 1), (2, 1), (3, 3), (4, 3), (9, 3)])
def test_three_lead_or_one_where_there_are_fewer(number: int, expected: int) -> None:
    assert len(leading([hidden(f"n{place}") for place in range(number)])) == expected


def test_leading_members_are_spread_over_clouds_first_then_regions_then_zones() -> None:
    found = [hidden(f"a{place}", where="aws", fleet_region="r1", fleet_zone="z1") for place in range(4)]
    found += [hidden("a-other-zone", where="aws", fleet_region="r1", fleet_zone="z2"), hidden("a-other-region", where="aws", fleet_region="r2")]
    found += [hidden("b", where="gce")]
    assert leading(found, wanted=3) == ["a-other-region", "a-other-zone", "b"]
    assert leading(found, wanted=5) == ["a-other-region", "a-other-zone", "a0", "a1", "b"]


def test_the_choice_does_not_depend_on_the_order_and_no_failure_domain_has_two_more_than_another() -> None:
    found = [hidden(f"{where}{place}", where=where) for where in ("aws", "gce", "metal") for place in range(3)]
    answers = {tuple(leading(list(order), wanted=5)) for order in itertools.islice(itertools.permutations(found), 0, 300000, 20011)}
    assert len(answers) == 1
    counts = Counter(name.rstrip("0123456789") for name in answers.pop())
    assert max(counts.values()) - min(counts.values()) <= 1


def test_who_leads_already_stays_when_others_come() -> None:
    old = [hidden(f"old{place}", where="aws", facts=seen(cluster={"kind": "swarm", "role": "manager", "ip": ""})) for place in range(3)]
    assert leading([*old, *(hidden(f"new{place}", where="gce") for place in range(5))]) == ["old0", "old1", "old2"]


def test_one_that_is_lost_is_replaced_and_the_others_stay() -> None:
    old = [hidden(f"old{place}", where="aws", facts=seen(cluster={"kind": "swarm", "role": "manager", "ip": ""})) for place in range(2)]
    assert leading([*old, hidden("new", where="aws"), hidden("far", where="gce")]) == ["far", "old0", "old1"]


def test_what_is_told_is_followed_from_a_variable_or_a_tag_and_named_as_the_cluster_names_it() -> None:
    found = [hidden("a", fleet_cluster_role="manager"), hidden("b", fleet_tags={"cluster_role": "worker"}), hidden("c")]
    assert {name: role for name, (role, _why) in members.roles(found, "kubernetes").items()} == {"a": "control_plane", "b": "worker", "c": "worker"}


def test_a_worker_that_is_told_so_never_leads() -> None:
    found = [hidden("a", fleet_cluster_role="worker"), hidden("b"), hidden("c"), hidden("d")]
    assert leading(found) == ["b", "c", "d"]


def test_a_fact_of_an_earlier_play_is_no_word_of_the_operator() -> None:
    kept = {"fleet_cluster_role": "manager", "fleet_cluster_ip": "10.9.0.1", "fleet_cluster_told": {"ip": "", "role": ""}}
    one = hidden("a", **kept)
    assert (one.told_role, one.told_ip) == ("", "")
    assert hidden("a", **{**kept, "fleet_cluster_told": {"ip": "10.9.0.1", "role": "worker"}}).told_role == "worker"


@pytest.mark.parametrize(("found", "wanted", "words"), [
    ([hidden("a"), hidden("b")], 2, ["even number", "1 or 3"]),
    ([hidden("a"), hidden("b")], 3, ["is 3, and 2 members"]),
    ([hidden("a", fleet_cluster_role="manager"), hidden("b", fleet_cluster_role="manager")], 0, ["even number", "a, b"]),
    ([hidden("a", fleet_cluster_role="manager"), hidden("b")], 3, ["is 3, and 1 hosts are told", "one or the other"]),
    ([hidden("a", fleet_cluster_role="boss")], 0, ["of a is 'boss'", "manager or worker"]),
])
def test_what_cannot_be_is_refused_by_name(found: list[members.Member], wanted: int, words: list[str]) -> None:
    with pytest.raises(FleetError) as failure:
        members.roles(found, "swarm", wanted)
    assert all(word in str(failure.value) for word in words), failure.value


# ------------------------------------------------------------------------------------------------- parts
ALL = ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize(("given", "words"), [
    ({"known": [], "played": ["a"], "inventory": ["a"], "variables": {"awx_job_slice_count": "3"}}, ["slice", "to 1"]),
    ({"known": ALL, "played": ["a", "b"], "inventory": ALL, "limit": "a:b"}, ["limited to 'a:b'", "c, d, e"]),
    ({"known": ALL, "played": ["a", "b"], "inventory": ["a", "b"]}, ["3 of 5 members", "fleet_cluster_removed"]),
    ({"known": [], "played": ["a"], "inventory": ["a"], "expected": 3}, ["1 members", "says 3"]),
])
def test_a_run_on_a_part_of_the_cluster_is_refused(given: dict[str, object], words: list[str]) -> None:
    with pytest.raises(FleetError) as failure:
        members.refuse_parts(**given)  # type: ignore[arg-type]
    assert failure.value.code == "part"
    assert all(word in str(failure.value) for word in words), failure.value


@pytest.mark.parametrize("given", [
    {"known": ALL, "played": [*ALL, "f"], "inventory": [*ALL, "f"]},  # one more
    {"known": ALL, "played": ["a", "b", "c"], "inventory": ["a", "b", "c"]},  # two of five are gone
    {"known": ALL, "played": ["a"], "inventory": ["a"], "leaving": ["b", "c", "d", "e"]},
    {"known": ALL, "played": ["a", "b"], "inventory": ALL},  # the pattern of hosts leaves them out, on purpose
    {"known": [], "played": ["a"], "inventory": ALL, "limit": "a", "variables": {"awx_job_slice_count": 1}},
])
def test_what_is_meant_passes(given: dict[str, object]) -> None:
    members.refuse_parts(**given)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------- through one member
def manager(ip: str = "198.51.100.1", role: str = "manager", **more: Any) -> members.Member:
    """A manager of a running swarm by that address."""
    facts = seen(("eth0", 1500, ("198.51.100.1/24", "10.42.0.1/24")), cluster={"kind": "swarm", "role": role, "ip": ip}, **more)
    return metal("m1", facts=facts)


def test_who_joins_through_a_member_uses_the_same_kind_of_address() -> None:
    assert members.network_of(manager(), "swarm", "auto") == "public"
    assert members.network_of(manager("10.42.0.1"), "swarm", "auto") == "private"
    assert members.network_of(manager("10.42.0.1"), "swarm", "public") == "public"


def test_nobody_joins_through_a_worker_nor_a_stranger_nor_where_a_mesh_has_to_learn_of_it() -> None:
    for wrong in (manager(role="worker"), metal("m1"), metal("m1", facts=seen())):
        with pytest.raises(FleetError, match="m1, which is no manager"):
            members.network_of(wrong, "swarm", "auto")
    with pytest.raises(FleetError, match="mesh, in which each of them has to learn who is new"):
        members.network_of(manager("10.213.0.1", mesh=recorded("10.213.0.1")), "swarm", "auto")


def test_who_joins_through_a_member_is_a_worker_unless_told() -> None:
    found = members.joining([manager(), hidden("w9"), hidden("m9", fleet_cluster_role="manager")], "m1", "swarm")
    assert {name: role for name, (role, _why) in found.items()} == {"m1": "manager", "w9": "worker", "m9": "manager"}
