# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Security groups that are made for single nodes."""
from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any
from xml.etree.ElementTree import Element

from ...errors import FleetError
from ..actions import MARK, SecurityRule, part_mark
from ..base import Run
from . import filters, xmltree
from .client import Ec2
from .operations import ALLOW, CREATE_GROUP, DELETE_GROUP, DISALLOW, GROUPS

LET_GO = 90.0  # seconds that the interfaces of a terminated instance may hold its group
LOOKS = 5  # at a group that was made a moment ago, or that two runs change at the same time

Permission = tuple[str, int, int, str]
"""Protocol, first port, last port, CIDR; -1 for all ports or types."""

_PROTOCOLS = {"58": "icmpv6", "6": "tcp", "17": "udp", "1": "icmp"}


def name_of(node: str) -> str:
    """Name of a node's group."""
    return f"fleet-{node}"


class Groups:
    """The groups of nodes in one region."""

    def __init__(self, ec2: Ec2, region: str, run: Run) -> None:
        self._ec2 = ec2
        self._region = region
        self._run = run

    def ensure(self, node: str, vpc: str, rules: Sequence[SecurityRule]) -> str:
        """Id of the node's group in a VPC, with exactly these rules."""
        item = self._find(node, vpc)
        group, has = (item.findtext("groupId", ""), permissions_of(item)) if item is not None else self._create(node, vpc)
        wanted = permissions(rules)
        for _look in range(LOOKS):
            try:
                if wanted - has:
                    self._ec2.ask(self._region, ALLOW, {"GroupId": group, "IpPermissions": as_parameters(wanted - has)})
                if has - wanted:
                    self._ec2.ask(self._region, DISALLOW, {"GroupId": group, "IpPermissions": as_parameters(has - wanted)})
                return group
            except FleetError as failure:
                # one rule that is there already, or not there, refuses all: by another run, or by a request whose answer was lost
                if failure.code not in ("exists", "not_found"):
                    raise
                last = failure
            item = self._wait_for(node, vpc)
            has = permissions_of(item)
        raise last

    def bring(self, node: str, vpc: str, part: str, rules: Sequence[SecurityRule], *, check: bool) -> list[str]:
        """See that the rules of that part of the node's group are these. Words of what changed, or with ``check`` would."""
        item = self._find(node, vpc)
        if item is None:
            if rules:
                self._run.warn(f"node {node} has no security group of its own, so nothing was opened for it: the rules of those that it is in hold")
            return []
        group, mine, goal = item.findtext("groupId", ""), permissions_of(item, part), permissions(rules)
        add, drop = goal - permissions_of(item), mine - goal
        if add and not check:
            self._ec2.ask(self._region, ALLOW, {"GroupId": group, "IpPermissions": as_parameters(add, part)})
        if drop and not check:
            self._ec2.ask(self._region, DISALLOW, {"GroupId": group, "IpPermissions": as_parameters(drop)})
        return [*(f"lets in {words(row)}" for row in sorted(add)), *(f"no longer lets in {words(row)}" for row in sorted(drop))]

    def _find(self, node: str, vpc: str) -> Element | None:
        """The node's group. Raises FleetError when there is one of its name that is not ours."""
        wanted = {"Filters": [filters.exactly("group-name", [name_of(node)]), filters.exactly("vpc-id", [vpc])]}
        item = next(iter(self._ec2.items(self._region, GROUPS, wanted)), None)
        if item is not None and xmltree.tags(item).get(MARK) != node:
            raise FleetError(
                CREATE_GROUP.what, code="exists", fix="Remove it, or choose another name for the node.",
                why=f"there is a security group {name_of(node)} ({item.findtext('groupId')}) that was not made by this collection")
        return item

    def _wait_for(self, node: str, vpc: str) -> Element:
        """A group that was made a moment ago, perhaps not listed at once."""
        for look in range(LOOKS):
            self._run.patience.sleep(min(0.5 * 2**look, self._run.patience.remaining()))
            item = self._find(node, vpc)
            if item is not None:
                return item
        raise FleetError(CREATE_GROUP.what, why=f"{name_of(node)} was made, but AWS does not list it", code="bad_answer", fix="Run again.")

    def _create(self, node: str, vpc: str) -> tuple[str, set[Permission]]:
        tags = [{"Key": MARK, "Value": node}, {"Key": "Name", "Value": name_of(node)}]
        try:
            answer = self._ec2.ask(self._region, CREATE_GROUP, {
                "GroupName": name_of(node), "Description": f"What may reach node {node}", "VpcId": vpc,
                "TagSpecifications": [{"ResourceType": "security-group", "Tags": tags}]})
            return answer.findtext("groupId", ""), set()
        except FleetError as failure:
            if failure.code != "exists":  # by a request whose answer was lost, or by another run
                raise
        item = self._wait_for(node, vpc)
        return item.findtext("groupId", ""), permissions_of(item)

    def marked(self, node: str) -> list[Element]:
        """Groups made for a node, in every VPC."""
        return self._ec2.items(self._region, GROUPS, {"Filters": [filters.exactly(f"tag:{MARK}", [node])]})

    def remove(self, node: str) -> list[str]:
        """Delete them; what was done. The interfaces of a node that is gone hold its group for a while."""
        done = []
        for item in self.marked(node):
            self._delete(item.findtext("groupId", ""))
            done.append(f"security group {item.findtext('groupName')}")
        return done

    def _delete(self, group: str) -> None:
        patience = self._run.patience
        ends = patience.clock() + min(LET_GO, patience.remaining())
        wait = 0.5
        while True:
            try:
                self._ec2.ask(self._region, DELETE_GROUP, {"GroupId": group})
                return
            except FleetError as failure:
                if failure.code == "not_found":
                    return
                if failure.code != "in_use" or patience.clock() + wait >= ends:
                    raise
            patience.sleep(wait)
            wait = min(wait * 2, 8.0)


