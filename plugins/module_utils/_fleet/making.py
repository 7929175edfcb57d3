# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Steps 3 to 5: from requirements to nodes with an address. The order of steps, the same on every cloud.

Safe to be run again after an end at any moment, and beside itself: a node is looked up by its name before it is asked for,
the request carries a token that stays the same, everything made for it carries its mark, and what a failed creation has made
is removed. Many nodes are asked for at the same time and waited for together.
"""
from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from .arriving import Arrivals
from .catalog import Catalog, CatalogFlavor
from .ending import wait_gone
from .errors import FleetError
from .finding import GONE, exactly, has_address, living, look_in, nodes_of, tag_changes
from .fleet_file import Cloud
from .jobs import Job, all_of_one, fail, no_address, not_to_be_had, token_of
from .network_choice import networks_of, pick_network
from .opened import Opened
from .outcomes import POLL, Making, Outcome, at_once, failures_into
from .providers.actions import MARK, Order
from .requirement import NetworkWish, Requirement
from .selection import Choice, choose
from .shape import Node

REPICKS = 8  # other choices tried when a chosen image or zone turns out not to be had
CLEAN_UP = 180.0  # seconds left for removing what a failed creation has made
SHOWN = 60.0  # seconds at most until the cloud's list shows what was made, once it runs
CHOOSE_AGAIN = ("image_gone", "taken", "capacity")
EXTRA = 10.0  # seconds for an address of a family that comes along unasked
_LIKELIEST = {"running": 0, "pending": 1}  # of several nodes with one name, the one to go on with until the provider has settled it


def present(cloud: Cloud, requirements: Sequence[Requirement], making: Making) -> list[Outcome]:
    """One node for each requirement, whatever was there before. Failures are in the outcomes, so that one lost node does
    not lose the others; raises FleetError only when the cloud as a whole could not be asked, before anything was made."""
    return _Present(cloud, making).run(requirements)


class _Present:
    def __init__(self, cloud: Cloud, making: Making) -> None:
        self.cloud = cloud
        self.making = making
        self.opened = Opened(cloud, making.settings)
        self.began = making.clock()
        self.lock = threading.Lock()
        self.bound: dict[tuple[str, str], str] = {}  # on metal: (scope, machine) -> name of the node that takes it
        self.choices: dict[Any, tuple[Catalog, Choice]] = {}

    def run(self, requirements: Sequence[Requirement]) -> list[Outcome]:
        names = [requirement.name for requirement in requirements]
        found = living(look_in(self.opened, names=names))
        jobs = [self._job(requirement, found.get(requirement.name, [])) for requirement in requirements]
        todo = [job for job in jobs if not job.outcome.failure and not self._settled(job)]
        if not self.making.check:
            self._each([job for job in todo if job.broken], self._replace)
        self._choose_all([job for job in todo if not job.outcome.failure])
        if self.making.check:
            self._each(jobs, self._foretell)
            return [job.outcome for job in jobs]
        self._each([job for job in todo if not job.node_id], self._create)
        Arrivals(self.opened, self.making, self.began).wait([job for job in todo if not job.outcome.failure])
        self._each(todo, self._finish)
        self._each([job for job in jobs if job.existed], self._tags)
        self._read_again([job for job in jobs if (job.order or job.outcome.changed) and not job.outcome.failure])
        at_once([job for job in todo if job.outcome.failure], self._clean_up, self.making.workers)
        return [job.outcome for job in jobs]

    def _each(self, jobs: Sequence[Job], act: Callable[[Job], None]) -> None:
        """Do it for all that have not failed, at the same time; what goes wrong with one is its own failure."""
        def go(job: Job) -> None:
            with failures_into(job.outcome, self.cloud, job.scope):
                act(job)

        at_once([job for job in jobs if not job.outcome.failure], go, self.making.workers)

    # -- before anything is made -------------------------------------------------------------------------------
    def _job(self, requirement: Requirement, found: list[tuple[str, Node]]) -> Job:
        job = Job(requirement, Outcome(requirement.name))
        with failures_into(job.outcome, self.cloud, None):
            job.scope = self._scope(requirement)
            if len(found) > 1 and not all_of_one(found, requirement.name):
                told = ", ".join(f"{node.id} in {scope}" if scope else node.id for scope, node in found)
                raise FleetError(
                    f"make node {requirement.name}", code="ambiguous", why=f"{len(found)} machines have that name: {told}",
                    fix="Remove or rename all but one, or choose another name.")
            if found:
                scope, node = min(found, key=lambda place: _LIKELIEST.get(place[1].state, len(_LIKELIEST)))
                job.twins = tuple(other.id for _scope, other in found) if len(found) > 1 else ()
                if requirement.scope and scope != requirement.scope:
                    raise FleetError(
                        f"make node {requirement.name}", code="exists", why=f"{node.id} of that name is in {scope}",
                        fix="Choose another name (it is unique within a cloud), leave 'scope' out to use that node, or remove it.")
                job.scope, job.node_id, job.outcome.node, job.existed = scope, node.id, node, True
        return job

    def _scope(self, requirement: Requirement) -> str:
        if not requirement.scope:
            return self.opened.first_scope()
        if requirement.scope not in self.opened.scopes:
            raise FleetError(
                f"make node {requirement.name}", code="scope",
                why=f"the cloud has no scope '{requirement.scope}', only {', '.join(self.opened.scopes)}",
                fix="Correct 'scope' (a region, project or source of the cloud's entry in the fleet file).")
        return requirement.scope

    def _settled(self, job: Job) -> bool:
        """Whether nothing is to be made: the node is there, with the address that was asked for. A node that is not ours is
        taken as it is."""
        node = job.outcome.node
        if node is None:
            return False
        ours = MARK in node.tags
        if job.twins and node.state in _LIKELIEST:
            return False
        if node.state == "error":
            if not ours:
                fail(self.cloud, job, FleetError(
                    f"make node {job.name}", code="exists", fix="Remove it, or choose another name.",
                    why=f"machine {node.id} of that name is in state error and was not made by this collection"))
                return True
            job.broken, job.node_id, job.outcome.node, job.existed = node.id, None, None, False
            if self.making.check:
                job.outcome.did.append(f"would replace {node.id}, which is in state error")
            return False
        wants_address = job.requirement.network.reachable == "public" and node.state == "running"
        return not (ours and (node.state == "pending" or (wants_address and not has_address(node, job.requirement, job.families))))

    def _replace(self, job: Job) -> None:
        if job.broken is None:
            raise AssertionError("broken is known here")
        try:
            self._remove(job, job.broken)
        except FleetError:
            job.outcome.left = [f"node {job.broken}"]
            raise
        job.outcome.did.append(f"removed {job.broken}, which was in state error")

    def _choose_all(self, jobs: Sequence[Job]) -> None:
        """Choose for every node; on metal each takes a machine of its own."""
        for scope in dict.fromkeys(job.scope for job in jobs):
            mine = [job for job in jobs if job.scope == scope]
            try:
                catalog = self._catalog(scope, mine)
            except FleetError as failure:
                for job in mine:
                    fail(self.cloud, job, failure)
                continue
            for job in mine:
                with failures_into(job.outcome, self.cloud, scope):
                    self.opened.actions(scope).adapted_tags(job.requirement.tags)  # what the cloud cannot keep is told before it is asked
                    if job.existed:
                        self._as_it_is(job, catalog)
                    else:
                        self._choose(job, catalog)
                        self._check(job)

    def _check(self, job: Job) -> None:
        """What would be refused for sure, or give a node that nobody can log in to."""
        order, actions = job.order, self.opened.actions(job.scope)
        if order is None:
            raise AssertionError("order is known here")
        actions.check(order)
        # in check mode the key may be one that an earlier task would have made
        if order.key_name and not order.public_key and not actions.key_store and not self.making.check:
            raise FleetError(
                f"make node {job.name}", why=f"key '{order.key_name}' is not in the key ring of this controller, and the cloud keeps none by name",
                code="no_key", fix="Make it with module ssh_key first, or give 'public_key'.")

    def _catalog(self, scope: str, jobs: Sequence[Job]) -> Catalog:
        new = [job for job in jobs if not job.existed]
        words = tuple(dict.fromkeys(word for job in new for word in job.requirement.image.words()))
        return self.opened.actions(scope).catalog(frozenset(("images", "flavors", "networks") if new else ("networks",)), words)

    def _choose(self, job: Job, catalog: Catalog) -> None:
        requirement = job.requirement
        with self.lock:
            choice = self._choice(job, catalog)
            if self.cloud.provider == "metal":
                self.bound = {place: name for place, name in self.bound.items() if name != job.name}
                self.bound[job.scope, choice.flavor.item.id] = job.name
        job.outcome.choice = choice
        job.order = self._order(
            job, choice.flavor.item, families=choice.families, image=choice.image.item if choice.image else None,
            network=choice.network.item if choice.network else None, disk_gib=choice.disk_gib, zone=requirement.zone)

    def _choice(self, job: Job, catalog: Catalog) -> Choice:
        """Nodes that are alike get the same choice, but on metal, where each machine is had once."""
        wish = job.requirement
        bound = {machine for (scope, machine), name in self.bound.items() if scope == job.scope and name != job.name}
        without = frozenset(job.without | bound)
        key = id(catalog), wish.image, wish.flavor, wish.network, wish.zone, without
        if key not in self.choices:
            self.choices[key] = catalog, choose(
                wish, catalog, provider=self.cloud.provider, without=without, operator_login=self.cloud.login_user)
        return self.choices[key][1]

    def _order(self, job: Job, flavor: CatalogFlavor, *, families: tuple[str, ...], **chosen: Any) -> Order:
        requirement = job.requirement
        return Order(
            name=requirement.name, flavor=flavor, token=token_of(self.cloud, job.scope, requirement.name), families=families,
            reachable=requirement.network.reachable, key_name=requirement.ssh_key, public_key=requirement.public_key,
            login_user=requirement.login_user, tags={**requirement.tags, MARK: requirement.name}, rules=requirement.rules,
            user_data=requirement.user_data, **chosen)

    def _as_it_is(self, job: Job, catalog: Catalog) -> None:
        """The order that a node which is there answers to: on its own network, whatever would be chosen today."""
        node, wish = job.outcome.node, job.requirement.network
        if node is None:
            raise AssertionError("node is known here")
        networks = networks_of(node, catalog.networks)
        families = wish.families or ("ipv4",)
        network = None
        if networks:
            try:
                pick, families = pick_network(NetworkWish(None, wish.reachable, wish.families), networks)
            except FleetError as failure:
                raise FleetError(f"reach node {job.name}", why=f"{node.id} is there, but {failure.why}", code="no_address",
                                 fix="Remove it and run again, or ask for what its network gives.") from None
            network = pick.item
            if not wish.families:  # it has what it has; what is missing is an address to attach, or the first that its network gives
                families = tuple(family for family in families if network.how.get(family) == "floating") or families[:1]
        metal = self.cloud.provider == "metal"
        flavor = CatalogFlavor(node.id if metal else node.flavor or "", node.name or "" if metal else node.flavor or "", None, None)
        job.order = self._order(job, flavor, families=families, image=None, network=network, zone=node.zone)

    def _foretell(self, job: Job) -> None:
        did, node = job.outcome.did, job.outcome.node
        if node is None:
            did.append("would be made")
            return
        order = job.order
        if order and order.reachable == "public" and not has_address(node, job.requirement, job.families):
            attached = order.network is not None and any(order.network.how.get(family) == "floating" for family in order.families)
            if attached or node.state == "running":  # the address of a pending one may still come by itself
                did.append("would get a public address")
        did += [f"would remove {twin}, which runs that were ended made beside {node.id}" for twin in job.twins if twin != node.id]
        changes = tag_changes(node, self.opened.actions(job.scope).adapted_tags(job.requirement.tags))
        if changes:
            did.append(f"tags would be set: {', '.join(sorted(changes))}")

    # -- making ------------------------------------------------------------------------------------------------
    def _create(self, job: Job) -> None:
        """Ask for the node; when what was chosen cannot be had, choose again without it."""
        first: FleetError | None = None
        for attempt in range(10_000 if self.cloud.provider == "metal" else REPICKS + 1):
            order = job.order
            if order is None:
                raise AssertionError("order is known here")
            try:
                self.making.say(job.name, "requested" if first is None else f"requested, choice {attempt + 1}")
                job.asked = True
                job.node_id = self.opened.actions(job.scope).create(order)
                job.outcome.did.append(f"made {job.node_id}")
                return
            except FleetError as failure:
                first = first or failure
                self._choose_again(job, order, failure, first)
        if first is None:
            raise AssertionError("first is known here")
        raise first

    def _choose_again(self, job: Job, order: Order, failure: FleetError, first: FleetError) -> None:
        """Raises the failure when choosing again would not help, and one with the first failure's words when nothing is left."""
        if failure.code not in CHOOSE_AGAIN:
            raise failure
        try:
            catalog = self._catalog(job.scope, [job])
            lost = not_to_be_had(failure.code, order, self.cloud.provider, catalog) - job.without
            if lost:
                job.without |= lost
                self.making.say(job.name, f"{failure.why or failure.what}; choosing again")
                self._choose(job, catalog)
                return
        except FleetError as nothing:
            raise FleetError(nothing.what, why=f"{nothing.why} (first choice: {first.why or first.what})", fix=nothing.fix, code=first.code) from None
        raise failure

    def _finish(self, job: Job) -> None:
        """The node runs: settle who made it, see to its address."""
        actions = self.opened.actions(job.scope)
        if job.order is None or job.node_id is None:
            raise AssertionError("order is known here")
        right = actions.confirm(job.order, job.node_id)
        if right != job.node_id:
            job.outcome.did.append(f"another run made {right} at the same time; removed {job.node_id}")
            job.node_id, job.others = right, True
        surplus = [twin for twin in job.twins if twin not in (right, job.node_id)]
        for twin in surplus:
            actions.delete(twin)
            job.outcome.did.append(f"removed {twin}, which a run that was ended had made beside {right}")
        if surplus:
            wait_gone(actions, surplus, CLEAN_UP, self.making)
        word = actions.publish(job.order, job.node_id)
        if word:
            job.outcome.did.append(word)
            self.making.say(job.name, word)

    # -- after a failure ---------------------------------------------------------------------------------------
    def _clean_up(self, job: Job) -> None:
        """Remove what this run has made for a node that failed; a node that was there before, or is another run's, stays."""
        outcome, failure = job.outcome, job.outcome.failure
        if failure is None:
            raise AssertionError("failure is known here")
        if not job.asked and not job.existed:
            return
        try:
            if self.making.keep_failed or job.existed or job.others:
                outcome.left = ([f"node {job.node_id}"] if job.node_id else []) + self.opened.actions(job.scope).leftovers(job.name)
            elif job.node_id:
                words = self._remove(job, job.node_id)
                outcome.did += [f"removed {word} after the failure" for word in (job.node_id, *words)]
                outcome.node = None
            else:
                self._clean_unknown(job, failure)
        except Exception as trouble:  # whatever it is, the failure that led here is the one to tell
            outcome.left = outcome.left or ([f"node {job.node_id}"] if job.node_id else [])
            told = (trouble.why or trouble.what) if isinstance(trouble, FleetError) else f"{type(trouble).__name__}: {trouble}"
            _add(failure, f"What was made could not be removed ({told}); run again with state: absent.")

    def _clean_unknown(self, job: Job, failure: FleetError) -> None:
        """After a request that failed. It may have been carried out all the same, or by another run: such a node stays."""
        there = living(look_in(self.opened, names=[job.name])).get(job.name)
        if there:
            job.outcome.left = [f"node {node.id}" for _scope, node in there]
            _add(failure, "There is a node of that name now: run again to go on with it, or remove it with state: absent.")
            return
        job.outcome.did += [f"removed {word} after the failure" for word in self.opened.actions(job.scope).clean(job.name)]

    def _remove(self, job: Job, node_id: str) -> list[str]:
        """Remove a node and what was made for it, unless another run has made a node of that name meanwhile: then it is its."""
        actions = self.opened.actions(job.scope)
        actions.delete(node_id)
        wait_gone(actions, [node_id], CLEAN_UP, self.making)
        rows = living(look_in(self.opened, names=[job.name])).get(job.name, [])
        if any(node.id != node_id for _scope, node in rows):
            return []
        return actions.clean(job.name)

    # -- at the end --------------------------------------------------------------------------------------------
    def _tags(self, job: Job) -> None:
        """Bring the tags of a node that was there before into line; those nobody asked for stay."""
        node = job.outcome.node
        if node is None:
            raise AssertionError("node is known here")
        actions = self.opened.actions(job.scope)
        changes = tag_changes(node, actions.adapted_tags(job.requirement.tags))
        if changes and actions.tag(node.id, changes):
            job.outcome.did.append(f"tags set: {', '.join(sorted(changes))}")

    def _read_again(self, jobs: Sequence[Job]) -> None:
        """The nodes as the inventory will show them; an address that was attached may take a moment to be told."""
        began = self.making.clock()
        ends = began + min(self.making.timeout, SHOWN)
        pending = list(jobs)
        while pending:
            late = self.making.clock() >= ends
            answers = self.opened.read(exactly([job.name for job in pending]))
            found = {node.id: node for _scope, node in nodes_of(answers) if node.state not in GONE}
            troubles = {answer.scope: answer.failure.error for answer in answers if answer.failure}
            left = []
            for job in pending:
                job.outcome.node = found.get(str(job.node_id)) or job.outcome.node
                trouble = troubles.get(job.scope) or troubles.get(None)
                if trouble and (late or not trouble.transient):
                    fail(self.cloud, job, trouble)
                elif trouble or not self._shown(job, self.making.clock() - began):
                    left.append(job)
            pending = left
            if pending and late:
                for job in pending:
                    fail(self.cloud, job, no_address(job, self.making.clock() - began))
                return
            if pending:
                self.making.sleep(POLL)

    def _shown(self, job: Job, waited: float) -> bool:
        """Whether the list shows what was asked for. Of a node that only got tags nothing is expected; on a family that nobody
        asked for, and that comes along, no node is lost."""
        if job.order is None:
            return True
        node, wish = job.outcome.node, job.requirement
        if node is None:
            return False
        return has_address(node, wish, job.families) or (waited >= EXTRA and has_address(node, wish, wish.network.families))


def _add(failure: FleetError, fix: str) -> None:
    failure.fix = f"{failure.fix.rstrip('.')}. {fix}" if failure.fix else fix
