# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which nodes anything in a region was made for, told by the mark in its tags."""
from __future__ import annotations

import functools
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from ..actions import MARK
from ..base import together
from . import filters, instances, xmltree
from .client import Ec2
from .operations import ADDRESSES, GROUPS, INSTANCES, KEY_PAIRS, VOLUMES, Operation

_KINDS = (INSTANCES, ADDRESSES, GROUPS, VOLUMES, KEY_PAIRS)


def beginning(ec2: Ec2, region: str, prefix: str) -> set[str]:
    """The marks that begin so. Each kind is listed by itself: one list of all tags (DescribeTags) would go on telling those of
    instances that are terminated."""
    rows = together(*(functools.partial(_rows, ec2, region, operation, prefix) for operation in _KINDS))
    marks = {xmltree.tags(item).get(MARK, "") for items in rows for item in items if _counts(item)}
    return {mark for mark in marks if mark.startswith(prefix)}


def _rows(ec2: Ec2, region: str, operation: Operation, prefix: str) -> list[Element]:
    found = ec2.items(region, operation, {"Filters": [filters.beginning(f"tag:{MARK}", prefix)]})
    return list(_instances(found)) if operation is INSTANCES else found


def _instances(reservations: list[Element]) -> Iterator[Element]:
    for reservation in reservations:
        yield from reservation.iterfind("instancesSet/item")


def _counts(item: Element) -> bool:
    """Not an instance that is terminated, nor a volume that is in use: it goes with its instance."""
    return instances.state_of(item) not in instances.DEAD and item.findtext("status") in (None, "available")
