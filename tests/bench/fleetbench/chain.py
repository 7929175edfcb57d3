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


def sequential(requests: Iterable[Request]) -> int:
    """Most requests that followed one another without overlapping: what latency multiplies with."""
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
