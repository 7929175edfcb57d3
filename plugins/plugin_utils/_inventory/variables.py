# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A node's record -> host variables and groups. Pure."""
from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import Bastion

Record = Mapping[str, Any]
_HOST_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]*")
"""What may be connected to by its name: ssh would take one that begins with a dash for an option."""

_INVALID_IN_GROUP = re.compile(r"[^A-Za-z0-9_]")


def host_variables(
    record: Record, *, connect_to: Sequence[str], ip_family: str = "any", bastion: Bastion | None = None
) -> dict[str, Any]:
    """``fleet_*`` facts and the connection variables of one node.

    A connection variable that nothing is known for is left out, so that the operator's own settings hold.
    """
    variables = {_variable(name): value for name, value in record.items()}
    address = address_for(record, connect_to, ip_family)
    if address:
        variables["ansible_host"] = address
    if record["login_user"]:
        variables["ansible_user"] = record["login_user"]
    variables["ansible_port"] = record["ssh_port"]
    if bastion and address and address != bastion.host:
        variables["ansible_ssh_common_args"] = "-o " + shlex.quote(f"ProxyJump={_jump(bastion)}")
    return variables


@functools.cache
def _variable(name: str) -> str:
    """Name of the host variable of a record's field: one string for all hosts, as thousands of equal ones take room."""
    return f"fleet_{name}"


def address_for(record: Record, connect_to: Sequence[str], ip_family: str = "any") -> str | None:
    """The address to connect to: the first kind of connect_to that the node has, within ip_family."""
    for kind in connect_to:
        if kind == "name":
            found = record["name"] if _HOST_NAME.fullmatch(record["name"] or "") else None
        elif ip_family != "any" and not kind.endswith(ip_family):
            continue
        elif kind.startswith("management_"):
            found = next(_management(record, 4 if kind.endswith("4") else 6), None)
        else:
            found = record[kind]
        if found:
            return str(found)
    return None


def _management(record: Record, family: int) -> Iterator[str]:
    for interface in record["interfaces"]:
        for address in interface["addresses"]:
            if address["role"] == "management" and address["family"] == family:
                yield address["ip"]


def _jump(bastion: Bastion) -> str:
    host = f"[{bastion.host}]" if ":" in bastion.host else bastion.host
    return (f"{bastion.user}@" if bastion.user else "") + f"{host}:{bastion.port}"


def group_names(record: Record, tag_groups: Sequence[str] = ()) -> list[str]:
    """Names of the groups a node belongs to without any template. tag_groups: tags to group by, ``*`` for all."""
    names = list(_groups_of_facts(
        record["provider"], record["cloud"], record["region"], record["zone"], record["state"], record["network_role"],
        record["image"]["distro"], record["arch"]))
    for tag, value in record["tags"].items() if tag_groups else ():
        if tag in tag_groups or "*" in tag_groups:
            names.append(safe_group(f"tag_{tag}_{value}" if value else f"tag_{tag}"))
    return names


# A fleet has few combinations of these, each with many nodes.
@functools.lru_cache(maxsize=4096)
def _groups_of_facts(*values: str | None) -> tuple[str, ...]:
    kinds = ("provider", "cloud", "region", "zone", "state", "network_role", "distro", "arch")
    return ("fleet", *(safe_group(f"{kind}_{value}") for kind, value in zip(kinds, values, strict=True) if value))


def safe_group(name: str) -> str:
    """A valid group name: letters, digits and underscores, as Ansible's own conversion gives."""
    return _INVALID_IN_GROUP.sub("_", name)
