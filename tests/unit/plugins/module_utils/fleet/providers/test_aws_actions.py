# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Making instances, against a server that answers as the worst of days does."""
from __future__ import annotations

import base64
import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.catalog import CatalogFlavor, CatalogImage, CatalogNetwork
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import DEFAULT_STATES, parse_clouds
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.actions import MARK, Actions, Order, SecurityRule, Status
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.aws import faults, launch, spec
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.base import Run
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.retry import Patience
from ansible_collections.hybridops.fleet.tests.unit.plugins.module_utils.fleet.providers.aws_server import (
    Answer,
    FakeAws,
    a_key,
    answer,
    error,
    instance,
    launched,
    listed,
    ordinary,
    reservations,
    tagged,
)

REGION = "us-east-1"
NOW = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
OLD = "2026-01-01T00:00:00.000Z"
NETWORK = CatalogNetwork("subnet-1", "front", {"ipv4": "floating"}, {"ipv4": "assigned"}, extra={"vpc": "vpc-1"})
ORDER = Order("web-1", CatalogImage("ami-1", "debian-12"), CatalogFlavor("t3.small", "t3.small", 2, 2048), NETWORK, "token",
              reachable="public", tags={MARK: "web-1"})
RULES = (SecurityRule(22, 22, "tcp", ("198.51.100.0/24",)),)
NIC = "<networkInterfaceSet><item><networkInterfaceId>eni-1</networkInterfaceId>{}</item></networkInterfaceSet>"
HERE = "<placement><availabilityZone>us-east-1a</availabilityZone></placement>"
NONE = reservations()
DONE = {"RunInstances": [launched(instance("i-new", "pending", launched=NOW))]}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeAws]:
    a_key(monkeypatch, tmp_path)
    fake = FakeAws()
    fake.answers = {**ordinary(), "DescribeInstances": [NONE], **DONE}
    yield fake
    fake.close()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def actions(aws: FakeAws, told: list[str]) -> Actions:
    (cloud,) = parse_clouds({"amazon": {"provider": "aws", "regions": [REGION], "endpoint_url": aws.url}}, "test.nodes.yml")
    run = Run(Patience(time.monotonic() + 60, 2, 60, sleep=lambda seconds: None), frozenset(DEFAULT_STATES), warn=told.append)
    return spec.SPEC.open(cloud, run).actions(REGION)


def asked(aws: FakeAws, action: str) -> list[dict[str, str]]:
    return [row.parameters for row in aws.asked if row.action == action]


def tokens(aws: FakeAws) -> list[str]:
    return [row["ClientToken"] for row in asked(aws, "RunInstances")]


# ------------------------------------------------------------------------------------------------------ create
def test_one_request_with_the_orders_token(aws: FakeAws, actions: Actions) -> None:
    assert actions.create(ORDER) == "i-new"
    assert tokens(aws) == ["token"]
    assert asked(aws, "DescribeInstances")[0]["Filter.1.Name"] == f"tag:{MARK}"


def test_a_living_one_is_returned_and_nothing_asked(aws: FakeAws, actions: Actions) -> None:
    aws.answers["DescribeInstances"] = [reservations(
        instance("i-dead", "terminated", launched=OLD), instance("i-2", "stopped"), instance("i-1", "running", launched="2026-11-28T03:00:00.000Z"))]
    assert actions.create(ORDER) == "i-1"
    assert tokens(aws) == []


def test_names_hold_no_wildcards(aws: FakeAws, actions: Actions) -> None:
    actions.create(dataclasses.replace(ORDER, name="web*", tags={MARK: "web*"}))
    assert asked(aws, "DescribeInstances")[0]["Filter.1.Value.1"] == "web\\*"


@pytest.mark.parametrize("failure", [error("InternalError", 500), error("RequestLimitExceeded", 503), Answer(drop=True)])
def test_the_same_request_again_after_a_passing_failure(aws: FakeAws, actions: Actions, failure: Answer) -> None:
    aws.answers["RunInstances"] = [failure, *DONE["RunInstances"]]
    assert actions.create(ORDER) == "i-new"
    first, second = asked(aws, "RunInstances")
    assert first == second


