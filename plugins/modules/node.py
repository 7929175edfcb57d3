#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module hybridops.fleet.node: from a requirement to a node with an address, on any cloud."""
from __future__ import annotations

DOCUMENTATION = r"""
module: node
short_description: Make, start, stop or remove a node on any cloud, from a requirement
version_added: 0.2.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Takes a requirement (image, size, how it must be reached) to a running node with an address, the same way on OpenStack, AWS,
    Google Compute Engine and metal, and says what was chosen and why.
  - A node is found by its name, which is unique among the living nodes of a cloud. The same task run twice, or by two runs at
    the same time, or again after a run that was killed at any moment, makes one node.
  - Everything made for a node (address, security group, disk) carries the tag C(fleet_node) with the name of the node, and goes with it.
    An address that was there before and was only used is not released.
  - A node that could not be made leaves nothing behind, unless O(keep_failed) says so.
  - On metal a free machine that meets the requirement is bound instead of made, and released instead of removed.
extends_documentation_fragment:
  - hybridops.fleet.attributes
  - hybridops.fleet.cloud
  - hybridops.fleet.cloud.changes
options:
  name:
    description:
      - Name of the node. Letters, digits, dots, hyphens and underscores, at most 63; on Google Compute Engine lower-case letters, digits
        and hyphens.
      - With O(count) above 1, the nodes are named O(name) with C(-1), C(-2) and so on.
    type: str
  count:
    description: How many nodes of this requirement.
    type: int
    default: 1
  nodes:
    description:
      - Several requirements, each with a O(name) and what differs from the other options of the task (O(cloud), O(image), O(flavor),
        O(network), O(scope), O(zone), O(ssh_key), O(public_key), O(login_user), O(tags), O(security), O(user_data)).
      - All are asked for at the same time and waited for together, also those of different clouds.
    type: list
    elements: dict
  id:
    description: With O(state=absent), the id of a node to remove. The only way to remove a node that this collection did not make.
    type: str
  image:
    description: The image. Of those that fit, official ones go before the own, then the highest version, then the newest.
    type: dict
    suboptions:
      id:
        description: Id of an image, as M(hybridops.fleet.catalog_info) lists it.
        type: str
      name:
        description: Name of an image. Shell patterns are possible.
        type: str
      family:
        description: Image family (Google Compute Engine).
        type: str
      distro:
        description: Distribution, as C(ID) of os-release says it (debian, ubuntu, rocky, amazon).
        type: str
      version:
        description: Version of the distribution. V(9) takes 9.6 also, V(24.04) does not take 24.10.
        type: str
      arch:
        description: Processor architecture. Without it x86_64, when the cloud has it.
        type: str
  flavor:
    description: The size. Without O(flavor.name) the smallest that has at least what is given.
    type: dict
    suboptions:
      name:
        description: Name of a flavor, instance type or machine type; on metal the name of a machine.
        type: str
      vcpus:
        description: Least number of virtual processors.
        type: int
      memory_mib:
        description: Least memory, in MiB.
        type: int
      disk_gib:
        description: Least size of the root disk, in GiB.
        type: int
  network:
    description: How the node must be reached. Without it, publicly.
    type: dict
    suboptions:
      name:
        description: Name or id of a network or subnet, or of the VPC whose subnets are meant. Without it one that gives what is asked for.
        type: str
      reachable:
        description:
          - V(public) sees to an address that is reached from outside, in whatever way the cloud has, V(private) to a node without
            one, V(any) takes what comes.
          - Where a cloud has no addresses that the internet routes, V(public) takes those that are reached from outside the cloud
            (role C(external)), and says so.
        type: str
        choices: [public, private, any]
        default: public
      families:
        description: Address families that are all needed. Without it any one will do.
        type: list
        elements: str
        choices: [ipv4, ipv6]
        default: []
  scope:
    description: Region, project (Google Compute Engine) or source (metal) in which to make the node. Default the first of the cloud.
    type: str
    aliases: [region, project]
  zone:
    description: Availability zone. Without it one in which flavor and network both are.
    type: str
  ssh_key:
    description:
      - Name of a key made by M(hybridops.fleet.ssh_key), by which the first login is done.
      - Where the cloud has no key store (Google Compute Engine, metal) the public part is taken from the key ring of this controller,
        into which M(hybridops.fleet.ssh_key) has put it, unless O(public_key) is given.
    type: str
  public_key:
    description: Public key in OpenSSH format, for clouds without a key store.
    type: str
  login_user:
    description: Account that the key is for, where the cloud makes accounts from keys (Google Compute Engine, metal by Ironic).
    type: str
    default: fleet-boot
  tags:
    description: Tags of the node (labels, metadata). On a node that is there already they are set; others stay as they are.
    type: dict
    default: {}
  security:
    description:
      - Traffic to let in, by a security group or firewall rule of this node's own. Only for nodes that are made; a node that is there
        keeps its rules.
      - Without it the defaults of the cloud hold, which on AWS and OpenStack let nothing in.
    type: dict
    suboptions:
      allow:
        description: The rules.
        type: list
        elements: dict
        default: []
        suboptions:
          port:
            description: Port, or the first one of a range. Not for V(icmp).
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
  user_data:
    description:
      - User data for cloud-init or what the image has in its place.
      - It is never shown, here and in O(nodes), as it may hold secrets.
    type: str
  hidden_user_data:
    description:
      - User data by place, as JSON. Filled from O(user_data) and O(nodes) by the controller.
      - It is one text so that it is hidden as a whole wherever the arguments of the module are shown.
    type: json
  state:
    description:
      - V(present) sees that the node exists; one that is stopped stays so.
      - V(started), V(stopped) and V(rebooted) also see to its power. V(started) makes a node that is not there.
      - V(absent) removes the node and everything made for it, also what an earlier run left behind.
    type: str
    choices: [present, started, stopped, rebooted, absent]
    default: present
  keep_failed:
    description: Keep what a failed creation has made, to look at it. Remove it afterwards with O(state=absent).
    type: bool
    default: false
  key_dir:
    description: Folder of the key ring of this controller. Default E(HYBRIDOPS_FLEET_KEY_DIR), else
      C(hybridops_fleet/keys) in E(ANSIBLE_HOME) (C(~/.ansible)).
    type: path
  progress_file:
    description:
      - File to which a line on the progress of each node is written. When the module runs on the controller the lines are shown
        as they come, without this option.
    type: path
seealso:
  - module: hybridops.fleet.catalog_info
  - module: hybridops.fleet.ssh_key
  - module: hybridops.fleet.node_info
  - module: hybridops.fleet.node_power
"""

