#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files of a node and the units that live by them, in one call."""
from __future__ import annotations

DOCUMENTATION = r"""
module: node_files
short_description: Files of a node and the units that live by them, in one call
version_added: 0.4.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Writes files whole, takes others away, and has units enabled and running; a unit is restarted when a file that it reads has changed.
  - M(hybridops.fleet.kubernetes) decides what a node needs and calls it; with a dozen files it is a dozen times faster than a task for each.
extends_documentation_fragment:
  - hybridops.fleet.attributes
options:
  files:
    description: Files to have, as a list of C(path), C(content), C(mode) (default C(0644)) and C(secret), with which its content is not shown.
    type: json
    default: "[]"
  absent:
    description: Files not to have.
    type: list
    elements: path
    default: []
  units:
    description: Units of systemd to have, as a list of C(name), C(files) whose change restarts it, and C(stopped) to have it off instead.
    type: json
    default: "[]"
  kernel_modules:
    description: Modules to load before kernel settings are put in force. One that is built into the kernel or cannot be had is no failure.
    type: list
    elements: str
    default: []
  sysctl:
    description: File of kernel settings that is put in force where a running value differs.
    type: path
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
"""

EXAMPLES = r"""
- name: A service of our own
  hybridops.fleet.node_files:
    files:
      - path: /etc/systemd/system/greeter.service
        content: |
          [Service]
          ExecStart=/bin/sleep infinity
          [Install]
          WantedBy=multi-user.target
    units:
      - name: greeter.service
        files: [/etc/systemd/system/greeter.service]
  become: true
"""

RETURN = r"""
paths:
  description: Files that were changed.
  type: list
  elements: str
  returned: success
units:
  description: Units that were changed.
  type: list
  elements: str
  returned: success
"""

import json

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hybridops.fleet.plugins.module_utils._cluster.kube_files import FilesError, lay
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import System


def main() -> None:
    module = AnsibleModule({
        "files": {"type": "json", "default": "[]"},
        "absent": {"type": "list", "elements": "path", "default": []},
        "units": {"type": "json", "default": "[]"},
        "kernel_modules": {"type": "list", "elements": "str", "default": []},
        "sysctl": {"type": "path"},
    }, supports_check_mode=True)
    given, system = module.params, System()
    try:
        done = lay(system, json.loads(given["files"]), given["absent"], json.loads(given["units"]), module.check_mode)
    except (FilesError, OSError, ValueError) as failure:
        module.fail_json(msg=str(failure))
    if given["kernel_modules"] and not module.check_mode:
        system.run(["modprobe", "--all", *given["kernel_modules"]])
    differs = differing(system, given["sysctl"])
    if differs and not module.check_mode:
        ran = system.run(["sysctl", "--quiet", "--load", given["sysctl"]])
        if ran.rc:
            module.fail_json(msg="kernel settings of {}: {}".format(given["sysctl"], ran.err.strip()[:400]))
    module.exit_json(changed=bool(done.paths or done.units or differs), paths=done.paths, units=done.units, diff=done.diff)


def differing(system: System, path: str | None) -> list[str]:
    """Keys of a file of kernel settings that are not in force."""
    if not path:
        return []
    rows = [line.partition("=") for line in system.text(path).splitlines() if "=" in line and not line.lstrip().startswith("#")]
    return [key.strip() for key, _equals, value in rows if system.text("/proc/sys/" + key.strip().replace(".", "/")).strip() != value.strip()]


if __name__ == "__main__":
    main()
