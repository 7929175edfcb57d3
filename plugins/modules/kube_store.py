#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The store of a Kubernetes cluster on a control plane: copied, and brought back."""
from __future__ import annotations

DOCUMENTATION = r"""
module: kube_store
short_description: The store of a Kubernetes cluster, copied and brought back
version_added: 0.4.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Copies etcd's data, the certificates and kubeadm's settings of a control plane into one file, and makes data for etcd of such a file.
    The programs come from etcd's own image, which is on the node.
  - Role P(hybridops.fleet.kubernetes#role) calls the states one after another on all control planes (C(tasks_from) V(backup) and V(restore)).
extends_documentation_fragment:
  - hybridops.fleet.attributes
options:
  state:
    description:
      - V(saved) writes the copy on the node, for root alone.
      - V(unpacked) makes data of the copy on the node, beside the data that is there; V(stopped) ends the control plane's pods; V(started) takes the
        unpacked data, if there is some, and lets them run.
    type: str
    choices: [saved, unpacked, stopped, started]
    required: true
  program:
    description: Text of the program that takes a snapshot, for O(state=saved).
    type: str
    default: ""
  about:
    description: What the copy tells of itself, for O(state=saved).
    type: dict
    default: {}
  name:
    description: Name of this member of etcd, for O(state=unpacked).
    type: str
    default: ""
  url:
    description: Its address.
    type: str
    default: ""
  cluster:
    description: All members that there will be, as C(name=url) with commas.
    type: str
    default: ""
  token:
    description: Word by which the members know that they belong together, another one each time. Not a secret.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
"""

EXAMPLES = r"""
- name: Nothing of the control plane runs
  hybridops.fleet.kube_store:
    state: stopped
  become: true
"""

RETURN = r"""
path:
  description: The copy on the node.
  type: str
  returned: with O(state=saved)
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster import kube_store
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster.kube_work import KubeadmError
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import System


def main() -> None:
    module = AnsibleModule({
        "state": {"type": "str", "required": True, "choices": ["saved", "unpacked", "stopped", "started"]},
        "program": {"type": "str", "default": ""},
        "about": {"type": "dict", "default": {}},
        "name": {"type": "str", "default": ""},
        "url": {"type": "str", "default": ""},
        "cluster": {"type": "str", "default": ""},
        "token": {"type": "str", "default": "", "no_log": False},
    }, supports_check_mode=True)
    given, system = module.params, System()
    told = {}
    if not module.check_mode:
        try:
            if given["state"] == "saved":
                told["path"] = kube_store.save(system, given["program"], given["about"])
            elif given["state"] == "unpacked":
                kube_store.unpack(system, given["name"], given["url"], given["cluster"], given["token"])
            elif given["state"] == "stopped":
                kube_store.stop(system)
            else:
                kube_store.start(system)
        except (KubeadmError, OSError) as failure:
            module.fail_json(msg=str(failure))
    module.exit_json(changed=given["state"] != "saved", **told)


if __name__ == "__main__":
    main()
