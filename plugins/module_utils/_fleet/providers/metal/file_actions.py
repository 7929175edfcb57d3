# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Actions on the machines of a rack file: they are bound and released by a word, as nobody can switch them."""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ...errors import FleetError
from ..base import Run
from .held import HeldActions
from .machines import Machine
from .reservations import Ledger, Record

if TYPE_CHECKING:
    from ...fleet_file import Cloud


class FileActions(HeldActions):
    """One rack file."""

    def __init__(self, cloud: Cloud, run: Run, scope: str, ledger: Ledger, read: Callable[[], list[Machine]]) -> None:
        super().__init__(cloud, run, scope, ledger)
        self._read = read

    def machines(self) -> list[Machine]:
        return self._read()

    def unfit(self, machine: Machine, record: Record | None) -> str:
        state = machine.evidence.state
        return "" if state == "running" else f"state {state}, and nothing here can switch it on"

    def power(self, node_id: str, action: str) -> bool:
        machine = self._machine(node_id, f"{action} node {node_id}")
        raise FleetError(
            f"{action} node {node_id}", why=f"{self.scope} tells no way to switch {machine.name}", code="unsupported",
            fix="Switch it by hand, or list it by its Redfish service or an Ironic.")
