#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of action hybridops.fleet.access_login, which runs on the controller."""
from __future__ import annotations

DOCUMENTATION = r"""
module: access_login
short_description: Find the account that opens a node
version_added: 0.2.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Tries accounts with one connection each, so that no host locks the controller out - what the inventory says, O(candidates), the fleet's
    admin, root, which most images answer with the name of the right account, and then what is usual for the image and the cloud.
  - A host that does not answer is waited for. A refusal is not repeated, but for the likeliest account of a host that is booting or younger
    than ten minutes, which gets four more tries within half a minute before any account is guessed.
  - The host key is checked from the first connection on. Keys that are given count; otherwise the first one seen is kept.
  - Runs on the controller and works over the host's own ssh connection, with its bastion. Needs neither Python nor facts on the node.
  - Role P(hybridops.fleet.access#role) uses it.
extends_documentation_fragment:
  - hybridops.fleet.attributes
  - hybridops.fleet.access
  - hybridops.fleet.access.wait
options:
  candidates:
    description: Accounts to try after what the inventory says. All of them are tried.
    type: list
    elements: str
    default: []
  attempts:
    description: Connections after which no further account is guessed.
    type: int
    default: 8
  host_keys:
    description: Host keys of the node (type and base64), from where they can be trusted. They replace what is known of it.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    details: It logs in, and keeps a host key seen for the first time on the controller.
"""

EXAMPLES = r"""
- name: Which account opens it?
  hybridops.fleet.access_login:
    private_key_file: ~/.ssh/fleet
    node_private_key_file: ~/.ssh/node
    candidates: [ops, admin]
  register: found
"""

RETURN = r"""
user:
  description: The account that opens the node.
  type: str
  returned: success
private_key_file:
  description: The private key that opens it.
  type: str
  returned: success
node_private_key_file:
  description: The node's own private key, empty when there is none.
  type: str
  returned: success
node_public_key:
  description: Its public part.
  type: str
  returned: success
why:
  description: Why this account was tried.
  type: str
  returned: success
tried:
  description: Every account tried in order, with C(user), C(private_key_file), C(why), C(answer), C(text) and C(times).
  type: list
  elements: dict
  returned: success
known_as:
  description: Name under which the host key is kept.
  type: str
  returned: success
host_keys:
  description: Type and fingerprint of each known key of the host.
  type: list
  elements: str
  returned: success
host_keys_from:
  description: V(cloud), V(first use) or V(known).
  type: str
  returned: success
learned:
  description: Names whose host key was seen for the first time, of the node and of bastions.
  type: list
  elements: str
  returned: success
variables:
  description: Connection variables with which Ansible itself takes the same way with the same checks.
  type: dict
  returned: success
"""
