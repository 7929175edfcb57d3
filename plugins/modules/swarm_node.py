#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a node does for itself in a swarm."""
from __future__ import annotations

DOCUMENTATION = r"""
module: swarm_node
short_description: A node's own steps in a swarm
version_added: 0.4.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Begins a swarm, joins one, leaves it, unlocks a manager, copies the raft store of a manager and brings a copy back. Talks to the engine's own
    socket, so that no token stands on a command line.
  - Role P(hybridops.fleet.docker_swarm#role) decides which step a node needs.
extends_documentation_fragment:
  - hybridops.fleet.attributes
options:
  state:
    description:
      - V(init) begins a swarm, V(joined) and V(left) are of one that there is, V(unlocked) gives the key to a locked manager.
      - V(saved) copies the raft store of a manager to O(path) while Docker stands still, V(loaded) puts such a copy in its place.
    type: str
    choices: [init, joined, left, unlocked, saved, loaded]
    required: true
  advertise:
    description: Address by which others reach the node.
    type: str
    default: ""
  listen:
    description: Address on which a manager listens.
    type: str
    default: 0.0.0.0
  data_path:
    description: Address for the packets of containers. Default O(advertise).
    type: str
    default: ""
  data_path_port:
    description: UDP port for the packets of containers, of a new swarm.
    type: int
    default: 4789
  pools:
    description: Networks that a new swarm takes those of its services from.
    type: list
    elements: str
    default: []
  subnet_size:
    description: Prefix length of a service's network, of a new swarm.
    type: int
    default: 24
  autolock:
    description: Whether managers of a new swarm are locked after a start.
    type: bool
    default: false
  force_new_cluster:
    description: Whether V(init) makes a swarm of one manager out of what this node has kept.
    type: bool
    default: false
  managers:
    description: Addresses of managers to join.
    type: list
    elements: str
    default: []
  token:
    description: Token for the part that the node is to have.
    type: str
  key:
    description: Key that unlocks a manager.
    type: str
  force:
    description: Whether a manager leaves, too.
    type: bool
    default: false
  path:
    description: File of the copy, on the node.
    type: path
  timeout:
    description: Seconds that a step may take.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
"""

EXAMPLES = r"""
- name: Out of its swarm
  hybridops.fleet.swarm_node:
    state: left
    force: true
  become: true
"""

RETURN = r"""
id:
  description: The node's id in the swarm; empty when it is in none.
  type: str
  returned: success
bytes:
  description: Size of the copy.
  type: int
  returned: with O(state=saved)
"""

import tarfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster import swarm_store
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster.docker_api import Docker, DockerError
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster.engine_write import EngineError
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster.swarm_act import Node, SwarmError
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import System

STATES = {"init": ("inactive",), "joined": ("inactive", "pending", "error"), "left": ("active", "pending", "locked", "error"),
          "unlocked": ("locked",)}
"""In which state of the node each step changes something."""


def main() -> None:
    names = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule({
        "state": {"type": "str", "choices": ["init", "joined", "left", "unlocked", "saved", "loaded"], "required": True},
        "advertise": {"type": "str", "default": ""},
        "listen": {"type": "str", "default": "0.0.0.0"},  # noqa: S104 - what Docker itself does; who may come in is the firewall's matter
        "data_path": {"type": "str", "default": ""},
        "data_path_port": {"type": "int", "default": 4789},
        "pools": names,
        "subnet_size": {"type": "int", "default": 24},
        "autolock": {"type": "bool", "default": False},
        "force_new_cluster": {"type": "bool", "default": False},
        "managers": names,
        "token": {"type": "str", "no_log": True},
        "key": {"type": "str", "no_log": True},
        "force": {"type": "bool", "default": False},
        "path": {"type": "path"},
        "timeout": {"type": "int", "default": 60},
    }, supports_check_mode=True, required_if=[
        ("state", "init", ("advertise",)), ("state", "joined", ("advertise", "managers", "token")), ("state", "unlocked", ("key",)),
        ("state", "saved", ("path",)), ("state", "loaded", ("path",))])
    given = dict(module.params)
    given["data_path"] = given["data_path"] or given["advertise"]
    node, system, state = Node(Docker(), given["timeout"]), System(), given["state"]
    try:
        if module.check_mode:
            try:
                now = node.state
            except DockerError:  # the engine that a run would have installed by now
                now = "inactive"
            module.exit_json(changed=now in STATES.get(state, (now,)), id="")
        if state in ("saved", "loaded"):
            act = swarm_store.save if state == "saved" else swarm_store.load
            module.exit_json(id="", **act(system, given["path"], given["timeout"]))
        changed = {"init": lambda: node.init(given), "joined": lambda: node.join(given), "left": lambda: node.leave(given["force"]),
                   "unlocked": lambda: node.unlock(given["key"])}[state]()
        module.exit_json(changed=changed, id=node.info.get("NodeID") or "")
    except (DockerError, SwarmError, EngineError, OSError, tarfile.TarError) as failure:
        module.fail_json(msg=str(failure))


if __name__ == "__main__":
    main()
