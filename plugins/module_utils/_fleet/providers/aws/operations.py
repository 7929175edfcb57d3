# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The calls of the EC2 API that the provider makes. Data only."""
from __future__ import annotations

from typing import NamedTuple


class Operation(NamedTuple):
    """A call of the EC2 API: its name, botocore's method for it, the list it answers ("" for none), what it is for."""

    name: str
    method: str
    items: str
    what: str


# -- lists
INSTANCES = Operation("DescribeInstances", "describe_instances", "reservationSet", "list instances")
SUBNETS = Operation("DescribeSubnets", "describe_subnets", "subnetSet", "list subnets")
ROUTE_TABLES = Operation("DescribeRouteTables", "describe_route_tables", "routeTableSet", "list route tables")
IMAGES = Operation("DescribeImages", "describe_images", "imagesSet", "list images")
REGIONS = Operation("DescribeRegions", "describe_regions", "regionInfo", "list regions")
ZONES = Operation("DescribeAvailabilityZones", "describe_availability_zones", "availabilityZoneInfo", "list availability zones")
TYPES = Operation("DescribeInstanceTypes", "describe_instance_types", "instanceTypeSet", "list instance types")
ADDRESSES = Operation("DescribeAddresses", "describe_addresses", "addressesSet", "list elastic IPs")
GROUPS = Operation("DescribeSecurityGroups", "describe_security_groups", "securityGroupInfo", "list security groups")
VOLUMES = Operation("DescribeVolumes", "describe_volumes", "volumeSet", "list volumes")
KEY_PAIRS = Operation("DescribeKeyPairs", "describe_key_pairs", "keySet", "list key pairs")

# -- changes, and what is asked of one thing
RUN = Operation("RunInstances", "run_instances", "", "make the instance")
TERMINATE = Operation("TerminateInstances", "terminate_instances", "", "end the instance")
START = Operation("StartInstances", "start_instances", "", "start the instance")
STOP = Operation("StopInstances", "stop_instances", "", "stop the instance")
REBOOT = Operation("RebootInstances", "reboot_instances", "", "reboot the instance")
CONSOLE = Operation("GetConsoleOutput", "get_console_output", "", "read the instance's console")
SET_TAGS = Operation("CreateTags", "create_tags", "", "set tags")
UNSET_TAGS = Operation("DeleteTags", "delete_tags", "", "remove tags")
IMPORT_KEY = Operation("ImportKeyPair", "import_key_pair", "", "import the key pair")
DELETE_KEY = Operation("DeleteKeyPair", "delete_key_pair", "", "remove the key pair")
CREATE_GROUP = Operation("CreateSecurityGroup", "create_security_group", "", "make the security group")
DELETE_GROUP = Operation("DeleteSecurityGroup", "delete_security_group", "", "remove the security group")
ALLOW = Operation("AuthorizeSecurityGroupIngress", "authorize_security_group_ingress", "", "add rules to the security group")
DISALLOW = Operation("RevokeSecurityGroupIngress", "revoke_security_group_ingress", "", "remove rules from the security group")
ALLOCATE = Operation("AllocateAddress", "allocate_address", "", "allocate an elastic IP")
ASSOCIATE = Operation("AssociateAddress", "associate_address", "", "attach the elastic IP")
DISASSOCIATE = Operation("DisassociateAddress", "disassociate_address", "", "detach the elastic IP")
RELEASE = Operation("ReleaseAddress", "release_address", "", "release the elastic IP")
ASSIGN_IPV6 = Operation("AssignIpv6Addresses", "assign_ipv6_addresses", "", "assign an IPv6 address")
DELETE_VOLUME = Operation("DeleteVolume", "delete_volume", "", "remove the volume")
