#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action of the same name."""
from __future__ import annotations

DOCUMENTATION = r"""
module: kubernetes
short_description: One step of a node on its way into a Kubernetes cluster
version_added: 0.4.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Looks at a node, decides on the controller what every member of the play needs, and has it made on the node.
    The role P(hybridops.fleet.kubernetes#role) calls its states one after another, with the results in the variables C(kubernetes_seen),
    C(kubernetes_plan) and C(kubernetes_ticket).
extends_documentation_fragment:
  - hybridops.fleet.attributes
options:
  state:
    description:
      - V(looked) reads what is there; V(planned) decides and refuses, before anything is changed, what cannot go well.
      - V(prepared) writes kernel settings, the way to the API and the pod network; V(initialized) makes the first control plane, V(joined)
        adds a node; V(left) takes Kubernetes off a node.
      - V(leave_planned) tells which members leave; nothing is asked of those that stay, nobody joins.
      - V(upgrade_planned) tells in which order nodes come to the next version, and refuses what cannot go well.
      - V(renewal_planned) tells which control planes get new certificates, in which order; the API need not answer.
      - V(copy_planned) chooses the control plane whose store is copied, V(saved) makes the copy there; V(restore_planned) tells how a copy is brought
        back, and refuses what cannot go well, V(unpacked) makes etcd's data of it beside that which is there. With the plan in C(kubernetes_copy).
      - The states that plan decide for all hosts of the play; call them with C(run_once).
    type: str
    choices: [looked, planned, leave_planned, prepared, initialized, joined, left, upgrade_planned, renewal_planned, copy_planned, saved,
      restore_planned, unpacked]
    required: true
  options:
    description: Settings of the cluster, the role's variables of the same kinds without C(kubernetes_); others are refused.
    type: dict
    default: {}
  programs:
    description: Folder on the controller with the programs of the pod network and of snapshots, for O(state=prepared) and O(state=saved).
    type: path
    default: ""
  copy:
    description: File on the controller that playbook C(cluster_backup) made, for O(state=restore_planned).
    type: path
    default: ""
attributes:
  check_mode:
    support: full
  diff_mode:
    support: partial
    description: Files are shown; what kubeadm does is not.
"""

EXAMPLES = r"""
- name: What is there
  hybridops.fleet.kubernetes:
    state: looked
  become: true
  register: kubernetes_seen
"""

RETURN = r"""
facts:
  description: What M(hybridops.fleet.kube_facts) told.
  type: dict
  returned: with O(state=looked)
clock:
  description: By how many seconds the node's clock is ahead of the controller's.
  type: float
  returned: with O(state=looked)
hosts:
  description:
    - What each host needs, by its name; with O(state=planned) C(node), C(role), C(ip), C(packages) and C(step), which is V(init), V(join),
      V(leave) or nothing.
  type: dict
  returned: with O(state=planned), O(state=leave_planned) and O(state=upgrade_planned)
first:
  description: The host that is asked about the cluster.
  type: str
  returned: with the states that decide
begins:
  description: There is no cluster yet.
  type: bool
  returned: with O(state=planned) and O(state=leave_planned)
control_planes:
  description: Addresses of the control planes by their names in Kubernetes.
  type: dict
  returned: with O(state=planned)
leaving:
  description: Names of the nodes that leave.
  type: list
  elements: str
  returned: with O(state=planned) and O(state=leave_planned)
joining:
  description: Names of the nodes that come in.
  type: list
  elements: str
  returned: with O(state=planned)
renewing:
  description: Control planes whose certificates are renewed, as they end soon.
  type: list
  elements: str
  returned: with O(state=planned) and O(state=renewal_planned)
order:
  description: Hosts that come to the next version, one after another.
  type: list
  elements: str
  returned: with O(state=upgrade_planned)
leads:
  description: Name and address in etcd of each control plane.
  type: dict
  returned: with O(state=restore_planned)
warnings:
  description: What is better done otherwise.
  type: list
  elements: str
  returned: with O(state=planned)
"""
