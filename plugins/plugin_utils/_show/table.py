# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fleet as lines of text: a table of nodes and one of clouds. Pure."""
from __future__ import annotations

from collections.abc import Sequence

from .nodes import Record, by_cloud, count_roles, count_states, number_of, reason
from .text import cut, pad, visible, width, wrap

NO_ADDRESS = "(no address)"
NO_USER = "(unknown)"
EMPTY = "The fleet is empty: no cloud has a node, no node is of the hosts asked for, or no fleet file was given with -i."

_NODE_COLUMNS = ("NAME", "CLOUD", "STATE", "ROLE", "ADDRESS", "USER")
_CLOUD_COLUMNS = ("CLOUD", "PROVIDER", "NODES", "STATES", "ROLES")
_GAP = "  "
_LONGEST_CELL = 40
"""Cells of the longest cell that is not cut, which an IPv6 address in full still fits."""
_LEAST_WHY = 30
"""Cells below which a column of reasons is worth less than a line of its own under each node."""


def table(records: Sequence[Record], columns: int) -> list[str]:
    """Lines that show the nodes and, below, a summary of each cloud. columns: cells a line may take."""
    if not records:
        return [EMPTY]
    nodes = [record for rows in by_cloud(records).values() for record in rows]
    rows = [(_cells(record), visible(reason(record))) for record in nodes]
    return [*_with_reasons(rows, columns), "", *_summary(records, columns)]


def _cells(record: Record) -> tuple[str, ...]:
    state = f"{record['state']} (stale)" if record["stale"] else record["state"]
    return tuple(cut(visible(value), _LONGEST_CELL) for value in (
        record["inventory_hostname"], record["cloud"], state, record["network_role"],
        record["ansible_host"] or NO_ADDRESS, record["ansible_user"] or record["login_user"] or NO_USER))


def _with_reasons(rows: Sequence[tuple[tuple[str, ...], str]], columns: int) -> list[str]:
    """The nodes' cells in columns; the reasons at the right where there is room, else under each node."""
    heads, *lines = aligned([_NODE_COLUMNS, *(cells for cells, _why in rows)])
    room = columns - width(heads) - len(_GAP)
    if room >= _LEAST_WHY:
        shown = [heads + _GAP + "WHY"]
        margin = " " * width(heads)
        for line, (_values, why) in zip(lines, rows, strict=True):
            shown += [f"{start}{_GAP}{part}".rstrip() for start, part in _beside(line, margin, wrap(why, room))]
        return shown
    shown = [heads.rstrip()]
    for line, (_values, why) in zip(lines, rows, strict=True):
        shown.append(line.rstrip())
        shown += [f"    {part}" for part in wrap(why, max(columns - 4, _LEAST_WHY)) if part]
    return shown


def _beside(line: str, margin: str, parts: Sequence[str]) -> list[tuple[str, str]]:
    return [(margin if number else line, part) for number, part in enumerate(parts)]


def _summary(records: Sequence[Record], columns: int) -> list[str]:
    clouds = by_cloud(records)
    rows = [(cut(visible(name), _LONGEST_CELL), visible(nodes[0]["provider"]), str(len(nodes)), count_states(nodes), count_roles(nodes))
            for name, nodes in clouds.items()]
    if len(clouds) > 1:
        rows.append(("all clouds", "", str(len(records)), count_states(records), count_roles(records)))
    lines = [line.rstrip() for line in aligned([_CLOUD_COLUMNS, *rows])]
    if max(map(width, lines)) > columns:
        told = (f"{name}: {number_of(int(number))}: {states}; {roles}" for name, _provider, number, states, roles in rows)
        lines = [part for text in told for part in _hanging(text, columns)]
    return lines


def _hanging(text: str, columns: int) -> list[str]:
    first, *others = wrap(text, columns - 4)
    return [first, *(f"    {part}" for part in others)]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows' cells in columns of equal width."""
    widths = [max(width(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [_GAP.join(pad(cell, cells) for cell, cells in zip(row, widths, strict=True)) for row in rows]
