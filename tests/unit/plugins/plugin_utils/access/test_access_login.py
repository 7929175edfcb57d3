# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which accounts are tried, in which order and how often."""
from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access import answers, candidates, login
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access.answers import Answer
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access.candidates import Known

DENIED = Answer(answers.DENIED, "permission denied (publickey)", server="OpenSSH_9.2p1")
OPEN = Answer(answers.OPEN, "logged in")
SILENT = Answer(answers.UNREACHABLE, "Connection refused")


@dataclasses.dataclass
class World:
    """A host and a clock. rule: (user, key, which connection) -> answer."""

    rule: Callable[[str, str, int], Answer]
    now: float = 0.0
    asked: list[tuple[str, str]] = dataclasses.field(default_factory=list)

    def connect(self, user: str, key: str) -> Answer:
        self.asked.append((user, key))
        self.now += 1
        return self.rule(user, key, len(self.asked))

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def search(self, wait: float = 60, **more: object) -> login.Search:
        return login.Search(self.connect, lambda: self.now, self.sleep, lambda text: None, wait, host="web-1", **more)  # type: ignore[arg-type]


def _known(**values: object) -> Known:
    return Known(**{"user": None, "admin": "fleet", "fleet_key": "F", "node_key": "N", **values})  # type: ignore[arg-type]


def _order(**values: object) -> list[str]:
    return [f"{row.user}/{row.key}" for row in candidates.attempts(_known(**values))]


def test_data_first_then_the_operators_words_then_the_admin_then_root_then_guesses() -> None:
    order = _order(user="debian", operator=("ops", "adm"), node={"provider": "openstack", "image": {"name": "Ubuntu 22.04"}})
    assert order[:7] == ["debian/N", "ops/N", "adm/N", "fleet/F", "debian/F", "root/N", "ubuntu/N"]
    assert len(order) == len(set(order))


def test_an_account_that_took_the_key_and_fell_silent_is_asked_again() -> None:
    world = World(lambda user, key, count: OPEN if count > 2 else Answer(answers.STALLED, "Timeout, server 203.0.113.7 not responding"))
    found = world.search().find(candidates.attempts(_known(user="debian")))
    assert found.attempt.user == "debian" and world.asked == [("debian", "N")] * 3


def test_a_finished_node_is_opened_by_the_first_connection() -> None:
    assert _order(user="fleet", node_key=None)[0] == "fleet/F"
    assert _order(node_key=None)[0] == "fleet/F"
    assert _order(user="debian", node_key=None)[:2] == ["debian/F", "fleet/F"]


def test_the_key_that_the_inventory_names_opens_a_machine_that_was_there_before() -> None:
    assert _order(user="debian", own_key="I")[:4] == ["debian/N", "fleet/F", "debian/F", "debian/I"]
    assert _order(user="debian", own_key="F") == _order(user="debian")


def test_a_name_that_is_an_option_is_not_tried() -> None:
    assert "-oProxyCommand=x/N" not in _order(user="-oProxyCommand=x")


def test_roots_answer_is_followed_at_once() -> None:
    def rule(user: str, _key: str, _count: int) -> Answer:
        if user == "root":
            return Answer(answers.REDIRECT, "", user="mystery")
        return OPEN if user == "mystery" else DENIED

    world = World(rule)
    found = world.search().find(candidates.attempts(_known()))
    assert found.attempt.user == "mystery"
    assert [user for user, _key in world.asked] == ["fleet", "root", "mystery"]


def test_each_account_once_and_guesses_bounded() -> None:
    world = World(lambda user, key, count: DENIED)
    with pytest.raises(FleetError) as failed:
        world.search(most=6).find(candidates.attempts(_known(user="debian", operator=tuple("abcdefgh"))))
    assert len(world.asked) == len(set(world.asked))
    assert [user for user, _key in world.asked] == ["debian", *"abcdefgh", "fleet", "debian"]  # root is a guess
    assert "a (access_login_candidates): permission denied" in str(failed.value)
    assert failed.value.code == "login"


def test_silence_is_waited_for_and_not_for_ever() -> None:
    world = World(lambda user, key, count: SILENT if count < 4 else OPEN)
    assert world.search().find(candidates.attempts(_known(user="debian"))).attempt.user == "debian"
    assert {user for user, _key in world.asked} == {"debian"}
    world = World(lambda user, key, count: SILENT)
    with pytest.raises(FleetError, match="no answer: within 30 s: Connection refused"):
        world.search(wait=30).find(candidates.attempts(_known(user="debian")))
    assert world.now <= 40


def test_a_host_that_falls_silent_after_refusals_may_have_banned_us() -> None:
    world = World(lambda user, key, count: DENIED if count < 3 else SILENT)
    with pytest.raises(FleetError, match="fail2ban"):
        world.search(wait=30).find(candidates.attempts(_known(user="debian")))


def test_a_young_hosts_key_may_come_late_an_old_ones_does_not() -> None:
    def rule(user: str, key: str, count: int) -> Answer:
        return OPEN if (user, key) == ("debian", "N") and count > 5 else DENIED

    young = World(rule)
    assert young.search(young=True).find(candidates.attempts(_known(user="debian"))).attempt.user == "debian"
    assert young.asked.count(("debian", "N")) <= 5
    old = World(rule)
    with pytest.raises(FleetError):
        old.search().find(candidates.attempts(_known(user="debian")))
    assert old.asked.count(("debian", "N")) == 1


def test_refusals_are_spaced_where_they_are_counted() -> None:
    counted = dataclasses.replace(DENIED, server="OpenSSH_10.0p2")
    world = World(lambda user, key, count: counted)
    with pytest.raises(FleetError):
        world.search(wait=600).find(candidates.attempts(_known(user="debian")))
    assert world.now > (len(world.asked) - 4) * login.SPACE


def test_a_bastion_that_refuses_ends_it() -> None:
    world = World(lambda user, key, count: Answer(answers.BASTION, "jump@192.0.2.1: Permission denied (publickey)."))
    with pytest.raises(FleetError, match="the bastion"):
        world.search().find(candidates.attempts(_known(user="debian")))
    assert len(world.asked) == 1
