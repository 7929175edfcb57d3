# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a region offers: the requests behind the catalog, made at the same time."""
from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element

from ...catalog import Catalog, CatalogImage, CatalogNetwork
from ...errors import FleetError
from ..base import Run, together
from . import catalog, image_search, offered_networks
from .network import Networks
from .operations import IMAGES, ROUTE_TABLES, SUBNETS, TYPES, ZONES, Operation

if TYPE_CHECKING:
    from ...network_role import OperatorRoles
    from .client import Ec2
    from .regions import Regions

TYPES_PAGE = 100  # the most that DescribeInstanceTypes gives
PAGE = 1000


class Offers:
    """What nodes can be made from in one region."""

    def __init__(self, ec2: Ec2, region: str, run: Run, roles: OperatorRoles, regions: Regions) -> None:
        self._ec2 = ec2
        self._region = region
        self._run = run
        self._roles = roles
        self._regions = regions

    def read(self, parts: frozenset[str], words: Sequence[str]) -> Catalog:
        """The parts asked for. Raises FleetError, also for a region that is not enabled."""
        if not self._ec2.is_known(self._region):
            self._regions.check(self._region)
        wanted: dict[str, Callable[[], Any]] = {
            "images": lambda: tuple(self._images(words)),
            "flavors": lambda: tuple(catalog.flavors(self._items(TYPES, {"MaxResults": TYPES_PAGE}))),
            "networks": lambda: tuple(self._networks()),
            "zones": lambda: tuple(catalog.zones(self._items(ZONES, {}), self._region)),
        }
        asked = [part for part in wanted if part in parts]
        try:
            answers = together(*(wanted[part] for part in asked)) if asked else []
        except FleetError as failure:
            raise self._regions.explain(self._region, failure) from None
        return Catalog(**dict(zip(asked, answers, strict=True)))

    def _items(self, operation: Operation, parameters: Mapping[str, Any]) -> list[Element]:
        return self._ec2.items(self._region, operation, parameters)

    def _images(self, words: Sequence[str]) -> list[CatalogImage]:
        questions = image_search.questions(words)
        answers = together(*(functools.partial(self._items, IMAGES, question) for question in questions))
        return image_search.newest(catalog.images(item for answer in answers for item in answer), words)

    def _networks(self) -> list[CatalogNetwork]:
        subnets, tables = together(lambda: self._items(SUBNETS, {"MaxResults": PAGE}), self._tables)
        return offered_networks.networks(Networks(subnets, tables), self._roles)

    def _tables(self) -> list[Element] | None:
        try:
            return self._items(ROUTE_TABLES, {})
        except FleetError as failure:
            if failure.code not in ("denied", "unsupported"):
                raise
            self._run.warn(f"{ROUTE_TABLES.what} in region {self._region}: {failure.why.rstrip('.')}. Without it, whether the internet reaches a "
                           f"subnet is not known. Allow ec2:{ROUTE_TABLES.name} in the IAM policy of these credentials.")
            return None
