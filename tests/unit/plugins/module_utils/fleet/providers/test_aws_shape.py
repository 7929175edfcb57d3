# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""EC2's answers, as literal XML, and what they must show: evidence, and the roles and addresses concluded from it."""
from __future__ import annotations

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet import assemble
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.aws import network, shape, xmltree
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import Node, NodeEvidence

SUBNETS = """<DescribeSubnetsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><subnetSet>
  <item><subnetId>subnet-pub</subnetId><vpcId>vpc-1</vpcId>
    <tagSet><item><key>Name</key><value>front</value></item></tagSet></item>
  <item><subnetId>subnet-priv</subnetId><vpcId>vpc-1</vpcId></item>
  <item><subnetId>subnet-out</subnetId><vpcId>vpc-1</vpcId></item>
  <item><subnetId>subnet-hole</subnetId><vpcId>vpc-1</vpcId></item>
  <item><subnetId>subnet-fw</subnetId><vpcId>vpc-1</vpcId></item>
  <item><subnetId>subnet-bpa</subnetId><vpcId>vpc-1</vpcId><blockPublicAccessStates>
    <internetGatewayBlockMode>block-ingress</internetGatewayBlockMode></blockPublicAccessStates></item>
  <item><subnetId>subnet-own6</subnetId><vpcId>vpc-1</vpcId><ipv6CidrBlockAssociationSet>
    <item><ipv6CidrBlock>2001:db8:77::/64</ipv6CidrBlock><ipv6AddressAttribute>private</ipv6AddressAttribute></item>
    <item><ipv6CidrBlock>2001:db8:78::/64</ipv6CidrBlock><ipv6AddressAttribute>public</ipv6AddressAttribute></item>
    </ipv6CidrBlockAssociationSet></item>
</subnetSet></DescribeSubnetsResponse>"""

TABLES = """<DescribeRouteTablesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><routeTableSet>
  <item><routeTableId>rtb-main</routeTableId><vpcId>vpc-1</vpcId>
    <routeSet><item><destinationCidrBlock>10.0.0.0/16</destinationCidrBlock><gatewayId>local</gatewayId>
      <state>active</state></item></routeSet>
    <associationSet><item><main>true</main></item></associationSet></item>
  <item><routeTableId>rtb-pub</routeTableId><vpcId>vpc-1</vpcId><routeSet>
    <item><destinationCidrBlock>0.0.0.0/0</destinationCidrBlock><gatewayId>igw-1</gatewayId><state>active</state></item>
    <item><destinationIpv6CidrBlock>::/0</destinationIpv6CidrBlock><gatewayId>igw-1</gatewayId><state>active</state></item>
    </routeSet><associationSet>
      <item><main>false</main><subnetId>subnet-pub</subnetId></item>
      <item><main>false</main><subnetId>subnet-bpa</subnetId></item>
      <item><main>false</main><subnetId>subnet-own6</subnetId></item></associationSet></item>
  <item><routeTableId>rtb-out</routeTableId><vpcId>vpc-1</vpcId><routeSet>
    <item><destinationCidrBlock>0.0.0.0/0</destinationCidrBlock><natGatewayId>nat-1</natGatewayId></item>
    <item><destinationIpv6CidrBlock>::/0</destinationIpv6CidrBlock>
      <egressOnlyInternetGatewayId>eigw-1</egressOnlyInternetGatewayId><state>active</state></item>
    </routeSet><associationSet><item><subnetId>subnet-out</subnetId></item></associationSet></item>
  <item><routeTableId>rtb-hole</routeTableId><vpcId>vpc-1</vpcId><routeSet>
    <item><destinationIpv6CidrBlock>::/0</destinationIpv6CidrBlock><gatewayId>igw-9</gatewayId>
      <state>blackhole</state></item>
    </routeSet><associationSet><item><subnetId>subnet-hole</subnetId></item></associationSet></item>
  <item><routeTableId>rtb-fw</routeTableId><vpcId>vpc-1</vpcId><routeSet>
    <item><destinationCidrBlock>0.0.0.0/0</destinationCidrBlock><gatewayId>vpce-1</gatewayId><state>active</state></item>
    </routeSet><associationSet><item><subnetId>subnet-fw</subnetId></item></associationSet></item>
</routeTableSet></DescribeRouteTablesResponse>"""

