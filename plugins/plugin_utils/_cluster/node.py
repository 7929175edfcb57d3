# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the actions of clusters share: a module on the node, with its failure in words."""
from __future__ import annotations

from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.config import plain


class NodeCalls:
    """For action plugins, which set ``vars`` at the start of their run."""

    vars: dict[str, Any]

    @property
    def host(self) -> str:
        return str(plain(self.vars.get("inventory_hostname", "the node")))

    def node_module(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Run a module of the collection on the node over Ansible's own connection. Raises FleetError with what it said."""
        answer: dict[str, Any] = self._execute_module(module_name=name, module_args=arguments, task_vars=self.vars)  # type: ignore[attr-defined]
        answer.pop("invocation", None)
        if answer.get("unreachable"):
            raise FleetError(f"{self.host}: {name}", why=str(answer.get("msg", "the node does not answer")), code="unreachable",
                             fix="Look whether the node is up.")
        if answer.get("failed"):
            said = " ".join(str(answer.get("module_stderr") or answer.get("module_stdout") or "").split())[-400:]
            told = str(answer.get("msg") or "the module failed")[:1200]
            raise FleetError(f"{self.host}: {told}" + (f": {said}" if said else ""), code="module")
        return answer
