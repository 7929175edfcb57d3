# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Prints, as JSON, everything in the lab's APIs that making nodes could leave behind. Asks by the clouds' own SDKs, not by ours.

Words choose APIs: ``api_listing.py openstack google``; all without."""
from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OPENSTACK = ("floating", "provider", "misleading", "dualstack", "multinic", "company")
AWS = (("lab", "us-east-1"), ("lab", "eu-west-1"), ("lab-second-admin", "us-east-1"), ("lab-second-admin", "eu-west-1"))


def openstack() -> Iterator[str]:
    import openstack as sdk

    for name in OPENSTACK:
        cloud = sdk.connect(cloud=name)
        project = cloud.current_project_id
        yield from (f"{name}: server {server.id}" for server in cloud.compute.servers())
        yield from (f"{name}: key {key.name}" for key in cloud.compute.keypairs())
        yield from (f"{name}: address {ip.floating_ip_address} {ip.description}" for ip in cloud.network.ips(project_id=project))
        yield from (f"{name}: group {group.name}" for group in cloud.network.security_groups(project_id=project))
        yield from (f"{name}: port {port.id}" for port in cloud.network.ports(project_id=project) if port.device_owner.startswith("compute"))


def aws() -> Iterator[str]:
    import boto3

    for profile, region in AWS:
        ec2 = boto3.session.Session(profile_name=profile, region_name=region).client("ec2")
        for reservation in ec2.describe_instances()["Reservations"]:
            for instance in reservation["Instances"]:
                if instance["State"]["Name"] not in ("terminated", "shutting-down"):
                    yield f"{profile} {region}: instance {instance['InstanceId']}"
        yield from (f"{profile} {region}: key {key['KeyName']}" for key in ec2.describe_key_pairs()["KeyPairs"])
        yield from (f"{profile} {region}: address {address['PublicIp']}" for address in ec2.describe_addresses()["Addresses"])
        yield from (f"{profile} {region}: group {group['GroupId']}" for group in ec2.describe_security_groups()["SecurityGroups"])
        yield from (f"{profile} {region}: volume {volume['VolumeId']}" for volume in ec2.describe_volumes()["Volumes"])


def _ask_google(path: str) -> dict[str, Any]:
    from google.auth.transport.requests import AuthorizedSession
    from google.oauth2 import service_account

    credentials = service_account.Credentials.from_service_account_file(
        os.environ["GOOGLE_APPLICATION_CREDENTIALS"], scopes=["https://www.googleapis.com/auth/compute"])
    base = re.sub(r"/compute/v1/?$", "", os.environ["CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE"].rstrip("/"))
    answer: dict[str, Any] = AuthorizedSession(credentials).get(f"{base}/compute/v1/projects/{path}", timeout=30).json()
    return answer


def rules_of_google(project: str) -> list[dict[str, Any]]:
    """The firewall rules of a project."""
    return list(_ask_google(f"{project}/global/firewalls").get("items", ()))


def google() -> Iterator[str]:
    for project in ("acme-prod", "acme-dev"):
        for kind in ("instances", "addresses", "disks"):
            for scope in _ask_google(f"{project}/aggregated/{kind}").get("items", {}).values():
                yield from (f"{project}: {kind} {row['name']}" for row in scope.get(kind, ()))
        yield from (f"{project}: firewall {row['name']}" for row in rules_of_google(project))


def metal() -> Iterator[str]:
    import openstack as sdk

    ironic = sdk.connect(cloud="bifrost").baremetal
    for node in ironic.nodes(details=True):
        yield f"ironic: {node.name} {node.provision_state} {sorted(node.extra or {})}"
    yield from (f"ironic: allocation {allocation.name}" for allocation in ironic.allocations())
    reservations = Path(f"{os.environ['FLEET_LAB_RACK']}.reservations.yml")
    with contextlib.suppress(OSError):
        yield f"rack: {' '.join(reservations.read_text(encoding='utf-8').split())}"


def main() -> int:
    urllib.request.install_opener(urllib.request.build_opener(urllib.request.ProxyHandler({})))
    chosen = [list_all for list_all in (openstack, aws, google, metal) if list_all.__name__ in (sys.argv[1:] or [list_all.__name__])]
    json.dump(sorted(row for list_all in chosen for row in list_all()), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
