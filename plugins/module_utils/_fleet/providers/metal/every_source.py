# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""All sources of a cloud as one: what a requirement means that names no source."""
from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from ...catalog import Catalog
from ...errors import FleetError
from ..actions import Actions, Order, Status
from ..base import together
from .machines import catalog, taken
from .source import Source

if TYPE_CHECKING:
    from ...fleet_file import Cloud
    from ..base import Run

T = TypeVar("T")

TRIES = 6  # rounds until two runs that took a machine each, in two sources, agree on one


class EverySource(Actions):
    """Hands every request to the source that has the machine."""

    key_store = False

    def __init__(self, cloud: Cloud, run: Run, sources: Sequence[Source], *, sleep: Callable[[float], None] = time.sleep) -> None:
        super().__init__(cloud, run, "")
        self._sources = list(sources)
        self._sleep = sleep

    def _each(self, ask: Callable[[Source], T]) -> list[T]:
        return together(*[lambda source=source: ask(source) for source in self._sources])

    def _of(self, machine_id: str, what: str) -> Source:
        for source, known in zip(self._sources, self._each(lambda source: source.knows(machine_id)), strict=True):
            if known:
                return source
        raise FleetError(what, why=f"no source has a machine {machine_id}", code="not_found", fix="List the machines again.")

    def catalog(self, parts: frozenset[str], image_names: Sequence[str] = ()) -> Catalog:
        offers = self._each(lambda source: source.catalog(parts | {"flavors"}, image_names))
        images = {(image.id, image.name): image for offer in offers for image in offer.images}
        return catalog(parts, [flavor for offer in offers for flavor in offer.flavors], images.values())

    # -- binding -----------------------------------------------------------------------------------------------
    def create(self, order: Order) -> str:
        """One machine for the name, whichever source has it. A machine that was taken is given back when another source turns
        out to have one for the same name: who takes second always sees the first."""
        for attempt in range(TRIES):
            claims = self._claims(order.name)
            if len(claims) > 1:
                self._pause()  # two runs that are about to notice
                for source, machine_id in claims[1:] if attempt > 1 else ():
                    source.let_go(order, machine_id)  # left by runs that were killed; one that is a node by now stays
                continue
            source = claims[0][0] if claims else self._of(order.flavor.id, f"bind machine {order.flavor.name} for node {order.name}")
            try:
                machine_id = source.hold(order)
            except FleetError as failure:
                if failure.code == "image_gone":  # other sources may have the image: the machine is what does not fit
                    raise taken(order, failure.why) from failure
                raise
            if any(other is not source for other, _machine in self._claims(order.name)):
                source.let_go(order, machine_id)
                self._pause()
                continue
            try:
                source.bind(order, machine_id)
            except FleetError as failure:
                if failure.code != "vanished":
                    raise
                self._pause()  # a run with the same order gave the machine back, because it saw two
                continue
            return machine_id
        raise taken(order, "machines of several sources are taken for it: " + ", ".join(
            f"{machine} in {source.scope}" for source, machine in self._claims(order.name)))

    def _claims(self, name: str) -> list[tuple[Source, str]]:
        found = self._each(lambda source: source.held(name))
        return [(source, machine) for source, machine in zip(self._sources, found, strict=True) if machine is not None]

    def _pause(self) -> None:
        self._sleep(random.uniform(0.2, 1.5))  # noqa: S311 -- only that two runs do not meet again

    def publish(self, order: Order, node_id: str) -> str | None:
        return self._of(node_id, f"reach node {order.name}").publish(order, node_id)

    # -- nodes that are there ----------------------------------------------------------------------------------
    def status(self, node_ids: Sequence[str]) -> dict[str, Status]:
        found: dict[str, Status] = {}
        for answer in self._each(lambda source: source.status(node_ids)):
            found |= answer
        return found

    def delete(self, node_id: str) -> None:
        for source, known in zip(self._sources, self._each(lambda source: source.knows(node_id)), strict=True):
            if known:
                source.delete(node_id)

    def leftovers(self, name: str) -> list[str]:
        return [word for words in self._each(lambda source: source.leftovers(name)) for word in words]

    def marked(self, prefix: str) -> set[str]:
        return set().union(*self._each(lambda source: source.marked(prefix)))

    def clean(self, name: str) -> list[str]:
        return [word for words in self._each(lambda source: source.clean(name)) for word in words]

    def power(self, node_id: str, action: str) -> bool:
        return self._of(node_id, f"{action} node {node_id}").power(node_id, action)

    def tag(self, node_id: str, tags: Mapping[str, str | None]) -> bool:
        return self._of(node_id, f"tag node {node_id}").tag(node_id, tags)

    def confirm(self, order: Order, node_id: str) -> str:
        return self._of(node_id, f"bind node {order.name}").confirm(order, node_id)

    def node_keys(self, node_id: str) -> tuple[str, ...]:
        return self._of(node_id, f"read the keys of node {node_id}").node_keys(node_id)

    def remove_node_key(self, node_id: str, public_key: str) -> bool:
        return self._of(node_id, f"remove a key of node {node_id}").remove_node_key(node_id, public_key)

    def add_node_key(self, node_id: str, user: str, public_key: str) -> bool:
        return self._of(node_id, f"put a key onto node {node_id}").add_node_key(node_id, user, public_key)

    def host_keys(self, node_id: str) -> tuple[str, ...] | None:
        return self._of(node_id, f"read the host keys of node {node_id}").host_keys(node_id)