def test_known_dead_ones_salt_the_token(aws: FakeAws, actions: Actions) -> None:
    second = launch.salted("token", "i-1")
    aws.answers["DescribeInstances"] = [reservations(
        instance("i-2", "terminated", second, OLD), instance("i-1", "shutting-down", "token", OLD), instance("i-0", "terminated", "another", OLD)),
        NONE]
    assert actions.create(ORDER) == "i-new"
    assert tokens(aws) == [launch.salted(second, "i-2")]


def test_dead_ones_that_only_the_answer_names_salt_the_token_alike(aws: FakeAws, actions: Actions) -> None:
    aws.answers["RunInstances"] = [
        launched(instance("i-1", "terminated", launched=OLD)),
        launched(instance("i-2", "pending", launched=OLD)),  # a stale answer: the instance is not listed any more
        launched(instance("i-3", "running", launched=NOW)),
        *DONE["RunInstances"]]
    dead = reservations(instance("i-3", "shutting-down", launched=NOW))
    aws.answers["DescribeInstances"] = [NONE, NONE, dead, NONE]
    assert actions.create(ORDER) == "i-new"
    second = launch.salted("token", "i-1")
    third = launch.salted(second, "i-2")
    assert tokens(aws) == ["token", second, third, launch.salted(third, "i-3")]


def test_an_end_to_the_chain(aws: FakeAws, actions: Actions) -> None:
    aws.answers["RunInstances"] = [launched(instance("i-1", "terminated", launched=OLD))]
    with pytest.raises(FleetError) as refused:
        actions.create(ORDER)
    assert "i-1" in refused.value.why


def test_a_used_token_with_other_settings_returns_what_it_made(aws: FakeAws, actions: Actions) -> None:
    aws.answers["RunInstances"] = [error("IdempotentParameterMismatch")]
    aws.answers["DescribeInstances"] = [NONE, NONE, NONE, reservations(instance("i-theirs", "pending"))]
    assert actions.create(ORDER) == "i-theirs"
    assert tokens(aws) == ["token"]


def test_a_used_token_with_other_settings_whose_instance_is_dead(aws: FakeAws, actions: Actions) -> None:
    aws.answers["RunInstances"] = [error("IdempotentParameterMismatch"), *DONE["RunInstances"]]
    aws.answers["DescribeInstances"] = [NONE, reservations(instance("i-1", "terminated", "token")), NONE]
    assert actions.create(ORDER) == "i-new"
    assert tokens(aws) == ["token", launch.salted("token", "i-1")]


def test_a_used_token_with_other_settings_that_nobody_remembers(aws: FakeAws, actions: Actions) -> None:
    aws.answers["RunInstances"] = [error("IdempotentParameterMismatch"), *DONE["RunInstances"]]
    assert actions.create(ORDER) == "i-new"
    first, second = tokens(aws)
    assert first != second
    aws.answers["RunInstances"] = [error("IdempotentParameterMismatch")]
    with pytest.raises(FleetError) as refused:
        actions.create(ORDER)
    assert refused.value.code == "mismatch"
    assert tokens(aws)[2:] == [first, second]


def test_an_image_that_is_gone(aws: FakeAws, actions: Actions) -> None:
    aws.answers["DescribeImages"] = [listed("DescribeImages", "imagesSet")]
    with pytest.raises(FleetError) as refused:
        actions.create(dataclasses.replace(ORDER, rules=RULES))
    assert refused.value.code == "image_gone"
    assert not {"RunInstances", "CreateSecurityGroup"} & {row.action for row in aws.asked}


def test_a_group_that_is_not_known_everywhere_yet(aws: FakeAws, actions: Actions) -> None:
    aws.answers["RunInstances"] = [error("InvalidGroup.NotFound"), error("InvalidGroup.NotFound"), *DONE["RunInstances"]]
    assert actions.create(ORDER) == "i-new"


def test_a_missing_key(aws: FakeAws, actions: Actions) -> None:
    aws.answers["RunInstances"] = [error("InvalidKeyPair.NotFound")]
    with pytest.raises(FleetError) as refused:
        actions.create(dataclasses.replace(ORDER, key_name="k"))
    assert refused.value.code == "refused"
    assert "ssh_key" in refused.value.fix


