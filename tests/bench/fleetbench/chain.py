# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which requests had to wait for one another. Pure: the server's log in."""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple


class Request(NamedTuple):
    """One request as the server saw it: begin and end in seconds of one clock, and its name."""

    begun: float
    ended: float
    name: str

    @property
    def cloud(self) -> str:
        """The cloud that was asked."""
        if self.name.startswith("ec2 "):
            return "aws"
        return "gce" if "/compute/v1/" in self.name or self.name == "POST /token" else "openstack"


def sequential(requests: Iterable[Request]) -> int:
    """Requests of the cloud that had to wait longest for one another: what latency multiplies with."""
    by_cloud: dict[str, list[Request]] = {}
    for request in requests:
        by_cloud.setdefault(request.cloud, []).append(request)
    return max(map(_without_overlap, by_cloud.values()), default=0)


def _without_overlap(requests: list[Request]) -> int:
    """Most of them that followed one another. On a busy machine, requests sent together may be among them."""
    count, ended = 0, float("-inf")
    for request in sorted(requests, key=lambda request: request.ended):
        if request.begun >= ended:
            count, ended = count + 1, request.ended
    return count


def longest_list(requests: Iterable[Request]) -> int:
    """Pages of the list of machines that has the most: no reader can do with fewer requests in sequence."""
    lists = ("ec2 DescribeInstances", "GET /nova/v2.1/servers/detail", "/aggregated/instances")
    counts = Counter(request.name for request in requests if request.name.endswith(lists))
    return max(counts.values(), default=0)
