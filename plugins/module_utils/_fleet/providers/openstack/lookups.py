# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a server record only refers to: networks, ports, images, flavors, volumes. Asked for once per region and only
as far as the servers listed need it.

A service that the cloud does not have, or not for these credentials (404, 403), leaves facts out, with a note. One that
fails otherwise, after all retries, is an error: answers must not differ from run to run without anybody being told.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from ...errors import FleetError
from ..base import together
from .clouds_yaml import Declared
from .failures import ABSENT, bad_answer
from .images import ImageBook
from .networks import ROUTER_INTERFACES, Networks, build

if TYPE_CHECKING:
    from .region import Region

T = TypeVar("T")
Record = Mapping[str, Any]
Note = Callable[[str], None]

FEW = 5  # images asked for one by one; a list of all may hold thousands
MISSING = 20  # images asked for one by one because the list lacks them (community, hidden, deleted)
SERVERS_PER_REQUEST = 100  # ids in one query; some proxies refuse addresses beyond 8 KiB
PAGE = 1000


def read_networks(region: Region, declared: Mapping[str, Declared], note: Note) -> Networks:
    """The region's networks as Neutron tells them; none, with a note, where it does not."""
    blank = Networks([], declared, told=False)
    if not region.has("network"):
        note("no network service: roles rest on the class of an address and, last, on the name of its network")
        return blank
    networks, subnets, router_ports = together(
        lambda: _list_networks(region, "networks", {"fields": ["id", "name", "router:external", "mtu"]}, note),
        lambda: _list_networks(region, "subnets", {"fields": ["network_id", "cidr"]}, note),
        lambda: _list_networks(
            region, "ports", {"device_owner": list(ROUTER_INTERFACES), "fields": ["device_id", "network_id"]}, note),
    )
    if networks is None:
        return blank
    try:
        return build(networks, subnets or (), router_ports or (), declared)
    except (AttributeError, KeyError, TypeError, ValueError) as cause:
        raise bad_answer("list networks", f"an entry is malformed ({type(cause).__name__}: {cause})") from cause


