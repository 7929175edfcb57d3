#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A swarm's join tokens and the key that unlocks its managers."""
from __future__ import annotations

DOCUMENTATION = r"""
module: swarm_secrets
short_description: Join tokens of a swarm, and the key that unlocks its managers
version_added: 0.4.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Runs on a manager. The task needs C(no_log), and what it registers is to be forgotten after use; role
    P(hybridops.fleet.docker_swarm#role) does both.
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
- name: What a node needs to join
  hybridops.fleet.swarm_secrets:
  become: true
  no_log: true
  register: secrets
"""

RETURN = r"""
secrets:
  description: C(worker) and C(manager), the tokens, and C(unlock), the key, which is empty without autolock.
  type: dict
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster.docker_api import Docker, DockerError
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster.swarm_act import Manager


def main() -> None:
    module = AnsibleModule({}, supports_check_mode=True)
    try:
        module.exit_json(changed=False, secrets=Manager(Docker(), 30).secrets())
    except DockerError as failure:
        module.fail_json(msg=str(failure))


if __name__ == "__main__":
    main()
