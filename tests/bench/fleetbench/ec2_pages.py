# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Recorded answers of EC2: the XML of the Query API, about 4.8 kB for an instance, 1,000 instances a page."""
from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from xml.sax.saxutils import escape

from .machines import FIRST, ZONES, Machine, machines

REGION = "us-east-1"
ACCOUNT = "111122223333"
PAGE = 1000
VPC = "vpc-0a1b2c3d4e5f60718"

_IMAGES = (
    ("ami-0debian0000000012", "136693071363", "debian-12-amd64-20260901-2222"),
    ("ami-0ubuntu0000000024", "099720109477", "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20260901"),
    ("ami-0amazon0000002023", "137112412989", "al2023-ami-2023.9.20260901.0-kernel-6.1-x86_64"),
    ("ami-0rocky00000000009", "792107900819", "Rocky-9-EC2-Base-9.6-20260901.0.x86_64"),
)
_SIZES = ("t3.micro", "m7i.large", "c7i.xlarge", "r7i.2xlarge")


class Ec2Pages:
    """What EC2 answers, ready to send; one region, one account."""

    def __init__(self, count: int) -> None:
        instances = [_instance(machine) for machine in machines(count, FIRST["aws"])]
        pages = ["".join(page) for page in _batched(instances, PAGE)] or [""]
        names = [f"page-{number}" for number in range(len(pages))]
        following = dict(pairwise(names))
        self._instances = {
            name: _answer("DescribeInstances", "reservationSet", page, following.get(name))
            for name, page in zip(names, pages, strict=True)
        }
        self._others = {
            "DescribeSubnets": _answer("DescribeSubnets", "subnetSet", "".join(map(_subnet, ZONES))),
            "DescribeRouteTables": _answer("DescribeRouteTables", "routeTableSet", _ROUTE_TABLE),
            "DescribeImages": _answer("DescribeImages", "imagesSet", "".join(_image(*row) for row in _IMAGES)),
            "DescribeRegions": _answer("DescribeRegions", "regionInfo", _REGIONS),
            "DescribeAvailabilityZones": _answer(
                "DescribeAvailabilityZones", "availabilityZoneInfo", "".join(map(_zone, ZONES))),
        }

    def answer(self, form: Mapping[str, str]) -> bytes | None:
        """The answer to a request of the Query API; None for an action that nobody recorded."""
        if form.get("Action") == "DescribeInstances":
            return self._instances.get(form.get("NextToken", "page-0"))
        return self._others.get(form.get("Action", ""))


def _batched(items: list[str], size: int) -> list[list[str]]:
    return [items[start:start + size] for start in range(0, len(items), size)]


def _answer(action: str, listed: str, items: str, next_token: str | None = None) -> bytes:
    token = f"<nextToken>{next_token}</nextToken>" if next_token else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{action}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
        f"<requestId>8f7724cf-496f-496e-8fe3-bench</requestId><{listed}>{items}</{listed}>{token}</{action}Response>"
    ).encode()


def _tags(tags: Mapping[str, str]) -> str:
    items = "".join(
        f"<item><key>{escape(key)}</key><value>{escape(value)}</value></item>" for key, value in tags.items())
    return f"<tagSet>{items}</tagSet>"


def _subnet(letter: str) -> str:
    number = ZONES.index(letter)
    return (
        f"<item><subnetId>subnet-0000000000000000{number}</subnetId><vpcId>{VPC}</vpcId><state>available</state>"
        f"<cidrBlock>10.{number * 64}.0.0/10</cidrBlock><availabilityZone>{REGION}{letter}</availabilityZone>"
        "<mapPublicIpOnLaunch>true</mapPublicIpOnLaunch><ipv6CidrBlockAssociationSet/>"
        + _tags({"Name": f"public-{letter}"}) + "</item>")


