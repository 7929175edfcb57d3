# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Regions and zones as AWS has them: which need an opt-in, and the Local Zone the lab's account has opted in to.

Source: the lists in the EC2 user guide ("Regions and Zones") and the answers of DescribeRegions.
"""

from __future__ import annotations

import dataclasses

# Enabled for every account, without asking.
STANDARD = (
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
)
# Off until the account opts in; the lab's accounts never did, so every call there is refused.
OPT_IN = (
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-south-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-7",
    "ca-west-1",
    "eu-central-2",
    "eu-south-1",
    "eu-south-2",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
)


@dataclasses.dataclass(frozen=True)
class LocalZone:
    """A zone outside the region's own building; its name does not end in "<region><letter>"."""

    name: str
    zone_id: str
    region: str
    parent_zone: str
    parent_zone_id: str

    @property
    def group(self) -> str:
        """Zone group and network border group: the name without the last letter."""
        return self.name[:-1]


LOCAL_ZONES = (
    LocalZone("us-east-1-bos-1a", "use1-bos1-az1", "us-east-1", "us-east-1a", "use1-az6"),
    LocalZone("us-west-2-lax-1a", "usw2-lax1-az1", "us-west-2", "us-west-2a", "usw2-az2"),
)


@dataclasses.dataclass(frozen=True)
class Refusal:
    """An error answer: HTTP status, AWS error code, message."""

    http: int
    code: str
    message: str


def region_rows(everything: bool) -> list[dict[str, str]]:
    """What DescribeRegions answers. Disabled regions are left out unless AllRegions=true asks for them."""
    rows = [_region_row(name, "opt-in-not-required") for name in STANDARD]
    if everything:
        rows += [_region_row(name, "not-opted-in") for name in OPT_IN]
    return sorted(rows, key=lambda row: row["RegionName"])


def refuse_region(service: str, region: str) -> Refusal | None:
    """How EC2 refuses a call signed for that region; None when it serves it. Other services are not asked."""
    if service != "ec2" or region in STANDARD:
        return None
    if region in OPT_IN:  # the account's credentials are simply not known in a disabled region
        return Refusal(401, "AuthFailure", "AWS was not able to validate the provided access credentials")
    return Refusal(401, "AuthFailure", f"Credential should be scoped to a valid region, not '{region}'.")


def _region_row(name: str, opt_in: str) -> dict[str, str]:
    return {"RegionName": name, "Endpoint": f"ec2.{name}.amazonaws.com", "OptInStatus": opt_in}
