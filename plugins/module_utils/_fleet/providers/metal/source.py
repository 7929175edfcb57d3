# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What sources of machines have in common. Binding has two steps, so that several sources can agree between them."""
from __future__ import annotations

import abc

from ..actions import Actions, Order


class Source(Actions, abc.ABC):
    """One source. Every step may be repeated."""

    key_store = False

    @abc.abstractmethod
    def knows(self, machine_id: str) -> bool:
        """Whether it is a machine of this source."""

    @abc.abstractmethod
    def held(self, name: str) -> str | None:
        """Id of the machine that is held for the node of that name, whether it is the node by now or not."""

    @abc.abstractmethod
    def hold(self, order: Order) -> str:
        """Take the chosen machine so that nobody else gets it; the one that the same order has taken before stays it."""

    @abc.abstractmethod
    def bind(self, order: Order, machine_id: str) -> None:
        """Make the machine that is held the node. Raises FleetError when it is not held any more."""

    @abc.abstractmethod
    def let_go(self, order: Order, machine_id: str) -> None:
        """Give back what is held and is no node yet."""

    def create(self, order: Order) -> str:
        machine_id = self.hold(order)
        self.bind(order, machine_id)
        return machine_id
