# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is aimed at, and whether a figure meets it. Pure."""
from __future__ import annotations

import dataclasses

RATIO_WITH_EXPRESSIONS = 20.0
RATIO_WITHOUT = 5.0
FLEET_HOSTS = 10_000
FLEET_CPU = 5.0  # s
FLEET_MEMORY = 250.0  # MiB
EXPRESSION_COST = 0.03  # ms for each host
START_UP = 1.2  # CPU s of the whole command, up to 100 hosts on one cloud
OPENING = 5
"""Requests beside the pages of a list: find Keystone, get the token, find the API's version, read the networks, and
the images that the first page refers to."""
WALL_SLACK = 1.25
"""Of the time that requests in sequence and CPU account for; the rest is a machine that does something else too."""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """A goal beside the figure it is for. met is None where the goal speaks of another size than was measured."""

    goal: str
    met: bool | None

    def __str__(self) -> str:
        word = {True: "met", False: "missed", None: "not judged at this size"}[self.met]
        return f"{self.goal}: {word}"


def ratio(value: float, *, expressions: bool) -> Verdict:
    """How many times the CPU of ours an upstream plugin takes."""
    goal = RATIO_WITH_EXPRESSIONS if expressions else RATIO_WITHOUT
    return Verdict(f">= {goal:.0f}x", value >= goal)


def fleet_cpu(seconds: float, hosts: int) -> Verdict:
    return Verdict(f"< {FLEET_CPU:.0f} CPU s", seconds < FLEET_CPU if hosts >= FLEET_HOSTS else None)


def fleet_memory(mib: float, hosts: int) -> Verdict:
    return Verdict(f"< {FLEET_MEMORY:.0f} MiB", mib < FLEET_MEMORY if hosts >= FLEET_HOSTS else None)


def expression_cost(milliseconds: float) -> Verdict:
    return Verdict(f"<= {EXPRESSION_COST} ms", milliseconds <= EXPRESSION_COST)


def start_up(seconds: float) -> Verdict:
    return Verdict(f"<= {START_UP} CPU s", seconds <= START_UP)


def wall(*, seconds: float, cpu: float, latency: float, sequential: int, pages: int) -> Verdict:
    """Whether the longest chain of pages bounds the wall time: hardly more requests in sequence than it has pages, and
    hardly any time that neither they nor the CPU account for."""
    bounded = sequential <= pages + OPENING and seconds <= WALL_SLACK * (sequential * latency + cpu)
    return Verdict("bounded by the longest page chain", bounded)
