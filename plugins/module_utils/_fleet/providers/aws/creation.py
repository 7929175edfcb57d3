# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asking EC2 for an instance, once however often.

EC2 keeps a client token for a day and answers an equal request with the instance it made first, also when that is
terminated by then. So the token of an order that has a dead instance is salted with that one's id, and so on: every run
walks the same chain. A request with other settings and a used token is refused; then what the token has made counts.
An instance that somebody has renamed is not this node any more: its token is used up like that of a dead one, and it stays.
"""
from __future__ import annotations

import time
from datetime import datetime
from typing import Any
from xml.etree.ElementTree import Element

from ...errors import FleetError
from ..actions import Order
from ..base import Run, together
from . import filters, instances, launch, xmltree
from .client import Ec2
from .groups import Groups
from .operations import IMAGES, RUN, TERMINATE

LIVES = 30  # dead predecessors that answers may name one after the other before something else must be wrong
LISTED = 3000.0  # seconds for which EC2 surely lists a terminated instance
SHOWN = 10  # looks, a second apart, for what a request with the same token has made
SOON = ("InvalidGroup.NotFound", "InvalidKeyPair.NotFound")  # perhaps made a moment ago and not known everywhere yet
TRIES = 4


class Creation:
    """Makes instances in one region."""

    def __init__(self, ec2: Ec2, region: str, run: Run, groups: Groups) -> None:
        self._ec2 = ec2
        self._region = region
        self._run = run
        self._groups = groups

    def create(self, order: Order) -> str:
        """Id of the instance that the order has made, now or before."""
        launch.check(order)
        known, image = together(lambda: self._marked(order), lambda: self._image(order))
        alive = _living(order, known)
        if alive:
            return instances.id_of(alive[0])
        if image is None:
            raise FleetError(f"make node {order.name}", why=f"there is no image {order.image.id if order.image else ''} any more",
                             code="image_gone", fix="Run again, or name another image; catalog_info lists what there is.")
        return self._launch(order, launch.parameters(order, image, self._group(order)), _used(order, known))

    def confirm(self, order: Order, node_id: str) -> str:
        """The instance that counts is the one made first; others of the same name and mark are ended."""
        alive = _living(order, self._marked(order))
        if not alive:
            return node_id
        right, *surplus = [instances.id_of(item) for item in alive]
        if surplus:
            self._ec2.ask(self._region, TERMINATE, {"InstanceIds": surplus})
        return right

    def _marked(self, order: Order) -> list[Element]:
        return instances.marked(self._ec2, self._region, order.name)

    def _image(self, order: Order) -> Element | None:
        wanted = {"Filters": [filters.exactly("image-id", [order.image.id if order.image else ""])], "IncludeDeprecated": True}
        return next(iter(self._ec2.items(self._region, IMAGES, wanted)), None)

    def _group(self, order: Order) -> str | None:
        if order.rules is None or order.network is None:
            return None
        return self._groups.ensure(order.name, order.network.extra.get("vpc", ""), order.rules)

    def _launch(self, order: Order, asked: dict[str, Any], dead: dict[str, str]) -> str:
        """dead: client token -> id of the instance that was made with it and is dead or renamed, as far as known."""
        start = order.token
        token = launch.unused(start, dead)
        for _life in range(LIVES):
            try:
                item = self._run_instance({**asked, "ClientToken": token})
            except FleetError as failure:
                if failure.code != "mismatch":
                    raise
                found = self._made_with(order, token, dead)
                if found:
                    return found
                if token not in dead:  # what it made is not even listed any more
                    if start != order.token:
                        raise
                    start = token = launch.salted(order.token, launch.digest(asked))
            else:
                if not self._is_used_up(order, item):
                    return instances.id_of(item)
                dead[token] = instances.id_of(item)
            token = launch.unused(token, dead)
        raise FleetError(f"make node {order.name}", why=f"AWS answers with instances that are terminated ({', '.join(dict.fromkeys(dead.values()))})",
                         code="refused", fix="Try again later, or choose another name.")

    def _run_instance(self, asked: dict[str, Any]) -> Element:
        for attempt in range(TRIES):
            try:
                item = self._ec2.ask(self._region, RUN, asked).find("instancesSet/item")
            except FleetError as failure:
                if not failure.why.startswith(SOON) or attempt == TRIES - 1:
                    raise _explained(failure) from None
                self._run.patience.sleep(min(0.5 * 2**attempt, self._run.patience.remaining()))
                continue
            if item is None:
                raise FleetError(RUN.what, why="the answer names no instance", code="bad_answer", fix="Run again; nothing is made twice.")
            return item
        raise AssertionError("the last attempt returns or raises")

    def _is_used_up(self, order: Order, item: Element) -> bool:
        """Whether the answer names an instance that a used token has made long ago and that is gone, or has another name by now."""
        if instances.state_of(item) in instances.DEAD:
            return True
        listed = instances.find(self._ec2, self._region, "instance-id", [instances.id_of(item)])
        if listed:
            renamed = "Name" in xmltree.tags(listed[0]) and not instances.named(listed, order.name)
            return renamed or not instances.living(listed)
        # not listed yet, or not any more
        launched = item.findtext("launchTime", "").replace("Z", "+00:00")
        return bool(launched) and time.time() - datetime.fromisoformat(launched).timestamp() > LISTED

    def _made_with(self, order: Order, token: str, dead: dict[str, str]) -> str | None:
        """The living instance that a request with the same token and other settings has made, by another run a moment ago;
        None when there is none. Adds what is dead or renamed."""
        for look in range(SHOWN):
            if look:
                self._run.patience.sleep(min(1.0, self._run.patience.remaining()))
            known = self._marked(order)
            alive = _living(order, known)
            if alive:
                return instances.id_of(alive[0])
            dead.update(_used(order, known))
            if token in dead:
                return None
        return None


def _living(order: Order, items: list[Element]) -> list[Element]:
    """The instances that are the order's node, the first made first."""
    return instances.living(instances.named(items, order.name))


def _used(order: Order, items: list[Element]) -> dict[str, str]:
    """Client token -> id of each instance that was made for the order and is not its node any more."""
    alive = {instances.id_of(item) for item in _living(order, items)}
    return {item.findtext("clientToken", ""): instances.id_of(item) for item in items if instances.id_of(item) not in alive}


def _explained(failure: FleetError) -> FleetError:
    """What is missing for a launch is a mistake of the order, not of the node."""
    if failure.code == "not_found":
        failure.code = "refused"
        failure.fix = "Correct the requirement; catalog_info lists what there is." if not failure.why.startswith("InvalidKeyPair") else (
            "Add the key with the module ssh_key first, or correct its name.")
    return failure
