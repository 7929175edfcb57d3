# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter hybridops.fleet.ping_summary: who answered and who did not, as lines of text."""
from __future__ import annotations

DOCUMENTATION = r"""
name: ping_summary
short_description: Who answered and who did not, as lines of text
version_added: 0.1.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Makes lines of text of answers of P(hybridops.fleet.ping_answer#filter), one node a row, with numbers below.
options:
  _input:
    description: Answers of nodes.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Say how it went
  ansible.builtin.debug:
    msg: "{{ ansible_play_hosts_all | map('extract', hostvars, 'ping_result') | hybridops.fleet.ping_summary }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The lines, without line ends. Nodes that did not answer come last.
  type: list
  elements: str
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.trust import clean
from ansible_collections.hybridops.fleet.plugins.plugin_utils._show.answer import summary


def ping_summary(answers: Iterable[Mapping[str, Any]]) -> list[str]:
    """The lines, safe to be used as a value in a play."""
    lines: list[str] = clean(summary(list(answers)))
    return lines


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"ping_summary": ping_summary}
