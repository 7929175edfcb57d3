# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Put named nodes into Ansible's inventory: host variables, the groups that need no template."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import Cloud

from .trust import clean
from .variables import host_variables


def populate(
    inventory: Any,
    records: list[dict[str, Any]],
    host_names: Sequence[str],
    clouds: Mapping[str, Cloud],
    *,
    connect_to: Sequence[str],
    ip_family: str,
    group_lists: Sequence[Sequence[str]],
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Add one host for each record to the groups of its list; returns (host name, its variables) for the expressions that follow.

    Those are put together when they are asked for: kept for all hosts they would take 1.2 kB each. records is empty
    afterwards: of 10,000 nodes they take some 50 MiB, which the host variables can use.
    """
    set_on: list[tuple[str, ...]] = []
    same: dict[tuple[str, ...], tuple[str, ...]] = {}
    groups = inventory.groups
    inventory.add_group("fleet")
    records.reverse()
    for name, group_list in zip(host_names, group_lists, strict=True):
        record = records.pop()
        variables = clean(host_variables(
            record, connect_to=connect_to, ip_family=ip_family, bastion=clouds[record["cloud"]].bastion))
        inventory.add_host(name, "fleet")
        # The variables go in directly: set_variable() would copy, check and tag every leaf again on ansible-core 2.19
        # and newer (five times the cost of all else here); clean() has already given each string its right trust.
        host = inventory.hosts[name]
        host.vars.update(variables)
        for group in group_list:
            if group not in groups:
                inventory.add_group(group)
            # add_child() would look up both by their names again, and take a host named like a group for the group
            groups[group].add_host(host)
        names = tuple(variables)
        set_on.append(same.setdefault(names, names))
    return (
        (name, {variable: inventory.hosts[name].vars[variable] for variable in names})
        for name, names in zip(host_names, set_on, strict=True))
