#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a manager does for all nodes of a swarm."""
from __future__ import annotations

DOCUMENTATION = r"""
module: swarm_manage
short_description: What a manager does for its swarm
version_added: 0.4.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Labels, roles and availability of nodes, drain and back, removal, settings of the swarm and new secrets. Runs on a manager; one call serves all
    nodes.
  - Role P(hybridops.fleet.docker_swarm#role) uses it.
extends_documentation_fragment:
  - hybridops.fleet.attributes
options:
  nodes:
    description: Nodes by C(id), each with C(labels) (V(null) takes one away), C(role), C(availability); what is not named stays.
    type: list
    elements: dict
    default: []
  drained:
    description: Nodes, by id, host name or address, whose work is to go elsewhere for a while. Waits until nothing runs there.
    type: list
    elements: str
    default: []
  activated:
    description: Nodes that go back to what they were before they were drained. Waits until they are ready and managers reach them.
    type: list
    elements: str
    default: []
  demoted:
    description: Nodes that are to be workers.
    type: list
    elements: str
    default: []
  removed:
    description: Nodes that are to leave the list.
    type: list
    elements: str
    default: []
  ready:
    description: Ids of nodes to wait for.
    type: list
    elements: str
    default: []
  autolock:
    description: Whether managers are locked after a start.
    type: bool
  rotate:
    description: Secrets that are made anew.
    type: list
    elements: str
    choices: [worker, manager, unlock, ca]
    default: []
  timeout:
    description: Seconds that a step may take.
    type: int
    default: 120
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
"""

EXAMPLES = r"""
- name: New tokens, so that those who know the old ones cannot join
  hybridops.fleet.swarm_manage:
    rotate: [worker, manager]
  become: true
"""

RETURN = r"""
done:
  description: What changed, in words.
  type: list
  elements: str
  returned: success
nodes:
  description: All nodes of the swarm afterwards.
  type: list
  elements: dict
  returned: success
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster.docker_api import Docker, DockerError
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster.swarm_act import Manager, SwarmError
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster.swarm_look import nodes


def act(manager: Manager, given: dict[str, Any], check: bool) -> list[str]:
    """Everything that is asked for, in the order in which it makes sense. Raises SwarmError, DockerError."""
    done = manager.settle(given["nodes"], check)
    for name, words in (("drained", "{} is drained"), ("demoted", "{} is a worker"), ("removed", "{} is out of the swarm"),
                        ("activated", "{} is at work again")):
        step = {"drained": manager.drain, "demoted": manager.demote, "removed": manager.remove, "activated": manager.activate}[name]
        done += [words.format(which) for which in given[name] if step(which, check)]
    done += manager.swarm(given["autolock"], check, given["rotate"])
    if given["ready"] and not check:
        waiting = manager.ready(given["ready"])
        if waiting:
            raise SwarmError("not all nodes are ready within {} seconds: {}".format(given["timeout"], ", ".join(waiting)))
    return done


def main() -> None:
    names = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule({
        "nodes": {"type": "list", "elements": "dict", "default": []},
        "drained": names, "activated": names, "demoted": names, "removed": names, "ready": names,
        "autolock": {"type": "bool"},
        "rotate": {"type": "list", "elements": "str", "choices": ["worker", "manager", "unlock", "ca"], "default": []},
        "timeout": {"type": "int", "default": 120},
    }, supports_check_mode=True)
    docker = Docker()
    try:
        done = act(Manager(docker, module.params["timeout"]), module.params, module.check_mode)
        module.exit_json(changed=bool(done), done=done, nodes=nodes(docker))
    except (DockerError, SwarmError) as failure:
        module.fail_json(msg=str(failure))


if __name__ == "__main__":
    main()
