# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the tests of the lab's EC2 share: clients of its profiles, its fleet, and its control calls."""

from __future__ import annotations

import functools
import ipaddress
import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

LAB = Path(__file__).parents[1] / "lab"
PLAYGROUND = "us-west-2"
DOCUMENTATION = [ipaddress.ip_network(text) for text in ("203.0.113.0/24", "2001:db8::/32")]


def lab(state: Path, *words: str) -> str:
    """One lab command; its output."""
    command = [sys.executable, str(LAB), "--state", str(state), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def serves_ec2(state: Path) -> bool:
    try:
        return "ec2" in json.loads((state / "run" / "lab.json").read_text(encoding="utf-8"))["endpoints"]
    except FileNotFoundError:
        return False


def control(call: str, **content: Any) -> Any:
    url = f"{os.environ['AWS_ENDPOINT_URL']}/_lab/{call}"
    data = None if call == "requests" else json.dumps(content).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=10) as answer:
        return json.load(answer)


@functools.cache
def session(profile: str) -> boto3.Session:
    return boto3.Session(profile_name=profile)  # kept: each new one reads EC2's large model again


def client(region: str = "us-east-1", profile: str = "lab", service: str = "ec2", **config: Any) -> Any:
    return session(profile).client(service, region_name=region, config=Config(**config))


def instances(region: str, profile: str = "lab", **how: Any) -> list[dict[str, Any]]:
    pages = client(region, profile).get_paginator("describe_instances").paginate(**how)
    return [item for page in pages for reservation in page["Reservations"] for item in reservation["Instances"]]


def tags(instance: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}


def seeded(region: str, profile: str = "lab") -> dict[str, dict[str, Any]]:
    """The fleet's instances by their key in the lab's table."""
    return {tags(item)["lab-seed"]: item for item in instances(region, profile) if "lab-seed" in tags(item)}


def error(call: Any, *words: Any, **arguments: Any) -> tuple[str, int]:
    """AWS's code and the HTTP status of the error that call ends with."""
    with pytest.raises(ClientError) as caught:
        call(*words, **arguments)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def launch(ec2: Any, **more: Any) -> dict[str, Any]:
    (image,) = ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-13-amd64-*"]}])["Images"]
    made: dict[str, Any] = ec2.run_instances(
        **{"ImageId": image["ImageId"], "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.micro", **more}
    )
    return made


def make_subnet(ec2: Any, public: bool = False, ipv6: bool = False) -> str:
    """A subnet in a VPC of its own; its id."""
    vpc = ec2.create_vpc(CidrBlock="10.99.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
    block = vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"].replace("/56", "/64")
    made: str = ec2.create_subnet(
        VpcId=vpc["VpcId"],
        CidrBlock="10.99.1.0/24",
        AvailabilityZone=f"{PLAYGROUND}a",
        **({"Ipv6CidrBlock": block} if ipv6 else {}),
    )["Subnet"]["SubnetId"]
    ec2.modify_subnet_attribute(SubnetId=made, MapPublicIpOnLaunch={"Value": public})
    return made
