# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Troubles by name: what a cloud does instead of answering, and a word of the message that an operator must get."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import bb_ec2
import bb_gce
import bb_openstack
from bb_wire import HTML, Fault, Reply, World

LOGIN_PAGE = Reply(
    200, b"<!DOCTYPE html><html><body>Please log in to the hotel network</body></html>", {"Content-Type": "text/html"}
)
BUSY_HTML = Reply(503, HTML, {"Content-Type": "text/html"})


def edited(change: Callable[[Any], Any]) -> Callable[[Reply], Reply]:
    """Change the JSON of a reply; change edits it in place or returns another."""

    def work(reply: Reply) -> Reply:
        body = json.loads(reply.content())
        return Reply(reply.status, change(body) or body)

    return work


def replaced(pattern: bytes, by: bytes) -> Callable[[Reply], Reply]:
    return lambda reply: Reply(reply.status, re.sub(pattern, by, reply.content(), flags=re.DOTALL))


_EC2 = "DescribeInstances"
_TOKEN = replaced(rb"<nextToken>.*?</nextToken>|(?=</DescribeInstancesResponse>)", b"<nextToken>2</nextToken>")
EC2: dict[str, tuple[Fault, str]] = {
    "json503": (Fault(_EC2, Reply(503, {"message": "busy"})), "503"),
    "html503": (Fault(_EC2, BUSY_HTML), "503"),
    "unavailable": (
        Fault(_EC2, bb_ec2.error("Unavailable", "The service is unavailable. Please try again shortly.", 503)),
        "Unavailable",
    ),
    "page2": (Fault(" 2", bb_ec2.error("InternalError", "An internal error has occurred", 500)), "InternalError"),
    "noitems": (Fault(_EC2, change=replaced(rb"<reservationSet>.*</reservationSet>", b"")), "reservationSet"),
    "looping": (Fault(_EC2, change=_TOKEN), "already read"),
    "reset": (Fault(_EC2, how="reset"), "list instances"),
    "cut": (Fault(_EC2, how="cut"), "list instances"),
    "expired": (Fault(" ", bb_ec2.error("RequestExpired", "Request has expired.", 400)), "expired"),
    "denied": (
        Fault(_EC2, bb_ec2.error("UnauthorizedOperation", "You are not authorized to perform this operation.", 403)),
        "ec2:DescribeInstances",
    ),
    "throttled": (
        Fault(_EC2, bb_ec2.error("RequestLimitExceeded", "Request limit exceeded.", 503)),
        "RequestLimitExceeded",
    ),
    "portal": (Fault(_EC2, LOGIN_PAGE), "list instances"),
    "empty": (Fault(_EC2, Reply(200, b"")), "list instances"),
    "error200": (Fault(_EC2, Reply(200, bb_ec2.error("InternalError", "oops", 500).body)), "list instances"),
    "subnets": (Fault("DescribeSubnets", BUSY_HTML), "503"),
}
_GCE = "aggregated/instances"
GCE: dict[str, tuple[Fault, str]] = {
    "json503": (Fault(_GCE, Reply(503, {"message": "busy, and no error object"})), "503"),
    "html503": (Fault(_GCE, BUSY_HTML), "503"),
    "page2": (Fault(_GCE, bb_gce.error(404, "not found", "notFound"), after=1), "404"),
    "noitems": (Fault(_GCE, change=edited(lambda body: body.pop("items") and None)), "without items"),
    "noitems2": (
        Fault(_GCE, Reply(200, {"kind": "compute#instanceAggregatedList", "id": "a"}), after=1),
        "without items",
    ),
    "object": (Fault(_GCE, Reply(200, {})), "unusable"),
    "error200": (Fault(_GCE, Reply(200, {"error": {"code": 500, "message": "oops"}})), "unusable"),
    "looping": (Fault(_GCE, change=edited(lambda body: body.update(nextPageToken="2"))), "twice"),
    "badtoken": (
        Fault(_GCE, bb_gce.error(400, "Invalid value for field 'pageToken'", "invalid"), after=1),
        "pageToken",
    ),
    "reset": (Fault(_GCE, how="reset"), "list instances"),
    "cut": (Fault(_GCE, how="cut"), "not JSON"),
    "expired": (Fault(_GCE, bb_gce.error(401, "Invalid Credentials", "authError")), "401"),
    "denied": (
        Fault(_GCE, bb_gce.error(403, "Required 'compute.instances.list' permission", "forbidden")),
        "compute.viewer",
    ),
    "throttled": (Fault(_GCE, bb_gce.error(429, "Quota exceeded", "rateLimitExceeded")), "429"),
    "quota403": (Fault(_GCE, bb_gce.error(403, "Rate Limit Exceeded", "rateLimitExceeded")), "Rate Limit"),
    "portal": (Fault(_GCE, LOGIN_PAGE), "not JSON"),
    "redirect": (Fault(_GCE, Reply(302, b"", {"Location": "/elsewhere"})), "302"),
    "unreachable": (
        Fault(
            _GCE,
            change=edited(
                lambda body: body["items"].update(
                    {"zones/europe-west1-b": {"warning": {"code": "UNREACHABLE", "message": "zone did not answer"}}}
                )
            ),
        ),
        "europe-west1-b",
    ),
    "unreachable2": (
        Fault(
            _GCE,
            change=edited(
                lambda body: body.update(
                    warning={"code": "UNREACHABLE", "message": "some", "data": [{"key": "scope", "value": "zones/x"}]}
                )
            ),
        ),
        "UNREACHABLE",
    ),
    "unreachable3": (
        Fault(_GCE, change=edited(lambda body: body.update(unreachables=["zones/europe-west1-b"]))),
        "europe-west1-b",
    ),
    "nullinstances": (
        Fault(_GCE, change=edited(lambda body: body["items"].update({"zones/us-central1-a": []}))),
        "us-central1-a",
    ),
}
_NOVA = "servers/detail"
OPENSTACK: dict[str, tuple[Fault, str]] = {
    "json503": (Fault(_NOVA, Reply(503, {"message": "busy"})), "503"),
    "html503": (Fault(_NOVA, BUSY_HTML), "503"),
    "page2": (
        Fault(_NOVA, Reply(500, {"computeFault": {"code": 500, "message": "Unexpected API Error"}}), after=1),
        "Unexpected API Error",
    ),
    "noitems": (Fault(_NOVA, Reply(200, {})), "servers"),
    "null": (Fault(_NOVA, Reply(200, {"servers": None})), "servers"),
    "looping": (
        Fault(
            _NOVA,
            change=edited(
                lambda body: body.update(
                    servers_links=[
                        {
                            "rel": "next",
                            "href": "http://nova.internal/v2.1/servers/detail?marker=" + body["servers"][0]["id"],
                        }
                    ]
                )
            ),
        ),
        "list servers",
    ),
    "badlink": (Fault(_NOVA, change=edited(lambda body: body.update(servers_links=[{"rel": "next"}]))), "next page"),
    "reset": (Fault(_NOVA, how="reset"), "list servers"),
    "cut": (Fault(_NOVA, how="cut"), "list servers"),
    "expired": (
        Fault(
            _NOVA,
            Reply(401, {"error": {"code": 401, "message": "The request you have made requires authentication."}}),
        ),
        "401",
    ),
    "denied": (Fault(_NOVA, Reply(403, {"forbidden": {"code": 403, "message": "Policy does not allow"}})), "403"),
    "throttled": (Fault(_NOVA, Reply(429, {"overLimit": {"code": 429, "message": "slow down"}})), "429"),
    "portal": (Fault(_NOVA, LOGIN_PAGE), "list servers"),
    "keystone": (Fault("auth/tokens", BUSY_HTML), "503"),
    "notoken": (Fault("auth/tokens", Reply(201, {"token": {}})), "get a token"),
    "neutron": (Fault("GET /network", BUSY_HTML), "has_network: false"),
    "version": (Fault("v2.1/ ", BUSY_HTML), "503"),
}


def world(kind: str, name: str) -> World:
    """A cloud of that kind with five machines named after it, on three pages."""
    if kind == "aws":
        return bb_ec2.Ec2({"us-east-1": [bb_ec2.instance(f"{name}-{number}", number) for number in range(1, 6)]})
    if kind == "gce":
        return bb_gce.Gce(
            {
                "acme": [
                    bb_gce.instance(f"{name}-{number}", number, zone=bb_gce.ZONES[number % 2])
                    for number in range(1, 6)
                ]
            }
        )
    servers = [bb_openstack.server(f"{name}-{number}", {"net": [f"10.0.0.{number}"]}) for number in range(1, 6)]
    return bb_openstack.OpenStack(
        {"R": servers}, services=("compute", "network") if "neutron" in name else ("compute",)
    )
