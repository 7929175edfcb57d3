# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The topology as an SVG picture: text in, markup out. Pure; every text from a cloud is escaped here.

Each level is a ``Drawing`` that knows its size; the level above puts drawings side by side in shelves. In a group of
networks each network is a vertical line in the colour of its role, each node a row that hangs on the lines of its
networks; addresses that only NAT gives a node are at the left of it, outside, on a dashed line.
"""
from __future__ import annotations

import html
from collections.abc import Sequence
from typing import NamedTuple

from .nodes import Record, number_of
from .text import cut, shorten, visible, width
from .topology import Cluster, Domain, DrawnCloud, Hanging, More, Spot, clouds

CHAR = 6.7
"""Width of a character of the picture's font (monospaced, 11 px) in user units, which are CSS pixels."""
WIDEST = 1270
LINE = 13
GAP = 14
_NAME_CELLS = 24
_LABEL_CELLS = 22
_HEAD = 30


class Drawing(NamedTuple):
    """Markup drawn from the origin on, and the room it takes."""

    width: float
    height: float
    svg: str


def escape(value: object) -> str:
    """Text for use in markup and in attributes; control characters made visible."""
    return html.escape(visible(value), quote=True)


def picture(records: Sequence[Record]) -> str:
    """An ``svg`` element that shows the fleet."""
    whole = pack([_cloud(cloud) for cloud in clouds(records)], WIDEST, 18)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" class="picture" role="img" aria-labelledby="picture-title" '
            f'width="{whole.width:g}" height="{whole.height:g}" viewBox="-1 -1 {whole.width + 2:g} {whole.height + 2:g}">'
            '<title id="picture-title">Clouds, their networks, and the nodes on them with their addresses. '
            f'The tables below say the same in text.</title>{whole.svg}</svg>')


def pack(drawings: Sequence[Drawing], widest: float, gap: float) -> Drawing:
    """The drawings in their order on shelves, from left to right and from top to bottom; one too wide has its own shelf."""
    x = y = shelf = used = 0.0
    parts = []
    for drawing in drawings:
        if x and x + drawing.width > widest:
            x, y, shelf = 0.0, y + shelf + gap, 0.0
        parts.append(_at(x, y, drawing.svg))
        x += drawing.width
        used, shelf = max(used, x), max(shelf, drawing.height)
        x += gap
    return Drawing(used, y + shelf, "".join(parts))


def _at(x: float, y: float, svg: str) -> str:
    return f'<g transform="translate({x:g} {y:g})">{svg}</g>'


def _text(x: float, y: float, text: str, kind: str, anchor: str = "") -> str:
    end = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{x:g}" y="{y:g}" class="{kind}"{end}>{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" class="{kind}"/>'


def _framed(inner: Drawing, title: str, kind: str, note: str = "", margin: float = 14) -> Drawing:
    """The drawing in a frame with a title; note is what a pointer over the title shows."""
    wide = max(inner.width, (width(title) + 2) * CHAR * (1.25 if kind == "cloud" else 1)) + 2 * margin
    high = inner.height + 26 + 2 * margin - 6
    frame = f'<rect width="{wide:g}" height="{high:g}" rx="{10 if kind == "cloud" else 6}" class="{kind}-frame"/>'
    tip = f"<title>{escape(note)}</title>" if note else ""
    head = f"<g>{tip}{_text(margin, margin + 8, title, kind + '-title')}</g>"
    return Drawing(wide, high, frame + head + _at(margin, margin + 20, inner.svg))


def _cloud(cloud: DrawnCloud) -> Drawing:
    domains = pack([_domain(domain) for domain in cloud.domains], WIDEST - 28, GAP)
    return _framed(domains, f"{cut(visible(cloud.name), 40)} · {cloud.provider} · {number_of(cloud.nodes)}", "cloud", cloud.name)


def _domain(domain: Domain) -> Drawing:
    drawings = [_cluster(cluster) for cluster in domain.clusters]
    networks, nodes = domain.left_out
    if nodes:
        text = f"+ {number_of(nodes)}, {networks} more networks"
        drawings.append(Drawing(len(text) * CHAR, LINE * 2, _text(0, LINE, text, "more")))
    names = ", ".join(domain.names)
    word = "domain" if len(domain.names) == 1 else f"{len(domain.names)} domains:"
    title = f"{word} {shorten(visible(names), 40)}" if names else "no layer-3 domain told"
    return _framed(pack(drawings, WIDEST - 64, 30), title, "domain", names)


