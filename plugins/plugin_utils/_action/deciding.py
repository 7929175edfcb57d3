# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What actions share that decide on the controller: arguments checked, a failure in words, and modules run on the node."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ansible.plugins.action import ActionBase
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.config import plain

NAMES = {"type": "list", "elements": "str", "default": []}
"""An argument that is a list of words."""


class NodeCalls(ActionBase):
    """Modules on the node. ``vars`` are set at the start of the run. silence: what to do when the node does not answer."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False
    silence: ClassVar[str] = "Look whether the node is up."
    vars: dict[str, Any]

    @property
    def host(self) -> str:
        return str(plain(self.vars.get("inventory_hostname", "the node")))

    def node_module(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Run a module on the node over Ansible's own connection; its failure is ours. Raises FleetError with what it said."""
        answer: dict[str, Any] = self._execute_module(module_name=name, module_args=arguments, task_vars=self.vars)
        answer.pop("invocation", None)
        if answer.get("unreachable"):
            raise FleetError(f"{self.host}: {name}", why=str(answer.get("msg", "the node does not answer")), code="unreachable", fix=self.silence)
        if answer.get("failed"):
            caught = getattr(getattr(answer.get("exception"), "event", None), "msg", "")  # where ansible-core keeps what a module did not catch
            said = " ".join(str(answer.get("module_stderr") or answer.get("module_stdout") or caught).split())[-400:]
            without = "sudo" in said and "not found" in said  # a container has none, and Ansible is root there already
            raise FleetError(f"{self.host}: {name}", why=": ".join(filter(None, [str(answer.get("msg") or "it failed")[:1200], said])), code="module",
                             fix="There is no sudo. Where Ansible comes in as root, set ansible_become: false for the host." if without else "")
        return answer


class Deciding(NodeCalls):
    """arguments: what the action takes, as in a module's argument spec. A subclass decides in ``work``."""

    arguments: ClassVar[Mapping[str, Any]] = {}

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        self.vars = task_vars or {}
        _checked, given = self.validate_argument_spec(argument_spec=dict(self.arguments))
        self.given: dict[str, Any] = plain(given)
        try:
            return {**result, "changed": False, **self.work()}
        except FleetError as failure:
            return {**result, "failed": True, "msg": str(failure), "code": failure.code}

    def work(self) -> dict[str, Any]:
        """The result, beside ``changed``: false unless it says so. Raises FleetError."""
        raise NotImplementedError
