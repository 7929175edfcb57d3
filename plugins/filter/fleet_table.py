# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter hybridops.fleet.fleet_table: the fleet as lines of text."""
from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_table
short_description: The fleet as a readable table
version_added: 0.1.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Makes lines of text of the variables of hosts that P(hybridops.fleet.nodes#inventory) made, one node a row, with the
    reasons for its address and its login user, and a summary of each cloud below.
  - Control characters in names become visible, so that no name of a machine can change your terminal.
positional: width
options:
  _input:
    description: Variables of hosts. Hosts that are not nodes of the fleet are left out.
    type: list
    elements: dict
    required: true
  width:
    description:
      - Columns a line may take. Where there is no room for a column of reasons they stand under each node.
      - V(0) means the width of the terminal, or 160 when the output goes elsewhere.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Show the fleet
  ansible.builtin.debug:
    msg: "{{ groups['fleet'] | map('extract', hostvars) | hybridops.fleet.fleet_table(width=120) }}"
"""

RETURN = r"""
_value:
  description: The lines, without line ends. One line that says so when the fleet is empty.
  type: list
  elements: str
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.utils.display import Display
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.trust import clean
from ansible_collections.hybridops.fleet.plugins.plugin_utils._show.nodes import fleet_records
from ansible_collections.hybridops.fleet.plugins.plugin_utils._show.table import table

NO_TERMINAL = 79
"""What Ansible reports without a terminal. It does so for narrow ones too, but logs and AWX are the common case."""
ELSEWHERE = 160
AROUND = 14
"""Columns of a line that the default callback spends on indentation, quotes and comma."""


def fleet_table(hosts: Iterable[Mapping[str, Any]], width: int = 0) -> list[str]:
    """Lines of the table. width: columns a line may take, 0 to find out."""
    lines: list[str] = clean(table(fleet_records(hosts), (int(width) or _columns()) - AROUND))
    return lines


def _columns() -> int:
    known: int = Display().columns
    return ELSEWHERE if known <= NO_TERMINAL else known


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"fleet_table": fleet_table}
