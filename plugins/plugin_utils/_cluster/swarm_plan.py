# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What each node of a swarm has to do, from what all of them tell. Pure."""
from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._cluster.swarm_look import DRAINED
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

from . import free_networks

LABELS = ("provider", "cloud", "region", "zone", "arch")
"""Of every node, from the one shape."""
NEEDS = {"ingress": "services with a virtual address (endpoint mode vip) and ports in ingress mode carry no packet, although they show as "
                    "running; use endpoint_mode dnsrr and ports with mode host",
         "encryption": "overlay networks with option encrypted carry no packet between nodes",
         "overlay": "overlay networks carry no packet between nodes"}


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """A node that is to be in the swarm. role: manager or worker. ip: by which others reach it."""

    name: str
    ip: str
    role: str
    seen: Mapping[str, Any]

    def was(self, state: str) -> bool:
        return bool(self.seen.get("state") == state)


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """first: the manager that speaks for the swarm, or begins it. steps: what each member does, of nothing, init, join, unlock, rejoin.
    stale: ids of entries of machines that were there before under a joining member's address or name. old: ids that members have which leave and
    join again. notes: for the operator."""

    first: str
    steps: Mapping[str, str]
    stale: tuple[str, ...] = ()
    old: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    cluster: str = ""

    def doing(self, *steps: str) -> list[str]:
        return [name for name, step in self.steps.items() if step in steps]


def decide(members: Sequence[Member], rejoin: bool = False, key: bool = False, limit: str = "", through: str = "",
           going: Collection[str] = ()) -> Plan:
    """rejoin: nodes with a wrong address, or of another swarm, leave it and come into this one. key: whether the unlock key is known.
    limit: of the command line, with which no swarm is begun, as the one that these hosts belong to may just be out of sight.
    through: the member through whom the others join, who alone of those that are there was asked. going: ids of entries that leave.

    Raises FleetError with everything that is in the way of the same kind.
    """
    _sane(members, _managers(members, through, going))
    _all(members, lambda one: None if one.seen.get("answers") else str(one.seen.get("error") or "Docker gives no answer"), "Docker does not answer",
         "Run role container_engine on them, and look at journalctl -u docker.", "engine")
    locked = [one for one in members if one.was("locked")]
    if locked:
        if not key:
            raise FleetError(f"{_names(locked)}: locked since the engine was started", code="locked", why="the swarm has autolock",
                             fix="Give docker_swarm_unlock_key, or docker_swarm_unlock_key_file with the key that the controller has kept.")
        return Plan(first="", steps={one.name: "unlock" if one in locked else "nothing" for one in members})
    speaks = _speaker(members)
    if speaks is None:
        if through:
            raise FleetError(f"{through}: no manager of a swarm", why="fleet_cluster_through says that others join through it", code="argument",
                             fix="Name a manager that runs, or run it over all members without fleet_cluster_through.")
        if limit:
            raise FleetError("a new swarm would begin here", why=f"the run is limited to '{limit}', and a swarm may run on hosts that it leaves out",
                             code="part", fix="Run it without --limit; name the members with fleet_cluster_hosts. To join a swarm that "
                             "runs, name one of its managers with fleet_cluster_through.")
        first = next(one for one in members if one.role == "manager")
        foreign = [one for one in members if one.was("active")]
        if foreign and not rejoin:
            raise FleetError(f"{_names(foreign)}: in a swarm of which no manager is among the members of this cluster", code="foreign",
                             why="managers are " + ", ".join(sorted({str(one.seen.get("address")) for one in foreign})) + " or others",
                             fix="Add its managers to the hosts of this run, or set docker_swarm_rejoin to true to take these nodes out of it.")
        return Plan(first.name, steps={one.name: "init" if one is first else "rejoin" if one in foreign else "join" for one in members})
    known = {str(row["id"]): row for row in speaks.seen.get("nodes") or ()}
    steps = {one.name: _step(one, known) for one in members}
    _rejoining(members, steps, known, speaks, rejoin)
    if steps[speaks.name] == "rejoin":  # whoever speaks while others leave has to stay
        speaks = next(one for one in members if one.seen.get("quorum") and steps[one.name] == "nothing")
    coming = [one for one in members if steps[one.name] in ("join", "rejoin")]
    mine = {str(one.seen.get("id")) for one in members if steps[one.name] == "nothing"}
    names = [str(one.seen.get("hostname")) for one in members]
    addresses = {one.ip for one in members}
    stale = [number for number, row in known.items() if number not in mine and row["state"] != "ready"
             and (row["address"] in addresses or names.count(str(row["hostname"])) == 1)]
    ours = {*mine, *stale, *(str(one.seen.get("id")) for one in coming)}
    strangers = [f"{row['hostname']} ({row['address']}, {row['state']})" for number, row in known.items() if number not in ours]
    notes = (f"in the swarm, but no member of this run: {', '.join(strangers)}. Name those that are gone in fleet_cluster_removed",)
    cluster = str((speaks.seen.get("cluster") or {}).get("id") or "")
    old = tuple(str(one.seen.get("id")) for one in members if steps[one.name] == "rejoin" and str(one.seen.get("id")) in known)
    return Plan(speaks.name, steps, tuple(stale), old, notes if strangers and not through else (), cluster)


