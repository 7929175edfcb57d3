#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a node tells of itself as a member of a cluster, in one call."""
from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_facts
short_description: What a node tells of itself as a member of a cluster
version_added: 0.4.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Reads in one call the node's interfaces and routes, what it has written down of its mesh, the cluster that runs on it and whether its kernel
    has WireGuard. Changes nothing; to see whether there is WireGuard it makes an interface C(fleetprobe0) and removes it at once.
  - M(hybridops.fleet.cluster_members) needs it of all members, registered as C(mesh_seen).
extends_documentation_fragment:
  - hybridops.fleet.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
"""

EXAMPLES = r"""
- name: What the node tells of itself
  hybridops.fleet.cluster_facts:
  become: true
  register: mesh_seen
"""

RETURN = r"""
interfaces:
  description: Interfaces with an address, each with C(name), C(mtu) in bytes and C(addresses) with their prefix length.
  type: list
  elements: dict
  returned: success
routes:
  description: Networks that the node has a way to, each with C(network) and C(interface); without default routes.
  type: list
  elements: dict
  returned: success
mesh:
  description: The node's record of its mesh, without any secret, and as C(silent) the peers that it has not spoken with since its interface came up.
    V(null) when it is in none.
  type: dict
  returned: success
cluster:
  description: The cluster that runs on the node, C(kind) (swarm, kubernetes), C(role) and C(ip) by which others use it. Empty when none does.
  type: dict
  returned: success
wireguard:
  description: What there is of WireGuard, C(tools), C(kernel), C(userspace) (path of wireguard-go) and C(tun).
  type: dict
  returned: success
distribution:
  description: The node's distribution, C(id) and C(like), as os-release names them.
  type: dict
  returned: success
firewall:
  description: Whether the table of role P(hybridops.fleet.firewall#role) is loaded.
  type: bool
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster.facts import gather
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import System


def main() -> None:
    module = AnsibleModule({}, supports_check_mode=True)
    module.exit_json(changed=False, **gather(System()))


if __name__ == "__main__":
    main()
