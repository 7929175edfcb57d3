# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Launches, network interfaces and addresses as EC2 has them. Each function says what AWS does."""

from __future__ import annotations

import copy
import ipaddress
import random
import threading
import time
from typing import Any

from moto.ec2.exceptions import DefaultVpcAlreadyExists, EC2ClientError
from moto.ec2.models import (
    ec2_backends,
    elastic_ip_addresses,
    elastic_network_interfaces,
    vpcs,
)
from moto.ec2.models.elastic_ip_addresses import ElasticAddress, ElasticAddressBackend
from moto.ec2.models.elastic_network_interfaces import NetworkInterface, NetworkInterfaceBackend
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.instances import Instance, InstanceBackend, Reservation
from moto.ec2.models.subnets import SubnetBackend
from moto.ec2.models.vpcs import VPCBackend
from moto.ec2.responses.instances import InstanceResponse

from .addresses import Ipv6Blocks, PublicAddresses
from .patches import Patches

PATCHES = Patches()
PUBLIC = PublicAddresses()
IPV6 = Ipv6Blocks()
_LOCK = threading.RLock()  # moto's server is threaded; two launches must not get one address or one token twice


# -- public addresses ------------------------------------------------------------------------------------------
def public_address(region: str) -> str:
    """A free address of the documentation range: no other interface or elastic address of any account has it."""
    in_use = set()
    for account in list(ec2_backends.values()):
        backend: Any = account.get(region)  # unlike [], makes no backend
        if backend:
            in_use.update(eni.public_ip for eni in list(backend.enis.values()))
            in_use.update(address.public_ip for address in list(backend.addresses))
    address = PUBLIC.take(region, in_use)
    if address is None:
        raise EC2ClientError("AddressLimitExceeded", f"The lab has no public address left for {region}.")
    return address


def has_elastic(eni: Any) -> bool:
    return any(address.eni is eni for address in eni.ec2_backend.addresses)


@PATCHES.around(NetworkInterface, "check_auto_public_ip")
def check_auto_public_ip(original: Any, eni: Any) -> None:
    """An interface with an elastic address keeps it at start and takes no second public address."""
    if str(eni.public_ip_auto_assign).lower() == "true" and not has_elastic(eni):
        with _LOCK:
            eni.public_ip = public_address(eni.ec2_backend.region_name)


@PATCHES.around(NetworkInterface, "stop")
def stop_interface(original: Any, eni: Any) -> None:
    """Stopping releases an auto-assigned address and keeps an elastic one; moto drops both."""
    if not has_elastic(eni):
        original(eni)


@PATCHES.around(ElasticAddressBackend, "allocate_address")
def allocate_address(original: Any, backend: Any, domain: str, address: str | None = None, tags: Any = None) -> Any:
    with _LOCK:
        return original(backend, domain, address=address or public_address(backend.region_name), tags=tags)


@PATCHES.around(ElasticAddressBackend, "associate_address")
def associate_address(original: Any, backend: Any, *args: Any, **kwargs: Any) -> Any:
    """An address that moves leaves the interface it was on; moto shows it on both."""
    before = {id(address): address.eni for address in backend.addresses}
    moved = original(backend, *args, **kwargs)
    left = before.get(id(moved))
    if left is not None and left is not moved.eni:
        left.public_ip = None
    return moved


def association(eni: Any) -> dict[str, Any] | None:
    """The owner tells an elastic address (the account's id) from an auto-assigned one ("amazon"); moto does not."""
    if not eni.public_ip:
        return None  # moto gives an empty element
    elastic = next((address for address in eni.ec2_backend.addresses if address.public_ip == eni.public_ip), None)
    region = eni.ec2_backend.region_name
    zone = "compute-1" if region == "us-east-1" else f"{region}.compute"
    found = {
        "publicIp": eni.public_ip,
        "publicDnsName": f"ec2-{eni.public_ip.replace('.', '-')}.{zone}.amazonaws.com",
        "ipOwnerId": eni.ec2_backend.account_id if elastic else "amazon",
    }
    if elastic:
        found |= {"allocationId": elastic.allocation_id, "associationId": elastic.association_id}
    return found


# -- IPv6 ------------------------------------------------------------------------------------------------------
def free_ipv6(subnet: Any) -> str:
    """A free address of the subnet's IPv6 block. Raises EC2's error when it has none."""
    blocks = subnet.ipv6_cidr_block_association_set
    if not blocks:
        raise EC2ClientError("InvalidParameterValue", f"The subnet '{subnet.id}' does not have any IPv6 CIDR blocks.")
    block = ipaddress.IPv6Network(blocks[0]["ipv6CidrBlock"])
    taken = {address for eni in subnet.ec2_backend.enis.values() for address in eni.ipv6_addresses}
    while True:
        address = str(block[random.getrandbits(32) + 16])  # EC2 keeps the first addresses of a block to itself
        if address not in taken:
            return address


