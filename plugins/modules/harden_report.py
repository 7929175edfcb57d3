#!/usr/bin/python
# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of action hybridops.fleet.harden_report, which runs on the controller."""
from __future__ import annotations

DOCUMENTATION = r"""
module: harden_report
short_description: Write what hardening did into reports
version_added: 0.3.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Writes one file of JSON for the host and builds the page C(index.html) anew, on which the hosts of the folder stand side by side.
  - Runs on the controller; the node is not asked. It also writes in check mode, as reports are what a check is for, and never counts as a change.
extends_documentation_fragment:
  - hybridops.fleet.attributes
options:
  area:
    description: Part of the hardening that the rows tell of. Rows of other areas stay in the host's file.
    type: str
    choices: [os, ssh, firewall]
    required: true
  folder:
    description: Folder on the controller; it is made.
    type: path
    required: true
  profile:
    description: Profile that was applied.
    type: str
    default: ""
  state:
    description: What was asked for, hardening or the state before it.
    type: str
    choices: [present, absent]
    default: present
  rows:
    description: Rows of M(hybridops.fleet.harden), RV(hybridops.fleet.harden#module:report). Without any, a failure leaves those of the last run.
    type: list
    elements: dict
    default: []
  failure:
    description: Why it failed or was refused, RV(hybridops.fleet.harden#module:msg); empty when it did not.
    type: str
    default: ""
  guard:
    description: How the connection was guarded, RV(hybridops.fleet.harden#module:guard).
    type: str
    default: ""
  facts:
    description: What was seen on the node, RV(hybridops.fleet.harden#module:facts).
    type: dict
    default: {}
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
"""

EXAMPLES = r"""
- name: What was done
  hybridops.fleet.harden_report:
    area: os
    folder: hardening-report
    profile: strict
    rows: "{{ done.report }}"
    facts: "{{ done.facts }}"
    guard: "{{ done.guard }}"
    failure: "{{ done.msg if done is failed else '' }}"
"""

RETURN = r"""
json:
  description: The host's file.
  type: str
  returned: success
page:
  description: The page of all hosts.
  type: str
  returned: success
"""
