#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of action hybridops.fleet.access_switch, which runs on the controller."""
from __future__ import annotations

DOCUMENTATION = r"""
module: access_switch
short_description: Let the fleet in and switch passwords off
version_added: 0.2.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Makes the fleet's admin account with the fleet's keys and the right to sudo, and switches password login off for everybody. Match blocks
    that would switch it on again for some are commented out, a list of allowed users goes on with the admin.
  - sshd's configuration is tested on a copy before anything is touched, and again before sshd reads it.
  - Before the change a dead man's switch is armed on the node. Unless a fresh connection with the fleet's key confirms the change within
    O(seconds), or when the node restarts, the old configuration comes back by itself.
  - Runs on the controller and works over the host's own ssh connection, with its bastion. Needs neither Python nor facts on the node.
  - Role P(hybridops.fleet.access#role) uses it.
extends_documentation_fragment:
  - hybridops.fleet.attributes
  - hybridops.fleet.access
  - hybridops.fleet.access.login
  - hybridops.fleet.access.wait
options:
  authorized_keys:
    description: Public keys of the fleet, as lines or as paths of files on the controller.
    type: list
    elements: str
    required: true
  root_login:
    description: Whether root may log in, with the fleet's keys.
    type: str
    choices: ["no", prohibit-password]
    default: "no"
  seconds:
    description: Seconds after which the node takes the change back unless it is confirmed, 10 to 3600.
    type: int
    default: 60
attributes:
  diff_mode:
    support: full
"""

EXAMPLES = r"""
- name: The fleet in, passwords off
  hybridops.fleet.access_switch:
    login_user: debian
    login_private_key_file: ~/.ssh/node
    private_key_file: ~/.ssh/fleet
    authorized_keys: [~/.ssh/fleet.pub]
"""

RETURN = r"""
did:
  description: What was done, or would be done in check mode.
  type: list
  elements: str
  returned: success
"""
