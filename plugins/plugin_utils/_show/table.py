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
_INDENT = "    "
_LONGEST_CELL = 40
"""Cells of the longest cell that is not cut, which an IPv6 address in full still fits."""
_LEAST_WHY = 44
"""Cells below which a column of reasons is worth less than lines of their own under each node."""
_WHY_LINES = 2
"""Lines a reason may take: a table is for finding a node, its reasons stand whole elsewhere."""
CUT_SHORT = "Reasons in full: fleet_why in 'ansible-inventory --host NAME', or the page (show_html)."


def table(records: Sequence[Record], columns: int) -> list[str]:
    """Lines that show the nodes and, below, a summary of each cloud.

    columns: cells a line may take; names and addresses are not cut for less than they need.
    """
    columns = max(columns, _LEAST_WHY)
    if not records:
        return [EMPTY]
    nodes = [record for rows in by_cloud(records).values() for record in rows]
    heads, *lines = aligned([_NODE_COLUMNS, *map(_cells, nodes)])
    room = columns - width(heads) - len(_GAP)
    beside = room >= _LEAST_WHY
    shown = [heads + _GAP + "WHY" if beside else heads.rstrip()]
    cells = room if beside else columns - len(_INDENT)
    cut_short = False
    for line, record in zip(lines, nodes, strict=True):
        why = wrap(visible(reason(record)), cells)
        if len(why) > _WHY_LINES:
            cut_short = True
            why[_WHY_LINES - 1:] = [cut(" ".join(why[_WHY_LINES - 1:]), cells)]
        shown += _beside(line, why) if beside else [line.rstrip(), *(_INDENT + part for part in why if part)]
    return [*shown, "", *_summary(records, columns), *(["", *wrap(CUT_SHORT, columns)] if cut_short else [])]


def _beside(line: str, parts: Sequence[str]) -> list[str]:
    margin = " " * width(line)
    return [f"{margin if number else line}{_GAP}{part}".rstrip() for number, part in enumerate(parts)]


def _cells(record: Record) -> tuple[str, ...]:
    state = f"{record['state']} (stale)" if record["stale"] else record["state"]
    return tuple(cut(visible(value), _LONGEST_CELL) for value in (
        record["inventory_hostname"], record["cloud"], state, record["network_role"],
        record["ansible_host"] or NO_ADDRESS, record["ansible_user"] or record["login_user"] or NO_USER))


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
    first, *others = wrap(text, columns - len(_INDENT))
    return [first, *(_INDENT + part for part in others)]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows' cells in columns of equal width."""
    widths = [max(width(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [_GAP.join(pad(cell, cells) for cell, cells in zip(row, widths, strict=True)) for row in rows]