_ROUTE_TABLE = (
    f"<item><routeTableId>rtb-00000000000000001</routeTableId><vpcId>{VPC}</vpcId><routeSet>"
    "<item><destinationCidrBlock>10.0.0.0/8</destinationCidrBlock><gatewayId>local</gatewayId>"
    "<state>active</state></item>"
    "<item><destinationCidrBlock>0.0.0.0/0</destinationCidrBlock><gatewayId>igw-00000000000000001</gatewayId>"
    "<state>active</state></item>"
    "<item><destinationIpv6CidrBlock>::/0</destinationIpv6CidrBlock><gatewayId>igw-00000000000000001</gatewayId>"
    "<state>active</state></item></routeSet>"
    "<associationSet><item><routeTableAssociationId>rtbassoc-1</routeTableAssociationId><main>true</main></item>"
    "</associationSet><tagSet/></item>")

_REGIONS = "".join(
    f"<item><regionName>{name}</regionName><regionEndpoint>ec2.{name}.amazonaws.com</regionEndpoint>"
    "<optInStatus>opt-in-not-required</optInStatus></item>" for name in (REGION, "us-west-2", "eu-west-1"))


def _zone(letter: str) -> str:
    return (
        f"<item><zoneName>{REGION}{letter}</zoneName><zoneId>use1-az{ZONES.index(letter) + 1}</zoneId>"
        f"<regionName>{REGION}</regionName><zoneState>available</zoneState></item>")


def _image(ami: str, owner: str, name: str) -> str:
    return (
        f"<item><imageId>{ami}</imageId><imageOwnerId>{owner}</imageOwnerId><name>{name}</name>"
        "<imageState>available</imageState><isPublic>true</isPublic><architecture>x86_64</architecture>"
        "<imageType>machine</imageType><platformDetails>Linux/UNIX</platformDetails>"
        "<rootDeviceType>ebs</rootDeviceType><rootDeviceName>/dev/xvda</rootDeviceName></item>")


