# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where moto answers otherwise than EC2 and STS do: errors, paging, images, regions, roles.

Each function says what AWS does. Addresses, network interfaces and launches are in `fidelity_network`.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import unescape

from moto.core.exceptions import AccessDeniedError, _RESTError
from moto.core.parse import default_timestamp_parser
from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.amis import Ami, AmiBackend
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend, Zone
from moto.ec2.models.instances import Reservation
from moto.ec2.responses import EC2Response
from moto.ec2.responses.availability_zones_and_regions import AvailabilityZonesAndRegions
from moto.ec2.responses.general import General
from moto.ec2.responses.instances import InstanceResponse
from moto.iam.access_control import IAMPolicy, IAMRequest, PermissionResult
from moto.iam.models import iam_backends
from moto.sts.responses import TokenResponse
from werkzeug.exceptions import HTTPException

from . import amis
from .patches import Patches
from .regions import LOCAL_ZONES, region_rows
from .wire import error_body

PATCHES = Patches()

MAX_PAGE = 1000
PAGED = {  # list calls moto answers whole, whatever MaxResults says; the key holds the list
    "describe_images": "Images",
    "describe_instance_types": "InstanceTypes",
    "describe_network_interfaces": "NetworkInterfaces",
    "describe_route_tables": "RouteTables",
    "describe_subnets": "Subnets",
    "describe_vpcs": "Vpcs",
}
_INSTANCE_ID = re.compile(r"i-([0-9a-f]{8}|[0-9a-f]{17})")
_FILTER_NAME = re.compile(r"[Ff]ilter.*'([^']+)'")
_WRONG_NAMESPACE = re.compile(r'(xmlns="http://ec2\.amazonaws\.com/doc/[\d-]+)"')  # EC2's own ends with a slash
_REST_ERROR = re.compile(r"<ErrorResponse.*<Code>(.*?)</Code>\s*<Message>(.*?)</Message>", re.DOTALL)


# -- errors ----------------------------------------------------------------------------------------------------
@PATCHES.around(EC2Response, "_dispatch")
def dispatch(original: Any, response: Any, *args: Any, **kwargs: Any) -> tuple[int, dict[str, Any], Any]:
    """EC2 answers every error as XML in its own envelope; moto lets some out as an HTML page or in another one."""
    try:
        status, headers, body = original(response, *args, **kwargs)
    except HTTPException:
        raise
    except NotImplementedError as missing:
        return _error(400, *_not_served(str(missing), response))
    except Exception:  # a defect in the emulation: say so as EC2 would, and leave the trace in the lab's log
        traceback.print_exc()
        return _error(500, "InternalError", "An internal error has occurred")
    other_envelope = _REST_ERROR.search(str(body)) if status >= 400 else None
    if other_envelope:
        return _error(status, *map(unescape, other_envelope.groups()))
    return status, headers, _WRONG_NAMESPACE.sub(r'\1/"', body, count=1) if isinstance(body, str) else body


def _error(status: int, code: str, message: str) -> tuple[int, dict[str, Any], str]:
    return status, {"Content-Type": "text/xml;charset=UTF-8"}, error_body("ec2", code, message).decode()


def _not_served(text: str, response: Any) -> tuple[str, str]:
    """EC2: an unknown filter is InvalidParameterValue, an unknown action InvalidAction."""
    name = _FILTER_NAME.search(text)
    if name:
        return "InvalidParameterValue", f"The filter '{name[1]}' is invalid"
    return "InvalidAction", f"The action {response._get_action()} is not valid for this web service."


class UnauthorizedOperation(_RESTError):
    """EC2's own code for what other services call AccessDenied."""

    code = 403

    def __init__(self, user_arn: str, action: str) -> None:
        super().__init__(
            "UnauthorizedOperation",
            "You are not authorized to perform this operation. User: "
            f"{user_arn} is not authorized to perform: {action} because no identity-based policy allows it",
        )


@PATCHES.around(IAMRequest, "_raise_access_denied")
def raise_access_denied(original: Any, request: Any) -> None:
    if request._service == "ec2":
        raise UnauthorizedOperation(request._access_key.arn, request._action)
    original(request)


# -- paging ----------------------------------------------------------------------------------------------------
def page(response: Any, items: Sequence[Any]) -> tuple[Sequence[Any], str | None]:
    """The part of items the request asks for, and the token of the next part. EC2 takes MaxResults from 5 to 1000."""
    size = response._get_param("MaxResults")
    size = MAX_PAGE if size is None else int(size)
    if not 5 <= size <= MAX_PAGE:
        bound = "greater than or equal to 5" if size < 5 else "less than or equal to 1000"
        raise EC2ClientError(
            "InvalidParameterValue", f"Value ( {size} ) for parameter maxResults is invalid. Expecting a value {bound}."
        )
    start = read_token(response._get_action(), response._get_param("NextToken"))
    end = start + size
    return items[start:end], make_token(response._get_action(), end) if end < len(items) else None


