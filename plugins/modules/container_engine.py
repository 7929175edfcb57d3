#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of action hybridops.fleet.container_engine, which decides on the controller."""
from __future__ import annotations

DOCUMENTATION = r"""
module: container_engine
short_description: Decide and write what a node's container engine needs
version_added: 0.4.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Looks at the node, decides on the controller which packages it needs, from where, and how the engine is set, and has the settings written.
  - Networks for the engine's bridges are chosen so that they overlap no address of the inventory, no route of the node and nothing that the
    operator names; those that an engine has stay unless they overlap something.
  - Role P(hybridops.fleet.container_engine#role) uses it.
extends_documentation_fragment:
  - hybridops.fleet.attributes
options:
  state:
    description:
      - V(surveyed) tells which networks the inventory's addresses are of, for C(avoid); once for all hosts.
      - V(planned) looks and tells which packages are wanted; nothing changes.
      - V(present) writes the settings, V(absent) takes them out, V(restarted) starts the engine anew with a way back.
    type: str
    choices: [surveyed, planned, present, absent, restarted]
    default: present
  options:
    description: The role's variables by name, without C(container_engine_).
    type: dict
    suboptions:
      engine:
        description: Which engine.
        type: str
        choices: [docker, containerd]
        default: docker
      source:
        description: Whose packages.
        type: str
        choices: [distribution, vendor]
        default: distribution
      version:
        description: Version of the first package as the package manager writes it, a star at the end for any rest. Empty for what is there, else the
          newest.
        type: str
        default: ""
      packages:
        description: Packages instead of those of O(data), the engine first.
        type: list
        elements: str
        default: []
      repository:
        description: The vendor's repository or a mirror of it. What is not given is that of O(data).
        type: dict
        suboptions:
          url:
            description: Address. C({codename}) and C({version}) stand for the release's.
            type: str
          suite:
            description: Suite of a Debian repository; V(./) for a flat one.
            type: str
          components:
            description: Components of a Debian repository.
            type: str
          key:
            description: Its key, as the text of a PGP block or the address of one.
            type: str
          options:
            description: Further options of apt's line, such as V(trusted=yes).
            type: str
      cgroup_driver:
        description: Who keeps the cgroups of containers.
        type: str
        choices: [systemd, cgroupfs]
        default: systemd
      log_driver:
        description: Docker's log driver.
        type: str
        default: json-file
      log_size:
        description: Size at which a container's log is turned over, for V(json-file) and V(local).
        type: str
        default: 20m
      log_files:
        description: How many logs of a container are kept, for V(json-file) and V(local).
        type: int
        default: 5
      registry_mirrors:
        description: Mirrors of Docker's own registry, as addresses.
        type: list
        elements: str
        default: []
      insecure_registries:
        description: Registries that Docker may talk to without a trusted certificate.
        type: list
        elements: str
        default: []
      live_restore:
        description: Whether containers live on while Docker starts anew. V(auto) is on, except in a swarm, which does not allow it.
        type: str
        choices: [auto, "true", "false"]
        default: auto
      swarm:
        description: Whether the node is to belong to a swarm.
        type: bool
        default: false
      mtu:
        description: MTU of Docker's bridges in bytes, 0 for Docker's own.
        type: int
        default: 0
      address_pools:
        description: Networks for Docker's bridges. Those that are chosen when the list is empty overlap nothing.
        type: list
        elements: str
        default: []
      avoid:
        description: Networks that they must not overlap, beside those of the node.
        type: list
        elements: str
        default: []
      users:
        description: Accounts for group docker.
        type: list
        elements: str
        default: []
      settings:
        description: Further keys of Docker's C(daemon.json), which win.
        type: dict
        default: {}
      containerd_settings:
        description: Laid over containerd's configuration key by key.
        type: dict
        default: {}
      sandbox_image:
        description: containerd's image for pods' sandboxes, empty for its own.
        type: str
        default: ""
      registry_hosts:
        description: For containerd, which hosts serve a registry, written as C(hosts.toml).
        type: list
        elements: dict
        default: []
        suboptions:
          registry:
            description: Name of the registry with its port, such as V(docker.io); V(_default) for all others.
            type: str
            required: true
          server:
            description: Address of the registry itself.
            type: str
          mirrors:
            description: What is asked first.
            type: list
            elements: dict
            default: []
            suboptions:
              url:
                description: Address.
                type: str
                required: true
              capabilities:
                description: What it is good for.
                type: list
                elements: str
                choices: [pull, resolve, push]
                default: [pull, resolve]
              skip_verify:
                description: Whether its certificate need not be trusted.
                type: bool
                default: false
      timeout:
        description: Seconds that a start of the engine may take.
        type: int
        default: 90
  data:
    description: The role's data, packages and repositories by distribution.
    type: dict
    default: {}
  facts:
    description: What an earlier call with O(state=planned) has seen, so that the node is not looked at again.
    type: dict
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
"""

EXAMPLES = r"""
- name: In force
  hybridops.fleet.container_engine:
    state: restarted
    options: {engine: docker, timeout: 90}
  become: true
"""

RETURN = r"""
networks:
  description: Networks of the inventory's addresses.
  type: list
  elements: str
  returned: with O(state=surveyed)
facts:
  description: What was seen, see M(hybridops.fleet.engine_facts).
  type: dict
  returned: with O(state=planned)
packages:
  description: What is to be installed, with the version that is asked for.
  type: list
  elements: str
  returned: with O(state=planned)
repository:
  description: The vendor's repository; empty for the distribution's packages.
  type: dict
  returned: with O(state=planned)
pools:
  description: Networks for the engine's bridges.
  type: list
  elements: str
  returned: with O(state=present) for Docker
why:
  description: Why these.
  type: str
  returned: with O(state=present) for Docker
restart:
  description: Whether the running engine has to be started anew for its settings.
  type: bool
  returned: with O(state=present) or O(state=absent)
"""
