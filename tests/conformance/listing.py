# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the lab's APIs list, asked with the clouds' own libraries and not with the collection."""
from __future__ import annotations

import configparser
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fleetlab.ec2.accounts import EXTERNAL_ID, ROLE

CLOUDS = ("floating", "provider", "misleading", "dualstack", "multinic", "company")
REGIONS = ("us-east-1", "eu-west-1")


def everything(environment: Mapping[str, str]) -> dict[str, set[str]]:
    """Cloud -> a line for each server, key, address, security group, volume, instance, firewall rule, disk, with its names and tags."""
    found = {f"openstack {name}": _openstack(name, environment) for name in CLOUDS}
    found |= {f"aws {'second ' if role else ''}{region}": _aws(region, role, environment) for role in (None, ROLE) for region in REGIONS}
    return {**found, "gce": _gce(environment), "ironic": _ironic(environment), "rack": _rack(environment)}


def _openstack(name: str, environment: Mapping[str, str]) -> set[str]:
    session = _session(name, environment)

    def rows(service: str, path: str, key: str) -> list[Any]:
        found: list[Any] = session.get(path, endpoint_filter={"service_type": service}).json()[key]
        return found

    lines = {f"server {row['id']} {row['name']} {row['metadata']}" for row in rows("compute", "/servers/detail", "servers")}
    lines |= {f"key {row['keypair']['name']}" for row in rows("compute", "/os-keypairs", "keypairs")}
    lines |= {f"address {row['floating_ip_address']} {row['description']}" for row in rows("network", "/v2.0/floatingips", "floatingips")}
    return lines | {f"group {row['name']} {row['description']}" for row in rows("network", "/v2.0/security-groups", "security_groups")}


def remove_servers(name: str, lines: set[str], environment: Mapping[str, str]) -> None:
    """End the servers of these lines as somebody else would, so that what was made for them is left, and wait until they are gone."""
    ids = [line.split()[1] for line in lines if line.startswith("server ")]
    session = _session(name, environment)
    for server in ids:
        session.delete(f"/servers/{server}", endpoint_filter={"service_type": "compute"})
    ends = time.monotonic() + 60
    while any(server in line for line in _openstack(name, environment) for server in ids):
        assert time.monotonic() < ends, "the servers do not go"
        time.sleep(0.5)


def _session(name: str, environment: Mapping[str, str]) -> Any:
    import openstack.config

    return openstack.config.OpenStackConfig(config_files=[environment["OS_CLIENT_CONFIG_FILE"]]).get_one(name).get_session()


def _aws(region: str, role: str | None, environment: Mapping[str, str]) -> set[str]:
    import boto3

    place: dict[str, Any] = {"region_name": region, "endpoint_url": environment["AWS_ENDPOINT_URL"]}
    keys = _keys(environment["AWS_SHARED_CREDENTIALS_FILE"], "lab")
    if role:
        lent = boto3.client("sts", **place, **keys).assume_role(RoleArn=role, RoleSessionName="listing", ExternalId=EXTERNAL_ID)["Credentials"]
        keys = {"aws_access_key_id": lent["AccessKeyId"], "aws_secret_access_key": lent["SecretAccessKey"], "aws_session_token": lent["SessionToken"]}
    client = boto3.client("ec2", **place, **keys)
    lines = {
        f"instance {row['InstanceId']} {row.get('Tags')}"
        for reservation in client.describe_instances()["Reservations"] for row in reservation["Instances"]
        if row["State"]["Name"] not in ("terminated", "shutting-down")}
    lines |= {f"key {row['KeyName']}" for row in client.describe_key_pairs()["KeyPairs"]}
    lines |= {f"address {row['PublicIp']} {row.get('Tags')}" for row in client.describe_addresses()["Addresses"]}
    lines |= {f"group {row['GroupName']} {row.get('Tags')}" for row in client.describe_security_groups()["SecurityGroups"]}
    return lines | {f"volume {row['VolumeId']} {row.get('Tags')}" for row in client.describe_volumes()["Volumes"]}


def _keys(path: str, profile: str) -> dict[str, str]:
    parser = configparser.ConfigParser()
    parser.read(path)
    return {key: parser[profile][key] for key in ("aws_access_key_id", "aws_secret_access_key")}


def _ironic(environment: Mapping[str, str]) -> set[str]:
    import openstack.config
    import requests

    region = openstack.config.OpenStackConfig(config_files=[environment["OS_CLIENT_CONFIG_FILE"]]).get_one("bifrost")

    def rows(path: str, key: str) -> list[Any]:
        answer = requests.get(f"{region.get_endpoint('baremetal')}/v1/{path}", headers={"OpenStack-API-Version": "baremetal 1.52"}, timeout=60)
        found: list[Any] = answer.json()[key]
        return found

    lines = {f"allocation {row['name']} {row['extra']}" for row in rows("allocations", "allocations")}
    return lines | {f"machine {row['name']} {row['instance_info']} {row['extra']}" for row in rows("nodes/detail", "nodes")}


def _rack(environment: Mapping[str, str]) -> set[str]:
    path = Path(environment["FLEET_LAB_RACK"] + ".reservations.yml")
    return set(path.read_text(encoding="utf-8").splitlines()) if path.exists() else set()


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
