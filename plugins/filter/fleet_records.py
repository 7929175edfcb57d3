# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter hybridops.fleet.fleet_records: the fleet as data in the one shape."""
from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_records
short_description: The fleet as data in the one shape
version_added: 0.1.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Takes the one shape out of the variables of hosts that P(hybridops.fleet.nodes#inventory) made, for other programs.
options:
  _input:
    description: Variables of hosts. Hosts that are not nodes of the fleet are left out.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Hand the fleet to another program
  ansible.builtin.copy:
    content: "{{ {'nodes': groups['fleet'] | map('extract', hostvars) | hybridops.fleet.fleet_records} | to_nice_json }}"
    dest: /srv/fleet.json
    mode: "0644"
"""

RETURN = r"""
_value:
  description:
    - A mapping a node, sorted by inventory name. It holds every field of the one shape, named as the host variable without
      C(fleet_), and C(inventory_hostname), C(ansible_host), C(ansible_user), C(ansible_port). What is unknown is null.
  type: list
  elements: dict
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.trust import clean
from ansible_collections.hybridops.fleet.plugins.plugin_utils._show.nodes import fleet_records as records


def fleet_records(hosts: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The records, safe to be used as a value in a play."""
    found: list[dict[str, Any]] = clean(records(hosts))
    return found


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"fleet_records": fleet_records}
