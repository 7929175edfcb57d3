#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module hybridops.fleet.node_rules: what may reach nodes that are there."""
from __future__ import annotations

DOCUMENTATION = r"""
module: node_rules
short_description: Let traffic in to nodes that are there, on any cloud
version_added: 0.4.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Adds rules to the security group (on Google Compute Engine the firewall rules) that M(hybridops.fleet.node) made for a node, and takes them
    back. What the node was made with, and what others added, stays as it is.
  - Rules belong to a part, a word. A part is brought to exactly the rules that are given for it; none takes it away.
  - A node without a group of its own (made without C(security), or not by this collection) is left as it is, with a warning; metal has none.
  - Role P(hybridops.fleet.mesh#role) opens the ports of a cluster among its members with it (C(mesh_open_ports)).
extends_documentation_fragment:
  - hybridops.fleet.attributes
  - hybridops.fleet.cloud
  - hybridops.fleet.cloud.changes
options:
  nodes:
    description: The nodes, of any clouds.
    type: list
    elements: dict
    required: true
    suboptions:
      cloud:
        description: Name of the cloud in the fleet file. Default O(cloud).
        type: str
      id:
        description: Id of the node.
        type: str
        required: true
      allow:
        description: The rules of the part for this node.
        type: list
        elements: dict
        default: []
        suboptions:
          port:
            description: Port, or the first of a range. For O(nodes[].allow[].protocol=icmp) none.
            type: int
          last_port:
            description: Last port of a range.
            type: int
          protocol:
            description: Protocol.
            type: str
            choices: [tcp, udp, icmp]
            default: tcp
          from:
            description: Networks in CIDR form. Default everywhere, by IPv4 and IPv6.
            type: list
            elements: str
  part:
    description: Which rules these are, a word of up to twelve small letters.
    type: str
    default: cluster
"""

EXAMPLES = r"""
- name: The database answers to one web server, and to nobody else
  hybridops.fleet.node_rules:
    fleet: inventories/lab/fleet.yml
    part: database
    nodes:
      - cloud: "{{ fleet_cloud }}"
        id: "{{ fleet_id }}"
        allow: [{port: 5432, from: [203.0.113.20/32]}]
  delegate_to: localhost
"""

RETURN = r"""
results:
  description: What became of each node.
  type: list
  elements: dict
  returned: always
  contains:
    cloud:
      description: Its cloud.
      type: str
      returned: always
    id:
      description: Its id.
      type: str
      returned: always
    name:
      description: Its name.
      type: str
      returned: always
    changed:
      description: Whether a rule came or went.
      type: bool
      returned: always
    did:
      description: What was changed, in words; in check mode what would be.
      type: list
      elements: str
      returned: always
    error:
      description: What failed, as C(what), C(why), C(fix), C(code), C(cloud) and C(scope); nothing when all went well.
      type: dict
      returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hybridops.fleet.plugins.module_utils._modules import rules as work
from ansible_collections.hybridops.fleet.plugins.module_utils._modules.front import CLOUD_ARGUMENTS, run

ALLOW = {
    "port": {"type": "int"},
    "last_port": {"type": "int"},
    "protocol": {"type": "str", "choices": ["tcp", "udp", "icmp"], "default": "tcp"},
    "from": {"type": "list", "elements": "str"},
}
NODE = {
    "cloud": {"type": "str"},
    "id": {"type": "str", "required": True},
    "allow": {"type": "list", "elements": "dict", "default": [], "options": ALLOW},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CLOUD_ARGUMENTS,
            "nodes": {"type": "list", "elements": "dict", "required": True, "options": NODE},
            "part": {"type": "str", "default": "cluster"},
        },
        supports_check_mode=True,
    )
    result = run(module, lambda clouds: work.rules(module, clouds))
    if result["failed"]:
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
