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
      - V(upgrade) brings kubeadm's part of a node to another version, V(kubelet) starts kubelet anew, V(upgraded) waits until a control plane is
        ready for good and marks the end; V(uncordon) lets
        pods come to O(nodes) again.
      - V(certificates) renews those of a control plane and starts its pods anew with them; V(steady) waits until a control plane is ready for good.
      - V(reset) takes Kubernetes off the node it runs on, with everything that kubeadm leaves behind.
    type: str
    choices: [init, join, images, ticket, ticket_end, network, ready, drain, forget, upgrade, kubelet, upgraded, uncordon, certificates, steady,
      reset]
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
    description: Names of the nodes for O(step=ready), O(step=drain), O(step=forget) and O(step=uncordon).
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
    description: Version of Kubernetes, for O(step=images), O(step=upgrade) and, where it is to be waited for, O(step=ready).
    type: str
    default: ""
  repository:
    description: Where images come from, for O(step=images).
    type: str
    default: registry.k8s.io
  apply:
    description: With O(step=upgrade), the cluster's own settings come along; for the first of its nodes.
    type: bool
    default: false
  cordoned:
    description: With O(step=upgrade), somebody kept pods away from the node before; noted for a run after a failure.
    type: bool
    default: false
  ignored:
    description: Checks of kubeadm that may fail, for O(step=upgrade).
    type: list
    elements: str
    default: []
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

import contextlib
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster import kube_look, kube_reset, kube_store, kube_work
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import System


def main() -> None:
    module = AnsibleModule({
        "step": {"type": "str", "required": True, "choices": list(STEPS)},
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
        "apply": {"type": "bool", "default": False},
        "cordoned": {"type": "bool", "default": False},
        "ignored": {"type": "list", "elements": "str", "default": []},
        "archives": {"type": "list", "elements": "path", "default": []},
        "timeout": {"type": "int", "default": 600},
    }, required_if=[("step", "init", ["config"]), ("step", "join", ["config"]), ("step", "ticket_end", ["token"])], supports_check_mode=True)
    system, step = System(), module.params["step"]
    if module.check_mode and step not in ("images", "reset"):
        module.exit_json(changed=step not in ("ticket", "ticket_end", "ready", "steady"))
    try:
        with kube_work.alone(system, module.params["timeout"]) if step in ALONE and not module.check_mode else contextlib.nullcontext():
            answer = STEPS[step](module, system)
    except (kube_work.KubeadmError, OSError) as failure:
        module.fail_json(msg=str(failure))
    module.exit_json(**{"changed": True, **answer})


def make(module: AnsibleModule, system: System) -> dict[str, Any]:
    kube_work.make(system, module.params["step"], module.params["config"], module.params["timeout"])
    return {}


def ticket(module: AnsibleModule, system: System) -> dict[str, Any]:
    return {"changed": False, "ticket": kube_work.ticket(system, module.params["control_plane"], module.params["minutes"])}


def ticket_end(module: AnsibleModule, system: System) -> dict[str, Any]:
    kube_work.end_ticket(system, module.params["token"])
    return {"changed": False}


def network(module: AnsibleModule, system: System) -> dict[str, Any]:
    return {"changed": kube_work.allow_network(system)}


def ready(module: AnsibleModule, system: System) -> dict[str, Any]:
    kube_work.ready(system, module.params["nodes"], module.params["version"], module.params["timeout"])
    return {"changed": False}


def drain(module: AnsibleModule, system: System) -> dict[str, Any]:
    there, left = kube_reset.drain(system, module.params["nodes"], module.params["timeout"])
    return {"changed": bool(there), "left": left}


def forget(module: AnsibleModule, system: System) -> dict[str, Any]:
    known = kube_reset.remove(system, module.params["nodes"])
    return {"changed": bool(known), "forgotten": known}


def upgrade(module: AnsibleModule, system: System) -> dict[str, Any]:
    given = module.params
    kube_work.upgrade(system, given["version"], given["apply"], given["cordoned"], given["ignored"], given["timeout"])
    return {}


def kubelet(module: AnsibleModule, system: System) -> dict[str, Any]:
    kube_work.restart_kubelet(system)
    return {}


def upgraded(module: AnsibleModule, system: System) -> dict[str, Any]:
    kube_work.steady(system)
    kube_work.mark(system, "upgrade", True)
    return {}


def uncordon(module: AnsibleModule, system: System) -> dict[str, Any]:
    kube_work.uncordon(system, module.params["nodes"])
    return {}


def certificates(module: AnsibleModule, system: System) -> dict[str, Any]:
    kube_store.renew_certificates(system)
    return {}


def steady(module: AnsibleModule, system: System) -> dict[str, Any]:
    kube_work.steady(system, module.params["timeout"])
    return {"changed": False}


def take_off(module: AnsibleModule, system: System) -> dict[str, Any]:
    given = module.params
    there = kube_reset.present(system, given["files"])
    left = kube_reset.reset(system, given["files"], given["units"], given["whole"]) if there and not module.check_mode else []
    if left:
        raise kube_work.KubeadmError("could not be taken away: " + ", ".join(left))
    return {"changed": bool(there), "taken": there}


def images(module: AnsibleModule, system: System) -> dict[str, Any]:
    given = module.params
    if module.check_mode and not system.has("kubeadm"):
        return {"changed": bool(given["archives"]), "missing": []}
    wanted = kube_work.wanted_images(system, given["version"], given["repository"])
    missing = sorted(set(wanted) - set(kube_look.images(system)))
    if not missing or not given["archives"] or module.check_mode:
        return {"changed": bool(missing and given["archives"]), "missing": missing}
    read = kube_work.import_images(system, given["archives"])
    return {"changed": bool(read), "missing": sorted(set(wanted) - set(kube_look.images(system)))}


STEPS = {"init": make, "join": make, "images": images, "ticket": ticket, "ticket_end": ticket_end, "network": network, "ready": ready, "drain": drain,
         "forget": forget, "upgrade": upgrade, "kubelet": kubelet, "upgraded": upgraded, "uncordon": uncordon,
         "certificates": certificates, "steady": steady, "reset": take_off}
ALONE = ("init", "join", "upgrade", "certificates", "reset")
"""Those that nothing else may do meanwhile."""


if __name__ == "__main__":
    main()
