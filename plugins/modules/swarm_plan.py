#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of action hybridops.fleet.swarm_plan, which decides on the controller."""
from __future__ import annotations

DOCUMENTATION = r"""
module: swarm_plan
short_description: Decide what each node of a swarm has to do
version_added: 0.4.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Decides for all members at once, from what M(hybridops.fleet.swarm_facts) told of each. Refuses an even number of managers, members of
    different swarms, a lost quorum and nodes that advertise another address than members use, each with what to do.
  - Tells what the kernels of nodes cannot carry, and which services rely on it.
  - Runs once (C(run_once)) for the whole play. Role P(hybridops.fleet.docker_swarm#role) uses it.
extends_documentation_fragment:
  - hybridops.fleet.attributes
options:
  purpose:
    description:
      - What the answer is for. V(upgrade) tells an order, V(backup) a manager that does not lead, V(restore) the manager with the address of which
        O(copy) is.
    type: str
    choices: [present, upgrade, backup, restore]
    default: present
  members:
    description: Members, each with C(name) in the inventory, C(ip) and C(role) (V(manager) or V(worker)).
    type: list
    elements: dict
    required: true
  registered:
    description: Name under which the result of M(hybridops.fleet.swarm_facts) was registered on each of them. Not needed with O(purpose=restore).
    type: str
    default: ""
  through:
    description: A manager outside of this run through whom its hosts join. What M(hybridops.fleet.swarm_facts) told of it is registered under
      O(registered) with C(_through) at the end.
    type: str
    default: ""
  copy:
    description: Copy of a swarm on the controller.
    type: path
  rejoin:
    description: Whether nodes with a wrong address, or of another swarm, leave it and join.
    type: bool
    default: false
  has_key:
    description: Whether the key is known that unlocks managers.
    type: bool
    default: false
  needs:
    description: What the kernels must be able to carry, of V(ingress), V(encryption), V(overlay).
    type: list
    elements: str
    default: []
  pools:
    description: Networks for services, of a new swarm. Empty for a choice that overlaps nothing.
    type: list
    elements: str
    default: []
  leaving:
    description: Hosts that leave the swarm, by their names in the inventory.
    type: list
    elements: str
    default: []
  avoid:
    description: Further networks that those must not overlap.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
"""

EXAMPLES = r"""
- name: What each node knows
  hybridops.fleet.swarm_facts:
  become: true
  register: seen

- name: In which order engines are upgraded
  hybridops.fleet.swarm_plan:
    purpose: upgrade
    members: "{{ fleet_cluster_members }}"
    registered: seen
  run_once: true
"""

RETURN = r"""
first:
  description: The manager that speaks for the swarm, or begins it.
  type: str
  returned: for O(purpose=present)
keeper:
  description: The host of this run that knows the tokens while others join, the first one where it is in the run.
  type: str
  returned: for O(purpose=present)
steps:
  description: What each member does, of V(nothing), V(init), V(join), V(unlock), V(rejoin).
  type: dict
  returned: for O(purpose=present)
old:
  description: Ids of entries of members that leave and join again.
  type: list
  elements: str
  returned: for O(purpose=present)
pools:
  description: Networks for services.
  type: list
  elements: str
  returned: for O(purpose=present)
why:
  description: Why these.
  type: str
  returned: for O(purpose=present)
lacks:
  description: What kernels cannot carry, in words.
  type: list
  elements: str
  returned: for O(purpose=present)
wishes:
  description: What each node is to be like, as M(hybridops.fleet.swarm_manage) takes it; nodes that are not in the swarm yet are left out.
  type: list
  elements: dict
  returned: for O(purpose=present)
leaving:
  description: The swarm's entries of hosts that leave.
  type: list
  elements: dict
  returned: for O(purpose=present)
notes:
  description: Nodes of the swarm that are no members of this run.
  type: list
  elements: str
  returned: for O(purpose=present)
order:
  description: Names of the members, workers first, the leader last.
  type: list
  elements: str
  returned: for O(purpose=upgrade)
halfway:
  description: Members that an ended run has drained.
  type: list
  elements: str
  returned: for O(purpose=upgrade)
node:
  description: The manager to copy from, or to come up with a copy.
  type: str
  returned: for O(purpose=backup) and O(purpose=restore)
"""
