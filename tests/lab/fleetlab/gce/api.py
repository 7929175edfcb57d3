# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One request to the compute API: from the HTTP request to Google's answer, every step in Google's order."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from . import creation, fields, instances, marks, network, projects, reading, shared_vpc, storage
from .catalog import PUBLIC_IMAGES, REGIONS, ZONES
from .discovery import Discovery, Method
from .errors import ApiError, Json, forbidden, invalid, missing_scope
from .principals import Principal
from .wire import Request, Response, error_response, json_response
from .world import Call, Handler, World

# collections read straight from the store; what they answer for get, list and aggregatedList follows from the document
_READABLE = (
    "zones",
    "regions",
    "machineTypes",
    "images",
    "licenses",
    "networks",
    "subnetworks",
    "addresses",
    "disks",
    "firewalls",
    "projects",
    "instances",
    "zoneOperations",
    "regionOperations",
    "globalOperations",
)
_READERS: dict[str, Handler] = {
    "get": reading.get,
    "list": reading.list_page,
    "aggregatedList": reading.aggregated_page,
}


def handlers(discovery: Discovery) -> dict[str, Handler]:
    """Every method the emulator serves.

    :raises LookupError: when one of them is not in the document (a newer document dropped it, or a name is misspelt).
    """
    served: dict[str, Handler] = {
        f"{collection}.{verb}": reader
        for collection in _READABLE
        for verb, reader in _READERS.items()
        if f"{collection}.{verb}" in discovery.methods
    }
    for module in (network, storage, creation, instances, marks, projects, shared_vpc):
        served |= module.HANDLERS
    unknown = sorted(set(served) - set(discovery.methods))
    if unknown:
        raise LookupError(f"not in the discovery document: {', '.join(unknown)}")
    return served


class ComputeApi:
    """Answers requests below /compute/v1/."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._handlers = handlers(world.discovery)

    def answer(self, request: Request, path: str) -> Response:
        """:raises DroppedError: when a fault says that no answer is sent."""
        try:
            method, path_values = self._world.discovery.match(request.http, path)
            request.method = method.id
            last_values = {name: values[-1] for name, values in request.query.items()}
            fault = self._world.faults.take(method.id, {**last_values, **path_values})
            if fault is not None and not fault.late and not fault.operation:
                injected = request.suffer(fault)
                if injected is not None:
                    return injected
            text = self._perform(request, method, path_values, fault.error() if fault and fault.operation else None)
            if fault is not None and fault.late:
                injected = request.suffer(fault)
                if injected is not None:
                    return injected
        except ApiError as failure:
            return error_response(failure)
        return json_response(200, text)

    def _perform(
        self, request: Request, method: Method, path_values: Mapping[str, str], failure: ApiError | None = None
    ) -> str:
        """The JSON text of the answer, made while nothing else changes the world.

        :param failure: with which the operation is to end.
        """
        world = self._world
        access = world.principals.authenticate(request.headers.get("Authorization"))
        request.user = access.principal.email
        if method.scopes and not access.scopes & method.scopes:
            raise missing_scope(method.id)
        params = world.discovery.parameters(method, path_values, request.query)
        with world.store.lock:
            params["project"] = projects.name(world.store, params["project"])
            self._allow(access.principal, method, params)
            body = _body(request)
            if method.request is not None:
                world.discovery.checker.require_request(body, method.request, f"compute.{method.id}")
            handler = self._handlers.get(method.id)
            if handler is None:
                raise _not_served(method)
            _check_place(method, params)
            call = Call(world, method, params, _without_nulls(body), access.principal.email, failure)
            repeated = world.operations.repeated(call.project, params.get("requestId"))
            answer = repeated or handler(call)
            self._check(method, answer)
            return json.dumps(self._masked(method, params, answer))

    def _allow(self, principal: Principal, method: Method, params: Mapping[str, Any]) -> None:
        """:raises ApiError: 403."""
        project = params["project"]
        if project in PUBLIC_IMAGES and method.only_reads:
            return
        if method.id == "subnetworks.listUsable" and principal.grants.get(project) in shared_vpc.USERS:
            return
        if not principal.may(project, method.only_reads):
            verb = {"insert": "create", "aggregatedList": "list", "wait": "get"}.get(method.verb, method.verb)
            place = f"projects/{project}" + (
                f"/zones/{params['zone']}" if "zone" in params and not method.only_reads else ""
            )
            raise forbidden(f"compute.{method.resource}.{verb}", place)

    def _check(self, method: Method, answer: Json) -> None:
        """A wrong answer is a fault of the emulator and must be seen.

        :raises ApiError: 500.
        """
        problems = self._world.discovery.checker.answer_problems(answer, method.response or "")
        if problems:
            text = "; ".join(str(problem) for problem in problems[:5])
            print(f"gce: BROKEN ANSWER of {method.id}: {text}", file=sys.stderr, flush=True)
            raise ApiError(500, "internalError", f"The emulator broke the schema of {method.id}: {text}")

    def _masked(self, method: Method, params: Mapping[str, Any], answer: Json) -> Any:
        text = params.get("fields")
        if not text:
            return answer
        mask = fields.parse(text)
        fields.check(mask, {"$ref": method.response}, self._world.discovery.checker)
        return fields.apply(mask, answer)


def _check_place(method: Method, params: Mapping[str, Any]) -> None:
    """Unknown zones and regions: 404 for the resource itself, 400 for anything in it."""
    zone, region = params.get("zone"), params.get("region")
    if method.resource != "zones" and zone not in (None, "-") and zone not in ZONES:
        raise invalid("zone", zone, "Unknown zone.")
    if method.resource != "regions" and region is not None and region not in REGIONS:
        raise invalid("region", region, "Unknown region.")


def _body(request: Request) -> Json:
    if not request.body:
        return {}
    try:
        value = json.loads(request.body)
    except ValueError:
        raise ApiError(400, "parseError", "Parse Error") from None
    if not isinstance(value, dict):
        raise ApiError(400, "parseError", "Parse Error")
    return value


def _without_nulls(value: Any) -> Any:
    """null in a request means 'not set'."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _not_served(method: Method) -> ApiError:
    print(f"gce: not served: {method.id}", file=sys.stderr, flush=True)
    return ApiError(
        501, "notImplemented", f"compute.{method.id} is in Google's document, but the lab's emulator does not serve it."
    )