@PATCHES.around(NetworkInterfaceBackend, "create_network_interface")
def create_network_interface(original: Any, backend: Any, subnet: Any, *args: Any, **kwargs: Any) -> Any:
    """A subnet with AssignIpv6AddressOnCreation gives each new interface an address; moto never does."""
    subnet = backend.get_subnet(subnet) if isinstance(subnet, str) else subnet
    count = kwargs.pop("ipv6_address_count", None) or 0
    given = kwargs.get("ipv6_addresses") or []
    if not (given or count) and subnet.assign_ipv6_address_on_creation and not subnet.ipv6_native:
        count = 1
    eni = original(backend, subnet, *args, **kwargs)
    eni.ipv6_addresses += [free_ipv6(subnet) for _number in range(count - len(given))]
    return eni


@PATCHES.around(Instance, "prep_nics")
def prep_nics(original: Any, instance: Any, nic_spec: list[dict[str, Any]], *args: Any, **kwargs: Any) -> None:
    """A launch's interfaces take the IPv6 addresses asked for, and end with the instance unless told otherwise."""
    specs = {int(spec.get("DeviceIndex", 0)): spec for spec in nic_spec}
    original(instance, nic_spec, *args, **kwargs)
    for index, nic in instance.nics.items():
        spec = specs.get(index, {})
        if "NetworkInterfaceId" in spec:
            continue
        nic.delete_on_termination = spec.get("DeleteOnTermination", True)
        asked = [item["Ipv6Address"] for item in spec.get("Ipv6Addresses", [])]
        if asked or spec.get("Ipv6AddressCount"):
            nic.ipv6_addresses = asked or [free_ipv6(nic.subnet) for _number in range(int(spec["Ipv6AddressCount"]))]
        if nic.subnet.ipv6_native:  # no IPv4 at all; moto shows the IPv6 address as the private IPv4 one
            nic.ipv6_addresses = nic.ipv6_addresses or [free_ipv6(nic.subnet)]
            nic.private_ip_address, nic.private_ip_addresses = None, []


# -- launches --------------------------------------------------------------------------------------------------
@PATCHES.around(InstanceResponse, "run_instances")
def run_instances_call(original: Any, response: Any) -> Any:
    """EC2 launches MaxCount instances when it can; moto launches MinCount."""
    response.params["MinCount"] = response._get_param("MaxCount") or response._get_param("MinCount")
    return original(response)


@PATCHES.around(InstanceBackend, "run_instances")
def run_instances(original: Any, backend: Any, image_id: str, count: int, *args: Any, **kwargs: Any) -> Reservation:
    """A client token used twice is one launch, with other parameters an error. Without a subnet: the default one."""
    token = kwargs.get("client_token")
    asked = repr((image_id, count, args, sorted(kwargs.items(), key=str)))
    with _LOCK:
        launches = backend.__dict__.setdefault("lab_launches", {})
        if token in launches:
            reservation, first_asked = launches[token]
            if asked != first_asked:
                raise EC2ClientError(
                    "IdempotentParameterMismatch",
                    "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
                )
            return reservation
        check_architecture(backend.amis.get(image_id), kwargs.get("instance_type"))
        use_default_subnet(backend, kwargs)
        reservation = original(backend, image_id, count, *args, **kwargs)
        if token and token != "ABCDE":  # moto's word for: none given
            launches[token] = (reservation, asked)
        return reservation


def check_architecture(image: Any, instance_type: str | None) -> None:
    """EC2 refuses an image for another processor than the instance type's; moto launches it."""
    known = INSTANCE_TYPES.get(instance_type or "")
    offered = known["ProcessorInfo"]["SupportedArchitectures"] if known else []
    if image and offered and image.architecture not in offered:
        raise EC2ClientError(
            "InvalidParameterValue",
            f"The architecture '{offered[0]}' of the specified instance type does not match the architecture "
            f"'{image.architecture}' of the specified AMI.",
        )


def use_default_subnet(backend: Any, launch: dict[str, Any]) -> None:
    """Name the default subnet where the launch names none; moto would make an address outside every subnet."""
    nics = launch.get("nics") or []
    if launch.get("subnet_id") or any("SubnetId" in nic or "NetworkInterfaceId" in nic for nic in nics):
        return
    defaults = backend.get_default_subnets()
    subnet = defaults.get(launch.get("placement") or min(defaults, default=""))
    if subnet and nics:
        launch["nics"] = [{**nic, "SubnetId": subnet.id} for nic in nics]
    elif subnet:
        launch["subnet_id"] = subnet.id


@PATCHES.around(Instance, "__init__")
def instance_init(original: Any, instance: Any, backend: Any, image_id: str, *args: Any, **kwargs: Any) -> None:
    """Every instance has PlatformDetails and UsageOperation, and the VPC's default group when none is named."""
    original(instance, backend, image_id, *args, **kwargs)
    if not instance.security_groups:
        instance.security_groups = list(instance.nics[0].group_set)
    ami = backend.amis.get(instance.image_id)
    instance.platform_details = ami.platform_details if ami else "Linux/UNIX"
    instance.usage_operation = ami.usage_operation if ami else "RunInstances"
    remember(instance, ami)