@pytest.mark.parametrize(("code", "status", "meaning"), [
    ("InsufficientInstanceCapacity", 500, "capacity"), ("Unsupported", 400, "capacity"), ("InsufficientFreeAddressesInSubnet", 400, "capacity"),
    ("VcpuLimitExceeded", 400, "quota"), ("InstanceLimitExceeded", 400, "quota"), ("VolumeLimitExceeded", 400, "quota"),
    ("InvalidAMIID.NotFound", 400, "image_gone"), ("InvalidAMIID.Unavailable", 400, "image_gone"), ("AddressLimitExceeded", 400, "address_pool"),
    ("InsufficientAddressCapacity", 500, "address_pool"), ("UnauthorizedOperation", 403, "denied"), ("InvalidParameterValue", 400, "refused"),
    ("RequestLimitExceeded", 503, "throttled"), ("Unavailable", 503, "unavailable"), ("DependencyViolation", 400, "in_use")])
def test_what_errors_mean(code: str, status: int, meaning: str) -> None:
    failure = faults.from_answer("make the instance", "ec2:RunInstances", REGION, code, "As told.", status)
    assert (failure.code, failure.transient) == (meaning, meaning in ("throttled", "unavailable"))
    assert failure.fix
    assert f"{code}: As told." in failure.why


def test_the_permission_that_lacks_is_named() -> None:
    said = "You are not authorized to perform this operation. User: arn:x is not authorized to perform: ec2:CreateTags on resource: y"
    assert "ec2:CreateTags" in faults.from_answer("w", "ec2:RunInstances", REGION, "UnauthorizedOperation", said, 403).fix
    assert "ec2:RunInstances" in faults.from_answer("w", "ec2:RunInstances", REGION, "UnauthorizedOperation", "No.", 403).fix


def test_one_that_was_renamed_is_not_the_node_any_more(aws: FakeAws, actions: Actions) -> None:
    renamed = reservations(instance("i-1", "running", "token", called="precious"))
    aws.answers["DescribeInstances"] = [renamed, NONE]
    assert actions.create(ORDER) == "i-new"
    assert tokens(aws) == [launch.salted("token", "i-1")]


def test_a_renamed_one_that_only_the_answer_names(aws: FakeAws, actions: Actions) -> None:
    aws.answers["RunInstances"] = [launched(instance("i-1", launched=OLD)), *DONE["RunInstances"]]
    aws.answers["DescribeInstances"] = [NONE, reservations(instance("i-1", "running", "token", called="precious")), NONE]
    assert actions.create(ORDER) == "i-new"
    assert tokens(aws) == ["token", launch.salted("token", "i-1")]


# ------------------------------------------------------------------------------------------- confirm and status
def test_one_of_another_name_that_got_the_mark_by_a_copy_is_never_ended(aws: FakeAws, actions: Actions) -> None:
    aws.answers["DescribeInstances"] = [reservations(
        instance("i-2", launched="2026-11-28T04:00:00.000Z"), instance("i-1", launched="2026-11-28T03:00:00.000Z", called="precious"))]
    assert actions.confirm(ORDER, "i-2") == "i-2"
    assert aws.count("TerminateInstances") == 0


def test_of_two_the_one_made_first_counts(aws: FakeAws, actions: Actions) -> None:
    early = ("<rootDeviceName>/dev/xvda</rootDeviceName><blockDeviceMapping><item><deviceName>/dev/xvda</deviceName><ebs><attachTime>{}</attachTime>"
             "</ebs></item></blockDeviceMapping>")
    aws.answers["DescribeInstances"] = [reservations(
        instance("i-2", launched="2026-11-28T04:00:00.000Z"),
        # started again later, but made before
        instance("i-1", launched="2026-11-28T05:00:00.000Z", inside=early.format("2026-11-28T03:00:00.000Z")),
        instance("i-0", "terminated", launched=OLD))]
    aws.answers["TerminateInstances"] = [answer("TerminateInstances")]
    assert actions.confirm(ORDER, "i-2") == "i-1"
    assert [row["InstanceId.1"] for row in asked(aws, "TerminateInstances")] == ["i-2"]
    aws.answers["DescribeInstances"] = [reservations(instance("i-1"))]
    assert actions.confirm(ORDER, "i-1") == "i-1"
    aws.answers["DescribeInstances"] = [NONE]
    assert actions.confirm(ORDER, "i-1") == "i-1"
    assert aws.count("TerminateInstances") == 1


REASON = "<stateReason><code>{}</code><message>{}</message></stateReason>"