def lacking(members: Sequence[Member], needed: Sequence[str] = ()) -> list[str]:
    """What nodes' kernels cannot carry, in words, with the services that rely on it. Raises FleetError when it is needed."""
    services = [row for one in members for row in one.seen.get("services") or ()]
    told = []
    for part, what in NEEDS.items():
        nodes = {one.name: str((one.seen.get("lacks") or {}).get(part) or "") for one in members}
        without = {name: why for name, why in nodes.items() if why}
        if not without:
            continue
        users = sorted({str(row["name"]) for row in services if part in row["needs"]})
        text = f"{', '.join(without)}: {next(iter(without.values()))}, so {what}"
        text += f". Services that rely on it: {', '.join(users)}" if users else ""
        if part in needed:
            raise FleetError(text, code="kernel", fix="Use a kernel that has it, or take it out of docker_swarm_needs.")
        told.append(text)
    return told


def address_pool(members: Sequence[Member], given: Sequence[str], avoid: Sequence[str]) -> tuple[list[str], str]:
    """Networks for the swarm's services, with the reason; those of a swarm that runs stay. avoid: networks of the inventory. Raises FleetError."""
    seen = [str(name) for one in members for name in one.seen.get("networks") or ()]
    used = free_networks.taken((), seen, avoid)
    running = next((list(one.seen["cluster"]["pools"]) for one in members if (one.seen.get("cluster") or {}).get("pools")), [])
    for name in running or given:
        other = free_networks.clash(name, used)
        if other and not running:
            raise FleetError(f"docker_swarm_address_pool: {name} overlaps {other}", code="argument",
                             fix="Choose another network, or leave the list empty and one is chosen.")
        if other:
            return running, f"{name} overlaps {other}; a swarm cannot change it, so services' networks must be given by hand (--subnet)"
    if running:
        return running, "those that the swarm has"
    if given:
        return list(given), "the operator's"
    chosen = free_networks.free(free_networks.SWARM, used, 16, 1)
    if not chosen:
        raise FleetError("docker_swarm_address_pool: no network is free", why="the fleet uses all of 10.128.0.0/9", code="argument",
                         fix="Give docker_swarm_address_pool.")
    return chosen, "the first that overlaps nothing of the inventory and of the nodes"


