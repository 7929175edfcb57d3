#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Writes a container engine's settings on a node, and starts it anew with a way back."""
from __future__ import annotations

DOCUMENTATION = r"""
module: engine_config
short_description: Settings of a container engine on a node
version_added: 0.4.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Lays settings over C(/etc/docker/daemon.json), where keys of others stay, or writes C(/etc/containerd/config.toml).
    dockerd judges its settings before they are put where it can (from release 23 on).
  - Restarts nothing by itself with O(state=present); it tells whether a restart is needed, also when an earlier run was ended before it.
  - M(hybridops.fleet.container_engine) calls it.
extends_documentation_fragment:
  - hybridops.fleet.attributes
options:
  engine:
    description: Whose settings.
    type: str
    choices: [docker, containerd]
    required: true
  state:
    description:
      - V(present) writes, V(absent) takes out of C(daemon.json) what came from here, or removes containerd's configuration if it came from here.
      - V(restarted) starts the engine anew and waits for it; where it does not start with new settings, the former ones come back and the task fails.
    type: str
    choices: [present, absent, restarted]
    default: present
  settings:
    description: The settings, as a text of JSON.
    type: json
    default: "{}"
  registry_hosts:
    description: For containerd, what is to be in C(hosts.toml) of each registry, as a text of JSON.
    type: json
    default: "{}"
  timeout:
    description: Seconds that a start may take.
    type: int
    default: 90
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
"""

EXAMPLES = r"""
- name: Logs that do not fill the disk
  hybridops.fleet.engine_config:
    engine: docker
    settings: '{"log-driver": "json-file", "log-opts": {"max-size": "20m", "max-file": "5"}}'
  become: true
  register: settings

- name: In force
  hybridops.fleet.engine_config:
    engine: docker
    state: restarted
  become: true
  when: settings.restart
"""

RETURN = r"""
restart:
  description: Whether the running engine has to be started anew for its settings.
  type: bool
  returned: with O(state=present) or O(state=absent)
reload:
  description: Whether the running engine has to be told that its settings have changed.
  type: bool
  returned: with O(state=present) or O(state=absent)
"""

import json

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster import engine_look, engine_write
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import System


def main() -> None:
    module = AnsibleModule({
        "engine": {"type": "str", "choices": ["docker", "containerd"], "required": True},
        "state": {"type": "str", "choices": ["present", "absent", "restarted"], "default": "present"},
        "settings": {"type": "json", "default": "{}"},
        "registry_hosts": {"type": "json", "default": "{}"},
        "timeout": {"type": "int", "default": 90},
    }, supports_check_mode=True)
    given, system = module.params, System()
    engine = given["engine"]
    try:
        if given["state"] == "restarted":
            module.exit_json(**({"changed": True} if module.check_mode else engine_write.restart(system, engine, given["timeout"])))
        settings = json.loads(given["settings"]) if given["state"] == "present" else {}
        if engine == "docker":
            done = engine_write.docker(system, settings, module.check_mode)
            path = engine_look.DAEMON
        elif given["state"] == "absent":
            done, path = engine_write.no_containerd(system, module.check_mode), engine_look.CONTAINERD
        else:
            done = engine_write.containerd(system, settings, json.loads(given["registry_hosts"]), module.check_mode)
            path = engine_look.CONTAINERD
    except (engine_write.EngineError, OSError, ValueError) as failure:
        module.fail_json(msg=str(failure))
    active = system.unit(engine + ".service").get("ActiveState") == "active"
    if done.reload and active and not module.check_mode:
        system.run(["systemctl", "reload", engine + ".service"])
    waiting = system.exists(engine_look.WAITING % engine)
    module.exit_json(changed=done.changed, restart=active and (waiting or done.restart), reload=active and done.reload,
                     diff={"before": done.before, "after": done.after, "before_header": path, "after_header": path})


if __name__ == "__main__":
    main()