def test_where_nodes_stand(aws: FakeAws, actions: Actions) -> None:
    aws.answers["DescribeInstances"] = [NONE, NONE, reservations(
        instance("i-new", "terminated", inside=REASON.format("Client.InternalError", "the key of the disk may not be used")),
        instance("i-2", "terminated", inside=REASON.format("Client.InternalError", "not made here")),
        instance("i-3", "terminated", inside=REASON.format("Client.UserInitiatedShutdown", "x")),
        instance("i-4", "shutting-down"), instance("i-5", "pending"), instance("i-6", "stopped"))]
    actions.create(ORDER)
    found = actions.status(["i-new", "i-2", "i-3", "i-4", "i-5", "i-6", "i-7"])
    assert found == {
        "i-new": Status("error", "the key of the disk may not be used"), "i-4": Status("deleting", doing="shutting-down"),
        "i-5": Status("pending", doing="pending"), "i-6": Status("stopped", doing="stopped")}
    aws.answers["TerminateInstances"] = [answer("TerminateInstances")]
    actions.delete("i-new")
    assert "i-new" not in actions.status(["i-new"])


def test_many_are_asked_for_in_few_requests(aws: FakeAws, actions: Actions) -> None:
    assert actions.status([f"i-{number}" for number in range(401)]) == {}
    assert aws.count("DescribeInstances") == 3
    assert actions.status([]) == {}
    assert aws.count("DescribeInstances") == 3


# ----------------------------------------------------------------------------------------------------- publish
def address(number: int, attached: str = "", **tags: str) -> str:
    return (f"<publicIp>203.0.113.{number}</publicIp><allocationId>eipalloc-{number}</allocationId>"
            + (f"<associationId>eipassoc-{number}</associationId>{attached}" if attached else "") + tagged(**tags))


def addresses(*rows: str) -> Answer:
    return listed("DescribeAddresses", "addressesSet", *rows)


BARE = reservations(instance("i-1", inside=NIC.format("") + HERE))
ATTACHED = answer("AssociateAddress", "<associationId>eipassoc-9</associationId>")
ALLOCATED = answer("AllocateAddress", "<publicIp>203.0.113.9</publicIp><allocationId>eipalloc-9</allocationId>")


def test_a_node_that_has_its_address_is_left_alone(aws: FakeAws, actions: Actions) -> None:
    aws.answers["DescribeInstances"] = [reservations(instance("i-1", inside=NIC.format(
        "<association><publicIp>203.0.113.1</publicIp></association>")))]
    assert actions.publish(ORDER, "i-1") is None
    assert actions.publish(dataclasses.replace(ORDER, reachable="private"), "i-1") is None
    assert actions.publish(dataclasses.replace(ORDER, reachable="any"), "i-1") is None


def test_a_free_address_of_nobody_is_taken_without_taking_it_away(aws: FakeAws, actions: Actions) -> None:
    aws.answers["DescribeInstances"] = [BARE]
    aws.answers["DescribeAddresses"] = [addresses(
        address(1, fleet_node="web-2"), address(2, "<instanceId>i-9</instanceId>"),
        address(3) + "<networkBorderGroup>us-east-1-bos-1</networkBorderGroup>",
        address(4), address(5))]
    aws.answers["AssociateAddress"] = [ATTACHED]
    assert actions.publish(ORDER, "i-1") == "attached free elastic IP 203.0.113.4"
    (row,) = asked(aws, "AssociateAddress")
    assert (row["AllocationId"], row["NetworkInterfaceId"], row["AllowReassociation"]) == ("eipalloc-4", "eni-1", "false")


def test_the_nodes_own_free_address_first(aws: FakeAws, actions: Actions) -> None:
    aws.answers["DescribeInstances"] = [BARE]
    aws.answers["DescribeAddresses"] = [addresses(address(4), address(5, fleet_node="web-1"))]
    aws.answers["AssociateAddress"] = [ATTACHED]
    assert "203.0.113.5" in str(actions.publish(ORDER, "i-1"))


def test_an_address_that_another_run_takes_first(aws: FakeAws, actions: Actions) -> None:
    aws.answers["DescribeInstances"] = [BARE]
    aws.answers["DescribeAddresses"] = [addresses(address(4), address(5)), addresses(address(4, "<networkInterfaceId>eni-2</networkInterfaceId>")),
                                        addresses()]
    aws.answers["AssociateAddress"] = [error("Resource.AlreadyAssociated"), ATTACHED]
    assert "203.0.113.5" in str(actions.publish(ORDER, "i-1"))


