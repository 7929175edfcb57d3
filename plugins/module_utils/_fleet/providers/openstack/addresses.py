# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Floating IPs: reuse a free one, else allocate one, and give back what was allocated.

Other runs take addresses at the same time. A free one is taken with If-Match on its revision, so that Neutron lets only one
of them have it; a new one is allocated, marked and attached in one request.
"""
from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ...errors import FleetError
from ..actions import MARK, Order
from .offers import Offers
from .refusals import code_of, refusal, type_of

if TYPE_CHECKING:
    from ..base import Run
    from .region import Region

Row = Mapping[str, Any]

PORT = 60.0  # seconds to wait for a node's port
FREED = 20.0  # seconds to wait for a removed node to let go of its address
POLL = 1.0  # seconds


def mark(name: str) -> str:
    """The description of what Neutron keeps for a node."""
    return f"{MARK}={name}"


def marks_of(rows: Iterable[Row]) -> set[str]:
    """The nodes that those of Neutron's records were made for that are anybody's."""
    told = (str(row.get("description") or "") for row in rows)
    return {text.removeprefix(mark("")) for text in told if text.startswith(mark(""))}


class Addresses:
    """The floating IPs of one region."""

    def __init__(self, region: Region, run: Run, offers: Offers, *, sleep: Callable[[float], None] = time.sleep,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._region = region
        self._run = run
        self._offers = offers
        self._sleep = sleep
        self._clock = clock

    # -- to have one -------------------------------------------------------------------------------------------
    def publish(self, order: Order, node_id: str) -> str | None:
        """See that the node has a floating IP where its order needs one; a word on what was done. Raises FleetError
        (address_pool, quota)."""
        network = order.network
        if order.reachable != "public" or "ipv4" not in order.families or network is None or network.how.get("ipv4") != "floating":
            return None
        what = f"give node {order.name} a floating IP"
        port = self._port(what, node_id, network.id)
        if self._of_port(port["id"]):
            return None
        pools = list(dict.fromkeys(gateway.pool for gateway in self._offers.topology().gateways(network.id)))
        if not pools:
            raise FleetError(what, why=f"no router joins network '{network.name}' to an external network", code="address_pool",
                             fix="Join it by a router with an external gateway, or choose another network.")
        taken = self._reuse(order.name, port, pools, what)
        if taken:
            return f"attached floating IP {taken}, which was free"
        made = self._allocate(order.name, port, pools, what)
        return f"allocated floating IP {made}" if made else None

    def _port(self, what: str, node_id: str, network_id: str) -> Row:
        """The node's port on the network, with its first IPv4 address as "ip". Nova may be making it."""
        ends = self._clock() + PORT
        while True:
            rows = self._offers.listing("network", "/ports", "ports", {"device_id": node_id, "network_id": network_id})
            for row in rows:
                for fixed in row.get("fixed_ips") or ():
                    if ipaddress.ip_address(fixed["ip_address"]).version == 4:
                        return {**row, "ip": fixed["ip_address"]}
            if self._clock() >= ends:
                raise FleetError(what, why=f"the node has no port with an IPv4 address on its network after {PORT:g} s", code="timeout",
                                 fix="Look at the node in the cloud; run again when it has one.")
            self._wait(POLL)

    def _of_port(self, port_id: str) -> list[dict[str, Any]]:
        return self._offers.listing("network", "/floatingips", "floatingips", {"port_id": port_id})

    def _reuse(self, name: str, port: Row, pools: list[str], what: str) -> str | None:
        """Take a free address of these pools; None when there is none left."""
        rows = self._offers.listing("network", "/floatingips", "floatingips", {"floating_network_id": pools})
        free = [row for row in rows if not row.get("port_id") and row.get("floating_network_id") in pools and _may_take(row, name)]
        for row in sorted(free, key=lambda row: (row.get("description") != mark(name), pools.index(row["floating_network_id"]), str(row["id"]))):
            if self._attach(row, port, what):
                return str(row["floating_ip_address"])
            there = self._of_port(port["id"])
            if there:
                return str(there[0]["floating_ip_address"])
        return None

    def _attach(self, row: Row, port: Row, what: str) -> bool:
        """Attach one, unless it has changed since it was looked at."""
        body = {"floatingip": {"port_id": port["id"], "fixed_ip_address": port["ip"]}}
        status, told = self._region.send(
            "PUT", "network", f"/floatingips/{row['id']}", body, what=what, ok=(400, 403, 404, 409, 412),
            headers={"If-Match": f"revision_number={row['revision_number']}"})
        if status in (400, 403):
            raise refusal(what, status, told)
        return status < 400

    def _allocate(self, name: str, port: Row, pools: list[str], what: str) -> str | None:
        """A new address, attached in the same request; None when another run has attached one meanwhile."""
        failure: FleetError | None = None
        for pool in pools:
            body = {"floatingip": {
                "floating_network_id": pool, "port_id": port["id"], "fixed_ip_address": port["ip"], "description": mark(name)}}
            status, told = self._region.post(
                "network", "/floatingips", body, what=what, ok=(400, 403, 404, 409), look=lambda: self._attached(port))
            if status < 400:
                return str(told["floatingip"]["floating_ip_address"])
            if type_of(told) == "FloatingIPPortAlreadyAssociated" or self._of_port(port["id"]):
                return None
            failure = refusal(what, status, told)
            if code_of(status, told) != "address_pool":
                break
        if failure is None:
            raise AssertionError("failure is known here")
        raise failure

    def _attached(self, port: Row) -> tuple[int, dict[str, Any]] | None:
        there = self._of_port(port["id"])
        return (201, {"floatingip": there[0]}) if there else None

    # -- to give back ------------------------------------------------------------------------------------------
    def marked(self, name: str) -> list[dict[str, Any]]:
        """The floating IPs that were allocated for the node of that name."""
        if not self._region.has("network"):
            return []
        rows = self._offers.listing("network", "/floatingips", "floatingips", {"description": mark(name)})
        return [row for row in rows if row.get("description") == mark(name)]

    def marks(self) -> set[str]:
        """The nodes that floating IPs were allocated for."""
        if not self._region.has("network"):
            return set()
        return marks_of(self._offers.listing("network", "/floatingips", "floatingips", {}))

    def release(self, name: str) -> list[str]:
        """Release what was allocated for the node, which is gone; words of what was. One that somebody has attached to
        another machine stays, and the operator is told."""
        ends = self._clock() + FREED
        released: list[str] = []
        while True:
            attached = []
            for row in self.marked(name):
                if row.get("port_id"):
                    attached.append(row)
                elif self._release(row):
                    released.append(f"floating IP {row['floating_ip_address']}")
            if not attached:
                return released
            if self._clock() >= ends:
                for row in attached:
                    self._run.warn(f"floating IP {row['floating_ip_address']} was allocated for node {name}, which is gone, but is "
                                   f"attached to port {row['port_id']}: not released")
                return released
            self._wait(POLL)

    def _release(self, row: Row) -> bool:
        revision = row.get("revision_number")
        status, _told = self._region.send(
            "DELETE", "network", f"/floatingips/{row['id']}", what=f"release floating IP {row['floating_ip_address']}", ok=(404, 412),
            headers={"If-Match": f"revision_number={revision}"} if revision is not None else {})
        return status < 400

    def _wait(self, seconds: float) -> None:
        if seconds >= self._run.patience.remaining():
            raise self._run.patience.out_of_time()
        self._sleep(seconds)


def _may_take(row: Row, name: str) -> bool:
    """Whether a free address is anybody's, or this node's own; without a revision it cannot be taken safely."""
    description = str(row.get("description") or "")
    return row.get("revision_number") is not None and (description == mark(name) or not description.startswith(f"{MARK}="))
