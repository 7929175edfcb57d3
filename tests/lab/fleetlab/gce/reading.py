# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""get, list and aggregatedList of every collection, derived from the discovery document."""

from __future__ import annotations

from typing import Any

from . import filters
from .errors import Json, invalid, unavailable
from .store import link, scope_of
from .world import Call, Ref

# collections whose aggregated list spans more scopes than the path of their list method tells
_ALL_SCOPES = ("operations",)


def get(call: Call) -> Json:
    _refuse_unreachable(call)
    return call.world.store.get(call.target)


def list_page(call: Call) -> Json:
    """One page of a collection."""
    _refuse_unreachable(call)
    collection = call.target
    refs, token = _page(call, lambda: [(scope_of(collection + "/"), collection)])
    store = call.world.store
    items = [found for _scope, path in refs if (found := store.find(path)) is not None]
    return _envelope(call, collection, {"items": items} if items else {}, token)


def aggregated_page(call: Call) -> Json:
    """One page over all scopes; scopes with nothing on it, and those out of reach, carry a warning."""
    store, name = call.world.store, call.target.rpartition("/")[2]
    scopes = _scopes(call, name)
    lost = [scope for scope in scopes if call.world.faults.is_unreachable(scope)]
    if lost and not call.params.get("returnPartialSuccess") and call.world.faults.partial_needs_flag:
        raise unavailable(
            f"The scopes {', '.join(lost)} could not be reached. Set returnPartialSuccess to get the others."
        )
    refs, token = _page(
        call, lambda: [(scope, f"projects/{call.project}/{scope}/{name}") for scope in scopes if scope not in lost]
    )
    property_name, _schema = call.world.discovery.list_item(call.method)
    found: dict[str, Json] = {}
    for scope, path in refs:
        resource = store.find(path)
        if resource is not None:
            found.setdefault(scope, {property_name: []})[property_name].append(resource)
    items = {scope: found.get(scope) or _warning(scope, scope in lost) for scope in scopes}
    extra: Json = {"items": items}
    if lost:
        extra["unreachables"] = [link(f"projects/{call.project}/{scope}") for scope in lost]
    return _envelope(call, f"projects/{call.project}/aggregated/{name}", extra, token)


def _page(call: Call, collections: Any) -> tuple[list[Ref], str]:
    """The wanted page as (scope, path of a resource), in Google's order: scope by scope, by name or newest first."""
    order = call.params.get("orderBy") or "name"
    if order not in ("name", "creationTimestamp desc"):
        raise invalid("orderBy", order, "Only name and creationTimestamp desc are supported.")
    _property, schema = call.world.discovery.list_item(call.method)
    text = call.params.get("filter") or ""
    passes = filters.parse(text, filters.field_checker(schema, call.world.discovery.checker))
    key, newest_first = ("name", False) if order == "name" else ("creationTimestamp", True)

    def snapshot() -> list[Ref]:
        return [
            (scope, f"{collection}/{resource['name']}")
            for scope, collection in collections()
            for resource in sorted(
                call.world.store.children(collection),
                reverse=newest_first,
                key=lambda resource: str(resource.get(key) or resource.get("insertTime")),
            )
            if passes(resource)
        ]

    query = (call.method.id, call.target, text, order)
    refs, token = call.world.pages.page(
        query, call.params.get("pageToken") or "", call.params.get("maxResults"), snapshot
    )
    return list(refs), token


def _scopes(call: Call, collection: str) -> list[str]:
    """All scopes an aggregated list goes through, sorted as Google sorts them: global, regions, zones."""
    store, base = call.world.store, f"projects/{call.project}"
    zones = sorted(f"zones/{zone['name']}" for zone in store.children(f"{base}/zones"))
    regions = sorted(f"regions/{region['name']}" for region in store.children(f"{base}/regions"))
    if call.params.get("includeAllScopes") or collection in _ALL_SCOPES:
        return ["global", *regions, *zones]
    list_path = call.world.discovery.methods[f"{call.method.resource}.list"].path
    return zones if "{zone}" in list_path else ["global", *regions] if collection == "addresses" else regions


def _warning(scope: str, lost: bool) -> Json:
    code, message = (
        ("UNREACHABLE", f"The scope '{scope}' is unreachable.")
        if lost
        else ("NO_RESULTS_ON_PAGE", f"There are no results for scope '{scope}' on this page.")
    )
    return {"warning": {"code": code, "message": message, "data": [{"key": "scope", "value": scope}]}}


def _envelope(call: Call, path: str, content: Json, token: str) -> Json:
    answer = {
        "kind": call.world.discovery.kind(call.method.response or ""),
        "id": path,
        **content,
        "selfLink": link(path),
    }
    return answer | {"nextPageToken": token} if token else answer


def _refuse_unreachable(call: Call) -> None:
    zone = call.params.get("zone")
    if zone and call.world.faults.is_unreachable(f"zones/{zone}"):
        raise unavailable(f"Zone '{zone}' is currently unavailable.")
