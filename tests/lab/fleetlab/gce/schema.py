# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks JSON values against the schemas of a Google discovery document.

Requests are checked as Google does: int64 may come as a number, null means "not set". Answers are checked strictly:
what a client of Google's would stumble over is a fault of the emulator.
"""

from __future__ import annotations

import base64
import binascii
import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import ApiError, Json, invalid

_RANGES = {
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
}


@dataclass(frozen=True)
class Problem:
    """One difference between a value and its schema."""

    where: str  # path of the field: resource.disks[0].mode
    value: object
    text: str
    unknown: bool = False

    def __str__(self) -> str:
        return f"{self.where}: {self.text} (got {str(self.value)[:80]!r})"


@functools.lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


class SchemaChecker:
    """The ``schemas`` part of a discovery document, as a judge of values."""

    def __init__(self, schemas: Mapping[str, Json]) -> None:
        self.schemas = schemas

    def resolve(self, schema: Json) -> Json:
        """Follow ``$ref``."""
        while "$ref" in schema:
            schema = self.schemas[schema["$ref"]]
        return schema

    def require_request(self, value: Any, name: str, method: str) -> None:
        """Raise the 400 Google would answer when a request body breaks its schema.

        :param method: full id such as ``compute.instances.insert``; some fields are required by some methods only.
        """
        for problem in self._walk(value, {"$ref": name}, "resource", method):
            if problem.unknown:
                parent, _dot, field = problem.where.rpartition(".")
                place = f" at '{parent}'" if parent != "resource" else ""
                raise ApiError(
                    400,
                    "badRequest",
                    f'Invalid JSON payload received. Unknown name "{field}"{place}: Cannot find field.',
                )
            raise invalid(problem.where, problem.value, problem.text)

    def answer_problems(self, value: Any, name: str) -> list[Problem]:
        """Everything that is wrong with an answer; empty when it is right."""
        return list(self._walk(value, {"$ref": name}, name, None))

    def _walk(self, value: Any, schema: Json, where: str, method: str | None) -> Iterator[Problem]:
        """``method`` is None for answers (strict)."""
        schema = self.resolve(schema)
        if value is None:
            if method is None:
                yield Problem(where, value, "null in an answer")
            return
        kind = schema.get("type", "object")
        if kind == "object":
            yield from self._object(value, schema, where, method)
        elif kind == "array":
            if not isinstance(value, list):
                yield Problem(where, value, "must be a list")
                return
            for position, item in enumerate(value):
                yield from self._walk(item, schema["items"], f"{where}[{position}]", method)
        elif kind != "any":
            yield from _scalar(value, schema, where, strict=method is None)

    def _object(self, value: Any, schema: Json, where: str, method: str | None) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield Problem(where, value, "must be an object")
            return
        properties: Json = schema.get("properties", {})
        others: Json | None = schema.get("additionalProperties")
        for key, item in value.items():
            if key in properties:
                yield from self._walk(item, properties[key], f"{where}.{key}", method)
            elif others is not None:
                yield from self._walk(item, others, f"{where}.{key}", method)
            else:
                yield Problem(f"{where}.{key}", item, "unknown name", unknown=True)
        if method is not None:
            for key, item in properties.items():
                if method in item.get("annotations", {}).get("required", ()) and value.get(key) in (None, ""):
                    yield Problem(f"{where}.{key}", "", f"'{key}' must be specified.")


def _scalar(value: Any, schema: Json, where: str, strict: bool) -> Iterator[Problem]:
    kind, form = schema["type"], schema.get("format")
    if kind == "boolean":
        if not isinstance(value, bool):
            yield Problem(where, value, "must be true or false")
    elif kind == "number":
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            yield Problem(where, value, "must be a number")
    elif kind == "integer" or (kind == "string" and form in ("int64", "uint64")):
        yield from _integer(value, schema, where, strict)
    elif not isinstance(value, str):
        yield Problem(where, value, "must be a string")
    elif "enum" in schema and value not in schema["enum"]:
        yield Problem(where, value, f"must be one of {', '.join(schema['enum'])}")
    elif "pattern" in schema and not _pattern(schema["pattern"]).fullmatch(value):
        yield Problem(where, value, f"Must be a match of regex '{schema['pattern']}'")
    elif form == "byte" and not _is_base64(value):
        yield Problem(where, value, "must be base64")


def _integer(value: Any, schema: Json, where: str, strict: bool) -> Iterator[Problem]:
    expected: type = int if schema["type"] == "integer" else str
    right_type = isinstance(value, expected) or (not strict and isinstance(value, (int, str)))
    if isinstance(value, bool) or not right_type or not re.fullmatch(r"-?[0-9]{1,20}", str(value)):
        yield Problem(where, value, f"must be {'an integer' if expected is int else 'a decimal number in a string'}")
        return
    low, high = _RANGES[schema.get("format", "int64")]
    if not low <= int(value) <= high:
        yield Problem(where, value, f"is out of the range of {schema['format']}")


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