def test_another_run_gave_the_node_its_address(aws: FakeAws, actions: Actions) -> None:
    aws.answers["DescribeInstances"] = [BARE]
    mine = address(7, "<networkInterfaceId>eni-1</networkInterfaceId>")
    aws.answers["DescribeAddresses"] = [addresses(), addresses(address(9)), addresses(mine)]
    aws.answers["AllocateAddress"] = [ALLOCATED]
    aws.answers["AssociateAddress"] = [error("Resource.AlreadyAssociated")]
    aws.answers["ReleaseAddress"] = [answer("ReleaseAddress")]
    assert actions.publish(ORDER, "i-1") is None
    assert [row["AllocationId"] for row in asked(aws, "ReleaseAddress")] == ["eipalloc-9"]


def test_allocated_with_the_mark(aws: FakeAws, actions: Actions) -> None:
    aws.answers["DescribeInstances"] = [BARE]
    aws.answers["DescribeAddresses"] = [addresses()]
    aws.answers["AllocateAddress"] = [ALLOCATED]
    aws.answers["AssociateAddress"] = [ATTACHED]
    assert actions.publish(ORDER, "i-1") == "allocated elastic IP 203.0.113.9"
    (row,) = asked(aws, "AllocateAddress")
    assert (row["TagSpecification.1.ResourceType"], row["TagSpecification.1.Tag.1.Key"], row["TagSpecification.1.Tag.1.Value"]) == (
        "elastic-ip", MARK, "web-1")
    assert "NetworkBorderGroup" not in row


def test_addresses_of_a_local_zone_are_its_own(aws: FakeAws, actions: Actions) -> None:
    aws.answers["DescribeInstances"] = [reservations(instance("i-1", inside=NIC.format("") + HERE.replace("1a<", "1-bos-1a<")))]
    aws.answers["DescribeAvailabilityZones"] = [listed(
        "DescribeAvailabilityZones", "availabilityZoneInfo",
        "<zoneName>us-east-1-bos-1a</zoneName><networkBorderGroup>us-east-1-bos-1</networkBorderGroup>")]
    aws.answers["DescribeAddresses"] = [addresses(address(4) + "<networkBorderGroup>us-east-1</networkBorderGroup>")]
    aws.answers["AllocateAddress"] = [ALLOCATED]
    aws.answers["AssociateAddress"] = [ATTACHED]
    assert "203.0.113.9" in str(actions.publish(ORDER, "i-1"))
    assert asked(aws, "AllocateAddress")[0]["NetworkBorderGroup"] == "us-east-1-bos-1"


def test_an_allocation_whose_answer_is_lost_is_found_again(aws: FakeAws, actions: Actions) -> None:
    aws.answers["DescribeInstances"] = [BARE]
    aws.answers["DescribeAddresses"] = [addresses(), addresses(address(8, fleet_node="web-1"))]
    aws.answers["AllocateAddress"] = [Answer(drop=True)]
    aws.answers["AssociateAddress"] = [ATTACHED]
    assert actions.publish(ORDER, "i-1") == "allocated elastic IP 203.0.113.8"
    assert aws.count("AllocateAddress") == 1


def test_an_address_that_cannot_be_attached_is_given_back(aws: FakeAws, actions: Actions) -> None:
    aws.answers["DescribeInstances"] = [BARE]
    aws.answers["DescribeAddresses"] = [addresses()]
    aws.answers["AllocateAddress"] = [ALLOCATED]
    aws.answers["AssociateAddress"] = [error("Gateway.NotAttached")]
    aws.answers["ReleaseAddress"] = [answer("ReleaseAddress")]
    with pytest.raises(FleetError) as refused:
        actions.publish(ORDER, "i-1")
    assert "Gateway.NotAttached" in refused.value.why
    assert aws.count("ReleaseAddress") == 1


def test_ipv6_where_the_order_wants_it(aws: FakeAws, actions: Actions) -> None:
    aws.answers["DescribeInstances"] = [BARE]
    aws.answers["AssignIpv6Addresses"] = [answer("AssignIpv6Addresses")]
    six = dataclasses.replace(ORDER, families=("ipv6",))
    assert actions.publish(six, "i-1") == "assigned an IPv6 address"
    assert asked(aws, "AssignIpv6Addresses")[0]["NetworkInterfaceId"] == "eni-1"
    has = reservations(instance("i-1", inside=NIC.format("<ipv6AddressesSet><item><ipv6Address>2001:db8::1</ipv6Address></item></ipv6AddressesSet>")))
    aws.answers["DescribeInstances"] = [BARE, has]
    aws.answers["AssignIpv6Addresses"] = [Answer(drop=True)]
    assert actions.publish(six, "i-1") == "assigned an IPv6 address"
    assert aws.count("AssignIpv6Addresses") == 2


