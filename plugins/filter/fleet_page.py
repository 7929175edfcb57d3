# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter hybridops.fleet.fleet_page: the fleet as one HTML page."""
from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_page
short_description: The fleet as one HTML page
version_added: 0.1.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Makes one HTML page of the variables of hosts that P(hybridops.fleet.nodes#inventory) made, with a picture of clouds,
    networks and nodes, and a table of nodes with the reasons for their addresses and login users.
  - The page needs nothing but itself. It loads nothing and runs no script.
  - The same fleet makes the same page.
options:
  _input:
    description: Variables of hosts. Hosts that are not nodes of the fleet are left out.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Write the page
  ansible.builtin.copy:
    content: "{{ groups['fleet'] | map('extract', hostvars) | hybridops.fleet.fleet_page }}"
    dest: /srv/www/fleet.html
    mode: "0644"
"""

RETURN = r"""
_value:
  description: The page.
  type: str
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.trust import clean
from ansible_collections.hybridops.fleet.plugins.plugin_utils._show.nodes import fleet_records
from ansible_collections.hybridops.fleet.plugins.plugin_utils._show.page import page


def fleet_page(hosts: Iterable[Mapping[str, Any]]) -> str:
    """The page, safe to be used as a value in a play."""
    text: str = clean(page(fleet_records(hosts)))
    return text


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"fleet_page": fleet_page}