def permissions(rules: Sequence[SecurityRule]) -> set[Permission]:
    """Rules as EC2 keeps them, one row for each source."""
    rows: set[Permission] = set()
    for rule in rules:
        for source in rule.sources:
            network = ipaddress.ip_network(source)
            protocol = "icmpv6" if rule.protocol == "icmp" and network.version == 6 else rule.protocol
            first = -1 if rule.port is None else rule.port
            last = first if rule.last_port is None else rule.last_port
            rows.add((protocol, first, last, str(network)))
    return rows


def words(row: Permission) -> str:
    """For people."""
    protocol, first, last, cidr = row
    ports = "" if first < 0 else f" {first}" if first == last else f" {first}-{last}"
    return f"{protocol}{ports} from {cidr}"


def permissions_of(item: Element, part: str = "") -> set[Permission]:
    """What a group lets in by address; rules of other kinds (groups, prefix lists) are an operator's own and stay. part: of that one only."""
    rows: set[Permission] = set()
    for row in item.iterfind("ipPermissions/item"):
        told = row.findtext("ipProtocol", "-1")
        ports = int(row.findtext("fromPort") or -1), int(row.findtext("toPort") or -1)
        found = [(one.findtext("cidrIp"), one.findtext("description")) for one in row.iterfind("ipRanges/item")]
        found += [(one.findtext("cidrIpv6"), one.findtext("description")) for one in row.iterfind("ipv6Ranges/item")]
        cidrs = [cidr for cidr, description in found if not part or description == part_mark(part)]
        rows |= {(_PROTOCOLS.get(told, told), *ports, str(ipaddress.ip_network(cidr))) for cidr in cidrs if cidr}
    return rows


def as_parameters(rows: set[Permission], part: str = "") -> list[dict[str, Any]]:
    """Rows as a request takes them, in a lasting order. part: to mark them with."""
    return [_as_parameter(row, {"Description": part_mark(part)} if part else {}) for row in sorted(rows)]


def _as_parameter(row: Permission, mark: dict[str, str]) -> dict[str, Any]:
    protocol, first, last, cidr = row
    ranges: dict[str, Any] = {"Ipv6Ranges": [{"CidrIpv6": cidr, **mark}]} if ":" in cidr else {"IpRanges": [{"CidrIp": cidr, **mark}]}
    return {"IpProtocol": protocol, **({} if protocol == "-1" else {"FromPort": first, "ToPort": last}), **ranges}
