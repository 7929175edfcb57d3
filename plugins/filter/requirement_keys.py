# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter hybridops.fleet.requirement_keys: the key of each node, as module hybridops.fleet.ssh_key takes them."""
from __future__ import annotations

DOCUMENTATION = r"""
name: requirement_keys
short_description: The key of each node, as module ssh_key takes them
version_added: 0.2.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Makes of requirements, as P(hybridops.fleet.requirements#filter) gives them, the list for option O(hybridops.fleet.ssh_key#module:keys).
  - The private part of the key of node C(n) of cloud C(c) is in file C(c/n) of the folder.
positional: folder
options:
  _input:
    description: The requirements.
    type: list
    elements: dict
    required: true
  folder:
    description: Folder of the private parts.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Where the keys are
  ansible.builtin.debug:
    msg: "{{ [{'cloud': 'dream', 'name': 'a'}] | hybridops.fleet.requirements | hybridops.fleet.requirement_keys('/tmp/keys') }}"
"""

RETURN = r"""
_value:
  description: The keys.
  type: list
  elements: dict
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def requirement_keys(rows: Sequence[Mapping[str, Any]], folder: str) -> list[dict[str, Any]]:
    """One key for each requirement that does not name a key of the operator's own."""
    return [
        {"cloud": row["cloud"], "name": row["ssh_key"], "private_key_file": os.path.join(folder, str(row["cloud"]), str(row["name"])),
         **({"scope": row["scope"]} if row.get("scope") else {})}
        for row in rows if str(row["ssh_key"]) == str(row["name"])
    ]


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"requirement_keys": requirement_keys}
