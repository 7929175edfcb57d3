# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation that the modules of role access share."""
from __future__ import annotations


class ModuleDocFragment:
    """The way to a node, and the keys that may open it."""

    DOCUMENTATION = r"""
options:
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
    support: full
  diff_mode:
    support: none
"""

    LOGIN = r"""
options:
  login_user:
    description: Account to log in with.
    type: str
    required: true
  login_private_key_file:
    description: Private key of that account.
    type: path
    required: true
"""

    WAIT = r"""
options:
  wait:
    description: Seconds to wait for a host that boots or does not answer.
    type: int
    default: 180
"""
