# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What module ssh_key does: the pair on disk, and its public part where each cloud keeps keys."""
from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .._fleet import key_ring
from .._fleet.errors import FleetError
from .._fleet.finding import GONE, look_in
from .._fleet.fleet_file import Cloud
from .._fleet.opened import Opened, at
from .._fleet.outcomes import at_once, copied
from .._fleet.providers.actions import MARK, Actions
from .._fleet.shape import Node
from . import key_files
from .front import Clouds, settings_of


def key(module: AnsibleModule, clouds: Clouds) -> dict[str, Any]:
    """Result of ssh_key. Keys in a list are worked on at the same time."""
    given = module.params
    rows = given["keys"] if given["keys"] is not None else [{}]
    wishes = []
    for number, row in enumerate(rows):
        unknown = sorted(set(row) - {"cloud", *_OWN})
        if unknown:
            raise FleetError(f"keys[{number}]: unknown key '{unknown[0]}'", fix=f"Known keys: cloud, {', '.join(_OWN)}.", code="argument")
        values = {name: row.get(name, given[name]) for name in _OWN}
        if not values["name"]:
            raise FleetError(f"keys[{number}]: has no name", fix="Give the key a name.", code="argument")
        wishes.append(Wish(clouds.named(row.get("cloud")), **values))
    named = [(wish.cloud.name, wish.scope, wish.name) for wish in wishes]
    twice = sorted({name for cloud, scope, name in named if named.count((cloud, scope, name)) > 1})
    if twice:
        raise FleetError(f"'keys' names {', '.join(twice)} more than once", fix="Give every key of a cloud a name of its own.", code="argument")
    places = _enter(module, wishes)
    results: dict[int, dict[str, Any]] = {}
    failures: dict[int, FleetError] = {}
    act = _present if given["state"] == "present" else _absent

    def go(pair: tuple[int, Wish]) -> None:
        try:
            place = places[pair[1].cloud.name]
            if isinstance(place, FleetError):
                raise copied(place)
            results[pair[0]] = act(module, pair[1], place)
        except FleetError as failure:
            failures[pair[0]] = failure.at(pair[1].cloud.name)
        except OSError as problem:
            failures[pair[0]] = FleetError(
                f"see to key {pair[1].name}", why=f"{problem.strerror or problem}" + (f": {problem.filename}" if problem.filename else ""),
                fix="Choose a file that this user may read and write.", code="disk", cloud=pair[1].cloud.name)

    at_once(list(enumerate(wishes)), go, given["workers"])
    if failures:
        told = "; ".join(str(failures[number]) for number in sorted(failures))
        if len(wishes) == 1:
            raise failures[0]
        raise FleetError(f"{len(failures)} of {len(wishes)} keys failed: {told}", code=failures[min(failures)].code)
    done = [results[number] for number in range(len(wishes))]
    did = [word for row in done for word in row["did"]]
    answer: dict[str, Any] = {"changed": bool(did), "did": did, "keys": [row["key"] for row in done]}
    if given["keys"] is None:
        answer.update(name=done[0]["name"], key=done[0]["key"])
    if module._diff:
        answer["diff"] = {side: "".join(row["diff"][side] for row in done) for side in ("before", "after")}
    return answer


@dataclasses.dataclass(frozen=True)
class Wish:
    """One key that is wanted, or wanted gone; the options of the module."""

    cloud: Cloud
    name: str
    private_key_file: str | None
    public_key: str | None
    node: str | None
    login_user: str
    scope: str | None
    force: bool


@dataclasses.dataclass(frozen=True)
class _Place:
    """A cloud that is open, for all of its keys. there: of the names of keys, those that living nodes have; looked up only for
    keys that are wanted for new nodes."""

    opened: Opened
    there: frozenset[str]