def _cluster(cluster: Cluster) -> Drawing:
    """Columns: addresses outside (if any), names, then one for each network."""
    nodes = [row for row in cluster.rows if isinstance(row, Hanging)]
    outside = _room([spot.ip for node in nodes for spot in node.outside]) if any(node.outside for node in nodes) else 0.0
    names = max(_card_width(row) for row in cluster.rows)
    lines = {}
    x = outside + names + 22
    for network in cluster.networks:
        lines[network.key] = x
        addresses = [spot.ip for node in nodes for spot in node.inside.get(network.key, ())]
        x += max(_room(addresses), (min(width(visible(network.label)), _LABEL_CELLS) + 3) * CHAR)
    parts, y = [], float(_HEAD)
    for row in cluster.rows:
        high = _row_height(row)
        parts.append(_at(0, y, _node(row, outside, names, lines) if isinstance(row, Hanging) else _more(row, outside, names, lines)))
        y += high
    rails = "".join(
        f'<g class="role-{_role(network.role)}"><title>{escape(f"network {network.label}: {network.role}")}</title>'
        f'{_line(lines[network.key], _HEAD - 6, lines[network.key], y - 4, "rail")}'
        f'<circle cx="{lines[network.key]:g}" cy="{_HEAD - 8}" r="4" class="dot"/>'
        f'{_text(lines[network.key] - 4, _HEAD - 18, shorten(visible(network.label), _LABEL_CELLS), "network")}</g>'
        for network in cluster.networks)
    heading = _text(outside - 18, _HEAD - 18, "outside, by NAT", "outside", "end") if outside else ""
    return Drawing(max(x, outside + names), y, heading + rails + "".join(parts))


def _role(role: str) -> str:
    """The role as part of a class name: only known roles have a colour."""
    return role if role in ("public", "floating", "external", "private", "management") else "unknown"


def _room(addresses: Sequence[str]) -> float:
    return max([*(len(ip) for ip in addresses), 15]) * CHAR + 28


def _row_height(row: Hanging | More) -> float:
    if isinstance(row, More):
        return 34
    most = max([len(row.outside), *(len(spots) for spots in row.inside.values())], default=0)
    return 34 if most < 2 else 40 + (most - 2) * LINE


def _card_width(row: Hanging | More) -> float:
    text = f"+ {row.number} more" if isinstance(row, More) else shorten(visible(row.name), _NAME_CELLS)
    return max((width(text) + 3) * CHAR, len(_below(row)) * (CHAR - 0.9) + 14)


def _below(row: Hanging | More) -> str:
    """Small print under a name: what is not as one expects it to be."""
    if isinstance(row, More):
        return row.states
    stale = "stale" if row.stale else ""
    return ", ".join(filter(None, ("" if row.state == "running" else row.state, stale)))


def _node(row: Hanging, outside: float, names: float, lines: dict[str, float]) -> str:
    middle, right = 12.0, outside + names
    parts = []
    if row.outside:
        kind = _role(row.outside[0].role)
        parts.append(f'<g class="role-{kind}">{_line(10, middle, outside, middle, "nat")}'
                     f'<circle cx="10" cy="{middle:g}" r="5" class="ring"/></g>')
        parts.append(_addresses(18, middle, row.outside))
    if row.inside:
        parts.append(_line(right, middle, max(lines[key] for key in row.inside), middle, "wire"))
    parts.append(_card(row, outside, names))
    for key, spots in row.inside.items():
        role = _role(spots[0].role if spots else "unknown")
        parts.append(f'<circle cx="{lines[key]:g}" cy="{middle:g}" r="5" class="dot role-{role}"/>')
        parts.append(_addresses(lines[key] + 9, middle, spots) if spots else _text(lines[key] + 9, middle - 4, "no address", "small"))
    return "".join(parts)


def _card(row: Hanging | More, x: float, wide: float) -> str:
    below = _below(row)
    high = 28 if below else 22
    if isinstance(row, More):
        return (f'<rect x="{x:g}" y="1" width="{wide:g}" height="{high}" rx="4" class="card more-card"/>'
                + _text(x + 8, 13, f"+ {row.number} more", "more") + _text(x + 8, 24, below, "small"))
    state = row.state if row.state in ("running", "error", "stopped") else "other"
    return (f'<g><title>{escape(f"{row.name}: {row.state}")}</title>'
            f'<rect x="{x:g}" y="1" width="{wide:g}" height="{high}" rx="4" class="card"/>'
            f'<circle cx="{x + 9:g}" cy="{10 if below else 12}" r="3.5" class="state-{state}"/>'
            + _text(x + 17, 14 if below else 16, shorten(visible(row.name), _NAME_CELLS), "name")
            + (_text(x + 17, 25, below, "small") if below else "") + "</g>")


def _more(row: More, outside: float, names: float, lines: dict[str, float]) -> str:
    middle = 12.0
    wire = _line(outside + names, middle, max(lines[key] for key in row.networks), middle, "wire more-wire") if row.networks else ""
    dots = "".join(f'<circle cx="{lines[key]:g}" cy="{middle:g}" r="4" class="hollow"/>' for key in row.networks)
    return wire + _card(row, outside, names) + dots


def _addresses(x: float, middle: float, spots: Sequence[Spot]) -> str:
    """The first address above the wire, the others below it."""
    parts = []
    for number, spot in enumerate(spots):
        y = middle - 4 if number == 0 else middle + LINE * number - 1
        says = f"{spot.ip}: {spot.role}" + (f", mapped onto {spot.nat_of}" if spot.nat_of else "")
        parts.append(f'<g class="role-{_role(spot.role)}"><title>{escape(says)}</title>{_text(x, y, spot.ip, "address")}</g>')
    return "".join(parts)
