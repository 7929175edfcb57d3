# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A choice with its reason, and the words for one that cannot be made. Pure; shared by what chooses images, flavors and networks."""
from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Generic, TypeVar

from .errors import FleetError
from .requirement import FlavorWish, ImageWish, NetworkWish

T = TypeVar("T")

NEAREST = 3  # how many near misses an error names
ANOTHER = 1000  # how much further something is that was not named: what was named is the nearest, whatever it lacks
REJECTED = 10  # how many rejected candidates a result names


@dataclasses.dataclass(frozen=True, slots=True)
class Pick(Generic[T]):
    """A choice: the item, why it was chosen, and what was not ("name: reason")."""

    item: T
    because: str
    rejected: tuple[str, ...] = ()


def words(wish: ImageWish | FlavorWish | NetworkWish) -> str:
    """A wish in words for an operator."""
    if isinstance(wish, ImageWish):
        parts = [f"id {wish.id}" if wish.id else "", f"named {wish.name}" if wish.name else "",
                 f"of family {wish.family}" if wish.family else "",
                 " ".join(part for part in (wish.distro, wish.version) if part), f"for {wish.arch}" if wish.arch else ""]
        return ", ".join(part for part in parts if part)
    if isinstance(wish, FlavorWish):
        parts = [f"name {wish.name}" if wish.name else "", f"{wish.vcpus} vCPU" if wish.vcpus else "",
                 f"{wish.memory_mib} MiB of memory" if wish.memory_mib else "", f"{wish.disk_gib} GiB of disk" if wish.disk_gib else ""]
        return ", ".join(part for part in parts if part)
    families = " and ".join(wish.families)
    parts = [f"named {wish.name}" if wish.name else "", f"reachable: {wish.reachable}" + (f" by {families}" if families else "")]
    return ", ".join(part for part in parts if part)


def no_match(part: str, wish: str, misses: Sequence[tuple[int, str]], fix: str) -> FleetError:
    nearest = [text for _distance_of, text in sorted(misses, key=lambda miss: miss[0])[:NEAREST]]
    told = f"; nearest: {'; '.join(nearest)}" if nearest else f"; the cloud offers no {part} at all"
    more = f" (and {len(misses) - NEAREST} more)" if len(misses) > NEAREST else ""
    return FleetError(f"choose the {part}", why=f"nothing fits '{wish}'{told}{more}", fix=f"Correct the requirement; {fix}", code="no_match")


def rejected(fitting: Sequence[str], misses: Sequence[tuple[int, str]]) -> tuple[str, ...]:
    rows = [*fitting, *(text for _distance_of, text in sorted(misses, key=lambda miss: miss[0]))]
    if len(rows) <= REJECTED:
        return tuple(rows)
    return (*rows[:REJECTED], f"and {len(rows) - REJECTED} more")
