#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module hybridops.fleet.node_info: nodes of a cloud in the one shape."""
from __future__ import annotations

DOCUMENTATION = r"""
module: node_info
short_description: Nodes of a cloud in the one shape
version_added: 0.2.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Lists nodes of one cloud of a fleet file as the inventory plugin P(hybridops.fleet.nodes#inventory) shows them, for plays whose
    inventory is another one, and for what has changed since the inventory was read.
extends_documentation_fragment:
  - hybridops.fleet.attributes
  - hybridops.fleet.cloud
  - hybridops.fleet.cloud.info
options:
  names:
    description: Names wanted. Shell patterns are possible.
    type: list
    elements: str
    default: []
  ids:
    description: Ids wanted.
    type: list
    elements: str
    default: []
  tags:
    description: Tags that a node must have, with the value, or a list of possible values. Empty for any value.
    type: dict
    default: {}
  states:
    description: States wanted. Default all but deleting.
    type: list
    elements: str
    choices: [pending, running, stopping, stopped, paused, error, deleting, unknown]
  host_keys:
    description:
      - Whether to ask the cloud for the SSH host keys of each node (console output, guest attributes). One request for each node.
    type: bool
    default: false
seealso:
  - plugin: hybridops.fleet.nodes
    plugin_type: inventory
"""

EXAMPLES = r"""
- name: Everything that runs for role web
  hybridops.fleet.node_info:
    fleet: inventories/lab/fleet.yml
    cloud: amazon
    tags: {role: web}
    states: [running]
  register: web

- name: Their addresses
  ansible.builtin.debug:
    msg: "{{ web.nodes | map(attribute='public_ip') }}"
"""

RETURN = r"""
nodes:
  description: The nodes. Host variable C(fleet_x) of the inventory is field C(x) here.
  type: list
  elements: dict
  returned: always
  contains:
    id:
      description: Identifier of the node in its cloud.
      type: str
      returned: always
    name:
      description: Name the cloud shows, unchanged; the inventory name may differ.
      type: str
      returned: always
    cloud:
      description: Name of the cloud in the fleet file.
      type: str
      returned: always
    provider:
      description: "Kind of infrastructure: openstack, aws, gce or metal."
      type: str
      returned: always
    account:
      description: AWS account, GCE project, OpenStack project, owner on metal.
      type: str
      returned: always
    region:
      description: Region.
      type: str
      returned: always
    zone:
      description: Availability zone.
      type: str
      returned: always
    state:
      description: Life-cycle state, one of pending, running, stopping, stopped, paused, error, deleting, unknown.
      type: str
      returned: always
    created:
      description: Time of creation, ISO 8601, UTC.
      type: str
      returned: always
    flavor:
      description: Flavor, instance type or machine type.
      type: str
      returned: always
    arch:
      description: Processor architecture as uname says it (x86_64, aarch64).
      type: str
      returned: always
    image:
      description: "Image the node was made from: id, name, distro, version."
      type: dict
      returned: always
    tags:
      description: Tags, labels or metadata; a tag without a value holds an empty string.
      type: dict
      returned: always
    public_ip:
      description: "Address by which the node is reached from outside: IPv4 if it has one, else IPv6."
      type: str
      returned: always
    public_ipv4:
      description: IPv4 address by which the node is reached from outside.
      type: str
      returned: always
    public_ipv6:
      description: IPv6 address by which the node is reached from outside.
      type: str
      returned: always
    public_ip_on_interface:
      description: Whether public_ip is configured on the node itself; false for floating, elastic and NAT addresses.
      type: bool
      returned: always
    private_ip:
      description: "Address inside the cloud: IPv4 if it has one, else IPv6."
      type: str
      returned: always
    private_ipv4:
      description: IPv4 address inside the cloud.
      type: str
      returned: always
    private_ipv6:
      description: IPv6 address inside the cloud.
      type: str
      returned: always
    interfaces:
      description: "Network interfaces: network, network_id, role, mac, mtu and addresses (ip, family, role, nat_of, why)."
      type: list
      elements: dict
      returned: always
    network_role:
      description: "Role of the address by which the node is best reached: public, floating, external, private, unknown."
      type: str
      returned: always
    network_domain:
      description: Opaque id of the layer-3 domain; nodes with equal ids reach each other by their private addresses.
      type: str
      returned: always
    mtu:
      description: MTU of the network that carries the node's main address, in bytes.
      type: int
      returned: always
    login_user:
      description: Account to log in with.
      type: str
      returned: always
    ssh_port:
      description: TCP port of the SSH server.
      type: int
      returned: always
    security_groups:
      description: Names of security groups or firewall tags.
      type: list
      elements: str
      returned: always
    host_keys:
      description: SSH host keys ('type base64'), when the cloud tells them.
      type: list
      elements: str
      returned: always
    why:
      description: "Reasons of the decisions: public_ip, login_user, network_role."
      type: dict
      returned: always
    stale:
      description: True when the cloud did not answer and this is its last good answer.
      type: bool
      returned: always
    extra:
      description: Fields of the cloud's own record asked for with hostvars_extra.
      type: dict
      returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import STATES
from ansible_collections.hybridops.fleet.plugins.module_utils._modules import reading
from ansible_collections.hybridops.fleet.plugins.module_utils._modules.front import CLOUD_ARGUMENTS, run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CLOUD_ARGUMENTS,
            "names": {"type": "list", "elements": "str", "default": []},
            "ids": {"type": "list", "elements": "str", "default": []},
            "tags": {"type": "dict", "default": {}},
            "states": {"type": "list", "elements": "str", "choices": list(STATES)},
            "host_keys": {"type": "bool", "default": False, "no_log": False},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, nodes=run(module, lambda clouds: reading.nodes(module, clouds.named())))


if __name__ == "__main__":
    main()
