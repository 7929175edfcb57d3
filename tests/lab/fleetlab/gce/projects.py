# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Projects: made through the lab's control calls, read and given common metadata through the API."""

from __future__ import annotations

from . import catalog, marks
from .errors import ApiError, Json
from .network import add_default_network
from .store import Store, link
from .world import Call, Handler, World

_FIRST_NUMBER = 415_104_041_000  # project numbers have twelve digits


def create(world: World, project: str) -> Json:
    """A project with its regions, zones, machine types and default network; an existing one is returned as it is.

    The caller holds the store's lock.
    """
    path = f"projects/{project}"
    known = world.store.find(path)
    if known is not None:
        return known
    number = str(_FIRST_NUMBER + len(list(world.store.children("projects"))))
    resource = world.store.add(
        path,
        "compute#project",
        {
            "name": project,
            "id": number,
            "commonInstanceMetadata": marks.metadata(None),
            "defaultNetworkTier": "PREMIUM",
            "defaultServiceAccount": f"{number}-compute@developer.gserviceaccount.com",
            "xpnProjectStatus": "UNSPECIFIED_XPN_PROJECT_STATUS",
        },
    )
    catalog.add_places(world.store, project)
    add_default_network(world, project)
    return resource


def name(store: Store, reference: str) -> str:
    """The project id of an id or number.

    :raises ApiError: 404.
    """
    found = store.find(f"projects/{reference}")
    if found is None:
        raise ApiError(404, "notFound", f"The resource 'projects/{reference}' was not found")
    return str(found["name"])


def set_common_metadata(call: Call) -> Json:
    store, path = call.world.store, f"projects/{call.project}"
    project = store.get(path)
    wanted = marks.metadata(call.body, "resource")
    wanted["fingerprint"] = store.accept(
        path, "metadata", project["commonInstanceMetadata"]["fingerprint"], call.body.get("fingerprint")
    )

    def effect() -> None:
        project["commonInstanceMetadata"] = wanted
        for zone in catalog.ZONES:
            for instance in store.children(f"{path}/zones/{zone}/instances"):
                store.announce("metadata", instance["selfLink"].removeprefix(link("")), instance)

    return call.begin(path, effect)


def wait(call: Call) -> Json:
    """wait of zone, region and global operations."""
    return call.world.operations.wait(call.target)


HANDLERS: dict[str, Handler] = {
    "projects.setCommonInstanceMetadata": set_common_metadata,
    "zoneOperations.wait": wait,
    "regionOperations.wait": wait,
    "globalOperations.wait": wait,
}
