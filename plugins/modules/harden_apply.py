#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Brings settings of a node about, keeps what was there before, and brings it back."""
from __future__ import annotations

DOCUMENTATION = r"""
module: harden_apply
short_description: Bring settings of a node about, or back to what they were
version_added: 0.3.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Works through a list of items (files, keys of files, permissions, kernel settings, units) in one call, and keeps on the node what
    everything was before the first run, below C(/var/lib/hybridops-fleet/hardening).
  - M(hybridops.fleet.harden) decides which items a node needs and calls it.
extends_documentation_fragment:
  - hybridops.fleet.attributes
options:
  area:
    description: Part of the hardening, each of which has a record of its own.
    type: str
    choices: [os, ssh, firewall]
    required: true
  state:
    description:
      - V(present) brings the items about, V(absent) brings back what was before the first run and ends the record.
        V(former) tells what that would mean for whoever is connected, and changes nothing.
    type: str
    choices: [present, absent, former]
    default: present
  items:
    description: The items, as a text of JSON.
    type: json
    default: "[]"
  switch:
    description: The dead man's switch that is armed before anything guarded changes, or before a restore, with C(seconds) and C(nonce). Without it
      none is armed.
    type: dict
  installed:
    description: Packages that are about to be installed because of this area; kept in the record.
    type: list
    elements: str
    default: []
  removed:
    description: Packages that are about to be removed because of this area; kept in the record.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
"""

EXAMPLES = r"""
- name: No core dumps, remembered for a restore
  hybridops.fleet.harden_apply:
    area: os
    items: '[{"kind": "file", "control": "core_dumps", "path": "/etc/security/limits.d/99-core.conf", "content": "* hard core 0\n"}]'
  become: true
"""

RETURN = r"""
items:
  description: For each item its C(control), C(what), C(status) (right, changed, would_change, not_possible, failed), C(why) and C(details).
  type: list
  elements: dict
  returned: with O(state=present)
reloads:
  description: What could not read its configuration again, with what it said.
  type: dict
  returned: success
armed:
  description: Whether a dead man's switch runs and waits for a confirmation.
  type: bool
  returned: with O(state=present) or O(state=absent)
former:
  description:
    - What a restore would bring about for the account that is connected; C(sshd) as C(sshd -T) tells, C(refused) what sshd would say against it,
      C(access) to its keys, C(shell), and C(ages), whether an old password would shut keys out.
  type: dict
  returned: with O(state=former)
restored:
  description: What was brought back.
  type: list
  elements: str
  returned: with O(state=absent)
differs:
  description: What is not as it was before the first run, in words.
  type: list
  elements: str
  returned: with O(state=absent)
packages:
  description: Packages that were installed and removed because of this area, before the record ended.
  type: dict
  returned: success
"""

import json

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.apply import Request, perform
from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import System


def main() -> None:
    names = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule({
        "area": {"type": "str", "choices": ["os", "ssh", "firewall"], "required": True},
        "state": {"type": "str", "choices": ["present", "absent", "former"], "default": "present"},
        "items": {"type": "json", "default": "[]", "no_log": True},  # whole files, some of which hold secrets
        "switch": {"type": "dict"},
        "installed": names,
        "removed": names,
    }, supports_check_mode=True)
    given = module.params
    request = Request(area=given["area"], state=given["state"], items=json.loads(given["items"]), switch=given["switch"] or {},
                      installed=given["installed"], removed=given["removed"], check=module.check_mode)
    try:
        answer = perform(System(), request)
    except (OSError, ValueError) as failure:
        module.fail_json(msg=str(failure))
    if answer.get("msg"):
        module.fail_json(**answer)
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
