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
    default: []
  public_keys:
    description: Further public keys to take out, beside that of O(node_private_key_file).
    type: list
    elements: str
    default: []
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
