# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Steps 6 to 8 and what they are worth after a restart: the questions that need a login."""
from __future__ import annotations

import os

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet import key_ring
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.records import as_dict
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access import arguments
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.variables import host_variables

from . import judging
from .checks import NO, NONE
from .course import Course
from .judging import Answer
from .probes_living import host_keys_early
from .shell import Access


def _access(course: Course) -> Access | None:
    """How to get into the node; None when it has no address to connect to."""
    node, plan = course.living(), course.plan
    told = host_variables(as_dict(node), connect_to=plan.connect_to, ip_family=plan.ip_family, bastion=course.cloud.bastion)
    host = told.get("ansible_host")
    if not host:
        return None
    words = [*plan.ssh_arguments, *arguments.split(told.get("ansible_ssh_common_args"))]
    return Access(
        node=node, host=host, port=int(told["ansible_port"]), arguments=words, key_file=plan.pair[0], fleet_key_file=plan.fleet_pair[0],
        fleet_public_key=plan.fleet_pair[1], predicted=node.login_user, host_keys=course.early_keys or (),
        known_hosts=os.path.join(plan.place, "known_hosts"), timeout=plan.timeout)


def login(course: Course) -> Answer:
    host_keys_early(course)
    if course.own_system:
        return NONE, "the machine comes with its system, which knows its owner's keys and not the node's"
    access = _access(course)
    if access is None:
        return NONE, "the node has no address by which it could be reached"
    door = course.plan.shell.login(access)
    course.user = door.used
    verdict, evidence = judging.login(door)
    return verdict, f"{evidence} at {access.host}"


def fleet_keys(course: Course) -> Answer:
    access = _access(course)
    if access is None or course.user is None:
        raise AssertionError("access is known here")
    did = course.plan.shell.harden(access, course.user)
    return judging.fleet_keys(course.plan.shell.prove(access, [course.user]), did)


def node_key_removed(course: Course) -> Answer:
    """Out of the key store, of the metadata, of the node; in this order, as what is in the metadata comes back."""
    access = _access(course)
    if access is None or course.user is None:
        raise AssertionError("access is known here")
    node, public, actions = course.living(), course.plan.pair[1], course.actions()
    did, shown = [], []
    if actions.key_store:
        did += ["key store"] if actions.remove_key(course.name) else []
        shown += ["key store"] if actions.find_key(course.name) else []
    if key_ring.blob(public) in map(key_ring.blob, actions.node_keys(node.id)):
        actions.remove_node_key(node.id, public)
        did.append("metadata")
    shown += ["metadata"] if key_ring.blob(public) in map(key_ring.blob, actions.node_keys(node.id)) else []
    did += course.plan.shell.take_out(access)
    return judging.node_key_removed(course.plan.shell.prove(access, [course.user]), did, shown)


def key_stays_out(course: Course) -> Answer:
    access = _access(course)
    if access is None or course.user is None:
        return NO, "the node has no address any more"
    proof = course.plan.shell.prove(access, [course.user])
    return judging.key_stays_out(proof)
