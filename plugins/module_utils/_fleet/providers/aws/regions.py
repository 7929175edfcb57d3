# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which regions the account has, and the plain word when the fleet file names another one."""
from __future__ import annotations

import threading
from collections.abc import Mapping

from ...errors import FleetError
from ..base import Run
from . import faults
from .client import Ec2
from .operations import REGIONS
from .partitions import home_region

MOST_TRIES = 2  # the first region asked may be one that is not enabled; that all wait for more is not worth it
_NOT_OPTED_IN = "not-opted-in"
_PERHAPS_CLOSED = frozenset({"auth", "unreachable", "unavailable", "timeout", "refused"})


class Regions:
    """The account's regions, asked for once. Safe to be used by several threads."""

    def __init__(self, ec2: Ec2, run: Run) -> None:
        self._ec2 = ec2
        self._run = run
        self._lock = threading.Lock()
        self._statuses: Mapping[str, str] = {}
        self._tries = 0

    def enabled(self) -> list[str]:
        """All regions that the account can use. Raises FleetError when that cannot be learned."""
        try:
            self._statuses = self._ask(self._ec2.home, self._run.patience.retries)
        except FleetError as failure:
            if failure.code == "denied":
                failure.fix = f"{failure.fix.rstrip('.')}, or name the regions in 'regions'."
            raise
        return sorted(name for name, status in self._statuses.items() if status != _NOT_OPTED_IN)

    def check(self, region: str) -> None:
        """Raise FleetError when the account's list says that a region is not enabled.

        EC2 refuses the credentials in such a region, but what imitates EC2 may show it as empty. A list that cannot be
        had is no verdict: the permission for it is not needed to read instances.
        """
        with self._lock:
            if not self._statuses and self._tries < MOST_TRIES:
                self._tries += 1
                try:
                    self._statuses = self._ask(region if self._ec2.is_known(region) else home_region(region), 0)
                except FleetError as failure:
                    self._run.note(f"region {region} is not checked against the account's regions: {failure.why}")
        self._judge(region)

    def explain(self, region: str, failure: FleetError) -> FleetError:
        """Why a region could not be read: the failure itself, or that the region is not enabled, which shows as refused
        credentials or, for a name that does not exist, as an unreachable address."""
        if failure.code not in _PERHAPS_CLOSED:
            return failure
        home = home_region(region)
        with self._lock:
            if not self._statuses and home != region:
                try:
                    self._statuses = self._ask(home, 0)
                except FleetError:
                    return failure
        try:
            self._judge(region)
        except FleetError as verdict:
            return verdict
        return failure

    def _ask(self, region: str, retries: int) -> dict[str, str]:
        listed = self._ec2.items(region, REGIONS, {"AllRegions": True}, retries=retries)
        return {item.findtext("regionName", ""): item.findtext("optInStatus", "") for item in listed}

    def _judge(self, region: str) -> None:
        if self._statuses and region not in self._statuses:
            raise faults.region_not_enabled(region, "AWS lists no region of that name")
        if self._statuses.get(region) == _NOT_OPTED_IN:
            raise faults.region_not_enabled(region, "its opt-in status is not-opted-in")
