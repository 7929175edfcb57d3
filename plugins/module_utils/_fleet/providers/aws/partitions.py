# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The partitions of AWS: separate systems whose credentials and regions are not those of the others."""
from __future__ import annotations

# partition (second part of an ARN), how its regions begin, one region of it that every account has
_PARTITIONS = (
    ("aws-cn", "cn-", "cn-north-1"),
    ("aws-us-gov", "us-gov-", "us-gov-west-1"),
    ("aws-eusc", "eusc-", "eusc-de-east-1"),
)
_HOME = "us-east-1"


def home_region(region: str | None) -> str:
    """A region that every account of the partition of this region has; without one, of the commercial partition."""
    return next((home for _name, prefix, home in _PARTITIONS if (region or "").startswith(prefix)), _HOME)


def home_of_arn(arn: str) -> str:
    """A region that every account of the partition of this ARN has."""
    return next((home for name, _prefix, home in _PARTITIONS if arn.split(":")[1] == name), _HOME)