# ------------------------------------------------------------------------------------------------------- clean
GROUP = "<groupId>sg-1</groupId><groupName>fleet-web-1</groupName>" + tagged(fleet_node="web-1")


def group(*rows: str) -> Answer:
    return listed("DescribeSecurityGroups", "securityGroupInfo", *rows)


@pytest.fixture
def remains(aws: FakeAws) -> FakeAws:
    """What a dead node has left: an address, a group that is still held, a volume."""
    aws.answers |= {
        "DescribeAddresses": [addresses(address(4, fleet_node="web-1"))], "ReleaseAddress": [answer("ReleaseAddress")],
        "DescribeSecurityGroups": [group(GROUP)], "DeleteSecurityGroup": [error("DependencyViolation"), answer("DeleteSecurityGroup")],
        "DescribeVolumes": [listed("DescribeVolumes", "volumeSet", "<volumeId>vol-1</volumeId>")], "DeleteVolume": [answer("DeleteVolume")]}
    return aws


def test_what_a_node_left_is_removed(remains: FakeAws, actions: Actions) -> None:
    words = ["elastic IP 203.0.113.4", "security group fleet-web-1", "volume vol-1"]
    assert actions.leftovers("web-1") == words
    assert not {"ReleaseAddress", "DeleteSecurityGroup", "DeleteVolume"} & {row.action for row in remains.asked}
    assert actions.clean("web-1") == words
    assert remains.count("DeleteSecurityGroup") == 2
    for action in ("DescribeAddresses", "DescribeSecurityGroups", "DescribeVolumes"):
        assert all((row["Filter.1.Name"], row["Filter.1.Value.1"]) == (f"tag:{MARK}", "web-1") for row in asked(remains, action))


def test_what_is_gone_by_then_is_no_failure(remains: FakeAws, actions: Actions) -> None:
    remains.answers |= {"ReleaseAddress": [error("InvalidAllocationID.NotFound")], "DeleteSecurityGroup": [error("InvalidGroup.NotFound")],
                        "DeleteVolume": [error("InvalidVolume.NotFound")]}
    actions.clean("web-1")


def test_an_address_that_was_moved_to_another_machine_stays(remains: FakeAws, actions: Actions, told: list[str]) -> None:
    remains.answers["DescribeAddresses"] = [addresses(address(4, "<instanceId>i-9</instanceId>", fleet_node="web-1"))]
    assert actions.clean("web-1") == ["security group fleet-web-1", "volume vol-1"]
    assert "i-9" in told[0]
    assert remains.count("ReleaseAddress") == 0


def test_an_address_of_a_renamed_node_stays(remains: FakeAws, actions: Actions, told: list[str]) -> None:
    remains.answers["DescribeAddresses"] = [addresses(address(4, "<instanceId>i-1</instanceId>", fleet_node="web-1"))]
    remains.answers["DescribeInstances"] = [reservations(instance("i-1", called="precious"))]
    assert actions.clean("web-1") == ["security group fleet-web-1", "volume vol-1"]
    assert "i-1" in told[0]
    assert remains.count("ReleaseAddress") == 0


def test_whose_things_there_are(remains: FakeAws, actions: Actions) -> None:
    marked = {name: instance(f"i-{name}", state, inside=tagged(fleet_node=f"x*{name}")) for name, state in (
        ("live", "running"), ("off", "stopped"), ("dead", "terminated"), ("ending", "shutting-down"))}
    remains.answers |= {
        "DescribeInstances": [reservations(*marked.values())],
        "DescribeAddresses": [addresses(address(4, fleet_node="x*address"), address(5))],
        "DescribeSecurityGroups": [group("<groupId>sg-2</groupId>" + tagged(fleet_node="x*group"))],
        "DescribeVolumes": [listed("DescribeVolumes", "volumeSet", "<volumeId>vol-1</volumeId><status>available</status>" + tagged(
            fleet_node="x*volume"), "<volumeId>vol-2</volumeId><status>in-use</status>" + tagged(fleet_node="x*going"))],
        "DescribeKeyPairs": [listed("DescribeKeyPairs", "keySet", "<keyName>k</keyName>" + tagged(fleet_node="x*key"), "<keyName>x*theirs</keyName>",
                                    "<keyName>l</keyName>" + tagged(fleet_node="y"))]}
    assert actions.marked("x*") == {"x*live", "x*off", "x*address", "x*group", "x*volume", "x*key"}
    for action in ("DescribeInstances", "DescribeAddresses", "DescribeSecurityGroups", "DescribeVolumes", "DescribeKeyPairs"):
        (request,) = asked(remains, action)
        assert (request["Filter.1.Name"], request["Filter.1.Value.1"]) == (f"tag:{MARK}", "x\\**"), "a star of the name is no wildcard"


