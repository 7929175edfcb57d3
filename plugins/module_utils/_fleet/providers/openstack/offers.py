# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What one region offers: the requests behind ``catalog``, asked at the same time and only as far as wanted."""
from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from ...catalog import Catalog, CatalogFlavor, CatalogImage, CatalogNetwork, CatalogZone
from ...errors import FleetError
from ..base import together
from . import catalog
from .clouds_yaml import declarations
from .failures import ABSENT, bad_answer
from .networks import ROUTER_INTERFACES

if TYPE_CHECKING:
    from ...network_role import OperatorRoles
    from .region import Region

T = TypeVar("T")

PAGE = 1000
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Offers:
    """Reads the parts of one region's catalog."""

    def __init__(self, region: Region, roles: OperatorRoles) -> None:
        self._region = region
        self._roles = roles

    def read(self, parts: frozenset[str], image_names: Sequence[str]) -> Catalog:
        """The parts asked for. Raises FleetError when a service does not answer: unlike for an inventory, a catalog
        without what it was asked for is of no use."""
        none: list[Any] = []
        images, flavors, networks, zones = together(
            lambda: self.images(image_names) if "images" in parts else none,
            lambda: self.flavors() if "flavors" in parts else none,
            lambda: self.networks() if "networks" in parts else none,
            lambda: self.zones() if "zones" in parts else none,
        )
        return Catalog(tuple(images), tuple(flavors), tuple(networks), tuple(zones))

    def images(self, names: Sequence[str]) -> list[CatalogImage]:
        """Images listed to this project, also those that cannot be used now (deactivated, still uploading): who asks for one learns why.
        Those named by id are read also when they are not listed (community, hidden)."""
        rows = self.listing("image", "/images", "images", {"limit": PAGE})
        listed = {row.get("id") for row in rows}
        for name in names:
            if _UUID.fullmatch(name) and name not in listed:
                status, row = self._region.send("GET", "image", f"/images/{quote(name)}", what=f"read image {name}", ok=(403, 404))
                rows += [row] if status == 200 else []
        return _understood("list images", lambda: catalog.images(rows))

    def flavors(self) -> list[CatalogFlavor]:
        """Flavors this project may use."""
        rows = self.listing("compute", "/flavors/detail", "flavors", {"limit": PAGE})
        return _understood("list flavors", lambda: catalog.flavors(rows, volumes=self._region.has("block-storage")))

    def zones(self) -> list[CatalogZone]:
        """Availability zones for nodes."""
        body = self._region.get(
            "compute", "/os-availability-zone", what="list availability zones", expect="availabilityZoneInfo")
        rows = body["availabilityZoneInfo"]
        return _understood("list availability zones", lambda: catalog.zones(rows, self._region.name or None))

    def networks(self) -> list[CatalogNetwork]:
        """Networks that are visible, each with how a node on it is reached."""
        region = self._region
        declared = declarations(region.access.written_networks)
        topology = self.topology()
        project = region.access.project()[0]
        return _understood("list networks", lambda: catalog.networks(topology, project, declared, self._roles))

    def topology(self) -> catalog.Topology:
        """Neutron's networks, subnets and routers; empty for a cloud without Neutron."""
        if not self._region.has("network"):
            return catalog.Topology((), (), (), ())
        networks, subnets, routers, ports = together(
            lambda: self.listing("network", "/networks", "networks", {}),
            lambda: self.listing("network", "/subnets", "subnets", {}),
            lambda: self._unless_absent(lambda: self.listing("network", "/routers", "routers", {})),
            lambda: self._unless_absent(lambda: self.listing(
                "network", "/ports", "ports", {"device_owner": list(ROUTER_INTERFACES)})),
        )
        return catalog.Topology(networks, subnets, routers, ports)

    def listing(self, service: str, path: str, key: str, query: Mapping[str, Any]) -> list[dict[str, Any]]:
        """All records of a collection, to its last page."""
        return [row for page in self._region.pages(service, path, key, query, what=f"list {key}") for row in page]

    @staticmethod
    def _unless_absent(call: Callable[[], T]) -> T | None:
        """None where the cloud has no routers, or not for this project."""
        try:
            return call()
        except FleetError as failure:
            if failure.code in ABSENT:
                return None
            raise


def _understood(what: str, call: Callable[[], T]) -> T:
    try:
        return call()
    except (AttributeError, KeyError, TypeError, ValueError) as cause:
        raise bad_answer(what, f"an entry is malformed ({type(cause).__name__}: {cause})") from cause