def make_token(action: str, start: int) -> str:
    return base64.urlsafe_b64encode(f"{action}:{start}".encode()).decode()


def read_token(action: str, token: str | None) -> int:
    """Where the page begins. EC2 refuses a token that is not one of its own, the empty one too."""
    if token is None:
        return 0
    try:
        made_for, _rest, start = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
        if made_for == action:
            return int(start)
    except (binascii.Error, UnicodeError, ValueError):
        pass
    raise EC2ClientError(
        "InvalidParameterValue", f"Value ( {token} ) for parameter NextToken is invalid. The token is invalid."
    )


def _page_whole_lists() -> None:
    for method, key in PAGED.items():

        def paged(original: Any, response: Any, key: str = key) -> ActionResult:
            result: Any = original(response).result
            items, token = page(response, list(result[key]))
            return ActionResult({**result, key: items, "NextToken": token})

        PATCHES.around(EC2Response, method)(paged)


_page_whole_lists()


@PATCHES.around(InstanceResponse, "describe_instances")
def describe_instances(original: Any, response: Any) -> ActionResult:
    """EC2 counts instances, not reservations: a launch of 1000 spans pages, each naming the reservation again."""
    ids = response._get_param("InstanceIds", [])
    malformed = [given for given in ids if not _INSTANCE_ID.fullmatch(given)]
    if malformed:
        raise EC2ClientError("InvalidInstanceID.Malformed", f'Invalid id: "{malformed[0]}"')
    if ids:
        return original(response)
    response.error_on_dryrun()
    reservations = response.ec2_backend.describe_instances(filters=response._filters_from_querystring())
    pairs = [(reservation, instance) for reservation in reservations for instance in reservation.instances]
    wanted, token = page(response, pairs)
    parts: dict[str, Reservation] = {}
    for reservation, instance in wanted:
        part = parts.setdefault(reservation.id, Reservation(reservation.id, reservation.owner_id))
        part.instances.append(instance)
    return ActionResult({"Reservations": list(parts.values()), "NextToken": token})


# -- console ---------------------------------------------------------------------------------------------------
@PATCHES.around(General, "get_console_output")
def get_console_output(original: Any, response: Any) -> ActionResult:
    """What the lab's real host behind the instance printed, its last 64 KiB as in AWS; moto's canned text where there is none."""
    answer = original(response)
    ident = response._get_param("InstanceId")
    try:
        text = (Path(os.environ["FLEET_LAB_CONSOLES"]) / str(ident)).read_bytes()[-65536:]
    except (KeyError, OSError):
        return answer
    return ActionResult({**answer.result, "Output": base64.b64encode(text).decode()})


# -- images ----------------------------------------------------------------------------------------------------
# Members of Image and Instance that moto does not know. What an own image was made from decides, Linux otherwise.
Ami.platform_details = "Linux/UNIX"
Ami.usage_operation = "RunInstances"
Ami.source_image_id = None
Ami.source_image_region = None
Ami.lab_made_from = None  # names of what it was made from, for the lab's hosts


@PATCHES.around(AmiBackend, "_load_amis")
def load_amis(original: Any, backend: Any) -> None:
    """The lab's own catalogue instead of moto's, which has no Debian or Rocky and dates every image today."""
    for image in amis.visible(backend.account_id, backend.region_name):
        ami = Ami(
            backend,
            image.id_in(backend.region_name),
            name=image.name,
            description=image.description,
            owner_id=image.owner,
            owner_alias=image.alias,
            public=image.only is None,
            virtualization_type="hvm",
            hypervisor="xen",
            architecture=image.arch,
            creation_date=default_timestamp_parser(image.created),
            platform=image.platform,
            image_location=f"{image.alias or image.owner}/{image.name}",
            root_device_type="ebs",
            root_device_name=image.root,
        )
        ami.platform_details, ami.usage_operation = image.platform_details, image.usage_operation
        if image.source:
            ami.source_image_id = amis.BY_KEY[image.source].id_in(backend.region_name)
            ami.source_image_region = backend.region_name
        backend.amis[ami.id] = ami


