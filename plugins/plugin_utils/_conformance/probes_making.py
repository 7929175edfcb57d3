# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Steps 1 to 5, asked of a cloud."""
from __future__ import annotations

import dataclasses

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet import key_ring
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import PARTS, Catalog
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.finding import look_up
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.making import present
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.outcomes import Outcome
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.requirement import NetworkWish
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.selection import Choice
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import Node

from . import addresses, judging, wishes
from .checks import NO
from .course import Course
from .judging import Answer


def add_key(course: Course) -> Answer:
    actions = course.actions()
    if not actions.key_store:
        course.stored = "machine" if course.cloud.provider == "metal" else "instance metadata"
        return judging.add_key(course.stored, shown=True, fingerprint=None)
    public = course.plan.pair[1]
    course.touched = True
    actions.add_key(course.name, public)
    course.stored = "key store"
    found = actions.find_key(course.name)
    same = found is not None and (found.public_key is None or key_ring.blob(found.public_key) == key_ring.blob(public))
    return judging.add_key(course.stored, shown=same, fingerprint=found.fingerprint if found else None)


def metadata(course: Course) -> Answer:
    words = course.wish.image.words() or wishes.WORDS
    for scope in _scopes(course):
        course.catalogs[scope] = course.opened().actions(scope).catalog(frozenset(PARTS), words)
    return judging.metadata(_together(course.catalogs.values()), course.cloud.provider, course.cloud.login_user)


def _scopes(course: Course) -> list[str]:
    """Where to look for what is offered: one region or project; on metal every source, as one of them may have no machine free."""
    return list(course.opened().scopes) if course.cloud.provider == "metal" and not course.wish.scope else [course.scope]


def _together(catalogs: object) -> Catalog:
    parts: dict[str, list[object]] = {part: [] for part in PARTS}
    for catalog in catalogs:  # type: ignore[attr-defined]
        for part in PARTS:
            parts[part] += getattr(catalog, part)
    return Catalog(**{part: tuple(rows) for part, rows in parts.items()})  # type: ignore[arg-type]


def pick(course: Course) -> Answer:
    nothing: dict[str, FleetError] = {}
    for scope, catalog in course.catalogs.items():
        try:
            course.wish, course.first, course.kind = wishes.chosen(
                course.wish, catalog, provider=course.cloud.provider, operator_login=course.cloud.login_user)
        except FleetError as failure:
            nothing[scope] = failure
            continue
        course.scope = scope
        course.wish = dataclasses.replace(course.wish, scope=scope or None)
        return judging.pick(course.first, wish=course.kind)
    if len(nothing) == 1:
        raise nothing[course.scope]
    why = "; ".join(f"{scope}: {failure.why}" for scope, failure in nothing.items())
    raise FleetError("choose a machine", why=why, code="no_match", fix="Correct the requirement.")


def request(course: Course) -> Answer:
    course.plan.budget.take()
    course.touched = True
    began = course.plan.clock()
    outcome = present(course.cloud, [course.requirement()], course.making())[0]
    course.choice = outcome.choice
    if outcome.failure:
        return judging.of_failure(outcome.failure, timeout_is_no=True)
    node = outcome.node
    if node is None:
        return NO, "the cloud made it, but does not list it"
    course.node = node
    seconds = (course.until_running or course.plan.clock()) - began
    return judging.request(node, outcome.did, seconds, first=_made_from(course.first), taken=_made_from(outcome.choice))


def _made_from(choice: Choice | None) -> str | None:
    """What a choice takes, in words."""
    if choice is None:
        return None
    return ", ".join(pick.item.name for pick in (choice.image, choice.flavor, choice.network) if pick)


def public_address(course: Course) -> Answer:
    """What the node has without being asked, and, if that is no IPv4 address, what it gets when it is."""
    before = course.living()
    if before.public_ipv4:
        return addresses.public_address(before, None)
    wish = dataclasses.replace(course.requirement(), network=NetworkWish(course.wish.network.name, "public", ("ipv4",)))
    outcome = Outcome(course.name)
    try:
        outcome = present(course.cloud, [wish], course.making())[0]
    except FleetError as failure:
        outcome.failure = failure
    after = _now(course) if outcome.failure else outcome.node
    course.node = after or before
    did = ", ".join(word for word in outcome.did if not word.startswith("tags"))
    return addresses.public_address(before, after, word=did, failure=outcome.failure)


def _now(course: Course) -> Node | None:
    """The node as the cloud lists it now."""
    answers = look_up(course.cloud, [course.name], course.plan.settings)
    return next((node for answer in answers for node in answer.nodes if node.id == course.living().id), None)