IMAGES = """<DescribeImagesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><imagesSet>
  <item><imageId>ami-debian</imageId><imageOwnerId>136693071363</imageOwnerId>
    <name>debian-12-amd64-20261103-2286</name><platformDetails>Linux/UNIX</platformDetails></item>
  <item><imageId>ami-copy</imageId><imageOwnerId>111111111111</imageOwnerId><name>golden-2026-10</name>
    <description>[Copied ami-debian from us-east-1] Debian 12</description>
    <platformDetails>Linux/UNIX</platformDetails></item>
  <item><imageId>ami-win</imageId><imageOwnerId>801119661308</imageOwnerId><platform>windows</platform>
    <name>Windows_Server-2025-English-Full-Base</name><platformDetails>Windows</platformDetails></item>
</imagesSet></DescribeImagesResponse>"""


def _rows(text: str, name: str) -> list:
    return xmltree.rows(xmltree.parse(text.encode(), "test"), name, "test")


def _networks() -> network.Networks:
    return network.Networks(_rows(SUBNETS, "subnetSet"), _rows(TABLES, "routeTableSet"))


def _evidence(instance: str, region: str = "us-east-1", networks: network.Networks | None = None,
              extra: tuple[str, ...] = ()) -> NodeEvidence:
    page = f"""<?xml version="1.0" encoding="UTF-8"?>
    <DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><reservationSet>
    <item><reservationId>r-1</reservationId><ownerId>111111111111</ownerId><groupSet/><instancesSet><item>{instance}
    </item></instancesSet></item></reservationSet></DescribeInstancesResponse>"""
    shaper = shape.Shaper(region, networks or _networks(), shape.amis(_rows(IMAGES, "imagesSet")), extra)
    (evidence,) = shaper.nodes(_rows(page, "reservationSet"))
    return evidence


def _node(instance: str, **given) -> Node:
    return assemble.node(_evidence(instance, **given), provider="aws", cloud="amazon")


def _nic(subnet: str, ip: str = "10.0.1.5", association: str = "", ipv6: str = "") -> str:
    mapped = f"<association>{association}</association>" if association else ""
    six = f"<ipv6AddressesSet><item><ipv6Address>{ipv6}</ipv6Address></item></ipv6AddressesSet>" if ipv6 else ""
    four = (f"<privateIpAddress>{ip}</privateIpAddress><privateIpAddressesSet><item><privateIpAddress>{ip}"
            f"</privateIpAddress><primary>true</primary>{mapped}</item></privateIpAddressesSet>") if ip else ""
    return (f"<instanceId>i-1</instanceId><networkInterfaceSet><item><subnetId>{subnet}</subnetId><vpcId>vpc-1</vpcId>"
            f"{four}{six}</item></networkInterfaceSet>")


ELASTIC = "<publicIp>203.0.113.7</publicIp><ipOwnerId>111111111111</ipOwnerId>"
LENT = "<publicIp>203.0.113.8</publicIp><ipOwnerId>amazon</ipOwnerId>"

