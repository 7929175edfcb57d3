#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One node's part of the mesh: its key, its interface, its peers."""
from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_node
short_description: One node's part of a mesh of WireGuard
version_added: 0.4.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Makes the node's key, which never leaves it, and brings up its interface with the peers it is told.
  - A running interface is changed in place. Peers that stay keep their sessions; the interface is restarted only when it is missing.
  - Uses the kernel's WireGuard, or wireguard-go where the kernel has none. The interface comes up by a unit of its own, before Docker and kubelet.
  - The role P(hybridops.fleet.mesh#role) calls it with what M(hybridops.fleet.cluster_members) has decided.
extends_documentation_fragment:
  - hybridops.fleet.attributes
options:
  state:
    description: V(key) makes the key where there is none and returns its public part, V(present) the interface, V(absent) removes all of it.
    type: str
    choices: [key, present, absent]
    default: present
  interface:
    description: Name of the interface.
    type: str
    default: fleet0
  rotate:
    description: With O(state=key), make a new key though there is one. The old one is used until O(state=present) puts the new one in place.
    type: bool
    default: false
  node:
    description:
      - What the node is to have, as RV(hybridops.fleet.cluster_members#module:mesh) tells it. Needed with O(state=present).
    type: dict
    suboptions:
      ipv4:
        description: Its IPv4 address in the mesh.
        type: str
        required: true
      ipv6:
        description: Its IPv6 address in the mesh.
        type: str
        required: true
      ipv4_pool:
        description: IPv4 network of the mesh.
        type: str
        required: true
      ipv6_pool:
        description: IPv6 network of the mesh.
        type: str
        required: true
      mtu:
        description: MTU of the interface in bytes.
        type: int
        required: true
      port:
        description: UDP port.
        type: int
        required: true
      peers:
        description: The other members.
        type: list
        elements: dict
        required: true
        suboptions:
          name:
            description: Name in the inventory.
            type: str
            required: true
          ipv4:
            description: IPv4 address in the mesh.
            type: str
            required: true
          ipv6:
            description: IPv6 address in the mesh.
            type: str
            required: true
          endpoint:
            description: Address and port by which this node reaches it. Without one it begins itself.
            type: str
            default: ""
          keepalive:
            description: Seconds between packets that keep the way open through NAT, 0 for none.
            type: int
            default: 0
          why:
            description: Why this endpoint.
            type: str
            default: ""
  cluster:
    description: Name of the cluster.
    type: str
    default: fleet
  public_keys:
    description:
      - Public keys of the members by name, as O(state=key) returned them.
      - A member that is missing here keeps the key that this node knows; one without any is left out.
    type: dict
    default: {}
  implementation:
    description: V(auto) keeps what runs; else it takes the kernel's WireGuard where there is one, and wireguard-go otherwise.
    type: str
    choices: [auto, kernel, userspace]
    default: auto
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
"""

EXAMPLES = r"""
- name: A key of the node's own
  hybridops.fleet.mesh_node:
    state: key
  become: true
  register: mesh_key

- name: Out of the mesh
  hybridops.fleet.mesh_node:
    state: absent
  become: true
"""

RETURN = r"""
public_key:
  description: The node's public key. Empty in check mode where it is not made yet.
  type: str
  returned: with O(state=key) or O(state=present)
changes:
  description: What was changed, or would be.
  type: list
  elements: str
  returned: success
started:
  description: Whether the interface was started, or started anew.
  type: bool
  returned: success
implementation:
  description: V(kernel) or V(userspace). Empty in check mode where neither is there yet.
  type: str
  returned: with O(state=present)
notes:
  description: What the operator should know.
  type: list
  elements: str
  returned: success
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster.mesh import Mesh, MeshError, keys_of
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import System


def main() -> None:
    text: dict[str, Any] = {"type": "str", "required": True}
    number: dict[str, Any] = {"type": "int", "required": True}
    word: dict[str, Any] = {"type": "str", "default": ""}
    peer = {"name": text, "ipv4": text, "ipv6": text, "endpoint": word, "keepalive": {"type": "int", "default": 0}, "why": word}
    node = {"ipv4": text, "ipv6": text, "ipv4_pool": text, "ipv6_pool": text, "mtu": number, "port": number,
            "peers": {"type": "list", "elements": "dict", "required": True, "options": peer}}
    module = AnsibleModule({
        "state": {"type": "str", "choices": ["key", "present", "absent"], "default": "present"},
        "interface": {"type": "str", "default": "fleet0"},
        "rotate": {"type": "bool", "default": False},
        "node": {"type": "dict", "options": node},
        "cluster": {"type": "str", "default": "fleet"},
        "public_keys": {"type": "dict", "default": {}, "no_log": False},
        "implementation": {"type": "str", "choices": ["auto", "kernel", "userspace"], "default": "auto"},
    }, required_if=[("state", "present", ["node"])], supports_check_mode=True)
    given = module.params
    mesh = Mesh(System(), given["interface"], module.check_mode)
    told: dict[str, Any] = {}
    try:
        if given["state"] == "key":
            told = {"public_key": mesh.key(given["rotate"])}
        elif given["state"] == "absent":
            mesh.absent()
        else:
            made = mesh.present({**given["node"], "cluster": given["cluster"]}, keys_of(given["public_keys"]), given["implementation"])
            told = {"public_key": made["public_key"], "implementation": made["implementation"]}
    except (MeshError, OSError) as failure:
        module.fail_json(msg=f"mesh: {failure}", changes=mesh.changes)
    if module._diff:
        told["diff"] = [{"before_header": path, "after_header": path, "before": mesh.before[path], "after": mesh.after[path]} for path in mesh.after]
    module.exit_json(changed=bool(mesh.changes), changes=mesh.changes, started=mesh.started, notes=mesh.notes, **told)


if __name__ == "__main__":
    main()
