# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One node for each requirement, whatever happens on the way: killed at any call, raced, full, lossy, slow."""
from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import Catalog, CatalogZone
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.ending import absent
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.finding import look_up, there
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import Filters
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.jobs import token_of
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.making import present
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.outcomes import Outcome
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.actions import MARK, Order
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.requirement import Requirement
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.fake_cloud import (
    CLOSED,
    DIRECT,
    FLAVORS,
    IMAGES,
    TENANT,
    FakeActions,
    FloatingAddress,
    Killed,
    World,
    dual,
    flavor,
    machine,
    network,
    wish,
)

SSH = {"allow": [{"port": 22}]}
Shape = Callable[[], World]


def direct() -> World:
    return World()


def floating() -> World:
    return World(Catalog(IMAGES, FLAVORS, (TENANT, CLOSED)))


def reused() -> World:
    world = floating()
    world.addresses.append(FloatingAddress("203.0.113.99", "one"))
    return world


def late() -> World:
    return World(Catalog(IMAGES, FLAVORS, (TENANT,)), looks=3, address_late=4.0)


def metal() -> World:
    return World(Catalog((), tuple(machine(f"m{number}") for number in range(4))), provider="metal")


SHAPES = (direct, floating, reused, late, metal)


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch) -> Callable[[World], World]:
    return lambda world: world.register(monkeypatch)


def run(world: World, *wishes: Requirement, **more: Any) -> list[Outcome]:
    return present(world.cloud(), wishes or [wish(security=SSH)], world.making(**more))


def words(outcomes: Sequence[Outcome]) -> list[str]:
    return [str(outcome.failure) for outcome in outcomes if outcome.failure]


def told(outcome: Outcome) -> str:
    assert outcome.failure is not None, outcome
    return str(outcome.failure)


# ------------------------------------------------------------------------------------------------ making one
@pytest.mark.parametrize("shape", SHAPES)
def test_one_node_with_an_address_and_a_second_run_changes_nothing(shape: Shape, begin: Callable[[World], World]) -> None:
    world = begin(shape())
    outcome, = run(world)
    assert not outcome.failure, told(outcome)
    assert outcome.node is not None
    assert outcome.node.public_ipv4
    assert outcome.node.tags[MARK] == "web"
    assert outcome.did[0] == f"made {outcome.node.id}"
    assert outcome.choice is not None
    before = len(world.did())
    again, = run(world)
    assert (again.changed, again.failure, again.node) == (False, None, outcome.node)
    assert len(world.did()) == before
    assert len(world.living()) == 1


def test_the_order_says_all_that_was_wished(begin: Callable[[World], World]) -> None:
    world = begin(World(Catalog(IMAGES, (flavor(disk_gib=None),), (DIRECT,), (CatalogZone("a"),))))
    run(world, wish(flavor={"vcpus": 1, "disk_gib": 20}, security=SSH, tags={"role": "web"}, zone="a", user_data="#cloud-config\n",
                    ssh_key="web", public_key="ssh-ed25519 AAAAC3 x", login_user="fleet-boot", network={"families": ["ipv4"]}))
    order = world.orders[0]
    assert (order.name, order.key_name, order.public_key, order.login_user) == ("web", "web", "ssh-ed25519 AAAAC3 x", "fleet-boot")
    assert (order.tags, order.zone, order.disk_gib, order.user_data) == ({"role": "web", MARK: "web"}, "a", 20, "#cloud-config\n")
    assert (order.families, order.reachable) == (("ipv4",), "public")
    assert order.rules is not None
    assert order.rules[0].port == 22
    assert (order.image, order.network) == (IMAGES[0], DIRECT)


def test_the_token_is_that_of_the_place_and_the_name() -> None:
    cloud = World().cloud()
    assert token_of(cloud, "one", "web") == token_of(cloud, "one", "web")
    others = {token_of(cloud, "two", "web"), token_of(cloud, "one", "web-2"), token_of(World().cloud("other"), "one", "web")}
    assert len(others | {token_of(cloud, "one", "web")}) == 4
    assert token_of(cloud, "one", "web").isalnum()


def test_twenty_nodes_are_asked_for_at_once_and_waited_for_once(begin: Callable[[World], World]) -> None:
    alone = begin(World(pending=30.0))
    run(alone, wish())
    world = begin(World(pending=30.0, meeting=threading.Barrier(20)))  # breaks unless all are inside at once
    outcomes = run(world, *(wish(f"n-{number}") for number in range(20)))
    assert words(outcomes) == []
    assert [outcome.name for outcome in outcomes] == [f"n-{number}" for number in range(20)]
    assert len({outcome.node.id for outcome in outcomes if outcome.node}) == 20
    assert world.most_inside >= 20
    assert world.now == alone.now
    assert len(world.did("catalog")) == 1


def test_no_more_requests_at_a_time_than_workers(begin: Callable[[World], World]) -> None:
    world = begin(World())
    run(world, *(wish(f"n-{number}") for number in range(12)), workers=3)
    assert world.most_inside <= 3