WHOLE = """<instanceId>i-0abc</instanceId><imageId>ami-debian</imageId>
  <instanceState><code>16</code><name>running</name></instanceState><keyName>ops</keyName>
  <instanceType>t4g.small</instanceType><launchTime>2026-05-07T12:34:56.000Z</launchTime>
  <placement><availabilityZone>us-west-2-lax-1a</availabilityZone><tenancy>default</tenancy></placement>
  <groupSet><item><groupId>sg-1</groupId><groupName>web</groupName></item></groupSet>
  <architecture>arm64</architecture><rootDeviceName>/dev/xvda</rootDeviceName>
  <blockDeviceMapping>
    <item><deviceName>/dev/xvda</deviceName><ebs><attachTime>2024-05-07T12:34:57.000Z</attachTime></ebs></item>
    <item><deviceName>/dev/sdb</deviceName><ebs><attachTime>2020-01-01T00:00:00.000Z</attachTime></ebs></item>
  </blockDeviceMapping>
  <tagSet><item><key>Name</key><value>web-1</value></item><item><key>empty</key><value/></item>
    <item><key>trap</key><value>{{ 7*7 }} xmlns="x"</value></item></tagSet>
  <networkInterfaceSet>
    <item><subnetId>subnet-priv</subnetId><vpcId>vpc-1</vpcId><macAddress>02:00:00:00:00:02</macAddress>
      <groupSet><item><groupName>web</groupName></item><item><groupName>backup</groupName></item></groupSet>
      <attachment><deviceIndex>1</deviceIndex><networkCardIndex>0</networkCardIndex>
        <attachTime>2025-01-01T00:00:00.000Z</attachTime></attachment>
      <privateIpAddressesSet><item><privateIpAddress>10.0.2.9</privateIpAddress><primary>false</primary></item>
        <item><privateIpAddress>10.0.2.5</privateIpAddress><primary>true</primary></item></privateIpAddressesSet></item>
    <item><subnetId>subnet-pub</subnetId><vpcId>vpc-1</vpcId><macAddress>02:00:00:00:00:01</macAddress>
      <attachment><deviceIndex>0</deviceIndex><networkCardIndex>0</networkCardIndex>
        <attachTime>2024-05-07T12:34:56.000Z</attachTime></attachment>
      <privateIpAddressesSet><item><privateIpAddress>10.0.1.5</privateIpAddress><primary>true</primary>
        <association><publicIp>203.0.113.7</publicIp><ipOwnerId>111111111111</ipOwnerId></association>
        </item></privateIpAddressesSet>
      <ipv6AddressesSet><item><ipv6Address>2001:db8:1::5</ipv6Address></item></ipv6AddressesSet></item>
  </networkInterfaceSet><cpuOptions><coreCount>2</coreCount><threadsPerCore>1</threadsPerCore></cpuOptions>
  <platformDetails>Linux/UNIX</platformDetails>"""


def test_a_whole_instance_with_two_interfaces() -> None:
    node = _node(WHOLE, region="us-west-2")
    assert (node.id, node.name, node.account, node.state) == ("i-0abc", "web-1", "111111111111", "running")
    assert (node.region, node.zone) == ("us-west-2", "us-west-2-lax-1a")  # a Local Zone's region is no cut-off zone
    assert node.created == "2024-05-07T12:34:56Z"  # when its first interface came, not when it was last started
    assert (node.flavor, node.arch) == ("t4g.small", "aarch64")
    assert node.tags == {"Name": "web-1", "empty": "", "trap": '{{ 7*7 }} xmlns="x"'}
    assert node.security_groups == ("web", "backup")
    assert (node.image.id, node.image.distro, node.image.version) == ("ami-debian", "debian", "12")
    assert node.login_user == "admin"
    assert [interface.mac for interface in node.interfaces] == ["02:00:00:00:00:01", "02:00:00:00:00:02"]
    assert [interface.network for interface in node.interfaces] == ["front", None]
    assert [interface.network_id for interface in node.interfaces] == ["subnet-pub", "subnet-priv"]
    assert [address.ip for address in node.interfaces[1].addresses] == ["10.0.2.5", "10.0.2.9"]
    assert (node.public_ipv4, node.public_ipv6) == ("203.0.113.7", "2001:db8:1::5")
    assert node.public_ip_on_interface is False
    assert (node.private_ip, node.network_domain, node.mtu) == ("10.0.1.5", "vpc:vpc-1", None)
    assert "elastic IP for 10.0.1.5" in node.why.public_ip
    assert "subnet front routes ::/0 to internet gateway igw-1 (rtb-pub)" in node.why.public_ip