@PATCHES.around(Ami, "__init__")
def ami_init(original: Any, ami: Any, *args: Any, **kwargs: Any) -> None:
    """CopyImage and CreateImage keep the platform; a copy tells its source (SourceImageId, SourceImageRegion)."""
    original(ami, *args, **kwargs)
    made_from = kwargs.get("source_ami") or kwargs.get("instance")
    if made_from:
        ami.platform_details, ami.usage_operation = made_from.platform_details, made_from.usage_operation
        ami.root_device_name = made_from.root_device_name
        ami.lab_made_from = getattr(made_from, "lab_image_names", None) or ([str(getattr(made_from, "name", ""))], made_from.platform == "windows")
    if kwargs.get("source_ami"):
        ami.source_image_id, ami.source_image_region = made_from.id, made_from.ec2_backend.region_name


@PATCHES.around(AmiBackend, "describe_images")
def describe_images(original: Any, backend: Any, ami_ids: list[str] | None = None, *args: Any, **kwargs: Any) -> Any:
    """EC2 fails the whole call when one of the ids is gone; moto only when all are."""
    for ami_id in ami_ids or []:
        if ami_id in backend.deleted_amis:
            raise EC2ClientError("InvalidAMIID.Unavailable", f"The image ID '{ami_id}' is no longer available")
        if ami_id.startswith("ami-") and ami_id not in backend.amis:
            raise EC2ClientError("InvalidAMIID.NotFound", f"The image id '[{ami_id}]' does not exist")
    return original(backend, ami_ids, *args, **kwargs)


# -- regions and zones -----------------------------------------------------------------------------------------
@PATCHES.around(AvailabilityZonesAndRegions, "describe_regions")
def describe_regions(original: Any, response: Any) -> ActionResult:
    """EC2 lists the partition's enabled regions, the others only with AllRegions=true; moto all, and China's too."""
    response.error_on_dryrun()
    rows = region_rows(str(response._get_param("AllRegions", False)).lower() == "true")
    names = response._get_param("RegionNames", [])
    known = {row["RegionName"] for row in region_rows(everything=True)}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise EC2ClientError("InvalidParameterValue", f"Invalid region names: [{', '.join(unknown)}]")
    members = {"region-name": "RegionName", "endpoint": "Endpoint", "opt-in-status": "OptInStatus"}
    for name, values in response._filters_from_querystring().items():
        if name not in members:
            raise EC2ClientError("InvalidParameterValue", f"The filter '{name}' is invalid")
        rows = [row for row in rows if row[members[name]] in values]
    return ActionResult({"Regions": [row for row in rows if not names or row["RegionName"] in names]})


def add_zone_facts() -> None:
    """Zones tell their group, border group and opt-in; Local Zones their parent. moto has neither."""
    zones = RegionsAndZonesBackend.zones
    for local in LOCAL_ZONES:
        zone = Zone(name=local.name, region_name=local.region, zone_id=local.zone_id, zone_type="local-zone")
        zone.group_name = zone.network_border_group = local.group
        zone.opt_in_status = "opted-in"
        zone.parent_zone_name, zone.parent_zone_id = local.parent_zone, local.parent_zone_id
        zones[local.region].append(zone)
    for zone in (zone for region in zones.values() for zone in region if zone.zone_type == "availability-zone"):
        zone.group_name = f"{zone.region_name}-zg-1"
        zone.network_border_group = zone.region_name
        zone.opt_in_status = "opt-in-not-required"


# -- roles -----------------------------------------------------------------------------------------------------
@PATCHES.around(TokenResponse, "assume_role")
def assume_role(original: Any, response: Any) -> ActionResult:
    """STS gives a role only when it exists and its trust policy agrees, external id included; moto gives any."""
    arn = response._get_param("RoleArn")
    account, name = arn.split(":")[4], arn.rpartition("/")[2]
    role = next((role for role in iam_backends[account][response.partition].roles.values() if role.name == name), None)
    user = iam_backends[response.current_account][response.partition].get_user_from_access_key_id(response.access_key)
    whole_account = f"arn:{response.partition}:iam::{response.current_account}:root"
    caller = user.arn if user else whole_account
    given = {"sts:ExternalId": response._get_param("ExternalId") or ""}
    if role is None or not any(
        IAMPolicy(role.assume_role_policy_document).is_action_permitted("sts:AssumeRole", arn, principal, given)
        == PermissionResult.PERMITTED
        for principal in (whole_account, caller)
    ):  # the same words for a role that is missing and one that does not trust the caller
        raise AccessDeniedError(caller, f"sts:AssumeRole on resource: {arn}")
    return original(response)


def install() -> None:
    """Put every patch of this module in place; call once, before the first request."""
    PATCHES.apply()
    add_zone_facts()
