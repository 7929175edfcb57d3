# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Inventory names: stable, unique, never merging two machines. Pure."""
from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError, FleetFileError

Record = Mapping[str, Any]
"""A node as ``records.as_dict`` makes it."""

ADDRESS_NAMES = (
    "public_ip", "public_ipv4", "public_ipv6", "private_ip", "private_ipv4", "private_ipv6")
RESERVED = frozenset({"localhost", "127.0.0.1", "::1", "all", "ungrouped", "fleet"})
"""Names with a meaning of their own in Ansible: a cloud's node must not become the controller or a group."""

WARNINGS = 20
"""Names told one by one; of a fleet with thousands of twins the rest is only counted."""

_UNSAFE = re.compile(r"[^\w.:@+-]")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def check_preferences(hostnames: Sequence[str], source: str) -> None:
    """Raises FleetFileError for an entry of ``hostnames`` that means nothing."""
    for entry in hostnames:
        if entry not in ("name", "id", *ADDRESS_NAMES) and not (entry.startswith("tag:") and len(entry) > 4):
            raise FleetFileError(
                source, "hostnames", f"'{entry}' is not possible here", f"Choose of: name, id, {', '.join(ADDRESS_NAMES)}, tag:KEY.")


def assign(
    records: Sequence[Record],
    hostnames: Sequence[str],
    *,
    on_duplicate: str = "suffix",
    taken: Collection[str] = (),
    groups: Collection[str] = (),
    warn: Callable[[str], None] = lambda text: None,
) -> list[str]:
    """A name for each record, in their order.

    hostnames: what to name a node by, first that it has; its id when it has none. Of nodes with one name the oldest
    keeps it, the others get ``-<short id>``. taken: names of other hosts that are in the inventory already. groups:
    names of groups, which Ansible would confuse with a host of the same name.
    Raises FleetError for twins when on_duplicate is ``fail``.
    """
    wishes = [_wish(record, hostnames) for record in records]
    by_wish: dict[str, list[int]] = {}
    for index, wish in enumerate(wishes):
        by_wish.setdefault(wish, []).append(index)
    names = list(wishes)
    reserved = RESERVED.union(groups)
    used = set(reserved).union(taken, by_wish)
    said: list[str] = []
    for wish, twins in by_wish.items():
        free = wish not in taken and wish not in reserved
        if free and len(twins) == 1:
            continue
        twins.sort(key=lambda index: _age(records[index]))
        if on_duplicate == "fail" and wish not in reserved:
            raise FleetError(
                f"several nodes are named '{wish}'", why=_list(records, twins), code="duplicate",
                fix="Rename them, choose other 'hostnames', or set on_duplicate: suffix.")
        renamed = twins[1:] if free else twins
        for index in renamed:
            names[index] = _suffixed(wish, str(records[index]["id"]), used)
            used.add(names[index])
        keeps = f"; the oldest keeps the name ({_label(records[twins[0]])})" if free else ""
        reason = "the name has a meaning of its own in Ansible" if wish in reserved else "several nodes have this name"
        said.append(f"'{wish}': {reason}{keeps}; shown with their id: " + ", ".join(
            f"{names[index]} ({_label(records[index])})" for index in renamed))
    for text in said[:WARNINGS]:
        warn(text)
    if len(said) > WARNINGS:
        warn(f"{len(said) - WARNINGS} more names are those of several nodes or have a meaning in Ansible; choose other 'hostnames'")
    return names


def short_id(node_id: str) -> str:
    """The part of an id that people quote: the first group of a UUID, else the last eight letters and digits."""
    if _UUID.fullmatch(node_id.lower()):
        return node_id[:8].lower()
    return re.sub(r"[^0-9A-Za-z]", "", node_id)[-8:]


def _wish(record: Record, hostnames: Sequence[str]) -> str:
    for entry in hostnames:
        value = record["tags"].get(entry[4:]) if entry.startswith("tag:") else record[entry]
        if value:
            return safe(value)
    return safe(str(record["id"]))


def safe(name: str) -> str:
    """The name without what Ansible would read as a pattern, a list or a template; ``_`` stands for each such sign."""
    return _UNSAFE.sub("_", name).lstrip("-@") or "_"


def _age(record: Record) -> tuple[str, str, str]:
    return (record["created"] or "9999", str(record["cloud"]), str(record["id"]))


def _suffixed(wish: str, node_id: str, used: Collection[str]) -> str:
    for suffix in (short_id(node_id), node_id):
        name = safe(f"{wish}-{suffix}")
        if name not in used:
            return name
    number = 2
    while safe(f"{wish}-{node_id}-{number}") in used:  # one id in two clouds
        number += 1
    return safe(f"{wish}-{node_id}-{number}")


def _label(record: Record) -> str:
    return f"{record['cloud']}/{record['id']}"


def _list(records: Sequence[Record], indexes: Sequence[int]) -> str:
    return ", ".join(_label(records[index]) for index in indexes)
