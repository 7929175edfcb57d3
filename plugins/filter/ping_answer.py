# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter hybridops.fleet.ping_answer: whether a node answered, in words."""
from __future__ import annotations

DOCUMENTATION = r"""
name: ping_answer
short_description: Whether a node answered, in words
version_added: 0.1.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Makes one answer of what is known of a node and of the results of trying to reach it.
  - P(hybridops.fleet.ping_summary#filter) makes lines of text of the answers of many nodes.
positional: port, login
options:
  _input:
    description: Variables of the host.
    type: dict
    required: true
  port:
    description: Result of M(ansible.builtin.wait_for) on the SSH port of the node. It may have been skipped.
    type: dict
  login:
    description: Result of M(ansible.builtin.ping) on the node. It may have been skipped.
    type: dict
"""

EXAMPLES = r"""
- name: Say how it went
  ansible.builtin.debug:
    msg: "{{ (hostvars[inventory_hostname] | hybridops.fleet.ping_answer(port_result, ping_result)).text }}"
"""

RETURN = r"""
_value:
  description:
    - C(answer) is one of V(reachable), V(no Python), V(login refused), V(host key), V(port closed), V(unreachable),
      V(module failed), V(no address), V(skipped); C(ok) is true, false, or null for a node that was skipped; C(text) says it
      in words; C(node), C(cloud) and C(address) tell which node.
  type: dict
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.trust import clean
from ansible_collections.hybridops.fleet.plugins.plugin_utils._show.answer import answer


def ping_answer(
    variables: Mapping[str, Any], port: Mapping[str, Any] | None = None, login: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The answer, safe to be kept as a fact."""
    found: dict[str, Any] = clean(answer(variables, port, login))
    return found


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"ping_answer": ping_answer}