def _enter(module: AnsibleModule, wishes: Sequence[Wish]) -> dict[str, _Place | FleetError]:
    """By cloud's name: the cloud, or why it cannot be asked."""
    places: dict[str, _Place | FleetError] = {}

    def enter(cloud: Cloud) -> None:
        mine = [wish for wish in wishes if wish.cloud.name == cloud.name]
        names = [wish.name for wish in mine if module.params["for_new_nodes"] and not key_files.exists(wish.private_key_file)]
        try:
            opened = Opened(cloud, settings_of(module, timeout=module.params["timeout"]))
            found = _living(opened, names=names) if names else []
            places[cloud.name] = _Place(opened, frozenset(node.name or node.id for _scope, node in found))
        except FleetError as failure:
            places[cloud.name] = failure

    at_once(list({wish.cloud.name: wish.cloud for wish in wishes}.values()), enter, module.params["workers"])
    return places


_OWN = ("name", "private_key_file", "public_key", "node", "login_user", "scope", "force")


# ------------------------------------------------------------------------------------------------- present
def _present(module: AnsibleModule, wish: Wish, place: _Place) -> dict[str, Any]:
    cloud, opened = wish.cloud, place.opened
    scope = _scope(opened, wish.scope)
    ring = key_ring.folder(module.params["key_dir"], os.environ)
    did: list[str] = []
    # none yet, or the run that made the node was ended before its key was taken out again
    new = bool(module.params["for_new_nodes"]) and not key_files.exists(wish.private_key_file)
    if new and wish.name in place.there:
        return _result(module, wish, None, None, [])
    public = _public_key(module, wish, did)
    actions = opened.actions(scope)
    stored = "key store" if actions.key_store else "instance metadata" if wish.node else "key ring"
    held = key_ring.read(ring, cloud.name, wish.name)
    with at(cloud, scope):
        if actions.key_store:
            did += _store(actions, wish, public, leftover=new, check=module.check_mode)
        elif held and not (wish.force or new) and (public is None or key_ring.blob(held) != key_ring.blob(public)):
            raise _differs(wish, "the key ring of this controller")
    if public is None or held != public:
        did.append("added to the key ring of this controller")
        if public and not module.check_mode:
            key_ring.write(ring, cloud.name, wish.name, public)
    if not actions.key_store and wish.node:
        node_scope, node = _node(opened, wish.node)
        node_actions = opened.actions(node_scope)
        with at(cloud, node_scope):
            if public is None or key_ring.blob(public) not in map(key_ring.blob, node_actions.node_keys(node.id)):
                did.append(f"added to the metadata of {node.id}")
                if public and not module.check_mode:
                    node_actions.add_node_key(node.id, wish.login_user, public)
    return _result(module, wish, public, stored, did)


def _public_key(module: AnsibleModule, wish: Wish, did: list[str]) -> str | None:
    """The public key that is given, else that of the private key file, which is made when it is not there."""
    if wish.public_key:
        return key_files.line(wish.public_key)
    if not wish.private_key_file:
        raise FleetError(f"make key {wish.name}", why="neither 'private_key_file' nor 'public_key' is given", code="argument",
                         fix="Name the file for the private part, or give the public part of a key that exists.")
    return key_files.public_key(module, wish.name, wish.private_key_file, did)


def _store(actions: Actions, wish: Wish, public: str | None, *, leftover: bool, check: bool) -> list[str]:
    """Put the key into the cloud's key store; what was done. public: None for one that check mode keeps from being made.
    leftover: whether one of ours that is there may be replaced, as its node is not: a run that was ended has left it, perhaps on
    another controller."""
    known = actions.find_key(wish.name)
    there = known.public_key if known else None
    differs = there is not None and (public is None or key_ring.blob(there) != key_ring.blob(public))
    if differs and not (wish.force or (leftover and known is not None and known.ours)):
        raise _differs(wish, "the key store")
    if known is not None and not differs:
        return []
    if public and not check:
        if differs:
            actions.remove_key(wish.name)
        actions.add_key(wish.name, public)
    return ["replaced in the key store" if differs else "added to the key store"]


def _differs(wish: Wish, where: str) -> FleetError:
    return FleetError(
        f"store key {wish.name}", why=f"{where} has another key of that name", code="key_differs",
        fix="Choose another name, remove it with state: absent, or replace it with force: true.")


