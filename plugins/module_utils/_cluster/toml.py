# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plain data as TOML, which is what containerd reads: tables, strings, numbers, truth values, lists of these."""
from __future__ import annotations

import json
import re
from typing import Any, Mapping

_BARE = re.compile(r"^[A-Za-z0-9_-]+$")


def text(data: Mapping[str, Any]) -> str:
    """The whole document. Raises ValueError for what TOML cannot say."""
    return "\n".join(_table((), data)).strip("\n") + "\n"


def _table(path: tuple[str, ...], data: Mapping[str, Any]) -> list[str]:
    plain = [(key, value) for key, value in data.items() if not isinstance(value, Mapping)]
    lines = ["{} = {}".format(_key(key), _value(value, ".".join((*path, key)))) for key, value in plain]
    if path and (lines or not data):
        lines = ["", "[{}]".format(".".join(_key(key) for key in path)), *lines]
    for key, value in data.items():
        if isinstance(value, Mapping):
            lines += _table((*path, str(key)), value)
    return lines


def _key(key: Any) -> str:
    return str(key) if _BARE.match(str(key)) else json.dumps(str(key))


def _value(value: Any, place: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(one, place) for one in value) + "]"
    raise ValueError("{}: a setting of containerd cannot be {}".format(place, "empty" if value is None else "of type " + type(value).__name__))
