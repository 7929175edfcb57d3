#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of action hybridops.fleet.cluster_members, which decides on the controller."""
from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_members
short_description: Decide who leads a cluster and by which address its members use each other
version_added: 0.4.0
author:
  - HybridOps contributors (@hybridops)
description:
  - The members are all hosts of the play. Before it, M(hybridops.fleet.cluster_facts) runs on all of them, registered as C(mesh_seen).
  - The address of each is what the operator wrote as C(fleet_cluster_ip); else its private one, when all members are in one
    C(fleet_network_domain); else its public one, when that is on an interface of every member; else one in the mesh. IPv4 when all have
    it, else IPv6.
  - The role of each is C(fleet_cluster_role) (host variable or tag C(cluster_role)), C(manager) or C(control_plane), and C(worker). When
    nobody is told to lead, O(managers) are chosen, spread over clouds, regions and zones; those who lead already stay.
  - Refuses a run that sees only a part of a cluster (a job slice of AWX, C(--limit), an inventory that lost half of the known members),
    and one that would give a running cluster other addresses.
  - The role P(hybridops.fleet.mesh#role) calls it; C(tasks_from=members) of that role does no more than looking, deciding and setting the facts.
extends_documentation_fragment:
  - hybridops.fleet.attributes
options:
  kind:
    description: Kind of cluster, which decides what a leading member is called. Empty for none, as for a mesh alone.
    type: str
    choices: ["", swarm, kubernetes]
    default: ""
  name:
    description: Name of the cluster. Addresses in the mesh come from it and the names of the members.
    type: str
    default: fleet
  managers:
    description: How many members lead, an odd number. V(0) is three, or one where there are fewer than three members.
    type: int
    default: 0
  network:
    description: V(auto) takes what works for these members. V(private), V(public) or V(mesh) insists on one.
    type: str
    choices: [auto, private, public, mesh]
    default: auto
  size:
    description: How many members there must be at least, so that a run on a part is refused even the first time. V(0) for any.
    type: int
    default: 0
  removed:
    description: Members that are gone for good or leave now. They need not be in the run, and their addresses in the mesh become free.
    type: list
    elements: str
    default: []
  through:
    description:
      - A manager of a swarm that runs, outside of this run, through whom the hosts of the run join. M(hybridops.fleet.cluster_facts) has told of it,
        registered as C(mesh_through). Not where members use each other by the mesh.
    type: str
    default: ""
  mesh_ipv4_pool:
    description: Network of the mesh. Without it the first of several that overlaps no network of the inventory and of the nodes.
    type: str
    default: ""
  mesh_ipv6_pool:
    description: IPv6 network of the mesh. Without it a unique local one that comes from O(name).
    type: str
    default: ""
  mesh_port:
    description: UDP port of the mesh.
    type: int
    default: 51820
  mesh_mtu:
    description: MTU of the mesh in bytes. V(0) computes it from the networks of the members.
    type: int
    default: 0
  avoid:
    description: Further networks that the mesh must not overlap, such as those of pods and services.
    type: list
    elements: str
    default: []
  decided:
    description: The result of an earlier call with C(run_once), from which the host's own facts are set. Nothing is decided again.
    type: dict
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
"""

EXAMPLES = r"""
- name: What the nodes tell of themselves
  hybridops.fleet.cluster_facts:
  become: true
  register: mesh_seen

- name: Who leads, and by which address each is used
  hybridops.fleet.cluster_members:
    kind: swarm
"""

RETURN = r"""
via:
  description: V(private), V(public), V(mesh), or V(given) where the operator wrote all addresses.
  type: str
  returned: without O(decided)
why:
  description: Why these addresses were chosen, and what was rejected.
  type: str
  returned: without O(decided)
members:
  description: The members, each with C(name), C(ip), C(role), C(provider), C(cloud), C(region), C(zone), C(domain) and C(endpoint).
  type: list
  elements: dict
  returned: without O(decided)
hosts:
  description:
    - Facts of each member by its name, C(fleet_cluster_ip), C(fleet_cluster_ips), C(fleet_cluster_interface), C(fleet_cluster_mtu),
      C(fleet_cluster_via), C(fleet_cluster_role), C(fleet_cluster_why), C(fleet_cluster_members), C(fleet_mesh_addresses).
    - Without C(run_once), or with O(decided), the host's own are set as facts.
  type: dict
  returned: without O(decided)
grows:
  description: Whether a member comes that is not in the cluster of that kind yet, or that another one does not know in the mesh, so that it is to be
    proved that they reach each other.
  type: bool
  returned: without O(decided)
mesh_grows:
  description: The same for the mesh alone.
  type: bool
  returned: without O(decided)
comers:
  description: Members that are not in the mesh yet.
  type: list
  elements: str
  returned: without O(decided)
mesh:
  description: What each node is to have of the mesh, by its name. Empty without a mesh.
  type: dict
  returned: without O(decided)
"""
