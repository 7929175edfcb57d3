# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One node on its way from a requirement, and what is decided about it. Pure."""
from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence

from .catalog import Catalog
from .errors import FleetError
from .fleet_file import Cloud
from .outcomes import Outcome, copied
from .providers.actions import MARK, Order
from .requirement import Requirement
from .shape import Node


@dataclasses.dataclass(slots=True)
class Job:
    """One node on its way. broken: id of a node of ours in state error that it replaces. twins: ids of all nodes of ours with
    its name, when runs that were ended left more than one. order: what is asked for, None when nothing is to be done but to
    set tags. asked: whether the cloud was asked to make it. others: the node that counts was made by another run. without: ids
    that turned out not to be had."""

    requirement: Requirement
    outcome: Outcome
    scope: str = ""
    order: Order | None = None
    node_id: str | None = None
    existed: bool = False
    broken: str | None = None
    twins: tuple[str, ...] = ()
    asked: bool = False
    others: bool = False
    without: set[str] = dataclasses.field(default_factory=set)

    @property
    def name(self) -> str:
        return self.requirement.name

    @property
    def families(self) -> tuple[str, ...]:
        """Families by which the node must be seen to be reached."""
        return self.order.families if self.order else self.requirement.network.families


def fail(cloud: Cloud, job: Job, failure: FleetError) -> None:
    """One failure may be that of several nodes: each gets its own, with its place."""
    job.outcome.failure = copied(failure).at(cloud.name, job.scope or None)


def all_of_one(found: Sequence[tuple[str, Node]], name: str) -> bool:
    """Whether these nodes were all made for one name in one place, by runs that raced and were ended before they had settled it."""
    return len({scope for scope, _node in found}) == 1 and all(node.tags.get(MARK) == name for _scope, node in found)


def not_to_be_had(code: str, order: Order, provider: str, catalog: Catalog) -> set[str]:
    """Ids of what was chosen and turned out not to be had, with what fails with it; none when choosing again would not help."""
    if code == "image_gone" and order.image:
        return {order.image.id}
    if provider == "metal":
        return {order.flavor.id} if code in ("taken", "capacity") else set()
    if code == "capacity" and order.network and order.network.zones and order.zone is None:
        full = set(order.network.zones)  # whatever network of these zones is asked for
        return {order.network.id, *(network.id for network in catalog.networks if network.zones and full.issuperset(network.zones))}
    return set()


def no_address(job: Job, seconds: float) -> FleetError:
    node, wish = job.outcome.node, job.requirement.network
    if node is None:
        return FleetError(f"read node {job.name}", code="timeout", why=f"waited {seconds:.0f} s for the cloud to list {job.node_id}",
                          fix="Run again; nothing is made twice.")
    kind = ("a public " if wish.reachable == "public" else "an ") + " and ".join(job.families)
    return FleetError(
        f"reach node {job.name}", code="no_address", fix="Look at fleet_why of the node in the inventory, and at 'chosen' in this result.",
        why=f"waited {seconds:.0f} s for {kind.strip()} address; the cloud shows: {node.why.public_ip}")


def token_of(cloud: Cloud, scope: str, name: str) -> str:
    """A token that is equal for equal requests: of the same name in the same place. At most 64 letters and digits."""
    return hashlib.sha256(f"{cloud.provider}/{cloud.name}/{scope}/{name}".encode()).hexdigest()[:32]
