# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the node took back is not told as done."""
from __future__ import annotations

from typing import Any

from ansible_collections.hybridops.fleet.plugins.plugin_utils._hardening import outcome


def row(status: str) -> dict[str, Any]:
    return {"status": status, "why": "", "details": ["done"]}


def test_what_was_guarded_is_told_as_put_back_and_the_rest_as_it_is() -> None:
    items = [{"kind": "sshd", "path": "/a", "guarded": True}, {"kind": "sshd_value", "path": "/a"}, {"kind": "moduli", "path": "/b"},
             {"kind": "sshd_value", "path": "/a"}]
    answer = {"changed": True, "items": [row("changed"), row("changed"), row("changed"), row("right")]}
    outcome.put_back(items, answer)
    assert [one["status"] for one in answer["items"]] == ["failed", "failed", "changed", "right"]
    assert answer["changed"] and "no fresh connection" in answer["items"][0]["why"]
    del items[2], answer["items"][2]
    outcome.put_back(items, answer)
    assert not answer["changed"]
