#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What hardening needs to know of a node, in one call."""
from __future__ import annotations

DOCUMENTATION = r"""
module: harden_facts
short_description: What hardening needs to know of a node
version_added: 0.3.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Reads in one call the release, kind of machine, kernel, accounts, who Ansible is connected as, sudo, OpenSSH and what its configuration comes
    to, packages, units, mounts, networks, listening ports, tables of the packet filter and the workloads that show. Changes nothing.
  - M(hybridops.fleet.harden) calls it by itself.
extends_documentation_fragment:
  - hybridops.fleet.attributes
options:
  sysctl:
    description: Keys of kernel settings whose running values are wanted.
    type: list
    elements: str
    default: []
  programs:
    description: Programs of which it is to be told whether they are there.
    type: list
    elements: str
    default: []
  paths:
    description: Files and folders of which it is to be told whether they are there.
    type: list
    elements: str
    default: []
  available:
    description: Packages of which it is to be told whether they can be had; nothing else is told then.
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
  hybridops.fleet.harden_facts:
    sysctl: [net.ipv4.ip_forward]
  become: true
  register: seen
"""

RETURN = r"""
facts:
  description:
    - Parts by name, C(os), C(virtual), C(kernel), C(accounts), C(login), C(sudo), C(ssh),
      C(packages), C(units), C(mounts), C(networks), C(listening), C(workloads) and others.
    - A part that could not be read is V(null), with the reason in C(unread).
  type: dict
  returned: without O(available)
unavailable:
  description: Packages that cannot be had, as far as the package manager's lists tell.
  type: list
  elements: str
  returned: with O(available)
refresh:
  description: Whether the lists are missing or older than a day.
  type: bool
  returned: with O(available)
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.facts import gather
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.facts.units import unavailable
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import System


def main() -> None:
    names = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule({"sysctl": names, "programs": names, "paths": names, "available": names}, supports_check_mode=True)
    given = module.params
    if given["available"]:
        module.exit_json(changed=False, **unavailable(System(), given["available"]))
    module.exit_json(changed=False, facts=gather(System(), given["sysctl"], given["programs"], given["paths"]))


if __name__ == "__main__":
    main()
