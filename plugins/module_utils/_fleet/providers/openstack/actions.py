# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Making nodes in one OpenStack region: the steps of the contract, each by the part that knows it."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ...catalog import Catalog
from ...errors import FleetError
from ..actions import Actions, Order, SecurityRule, Status, StoredKey
from ..base import together
from . import request
from .addresses import Addresses
from .creation import Creation
from .keys import Keys
from .nodes import Nodes
from .offers import Offers
from .security import Security

if TYPE_CHECKING:
    from ...fleet_file import Cloud
    from ..base import Run
    from .region import Region


class OpenStackActions(Actions):
    """What can be done in one region; "" for a cloud that names none."""

    def __init__(self, cloud: Cloud, run: Run, region: Region) -> None:
        super().__init__(cloud, run, region.name)
        self._region = region
        self._offers = Offers(region, cloud.roles)
        self._keys = Keys(region)
        self._nodes = Nodes(region)
        self._creation = Creation(region, run)
        self._addresses = Addresses(region, run, self._offers)
        self._security = Security(region, run, self._offers)

    def catalog(self, parts: frozenset[str], image_names: Sequence[str] = ()) -> Catalog:
        return self._offers.read(parts, image_names)

    # -- keys --------------------------------------------------------------------------------------------------
    def find_key(self, name: str) -> StoredKey | None:
        return self._keys.find(name)

    def add_key(self, name: str, public_key: str) -> None:
        self._keys.add(name, public_key)

    def remove_key(self, name: str) -> bool:
        return self._keys.remove(name)

    # -- nodes -------------------------------------------------------------------------------------------------
    def create(self, order: Order) -> str:
        request.check(order)
        if request.needs_volume(order) and not self._region.has("block-storage"):
            raise FleetError(
                f"make node {order.name}", code="refused", fix="Choose a flavor with a disk that is large enough.",
                why=f"flavor {order.flavor.name} has {order.flavor.disk_gib or 0} GiB of disk, and the cloud has no block storage to boot from")
        return self._creation.create(order, self._groups(order))

    def _groups(self, order: Order) -> list[str] | None:
        """Security groups for the node; None for the project's default one."""
        if order.rules is None:
            return None
        if order.network and order.network.extra.get("port_security") == "disabled":
            self.run.warn(f"network '{order.network.name}' has port security disabled: everything reaches node {order.name}, no rule applies there")
            return None
        return [self._security.ensure(order.name, order.rules)]

    def confirm(self, order: Order, node_id: str) -> str:
        return self._creation.confirm(order, node_id)

    def status(self, node_ids: Sequence[str]) -> dict[str, Status]:
        return self._nodes.status(node_ids)

    def publish(self, order: Order, node_id: str) -> str | None:
        return self._addresses.publish(order, node_id)

    def delete(self, node_id: str) -> None:
        self._creation.remove(node_id)

    def leftovers(self, name: str) -> list[str]:
        return [
            *(f"floating IP {row['floating_ip_address']}" for row in self._addresses.marked(name)),
            *(f"security group {row['name']}" for row in self._security.marked(name)),
        ]

    def marked(self, prefix: str) -> set[str]:
        marks = set().union(*together(
            self._nodes.marks, self._addresses.marks, self._security.marks, lambda: self._keys.names(prefix)))
        return {mark for mark in marks if mark.startswith(prefix)}

    def clean(self, name: str) -> list[str]:
        return self._addresses.release(name) + self._security.remove(name)

    def bring_rules(self, name: str, node_id: str, part: str, rules: Sequence[SecurityRule], *, check: bool = False) -> list[str]:
        return self._security.bring(name, part, rules, check=check)

    def power(self, node_id: str, action: str) -> bool:
        return self._nodes.power(node_id, action)

    def adapted_tags(self, tags: Mapping[str, str]) -> dict[str, str]:
        return request.adapted_tags(tags)

    def tag(self, node_id: str, tags: Mapping[str, str | None]) -> bool:
        return self._nodes.tag(node_id, tags)

    def host_keys(self, node_id: str) -> tuple[str, ...] | None:
        return self._nodes.host_keys(node_id)
