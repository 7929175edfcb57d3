#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What there is of container engines on a node, in one call."""
from __future__ import annotations

DOCUMENTATION = r"""
module: engine_facts
short_description: What there is of container engines on a node
version_added: 0.4.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Reads in one call the release, packages, Docker and containerd, their state, the swarm, the node's own networks and who is in group docker.
    Changes nothing.
  - M(hybridops.fleet.container_engine) calls it by itself.
extends_documentation_fragment:
  - hybridops.fleet.attributes
options:
  packages:
    description: Packages of which it is to be told whether they are there, held and known.
    type: list
    elements: str
    default: []
  users:
    description: Accounts of which it is to be told whether they are in group docker.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
"""

EXAMPLES = r"""
- name: What is known of the node
  hybridops.fleet.engine_facts:
    packages: [docker.io]
  become: true
  register: seen
"""

RETURN = r"""
facts:
  description: Parts by name, C(os), C(manager), C(packages), C(docker), C(containerd), C(networks), C(users), C(kubernetes).
  type: dict
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster.engine_look import gather
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import System


def main() -> None:
    names = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule({"packages": names, "users": names}, supports_check_mode=True)
    module.exit_json(changed=False, facts=gather(System(), module.params["packages"], module.params["users"]))


if __name__ == "__main__":
    main()
