# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Making nodes in one region of AWS: the steps of the contract, each by the part that knows it."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ...catalog import Catalog
from ..actions import Actions, Order, SecurityRule, Status, StoredKey
from ..base import Run, together
from . import launch, marks
from .addresses import Addresses
from .belongings import Keys, Volumes
from .creation import Creation
from .groups import Groups
from .nodes import Nodes
from .offers import Offers

if TYPE_CHECKING:
    from ...fleet_file import Cloud
    from .client import Ec2
    from .regions import Regions


class AwsActions(Actions):
    """The actions of one region of an account."""

    def __init__(self, cloud: Cloud, run: Run, scope: str, ec2: Ec2, regions: Regions) -> None:
        super().__init__(cloud, run, scope)
        self._ec2 = ec2
        self._offers = Offers(ec2, scope, run, cloud.roles, regions)
        self._keys = Keys(ec2, scope)
        self._groups = Groups(ec2, scope, run)
        self._creation = Creation(ec2, scope, run, self._groups)
        self._addresses = Addresses(ec2, scope, run)
        self._volumes = Volumes(ec2, scope)
        self._nodes = Nodes(ec2, scope)

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
        node_id = self._creation.create(order)
        self._nodes.note_made(node_id)
        return node_id

    def confirm(self, order: Order, node_id: str) -> str:
        return self._creation.confirm(order, node_id)

    def status(self, node_ids: Sequence[str]) -> dict[str, Status]:
        return self._nodes.status(node_ids)

    def publish(self, order: Order, node_id: str) -> str | None:
        if order.reachable != "public":
            return None
        item = self._nodes.read(f"give node {order.name} a public address", node_id)
        done = []
        if "ipv4" in order.families and not (item.findtext("ipAddress") or item.findtext("networkInterfaceSet/item/association/publicIp")):
            done.append(self._addresses.attach(order.name, item))
        if "ipv6" in order.families and item.find("networkInterfaceSet/item/ipv6AddressesSet/item") is None:
            self._addresses.assign_ipv6(item)
            done.append("assigned an IPv6 address")
        return ", ".join(word for word in done if word) or None

    def delete(self, node_id: str) -> None:
        self._nodes.end(node_id)

    def leftovers(self, name: str) -> list[str]:
        addresses, groups, volumes = together(
            lambda: self._addresses.marked(name), lambda: self._groups.marked(name), lambda: self._volumes.marked(name))
        return [
            *(f"elastic IP {item.findtext('publicIp')}" for item in addresses),
            *(f"security group {item.findtext('groupName')}" for item in groups),
            *(f"volume {volume}" for volume in volumes),
        ]

    def marked(self, prefix: str) -> set[str]:
        return marks.beginning(self._ec2, self.scope, prefix)

    def clean(self, name: str) -> list[str]:
        return self._addresses.release(name) + self._groups.remove(name) + self._volumes.remove(name)

    def bring_rules(self, name: str, node_id: str, part: str, rules: Sequence[SecurityRule], *, check: bool = False) -> list[str]:
        item = self._nodes.read(f"change what may reach node {name}", node_id)
        return self._groups.bring(name, item.findtext("vpcId", ""), part, rules, check=check)

    def power(self, node_id: str, action: str) -> bool:
        return self._nodes.power(node_id, action)

    def adapted_tags(self, tags: Mapping[str, str]) -> dict[str, str]:
        launch.check_tags(tags)
        return dict(tags)

    def tag(self, node_id: str, tags: Mapping[str, str | None]) -> bool:
        return self._nodes.tag(node_id, tags)

    def host_keys(self, node_id: str) -> tuple[str, ...] | None:
        return self._nodes.host_keys(node_id)
