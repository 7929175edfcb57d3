# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""EC2 and STS in small, written from the API reference: XML in, pages by NextToken, errors in AWS's two shapes."""

from __future__ import annotations

import re
from typing import Any
from xml.sax.saxutils import escape

from bb_wire import Reply, Request, World

REGIONS = {"us-east-1": "opt-in-not-required", "eu-west-1": "opt-in-not-required", "ap-east-1": "not-opted-in"}
_SCOPE = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/")


def xml(name: str, value: Any) -> str:
    """Lists become <item>s, mappings nested elements, None nothing."""
    if value is None:
        return ""
    if isinstance(value, dict):
        inner = "".join(xml(key, item) for key, item in value.items())
    elif isinstance(value, list):
        inner = "".join(xml("item", item) for item in value)
    else:
        inner = escape(str(value).lower() if isinstance(value, bool) else str(value))
    return f"<{name}>{inner}</{name}>"


def error(code: str, message: str, status: int) -> Reply:
    body = f"<?xml version='1.0'?><Response><Errors>{xml('Error', {'Code': code, 'Message': message})}</Errors></Response>"
    return Reply(status, body.encode())


def instance(
    name: str,
    number: int = 1,
    *,
    tags: dict[str, str] | None = None,
    public: str | None = "198.51.100.10",
    zone: str = "us-east-1a",
    **more: Any,
) -> dict[str, Any]:
    """One running instance as DescribeInstances shows it. public: an address mapped onto its first interface."""
    inside = f"172.31.0.{number}"
    association = {"publicIp": public, "ipOwnerId": "amazon"} if public else None
    groups = more.pop("groups", [{"groupId": "sg-1", "groupName": "default"}])
    return {
        "instanceId": f"i-{number:017x}",
        "imageId": "ami-0deb12",
        "instanceState": {"code": 16, "name": "running"},
        "instanceType": "t3.small",
        "launchTime": f"2026-01-{number % 27 + 1:02d}T00:00:00.000Z",
        "architecture": "x86_64",
        "placement": {"availabilityZone": zone},
        "privateIpAddress": inside,
        "ipAddress": public,
        "subnetId": "subnet-1",
        "vpcId": "vpc-1",
        "groupSet": groups,
        "tagSet": [{"key": key, "value": value} for key, value in {"Name": name, **(tags or {})}.items()],
        "networkInterfaceSet": [
            {
                "networkInterfaceId": f"eni-{number}",
                "subnetId": "subnet-1",
                "vpcId": "vpc-1",
                "macAddress": f"02:00:00:00:00:{number:02x}",
                "attachment": {"deviceIndex": 0, "attachTime": "2026-01-01T00:00:00.000Z"},
                "groupSet": groups,
                "privateIpAddressesSet": [{"privateIpAddress": inside, "primary": True, "association": association}],
            }
        ],
        **more,
    }


class Ec2(World):
    """One account per access key id (``machines``: key id -> region -> instances; "" for any other key)."""

    def __init__(self, machines: dict[str, list[dict[str, Any]]] | None = None, page: int = 2) -> None:
        super().__init__()
        self.machines: dict[str, dict[str, list[dict[str, Any]]]] = {"": machines or {}}
        self.page = page
        self.images = [
            {
                "imageId": "ami-0deb12",
                "imageOwnerId": "136693071363",
                "name": "debian-12-amd64-20260101-1",
                "platformDetails": "Linux/UNIX",
                "architecture": "x86_64",
            }
        ]
        self.subnets = [
            {
                "subnetId": "subnet-1",
                "vpcId": "vpc-1",
                "cidrBlock": "172.31.0.0/20",
                "availabilityZone": "us-east-1a",
                "mapPublicIpOnLaunch": True,
                "tagSet": [],
            }
        ]
        self.routes = [
            {
                "routeTableId": "rtb-1",
                "vpcId": "vpc-1",
                "associationSet": [{"main": True, "routeTableId": "rtb-1"}],
                "routeSet": [
                    {"destinationCidrBlock": "172.31.0.0/16", "gatewayId": "local", "state": "active"},
                    {"destinationCidrBlock": "0.0.0.0/0", "gatewayId": "igw-1", "state": "active"},
                ],
            }
        ]

    def label(self, request: Request) -> str:
        key, region, service = self._who(request)
        action = (request.form.get("Action") or request.query.get("Action") or [""])[0]
        return f"{service} {action} {region} {key} {request.form.get('NextToken', [''])[0]}"

    @staticmethod
    def _who(request: Request) -> tuple[str, str, str]:
        found = _SCOPE.search(request.headers.get("Authorization") or "")
        return (found[1], found[2], found[3]) if found else ("", "", "")

    def answer(self, request: Request) -> Reply:
        key, region, _service = self._who(request)
        action = request.form["Action"][0]
        if action == "DescribeRegions":
            rows: list[dict[str, Any]] = [
                {"regionName": name, "regionEndpoint": f"ec2.{name}", "optInStatus": status}
                for name, status in REGIONS.items()
            ]
            return self._ok(action, {"regionInfo": rows})
        if REGIONS.get(region) == "not-opted-in":
            return error("AuthFailure", "AWS was not able to validate the provided access credentials", 401)
        if action == "DescribeInstances":
            account = self.machines.get(key, self.machines[""])
            rows = [
                {"reservationId": f"r-{number}", "ownerId": "111122223333", "instancesSet": [one]}
                for number, one in enumerate(account.get(region, []))
            ]
            start = int((request.form.get("NextToken") or ["0"])[0])
            token = start + self.page if start + self.page < len(rows) else None
            return self._ok(action, {"reservationSet": rows[start : start + self.page], "nextToken": token})
        if action == "DescribeSubnets":
            return self._ok(action, {"subnetSet": self.subnets})
        if action == "DescribeRouteTables":
            return self._ok(action, {"routeTableSet": self.routes})
        if action == "DescribeImages":
            return self._ok(action, {"imagesSet": self.images})
        return error("InvalidAction", f"The action {action} is not valid for this web service.", 400)

    @staticmethod
    def _ok(action: str, content: dict[str, Any]) -> Reply:
        inner = "".join(xml(key, value) for key, value in content.items())
        return Reply(
            200,
            (
                f'<?xml version="1.0" encoding="UTF-8"?>\n<{action}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
                f"<requestId>r</requestId>{inner}</{action}Response>"
            ).encode(),
        )
