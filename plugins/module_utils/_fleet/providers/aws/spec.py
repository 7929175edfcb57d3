# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is known of provider aws without its SDK: its options, what its answers depend on, how to open it."""
from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import library_missing
from ...options import Option
from ..base import Provider, ProviderSpec, Run

if TYPE_CHECKING:
    from ...fleet_file import Cloud

ALL_REGIONS = "all"

_ZONE = re.compile(r"([a-z]{2}(?:-[a-z]+)+-\d+)(?:-[a-z0-9-]+)?[a-z]")
_ROLE_ARN = re.compile(r"arn:[a-z-]+:iam::\d{12}:role/.+")

# Environment variables by which botocore chooses credentials, account and endpoint. Their values are names and
# addresses; the access key id is kept as a digest only.
_SELECTORS = (
    "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL_STS", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
)
_KEY_ID = "AWS_ACCESS_KEY_ID"
_FILES = (("AWS_CONFIG_FILE", "~/.aws/config"), ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"))


def _regions(value: list[str]) -> str | None:
    if ALL_REGIONS in value and len(value) > 1:
        return f"'{ALL_REGIONS}' stands alone: it means every region that is enabled for the account"
    for region in value:
        zone = _ZONE.fullmatch(region)
        if zone:
            return f"'{region}' is an availability zone; its region is '{zone[1]}'"
        if not re.fullmatch(r"[a-z0-9-]+", region):
            return f"'{region}' is not a region's name (such as us-east-1)"
    return None


def _url(value: str) -> str | None:
    if not re.match(r"https?://[^/\s]", value):
        return "is not an address of the form http(s)://host:port"
    return "must not hold credentials; AWS takes them from profiles and the environment" if "@" in value else None


def _arn(value: str) -> str | None:
    if _ROLE_ARN.fullmatch(value):
        return None
    return f"'{value}' is not the ARN of a role (arn:aws:iam::<account>:role/<name>)"


def _duration(value: int) -> str | None:
    return None if 900 <= value <= 43200 else f"{value} is not between 900 and 43200 seconds"


OPTIONS = (
    Option("regions", "strings", default=[], check=_regions),
    Option("profile"),
    Option("assume_role", "dict", options=(
        Option("arn", required=True, check=_arn),
        Option("external_id", secret=True),
        Option("session_name", default="hybridops-fleet"),
        Option("duration", "int", check=_duration),
    )),
    Option("endpoint_url", check=_url),
)


def identity(options: Mapping[str, Any], environ: Mapping[str, str], base_dir: str = ".") -> Sequence[str]:
    """What selects the credentials beyond the options: environment variables, digests of the shared files."""
    told = [f"{name}={environ[name]}" for name in _SELECTORS if environ.get(name)]
    if environ.get(_KEY_ID):
        told.append(f"{_KEY_ID}:{_digest(environ[_KEY_ID].encode())}")
    for variable, default in _FILES:
        path = os.path.expanduser(environ.get(variable) or default)
        try:
            with open(path, "rb") as file:
                told.append(f"{path}:{_digest(file.read())}")
        except OSError:
            continue  # botocore too does without a file that it cannot read
    return told


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def open_cloud(cloud: Cloud, run: Run) -> Provider:
    """The cloud, with credentials found. Imports botocore, which comes with boto3."""
    from .client import MISSING, Ec2
    from .provider import AwsProvider

    if MISSING:
        raise library_missing("boto3", "aws", MISSING)
    return AwsProvider(cloud, run, Ec2(cloud.options, run))


SPEC = ProviderSpec("aws", OPTIONS, identity, open_cloud)