def _instance(machine: Machine) -> str:
    """A reservation with one instance, with all that EC2 tells of a running one."""
    zone, private = f"{REGION}{machine.zone}", machine.private_v4
    inside = f"ip-{private.replace('.', '-')}.ec2.internal"
    subnet = f"subnet-0000000000000000{ZONES.index(machine.zone)}"
    number = f"{machine.number:017x}"
    public = machine.public_v4
    outside = f"ec2-{public.replace('.', '-')}.compute-1.amazonaws.com" if public else ""
    association = (
        f"<association><publicIp>{public}</publicIp><publicDnsName>{outside}</publicDnsName>"
        "<ipOwnerId>amazon</ipOwnerId></association>" if public else "")
    v6 = machine.public_v6
    v6_items = f"<item><ipv6Address>{v6}</ipv6Address><isPrimaryIpv6>false</isPrimaryIpv6></item>" if v6 else ""
    group = "<groupSet><item><groupId>sg-00000000000000001</groupId><groupName>default</groupName></item></groupSet>"
    return (
        f"<item><reservationId>r-{number}</reservationId><ownerId>{ACCOUNT}</ownerId><groupSet/><instancesSet><item>"
        f"<instanceId>i-{number}</instanceId><imageId>{_IMAGES[machine.image][0]}</imageId>"
        "<instanceState><code>16</code><name>running</name></instanceState>"
        f"<privateDnsName>{inside}</privateDnsName><dnsName>{outside}</dnsName><reason/><keyName>ops</keyName>"
        f"<amiLaunchIndex>0</amiLaunchIndex><productCodes/><instanceType>{_SIZES[machine.image]}</instanceType>"
        "<launchTime>2026-03-01T10:20:30.000Z</launchTime>"
        f"<placement><availabilityZone>{zone}</availabilityZone>"
        f"<availabilityZoneId>use1-az{ZONES.index(machine.zone) + 1}</availabilityZoneId><groupName/>"
        "<tenancy>default</tenancy></placement><monitoring><state>disabled</state></monitoring>"
        f"<subnetId>{subnet}</subnetId><vpcId>{VPC}</vpcId><privateIpAddress>{private}</privateIpAddress>"
        + (f"<ipAddress>{public}</ipAddress>" if public else "") +
        f"<sourceDestCheck>true</sourceDestCheck>{group}<architecture>x86_64</architecture>"
        "<rootDeviceType>ebs</rootDeviceType><rootDeviceName>/dev/xvda</rootDeviceName><blockDeviceMapping>"
        f"<item><deviceName>/dev/xvda</deviceName><ebs><volumeId>vol-{number}</volumeId><status>attached</status>"
        "<attachTime>2026-03-01T10:20:31.000Z</attachTime><deleteOnTermination>true</deleteOnTermination>"
        "<ebsCardIndex>0</ebsCardIndex></ebs></item>"
        f"<item><deviceName>/dev/sdf</deviceName><ebs><volumeId>vol-{machine.number:016x}d</volumeId>"
        "<status>attached</status><attachTime>2026-03-01T10:20:32.000Z</attachTime>"
        "<deleteOnTermination>false</deleteOnTermination></ebs></item></blockDeviceMapping>"
        f"<virtualizationType>hvm</virtualizationType><clientToken>{number}-4a5b-8c6d-7e8f</clientToken>"
        + _tags({"Name": machine.name, **machine.tags, "aws:autoscaling:groupName": f"asg-{machine.name[:-6]}"}) +
        "<hypervisor>xen</hypervisor><networkInterfaceSet><item>"
        f"<networkInterfaceId>eni-{number}</networkInterfaceId><subnetId>{subnet}</subnetId><vpcId>{VPC}</vpcId>"
        f"<description>Primary network interface</description><ownerId>{ACCOUNT}</ownerId><status>in-use</status>"
        f"<macAddress>{machine.mac}</macAddress><privateIpAddress>{private}</privateIpAddress>"
        f"<privateDnsName>{inside}</privateDnsName><sourceDestCheck>true</sourceDestCheck>{group}<attachment>"
        f"<attachmentId>eni-attach-{number}</attachmentId><deviceIndex>0</deviceIndex><status>attached</status>"
        "<attachTime>2026-03-01T10:20:30.000Z</attachTime><deleteOnTermination>true</deleteOnTermination>"
        f"<networkCardIndex>0</networkCardIndex></attachment>{association}<privateIpAddressesSet><item>"
        f"<privateIpAddress>{private}</privateIpAddress><privateDnsName>{inside}</privateDnsName>"
        f"<primary>true</primary>{association}</item></privateIpAddressesSet>"
        f"<ipv6AddressesSet>{v6_items}</ipv6AddressesSet><interfaceType>interface</interfaceType>"
        "<operator><managed>false</managed></operator></item></networkInterfaceSet>"
        "<iamInstanceProfile>"
        f"<arn>arn:aws:iam::{ACCOUNT}:instance-profile/node</arn><id>AIPA0000000000000NODE</id></iamInstanceProfile>"
        "<ebsOptimized>true</ebsOptimized><enaSupport>true</enaSupport>"
        "<cpuOptions><coreCount>1</coreCount><threadsPerCore>2</threadsPerCore></cpuOptions>"
        "<capacityReservationSpecification><capacityReservationPreference>open</capacityReservationPreference>"
        "</capacityReservationSpecification><hibernationOptions><configured>false</configured></hibernationOptions>"
        "<enclaveOptions><enabled>false</enabled></enclaveOptions><metadataOptions><state>applied</state>"
        "<httpTokens>required</httpTokens><httpPutResponseHopLimit>2</httpPutResponseHopLimit>"
        "<httpEndpoint>enabled</httpEndpoint><httpProtocolIpv6>disabled</httpProtocolIpv6>"
        "<instanceMetadataTags>disabled</instanceMetadataTags></metadataOptions><maintenanceOptions>"
        "<autoRecovery>default</autoRecovery><rebootMigration>default</rebootMigration></maintenanceOptions>"
        "<currentInstanceBootMode>uefi</currentInstanceBootMode><platformDetails>Linux/UNIX</platformDetails>"
        "<usageOperation>RunInstances</usageOperation>"
        "<usageOperationUpdateTime>2026-03-01T10:20:30.000Z</usageOperationUpdateTime>"
        "<privateDnsNameOptions><hostnameType>ip-name</hostnameType>"
        "<enableResourceNameDnsARecord>false</enableResourceNameDnsARecord>"
        "<enableResourceNameDnsAAAARecord>false</enableResourceNameDnsAAAARecord></privateDnsNameOptions>"
        "<bootMode>uefi-preferred</bootMode><operator><managed>false</managed></operator>"
        "</item></instancesSet></item>")