@pytest.mark.parametrize(("subnet", "role", "why"), [
    ("subnet-pub", "public", "routes ::/0 to internet gateway igw-1"),
    ("subnet-priv", "private", "has no IPv6 route to an internet gateway (rtb-main)"),
    ("subnet-unlisted", "private", "has no IPv6 route to an internet gateway (rtb-main)"),
    ("subnet-out", "private", "routes ::/0 to egress-only internet gateway eigw-1 (rtb-out), which lets nothing in"),
    ("subnet-hole", "private", "routes ::/0 to internet gateway igw-9 (rtb-hole), but that route is a blackhole"),
    ("subnet-bpa", "private", "is closed to the internet by VPC Block Public Access (block-ingress)"),
])
def test_the_role_of_an_ipv6_address_is_that_of_its_route(subnet: str, role: str, why: str) -> None:
    node = _node(_nic(subnet, ip="", ipv6="2001:db8:1::5"))
    (address,) = node.interfaces[0].addresses
    assert (address.role, node.network_role) == (role, role)
    assert why in address.why
    assert (node.public_ipv6, node.private_ipv6) == (
        ("2001:db8:1::5", None) if role == "public" else (None, "2001:db8:1::5"))


@pytest.mark.parametrize(("ip", "role"), [
    ("fd00:1::5", "private"), ("2001:db8:77::5", "private"), ("2001:db8:78::5", "public")])
def test_ipv6_that_aws_does_not_advertise_is_private_whatever_the_route(ip: str, role: str) -> None:
    node = _node(_nic("subnet-own6", ip="", ipv6=ip))
    assert node.interfaces[0].addresses[0].role == role


def test_without_route_tables_an_ipv6_address_is_neither_called_routed_nor_unrouted() -> None:
    untold = network.Networks(_rows(SUBNETS, "subnetSet"), None)
    evidence = _evidence(_nic("subnet-pub", ipv6="2001:db8:1::5", association=ELASTIC), networks=untold)
    addresses = {address.ip: address for address in evidence.interfaces[0].addresses}
    assert addresses["2001:db8:1::5"].routed is None
    assert addresses["2001:db8:1::5"].routed_why == "subnet front has a route table that could not be read"
    assert addresses["203.0.113.7"].nat_kind == "elastic IP"


@pytest.mark.parametrize(("association", "ip", "kind"), [
    (ELASTIC, "203.0.113.7", "elastic IP"),
    (LENT, "203.0.113.8", "public IP of AWS (auto-assigned)"),
    ("<carrierIp>198.51.100.9</carrierIp><ipOwnerId>amazon</ipOwnerId>", "198.51.100.9", "carrier IP"),
    ("<customerOwnedIp>198.51.100.10</customerOwnedIp>", "198.51.100.10", "customer-owned IP"),
])
def test_a_mapped_address_is_floating_and_says_what_it_is(association: str, ip: str, kind: str) -> None:
    node = _node(_nic("subnet-pub", association=association))
    assert (node.public_ipv4, node.network_role, node.public_ip_on_interface) == (ip, "floating", False)
    assert node.why.public_ip == f"{ip}: {kind} for 10.0.1.5"


def test_a_customer_owned_address_of_the_company_is_external() -> None:
    node = _node(_nic("subnet-pub", association="<customerOwnedIp>172.20.0.10</customerOwnedIp>"))
    assert (node.public_ipv4, node.network_role) == ("172.20.0.10", "external")


def test_an_elastic_ip_in_a_private_subnet_is_floating_and_said_to_be_out_of_reach() -> None:
    node = _node(_nic("subnet-out", association=ELASTIC))
    assert (node.public_ipv4, node.network_role) == ("203.0.113.7", "floating")
    assert ("elastic IP (not reached from outside: subnet subnet-out routes 0.0.0.0/0 to NAT gateway nat-1 (rtb-out), "
            "not to an internet gateway) for 10.0.1.5") in node.why.public_ip


