# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kind ``settings``: some keys of a file that belongs to the distribution; all other lines stay as they are."""
from __future__ import annotations

import os
import re
from typing import Mapping

from .. import undo
from ..plan import Change, Item, Plan
from ..system import System
from . import files

SEPARATORS = {"equals": " = ", "tight": "=", "space": " ", "tab": "\t", "colon": ": "}


def plan(system: System, item: Item) -> Plan:
    """path, style (equals, tight, space, tab, colon), values {key: value, null to comment it out, or in style equals "" for a
    key that stands alone}, section (of an INI file), create (make the file when it is missing, default false), ignore_case (of keys), mode of a
    new file ("0644")."""
    path = system.target(item["path"])
    now = system.read(path)
    if now is None and not item.get("create"):
        return Plan(not_possible=f"there is no {path}")
    before = (now or b"").decode("utf-8", "surrogateescape")
    after = changed(before, item["values"], item.get("style", "equals"), item.get("section"), bool(item.get("ignore_case")))
    if after == before:
        return Plan()

    def act() -> None:  # read again: another item may have changed other keys meanwhile
        text = (system.read(path) or b"").decode("utf-8", "surrogateescape")
        data = changed(text, item["values"], item.get("style", "equals"), item.get("section"), bool(item.get("ignore_case")))
        if not system.exists(path):
            system.write(path, data.encode("utf-8", "surrogateescape"), int(str(item.get("mode", "0644")), 8))
            return
        found = os.stat(system.real(path))
        system.write(path, data.encode("utf-8", "surrogateescape"), found.st_mode & 0o7777, found.st_uid, found.st_gid)

    change = Change("path:" + path, lambda keep: [undo.of_path(system, path, keep)], act, before=before, after=after,
                    detail=", ".join(sorted(str(key) for key in item["values"])))
    return Plan((files.parents(system, path, 0o755) if now is None else []) + [change])


def changed(text: str, values: Mapping[str, object], style: str, section: str | None = None, ignore_case: bool = False) -> str:
    """The text with these values. The first line that sets a key gets the value, further ones go; a new key comes after the line in which
    it is commented out, else at the end (of the section)."""
    lines = text.split("\n")
    if lines and lines[-1] == "":
        lines.pop()
    begin, end = _bounds(lines, section)
    body = lines[begin:end]
    for key, value in values.items():
        body = _with(body, key, None if value is None else str(value), style, ignore_case)
    head, tail = lines[:begin], lines[end:]
    if section is not None and begin == len(lines) and not any(line.strip() == "[" + section + "]" for line in lines) and body:
        head = head + (["", "[" + section + "]"] if head else ["[" + section + "]"])
    return "\n".join(head + body + tail) + ("\n" if head or body or tail else "")


def values_of(text: str, style: str, section: str | None = None) -> dict[str, str]:
    """What a file sets, the last line of a key counting."""
    lines = text.split("\n")
    begin, end = _bounds(lines, section)
    found: dict[str, str] = {}
    for line in lines[begin:end]:
        match = re.match(_pattern(r"[^\s=:#]+", style), line)
        if match:
            found[match.group("key")] = match.group("value").strip()
    return found


# ---------------------------------------------------------------------------------------------------- details
def _pattern(key: str, style: str) -> str:
    between = {"equals": r"\s*=\s*", "tight": r"\s*=\s*", "colon": r"\s*:\s*"}.get(style, r"\s+")
    return r"^\s*(?P<key>" + key + r")(?:" + between + r"(?P<value>.*?)|(?P<bare>))\s*$" if style == "equals" else \
        r"^\s*(?P<key>" + key + r")" + between + r"(?P<value>.*?)\s*$"


def _bounds(lines: list[str], section: str | None) -> tuple[int, int]:
    if section is None:
        return 0, len(lines)
    for number, line in enumerate(lines):
        if line.strip() == "[" + section + "]":
            later = [other for other in range(number + 1, len(lines)) if lines[other].lstrip().startswith("[")]
            end = later[0] if later else len(lines)
            while end > number + 1 and not lines[end - 1].strip():
                end -= 1
            return number + 1, end
    return len(lines), len(lines)


def _with(lines: list[str], key: str, value: str | None, style: str, ignore_case: bool) -> list[str]:
    flags = re.IGNORECASE if ignore_case else 0
    active = re.compile(_pattern(re.escape(key), style), flags)
    matches = [number for number, line in enumerate(lines) if active.match(line)]
    if value is None:
        return [("# " + line) if number in matches else line for number, line in enumerate(lines)]
    if matches:
        first = active.match(lines[matches[0]])
        if first is None:
            raise AssertionError("it has matched above")
        kept = lines[matches[0]] if (first.group("value") or "") == value else _line(key, value, style)
        return [kept if number == matches[0] else line for number, line in enumerate(lines) if number == matches[0] or number not in matches]
    commented = re.compile(r"^\s*#\s?" + re.escape(key) + r"(\s*[=:]|\s|$)", flags)
    place = next((number + 1 for number, line in enumerate(lines) if commented.match(line)), len(lines))
    return [*lines[:place], _line(key, value, style), *lines[place:]]


def _line(key: str, value: str, style: str) -> str:
    return key if style == "equals" and not value else key + SEPARATORS[style] + value
