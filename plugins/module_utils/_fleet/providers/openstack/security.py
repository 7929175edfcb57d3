# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The security group of a node: made or brought into line before the node, removed after it."""
from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import FleetError
from ..actions import SecurityRule, part_mark
from .addresses import mark, marks_of
from .offers import Offers
from .refusals import refusal

if TYPE_CHECKING:
    from ..base import Run
    from .region import Region

Row = Mapping[str, Any]

IN_USE = 60.0  # seconds to wait for a removed node's ports to let go of the group
POLL = 1.0  # seconds
_ICMP = ("icmp", "icmpv6", "ipv6-icmp")


class Allowed(NamedTuple):
    """One rule of Neutron for incoming traffic, in a form that can be compared."""

    ethertype: str
    protocol: str
    first: int | None
    last: int | None
    source: str


def group_name(name: str) -> str:
    """Name of the security group of a node."""
    return f"fleet-{name}"


def wanted(rules: Iterable[SecurityRule]) -> set[Allowed]:
    """The rules of Neutron that let this traffic in. Raises FleetError for a source that is no CIDR."""
    found = set()
    for rule in rules:
        first = rule.port if rule.protocol in ("tcp", "udp") else None
        last = (rule.last_port or rule.port) if rule.protocol in ("tcp", "udp") else None
        for source in rule.sources:
            try:
                network = ipaddress.ip_network(source, strict=False)
            except ValueError:
                raise FleetError("make a security group", why=f"'{source}' is not a network in CIDR form",
                                 fix="Correct 'security' of the requirement.", code="refused") from None
            found.add(Allowed(f"IPv{network.version}", rule.protocol, first, last, str(network)))
    return found


def allowed_by(row: Row) -> Allowed | None:
    """What a rule of Neutron lets in; None for one that is not for incoming traffic."""
    if row.get("direction") != "ingress":
        return None
    ethertype = str(row.get("ethertype") or "IPv4")
    protocol = str(row.get("protocol") or "any").lower()
    anywhere = "::/0" if ethertype == "IPv6" else "0.0.0.0/0"
    remote = row.get("remote_group_id") or row.get("remote_address_group_id")
    source = f"group {remote}" if remote else str(row.get("remote_ip_prefix") or anywhere)
    first, last = row.get("port_range_min"), row.get("port_range_max")
    return Allowed(ethertype, "icmp" if protocol in _ICMP else protocol, first, last, source)


def words(rule: Allowed) -> str:
    """For people."""
    ports = "" if rule.first is None else f" {rule.first}" if rule.first == rule.last else f" {rule.first}-{rule.last}"
    return f"{rule.protocol}{ports} from {rule.source}"


def as_row(group_id: str, rule: Allowed, part: str = "") -> dict[str, Any]:
    """The rule as Neutron wants it."""
    protocol = "ipv6-icmp" if (rule.ethertype, rule.protocol) == ("IPv6", "icmp") else rule.protocol
    row: dict[str, Any] = {
        "security_group_id": group_id, "direction": "ingress", "ethertype": rule.ethertype, "protocol": protocol,
        "remote_ip_prefix": rule.source}
    if part:
        row["description"] = part_mark(part)
    if rule.first is not None:
        row.update(port_range_min=rule.first, port_range_max=rule.last)
    return row


