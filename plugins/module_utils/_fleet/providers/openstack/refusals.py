# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a refused request means: quota, capacity, an image that is gone. Pure: an HTTP status and its body in."""
from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ...errors import FleetError
from .failures import from_answer, message_of

_QUOTA = re.compile(r"quota|OverLimit|maximum number of ports|too many|limit (was |is )?exceeded|exceeded.*limit", re.IGNORECASE)
_IMAGE = re.compile(
    r"can ?not find requested image|image\b.{0,60}(could not be found|not found|is (not active|deactivated|unacceptable))"
    r"|no image with|invalid image(ref)?\b", re.IGNORECASE)
_CAPACITY = re.compile(r"no valid host|not enough (resources|hosts)|insufficient|out of capacity", re.IGNORECASE)
_ADDRESSES = re.compile(
    r"no more (IP|free|fixed)|no (free |available )?fixed IP|IP address(es)? (are |is )?(available|exhaust)|IpAddressGeneration|"
    r"IpAddressExhausted|zero fixed ips", re.IGNORECASE)

_FIXES = {
    "quota": "Remove what is not needed any more, or ask the cloud's operator to raise the quota of this project.",
    "image_gone": "Run again, or name another image; catalog_info lists what there is.",
    "capacity": "Choose another flavor or zone, or try again later.",
    "address_pool": "Release addresses that are not needed any more, or ask the cloud's operator for a larger pool.",
    "refused": "Correct the requirement; catalog_info lists what this cloud has.",
}


def type_of(body: Mapping[str, Any]) -> str:
    """Neutron's name of a failure ("IpAddressGenerationFailure"); empty for other services."""
    told = body.get("NeutronError")
    return str(told.get("type") or "") if isinstance(told, Mapping) else ""


def code_of(status: int, body: Mapping[str, Any]) -> str:
    """Which of the causes that the rest of the collection knows a refusal is: quota, image_gone, capacity, address_pool,
    refused."""
    text = f"{type_of(body)} {message_of(json.dumps(body))}"
    if _ADDRESSES.search(text):
        return "address_pool"
    if status in (400, 403, 409, 413) and _QUOTA.search(text):
        return "quota"
    if status in (400, 404, 409) and _IMAGE.search(text):
        return "image_gone"
    if _CAPACITY.search(text):
        return "capacity"
    return "refused"


def refusal(what: str, status: int, body: Mapping[str, Any], fix: str = "") -> FleetError:
    """A refusal as the failure it is, in the cloud's own words."""
    if status in (401, 404, 405, 501) and code_of(status, body) == "refused":
        return from_answer(what, status, "", {}, json.dumps(body))
    code = code_of(status, body)
    if status == 403 and code == "refused":
        return from_answer(what, status, "Forbidden", {}, json.dumps(body))
    return FleetError(
        what, why=f"HTTP {status}: {message_of(json.dumps(body))}".rstrip(": "), fix=fix or _FIXES[code], code=code)


def fault_of(server: Mapping[str, Any]) -> str:
    """What Nova says went wrong with a server; empty when nothing did."""
    fault = server.get("fault")
    return " ".join(str(fault.get("message") or "").split()) if isinstance(fault, Mapping) else ""
