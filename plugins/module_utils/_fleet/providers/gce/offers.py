# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asks a project what it offers: images, machine types, subnetworks, zones."""
from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ...catalog import Catalog, CatalogFlavor, CatalogImage, CatalogNetwork, CatalogZone
from ...errors import FleetError
from ...network_role import OperatorRoles
from ..base import Run, together
from . import api, catalog, subnetworks
from .calls import Calls
from .lists import WITHHELD, Rows
from .shared_vpc import SharedVpc

ZONE_CHAINS = 8  # zones whose machine types are read at the same time

_SIZE = str(api.PAGE_SIZE)
_IMAGES = (
    "name,family,architecture,creationTimestamp,diskSizeGb,status,deprecated(state,replacement),licenses,guestOsFeatures/type")
_TYPES = "name,zone,guestCpus,memoryMb,architecture,deprecated/state"
_SUBNETWORKS = (
    "selfLink,network,ipCidrRange,stackType,ipv6AccessType,externalIpv6Prefix,internalIpv6Prefix,ipv6CidrRange,"
    "purpose,state")


def _plain_query(fields: str) -> dict[str, str]:
    return {"maxResults": _SIZE, "fields": f"kind,id,nextPageToken,warning,items({fields})"}


class Offers:
    """What one project offers. Zones are asked for once."""

    def __init__(self, calls: Calls, shared: SharedVpc, run: Run, only_zones: Sequence[str], roles: OperatorRoles) -> None:
        self._lists = calls.lists
        self._shared = shared
        self._run = run
        self._project = calls.project
        self._only = tuple(dict.fromkeys(only_zones))
        self._roles = roles
        self._lock = threading.Lock()
        self._zones: list[CatalogZone] | None = None

    def catalog(self, parts: frozenset[str], words: Sequence[str]) -> Catalog:
        asked: dict[str, Callable[[], Any]] = {
            "images": functools.partial(self._images, words), "flavors": self._flavors, "networks": self._networks,
            "zones": self.zones}
        wanted = [part for part in asked if part in parts]
        answers = together(*(asked[part] for part in wanted)) if wanted else []
        return Catalog(**{part: tuple(answer) for part, answer in zip(wanted, answers, strict=True)})

    def zones(self) -> list[CatalogZone]:
        """The zones of the project; with ``zones`` in the fleet file only those."""
        with self._lock:
            if self._zones is None:
                what = f"list zones of project {self._project}"
                rows = self._list(what, self._project, "zones", "name,region,status", "compute#zoneList")
                with _well_formed(what):
                    self._zones = catalog.zones(rows, self._only)
            return self._zones

    def usable_zones(self) -> list[CatalogZone]:
        return [zone for zone in self.zones() if zone.usable]

    # -- parts -------------------------------------------------------------------------------------------------
    def _images(self, words: Sequence[str]) -> list[CatalogImage]:
        projects = catalog.image_projects(self._project, words)
        answers = together(*(functools.partial(self._images_of, project) for project in projects))
        with _well_formed("list images"):
            return [image for project, rows in zip(projects, answers, strict=True)
                    for image in catalog.images(rows, project, self._project, words)]

    def _images_of(self, project: str) -> Rows:
        what = f"list images of project {project}"
        try:
            return self._list(what, project, "global/images", _IMAGES, "compute#imageList")
        except FleetError as failure:
            # a public project may be closed to us (an organisation's trusted image projects) or to come
            if project == self._project or failure.code not in WITHHELD:
                raise
            self._run.note(f"no images of project {project}: {failure.why}")
            return []

    def _flavors(self) -> list[CatalogFlavor]:
        """By zone, not aggregated: that is one list of a hundred pages at Google, one after the other."""
        zones = [zone.name for zone in self.usable_zones()]

        def chain(mine: Sequence[str]) -> Rows:
            rows: Rows = []
            for zone in mine:
                what = f"list machine types of project {self._project}, zone {zone}"
                rows += self._list(what, self._project, f"zones/{zone}/machineTypes", _TYPES, "compute#machineTypeList")
            return rows

        chains = [zones[start::ZONE_CHAINS] for start in range(min(ZONE_CHAINS, len(zones)))]
        answers = together(*(functools.partial(chain, mine) for mine in chains)) if chains else []
        with _well_formed("list machine types"):
            return catalog.flavors(row for rows in answers for row in rows)

    def _networks(self) -> list[CatalogNetwork]:
        what = f"list networks of project {self._project}"
        own, shared, whole, zones = together(self._subnetworks, self._shared.subnetworks, self._whole_networks, self.usable_zones)
        home = catalog.home_region(zones, self._run.environ, self._only)
        place = subnetworks.Place(self._project, zones, home, narrowed=bool(self._only))
        with _well_formed(what):
            return subnetworks.networks([*own, *shared], place, self._roles, whole)

    def _subnetworks(self) -> Rows:
        what = f"list subnetworks of project {self._project}"
        query = {"maxResults": _SIZE, "fields": f"kind,id,nextPageToken,warning,unreachables,items/*/warning,items/*/subnetworks({_SUBNETWORKS})"}
        return self._lists.rows(what, self._project, "aggregated/subnetworks", query, _subnetwork_page)

    def _whole_networks(self) -> Rows:
        """The networks themselves: there may be some of the oldest kind, which have no subnetworks."""
        return self._list(f"list networks of project {self._project}", self._project, "global/networks", "name,selfLink,IPv4Range",
                          "compute#networkList")

    def _list(self, what: str, project: str, path: str, fields: str, kind: str) -> Rows:
        return self._lists.rows(what, project, path, _plain_query(fields), functools.partial(_page_of, kind))


def _page_of(kind: str, what: str, answer: Mapping[str, Any]) -> api.Page:
    return api.plain(what, answer, kind)


def _subnetwork_page(what: str, answer: Mapping[str, Any]) -> api.Page:
    return api.aggregated(what, answer, "compute#subnetworkAggregatedList", "subnetworks")


@contextlib.contextmanager
def _well_formed(what: str) -> Iterator[None]:
    """Turns what reading a malformed resource raises into a FleetError."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError) as surprise:
        detail = f"a resource that is not as the API describes it ({type(surprise).__name__}: {surprise})"
        raise api.bad_answer(what, detail, transient=False) from surprise