def remember(instance: Any, ami: Any) -> None:
    """What the lab's hosts need to know of a launch later, when image and key pair may be gone. No answer of the API shows it."""
    names, windows = [], bool(ami and ami.platform == "windows")
    seen: set[str] = set()
    while ami is not None and ami.id not in seen:
        seen.add(ami.id)
        names.append(str(ami.name))
        maker = getattr(ami, "lab_made_from", None)
        names += maker[0] if maker else []
        windows = windows or bool(maker and maker[1])
        ami = ami.ec2_backend.amis.get(ami.source_image_id) if ami.source_image_id else None
    instance.lab_image_names = (names, windows)
    key = instance.ec2_backend.key_pairs.get(instance.key_name)
    material = key.material_public if key else ""
    instance.lab_public_key = material.decode() if isinstance(material, bytes) else str(material)


def _restarted(original: Any, instance: Any, *args: Any, **kwargs: Any) -> Any:
    """Note when the API last started or rebooted it: a real host behind it follows."""
    instance.lab_restarted = time.time()
    return original(instance, *args, **kwargs)


PATCHES.around(Instance, "start")(_restarted)
PATCHES.around(Instance, "reboot")(_restarted)


@PATCHES.around(Instance, "terminate")
def terminate(original: Any, instance: Any) -> Any:
    """Elastic addresses come free when their instance ends. Ending it once more changes nothing; moto fails then."""
    if instance.state == "terminated":
        return copy.copy(instance.instance_state)
    for address in list(instance.ec2_backend.addresses):
        if address.eni in instance.nics.values():
            address.eni.public_ip = None
            address.eni = address.instance = address.association_id = None
    return original(instance)


def _gone_when_terminated(name: str, empty: Any) -> None:
    """A terminated instance keeps id, image, type, key and tags; its network is stripped. moto keeps everything."""
    kept = getattr(Instance, name)
    setattr(Instance, name, property(lambda instance: empty if instance.state == "terminated" else kept.fget(instance)))


def _instance_of_address(address: Any) -> str | None:
    """The instance whose interface has the address, however it was associated; moto forgets it for an interface."""
    return address.eni.instance.id if address.eni and address.eni.instance else None


def _ipv6_address(instance: Any) -> str | None:
    return next((address for nic in instance.network_interfaces for address in nic.ipv6_addresses), None)


def _private_dns_name(instance: Any) -> str:
    """By address where there is one, by instance id in an IPv6-only subnet."""
    region = instance.ec2_backend.region_name
    host = f"ip-{instance.private_ip.replace('.', '-')}" if instance.private_ip else instance.id
    return f"{host}.ec2.internal" if region == "us-east-1" else f"{host}.{region}.compute.internal"


# -- VPCs ------------------------------------------------------------------------------------------------------
@PATCHES.around(VPCBackend, "create_default_vpc")
def create_default_vpc(original: Any, backend: Any) -> Any:
    """The default VPC routes to an internet gateway, and has a subnet in each zone but the Local Zones."""
    if backend.describe_vpcs(filters={"is-default": ["true"]}):
        raise DefaultVpcAlreadyExists
    vpc = backend.create_vpc(cidr_block="172.31.0.0/16", is_default=True)
    for zone in backend.describe_availability_zones():
        if zone.zone_type == "availability-zone":
            backend.create_default_subnet(zone.name)
    gateway = backend.create_internet_gateway()
    backend.attach_internet_gateway(gateway.id, vpc.id)
    main = next(
        table for table in backend.route_tables.values() if table.vpc_id == vpc.id and table.main_association_id
    )
    backend.create_route(main.id, "0.0.0.0/0", gateway_id=gateway.id)
    return vpc


@PATCHES.around(SubnetBackend, "create_subnet")
def create_subnet(original: Any, backend: Any, vpc_id: str, *args: Any, **kwargs: Any) -> Any:
    """Only subnets of the default VPC are default ones; moto takes the first of any zone for one."""
    subnet = original(backend, vpc_id, *args, **kwargs)
    if not backend.get_vpc(vpc_id).is_default:
        subnet.default_for_az = subnet.map_public_ip_on_launch = False
    return subnet


def install() -> None:
    """Put every patch of this module in place; call once, before the first request."""
    PATCHES.apply()
    # moto's own generators give addresses of AWS and of other people's networks.
    vpcs.random_ipv6_cidr = IPV6.take
    elastic_ip_addresses.random_ip = elastic_network_interfaces.random_public_ip = _never
    plain_name = elastic_network_interfaces.generate_dns_from_ip
    elastic_network_interfaces.generate_dns_from_ip = lambda ip: plain_name(ip) if ip and ":" not in ip else None
    NetworkInterface.association = property(association)
    ElasticAddress.instance_id = property(_instance_of_address)
    Instance.private_dns_name = property(_private_dns_name)
    Instance.ipv6_address = property(_ipv6_address)
    for name, empty in (
        ("network_interfaces", []),
        ("subnet_id", None),
        ("vpc_id", None),
        ("private_ip_address", None),
        ("public_ip_address", None),
        ("private_dns_name", ""),
        ("public_dns_name", ""),
    ):
        _gone_when_terminated(name, empty)


def _never() -> str:
    raise AssertionError("a public address was to be made outside the documentation range")
