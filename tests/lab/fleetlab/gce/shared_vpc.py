# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Shared VPC: a host project whose subnetworks the instances of its service projects may use.

A project that was never made a host is open, as far as the caller's roles go: its networks serve any project's instances.
"""

from __future__ import annotations

from . import filters
from .errors import ApiError, Json, forbidden, invalid
from .store import link
from .world import Call, Handler, Ref

_HOST, _PLAIN = "HOST", "UNSPECIFIED_XPN_PROJECT_STATUS"
USERS = ("networkUser", "admin")  # roles that may use the subnetworks of a project
_SHOWN = (
    "network",
    "ipCidrRange",
    "purpose",
    "role",
    "stackType",
    "ipv6AccessType",
    "externalIpv6Prefix",
    "internalIpv6Prefix",
)


def enable_host(call: Call) -> Json:
    return _mark(call, _HOST)


def disable_host(call: Call) -> Json:
    if call.project in call.world.hosts.values():
        raise ApiError(
            400, "resourceInUseByAnotherResource", f"The project '{call.project}' still has service projects."
        )
    return _mark(call, _PLAIN)


def _mark(call: Call, status: str) -> Json:
    project = call.world.store.get(f"projects/{call.project}")
    return call.begin(f"projects/{call.project}", lambda: project.update(xpnProjectStatus=status))


def enable_resource(call: Call) -> Json:
    """Attach a service project."""
    if not _is_host(call, call.project):
        raise invalid("project", call.project, "It is no Shared VPC host project.")
    service = _service(call)
    if call.world.hosts.get(service, call.project) != call.project:
        raise invalid("xpnResource.id", service, "It is attached to another host project.")
    return call.begin(f"projects/{call.project}", lambda: call.world.hosts.update({service: call.project}))


def disable_resource(call: Call) -> Json:
    service = _service(call)
    return call.begin(f"projects/{call.project}", lambda: call.world.hosts.pop(service, None))


def _service(call: Call) -> str:
    named = (call.body.get("xpnResource") or {}).get("id") or ""
    found = call.world.store.find(f"projects/{named}")
    if not named or found is None:
        raise invalid("xpnResource.id", named, "The project is not there.")
    return str(found["name"])


def get_host(call: Call) -> Json:
    """The host project of a service project; an empty project when there is none."""
    host = call.world.hosts.get(call.project)
    return call.world.store.get(f"projects/{host}") if host else {"kind": "compute#project"}


def get_resources(call: Call) -> Json:
    found = [{"id": service, "type": "PROJECT"} for service, host in sorted(call.world.hosts.items()) if host == call.project]
    answer: Json = {"kind": "compute#projectsGetXpnResources"}
    return answer | {"resources": found} if found else answer


def list_usable(call: Call) -> Json:
    """The subnetworks of a project that the caller may use, one list over all regions."""
    world, store = call.world, call.world.store
    service = call.params.get("serviceProject") or ""
    text = call.params.get("filter") or ""
    _property, schema = world.discovery.list_item(call.method)
    passes = filters.parse(text, filters.field_checker(schema, world.discovery.checker))

    def snapshot() -> list[Ref]:
        if _role(call, call.project) not in USERS:
            return []
        if service and service != call.project and world.hosts.get(service) != call.project:
            return []
        regions = sorted(region["name"] for region in store.children(f"projects/{call.project}/regions"))
        return [
            (f"regions/{region}", f"projects/{call.project}/regions/{region}/subnetworks/{row['name']}")
            for region in regions
            for row in sorted(
                store.children(f"projects/{call.project}/regions/{region}/subnetworks"), key=lambda row: str(row["name"])
            )
            if passes(_usable(row))
        ]

    query = (call.method.id, call.project, service, text)
    refs, token = world.pages.page(query, call.params.get("pageToken") or "", call.params.get("maxResults"), snapshot)
    items = [_usable(row) for _scope, path in refs if (row := store.find(path)) is not None]
    path = f"projects/{call.project}/aggregated/subnetworks/listUsable"
    answer: Json = {"kind": "compute#usableSubnetworksAggregatedList", "id": path, "selfLink": link(path)}
    return answer | ({"items": items} if items else {}) | ({"nextPageToken": token} if token else {})


def _usable(row: Json) -> Json:
    return {"subnetwork": row["selfLink"], **{key: row[key] for key in _SHOWN if key in row}}


def check_use(call: Call, path: str) -> None:
    """Whether an instance of the call's project may be attached to a subnetwork.

    :param path: of the subnetwork, or of its network.
    :raises ApiError: 403 without the role, 400 when the projects are not connected.
    """
    owner = path.split("/")[1]
    if owner == call.project or not _is_host(call, owner):
        return
    if _role(call, owner) not in USERS:
        raise forbidden("compute.subnetworks.use", path)
    if call.world.hosts.get(call.project) != owner:
        raise invalid(
            "resource.networkInterfaces.subnetwork", path, "Cross-project references for this resource are not allowed."
        )


def _is_host(call: Call, project: str) -> bool:
    found = call.world.store.find(f"projects/{project}")
    return bool(found and found.get("xpnProjectStatus") == _HOST)


def _role(call: Call, project: str) -> str:
    caller = call.world.principals.find(call.user)
    return caller.grants.get(project, "") if caller else ""


HANDLERS: dict[str, Handler] = {
    "projects.enableXpnHost": enable_host,
    "projects.disableXpnHost": disable_host,
    "projects.enableXpnResource": enable_resource,
    "projects.disableXpnResource": disable_resource,
    "projects.getXpnHost": get_host,
    "projects.getXpnResources": get_resources,
    "subnetworks.listUsable": list_usable,
}