EXAMPLES = r"""
- name: One small public Debian node
  hybridops.fleet.node:
    fleet: inventories/lab/fleet.yml
    cloud: floating
    name: shop-1
    image: {distro: debian, version: "12"}
    flavor: {vcpus: 1, memory_mib: 512}
    security: {allow: [{port: 22, from: [203.0.113.0/24]}]}
    tags: {role: web}
  register: made

- name: Why it is as it is
  ansible.builtin.debug:
    var: made.chosen.because

- name: Three alike at once, on AWS, defined in the task
  hybridops.fleet.node:
    definition: {provider: aws, profile: lab, regions: [us-east-1]}
    name: worker
    count: 3
    image: {distro: ubuntu, version: "24.04"}
    flavor: {name: t3.small}

- name: Gone, with everything that was made for it
  hybridops.fleet.node:
    fleet: inventories/lab/fleet.yml
    cloud: floating
    name: shop-1
    state: absent
"""

RETURN = r"""
nodes:
  description:
    - The nodes in the one shape, in the order asked for, as the inventory shows them after the run; of those that were made,
      existed or (with O(state=absent)) were removed. In check mode those that exist.
    - Their fields are those of RV(hybridops.fleet.node_info#module:nodes).
  type: list
  elements: dict
  returned: always
node:
  description: The first of RV(nodes), or nothing.
  type: dict
  returned: always
chosen:
  description: What was chosen for the first node and why. Nothing when nothing had to be chosen, as the node was there.
  type: dict
  returned: always
  contains:
    image:
      description: Id and name of the image.
      type: dict
      returned: when chosen
    flavor:
      description: Id and name of the flavor.
      type: dict
      returned: when chosen
    network:
      description: Id and name of the network.
      type: dict
      returned: when chosen
    families:
      description: Address families by which the node is reached.
      type: list
      elements: str
      returned: when chosen
    disk_gib:
      description: Size of a root disk that was chosen with the node, in GiB.
      type: int
      returned: when chosen
    because:
      description: The reason of each choice.
      type: dict
      returned: when chosen
    rejected:
      description: Candidates that were not chosen, each with the reason; for image, flavor and network.
      type: dict
      returned: when chosen
results:
  description: What became of each node asked for.
  type: list
  elements: dict
  returned: always
  contains:
    name:
      description: Its name.
      type: str
      returned: always
    changed:
      description: Whether anything was done.
      type: bool
      returned: always
    did:
      description: What was done, in order.
      type: list
      elements: str
      returned: always
    chosen:
      description: As RV(chosen).
      type: dict
      returned: always
    id:
      description: Id of the node.
      type: str
      returned: always
    error:
      description: What failed, as what, why, fix, code, cloud and scope.
      type: dict
      returned: always
    left:
      description: What a failure left behind.
      type: list
      elements: str
      returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hybridops.fleet.plugins.module_utils._modules import node as work
from ansible_collections.hybridops.fleet.plugins.module_utils._modules.front import CLOUD_ARGUMENTS, run

ALLOW = {
    "port": {"type": "int"},
    "last_port": {"type": "int"},
    "protocol": {"type": "str", "choices": ["tcp", "udp", "icmp"], "default": "tcp"},
    "from": {"type": "list", "elements": "str"},
}
IMAGE = {name: {"type": "str"} for name in ("id", "name", "family", "distro", "version", "arch")}
FLAVOR = {
    "name": {"type": "str"},
    "vcpus": {"type": "int"},
    "memory_mib": {"type": "int"},
    "disk_gib": {"type": "int"},
}
NETWORK = {
    "name": {"type": "str"},
    "reachable": {"type": "str", "choices": ["public", "private", "any"], "default": "public"},
    "families": {"type": "list", "elements": "str", "choices": ["ipv4", "ipv6"], "default": []},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CLOUD_ARGUMENTS,
            "name": {"type": "str"},
            "count": {"type": "int", "default": 1},
            "nodes": {"type": "list", "elements": "dict"},
            "id": {"type": "str"},
            "image": {"type": "dict", "options": IMAGE},
            "flavor": {"type": "dict", "options": FLAVOR},
            "network": {"type": "dict", "options": NETWORK},
            "scope": {"type": "str", "aliases": ["region", "project"]},
            "zone": {"type": "str"},
            "ssh_key": {"type": "str", "no_log": False},
            "public_key": {"type": "str", "no_log": False},
            "login_user": {"type": "str", "default": "fleet-boot"},
            "tags": {"type": "dict", "default": {}},
            "security": {"type": "dict", "options": {"allow": {"type": "list", "elements": "dict", "default": [], "options": ALLOW}}},
            "user_data": {"type": "str", "no_log": True},
            "hidden_user_data": {"type": "json", "no_log": True},
            "state": {"type": "str", "choices": ["present", "started", "stopped", "rebooted", "absent"], "default": "present"},
            "keep_failed": {"type": "bool", "default": False},
            "key_dir": {"type": "path", "no_log": False},
            "progress_file": {"type": "path"},
        },
        mutually_exclusive=[("name", "nodes"), ("id", "nodes")],
        required_one_of=[("name", "nodes", "id")],
        supports_check_mode=True,
    )
    result = run(module, lambda clouds: work.node(module, clouds))
    if result["failed"]:
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
