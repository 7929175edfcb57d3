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
options:
  users:
    description: Further accounts to try with the node's own key, such as the image's login. The admin and root are tried always.
    type: list
    elements: str
    default: []
  private_key_file:
    description: Private key of the fleet.
    type: path
    required: true
  node_private_key_file:
    description: Private key of the node's own, with which it was made. It counts as absent when there is no such file.
    type: path
  bastion_private_key_file:
    description: Private key for the bastion. The fleet's key, the node's key and the keys of your own ssh configuration are tried too.
    type: path
  admin_user:
    description: Account of the fleet's admin.
    type: str
    default: fleet
  known_hosts:
    description: File of the fleet's known host keys.
    type: path
    default: ~/.ansible/hybridops_fleet/known_hosts
  connect_timeout:
    description: Seconds within which a host must begin to answer.
    type: int
    default: 10
  node:
    description:
      - What is known of the node, in the names of the one shape. With C(cloud) and C(id) its host key is kept under C(cloud/id), so that
        an address that moves on to another machine is no false alarm.
    type: dict
    default: {}
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
    details: It changes nothing.
  diff_mode:
    description: Will return details on what has changed, or possibly needs changing in check_mode, when in diff mode.
    support: none
  platform:
    description: The hosts it works on.
    support: full
    platforms: posix
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
