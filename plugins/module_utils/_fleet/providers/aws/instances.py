# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Instances as the actions look at them: found by filters, alive or dead, in the order in which they were made."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element

from ..actions import MARK
from . import filters, shape, xmltree
from .operations import INSTANCES

if TYPE_CHECKING:
    from .client import Ec2

DEAD = ("shutting-down", "terminated")
"""States of an instance that does not come back."""


def find(ec2: Ec2, region: str, name: str, values: Sequence[str]) -> list[Element]:
    """The instances that pass one of EC2's filters, with exactly one of these values."""
    parameters = {"Filters": [filters.exactly(name, values)]}
    return [item for reservation in ec2.items(region, INSTANCES, parameters) for item in reservation.iterfind("instancesSet/item")]


def marked(ec2: Ec2, region: str, node: str) -> list[Element]:
    """Those made for the node of that name, dead ones too, as long as EC2 lists them (an hour or so)."""
    return find(ec2, region, f"tag:{MARK}", [node])


def named(items: Iterable[Element], node: str) -> list[Element]:
    """Those that have the node's name, too. The mark alone does not tell: somebody may have renamed an instance, or made another
    one like it, to which EC2's console copies all tags."""
    return [item for item in items if xmltree.tags(item).get("Name") == node]


def id_of(item: Element) -> str:
    return item.findtext("instanceId", "")


def state_of(item: Element) -> str:
    return item.findtext("instanceState/name", "")


def living(items: Iterable[Element]) -> list[Element]:
    """Those that are not dead, the first made first: all runs that look see the same one there."""
    return sorted((item for item in items if state_of(item) not in DEAD), key=_made)


def _made(item: Element) -> tuple[str, str]:
    interfaces = item.findall("networkInterfaceSet/item")
    return shape.created(item, item.findtext("launchTime"), interfaces) or "", id_of(item)