# ------------------------------------------------------------------------------------------------------ groups
def test_rules_that_are_missing_are_added_and_others_removed(aws: FakeAws, actions: Actions) -> None:
    open_to_all = ("<ipPermissions><item><ipProtocol>tcp</ipProtocol><fromPort>80</fromPort><toPort>80</toPort><ipRanges><item><cidrIp>0.0.0.0/0"
                   "</cidrIp></item></ipRanges></item></ipPermissions>")
    aws.answers |= {"DescribeSecurityGroups": [group(GROUP + open_to_all)],
                    "AuthorizeSecurityGroupIngress": [answer("AuthorizeSecurityGroupIngress")],
                    "RevokeSecurityGroupIngress": [answer("RevokeSecurityGroupIngress")]}
    actions.create(dataclasses.replace(ORDER, rules=RULES))
    (added,), (removed,) = asked(aws, "AuthorizeSecurityGroupIngress"), asked(aws, "RevokeSecurityGroupIngress")
    assert (added["IpPermissions.1.FromPort"], added["IpPermissions.1.IpRanges.1.CidrIp"]) == ("22", "198.51.100.0/24")
    assert (removed["IpPermissions.1.FromPort"], removed["IpPermissions.1.IpRanges.1.CidrIp"]) == ("80", "0.0.0.0/0")
    assert asked(aws, "RunInstances")[0]["NetworkInterface.1.SecurityGroupId.1"] == "sg-1"


def test_a_group_of_that_name_that_is_not_ours(aws: FakeAws, actions: Actions) -> None:
    aws.answers["DescribeSecurityGroups"] = [group("<groupId>sg-9</groupId>")]
    with pytest.raises(FleetError) as refused:
        actions.create(dataclasses.replace(ORDER, rules=RULES))
    assert refused.value.code == "exists"
    assert "sg-9" in refused.value.why
    assert {row.action for row in aws.asked} <= {"DescribeInstances", "DescribeImages", "DescribeSecurityGroups"}


def test_a_group_that_another_run_makes_and_fills_meanwhile(aws: FakeAws, actions: Actions) -> None:
    filled = GROUP + ("<ipPermissions><item><ipProtocol>tcp</ipProtocol><fromPort>22</fromPort><toPort>22</toPort><ipRanges><item><cidrIp>"
                      "198.51.100.0/24</cidrIp></item></ipRanges></item></ipPermissions>")
    aws.answers |= {"DescribeSecurityGroups": [group(), group(), group(GROUP), group(filled)],
                    "CreateSecurityGroup": [error("InvalidGroup.Duplicate")],
                    "AuthorizeSecurityGroupIngress": [error("InvalidPermission.Duplicate")]}
    assert actions.create(dataclasses.replace(ORDER, rules=RULES)) == "i-new"
    assert aws.count("AuthorizeSecurityGroupIngress") == 1


# -------------------------------------------------------------------------------------------------------- keys
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHUfUIVOO4h0mGWlGpzhBnxvJHFBcZ7dFEKlcbcZ1Xyz"


def key(line: str) -> Answer:
    return listed("DescribeKeyPairs", "keySet", f"<keyName>k</keyName><keyFingerprint>f</keyFingerprint><publicKey>{line}\n</publicKey>")


