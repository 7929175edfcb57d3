#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Steps of kubeadm on a node, without tokens and keys in what is shown."""
from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm
short_description: Steps of kubeadm on a node
version_added: 0.4.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Runs one step of kubeadm with a configuration that is nowhere left behind, and tells in few words why it failed.
    A step that did not come to its end is marked on the node; the next run takes away what it left and begins anew.
  - M(hybridops.fleet.kubernetes) decides which step a node needs and calls it.
extends_documentation_fragment:
  - hybridops.fleet.attributes
options:
  step:
    description:
      - V(init) makes the first control plane, V(join) adds a node, V(images) reads archives of images where images are missing.
      - V(ticket) makes what a node needs to join, V(ticket_end) makes it useless. The answer of V(ticket) is secret.
      - V(network) gives nodes the rights that the built-in pod network needs.
      - V(ready) waits until nodes are ready, V(drain) moves their pods elsewhere, V(forget) takes them out of etcd and the API; on a control plane.
      - V(reset) takes Kubernetes off the node it runs on, with everything that kubeadm leaves behind.
    type: str
    choices: [init, join, images, ticket, ticket_end, network, ready, drain, forget, reset]
    required: true
  config:
    description: The configuration for O(step=init) and O(step=join), as YAML.
    type: str
  control_plane:
    description: With O(step=ticket), whether control planes are to join as well.
    type: bool
    default: false
  token:
    description: The token of the ticket, for O(step=ticket_end).
    type: str
  nodes:
    description: Names of the nodes for O(step=ready), O(step=drain) and O(step=forget).
    type: list
    elements: str
    default: []
  files:
    description: Files of the collection's own, for O(step=reset).
    type: list
    elements: path
    default: []
  units:
    description: Units of the collection's own, for O(step=reset).
    type: list
    elements: str
    default: []
  whole:
    description: With O(step=reset), the whole cluster goes, so that nobody has to be told.
    type: bool
    default: false
  minutes:
    description: How long a ticket is good.
    type: int
    default: 60
  version:
    description: Version of Kubernetes, for O(step=images).
    type: str
    default: ""
  repository:
    description: Where images come from, for O(step=images).
    type: str
    default: registry.k8s.io
  archives:
    description: Folders of the node with archives of images, for O(step=images).
    type: list
    elements: path
    default: []
  timeout:
    description: Seconds after which a step is given up.
    type: int
    default: 600
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
"""

EXAMPLES = r"""
- name: Images of a site without a network
  hybridops.fleet.kubeadm:
    step: images
    version: 1.34.3
    archives: [/srv/kubernetes/images/v1.34]
  become: true
"""

RETURN = r"""
ticket:
  description: C(token), C(hash) and C(certificate_key). Secret.
  type: dict
  returned: with O(step=ticket)
left:
  description: Nodes that still had pods when the time was over, with what stood in the way.
  type: dict
  returned: with O(step=drain)
forgotten:
  description: Nodes that the cluster knew until now.
  type: list
  elements: str
  returned: with O(step=forget)
taken:
  description: What there was of it.
  type: list
  elements: str
  returned: with O(step=reset)
missing:
  description: Images that are not on the node afterwards and are fetched when they are needed.
  type: list
  elements: str
  returned: with O(step=images)
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster import kube_look, kube_reset, kube_work
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import System


def main() -> None:
    module = AnsibleModule({
        "step": {"type": "str", "required": True, "choices": ["init", "join", "images", "ticket", "ticket_end", "network", "ready", "drain", "forget",
                                                              "reset"]},
        "config": {"type": "str", "no_log": True},
        "control_plane": {"type": "bool", "default": False},
        "token": {"type": "str", "no_log": True},
        "nodes": {"type": "list", "elements": "str", "default": []},
        "files": {"type": "list", "elements": "path", "default": []},
        "units": {"type": "list", "elements": "str", "default": []},
        "whole": {"type": "bool", "default": False},
        "minutes": {"type": "int", "default": 60},
        "version": {"type": "str", "default": ""},
        "repository": {"type": "str", "default": "registry.k8s.io"},
        "archives": {"type": "list", "elements": "path", "default": []},
        "timeout": {"type": "int", "default": 600},
    }, required_if=[("step", "init", ["config"]), ("step", "join", ["config"]), ("step", "ticket_end", ["token"])], supports_check_mode=True)
    given, system = module.params, System()
    step = given["step"]
    if module.check_mode and step not in ("images", "reset"):
        module.exit_json(changed=step in ("init", "join", "drain", "forget", "network"))
    try:
        if step == "images":
            images(module, system)
        if step == "ticket":
            module.exit_json(changed=False, ticket=kube_work.ticket(system, given["control_plane"], given["minutes"]))
        if step == "ticket_end":
            kube_work.end_ticket(system, given["token"])
            module.exit_json(changed=False)
        if step == "network":
            module.exit_json(changed=kube_work.allow_network(system))
        if step == "ready":
            kube_work.ready(system, given["nodes"], given["timeout"])
            module.exit_json(changed=False)
        if step == "drain":
            there, left = kube_reset.drain(system, given["nodes"], given["timeout"])
            module.exit_json(changed=bool(there), left=left)
        if step == "forget":
            known = kube_reset.remove(system, given["nodes"])
            module.exit_json(changed=bool(known), forgotten=known)
        if step == "reset":
            take_off(module, system)
        kube_work.make(system, step, given["config"], given["timeout"])
    except (kube_work.KubeadmError, OSError) as failure:
        module.fail_json(msg=str(failure))
    module.exit_json(changed=True)


def take_off(module: AnsibleModule, system: System) -> None:
    """Ends the module."""
    given = module.params
    there = kube_reset.present(system, given["files"])
    left = kube_reset.reset(system, given["files"], given["units"], given["whole"]) if there and not module.check_mode else []
    if left:
        module.fail_json(msg="could not be taken away: " + ", ".join(left))
    module.exit_json(changed=bool(there), taken=there)


def images(module: AnsibleModule, system: System) -> None:
    """Ends the module."""
    given = module.params
    if module.check_mode and not system.has("kubeadm"):
        module.exit_json(changed=bool(given["archives"]), missing=[])
    wanted = kube_work.wanted_images(system, given["version"], given["repository"])
    missing = sorted(set(wanted) - set(kube_look.images(system)))
    if not missing or not given["archives"] or module.check_mode:
        module.exit_json(changed=bool(missing and given["archives"]), missing=missing)
    read = kube_work.import_images(system, given["archives"])
    module.exit_json(changed=bool(read), missing=sorted(set(wanted) - set(kube_look.images(system))))


if __name__ == "__main__":
    main()