def wishes(members: Sequence[Member], wanted: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What each node of the swarm is to be like, managers first, so that no quorum is lost on the way. wanted: labels and availability by name."""
    told = []
    for one in sorted(members, key=lambda one: (one.role != "manager", one.name)):
        if one.seen.get("id") and one.was("active"):
            given = wanted.get(one.name) or {}
            labels = {str(name): None if value in (None, "") else str(value) for name, value in (given.get("labels") or {}).items()}
            told.append({"id": one.seen["id"], "role": one.role, "labels": labels, "availability": given.get("availability") or None})
    return told


def leaving(members: Sequence[Member], known_as: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Entries of the swarm for hosts that leave. known_as: by id, names and addresses. An address that a member has now is the member's."""
    if not known_as:
        return []
    speaks = _speaker(members)
    mine = {str(one.seen.get("id")) for one in members}
    found = {}
    for words in known_as.values():
        for row in (speaks.seen.get("nodes") if speaks else None) or ():
            if row["id"] not in mine and {row["id"], row["hostname"], row["address"]} & set(words):
                found[row["id"]] = {"id": row["id"], "hostname": row["hostname"], "state": row["state"]}
    return list(found.values())


def upgrade_order(members: Sequence[Member]) -> list[str]:
    """Workers first, then managers, the leader last; each by name. Before all of them whoever an ended run has drained: a manager that is away keeps
    the others from being drained."""
    rows = _rows(members)

    def rank(one: Member) -> tuple[int, str]:
        row = rows.get(one.name) or {}
        if DRAINED in (row.get("labels") or {}):
            return (-1, one.name)
        return (2 if row.get("leader") else 1 if row.get("role") == "manager" else 0, one.name)

    return [one.name for one in sorted(members, key=rank)]


def halfway(members: Sequence[Member]) -> list[str]:
    """Members that an ended run has drained and not set to work again, whatever their engine is by now."""
    return [name for name, row in _rows(members).items() if DRAINED in (row.get("labels") or {})]


def backup_node(members: Sequence[Member]) -> str:
    """A manager that does not lead, or the only one. Raises FleetError."""
    managers = [name for name in upgrade_order(members) if any(one.name == name and one.seen.get("manager") for one in members)]
    if not managers:
        raise FleetError("backup", why="none of the hosts is a manager that works", code="quorum",
                         fix="Add the managers to the hosts of this run, or bring them back first.")
    return managers[0]


def restore_node(members: Sequence[Mapping[str, Any]], address: str) -> str:
    """The member that comes up with a copy: the one with the address of the manager that was copied, as the store names its own member by it and
    a manager under another address would find itself in its place. Raises FleetError."""
    found = [str(row["name"]) for row in members if row.get("ip") == address and row.get("role") == "manager"]
    if not found:
        raise FleetError(f"restore: the copy is of the manager at {address or 'an unknown address'}, and no manager of this run has that address",
                         why="a swarm's store can only be brought back under the address that it was copied from", code="argument",
                         fix=f"Make a host with fleet_cluster_ip {address} and fleet_cluster_role manager a member, or take another copy.")
    return found[0]


# ---------------------------------------------------------------------------------------------------- details
def _rows(members: Sequence[Member]) -> dict[str, Mapping[str, Any]]:
    """Each member's entry in the swarm, by its id, or by its address where its engine does not answer."""
    speaks = _speaker(members)
    told = (speaks.seen.get("nodes") if speaks else None) or ()
    by_id, by_address = {str(row["id"]): row for row in told}, {str(row["address"]): row for row in told}
    found = {one.name: by_id.get(str(one.seen.get("id"))) or (None if one.seen.get("id") else by_address.get(one.ip)) for one in members}
    return {name: row for name, row in found.items() if row}


def _managers(members: Sequence[Member], through: str, going: Collection[str]) -> int:
    """How many there will be: of the run, which has all members, or with those that the one knows through whom the others join."""
    coming = [one for one in members if one.role == "manager" and one.name != through]
    speaks = next((one for one in members if one.name == through), None)
    if speaks is None:
        return len(coming)
    if not speaks.seen.get("nodes"):
        return 1  # what is wrong with it is told where it speaks
    again = {word for one in members for word in (str(one.seen.get("hostname")), one.ip)}
    stay = {str(row["id"]) for row in speaks.seen.get("nodes") or () if row["role"] == "manager" and row["id"] not in going
            and (row["state"] == "ready" or not again & {str(row["hostname"]), str(row["address"])})}
    return len(stay | {str(one.seen.get("id") or one.name) for one in coming})


def _sane(members: Sequence[Member], managers: int) -> None:
    if not managers or managers % 2 == 0 or managers > 7:
        raise FleetError(f"{managers} managers", code="argument",
                         why="a swarm needs an odd number, as it works while more than half of them do; more than 7 only slow it down",
                         fix="Set fleet_cluster_role of some hosts, or fleet_cluster_managers to 1, 3, 5 or 7.")
    bare = [one for one in members if not one.ip]
    if bare:
        raise FleetError(f"{_names(bare)}: no fleet_cluster_ip", code="argument",
                         fix="Run role mesh with tasks_from members first, as playbook swarm does, or set it.")
    twice = sorted({one.ip for one in members if sum(other.ip == one.ip for other in members) > 1})
    if twice:
        raise FleetError(f"{_names([one for one in members if one.ip in twice])}: the same fleet_cluster_ip {', '.join(twice)}", code="argument",
                         fix="Each member needs an address of its own.")


def _all(members: Sequence[Member], wrong: Any, what: str, fix: str, code: str) -> None:
    found = {one.name: wrong(one) for one in members}
    bad = {name: why for name, why in found.items() if why}
    if bad:
        raise FleetError(f"{', '.join(bad)}: {what}", why="; ".join(sorted(set(bad.values()))), fix=fix, code=code)


def _speaker(members: Sequence[Member]) -> Member | None:
    """The manager that leads, else one that has quorum; None where no swarm is. Raises FleetError for two swarms and for a lost quorum."""
    managers = [one for one in members if one.seen.get("manager") or (one.was("active") and one.seen.get("error"))]
    able = [one for one in managers if one.seen.get("quorum")]
    if managers and not able:
        raise FleetError(f"{_names(managers)}: the swarm has no leader", code="quorum",
                         why=f"{managers[0].seen.get('error') or 'more than half of its managers are away'}",
                         fix="Bring managers back. Where they are lost for good, restore with playbook cluster_restore.")
    swarms = {str((one.seen.get("cluster") or {}).get("id")): one.name for one in able}
    if len(swarms) > 1:
        raise FleetError("the members are in different swarms: " + ", ".join(f"{name} in {number[:12]}" for number, name in swarms.items()),
                         code="foreign", fix="Take the nodes of one of them out of it (playbook cluster_reset with --limit), then run again.")
    leaders = [one for one in able if any(row["leader"] and row["id"] == one.seen.get("id") for row in one.seen.get("nodes") or ())]
    return next(iter([*leaders, *able]), None)


def _step(one: Member, known: Mapping[str, Any]) -> str:
    if one.was("inactive") or one.was("pending") or one.was("error"):
        return "join"
    if str(one.seen.get("id")) not in known:
        return "rejoin"  # of another swarm, or taken out of this one while it was away
    kept = str(one.seen.get("advertised") or one.seen.get("address") or "")
    return "nothing" if kept == one.ip else "rejoin"


def _rejoining(members: Sequence[Member], steps: Mapping[str, str], known: Mapping[str, Any], speaks: Member, allowed: bool) -> None:
    wrong = [one for one in members if steps[one.name] == "rejoin"]
    if not wrong:
        return
    told = [f"{one.name} advertises {one.seen.get('advertised') or one.seen.get('address')}, but members use {one.ip}"
            if str(one.seen.get("id")) in known else f"{one.name} is in another swarm, or was taken out of this one" for one in wrong]
    if not allowed:
        raise FleetError("; ".join(told), code="address", why="Docker never changes the address that a node was given when it joined",
                         fix="Set docker_swarm_rejoin to true: these nodes leave and join again, one after another.")
    if speaks in wrong and not any(one.seen.get("quorum") and one not in wrong for one in members):
        raise FleetError("; ".join(told), code="address", why="no manager with a right address would be left to join again",
                         fix="Back the swarm up (playbook cluster_backup) and restore it (playbook cluster_restore), which gives the right address.")


def _names(members: Sequence[Member]) -> str:
    return ", ".join(one.name for one in members)
