#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module hybridops.fleet.ssh_key: a node's own SSH key, in the cloud and out of it again."""
from __future__ import annotations

DOCUMENTATION = r"""
module: ssh_key
short_description: A node's own SSH key in the key store of a cloud
version_added: 0.2.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Makes an ed25519 key pair for the first login to a node and gives its public part to the cloud. The private part is only in the
    file named, with mode 0600.
  - OpenStack and AWS have a key store. Google Compute Engine and metal have none; there the public part goes into the key
    ring of this controller, from which M(hybridops.fleet.node) puts it into the metadata of the nodes that it makes, or with
    O(node) into the metadata of a node that is there.
  - With O(state=absent) the key is taken out of all these places. The file with the private part is removed when it is named.
    The node itself still knows the key; role P(hybridops.fleet.access#role) takes it out there and proves it.
extends_documentation_fragment:
  - hybridops.fleet.attributes
  - hybridops.fleet.cloud
  - hybridops.fleet.cloud.changes
options:
  name:
    description: Name of the key. Use one key for each node, named after it.
    type: str
  keys:
    description:
      - Several keys, each with a O(name), a O(private_key_file) and what differs from the other options of the task (O(cloud), O(public_key),
        O(node), O(login_user), O(scope), O(force)). All are worked on at the same time.
    type: list
    elements: dict
  private_key_file:
    description:
      - File for the private part. It is made when it is not there, and used when it is.
      - With O(state=absent) it is removed.
    type: path
  public_key:
    description: A public key in OpenSSH format, instead of making a pair.
    type: str
  node:
    description: Name or id of a node in whose metadata the key is put, or from which it is taken, in clouds without a key store.
    type: str
  login_user:
    description: Account that the key in the metadata of O(node) is for.
    type: str
    default: fleet-boot
  scope:
    description:
      - Region, project or source whose key store is meant. Default the first of the cloud. On AWS each region has its own.
      - With O(state=absent) the default is all.
    type: str
    aliases: [region, project]
  for_new_nodes:
    description:
      - Whether to make a key only when there is no node of its name yet, or when its O(private_key_file) is still there from a run that was
        ended. For a key that has the name of its node.
    type: bool
    default: false
  force:
    description:
      - Whether to replace a key of the same name and other content. Without it that is a failure.
      - With O(state=absent), whether to remove from the key store also a key that this collection did not make. Without it such a key stays,
        with a warning, unless it is the one in O(public_key), O(private_key_file) or the key ring.
    type: bool
    default: false
  key_dir:
    description: Folder of the key ring of this controller. Default E(HYBRIDOPS_FLEET_KEY_DIR), else
      C(hybridops_fleet/keys) in E(ANSIBLE_HOME) (C(~/.ansible)).
    type: path
  state:
    description: Whether the key is there.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: hybridops.fleet.node
"""

EXAMPLES = r"""
- name: A key for the first login
  hybridops.fleet.ssh_key:
    fleet: inventories/lab/fleet.yml
    cloud: floating
    name: shop-1
    private_key_file: /tmp/fleet-keys/floating/shop-1
  register: made

- name: Its end
  hybridops.fleet.ssh_key:
    fleet: inventories/lab/fleet.yml
    cloud: floating
    name: "{{ made.name }}"
    private_key_file: /tmp/fleet-keys/floating/shop-1
    state: absent
"""

RETURN = r"""
name:
  description: Name of the key, for option O(hybridops.fleet.node#module:ssh_key) of M(hybridops.fleet.node).
  type: str
  returned: when one key was asked for
keys:
  description: The keys, each as RV(key).
  type: list
  elements: dict
  returned: always
key:
  description: The key.
  type: dict
  returned: when one key was asked for
  contains:
    name:
      description: Its name.
      type: str
      returned: always
    cloud:
      description: Its cloud.
      type: str
      returned: always
    public_key:
      description: Public part in OpenSSH format. Nothing in check mode when the pair would be made.
      type: str
      returned: always
    private_key_file:
      description: File of the private part.
      type: str
      returned: always
    stored:
      description: Where the cloud has it, V(key store), V(key ring) or V(instance metadata). Nothing when no key was needed.
      type: str
      returned: always
did:
  description: What was done.
  type: list
  elements: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hybridops.fleet.plugins.module_utils._modules import keys
from ansible_collections.hybridops.fleet.plugins.module_utils._modules.front import CLOUD_ARGUMENTS, run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CLOUD_ARGUMENTS,
            "name": {"type": "str"},
            "keys": {"type": "list", "elements": "dict", "no_log": False},
            "private_key_file": {"type": "path", "no_log": False},
            "public_key": {"type": "str", "no_log": False},
            "node": {"type": "str"},
            "login_user": {"type": "str", "default": "fleet-boot"},
            "scope": {"type": "str", "aliases": ["region", "project"]},
            "for_new_nodes": {"type": "bool", "default": False},
            "force": {"type": "bool", "default": False},
            "key_dir": {"type": "path", "no_log": False},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_one_of=[("name", "keys")],
        mutually_exclusive=[("name", "keys")],
        supports_check_mode=True,
    )
    module.exit_json(**run(module, lambda clouds: keys.key(module, clouds)))


if __name__ == "__main__":
    main()
