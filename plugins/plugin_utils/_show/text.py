# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Text from clouds in fixed columns: measured, padded, cut and wrapped by the cells a terminal gives it. Pure."""
from __future__ import annotations

import unicodedata

ELLIPSIS = "…"
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Categories that move the cursor, turn the writing direction or cannot be encoded: a node's name must do none of it."""


def visible(value: object) -> str:
    """The value as one line of printable text; empty for None. Control and formatting characters become U+FFFD."""
    if value is None:
        return ""
    text = str(value)
    if text.isascii() and text.isprintable():
        return text
    return "".join(_REPLACEMENT if unicodedata.category(char) in _HIDDEN else char for char in text)


def width(text: str) -> int:
    """Cells the text takes: two for wide East Asian characters and emoji, none for combining marks."""
    return len(text) if text.isascii() else sum(_cells(char) for char in text)


def _cells(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) == "Me":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def pad(text: str, cells: int) -> str:
    """The text, filled up to that many cells."""
    return text + " " * (cells - width(text))


def cut(text: str, cells: int) -> str:
    """The text in at most that many cells, its loss shown by an ellipsis."""
    return text if width(text) <= cells else _head(text, cells - 1) + ELLIPSIS


def shorten(text: str, cells: int) -> str:
    """The text in at most that many cells, its middle left out: names of one kind differ at their ends."""
    if width(text) <= cells:
        return text
    tail = _head(text[::-1], cells // 3)[::-1]
    return _head(text, cells - 1 - width(tail)) + ELLIPSIS + tail


def _head(text: str, cells: int) -> str:
    """The longest beginning that fits."""
    used = 0
    for number, char in enumerate(text):
        used += _cells(char)
        if used > cells:
            return text[:number]
    return text


def wrap(text: str, cells: int) -> list[str]:
    """Lines of at most that many cells (at least two), broken at spaces; a longer word is broken inside. Never empty."""
    lines = [""]
    for word in text.split():
        candidate = f"{lines[-1]} {word}" if lines[-1] else word
        if width(candidate) <= cells:
            lines[-1] = candidate
            continue
        if lines[-1]:
            lines.append("")
        rest = word
        while width(rest) > cells:
            lines[-1] = _head(rest, cells)
            rest = rest[len(lines[-1]):]
            lines.append("")
        lines[-1] = rest
    return lines
