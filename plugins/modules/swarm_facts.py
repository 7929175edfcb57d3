#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a node knows of its swarm, and what its kernel can carry of one."""
from __future__ import annotations

DOCUMENTATION = r"""
module: swarm_facts
short_description: What a node knows of its swarm
version_added: 0.4.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Reads in one call the node's part in a swarm, the addresses that it was given there, on a manager all nodes and the settings of the swarm, and
    what the kernel lacks. Tells no token and no key, changes nothing.
  - What the kernel can do is tried in a network namespace that ends with the trial, as C(docker info) does not tell.
extends_documentation_fragment:
  - hybridops.fleet.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
"""

EXAMPLES = r"""
- name: What the node knows
  hybridops.fleet.swarm_facts:
  become: true
  register: seen
"""

RETURN = r"""
swarm:
  description:
    - C(answers), C(state) (V(inactive), V(pending), V(active), V(locked), V(error)), C(id), C(address), C(advertised), C(data_path), C(manager),
      C(quorum), C(version).
    - On a manager also C(cluster) and C(nodes), and C(services) with what each needs of the kernel.
    - C(lacks) tells for C(ingress), C(encryption) and C(overlay) why they cannot work; empty where they do.
  type: dict
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster.docker_api import Docker
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster.swarm_look import gather
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import System


def main() -> None:
    module = AnsibleModule({}, supports_check_mode=True)
    module.exit_json(changed=False, swarm=gather(System(), Docker()))


if __name__ == "__main__":
    main()
