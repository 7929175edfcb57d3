# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One emulated cloud, and one request to it, as the handlers of the methods see them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

from . import catalog
from .addressing import EXTERNAL_IPV4, AddressPlan
from .discovery import Discovery, Method
from .errors import ApiError, Json
from .faults import Faults
from .operations import Effect, Operations
from .paging import Pages
from .principals import Principals
from .store import Store

Ref = tuple[str, str]  # scope ("zones/z"), path


class World:
    """Everything one emulator holds."""

    def __init__(
        self, discovery: Discovery, base_url: str, delay: float, external_ipv4: tuple[str, ...] = EXTERNAL_IPV4
    ) -> None:
        """:param delay: seconds an operation takes."""
        self.discovery = discovery
        self.base_url = base_url
        self.store = Store()
        self.operations = Operations(self.store, delay)
        self.addresses = AddressPlan(external_ipv4)
        self.pages: Pages[Ref] = Pages()
        self.faults = Faults()
        self.principals = Principals(base_url)
        self.consoles: dict[str, str] = {}  # path of an instance -> what its serial port printed
        self.guest_attributes: dict[str, dict[str, str]] = {}  # path of an instance -> namespace/key -> value
        self.hosts: dict[str, str] = {}  # service project -> host project of its Shared VPC
        self.restarts: dict[str, float] = {}  # id of an instance -> when it was last started again or reset
        with self.store.lock:
            catalog.add_public_images(self.store)


@dataclasses.dataclass
class Call:
    """One request whose caller may make it; parameters and body have been checked."""

    world: World
    method: Method
    params: dict[str, Any]
    body: Json
    user: str
    failure: ApiError | None = None  # with which the operation of this call ends, when the lab says so

    @property
    def project(self) -> str:
        return str(self.params["project"])

    @property
    def target(self) -> str:
        """The path of the resource the method is about: its own path without a trailing verb (.../web-1/stop)."""
        filled = self.method.path
        for name, value in self.params.items():
            filled = filled.replace("{" + name + "}", str(value))
        last = self.method.path.rpartition("/")[2]
        names_a_verb = not last.startswith("{") and self.method.verb not in ("list", "insert", "aggregatedList")
        return filled.rpartition("/")[0] if names_a_verb else filled

    def begin(self, target: str, effect: Effect, verb: str = "", undo: Effect = lambda: None) -> Json:
        """Start an operation of this request.

        :param undo: puts back what was changed at once, for an operation that fails on demand.
        """
        if self.failure is not None:
            effect = functools.partial(self._fail, self.failure, target, undo)
        return self.world.operations.begin(
            verb or self.method.verb, target, self.user, effect, self.params.get("requestId")
        )

    def _fail(self, failure: ApiError, target: str, undo: Effect) -> None:
        undo()
        self.world.store.release(target)
        raise failure


Handler = Callable[[Call], Json]