def test_an_elastic_ip_behind_a_firewall_endpoint_is_not_said_to_be_out_of_reach() -> None:
    assert _node(_nic("subnet-fw", association=ELASTIC)).why.public_ip == "203.0.113.7: elastic IP for 10.0.1.5"


def test_an_instance_without_interfaces_still_has_its_addresses() -> None:
    node = _node("<instanceId>i-1</instanceId><privateIpAddress>10.9.9.9</privateIpAddress>"
                 "<ipAddress>203.0.113.7</ipAddress><networkInterfaceSet/>")
    assert (node.public_ipv4, node.private_ipv4, node.network_role) == ("203.0.113.7", "10.9.9.9", "floating")


def test_a_terminated_instance_has_no_address_and_is_being_deleted() -> None:
    node = _node("<instanceId>i-1</instanceId><instanceState><name>terminated</name></instanceState>"
                 "<networkInterfaceSet/><launchTime>2026-05-07T12:34:56.000Z</launchTime>")
    assert (node.state, node.interfaces, node.public_ip, node.name) == ("deleting", (), None, None)
    assert node.created == "2026-05-07T12:34:56Z"


@pytest.mark.parametrize(("theirs", "ours"), [
    ("pending", "pending"), ("running", "running"), ("stopping", "stopping"), ("stopped", "stopped"),
    ("shutting-down", "deleting"), ("hovering", "unknown")])
def test_states(theirs: str, ours: str) -> None:
    assert _evidence(f"<instanceId>i-1</instanceId><instanceState><name>{theirs}</name></instanceState>").state == ours


def test_images_that_are_copied_gone_or_windows() -> None:
    copied = _evidence("<instanceId>i-1</instanceId><imageId>ami-copy</imageId>")
    assert (copied.image.distro, copied.login.image_owner) == ("debian", "111111111111")
    gone = _evidence("<instanceId>i-1</instanceId><imageId>ami-gone</imageId>")
    assert (gone.image.id, gone.image.name, gone.login.image_owner) == ("ami-gone", None, None)
    windows = _evidence("<instanceId>i-1</instanceId><imageId>ami-win</imageId><platform>windows</platform>"
                        "<platformDetails>Windows</platformDetails>")
    assert (windows.login.platform, windows.image.distro) == ("windows", "windows")


def test_fields_asked_for_come_by_their_api_names_and_user_data_never() -> None:
    names = ("KeyName", "cpuOptions", "State", "SecurityGroups", "Nonsense", "UserData", "../x")
    evidence = _evidence(WHOLE + "<userData>c2VjcmV0</userData>", extra=names)
    assert evidence.extra == {
        "KeyName": "ops", "cpuOptions": {"CoreCount": "2", "ThreadsPerCore": "1"},
        "State": {"Code": "16", "Name": "running"}, "SecurityGroups": [{"GroupId": "sg-1", "GroupName": "web"}]}


def test_an_answer_without_its_list_is_an_error_and_an_empty_list_is_not() -> None:
    assert _rows("<DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>", "reservationSet") == []
    for text in ("<DescribeInstancesResponse/>", '{"json": 1}', "<html><body>hello</body></html>", "<a><b>"):
        with pytest.raises(FleetError) as caught:
            _rows(text, "reservationSet")
        assert (caught.value.code, caught.value.transient) == ("bad_answer", True)


def test_only_the_namespace_of_the_root_is_taken_off() -> None:
    root = xmltree.parse(b"<?xml version='1.0'?>\n<a>\n<b xmlns='urn:x'>t xmlns=\"y\"</b></a>", "test")
    assert [(child.tag, child.text) for child in root] == [("{urn:x}b", 't xmlns="y"')]
    assert xmltree.parse(b"<a one='1' xmlns='urn:x'><b/></a>", "test").find("b") is not None
