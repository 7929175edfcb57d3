#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of action hybridops.fleet.container_engine, which decides on the controller."""
from __future__ import annotations

DOCUMENTATION = r"""
module: container_engine
short_description: Decide and write what a node's container engine needs
version_added: 0.4.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Looks at the node, decides on the controller which packages it needs, from where, and how the engine is set, and has the settings written.
  - Networks for the engine's bridges are chosen so that they overlap no address of the inventory, no route of the node and nothing that the
    operator names; those that an engine has stay unless they overlap something.
  - Role P(hybridops.fleet.container_engine#role) uses it.
extends_documentation_fragment:
  - hybridops.fleet.attributes
options:
  state:
    description:
      - V(surveyed) tells which networks the inventory's addresses are of, for C(avoid); once for all hosts.
      - V(planned) looks and tells which packages are wanted; nothing changes.
      - V(present) writes the settings, V(absent) takes them out, V(restarted) starts the engine anew with a way back.
    type: str
    choices: [surveyed, planned, present, absent, restarted]
    default: present
  options:
    description: The role's variables by name, without C(container_engine_).
    type: dict
    required: true
  data:
    description: The role's data, packages and repositories by distribution.
    type: dict
    default: {}
  facts:
    description: What an earlier call with O(state=planned) has seen, so that the node is not looked at again.
    type: dict
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
"""

EXAMPLES = r"""
- name: In force
  hybridops.fleet.container_engine:
    state: restarted
    options: {engine: docker, timeout: 90}
  become: true
"""

RETURN = r"""
networks:
  description: Networks of the inventory's addresses.
  type: list
  elements: str
  returned: with O(state=surveyed)
facts:
  description: What was seen, see M(hybridops.fleet.engine_facts).
  type: dict
  returned: with O(state=planned)
packages:
  description: What is to be installed, with the version that is asked for.
  type: list
  elements: str
  returned: with O(state=planned)
repository:
  description: The vendor's repository; empty for the distribution's packages.
  type: dict
  returned: with O(state=planned)
pools:
  description: Networks for the engine's bridges.
  type: list
  elements: str
  returned: with O(state=present) for Docker
why:
  description: Why these.
  type: str
  returned: with O(state=present) for Docker
restart:
  description: Whether the running engine has to be started anew for its settings.
  type: bool
  returned: with O(state=present) or O(state=absent)
"""
