#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module hybridops.fleet.node_tags: tags of one node."""
from __future__ import annotations

DOCUMENTATION = r"""
module: node_tags
short_description: Tags of a node, on any cloud
version_added: 0.2.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Sets or removes tags (labels on Google Compute Engine, metadata on OpenStack) of one node. Others stay as they are.
  - The inventory reads some tags as your word, for example C(fleet_login_user), C(fleet_ssh_port) and C(fleet_public_ip).
extends_documentation_fragment:
  - hybridops.fleet.attributes
  - hybridops.fleet.cloud
  - hybridops.fleet.cloud.changes
options:
  id:
    description: Id of the node.
    type: str
    required: true
  scope:
    description:
      - Region, project or source of the node. Saves looking for it in all of the cloud.
      - Then RV(tags) holds the tags that were set, not all of them, unless in check mode or diff mode.
    type: str
    aliases: [region, project]
  tags:
    description: Tags to set. A tag without a value (null) is removed.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Say which account opens this node
  hybridops.fleet.node_tags:
    fleet: inventories/lab/fleet.yml
    cloud: "{{ fleet_cloud }}"
    id: "{{ fleet_id }}"
    tags: {fleet_login_user: ops}
  delegate_to: localhost
"""

RETURN = r"""
tags:
  description: All tags of the node afterwards.
  type: dict
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hybridops.fleet.plugins.module_utils._modules import power
from ansible_collections.hybridops.fleet.plugins.module_utils._modules.front import CLOUD_ARGUMENTS, run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CLOUD_ARGUMENTS,
            "id": {"type": "str", "required": True},
            "scope": {"type": "str", "aliases": ["region", "project"]},
            "tags": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    module.exit_json(**run(module, lambda clouds: power.tags(module, clouds.named())))


if __name__ == "__main__":
    main()
