# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter hybridops.fleet.requirements: a list of requirements as module hybridops.fleet.node takes it."""
from __future__ import annotations

DOCUMENTATION = r"""
name: requirements
short_description: A list of requirements as module node takes it
version_added: 0.2.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Fills in defaults, takes out what is for the inventory only (C(groups), C(variables)) and names the key of each node after it.
  - Mappings (C(image), C(flavor), C(network), C(tags)) of a requirement replace those of the defaults, but C(tags), which are joined.
positional: defaults
options:
  _input:
    description: The requirements. Each has C(cloud) and C(name).
    type: list
    elements: dict
    required: true
  defaults:
    description: What holds for every requirement that does not say otherwise.
    type: dict
"""

EXAMPLES = r"""
- name: Two of a kind
  ansible.builtin.debug:
    msg: "{{ [{'cloud': 'dream', 'name': 'a'}, {'cloud': 'amazon', 'name': 'b'}] | hybridops.fleet.requirements({'image': {'distro': 'debian'}}) }}"
"""

RETURN = r"""
_value:
  description: The requirements.
  type: list
  elements: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet import requirement
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

FOR_THE_INVENTORY = ("groups", "variables")


def requirements(wishes: Sequence[Mapping[str, Any]], defaults: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """One complete requirement for each wish. Raises AnsibleFilterError for one without cloud or name, or that is there twice, and for
    one that module node would refuse: the nodes' keys are made before it sees them."""
    if isinstance(wishes, (str, Mapping)) or not isinstance(wishes, Sequence):
        raise AnsibleFilterError("fleet_nodes must be a list. Write for example [{cloud: dream, name: web-1}].")
    rows: list[dict[str, Any]] = []
    seen: set[tuple[str, str]] = set()
    for number, wish in enumerate(wishes):
        if not isinstance(wish, Mapping) or not wish.get("cloud") or not wish.get("name"):
            raise AnsibleFilterError(f"fleet_nodes[{number}] needs 'cloud' and 'name'. Write for example {{cloud: dream, name: web-1}}.")
        place = str(wish["cloud"]), str(wish["name"])
        if place in seen:
            raise AnsibleFilterError(f"fleet_nodes names {place[1]} of cloud {place[0]} twice. Give every node a name of its own.")
        seen.add(place)
        row = {**(defaults or {}), **wish, "tags": {**((defaults or {}).get("tags") or {}), **(wish.get("tags") or {})}}
        rows.append({"ssh_key": wish["name"], **{key: value for key, value in row.items() if key not in FOR_THE_INVENTORY}})
        _check(rows[-1], f"fleet_nodes[{number}]")
    return rows


def _check(row: Mapping[str, Any], source: str) -> None:
    try:
        requirement.parse(_told({key: value for key, value in row.items() if key != "cloud"}), source)
    except FleetError as failure:
        raise AnsibleFilterError(str(failure)) from None


def _told(value: Any) -> Any:
    """Without what is null, which means the same as left out."""
    if isinstance(value, Mapping):
        return {key: _told(item) for key, item in value.items() if item is not None}
    return [_told(item) for item in value] if isinstance(value, list) else value


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"requirements": requirements}
