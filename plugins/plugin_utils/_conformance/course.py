# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One cloud's way through the checks, from the first question to the last thing removed."""
from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import Catalog
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.collect import Settings
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.finding import look_up
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import Cloud
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.jobs import token_of
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.opened import Opened
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.outcomes import Making
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.actions import MARK, Actions, Order
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.requirement import Requirement
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.selection import Choice
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import Node
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.newcomer import CONNECT_TO

from . import wishes
from .checks import BY_ID, ERROR, NO, NONE, YES, Finding
from .cleaning import clean
from .guard import Budget
from .judging import Answer, of_failure
from .report import CloudReport, ordered
from .shell import Shell
from .stop import Interrupted, Stop

LOGIN_USER = "fleet-boot"
"""Account that the node's key is for where the cloud makes accounts from keys."""


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What all clouds have in common. checks: ids to ask; place: folder of the run's keys; pair: (private file, public line) of the
    node's and of the fleet's key; timeout: seconds that each wait may take; connect_to, ip_family, ssh_arguments: how nodes are
    connected to; say: told a cloud's name and a word on its progress."""

    run: str
    checks: Sequence[str]
    place: str
    pair: tuple[str, str]
    fleet_pair: tuple[str, str]
    timeout: float
    workers: int
    settings: Settings
    budget: Budget
    stop: Stop
    shell: Shell
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    connect_to: Sequence[str] = CONNECT_TO
    ip_family: str = "any"
    ssh_arguments: Sequence[str] = ()
    say: Callable[[str, str], None] = lambda cloud, word: None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Course:
    """The state that the probes share. touched: whether something may have been made. name: of the node and its key, in no other
    cloud of the run, as two of them may be one account. given: the operator's part of the requirement for this cloud.
    """

    def __init__(self, cloud: Cloud, name: str, given: Mapping[str, Any], plan: Plan) -> None:
        self.cloud = cloud
        self.plan = plan
        self.name = name
        self.wish: Requirement = wishes.wanted(self.name, plan.run, given, plan.tags, cloud.provider)
        self.findings: dict[str, Finding] = {}
        self.scope = self.wish.scope or ""
        self.catalogs: dict[str, Catalog] = {}
        self.choice: Choice | None = None
        self.first: Choice | None = None
        self.kind = "given"
        self.before: frozenset[str] = frozenset()
        self.node: Node | None = None
        self.stored = ""
        self.touched = False
        self.user: str | None = None
        self.early_keys: tuple[str, ...] | None = None
        self.keys_asked = False
        self.at_stop: Node | None = None
        self.until_running: float | None = None
        self._opened: Opened | None = None

    # -- what probes use ---------------------------------------------------------------------------------------
    def opened(self) -> Opened:
        """The cloud, opened anew for each check: an opening has an end."""
        if self._opened is None:
            self._opened = Opened(self.cloud, self.plan.settings)
        return self._opened

    def actions(self) -> Actions:
        """What can be done where the node is."""
        return self.opened().actions(self.scope)

    def making(self) -> Making:
        """How to make and wait; a wait ends at once when the run is to end."""
        return Making(timeout=self.plan.timeout, workers=self.plan.workers, settings=self.plan.settings, say=self._heard,
                      clock=self.plan.clock, sleep=self.plan.stop.sleep)

    def _heard(self, _name: str, word: str) -> None:
        if word.startswith("runs after") and self.until_running is None:
            self.until_running = self.plan.clock()
        self.plan.say(self.cloud.name, word)

    def living(self) -> Node:
        """The node. It is there, as the checks that use it need 'request'."""
        if self.node is None:
            raise AssertionError("node is known here")
        return self.node

    @property
    def own_system(self) -> bool:
        """Whether the node is a machine that came with its system, which nobody has given the node's key."""
        return self.stored == "machine" and not (self.choice and self.choice.image)

    def requirement(self) -> Requirement:
        """The node's requirement with its key."""
        if not self.stored:
            return self.wish
        return dataclasses.replace(
            self.wish, ssh_key=self.name if self.stored == "key store" else None, public_key=self.plan.pair[1], login_user=LOGIN_USER)

    def order(self, token: str | None = None) -> Order:
        """The very order by which the node was made; with another token another request."""
        choice, wish = self.choice, self.requirement()
        if choice is None:
            raise AssertionError("choice is known here")
        return Order(
            name=wish.name, image=choice.image.item if choice.image else None, flavor=choice.flavor.item,
            network=choice.network.item if choice.network else None, token=token or token_of(self.cloud, self.scope, wish.name),
            reachable=wish.network.reachable, families=choice.families, key_name=wish.ssh_key, public_key=wish.public_key,
            login_user=wish.login_user, tags={**wish.tags, MARK: wish.name}, rules=wish.rules, user_data=wish.user_data,
            disk_gib=choice.disk_gib, zone=wish.zone)

    def ours(self) -> list[Node]:
        """The living nodes that carry our mark, as the cloud lists them now."""
        return [node for answer in look_up(self.cloud, [], self.plan.settings) for node in answer.nodes
                if node.tags.get(MARK) == self.name and node.state != "deleting"]

    def listed(self) -> frozenset[str]:
        """Ids of all nodes that the cloud lists, but those on their way out."""
        return frozenset(node.id for answer in look_up(self.cloud, [], self.plan.settings) for node in answer.nodes if node.state != "deleting")

    # -- the course --------------------------------------------------------------------------------------------
    def run(self, probes: Mapping[str, Callable[[Course], Answer]]) -> CloudReport:
        """Ask every check of the plan, in the order of the probes; clean up whatever happens."""
        began = self.plan.clock()
        removed: list[str] = []
        left: list[str] = []
        try:
            self._begin()
            for check in [name for name in probes if name in self.plan.checks]:
                self._ask(check, probes[check])
        except Interrupted as end:
            for check in self.plan.checks:
                self.findings.setdefault(check, Finding(check, NONE, f"not asked: {end}"))
        except FleetError as failure:  # the cloud could not be asked at all
            for check in self.plan.checks:
                self.findings.setdefault(check, Finding(check, ERROR, str(failure)))
            self.plan.say(self.cloud.name, f"could not be asked: {failure}")
        finally:
            removed, left = self._clean()
        return CloudReport(self.cloud.name, self.cloud.provider, self.scope, ordered(self.findings, self.plan.checks),
                           self.plan.clock() - began, self._facts(), tuple(removed), tuple(left))

    def _begin(self) -> None:
        self.plan.stop.check()
        self.before = self.listed()
        self.scope = self.wish.scope or self.opened().first_scope()

    def _ask(self, check: str, probe: Callable[[Course], Answer]) -> None:
        lacks = self._lacks(check)
        if lacks:
            self.findings[check] = Finding(check, NONE, lacks)
            return
        self.plan.stop.check()
        self._opened = None
        began = self.plan.clock()
        try:
            verdict, evidence = probe(self)
        except Interrupted as end:
            self.findings[check] = Finding(check, NONE, f"not ended: {end}")
            raise
        except FleetError as failure:
            verdict, evidence = of_failure(failure.at(self.cloud.name, self.scope or None))
        except Exception as surprise:  # a defect must cost one answer, not what was made
            verdict, evidence = ERROR, f"{type(surprise).__name__}: {surprise}. This is a defect of the collection; please report it."
        seconds = self.plan.clock() - began
        self.findings[check] = Finding(check, verdict, evidence, seconds if verdict != NONE else None)
        self.plan.say(self.cloud.name, f"{BY_ID[check].label}: {verdict} ({seconds:.1f} s) {evidence}")

    def _lacks(self, check: str) -> str:
        """Why a check cannot be asked; empty when it can."""
        for needed in BY_ID[check].needs:
            found = self.findings.get(needed)
            if found is None:
                return f"needs '{BY_ID[needed].label}', which was left out"
            if found.verdict in (NO, NONE, ERROR):
                return f"needs '{BY_ID[needed].label}', which is {found.verdict}"
        return ""

    def _clean(self) -> tuple[list[str], list[str]]:
        """What was removed at the end, and what could not be."""
        gone = self.findings.get("deletion")
        if not self.touched or (gone and gone.verdict == YES):
            return [], []
        making = dataclasses.replace(self.making(), sleep=self.plan.sleep)
        return clean(self.cloud, [self.name], making)

    def _facts(self) -> dict[str, Any]:
        node, choice = self.node, self.first
        if node is None:
            return {}
        return {
            "id": node.id, "name": node.name, "zone": node.zone, "public_ipv4": node.public_ipv4, "public_ipv6": node.public_ipv6,
            "private_ipv4": node.private_ipv4, "private_ipv6": node.private_ipv6, "network_role": node.network_role,
            "login_user": node.login_user, "why": {"public_ip": node.why.public_ip, "login_user": node.why.login_user},
            "chosen": choice.as_dict() if choice else None,
        }
