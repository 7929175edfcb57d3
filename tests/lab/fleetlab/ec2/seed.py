# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fill the lab's EC2 with its fleet, through the API. A second run finds everything and changes nothing.

Runs in the lab's virtual environment: ``python -m fleetlab.ec2.seed --endpoint URL --keys keys.json``
"""

from __future__ import annotations

import argparse
import ipaddress
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from . import accounts
from .amis import BY_KEY
from .fleet import SITES, Machine, Site, Subnet

ANYWHERE = ("0.0.0.0/0", "::/0")
KEY_PAIR = "fleet-lab"
Found = dict[str, Any]


class Seeder:
    """One account in one region. Every resource is found again by its tag Name, instances by their client token."""

    def __init__(self, ec2: Any, site: Site) -> None:
        self.ec2 = ec2
        self.site = site
        self.subnets: dict[str, str] = {}

    def run(self) -> None:
        vpc = self.find_or_make(
            "describe_vpcs",
            "Vpcs",
            "vpc",
            "lab",
            lambda tags: self.ec2.create_vpc(
                CidrBlock=self.site.cidr, AmazonProvidedIpv6CidrBlock=True, TagSpecifications=tags
            )["Vpc"],
        )
        tables = self.route_tables(vpc)
        for subnet in self.site.subnets:
            self.subnets[subnet.name] = self.subnet(vpc, subnet, tables.get(subnet.route))
        if "nat" in tables:
            self.nat_route(tables["nat"])
        if not self.ec2.describe_key_pairs(Filters=[{"Name": "key-name", "Values": [KEY_PAIR]}])["KeyPairs"]:
            self.ec2.create_key_pair(KeyName=KEY_PAIR, KeyType="ed25519")
        for machine in self.site.machines:
            self.machine(machine)

    def find_or_make(
        self, describe: str, key: str, kind: str, name: str, make: Callable[[list[Found]], Found], **where: str
    ) -> Found:
        """The resource with that tag Name; made, with the tag, when there is none."""
        filters = [{"Name": "tag:Name", "Values": [name]}]
        filters += [{"Name": member.replace("_", "-"), "Values": [value]} for member, value in where.items()]
        found: list[Found] = getattr(self.ec2, describe)(Filters=filters)[key]
        return found[0] if found else make([{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": name}]}])

    # -- network ------------------------------------------------------------------------------------------------
    def route_tables(self, vpc: Found) -> dict[str, str]:
        """The route table id for each kind of route the site's subnets use."""
        kinds = {subnet.route for subnet in self.site.subnets if subnet.route}
        tables = {}
        for kind in kinds:
            table = self.find_or_make(
                "describe_route_tables",
                "RouteTables",
                "route-table",
                kind,
                lambda tags: self.ec2.create_route_table(VpcId=vpc["VpcId"], TagSpecifications=tags)["RouteTable"],
            )
            tables[kind] = table["RouteTableId"]
            self.route_out(vpc, table, kind)
        return tables

    def route_out(self, vpc: Found, table: Found, kind: str) -> None:
        """The routes that need no subnet: both families to an internet gateway, or IPv6 egress only."""
        routed = {
            route.get("DestinationCidrBlock") or route.get("DestinationIpv6CidrBlock") for route in table["Routes"]
        }
        if kind == "igw":
            gateway = self.find_or_make(
                "describe_internet_gateways",
                "InternetGateways",
                "internet-gateway",
                "lab",
                lambda tags: self.ec2.create_internet_gateway(TagSpecifications=tags)["InternetGateway"],
            )
            if not gateway["Attachments"]:
                self.ec2.attach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=vpc["VpcId"])
            for destination, member in zip(ANYWHERE, ("DestinationCidrBlock", "DestinationIpv6CidrBlock"), strict=True):
                if destination not in routed:
                    self.ec2.create_route(
                        RouteTableId=table["RouteTableId"],
                        GatewayId=gateway["InternetGatewayId"],
                        **{member: destination},
                    )
        elif "::/0" not in routed:
            made = self.ec2.create_egress_only_internet_gateway(VpcId=vpc["VpcId"])
            egress = made["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]
            self.ec2.create_route(
                RouteTableId=table["RouteTableId"], EgressOnlyInternetGatewayId=egress, DestinationIpv6CidrBlock="::/0"
            )

    def subnet(self, vpc: Found, subnet: Subnet, table: str | None) -> str:
        """The subnet's id, with its launch settings and its route table."""
        shape: Found = {"CidrBlock": subnet.cidr} if subnet.cidr else {"Ipv6Native": True}
        if subnet.ipv6 is not None:
            block = ipaddress.IPv6Network(vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"])
            shape["Ipv6CidrBlock"] = str(list(block.subnets(new_prefix=64))[subnet.ipv6])
        found = self.find_or_make(
            "describe_subnets",
            "Subnets",
            "subnet",
            subnet.name,
            lambda tags: self.ec2.create_subnet(
                VpcId=vpc["VpcId"], AvailabilityZone=subnet.zone, TagSpecifications=tags, **shape
            )["Subnet"],
        )
        subnet_id: str = found["SubnetId"]
        if subnet.public_on_launch:
            self.ec2.modify_subnet_attribute(SubnetId=subnet_id, MapPublicIpOnLaunch={"Value": True})
        if subnet.ipv6_on_launch:
            self.ec2.modify_subnet_attribute(SubnetId=subnet_id, AssignIpv6AddressOnCreation={"Value": True})
        joined = self.ec2.describe_route_tables(Filters=[{"Name": "association.subnet-id", "Values": [subnet_id]}])
        if table and not joined["RouteTables"]:
            self.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet_id)
        return subnet_id

    def nat_route(self, table: str) -> None:
        """A NAT gateway in the public subnet, and the private subnets' IPv4 default route to it."""
        gateways = self.ec2.describe_nat_gateways(Filters=[{"Name": "tag:Name", "Values": ["lab"]}])["NatGateways"]
        if gateways:
            return
        address = self.elastic_ip("nat")
        gateway = self.ec2.create_nat_gateway(
            SubnetId=self.subnets["public"],
            AllocationId=address["AllocationId"],
            TagSpecifications=[{"ResourceType": "natgateway", "Tags": [{"Key": "Name", "Value": "lab"}]}],
        )["NatGateway"]
        self.ec2.create_route(
            RouteTableId=table, NatGatewayId=gateway["NatGatewayId"], DestinationCidrBlock="0.0.0.0/0"
        )

    def elastic_ip(self, name: str) -> Found:
        return self.find_or_make(
            "describe_addresses",
            "Addresses",
            "elastic-ip",
            name,
            lambda tags: self.ec2.allocate_address(Domain="vpc", TagSpecifications=tags),
        )

    # -- machines -----------------------------------------------------------------------------------------------
    def machine(self, machine: Machine) -> None:
        tags = [{"Key": key, "Value": value} for key, value in machine.all_tags.items()]
        seeded = {"Key": "lab-seed", "Value": machine.key}
        pages = self.ec2.get_paginator("describe_instances").paginate(
            Filters=[{"Name": "tag:lab-seed", "Values": [machine.key]}]
        )
        found = [item for page in pages for reservation in page["Reservations"] for item in reservation["Instances"]]
        instance = found[0] if found else self.launch(machine, [*tags, seeded])
        instance_id = instance["InstanceId"]
        if machine.elastic_ip:
            address = self.elastic_ip(machine.key)
            if not address.get("AssociationId"):
                interface = min(instance["NetworkInterfaces"], key=lambda item: item["Attachment"]["DeviceIndex"])
                self.ec2.associate_address(
                    AllocationId=address["AllocationId"], NetworkInterfaceId=interface["NetworkInterfaceId"]
                )
        state = instance["State"]["Name"]
        if machine.end == "stopped" and state != "stopped":
            self.ec2.stop_instances(InstanceIds=[instance_id])
        if machine.end == "terminated" and state != "terminated":
            self.ec2.terminate_instances(InstanceIds=[instance_id])

    def launch(self, machine: Machine, tags: list[dict[str, str]]) -> Found:
        image = self.image(machine)
        interfaces = [
            {"DeviceIndex": index, "SubnetId": self.subnets[name]} for index, name in enumerate(machine.subnets)
        ]
        reservation = self.ec2.run_instances(
            ImageId=image,
            InstanceType=machine.type,
            MinCount=1,
            MaxCount=1,
            KeyName=KEY_PAIR,
            ClientToken=f"fleet-lab-{self.site.account}-{self.site.region}-{machine.key}",
            TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
            **(
                {"NetworkInterfaces": interfaces}
                if len(interfaces) > 1
                else {"SubnetId": interfaces[0]["SubnetId"]}
                if interfaces
                else {}
            ),
        )
        if machine.image == "deregistered":
            self.ec2.deregister_image(ImageId=image)
        launched: Found = reservation["Instances"][0]
        return launched

    def image(self, machine: Machine) -> str:
        """The image id; for a machine that has outlived its image, of a copy that is deregistered after the launch."""
        if machine.image != "deregistered":
            return BY_KEY[machine.image].id_in(self.site.region)
        made: str = self.ec2.copy_image(
            Name="retired-base",
            SourceRegion=self.site.region,
            SourceImageId=BY_KEY["debian-12-older"].id_in(self.site.region),
        )["ImageId"]
        return made


def main() -> int:
    parser = argparse.ArgumentParser(description="Fill the lab's EC2")
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--keys", type=Path, required=True)
    arguments = parser.parse_args()
    keys = accounts.load_keys(arguments.keys)
    owners = {accounts.MAIN: keys["fleet"], accounts.SECOND: keys["owner"]}
    for site in SITES:
        key = owners[site.account]
        ec2 = boto3.client(
            "ec2",
            region_name=site.region,
            endpoint_url=arguments.endpoint,
            aws_access_key_id=key["id"],
            aws_secret_access_key=key["secret"],
        )
        try:
            Seeder(ec2, site).run()
        except (BotoCoreError, ClientError) as failure:
            print(f"account {site.account}, {site.region}: {failure}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
