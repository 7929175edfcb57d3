# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The behaviours around the steps that need no login, asked of a cloud."""
from __future__ import annotations

import dataclasses
from collections.abc import Callable

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet import powering
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.ending import wait_gone
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.finding import look_up
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.jobs import token_of
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.opened import Opened
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.outcomes import Outcome
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.actions import MARK
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import Node

from . import addresses, judging
from .checks import ERROR, NO, NONE, YES
from .cleaning import clean
from .course import Course
from .judging import Answer
from .wishes import TAG, twin_of

SETTLE = 20.0  # seconds that an address or a tag may take to be told after the cloud has done its work
HOST_KEYS = 90.0  # seconds to wait for host keys before the first login; a node prints them when it has booted
GLANCE = 3.0  # the same where nobody will log in
POLL = 1.0


def tags(course: Course) -> Answer:
    node, actions = course.living(), course.actions()
    wanted = dict(course.wish.tags)
    added = {f"{TAG}_later": "set-on-a-running-node"}
    try:
        actions.tag(node.id, dict(added))
    except FleetError as failure:
        if failure.code not in (*judging.CLOUD_S_NO, "unsupported"):
            raise
    adapted = actions.adapted_tags(added)
    later = _until(course, lambda: _seen(course, node.id), lambda seen: all(seen.tags.get(key) == value for key, value in adapted.items()))
    return judging.tags(wanted, actions.adapted_tags(wanted), node.tags, added=adapted, later=later.tags if later else {})


def default_address(course: Course) -> Answer:
    """Asked before the node is asked for an address."""
    return addresses.default_address(course.living())


def private_address(course: Course) -> Answer:
    return addresses.private_address(course.living())


def ipv6(course: Course) -> Answer:
    return addresses.ipv6(course.living(), course.catalogs[course.scope])


def second_request(course: Course) -> Answer:
    """The same request with the same token, as after a lost answer."""
    first = course.living().id
    second = course.actions().create(course.order())
    if second != first:
        _remove(course, second)
    return judging.second_request(first, second, [node.id for node in course.ours()])


def same_name(course: Course) -> Answer:
    """Another request for a node of the same name."""
    if course.cloud.provider == "metal":
        return NONE, "a machine has its own name, and is bound, not made"
    first = course.living().id
    course.plan.budget.take()
    try:
        second = _twin(course)
    except FleetError as failure:
        if failure.code in ("exists", "conflict", "refused", "taken", "ambiguous"):
            return judging.name_taken(failure)
        return ERROR, f"could not be asked: {judging.words(failure)}"
    names: dict[str, str | None] = {}
    if second != first:
        names = {node.id: node.name for node in course.ours()}
        _remove(course, second)
    return judging.same_name(first, second, names, course.name)


def _twin(course: Course) -> str:
    """Id of the answer to another request for a node of the same name. A provider may look the name's mark up before it asks the
    cloud; then the first node gets another mark of the run meanwhile, by which a sweep finds it, too."""
    actions, first = course.actions(), course.living().id
    order = course.order(token_of(course.cloud, course.scope, f"{course.name}/twin"))
    second = actions.create(order)
    if second != first:
        return second
    actions.tag(first, {MARK: twin_of(course.name)})
    try:
        return actions.create(order)
    finally:
        actions.tag(first, {MARK: course.name})


def _remove(course: Course, node_id: str) -> None:
    actions = course.actions()
    actions.delete(node_id)
    wait_gone(actions, [node_id], course.plan.timeout, course.making())


def host_keys_early(course: Course) -> None:
    """Before the first login, which they are for; waited for once."""
    if course.keys_asked:
        return
    course.keys_asked = True
    shell = any(check in course.plan.checks for check in ("login", "fleet_keys"))
    waits = shell and course.cloud.provider != "metal"  # which has no console that is read: a source tells the keys at once or never
    ends = course.plan.clock() + min(course.plan.timeout, HOST_KEYS if waits else GLANCE)
    while not course.early_keys:
        course.early_keys = course.actions().host_keys(course.living().id)
        if course.early_keys or course.plan.clock() >= ends:
            return
        course.plan.stop.sleep(POLL)


def host_keys(course: Course) -> Answer:
    host_keys_early(course)
    return judging.host_keys(course.early_keys, None)


def stop_start(course: Course) -> Answer:
    times = []
    for state in ("stopped", "started"):
        began = course.plan.clock()
        failure = _bring(course, state)
        if failure:
            return judging.of_failure(failure, timeout_is_no=True)
        times.append(f"{state} in {course.plan.clock() - began:.1f} s")
    return YES, ", ".join(times)


def address_stays(course: Course) -> Answer:
    """Compares with the addresses before it was stopped."""
    before = course.at_stop or course.living()
    had = [kind for kind in ("public_ipv4", "public_ipv6", "private_ipv4", "private_ipv6") if getattr(before, kind)]
    after = _until(course, lambda: _seen(course, before.id), lambda node: all(getattr(node, kind) for kind in had))
    if after is None:
        return NO, "the cloud does not list the node any more"
    course.node = after
    return addresses.address_stays(before, after)


def reboot(course: Course) -> Answer:
    began = course.plan.clock()
    failure = _bring(course, "rebooted")
    if failure:
        return judging.of_failure(failure, timeout_is_no=True)
    return YES, f"runs again after {course.plan.clock() - began:.1f} s"


def _bring(course: Course, state: str) -> FleetError | None:
    """Bring the node to a state of power; why that failed. The node as it was before it was stopped is kept."""
    if state == "stopped":
        course.at_stop = course.node
    outcome = Outcome(course.name, course.living())
    powering.bring(course.cloud, [outcome], state, course.making())
    if outcome.node:
        course.node = outcome.node
    return outcome.failure


def deletion(course: Course) -> Answer:
    """Everything goes, and the cloud lists what it listed before."""
    late = course.actions().host_keys(course.living().id) if _keys_missing(course) else None
    if late:
        found = course.findings["host_keys"]
        verdict, evidence = judging.host_keys(None, late)
        course.findings["host_keys"] = dataclasses.replace(found, verdict=verdict, evidence=evidence)
    removed, left = clean(course.cloud, [course.name], course.making())
    course.plan.stop.check()
    ours = {node.id for node in course.ours()}
    opened = Opened(course.cloud, course.plan.settings)
    for scope in opened.scopes:
        actions = opened.actions(scope)
        left += actions.leftovers(course.name)
        if actions.key_store and actions.find_key(course.name):
            left.append(f"key {course.name}")
    strange = (course.listed() ^ course.before) - ours - {course.living().id}
    if not ours and not left:
        course.stored = ""
    return judging.deletion(living=sorted(ours), left=left, strange=strange, removed=removed)


def _keys_missing(course: Course) -> bool:
    return "host_keys" in course.findings and course.findings["host_keys"].verdict == NO


def _seen(course: Course, node_id: str) -> Node | None:
    answers = look_up(course.cloud, [], course.plan.settings)
    return next((node for answer in answers for node in answer.nodes if node.id == node_id), None)


def _until(course: Course, look: Callable[[], Node | None], good: Callable[[Node], bool]) -> Node | None:
    """The node as soon as it is good, or as it is when that takes too long."""
    ends = course.plan.clock() + SETTLE
    while True:
        node = look()
        if (node is not None and good(node)) or course.plan.clock() >= ends:
            return node
        course.plan.stop.sleep(POLL)
