#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of action hybridops.fleet.add_node, which runs on the controller."""
from __future__ import annotations

DOCUMENTATION = r"""
module: add_node
short_description: Put a node into the running inventory
version_added: 0.2.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Adds a node, as M(hybridops.fleet.node) returns it, to the inventory of this run with the host variables and groups that the inventory
    plugin P(hybridops.fleet.nodes#inventory) would give it. A node that is there already gets new values.
  - Like M(ansible.builtin.add_host) it runs once for all hosts of a play, and on the controller.
extends_documentation_fragment:
  - hybridops.fleet.attributes
options:
  node:
    description: The node.
    type: dict
    required: true
  among:
    description: Nodes that join the inventory in the same loop. Those of one name get different ones in the inventory.
    type: list
    elements: dict
  fleet:
    description: The fleet file, for its C(connect_to), C(ip_family), C(tag_groups) and the bastion of the cloud.
    type: path
  groups:
    description: Further groups to put it into.
    type: list
    elements: str
  variables:
    description: Further host variables.
    type: dict
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    details: It runs on the controller.
"""

EXAMPLES = r"""
- name: Make a node
  hybridops.fleet.node:
    fleet: inventories/lab/fleet.yml
    cloud: floating
    name: shop-1
    image: {distro: debian}
    flavor: {vcpus: 1}
  register: made

- name: And let the next plays have it
  hybridops.fleet.add_node:
    node: "{{ made.node }}"
    fleet: inventories/lab/fleet.yml
    groups: [fresh]
"""

RETURN = r"""
name:
  description: Name of the host in the inventory.
  type: str
  returned: always
"""
