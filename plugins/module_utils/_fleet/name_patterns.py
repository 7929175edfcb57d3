# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names as they are wanted: shell patterns, case kept, which clouds understand only in part. Pure."""
from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from typing import NamedTuple

_LITERAL = re.compile(r"\[([*?[])\]|([^*?[])")  # a sign put in brackets stands for itself


class Start(NamedTuple):
    """How every name that fits a pattern begins. whole: whether that is all of the name."""

    text: str
    whole: bool


def pattern_of(name: str) -> str:
    """The pattern that fits exactly this name, whatever signs it holds."""
    return glob.escape(name)


def start_of(pattern: str) -> Start:
    """What is certain of the names that fit a pattern; the more of it a cloud can filter by, the fewer nodes it sends."""
    text, place = [], 0
    while found := _LITERAL.match(pattern, place):
        text.append(found[1] or found[2])
        place = found.end()
    return Start("".join(text), place == len(pattern))


def common_start(patterns: Sequence[str]) -> Start:
    """How every name begins that fits one of the patterns."""
    starts = [start_of(pattern) for pattern in patterns] or [Start("", False)]
    first, last = min(starts).text, max(starts).text
    length = next((place for place, sign in enumerate(first) if not last.startswith(sign, place)), len(first))
    same = Start(first[:length], True)
    return Start(same.text, all(start == same for start in starts))