# -------------------------------------------------------------------------------------------------- absent
def _absent(module: AnsibleModule, wish: Wish, place: _Place) -> dict[str, Any]:
    """Out of the key store of every scope, of the metadata of nodes, of the ring, and off the disk. A key of that name which
    is neither the one meant nor of this collection's making stays in the key store."""
    cloud, opened = wish.cloud, place.opened
    ring = key_ring.folder(module.params["key_dir"], os.environ)
    path = wish.private_key_file and os.path.expanduser(wish.private_key_file)
    public = wish.public_key or key_ring.read(ring, cloud.name, wish.name) or key_files.public_part(module, path)
    did: list[str] = []
    for scope in [_scope(opened, wish.scope)] if wish.scope else opened.scopes:
        actions = opened.actions(scope)
        with at(cloud, scope):
            known = actions.find_key(wish.name) if actions.key_store else None
            meant = known is not None and known.public_key is not None and public is not None and (
                key_ring.blob(known.public_key) == key_ring.blob(public))
            if known and not (known.ours or meant or wish.force):
                module.warn(f"cloud '{cloud.name}': its key {wish.name} was not made by this collection, and stays; force: true removes it")
            elif known:
                public = public or known.public_key
                did.append("removed from the key store" + (f" of {scope}" if len(opened.scopes) > 1 else ""))
                if not module.check_mode:
                    actions.remove_key(wish.name)
    if public:
        did += _out_of_metadata(module, wish, opened, public)
    if os.path.exists(key_ring.path_of(ring, cloud.name, wish.name)):
        did.append("removed from the key ring of this controller")
        if not module.check_mode:
            key_ring.remove(ring, cloud.name, wish.name)
    if path and os.path.exists(path):
        did.append(f"removed {path}")
        if not module.check_mode:
            os.remove(path)
    return _result(module, wish, public, None, did)


def _out_of_metadata(module: AnsibleModule, wish: Wish, opened: Opened, public: str) -> list[str]:
    """Out of the metadata of the node that is named, else of all nodes that this collection made in clouds without key store."""
    if all(opened.actions(scope).key_store for scope in opened.scopes):
        return []
    nodes = _nodes(opened, wish.node) if wish.node else _living(opened, tags={MARK: None})
    did = []
    for scope, node in nodes:
        actions = opened.actions(scope)
        with at(wish.cloud, scope):
            if key_ring.blob(public) in map(key_ring.blob, actions.node_keys(node.id)):
                did.append(f"removed from the metadata of {node.id}")
                if not module.check_mode:
                    actions.remove_node_key(node.id, public)
    return did


# ------------------------------------------------------------------------------------------------- helpers
def _scope(opened: Opened, wanted: str | None) -> str:
    if not wanted:
        return opened.first_scope()
    if wanted not in opened.scopes:
        raise FleetError("find the key store", why=f"the cloud has no scope '{wanted}', only {', '.join(opened.scopes)}", code="scope",
                         cloud=opened.cloud.name, fix="Correct 'scope'.")
    return wanted


def _living(opened: Opened, **wanted: Any) -> list[tuple[str, Node]]:
    return [(scope, node) for scope, node in look_in(opened, **wanted) if node.state not in GONE]


def _nodes(opened: Opened, wanted: str) -> list[tuple[str, Node]]:
    """(scope, node) of those with that id, or else that name; none when it is gone."""
    return _living(opened, ids=[wanted]) or _living(opened, names=[wanted])


def _node(opened: Opened, wanted: str) -> tuple[str, Node]:
    """(scope, node) of a name or an id."""
    found = _nodes(opened, wanted)
    if len(found) != 1:
        raise FleetError(f"find node {wanted}", cloud=opened.cloud.name, code="ambiguous" if found else "not_found",
                         why=f"{len(found)} machines have that name" if found else "the cloud has no such node",
                         fix="Give its id; node_info lists the nodes.")
    return found[0]


def _result(module: AnsibleModule, wish: Wish, public: str | None, stored: str | None, did: list[str]) -> dict[str, Any]:
    there = f"{wish.cloud.name}/{wish.name}: there\n"
    absent = module.params["state"] == "absent"
    return {
        "did": did, "name": wish.name,
        "key": {"name": wish.name, "cloud": wish.cloud.name, "public_key": public, "private_key_file": wish.private_key_file, "stored": stored},
        "diff": {"before": there if bool(did) == absent else "", "after": "" if absent else there},
    }