def test_progress_names_each_node(begin: Callable[[World], World]) -> None:
    world, lines = begin(floating()), []
    run(world, wish("a"), wish("b"), say=lambda name, word: lines.append((name, word)))
    assert {("a", "requested"), ("b", "requested"), ("a", "runs after 5 s")} <= set(lines)
    assert any(name == "b" and "allocated floating IP" in word for name, word in lines)


# ---------------------------------------------------------------------------------------------- killed anywhere
def whole(world: World, names: Sequence[str]) -> None:
    """Nothing is doubled and nothing is orphaned."""
    for name in names:
        nodes = world.living(name)
        assert len(nodes) == 1, (name, nodes)
        on = [row for row in world.addresses if row.node == nodes[0].id]
        assert len(on) == (1 if nodes[0].network and nodes[0].network.how["ipv4"] == "floating" else 0)
    assert [row for row in world.addresses if row.node is None and row.mark] == []
    assert len(world.machines) == len(names)
    assert {group for _scope, group in world.groups} <= set(names)


@pytest.mark.parametrize("kill_after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("shape", SHAPES)
def test_killed_at_every_call_and_run_again(shape: Shape, kill_after: bool, begin: Callable[[World], World]) -> None:
    for number in range(200):
        world = begin(shape())
        world.kill_at, world.kill_after = number, kill_after
        try:
            run(world)
        except Killed:
            world.revive()
        else:
            break
        outcome, = run(world)
        assert not outcome.failure, (number, told(outcome))
        assert outcome.node is not None
        assert outcome.node.public_ipv4
        whole(world, ["web"])
        last, = run(world)
        assert not last.changed, (number, last)
    assert number >= 5, "the engine was never killed"


@pytest.mark.parametrize("shape", [floating, metal])
def test_three_at_once_killed_at_every_call_and_run_again(shape: Shape, begin: Callable[[World], World]) -> None:
    wishes = [wish(name, security=SSH) for name in ("a", "b", "c")]
    for number in range(200):
        world = begin(shape())
        world.kill_at, world.kill_after = number, True
        try:
            run(world, *wishes)
        except Killed:
            world.revive()
        else:
            break
        assert words(run(world, *wishes)) == []
        whole(world, ["a", "b", "c"])
        assert len({one.flavor for one in world.living()}) == (3 if world.provider == "metal" else 1)
    assert number >= 10


@pytest.mark.parametrize("kill_after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("shape", SHAPES)
def test_an_end_killed_at_every_call_and_run_again(shape: Shape, kill_after: bool, begin: Callable[[World], World]) -> None:
    for number in range(200):
        world = begin(shape())
        run(world)
        free = [row.ip for row in world.addresses if not row.mark]
        world.calls.clear()
        world.kill_at, world.kill_after = number, kill_after
        try:
            absent(world.cloud(), ["web"], [], world.making())
        except Killed:
            world.revive()
        else:
            break
        outcome, = absent(world.cloud(), ["web"], [], world.making())
        assert not outcome.failure, (number, told(outcome))
        assert not world.living()
        assert not world.machines, "the end was not awaited"
        assert world.marked("web") == []
        assert [row.ip for row in world.addresses] == free
    assert number >= 3


@pytest.mark.parametrize("kill_after", [False, True], ids=["before", "after"])
def test_killed_while_it_cleans_up_after_a_failure(kill_after: bool, begin: Callable[[World], World]) -> None:
    for number in range(100):
        world = begin(floating())
        world.faults["web"] = "No valid host was found"
        world.kill_at, world.kill_after = number, kill_after
        try:
            run(world)
        except Killed:
            world.revive()
        else:
            break
        world.faults.clear()
        for one in world.machines.values():
            one.looks = 0
        outcome, = run(world)
        if outcome.failure:  # found pending, then in state error: told, and replaced by the next run
            assert outcome.failure.code == "node_error"
            outcome, = run(world)
        assert not outcome.failure, (number, told(outcome))
        world.sleep(100)
        whole(world, ["web"])
    assert number >= 5


# ------------------------------------------------------------------------------------------------------ races
def both(first: Callable[[], Any], second: Callable[[], Any]) -> list[Any]:
    results: list[Any] = [None, None]

    def go(number: int, act: Callable[[], Any]) -> None:
        results[number] = act()

    threads = [threading.Thread(target=go, args=pair) for pair in enumerate((first, second))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


@pytest.mark.parametrize("tokens", [True, False], ids=["token", "settled afterwards"])
@pytest.mark.parametrize("shape", [direct, floating])
def test_two_runs_at_once_end_with_one_node(shape: Shape, tokens: bool, begin: Callable[[World], World]) -> None:
    world = begin(shape())
    world.tokens, world.barrier = tokens, ("create", threading.Barrier(2))
    mine, other = both(lambda: run(world), lambda: run(world))
    assert words([*mine, *other]) == []
    whole(world, ["web"])
    assert mine[0].node.id == other[0].node.id == world.living()[0].id
    assert tokens or any("another run made" in word for outcome in (*mine, *other) for word in outcome.did)


def test_a_node_of_another_run_is_not_removed_when_this_one_fails(begin: Callable[[World], World]) -> None:
    world = begin(floating())
    world.tokens = False
    rival = world.add("web", on=TENANT, token=token_of(world.cloud(), "one", "web"), looks=1)  # not listed at the first look
    world.fails["publish"] = [FleetError("attach", why="no more addresses", code="address_pool")]
    outcome, = run(world)
    assert "no more addresses" in told(outcome)
    assert [one.id for one in world.living()] == [rival.id]
    assert outcome.left == [f"node {rival.id}", "security group web"]


def test_what_another_run_made_meanwhile_is_not_cleaned_away(begin: Callable[[World], World]) -> None:
    world = begin(floating())
    world.groups.add(("one", "web"))
    world.add("web", on=TENANT, looks=1)
    world.fails["create"] = [FleetError("make node web", why="quota of 10 instances exceeded", code="quota")]
    outcome, = run(world)
    assert "quota of 10 instances" in told(outcome)
    assert "run again to go on with it" in told(outcome)
    assert outcome.left == ["node i-1"]
    assert world.marked("web") == ["group web"]
    assert not world.did("delete", "clean")


def test_the_things_of_another_run_s_node_stay_when_this_one_goes_to_error(begin: Callable[[World], World]) -> None:
    world = begin(floating())
    world.tokens, world.faults["web"] = False, "No valid host was found"
    rival = world.add("web", on=TENANT, looks=1)
    world.addresses.append(FloatingAddress("203.0.113.7", "one", "web", rival.id))
    outcome, = run(world)
    assert "No valid host was found" in told(outcome)
    whole(world, ["web"])
    assert world.living()[0] is rival
    assert world.marked("web") == ["address 203.0.113.7", "group web"]


def test_runs_that_race_for_machines_get_different_ones(begin: Callable[[World], World]) -> None:
    world = begin(metal())
    # both have read the catalog when the first asks, so both have chosen the same machines
    once = threading.Barrier(2, action=lambda: setattr(world, "barrier", None))
    world.barrier = ("catalog", once)
    first, second = both(lambda: run(world, wish("a"), wish("b")), lambda: run(world, wish("c"), wish("d")))
    assert words([*first, *second]) == []
    assert len({one.flavor for one in world.living()}) == 4


# ------------------------------------------------------------------------------------------------ failing well
@pytest.mark.parametrize("code", ["quota", "refused", "conflict"])
def test_a_refused_creation_leaves_nothing(code: str, begin: Callable[[World], World]) -> None:
    world = begin(floating())
    world.done_first = False
    world.fails["create"] = [FleetError("make node web", why="the cloud's own words", code=code, fix="Ask.")]
    world.groups.add(("one", "web"))  # made by the request, or by an earlier run
    outcome, = run(world)
    assert told(outcome) == "cloud 'fake' (one): make node web: the cloud's own words. Ask."
    assert (world.marked("web"), outcome.left) == ([], [])
    assert len(world.did("create")) == 1
    assert outcome.did == ["removed security group web after the failure"]


def test_a_lost_answer_is_told_with_what_it_may_have_left(begin: Callable[[World], World]) -> None:
    world = begin(floating())
    world.done_first = True
    world.fails["create"] = [FleetError("make node web", why="HTTP 502", code="lost", transient=True, fix="Look there.")]
    outcome, = run(world)
    assert outcome.left == ["node i-1"]
    assert told(outcome).endswith("Look there. There is a node of that name now: run again to go on with it, or remove it with state: absent.")
    again, = run(world)
    assert not again.failure
    whole(world, ["web"])


def test_a_node_in_error_is_removed_and_the_cloud_s_words_are_told(begin: Callable[[World], World]) -> None:
    world = begin(floating())
    world.faults["web"] = "No valid host was found"
    outcome, = run(world)
    assert told(outcome) == ("cloud 'fake' (one): make node web: i-1 went to state error: No valid host was found. "
                             "Read the cloud's words; correct the requirement or ask the cloud's operator.")
    assert (world.machines, world.marked("web"), outcome.left, outcome.node) == ({}, [], [], None)


def test_it_is_kept_when_told_to(begin: Callable[[World], World]) -> None:
    world = begin(floating())
    world.faults["web"] = "No valid host was found"
    outcome, = run(world, keep_failed=True)
    assert outcome.left == ["node i-1", "security group web"]
    assert [one.id for one in world.living()] == ["i-1"]
    assert not world.did("delete", "clean")


def test_an_empty_pool_takes_the_node_with_it(begin: Callable[[World], World]) -> None:
    world = begin(floating())
    world.pool = 0
    outcome, = run(world)
    assert outcome.failure is not None
    assert outcome.failure.code == "address_pool"
    assert (world.machines, world.marked("web")) == ({}, [])


def test_an_address_that_never_shows_takes_the_node_with_it(begin: Callable[[World], World]) -> None:
    world = begin(World(address_late=10_000.0))
    outcome, = run(world)
    assert "waited 60 s for a public ipv4 address; the cloud shows: none" in told(outcome)
    assert world.machines == {}


def test_a_family_that_comes_along_unasked_loses_no_node(begin: Callable[[World], World]) -> None:
    world = begin(World(Catalog(IMAGES, FLAVORS, (dual("both", ("public", "direct"), ("external", "direct")),))))
    outcome, = run(world)
    assert not outcome.failure, told(outcome)
    assert world.now < 20
    outcome, = run(world, wish("six", network={"families": ["ipv4", "ipv6"]}))
    assert "public ipv4 and ipv6 address" in told(outcome)


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [({"pending": 1000.0}, "waited 60 s for i-1 to run; it is pending (spawning)"), ({"looks": 15, "pending": 1000.0}, "it is pending"),
     ({"looks": 19, "pending": 0.0}, None), ({"looks": 1000}, "the cloud does not know i-1 any more")])
def test_waits_are_bounded_and_say_what_was_waited_for(behaviour: dict[str, Any], said: str | None, begin: Callable[[World], World]) -> None:
    world = begin(World(**behaviour))
    outcome, = run(world)
    assert outcome.failure is None if said is None else said in told(outcome)
    assert world.now <= 300


def test_a_cleaning_that_fails_is_told_beside_the_failure(begin: Callable[[World], World]) -> None:
    world = begin(floating())
    world.faults["web"] = "No valid host was found"
    world.fails["delete"] = [FleetError("remove node", why="HTTP 503")]
    outcome, = run(world)
    assert "No valid host was found" in told(outcome)
    assert "What was made could not be removed (HTTP 503); run again with state: absent." in told(outcome)
    assert outcome.left == ["node i-1"]


def test_a_cloud_that_is_away_for_a_moment_loses_no_node(begin: Callable[[World], World]) -> None:
    world = begin(World())
    world.fails["status"] = [FleetError("read nodes", why="HTTP 503", transient=True)] * 3
    outcome, = run(world)
    assert not outcome.failure, told(outcome)
    world = begin(World())
    world.fails["status"] = [FleetError("read nodes", why="HTTP 503", transient=True)] * 1000
    outcome, = run(world)
    assert "HTTP 503" in told(outcome)


def test_a_list_that_fails_after_the_making_loses_no_node(begin: Callable[[World], World]) -> None:
    world = begin(World())
    world.lists["one"] = [None, FleetError("list nodes", why="HTTP 503", transient=True), FleetError("list nodes", why="HTTP 503", transient=True)]
    outcome, = run(world)
    assert (outcome.failure, outcome.node is not None) == (None, True)


def test_one_node_s_failure_does_not_lose_the_others(begin: Callable[[World], World]) -> None:
    world = begin(World())
    world.faults["b"] = "broken"
    outcomes = run(world, wish("a"), wish("b"), wish("c", image={"distro": "plan9"}), wish("d", scope="nowhere"), wish("e"))
    assert [bool(outcome.failure) for outcome in outcomes] == [False, True, True, True, False]
    assert "nothing fits 'plan9'" in told(outcomes[2])
    assert "the cloud has no scope 'nowhere', only one" in told(outcomes[3])
    assert sorted(one.name for one in world.living()) == ["a", "e"]


def test_a_defect_in_a_provider_is_that_node_s_failure(begin: Callable[[World], World]) -> None:
    world = begin(World())
    world.fails["confirm"] = [KeyError("ports")]
    outcomes = run(world, wish("a"), wish("b"), workers=1)
    assert [outcome.failure.code if outcome.failure else None for outcome in outcomes] == ["defect", None]
    assert "KeyError: 'ports'" in told(outcomes[0])
    assert [one.name for one in world.living()] == ["b"]


def test_a_part_of_the_cloud_that_cannot_be_asked_may_hold_the_node(begin: Callable[[World], World]) -> None:
    world = begin(World(scopes=("one", "two")))
    world.lists["two"] = [FleetError("list nodes", why="HTTP 500")]
    with pytest.raises(FleetError, match="list nodes") as caught:
        run(world, wish(scope="one"))
    assert str(caught.value) == "cloud 'fake' (two): list nodes: HTTP 500"
    assert not world.did()


def test_one_scope_of_several_that_cannot_be_used(begin: Callable[[World], World]) -> None:
    world = begin(World(scopes=("one", "two")))
    world.fails["catalog"] = [None, FleetError("read the catalog", why="HTTP 403")]
    outcomes = run(world, wish("a", scope="one"), wish("b", scope="two"), wish("c"))
    assert [outcome.failure is None for outcome in outcomes] == [True, False, True]
    assert "(two)" in told(outcomes[1])
    # after the making, another scope's trouble is nobody's
    world.lists["two"] = [None, FleetError("list nodes", why="HTTP 500")]
    outcome, = run(world, wish("d", scope="one"))
    assert not outcome.failure


def test_what_the_cloud_cannot_keep_is_told_before_anything_is_made(begin: Callable[[World], World]) -> None:
    world = begin(World(hidden_labels=True))
    outcome, = run(world, wish(tags={"bad": "x"}))
    assert "'bad' cannot be a label" in told(outcome)
    assert not world.did()


# ----------------------------------------------------------------------------------------------- choosing again
def test_a_key_that_nobody_has_is_told_before_anything_is_made(begin: Callable[[World], World]) -> None:
    world = begin(World())
    world.key_store = False
    outcome, = run(world, wish("web", ssh_key="nobody-s"))
    assert "key 'nobody-s' is not in the key ring" in told(outcome)
    assert not world.did()
    foretold, = run(world, wish("web", ssh_key="nobody-s"), check=True)  # an earlier task may have been about to make it
    assert not foretold.failure
    outcome, = run(world, wish("web", ssh_key="mine", public_key="ssh-ed25519 AAAA mine"))
    assert not outcome.failure, told(outcome)


def test_one_order_that_the_cloud_would_refuse_is_told_before_any_is_carried_out(
        begin: Callable[[World], World], monkeypatch: pytest.MonkeyPatch) -> None:
    world = begin(World())

    def check(actions: Any, order: Order) -> None:
        if order.name == "Web_1":
            raise FleetError("make node Web_1", why="no such names here", code="refused")

    monkeypatch.setattr(FakeActions, "check", check)
    bad, good = run(world, wish("Web_1"), wish("web-2"), check=True)
    assert "no such names here" in told(bad)
    assert not good.failure
    bad, good = run(world, wish("Web_1"), wish("web-2"))
    assert "no such names here" in told(bad)
    assert [one.name for one in world.living()] == ["web-2"]


def test_an_image_that_is_gone_is_replaced_by_another(begin: Callable[[World], World]) -> None:
    world = begin(World())
    world.fails["create"] = [FleetError("make node web", why="Image debian-12 could not be found", code="image_gone")]
    outcome, = run(world, wish())
    assert not outcome.failure
    assert outcome.choice is not None
    assert outcome.choice.image is not None
    assert outcome.choice.image.item.name == "debian-11"
    assert "debian-12: was there, but is gone" in outcome.choice.image.rejected
    assert world.orders[-1].image == IMAGES[1]


def test_without_another_image_the_first_choice_is_in_the_words(begin: Callable[[World], World]) -> None:
    world = begin(World())
    world.fails["create"] = [FleetError("make node web", why="Image debian-12 could not be found", code="image_gone")]
    outcome, = run(world, wish(image={"distro": "debian", "version": "12"}))
    assert "(first choice: Image debian-12 could not be found)" in told(outcome)
    assert outcome.failure is not None
    assert outcome.failure.code == "image_gone"
    assert len(world.did("create")) == 1


def zones() -> World:
    subnets = [network(f"{kind}-{zone}", zones=(zone,), default=kind == "a") for zone in ("z1", "z2") for kind in ("a", "b")]
    return World(Catalog(IMAGES, FLAVORS, tuple(subnets)), provider="aws")


def test_a_full_zone_is_left_with_all_its_subnets(begin: Callable[[World], World]) -> None:
    world = begin(zones())
    world.fails["create"] = [FleetError("make node web", why="InsufficientInstanceCapacity", code="capacity")]
    outcome, = run(world, wish())
    assert not outcome.failure
    assert world.orders[-1].network is not None
    assert world.orders[-1].network.zones == ("z2",)
    assert len(world.did("create")) == 2


def test_full_everywhere_and_full_where_it_must_be(begin: Callable[[World], World]) -> None:
    full = FleetError("make node web", why="InsufficientInstanceCapacity", code="capacity")
    world = begin(zones())
    world.fails["create"] = [full] * 9
    outcome, = run(world, wish())
    assert "(first choice: InsufficientInstanceCapacity)" in told(outcome)
    assert len(world.did("create")) == 2
    world = begin(zones())
    world.fails["create"] = [full] * 9
    outcome, = run(world, wish(zone="z1"))
    assert told(outcome).startswith("cloud 'fake' (one): make node web: InsufficientInstanceCapacity")
    assert len(world.did("create")) == 1


def test_as_many_machines_as_nodes_each_its_own(begin: Callable[[World], World]) -> None:
    world = begin(metal())
    outcomes = run(world, *(wish(f"n{number}") for number in range(4)))
    assert words(outcomes) == []
    assert len({one.flavor for one in world.living()}) == 4
    more, = run(world, wish("n9"))
    assert more.failure is not None
    assert more.failure.code == "no_match"


def test_a_machine_that_was_taken_meanwhile(begin: Callable[[World], World]) -> None:
    world = begin(metal())
    taken = FleetError("bind machine", why="taken meanwhile", code="taken")
    world.fails["create"] = [taken, None, taken]
    outcomes = run(world, wish("a"), wish("b"), workers=1)
    assert words(outcomes) == []
    assert len({one.flavor for one in world.living()}) == 2


def test_many_machines_taken_in_a_row(begin: Callable[[World], World]) -> None:
    world = begin(World(Catalog((), tuple(machine(f"m{number:02}") for number in range(15))), provider="metal"))
    world.fails["create"] = [FleetError("bind machine", why="taken meanwhile", code="taken")] * 14
    outcome, = run(world, wish())
    assert not outcome.failure
    assert world.living()[0].flavor == "m14"


# --------------------------------------------------------------------------------------- what was there before
def test_an_error_node_of_ours_is_replaced_with_what_was_made_for_it(begin: Callable[[World], World]) -> None:
    world = begin(floating())
    broken = world.add("web", on=TENANT, fault="disk on fire")
    world.addresses.append(FloatingAddress("203.0.113.7", "one", "web", broken.id))
    outcome, = run(world)
    assert not outcome.failure, told(outcome)
    assert outcome.did[:2] == [f"removed {broken.id}, which was in state error", "made i-2"]
    assert broken.id not in world.machines
    whole(world, ["web"])


def test_an_error_node_that_cannot_be_removed_loses_no_other(begin: Callable[[World], World]) -> None:
    world = begin(World())
    world.add("web", fault="disk on fire")
    world.fails["delete"] = [FleetError("remove node", why="locked")]
    outcomes = run(world, wish("web"), wish("b"))
    assert "locked" in told(outcomes[0])
    assert outcomes[0].left == ["node i-1"]
    assert outcomes[1].failure is None


def test_an_error_node_of_others_is_refused(begin: Callable[[World], World]) -> None:
    world = begin(World())
    world.add("web", ours=False, fault="disk on fire")
    outcome, = run(world)
    assert "was not made by this collection" in told(outcome)
    assert not world.did()


def test_names_that_several_machines_have_are_refused(begin: Callable[[World], World]) -> None:
    world = begin(World(scopes=("one", "two")))
    world.add("web")
    world.add("web", ours=False, scope="two")
    outcome, = run(world)
    assert "2 machines have that name: i-1 in one, i-2 in two" in told(outcome)
    assert not world.did()


@pytest.mark.parametrize("pending", [0.0, 30.0])
def test_what_ended_runs_made_twice_is_settled_by_the_next(pending: float, begin: Callable[[World], World]) -> None:
    world = begin(floating())
    world.add("web", on=TENANT, runs_at=pending)
    world.add("web", on=TENANT, runs_at=pending)
    foretold, = run(world, check=True)
    assert [word for word in foretold.did if "would remove i-2, which runs that were ended made beside i-1" in word]
    assert not world.did()
    outcome, = run(world)
    assert not outcome.failure, told(outcome)
    assert any("removed i-2" in word for word in outcome.did)
    world.sleep(100)
    assert outcome.node is not None
    assert [one.id for one in world.living()] == [outcome.node.id] == ["i-1"]
    again, = run(world)
    assert (again.failure, again.changed) == (None, False)


def test_a_node_that_gave_way_to_that_of_another_run_is_no_loss(begin: Callable[[World], World], monkeypatch: pytest.MonkeyPatch) -> None:
    world = begin(floating())
    rival = world.add("web", on=TENANT, looks=1, token="another")  # not listed at the first look
    sleep = world.sleep

    def removed_meanwhile(seconds: float) -> None:
        sleep(seconds)
        for one in world.machines.values():
            if one is not rival and one.ends is None:
                one.ends = world.now + 1

    monkeypatch.setattr(world, "sleep", removed_meanwhile)
    outcome, = run(world)
    assert not outcome.failure, told(outcome)
    assert any(f"gave way to {rival.id}" in word for word in outcome.did)
    assert outcome.node is not None
    assert [one.id for one in world.living()] == [rival.id] == [outcome.node.id]


def test_a_stranger_is_taken_as_it_is(begin: Callable[[World], World]) -> None:
    world = begin(floating())
    world.add("web", ours=False, on=CLOSED)
    outcome, = run(world)
    assert (outcome.failure, outcome.changed) == (None, False)
    assert outcome.node is not None
    assert not world.did()


def test_a_node_in_another_scope_than_the_one_asked_for(begin: Callable[[World], World]) -> None:
    world = begin(World(scopes=("one", "two")))
    world.add("web", scope="two")
    outcome, = run(world, wish(scope="one"))
    assert "i-1 of that name is in two" in told(outcome)
    same, = run(world, wish(scope="two"))
    anywhere, = run(world, wish())
    assert not same.failure
    assert not anywhere.failure
    assert not world.did()


def test_a_stopped_node_stays_so_and_only_its_tags_change(begin: Callable[[World], World]) -> None:
    world = begin(floating())
    one = world.add("web", on=TENANT, power="stopped")  # without an address, and not to be waited for
    outcome, = run(world, wish(tags={"role": "web"}))
    assert not outcome.failure
    assert outcome.did == ["tags set: role"]
    assert one.tags == {MARK: "web", "role": "web"}
    assert outcome.node is not None
    assert outcome.node.tags["role"] == "web"
    assert world.now == 0


def test_tags_nobody_asked_for_stay(begin: Callable[[World], World]) -> None:
    world = begin(World())
    world.add("web", tags={MARK: "web", "team": "shop", "role": "db"})
    outcome, = run(world, wish(tags={"role": "web"}))
    assert outcome.did == ["tags set: role"]
    assert world.living()[0].tags == {MARK: "web", "team": "shop", "role": "web"}


def test_a_running_node_without_its_address_gets_one_on_its_own_network(begin: Callable[[World], World]) -> None:
    other = network("other", "floating", "floating")
    world = begin(World(Catalog(IMAGES, FLAVORS, (TENANT, other))))
    world.add("web", on=other)
    outcome, = run(world, wish(image={"distro": "gone-since"}))  # nothing has to be chosen
    assert not outcome.failure, told(outcome)
    assert outcome.did == ["allocated floating IP 203.0.113.1"]
    assert outcome.choice is None


def test_a_running_node_on_a_network_that_gives_no_address(begin: Callable[[World], World]) -> None:
    world = begin(World(Catalog(IMAGES, FLAVORS, (TENANT, CLOSED))))
    world.add("web", on=CLOSED)
    outcome, = run(world)
    assert outcome.failure is not None
    assert outcome.failure.code == "no_address"
    assert "i-1 is there, but nothing fits 'reachable: public'; nearest: closed" in told(outcome)
    assert [one.id for one in world.living()] == ["i-1"]


def test_a_pending_node_on_metal_needs_no_other_machine(begin: Callable[[World], World]) -> None:
    world = begin(World(Catalog((), (machine("m0"),)), provider="metal"))
    world.add("web", on=machine("m0").networks[0], flavor="m0", runs_at=30.0)
    outcome, = run(world, wish())
    assert not outcome.failure, told(outcome)
    assert not outcome.changed
    assert outcome.node is not None
    assert outcome.node.state == "running" or world.now >= 30


# ----------------------------------------------------------------------------------------------------- check mode
@pytest.mark.parametrize(
    ("shape", "there_before", "changed"),
    [
        (floating, {}, ["would be made"]),
        (floating, {"on": TENANT}, ["would get a public address"]),
        (direct, {"on": DIRECT}, []),
        (direct, {"on": DIRECT, "runs_at": 50.0}, []),
        (floating, {"on": TENANT, "runs_at": 50.0}, ["would get a public address"]),
        (direct, {"on": DIRECT, "ours": False}, []),
        (direct, {"on": DIRECT, "fault": "x"}, ["would replace i-1, which is in state error", "would be made"]),
        (direct, {"on": DIRECT, "tags": {MARK: "web", "role": "db"}}, ["tags would be set: role"]),
    ])
def test_check_mode_changes_nothing_and_foretells(
    shape: Shape, there_before: dict[str, Any], changed: list[str], begin: Callable[[World], World]
) -> None:
    world = begin(shape())
    if there_before:
        world.add("web", **{"tags": {MARK: "web", "role": "web"}, **there_before} if there_before.get("ours", True) else there_before)
    tags = {"role": "web"} if there_before.get("ours", True) else {}
    outcome, = run(world, wish(tags=tags, security=SSH), check=True)
    assert outcome.did == changed
    assert not world.did()
    assert world.now == 0
    real, = run(world, wish(tags=tags, security=SSH))
    assert real.changed == outcome.changed
    assert not real.failure


def test_check_mode_tells_what_would_fail(begin: Callable[[World], World]) -> None:
    world = begin(World())
    outcomes = run(world, wish("a", image={"distro": "plan9"}), wish("b", flavor={"vcpus": 99}), wish("c"), check=True)
    assert [outcome.failure.code if outcome.failure else outcome.did for outcome in outcomes] == ["no_match", "no_match", ["would be made"]]
    assert outcomes[2].choice is not None


# --------------------------------------------------------------------------------------------------------- absent
def test_the_end_takes_all_that_was_made_and_nothing_else(begin: Callable[[World], World]) -> None:
    world = begin(floating())
    run(world, wish("web", security=SSH), wish("db", security=SSH))
    world.addresses.append(FloatingAddress("203.0.113.99", "one"))
    outcome, = absent(world.cloud(), ["web"], [], world.making())
    assert outcome.did[0].startswith("removed i-")
    assert len(outcome.did) == 3
    assert [one.name for one in world.living()] == ["db"]
    assert world.marked("web") == []
    assert len(world.marked("db")) == 2
    again, = absent(world.cloud(), ["web"], [], world.making())
    assert (again.changed, again.failure, again.node) == (False, None, None)


def test_the_end_of_many_is_awaited_once(begin: Callable[[World], World]) -> None:
    world = begin(World(dying=20.0))
    names = [f"n-{number}" for number in range(10)]
    run(world, *(wish(name) for name in names))
    before = world.now
    assert words(absent(world.cloud(), names, [], world.making())) == []
    assert not world.machines
    assert world.now - before <= 20 * 10  # each waiter moves the one clock; real time is that of one


def test_a_stranger_is_never_removed_by_its_name(begin: Callable[[World], World]) -> None:
    world = begin(World())
    world.add("web", ours=False)
    outcome, = absent(world.cloud(), ["web"], [], world.making())
    assert told(outcome) == ("cloud 'fake': remove node web: i-1 of that name was not made by this collection (no tag fleet_node). "
                             "If this machine is meant, give its id instead of its name.")
    assert not world.did()
    outcome, = absent(world.cloud(), [], ["i-1"], world.making())
    assert outcome.did == ["removed i-1"]
    assert not world.machines


def test_a_stranger_removed_by_id_takes_nothing_of_ours_along(begin: Callable[[World], World]) -> None:
    world = begin(floating())
    run(world, wish("web", security=SSH))
    world.add("web", ours=False)
    outcome, = absent(world.cloud(), [], ["i-2"], world.making())
    assert outcome.did == ["removed i-2"]
    whole(world, ["web"])


def test_a_surplus_node_removed_by_id_leaves_the_other_its_address(begin: Callable[[World], World]) -> None:
    world = begin(floating())
    run(world, wish("web", security=SSH))
    world.add("web", on=TENANT)
    outcome, = absent(world.cloud(), [], ["i-2"], world.making())
    assert not outcome.failure
    whole(world, ["web"])


def test_both_of_two_nodes_of_ours_go_with_their_name(begin: Callable[[World], World]) -> None:
    world = begin(floating())
    run(world, wish("web", security=SSH))
    world.add("web", on=TENANT)
    outcome, = absent(world.cloud(), ["web"], [], world.making())
    assert not outcome.failure, told(outcome)
    assert (world.machines, world.marked("web")) == ({}, [])


@pytest.mark.parametrize("state", ["told", "foretold"])
def test_what_is_a_renamed_node_s_stays_while_it_lives(state: str, begin: Callable[[World], World]) -> None:
    world = begin(floating())
    run(world)
    world.living()[0].name = "renamed"  # in the cloud's console; it keeps its mark
    run(world)
    before = world.marked("web")
    outcome, = absent(world.cloud(), ["renamed"], [], world.making(check=state == "foretold"))
    assert not outcome.failure, told(outcome)
    assert outcome.did == ["removed i-1" if state == "told" else "would remove i-1"]
    assert world.marked("web") == before
    absent(world.cloud(), ["renamed", "web"], [], world.making())
    world.sleep(10)
    assert (world.living(), world.marked("web")) == ([], [])


def test_what_a_killed_run_left_without_a_node_goes_too(begin: Callable[[World], World]) -> None:
    world = begin(World(scopes=("one", "two")))
    world.groups.add(("two", "web"))
    world.addresses.append(FloatingAddress("203.0.113.5", "two", "web"))
    outcome, = absent(world.cloud(), ["web"], [], world.making())
    assert sorted(outcome.did) == ["removed floating IP 203.0.113.5", "removed security group web"]


def test_an_id_that_is_not_there_is_no_failure(begin: Callable[[World], World]) -> None:
    world = begin(World())
    outcome, = absent(world.cloud(), [], ["i-99"], world.making())
    assert (outcome.failure, outcome.changed) == (None, False)


def test_the_end_foretold(begin: Callable[[World], World]) -> None:
    world = begin(floating())
    run(world, wish("web", security=SSH))
    world.calls.clear()
    outcomes = absent(world.cloud(), ["web", "nobody"], [], world.making(check=True))
    assert outcomes[0].did == ["would remove i-1", "would remove floating IP 203.0.113.1", "would remove security group web"]
    assert not outcomes[1].changed
    assert not world.did()


def test_an_end_that_fails_or_takes_too_long_keeps_the_others(begin: Callable[[World], World]) -> None:
    world = begin(World(dying=10_000.0))
    world.add("a")
    world.add("b")
    world.machines["i-2"].ends = None
    world.fails["delete"] = [FleetError("remove node", why="locked", fix="Unlock it.")]
    outcomes = absent(world.cloud(), ["a", "b"], [], world.making(workers=1))
    assert told(outcomes[0]) == "cloud 'fake' (one): remove node: locked. Unlock it."
    assert "waited 60 s for their end; i-2 is deleting (spawning)" in told(outcomes[1])


def test_an_end_rides_out_a_moment_s_trouble(begin: Callable[[World], World]) -> None:
    world = begin(World())
    world.add("a")
    world.fails["status"] = [FleetError("read nodes", why="HTTP 503", transient=True)] * 2
    outcome, = absent(world.cloud(), ["a"], [], world.making())
    assert not outcome.failure


# ---------------------------------------------------------------------------------------------------------- there
def test_nodes_that_must_be_there(begin: Callable[[World], World]) -> None:
    world = begin(World())
    world.add("a")
    world.add("b")
    world.add("b", ours=False)
    outcomes = there(world.cloud(), ["a", "b", "c"], world.making())
    assert outcomes[0].node is not None
    assert "2 machines have that name: i-2, i-3" in told(outcomes[1])
    assert "the cloud has no such node" in told(outcomes[2])


def test_a_look_up_takes_names_as_they_are_and_ignores_the_cloud_s_own_filters(begin: Callable[[World], World]) -> None:
    world = begin(World())
    world.add("web", power="stopped")
    world.add("web-2")
    cloud = world.cloud(filters=Filters(("running",), {"env": ("prod",)}, ("db-*",)))
    found = [[node.name for answer in look_up(cloud, names, world.making().settings) for node in answer.nodes] for names in (["web"], [])]
    assert found == [["web"], ["web", "web-2"]]
