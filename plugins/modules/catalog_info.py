#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module hybridops.fleet.catalog_info: what a cloud offers, in one shape."""
from __future__ import annotations

DOCUMENTATION = r"""
module: catalog_info
short_description: Images, flavors, networks and zones of a cloud in one shape
version_added: 0.2.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Lists what nodes can be made from, with the login user of each image, the role of each network, and why.
  - M(hybridops.fleet.node) chooses from the same lists.
extends_documentation_fragment:
  - hybridops.fleet.attributes
  - hybridops.fleet.cloud
  - hybridops.fleet.cloud.info
options:
  parts:
    description: Which lists to ask for.
    type: list
    elements: str
    choices: [images, flavors, networks, zones]
    default: [images, flavors, networks, zones]
  scope:
    description: Region, project (Google Compute Engine) or source (metal). Default the first of the cloud.
    type: str
    aliases: [region, project]
  images:
    description:
      - Words of images that are wanted (distributions, names, families, ids). Clouds with very many public images (AWS, Google Compute
        Engine) are asked for those only; without any, for those of the common distributions.
    type: list
    elements: str
    default: []
seealso:
  - module: hybridops.fleet.node
"""

EXAMPLES = r"""
- name: What there is for Debian
  hybridops.fleet.catalog_info:
    fleet: inventories/lab/fleet.yml
    cloud: floating
    images: [debian]
  register: offer

- name: Which network reaches the internet, and why
  ansible.builtin.debug:
    msg: "{{ offer.networks | selectattr('usable') | map(attribute='why') }}"
"""

RETURN = r"""
scope:
  description: Region, project or source that was asked.
  type: str
  returned: always
images:
  description: Images. Those that cannot be used now are there too.
  type: list
  elements: dict
  returned: always
  contains:
    id:
      description: Id, as a node is made from it.
      type: str
      returned: always
    name:
      description: Name.
      type: str
      returned: always
    family:
      description: Image family (Google Compute Engine).
      type: str
      returned: always
    distro:
      description: Distribution.
      type: str
      returned: always
    version:
      description: Version of the distribution.
      type: str
      returned: always
    arch:
      description: Processor architecture.
      type: str
      returned: always
    created:
      description: Time of creation, ISO 8601, UTC.
      type: str
      returned: always
    owner:
      description: Account that owns it.
      type: str
      returned: always
    public:
      description: Whether it is offered to everybody.
      type: bool
      returned: always
    min_disk_gib:
      description: Least disk that it needs, in GiB; 0 when it is not told.
      type: int
      returned: always
    min_memory_mib:
      description: Least memory that it needs, in MiB; 0 when it is not told.
      type: int
      returned: always
    usable:
      description: Whether nodes can be made from it now.
      type: bool
      returned: always
    why_not:
      description: Why it cannot be used.
      type: str
      returned: always
    legacy:
      description: Whether it cannot be used only because its publisher has withdrawn it. It is taken when it is named.
      type: bool
      returned: always
    login_user:
      description: Account to log in with on nodes made from it.
      type: str
      returned: always
    login_candidates:
      description: Accounts to try, in order.
      type: list
      elements: str
      returned: always
    why:
      description: Reason of the login user.
      type: str
      returned: always
flavors:
  description: Flavors, instance types, machine types; on metal the machines.
  type: list
  elements: dict
  returned: always
  contains:
    id:
      description: Id.
      type: str
      returned: always
    name:
      description: Name.
      type: str
      returned: always
    vcpus:
      description: Virtual processors.
      type: int
      returned: always
    memory_mib:
      description: Memory, in MiB.
      type: int
      returned: always
    disk_gib:
      description: Root disk, in GiB; nothing when it is chosen with the node.
      type: int
      returned: always
    arch:
      description: Processor architecture.
      type: str
      returned: always
    zones:
      description: Zones that offer it; empty for all.
      type: list
      elements: str
      returned: always
    usable:
      description: Whether it can be had now.
      type: bool
      returned: always
    why_not:
      description: Why it cannot be had.
      type: str
      returned: always
    networks:
      description: Networks of a machine, on metal.
      type: list
      elements: dict
      returned: always
    image:
      description: Id and name of the image that is installed on a machine, on metal.
      type: dict
      returned: always
networks:
  description: Networks (OpenStack), subnets (AWS), subnetworks (Google Compute Engine).
  type: list
  elements: dict
  returned: always
  contains:
    id:
      description: Id.
      type: str
      returned: always
    name:
      description: Name.
      type: str
      returned: always
    role:
      description: Best role that an address of a node on it would have (public, floating, external, private, unknown).
      type: str
      returned: always
    reach:
      description: That role for each address family that the network has.
      type: dict
      returned: always
    how:
      description: What has to be done for it, by family (direct, assigned, floating, none).
      type: dict
      returned: always
    why:
      description: The reason, by family.
      type: dict
      returned: always
    cidrs:
      description: Networks in CIDR form.
      type: list
      elements: str
      returned: always
    zones:
      description: Zones in which nodes can be attached to it; empty for all.
      type: list
      elements: str
      returned: always
    usable:
      description: Whether nodes can be attached to it.
      type: bool
      returned: always
    why_not:
      description: Why not.
      type: str
      returned: always
    default:
      description: Whether the cloud takes it when none is named.
      type: bool
      returned: always
zones:
  description: Availability zones.
  type: list
  elements: dict
  returned: always
  contains:
    name:
      description: Name.
      type: str
      returned: always
    region:
      description: Region.
      type: str
      returned: always
    usable:
      description: Whether nodes can be made there now.
      type: bool
      returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import PARTS
from ansible_collections.hybridops.fleet.plugins.module_utils._modules import reading
from ansible_collections.hybridops.fleet.plugins.module_utils._modules.front import CLOUD_ARGUMENTS, run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CLOUD_ARGUMENTS,
            "parts": {"type": "list", "elements": "str", "choices": list(PARTS), "default": list(PARTS)},
            "scope": {"type": "str", "aliases": ["region", "project"]},
            "images": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, **run(module, lambda clouds: reading.catalog(module, clouds.named())))


if __name__ == "__main__":
    main()
