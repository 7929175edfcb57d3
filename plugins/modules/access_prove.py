#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of action hybridops.fleet.access_prove, which runs on the controller."""
from __future__ import annotations

DOCUMENTATION = r"""
module: access_prove
short_description: Prove who gets in to a node and who does not
version_added: 0.2.0
author:
  - HybridOps contributors (@hybridops)
description:
  - From fresh connections the fleet's key must open the admin's account with sudo, the node's own key must be refused by all accounts, and the
    server must not take passwords from anybody, an account that does not exist included.
  - A connection that dies is no proof of refusal. It is repeated, and then a failure.
  - Runs on the controller and works over the host's own ssh connection, with its bastion. Needs neither Python nor facts on the node.
  - Role P(hybridops.fleet.access#role) uses it.
extends_documentation_fragment:
  - hybridops.fleet.attributes
  - hybridops.fleet.access
options:
  users:
    description: Further accounts to try with the node's own key, such as the image's login. The admin and root are tried always.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    details: It changes nothing.
"""

EXAMPLES = r"""
- name: The proof
  hybridops.fleet.access_prove:
    private_key_file: ~/.ssh/fleet
    node_private_key_file: ~/.ssh/node
    users: [debian]
"""

RETURN = r"""
fleet_key:
  description: V(opened), or what happened instead.
  type: str
  returned: always
node_key:
  description: V(refused), V(opened), V(absent) when there is no such key any more, V(same) when it is the fleet's, V(unproved).
  type: str
  returned: always
password:
  description: V(refused), V(offered), V(unproved).
  type: str
  returned: always
evidence:
  description: Each connection with C(user), C(offered), C(answer), C(text), C(methods) and C(server).
  type: list
  elements: dict
  returned: always
variables:
  description: Connection variables with which Ansible itself takes the same way as the fleet's admin.
  type: dict
  returned: always
"""
