# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Partial answers: the ``fields=`` parameter of Google's APIs (``items/*/instances(name,id),nextPageToken``)."""

from __future__ import annotations

import re
from typing import Any, Union

from .errors import ApiError, Json
from .schema import SchemaChecker

# name -> what of it is wanted; None is all of it
Mask = dict[str, Union["Mask", None]]

_TOKEN = re.compile(r"\s*([(),/]|[^\s(),/]+)")


def parse(text: str) -> Mask:
    """Read a mask.

    :raises ApiError: 400 when it is not one.
    """
    tokens = _TOKEN.findall(text)
    mask, end = _members(tokens, 0, text)
    if end != len(tokens):
        raise _refused(text)
    return mask


def _members(tokens: list[str], at: int, text: str) -> tuple[Mask, int]:
    mask: Mask = {}
    while True:
        at = _member(mask, tokens, at, text)
        if at < len(tokens) and tokens[at] == ",":
            at += 1
            continue
        return mask, at


def _member(mask: Mask, tokens: list[str], at: int, text: str) -> int:
    """Read ``name``, ``name/more`` or ``name(more,more)`` into mask; returns where it ended."""
    if at >= len(tokens) or tokens[at] in "(),/":
        raise _refused(text)
    name, at = tokens[at], at + 1
    below: Mask | None = None
    if at < len(tokens) and tokens[at] == "/":
        below = {}
        at = _member(below, tokens, at + 1, text)
    elif at < len(tokens) and tokens[at] == "(":
        below, at = _members(tokens, at + 1, text)
        if at >= len(tokens) or tokens[at] != ")":
            raise _refused(text)
        at += 1
    _merge(mask, name, below)
    return at


def _merge(mask: Mask, name: str, below: Mask | None) -> None:
    if name not in mask:
        mask[name] = below
        return
    known = mask[name]
    if known is None or below is None:
        mask[name] = None
        return
    for key, more in below.items():
        _merge(known, key, more)


def check(mask: Mask, schema: Json, checker: SchemaChecker) -> None:
    """Refuse names the answer's schema does not have, as Google does.

    :raises ApiError: 400.
    """
    schema = checker.resolve(schema)
    while schema.get("type") == "array":
        schema = checker.resolve(schema["items"])
    for name, below in mask.items():
        child = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
        if name == "*":
            child = child or schema
        if child is None:
            raise _refused(name)
        if below is not None and child is not schema:
            check(below, child, checker)


def apply(mask: Mask, value: Any) -> Any:
    """The wanted part of a value; lists are looked through."""
    if isinstance(value, list):
        return [apply(mask, item) for item in value]
    if not isinstance(value, dict):
        return value
    if "*" in mask:
        below = mask["*"]
        return dict(value) if below is None else {key: apply(below, item) for key, item in value.items()}
    chosen: Json = {}
    for key, item in value.items():
        if key in mask:
            below = mask[key]
            chosen[key] = item if below is None else apply(below, item)
    return chosen


def _refused(text: str) -> ApiError:
    return ApiError(400, "invalidParameter", f"Invalid field selection {text}")
