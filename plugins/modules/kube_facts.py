#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is to be known of a node before Kubernetes is made on it, in one call."""
from __future__ import annotations

DOCUMENTATION = r"""
module: kube_facts
short_description: What is to be known of a node before Kubernetes is made on it
version_added: 0.4.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Reads in one call the versions of kubeadm and kubelet, the container runtime, whether the node is in a cluster and in which, kernel features,
    swap, identities, addresses and images; on a control plane also the nodes that its API knows. Changes nothing.
  - M(hybridops.fleet.kubernetes) calls it by itself.
extends_documentation_fragment:
  - hybridops.fleet.attributes
options: {}
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
"""

EXAMPLES = r"""
- name: What is known of the node
  hybridops.fleet.kube_facts:
  become: true
  register: seen
"""

RETURN = r"""
facts:
  description:
    - Parts by name, C(versions), C(runtime), C(member), C(control_plane), C(node), C(authority), C(features), C(ids), C(addresses), C(images),
      C(certificates) (C(ends), C(days) that are left, C(serial)), C(etcd), C(cluster) and others. Nothing secret is among them.
  type: dict
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster.kube_look import look
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import System


def main() -> None:
    module = AnsibleModule({}, supports_check_mode=True)
    module.exit_json(changed=False, facts=look(System()))


if __name__ == "__main__":
    main()
