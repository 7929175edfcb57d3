#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of action hybridops.fleet.access_key_out, which runs on the controller."""
from __future__ import annotations

DOCUMENTATION = r"""
module: access_key_out
short_description: Take a node's own key out of it
version_added: 0.2.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Removes keys from every file in which sshd could find them - those of all accounts, of root (with cloud-init's forced command) and of
    C(AuthorizedKeysFile). They are known by the key itself, not by their comment. Other keys stay, and the fleet's are never removed.
  - Runs on the controller and works over the host's own ssh connection, with its bastion. Needs neither Python nor facts on the node.
  - Role P(hybridops.fleet.access#role) uses it.
options:
  login_user:
    description: Account to log in with.
    type: str
    required: true
  login_private_key_file:
    description: Private key of that account.
    type: path
    required: true
  authorized_keys:
    description: Public keys of the fleet, as lines or as paths of files on the controller.
    type: list
    elements: str
    default: []
  public_keys:
    description: Further public keys to take out, beside that of O(node_private_key_file).
    type: list
    elements: str
    default: []
  wait:
    description: Seconds to wait for a host that boots or does not answer.
    type: int
    default: 180
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
  diff_mode:
    description: Will return details on what has changed, or possibly needs changing in check_mode, when in diff mode.
    support: none
  platform:
    description: The hosts it works on.
    support: full
    platforms: posix
"""

EXAMPLES = r"""
- name: The node's key out
  hybridops.fleet.access_key_out:
    login_user: fleet
    login_private_key_file: ~/.ssh/fleet
    private_key_file: ~/.ssh/fleet
    node_private_key_file: ~/.ssh/node
"""

RETURN = r"""
did:
  description: What was done, or would be done in check mode.
  type: list
  elements: str
  returned: success
skipped_because:
  description: Why there was nothing to do.
  type: str
  returned: when no key is to be taken out
"""
