#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of action hybridops.fleet.cluster_preflight, which plans and judges on the controller."""
from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_preflight
short_description: Prove that all members of a cluster reach each other's ports
version_added: 0.4.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Plans which member listens on what and which probes whom, and judges what came of it. M(hybridops.fleet.port_probe) listens and probes on the
    nodes, all at the same time; real TCP and UDP, no ping.
  - Every needed port is tried between every pair of members, in the mesh by both families and with datagrams as large as its MTU. The failure
    names the pairs, and the rule or security group that seems to be missing.
  - C(tasks_from=preflight) of role P(hybridops.fleet.mesh#role) does the whole of it. It reads what the nodes answered from the variables
    C(mesh_preflight_listened) and C(mesh_preflight_probed).
extends_documentation_fragment:
  - hybridops.fleet.attributes
options:
  step:
    description:
      - V(plan) comes before the nodes' part, V(judge) after it.
      - V(rules) tells what security groups of clouds have to let in for it, as M(hybridops.fleet.node_rules) takes it.
    type: str
    choices: [plan, rules, judge]
    required: true
  stage:
    description:
      - V(underlay) proves the mesh's UDP port by the addresses that its packets take, before there is a mesh.
      - V(cluster) proves the ports of the cluster by the addresses that members use.
    type: str
    choices: [underlay, cluster]
    default: cluster
  kind:
    description: Kind of cluster, which decides what ports are needed. Empty for a mesh alone, which is proved by port 51821 of both protocols.
    type: str
    choices: ["", swarm, kubernetes]
    default: ""
  members:
    description: The whole result of M(hybridops.fleet.cluster_members).
    type: dict
    required: true
  ports:
    description: Further ports that are needed, each with C(port), C(protocol) (default tcp) and C(what) it is for.
    type: list
    elements: dict
    default: []
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
"""

EXAMPLES = r"""
- name: All members reach each other
  ansible.builtin.include_role:
    name: hybridops.fleet.mesh
    tasks_from: preflight
"""

RETURN = r"""
nonce:
  description: A word by which this run's questions are known.
  type: str
  returned: with O(step=plan)
listen:
  description: What each node listens on, as M(hybridops.fleet.port_probe) takes it.
  type: dict
  returned: with O(step=plan)
probe:
  description: What each node probes, as M(hybridops.fleet.port_probe) takes it.
  type: dict
  returned: with O(step=plan)
nodes:
  description: What each node of the play is to let in, empty for those that are no members.
  type: list
  elements: dict
  returned: with O(step=rules)
probes:
  description: How many probes there are.
  type: int
  returned: with O(step=plan)
"""
