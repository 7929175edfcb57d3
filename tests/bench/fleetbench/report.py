# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The figures as text. Pure."""
from __future__ import annotations

from collections.abc import Iterable, Mapping

from . import goals
from .chain import longest_list, sequential
from .compare import FURTHER, LATENCY, WITH, Cost, Duel, Fleet, StartUp

_ROW = "{:>6} {:10} {:>5} | {:>8} {:>8} {:>6} | {:>9} {:>8} {:>6} | {:>6}  {}"


def heading(versions: Mapping[str, str], cores: int, load: float) -> str:
    told = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"{told}; {cores} cores, load {load:.1f}"


def duel_heading() -> str:
    return "\n".join((
        "CPU seconds (user + system) inside parse; libraries imported before; the median of 3 runs up to 1,000 hosts",
        _ROW.format(
            "hosts", "cloud", "expr.", "ours s", "ms/host", "MiB", "upstr. s", "ms/host", "MiB", "ratio", "goal"),
    ))


def duel_row(duel: Duel) -> str:
    other = _columns(duel.other) if duel.other else ("-", "-", "-")
    ratio = f"{duel.ratio:.1f}" if duel.ratio else "-"
    return _ROW.format(
        duel.hosts, duel.cloud, duel.expressions, *_columns(duel.ours), *other, ratio, duel.verdict or "")


def _columns(cost: Cost) -> tuple[str, str, str]:
    return f"{cost.cpu:.2f}", f"{cost.per_host:.3f}", f"{cost.peak_mib:.0f}"


def fleet_lines(fleet: Fleet) -> Iterable[str]:
    """Ours on three clouds."""
    verdicts, composed, slow = fleet.verdicts(), fleet.composed, fleet.slow
    chain, pages = sequential(slow.requests), longest_list(slow.requests)
    yield f"{composed.hosts} hosts over three clouds, ours; CPU inside parse, the libraries' imports included"
    yield f"  without expressions      {fleet.plain.cpu:6.2f} CPU s  {fleet.plain.peak_mib:4.0f} MiB"
    yield (
        f"  with {WITH:2} expressions      {composed.cpu:6.2f} CPU s  {composed.peak_mib:4.0f} MiB  "
        f"({verdicts['cpu']}; {verdicts['memory']})")
    yield f"  with {FURTHER:2} expressions      {fleet.further.cpu:6.2f} CPU s  {fleet.further.peak_mib:4.0f} MiB"
    yield f"  one further expression   {fleet.per_expression:6.4f} ms a host  ({verdicts['expression']})"
    yield (
        f"  {LATENCY * 1000:.0f} ms a request          {slow.wall:6.2f} s wall: {len(slow.requests)} requests, "
        f"{chain} of them in sequence ({chain * LATENCY:.2f} s; the longest list has {pages} pages), "
        f"{slow.cpu:.2f} CPU s  ({verdicts['wall']})")


def start_up_lines(start_up: StartUp) -> Iterable[str]:
    """The whole command at 0 and 100 hosts."""
    yield "start-up: CPU seconds of a whole ansible-inventory --list, one cloud"
    yield f"  Ansible alone (-i localhost,)  {start_up.floor:.2f}"
    for cloud, costs in start_up.clouds.items():
        figures = ", ".join(f"{hosts} hosts {seconds:.2f}" for hosts, seconds in costs.items())
        yield f"  {cloud:10} {figures}  ({goals.start_up(max(costs.values()))})"