class Security:
    """The security groups of nodes in one region."""

    def __init__(self, region: Region, run: Run, offers: Offers, *, sleep: Callable[[float], None] = time.sleep,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._region = region
        self._run = run
        self._offers = offers
        self._sleep = sleep
        self._clock = clock

    def ensure(self, name: str, rules: Sequence[SecurityRule]) -> str:
        """Id of the node's group, which lets in just this traffic; outgoing traffic stays as the cloud's default is."""
        what = f"make security group {group_name(name)}"
        if not self._region.has("network"):
            raise FleetError(what, why="the cloud has no network service", code="refused",
                             fix="Leave 'security' out of the requirement; the cloud's own rules apply then.")
        goal = wanted(rules)
        group = self._one(name) or self._make(name, what)
        present: dict[Allowed, str] = {}
        for row in group.get("security_group_rules") or ():
            rule = allowed_by(row)
            if rule is None:
                continue
            if rule in goal and rule not in present:
                present[rule] = row["id"]
            else:
                self._region.send("DELETE", "network", f"/security-group-rules/{row['id']}", what=what, ok=(404,))
        for rule in sorted(goal - present.keys(), key=str):
            self._add(group["id"], rule, what)
        return str(group["id"])

    def bring(self, name: str, part: str, rules: Sequence[SecurityRule], *, check: bool) -> list[str]:
        """See that the rules of that part of the node's group are these. Words of what changed, or with ``check`` would."""
        what = f"change security group {group_name(name)}"
        group = self._one(name)
        if group is None:
            if rules:
                self._run.warn(f"node {name} has no security group of its own, so nothing was opened for it: the rules of those that it is in hold")
            return []
        there = [(rule, row) for row in group.get("security_group_rules") or () if (rule := allowed_by(row))]
        mine = {rule: row["id"] for rule, row in there if row.get("description") == part_mark(part)}
        goal = wanted(rules)
        add = sorted(goal - {rule for rule, _row in there}, key=str)
        drop = sorted(mine.keys() - goal, key=str)
        for rule in () if check else add:
            self._add(group["id"], rule, what, part)
        for rule in () if check else drop:
            self._region.send("DELETE", "network", f"/security-group-rules/{mine[rule]}", what=what, ok=(404,))
        return [*(f"lets in {words(rule)}" for rule in add), *(f"no longer lets in {words(rule)}" for rule in drop)]

    def _add(self, group_id: str, rule: Allowed, what: str, part: str = "") -> None:
        body = {"security_group_rule": as_row(group_id, rule, part)}
        # sent again it is refused as a double
        status, told = self._region.post("network", "/security-group-rules", body, what=what, ok=(400, 403, 404, 409))
        if status >= 400 and not (status == 409 and "exist" in str(told).lower() and "quota" not in str(told).lower()):
            raise refusal(what, status, told)

    def _make(self, name: str, what: str) -> Row:
        body = {"security_group": {"name": group_name(name), "description": mark(name)}}

        def look() -> tuple[int, dict[str, Any]] | None:
            found = self._one(name)
            return None if found is None else (201, {"security_group": found})

        status, told = self._region.post("network", "/security-groups", body, what=what, ok=(400, 403, 404, 409), look=look)
        if status >= 400:
            raise refusal(what, status, told)
        return self._one(name) or told["security_group"]  # another run may have made one at the same time

    def _one(self, name: str) -> Row | None:
        """The node's group; of several, which runs have made at the same time, the one that all of them choose."""
        return min(self.marked(name), key=lambda row: str(row["id"]), default=None)

    def marked(self, name: str) -> list[dict[str, Any]]:
        """The groups that were made for the node of that name."""
        if not self._region.has("network"):
            return []
        rows = self._offers.listing("network", "/security-groups", "security_groups", {"name": group_name(name)})
        return [row for row in rows if row.get("description") == mark(name)]

    def marks(self) -> set[str]:
        """The nodes that groups were made for."""
        if not self._region.has("network"):
            return set()
        return marks_of(self._offers.listing("network", "/security-groups", "security_groups", {"fields": ["id", "description"]}))

    def remove(self, name: str) -> list[str]:
        """Remove the node's groups; its ports may hold them for a moment. Words of what was removed. Raises FleetError when
        another machine uses one."""
        ends = self._clock() + IN_USE
        removed = []
        for row in self.marked(name):
            what = f"remove security group {row['name']}"
            while True:
                status, told = self._region.send("DELETE", "network", f"/security-groups/{row['id']}", what=what, ok=(404, 409))
                if status != 409:
                    break
                if self._clock() >= ends or self._run.patience.remaining() <= POLL:
                    raise refusal(what, status, told, "Take it off the machine that still uses it, and run again.")
                self._sleep(POLL)
            if status < 400:
                removed.append(f"security group {row['name']}")
        return removed
