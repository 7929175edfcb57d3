# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gives a node that has none an external address: a reserved one that is free, else an ephemeral one.

New nodes ask for theirs when they are made. Nothing is reserved here, so nothing is left to be released: an ephemeral
address goes with its node, a reserved one was there before.
"""
from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

from ...errors import FleetError
from ..actions import MARK, Order
from . import api
from .calls import Calls
from .insertion import NAT, NAT6, wants_nat, wants_nat6
from .instances import Instances

Row = Mapping[str, Any]

_TRIES = 10  # reserved addresses tried before an ephemeral one is taken
_NIC = "networkInterfaces(name,networkIP,stackType,fingerprint,accessConfigs,ipv6AccessConfigs)"
_ADDRESSES = {
    "maxResults": str(api.PAGE_SIZE), "filter": 'status = "RESERVED"',
    "fields": "kind,id,nextPageToken,warning,items(name,address,addressType,ipVersion,status,purpose,users,networkTier,labels)"}
_LOST = frozenset({"address_taken", "in_use", "refused", "not_found"})  # somebody was faster


class Addresses:
    """External addresses of the instances of one project."""

    def __init__(self, calls: Calls, instances: Instances) -> None:
        self._calls = calls
        self._instances = instances

    def publish(self, order: Order, node_id: str) -> str | None:
        """What was done, in words; None when nothing had to be."""
        what = f"give node {order.name} an external address"
        path = self._instances.existing(what, node_id)
        nic = self._first_nic(what, node_id)
        done = []
        if wants_nat(order) and nic.get("networkIP") and not nic.get("accessConfigs"):
            done.append(self._attach(what, order.name, node_id, path, str(nic["name"])))
        if wants_nat6(order) and not nic.get("ipv6AccessConfigs"):
            done.append(self._attach_ipv6(what, node_id, path))
        return ", ".join(filter(None, done)) or None

    def _first_nic(self, what: str, node_id: str) -> Row:
        nics = self._instances.get(what, node_id, f"zone,{_NIC}").get("networkInterfaces") or ()
        if not nics:
            raise api.bad_answer(what, f"instance {node_id} has no network interface", transient=False)
        found: Row = nics[0]
        return found

    def _attach(self, what: str, name: str, node_id: str, path: str, nic: str) -> str | None:
        region = path.split("/")[1].rpartition("-")[0]
        free = usable(self._reserved(region), name)[:_TRIES]
        for address in (*free, None):
            config = {**NAT, **({"natIP": address["address"], "networkTier": address.get("networkTier") or "PREMIUM"} if address else {})}
            try:
                self._calls.do("POST", what, f"{path}/addAccessConfig", config, query={"networkInterface": nic})
            except FleetError as failure:
                if failure.code not in _LOST:
                    raise
                if self._first_nic(what, node_id).get("accessConfigs"):
                    return None  # another run gave it one
                if address is None:
                    raise
                continue
            return f"attached reserved address {address['address']} ({address['name']})" if address else "attached an ephemeral IPv4 address"
        raise AssertionError("the last try returns or raises")

    def _reserved(self, region: str) -> list[Row]:
        what = f"list addresses of region {region}"
        read = functools.partial(api.plain, kind="compute#addressList")
        return self._calls.lists.rows(what, self._calls.project, f"regions/{region}/addresses", _ADDRESSES, read)

    def _attach_ipv6(self, what: str, node_id: str, path: str) -> str | None:
        def attempt() -> str | None:
            nic = self._first_nic(what, node_id)  # anew: attaching IPv4 has changed its fingerprint, or another run has
            if nic.get("ipv6AccessConfigs"):
                return None
            stack = "IPV6_ONLY" if nic.get("stackType") == "IPV6_ONLY" else "IPV4_IPV6"
            change = {"stackType": stack, "ipv6AccessConfigs": [NAT6], "fingerprint": nic.get("fingerprint")}
            self._calls.do("PATCH", what, f"{path}/updateNetworkInterface", change, query={"networkInterface": str(nic["name"])})
            return "attached an external IPv6 address"

        return self._calls.rewritten(what, attempt)


def usable(rows: Iterable[Row], name: str) -> list[Row]:
    """The reserved addresses that this node may have: external IPv4, free, not kept for another node or purpose; those kept
    for it first."""
    free = [
        row for row in rows
        if row.get("status") == "RESERVED" and not row.get("users") and not row.get("purpose")
        and row.get("addressType", "EXTERNAL") == "EXTERNAL" and row.get("ipVersion", "IPV4") == "IPV4"
        and (row.get("labels") or {}).get(MARK, name) == name]
    return sorted(free, key=lambda row: (MARK not in (row.get("labels") or {}), row["name"]))
