# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the lab's APIs list, asked with the clouds' own libraries and not with the collection."""
from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

CLOUDS = ("floating", "provider", "misleading", "dualstack", "multinic", "company")
REGIONS = ("us-east-1", "eu-west-1")


def everything(environment: Mapping[str, str]) -> dict[str, set[str]]:
    """Cloud -> a line for each server, key, address, security group, volume, instance, firewall rule, disk, with its names and tags."""
    found = {f"openstack {name}": _openstack(name, environment) for name in CLOUDS}
    return {**found, **{f"aws {region}": _aws(region, environment) for region in REGIONS}, "gce": _gce(environment)}


def _openstack(name: str, environment: Mapping[str, str]) -> set[str]:
    import openstack.config

    session = openstack.config.OpenStackConfig(config_files=[environment["OS_CLIENT_CONFIG_FILE"]]).get_one(name).get_session()

    def rows(service: str, path: str, key: str) -> list[Any]:
        found: list[Any] = session.get(path, endpoint_filter={"service_type": service}).json()[key]
        return found

    lines = {f"server {row['id']} {row['name']} {row['metadata']}" for row in rows("compute", "/servers/detail", "servers")}
    lines |= {f"key {row['keypair']['name']}" for row in rows("compute", "/os-keypairs", "keypairs")}
    lines |= {f"address {row['floating_ip_address']} {row['description']}" for row in rows("network", "/v2.0/floatingips", "floatingips")}
    return lines | {f"group {row['name']} {row['description']}" for row in rows("network", "/v2.0/security-groups", "security_groups")}


def _aws(region: str, environment: Mapping[str, str]) -> set[str]:
    import boto3

    keys = _profile(environment["AWS_SHARED_CREDENTIALS_FILE"], "lab")
    client = boto3.client("ec2", region_name=region, endpoint_url=environment["AWS_ENDPOINT_URL"], **keys)
    lines = {
        f"instance {row['InstanceId']} {row.get('Tags')}"
        for reservation in client.describe_instances()["Reservations"] for row in reservation["Instances"]
        if row["State"]["Name"] not in ("terminated", "shutting-down")}
    lines |= {f"key {row['KeyName']}" for row in client.describe_key_pairs()["KeyPairs"]}
    lines |= {f"address {row['PublicIp']} {row.get('Tags')}" for row in client.describe_addresses()["Addresses"]}
    lines |= {f"group {row['GroupName']} {row.get('Tags')}" for row in client.describe_security_groups()["SecurityGroups"]}
    return lines | {f"volume {row['VolumeId']} {row.get('Tags')}" for row in client.describe_volumes()["Volumes"]}


def _profile(path: str, name: str) -> dict[str, str]:
    import configparser

    parser = configparser.ConfigParser()
    parser.read(path)
    return {key: parser[name][key] for key in ("aws_access_key_id", "aws_secret_access_key")}


def _gce(environment: Mapping[str, str]) -> set[str]:
    from fleetlab.gce.seed import Client

    client = Client(environment["FLEET_LAB_GCE_URL"])
    with open(environment["GOOGLE_APPLICATION_CREDENTIALS"], encoding="utf-8") as file:
        client.log_in(json.load(file))
    lines = set()
    for project in ("acme-prod", "acme-dev"):
        for path in ("aggregated/instances", "aggregated/disks", "aggregated/addresses", "global/firewalls"):
            items = client.compute("GET", f"{project}/{path}").get("items", [])
            lists = [rows for scope in items.values() for rows in scope.values() if isinstance(rows, list)] if isinstance(items, dict) else [items]
            lines |= {f"{path} {row['name']} {row.get('labels')} {row.get('description')}" for rows in lists for row in rows if isinstance(row, dict)
                      and "name" in row}
    return lines
