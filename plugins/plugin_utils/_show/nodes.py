# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Host variables -> records of the one shape, as show and ping use them. Pure."""
from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import ROLES, STATES, Node
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.config import plain

Record = Mapping[str, Any]

CONNECTION = ("inventory_hostname", "ansible_host", "ansible_user", "ansible_port")
"""What is shown besides the one shape: how Ansible calls and reaches the node, the operator's own settings included."""

_FIELDS = tuple(field.name for field in dataclasses.fields(Node))


def fleet_records(hosts: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A record of each host that the fleet inventory made, sorted by inventory name.

    hosts: variables of hosts. A record holds CONNECTION and every field of the one shape by its name in ``Node`` (None
    where the host lacks it), as plain data without Ansible's marks. Other hosts are left out.
    """
    records = []
    for variables in hosts:
        if variables.get("fleet_id") is None:
            continue
        record = {name: plain(variables.get(name)) for name in CONNECTION}
        record.update((name, plain(variables.get(f"fleet_{name}"))) for name in _FIELDS)
        records.append(record)
    return sorted(records, key=lambda record: str(record["inventory_hostname"]))


def by_cloud(records: Iterable[Record]) -> dict[str, list[Record]]:
    """The records of each cloud, clouds sorted by name."""
    clouds: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda record: str(record["cloud"])):
        clouds.setdefault(str(record["cloud"]), []).append(record)
    return clouds


def count_states(records: Iterable[Record]) -> str:
    """``3 running, 1 stopped``, in the order of the life cycle; stale answers are counted at the end."""
    records = list(records)
    text = _counted((str(record["state"]) for record in records), STATES)
    stale = sum(1 for record in records if record["stale"])
    return f"{text} ({stale} stale)" if stale else text


def count_roles(records: Iterable[Record]) -> str:
    """``2 floating, 1 private``, best reached first."""
    return _counted((str(record["network_role"]) for record in records), ROLES)


def number_of(nodes: int) -> str:
    """``1 node``, ``2 nodes``."""
    return "1 node" if nodes == 1 else f"{nodes} nodes"


def _counted(values: Iterable[str], order: Sequence[str]) -> str:
    rank = {value: number for number, value in enumerate(order)}
    found = sorted(Counter(values).items(), key=lambda item: (rank.get(item[0], len(rank)), item[0]))
    return ", ".join(f"{number} {value}" for value, number in found)


def reason(record: Record) -> str:
    """Why this address and this user, in one line.

    The reason of the address in use, with its role where that is not the node's; without one, the reason of the role.
    """
    why = record["why"] or {}
    used = next((row for interface in record["interfaces"] or () for row in interface["addresses"]
                 if row["ip"] == record["ansible_host"]), None)
    if used is None:
        address = why.get("network_role")
    elif used["role"] == record["network_role"]:
        address = used["why"]
    else:
        address = f"{used['role']} address, {used['why']}"
    return "; ".join(part for part in (address, f"user: {why['login_user']}" if why.get("login_user") else "") if part)
