#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module hybridops.fleet.node_power: start, stop and reboot many nodes at once."""
from __future__ import annotations

DOCUMENTATION = r"""
module: node_power
short_description: Start, stop or reboot many nodes at once
version_added: 0.2.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Brings nodes of one cloud, chosen by names, ids or tags, to a state of power. All are asked at the same time, O(workers) of
    them at once, and waited for together.
  - A node that fails does not keep the others; the failures are reported one by one.
extends_documentation_fragment:
  - hybridops.fleet.attributes
  - hybridops.fleet.cloud
  - hybridops.fleet.cloud.changes
options:
  names:
    description: Names of nodes. Shell patterns are possible; a name without a pattern must exist.
    type: list
    elements: str
    default: []
  ids:
    description: Ids of nodes. With other options, nodes that pass all of them.
    type: list
    elements: str
    default: []
  tags:
    description: Tags that a node must have, with the value, or a list of possible values. Empty for any value.
    type: dict
    default: {}
  all:
    description: Says that every node of the cloud is meant, when nothing else chooses.
    type: bool
    default: false
  state:
    description: State to bring them to. V(rebooted) always reboots.
    type: str
    required: true
    choices: [started, stopped, rebooted]
  wait:
    description: Whether to wait until they are there, at most O(timeout) seconds.
    type: bool
    default: true
  progress_file:
    description: File to which a line on the progress of each node is written; see M(hybridops.fleet.node).
    type: path
"""

EXAMPLES = r"""
- name: Stop the nodes of the shop
  hybridops.fleet.node_power:
    fleet: inventories/lab/fleet.yml
    cloud: floating
    names: ["shop-*"]
    state: stopped

- name: Start what has role web, wherever it is in this cloud
  hybridops.fleet.node_power:
    fleet: inventories/lab/fleet.yml
    cloud: floating
    tags: {role: web}
    state: started
"""

RETURN = r"""
nodes:
  description: The nodes after it, with the fields of RV(hybridops.fleet.node_info#module:nodes).
  type: list
  elements: dict
  returned: always
results:
  description: What became of each node.
  type: list
  elements: dict
  returned: always
  contains:
    name:
      description: Its name.
      type: str
      returned: always
    id:
      description: Its id.
      type: str
      returned: always
    changed:
      description: Whether anything was asked for.
      type: bool
      returned: always
    state:
      description: Its state afterwards.
      type: str
      returned: always
    error:
      description: What failed, as what, why, fix, code, cloud and scope.
      type: dict
      returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hybridops.fleet.plugins.module_utils._modules import power
from ansible_collections.hybridops.fleet.plugins.module_utils._modules.front import CLOUD_ARGUMENTS, run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CLOUD_ARGUMENTS,
            "names": {"type": "list", "elements": "str", "default": []},
            "ids": {"type": "list", "elements": "str", "default": []},
            "tags": {"type": "dict", "default": {}},
            "all": {"type": "bool", "default": False},
            "state": {"type": "str", "required": True, "choices": ["started", "stopped", "rebooted"]},
            "wait": {"type": "bool", "default": True},
            "progress_file": {"type": "path"},
        },
        supports_check_mode=True,
    )
    result = run(module, lambda clouds: power.power(module, clouds.named()))
    if result["failed"]:
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