def test_keys(aws: FakeAws, actions: Actions) -> None:
    aws.answers |= {"ImportKeyPair": [answer("ImportKeyPair"), error("InvalidKeyPair.Duplicate")], "DescribeKeyPairs": [key(f"{KEY} k")],
                    "DeleteKeyPair": [answer("DeleteKeyPair")]}
    actions.add_key("k", f"{KEY} me@here")
    assert base64.b64decode(asked(aws, "ImportKeyPair")[0]["PublicKeyMaterial"]).decode() == f"{KEY} me@here"
    actions.add_key("k", f"{KEY} me@there")
    with pytest.raises(FleetError) as refused:
        actions.add_key("k", KEY.replace("IHUf", "IHUg"))
    assert refused.value.code == "key_differs"
    found = actions.find_key("k")
    assert found is not None
    assert (found.name, found.fingerprint, found.public_key) == ("k", "f", f"{KEY} k")
    assert actions.remove_key("k")
    aws.answers["DescribeKeyPairs"] = [listed("DescribeKeyPairs", "keySet")]
    assert actions.find_key("k") is None
    assert not actions.remove_key("k")
    assert aws.count("DeleteKeyPair") == 1


# ------------------------------------------------------------------------------------------- power, tags, console
@pytest.mark.parametrize(("action", "state", "outcome"), [
    ("start", "stopped", True), ("start", "running", False), ("start", "pending", False), ("start", "stopping", "wrong_state"),
    ("stop", "running", True), ("stop", "stopped", False), ("stop", "stopping", False), ("stop", "terminated", "wrong_state"),
    ("reboot", "running", True), ("reboot", "stopped", "wrong_state")])
def test_power(aws: FakeAws, actions: Actions, action: str, state: str, outcome: Any) -> None:
    call = f"{action.title()}Instances"
    aws.answers |= {"DescribeInstances": [reservations(instance("i-1", state))], call: [answer(call)]}
    if isinstance(outcome, str):
        with pytest.raises(FleetError) as refused:
            actions.power("i-1", action)
        assert refused.value.code == outcome
        assert state in refused.value.why
    else:
        assert actions.power("i-1", action) is outcome
    assert aws.count(call) == (outcome is True)


def test_reboot_answers_without_a_body(aws: FakeAws, actions: Actions) -> None:
    aws.answers |= {"DescribeInstances": [reservations(instance("i-1"))],
                    "RebootInstances": [Answer('<RebootInstancesResponse xmlns="x"><return>true</return></RebootInstancesResponse>')]}
    assert actions.power("i-1", "reboot")


def test_tags(aws: FakeAws, actions: Actions) -> None:
    aws.answers |= {"DescribeInstances": [reservations(instance("i-1", inside=tagged(role="web", old="1")))],
                    "CreateTags": [answer("CreateTags")], "DeleteTags": [answer("DeleteTags")]}
    assert not actions.tag("i-1", {"role": "web", "none": None})
    assert actions.tag("i-1", {"role": "db", "env": "lab", "old": None})
    (put,), (drop,) = asked(aws, "CreateTags"), asked(aws, "DeleteTags")
    assert {put["Tag.1.Key"]: put["Tag.1.Value"], put["Tag.2.Key"]: put["Tag.2.Value"]} == {"role": "db", "env": "lab"}
    assert drop["Tag.1.Key"] == "old"
    assert "Tag.1.Value" not in drop
    with pytest.raises(FleetError):
        actions.adapted_tags({"aws:x": "1"})
    assert actions.adapted_tags({"Role": "Web"}) == {"Role": "Web"}


CONSOLE = f"boot\n-----BEGIN SSH HOST KEY KEYS-----\n{KEY} root@web-1\n-----END SSH HOST KEY KEYS-----\n"


@pytest.mark.parametrize(("outputs", "keys"), [
    ([CONSOLE], (KEY,)), ([None, CONSOLE], (KEY,)), (["boot\n"], None), ([""], None)])
def test_host_keys_from_the_console(aws: FakeAws, actions: Actions, outputs: list[str | None], keys: tuple[str, ...] | None) -> None:
    aws.answers["GetConsoleOutput"] = [
        error("UnsupportedOperation") if output is None else
        answer("GetConsoleOutput", f"<output>{base64.b64encode(output.encode()).decode()}</output>") for output in outputs]
    assert actions.host_keys("i-1") == keys
    assert asked(aws, "GetConsoleOutput")[0]["Latest"] == "true"


def test_the_end_of_a_node(aws: FakeAws, actions: Actions) -> None:
    aws.answers["TerminateInstances"] = [error("InvalidInstanceID.NotFound"), error("OperationNotPermitted")]
    actions.delete("i-1")
    with pytest.raises(FleetError) as refused:
        actions.delete("i-1")
    assert "protection" in refused.value.fix
