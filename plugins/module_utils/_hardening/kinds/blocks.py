# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kinds ``block`` (marked lines in a file of others) and ``words`` (some words of a value that is a list of words)."""
from __future__ import annotations

import os
import re
from typing import Callable

from .. import undo
from ..plan import Change, Item, Plan
from ..system import System

BEGIN, END = "# BEGIN hybridops.fleet", "# END hybridops.fleet"


def plan_block(system: System, item: Item) -> Plan:
    """path, content: lines that stand between marks; behind: a pattern, the block goes behind the first line that fits (default the end; no
    such line is told and no failure, as is no such file)."""
    path = system.target(item["path"])
    now = system.read(path)
    if now is None:
        return Plan(not_possible=f"there is no {path}")
    text = now.decode("utf-8", "surrogateescape")
    behind = item.get("behind")
    if behind and BEGIN not in text and not re.search(behind, text, re.MULTILINE):
        return Plan(not_possible=f"{path} has no line that begins as expected")
    return _whole(system, path, lambda old: with_block(old, item["content"], behind), "block")


def plan_words(system: System, item: Item) -> Plan:
    """path, key, add: words that the value of ``KEY="..."`` holds; a word ``name=value`` takes the place of another value of that name.
    A file without that key gets it at the end."""
    path = system.target(item["path"])
    now = system.read(path)
    if now is None:
        return Plan(not_possible=f"there is no {path}")
    return _whole(system, path, lambda old: with_words(old, item["key"], item["add"]), " ".join(item["add"]))


def with_block(text: str, content: str, behind: str | None = None) -> str:
    """The text with the block; one that is there is replaced where it is."""
    block = "{}\n{}\n{}\n".format(BEGIN, content.rstrip("\n"), END)
    there = re.compile(re.escape(BEGIN) + r"\n.*?" + re.escape(END) + r"\n?", re.DOTALL)
    if there.search(text):
        return there.sub(lambda _match: block, text, count=1)
    match = re.search(behind, text, re.MULTILINE) if behind else None
    if match:
        end = text.find("\n", match.start()) + 1 or len(text)
        return text[:end] + block + text[end:]
    return text + ("" if not text or text.endswith("\n") else "\n") + block


def with_words(text: str, key: str, add: list[str]) -> str:
    """The text in which the value of key holds these words."""
    lines = text.splitlines(keepends=True)
    pattern = re.compile(r"^(\s*" + re.escape(key) + r"=)([\"']?)(.*?)\2(\s*)$")
    matches = [number for number, line in enumerate(lines) if pattern.match(line)]
    if not matches:
        return text + ("" if not text or text.endswith("\n") else "\n") + '{}="{}"\n'.format(key, " ".join(add))
    match = pattern.match(lines[matches[-1]])
    if match is None:
        raise AssertionError("it has matched above")
    words = match.group(3).split()
    for word in add:
        name = word.split("=")[0]
        if "=" in word:
            words = [other for other in words if other == word or not other.startswith(name + "=")]
        if word not in words:
            words.append(word)
    if words != match.group(3).split():
        lines[matches[-1]] = match.group(1) + '"' + " ".join(words) + '"\n'
    return "".join(lines)


# ---------------------------------------------------------------------------------------------------- details
def _whole(system: System, path: str, change: Callable[[str], str], detail: str) -> Plan:
    before = _text(system, path)
    if change(before) == before:
        return Plan()

    def act() -> None:  # read again: another item may have changed other lines meanwhile
        found = os.stat(system.real(path))
        system.write(path, change(_text(system, path)).encode("utf-8", "surrogateescape"), found.st_mode & 0o7777, found.st_uid, found.st_gid)

    return Plan([Change("path:" + path, lambda keep: [undo.of_path(system, path, keep)], act, before=before, after=change(before),
                        detail=f"{path}: {detail}")])


def _text(system: System, path: str) -> str:
    return (system.read(path) or b"").decode("utf-8", "surrogateescape")
