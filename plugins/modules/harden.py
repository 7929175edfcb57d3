#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of action hybridops.fleet.harden, which decides on the controller."""
from __future__ import annotations

DOCUMENTATION = r"""
module: harden
short_description: Harden one area of a node, or bring back what was before
version_added: 0.3.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Looks at the node, decides on the controller which controls fit its release, its kind and its workloads, and brings them about in one call.
    Each control comes with what was done or why it was left out.
  - What can cut access is applied only behind a dead man's switch on the node. Unless a fresh connection by the account that Ansible uses
    succeeds within O(switch_seconds), the node goes back by itself and the task fails.
  - Before anything is changed a fresh connection must succeed, and what would shut the account out is refused by name, nothing being changed.
  - What everything was before the first run is kept on the node; O(state=absent) brings it back and compares. It is guarded and refused in the
    same way, as what was before may know nothing of today's account, key or port.
  - Roles P(hybridops.fleet.os_hardening#role), P(hybridops.fleet.ssh_hardening#role) and P(hybridops.fleet.firewall#role) use it.
extends_documentation_fragment:
  - hybridops.fleet.attributes
options:
  area:
    description: What to harden.
    type: str
    choices: [os, ssh, firewall]
    required: true
  data:
    description: Folder of the role's data files, controls, profiles and distributions.
    type: path
    required: true
  profile:
    description: Which controls are on, and their values; a file of O(data).
    type: str
    default: baseline
  controls:
    description: Single controls on or off by name, whatever the profile says.
    type: dict
    default: {}
  values:
    description: Values of single controls by name, whatever the profile says.
    type: dict
    default: {}
  variables:
    description: What the area needs to know besides, from the role's variables.
    type: dict
    default: {}
  workloads:
    description:
      - What the node works for, besides what shows on it, such as V(docker), V(swarm), V(kubernetes), V(router), V(database).
      - A name after V(no-) says that it does not, whatever shows.
    type: list
    elements: str
    default: []
  state:
    description:
      - V(planned) looks and decides, and tells which packages are missing or too many; nothing changes.
      - V(present) hardens, V(absent) brings back what was before the first run.
    type: str
    choices: [planned, present, absent]
    default: present
  facts:
    description: What a call with O(state=planned) has seen on the node, RV(facts), so that it need not look again.
    type: dict
  switch_seconds:
    description: Seconds after which the node takes a guarded change back unless it is confirmed, 20 to 3600.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
"""

EXAMPLES = r"""
- name: The operating system, with profile strict
  hybridops.fleet.harden:
    area: os
    data: roles/os_hardening/vars
    profile: strict
  become: true
  register: done

- name: As it was before the first run
  hybridops.fleet.harden:
    area: os
    data: roles/os_hardening/vars
    state: absent
  become: true
"""

RETURN = r"""
report:
  description:
    - For each control its C(status) (right, changed, would_change, not_possible, failed, left_out), C(why), C(notes), C(details), C(refs).
  type: list
  elements: dict
  returned: with O(state=present)
guard:
  description: How what can cut access was guarded, such as the fresh connection that confirmed it or why there is no dead man's switch. Empty when
    nothing of the kind changed.
  type: str
  returned: with O(state=present) or O(state=absent)
put_back:
  description: What an earlier run had left unconfirmed and came back first, empty when there was nothing.
  type: str
  returned: with O(state=present) or O(state=absent)
msg:
  description: What failed or was refused, why, and what to do.
  type: str
  returned: failure
code:
  description:
    - V(lockout) when it was refused beforehand, V(locked_out) when no fresh connection got in and the node went back, V(switch) when the node went
      back for another reason, V(unreachable) when it could not be reached, and other words for other failures.
  type: str
  returned: failure
decisions:
  description: What was decided for each control, and why.
  type: list
  elements: dict
  returned: with O(state=present) or O(state=planned)
packages:
  description: Packages to install (C(present)) and to remove (C(absent)).
  type: dict
  returned: success
facts:
  description: What was seen on the node; with O(state=absent) and on failure only what a report needs of it.
  type: dict
  returned: always
restored:
  description: What was brought back.
  type: list
  elements: str
  returned: with O(state=absent)
differs:
  description: What is not as it was before the first run.
  type: list
  elements: str
  returned: with O(state=absent)
"""