class Lookups:
    """Fills images, flavors and networks for one page of servers after the other."""

    def __init__(self, region: Region, networks: Networks, note: Note, *, all_projects: bool) -> None:
        self.images = ImageBook()
        self.flavors: dict[str, str] = {}
        self._region = region
        self._networks = networks
        self._note = note
        self._all_projects = all_projects
        self._images_seen: set[str] = set()
        self._images_asked = 0
        self._images_listed = self._flavors_listed = self._volumes_listed = False

    def prepare(self, page: Sequence[Record]) -> None:
        """Ask for everything these servers refer to and that is not known yet, all at the same time."""
        try:
            calls = self._calls_for(page)
        except (AttributeError, KeyError, TypeError, ValueError) as cause:
            raise bad_answer("list servers", f"a server is malformed ({type(cause).__name__}: {cause})") from cause
        if calls:
            together(*calls)

    def _calls_for(self, page: Sequence[Record]) -> list[Callable[[], None]]:
        calls: list[Callable[[], None]] = []
        images = {server["image"]["id"] for server in page if server.get("image")} - self._images_seen
        if images:
            self._images_seen |= images
            calls.append(lambda: self._read_images(images))
        if not self._volumes_listed and any(not server.get("image") for server in page):
            self._volumes_listed = True
            calls.append(self._read_volumes)
        if not self._flavors_listed and any("original_name" not in (server.get("flavor") or {}) for server in page):
            self._flavors_listed = True
            calls.append(self._read_flavors)
        unclear = [server["id"] for server in page if self._networks.unclear(server.get("addresses") or {})]
        if unclear:
            calls.append(lambda: self._read_ports(unclear))
        return calls

    def _read_images(self, ids: set[str]) -> None:
        region = self._region
        if not region.has("image"):
            self._note("no image service: names of images stay unknown")
            return
        if not self._images_listed and self._images_asked + len(ids) > FEW:
            self._images_listed = True
            listed = _unless_absent(
                "image", lambda: _all(region, "image", "/images", "images", {"limit": PAGE}), self._note)
            self._add_images(listed or ())  # all of them: later pages of servers may need others
        missing = sorted(image for image in ids if not self.images.has(image))
        asked = missing[:max(0, MISSING - self._images_asked)]
        self._images_asked += len(asked)
        for start in range(0, len(asked), FEW):
            together(*[lambda image=image: self._read_image(image) for image in asked[start:start + FEW]])
        if len(asked) < len(missing):
            self._note(f"{len(missing) - len(asked)} images are neither listed nor few: their names stay unknown")

    def _read_image(self, image: str) -> None:
        """Ask for one image; deleted ones and those of others answer 404 or 403."""
        path = f"/images/{quote(image, safe='')}"
        record = _unless_absent(
            "image", lambda: self._region.get("image", path, what=f"read image {image}"), self._note)
        if record:
            self._add_images([record])

    def _add_images(self, records: Sequence[Record]) -> None:
        try:
            self.images.add_images(records)
        except (AttributeError, KeyError, TypeError) as cause:
            raise bad_answer("list images", f"an entry is malformed ({type(cause).__name__}: {cause})") from cause

    def _read_volumes(self) -> None:
        """Servers that boot from a volume have no image; Cinder remembers the one the volume was made from."""
        region = self._region
        if not region.has("block-storage"):
            self._note("no block storage service: images of servers that boot from a volume stay unknown")
            return
        query = {"limit": PAGE, **({"all_tenants": 1} if self._all_projects else {})}
        volumes = _unless_absent(
            "block-storage", lambda: _all(region, "block-storage", "/volumes/detail", "volumes", query), self._note)
        try:
            self.images.add_volumes(volumes or ())
        except (AttributeError, KeyError, TypeError) as cause:
            raise bad_answer("list volumes", f"an entry is malformed ({type(cause).__name__}: {cause})") from cause

    def _read_flavors(self) -> None:
        """Names by id, for a compute API that does not put them into the server; private ones need is_public=None."""
        query = {"is_public": "None"}
        flavors = _unless_absent(
            "compute", lambda: _all(self._region, "compute", "/flavors/detail", "flavors", query), self._note)
        for flavor in flavors or ():
            if flavor.get("name"):
                self.flavors[str(flavor.get("id"))] = str(flavor["name"])

    def _read_ports(self, servers: Sequence[str]) -> None:
        """Which network each address is on, for servers on networks that share a name or were renamed."""
        for start in range(0, len(servers), SERVERS_PER_REQUEST):
            query = {
                "device_id": servers[start:start + SERVERS_PER_REQUEST],
                "fields": ["mac_address", "network_id", "fixed_ips"],
            }
            ports = _list_networks(self._region, "ports", query, self._note)
            try:
                self._networks.learn_ports(ports or ())
            except (AttributeError, KeyError, TypeError) as cause:
                raise bad_answer("list ports", f"an entry is malformed ({type(cause).__name__}: {cause})") from cause


def _list_networks(region: Region, key: str, query: Mapping[str, Any], note: Note) -> list[dict[str, Any]] | None:
    return _unless_absent("network", lambda: _all(region, "network", f"/{key}", key, query), note)


def _all(region: Region, service: str, path: str, key: str, query: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [item for page in region.pages(service, path, key, query, what=f"list {key}") for item in page]


def _unless_absent(service: str, call: Callable[[], T], note: Note) -> T | None:
    """What call returns; None, with a note, when the cloud has no such thing for these credentials."""
    try:
        return call()
    except FleetError as failure:
        if failure.code in ABSENT:
            note(f"{failure.what}: {failure.why}; what depends on it stays unknown")
            return None
        if service != "compute" and failure.code != "auth":
            flag = f"has_{service.replace('-', '_')}: false"
            failure.fix += f" If this cloud has no working {service} service, set {flag} for it in clouds.yaml."
        raise
