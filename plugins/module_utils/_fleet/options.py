# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options of the fleet file: one small schema language, one checker, one kind of error message."""
from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .errors import FleetFileError


@dataclasses.dataclass(frozen=True, slots=True)
class Option:
    """One key of the fleet file.

    kind: str, int, bool, raw, dict (with options: those keys; without: any), strings (list of str), dicts (list of
    dict with options). check: extra test of a value of the right kind; returns what is wrong, or None.
    """

    name: str
    kind: str = "str"
    default: Any = None
    required: bool = False
    choices: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    check: Callable[[Any], str | None] | None = None
    secret: bool = False


_KINDS = {
    "str": "a string",
    "int": "a whole number",
    "bool": "true or false",
    "dict": "a mapping",
    "strings": "a list of strings",
    "dicts": "a list of mappings",
}


def check_all(options: Sequence[Option], data: Any, source: str, place: str) -> dict[str, Any]:
    """Checked values of every option, defaults filled in.

    data: what the file holds at place (a path such as ``clouds.dream``); source: the file. Raises FleetFileError for
    anything that is not a mapping, an unknown key, a missing one or a wrong value.
    """
    if not isinstance(data, Mapping):
        raise FleetFileError(source, place, f"expected a mapping, found {_describe(data)}", "Write it as 'key: value' lines.")
    known = {option.name: option for option in options}
    for key in data:
        if key not in known:
            raise unknown_key(source, place, key, known)
    return {name: _value(option, data.get(name), source, f"{place}.{name}" if place else name)
            for name, option in known.items()}


def unknown_key(source: str, place: str, key: Any, known: Sequence[str] | Mapping[str, Any]) -> FleetFileError:
    """The error for a key nobody knows, with the nearest known ones."""
    near = difflib.get_close_matches(str(key), list(known), n=1)
    fix = f"Did you mean '{near[0]}'?" if near else f"Known keys: {', '.join(sorted(known))}."
    return FleetFileError(source, place, f"unknown key '{key}'", fix)


def _value(option: Option, value: Any, source: str, place: str) -> Any:
    if value is None:
        if option.required:
            raise FleetFileError(source, place, "is missing", f"Give {_KINDS.get(option.kind, 'a value')}.")
        return option.default
    if option.kind == "int" and isinstance(value, str) and value.strip().isdecimal():
        value = int(value)  # what a template or an environment variable gives
    if not _right_kind(option.kind, value):
        raise FleetFileError(source, place, f"expected {_KINDS[option.kind]}, found {_describe(value, option.secret)}", _example(option, value))
    if option.choices:
        wrong = [item for item in (value if isinstance(value, list) else [value]) if item not in option.choices]
        if wrong:
            raise FleetFileError(source, place, f"'{wrong[0]}' is not possible here", f"Choose of: {', '.join(option.choices)}.")
    if option.kind == "dict" and option.options:
        value = check_all(option.options, value, source, place)
    if option.kind == "dicts":
        value = [check_all(option.options, item, source, f"{place}[{number}]") for number, item in enumerate(value)]
    problem = option.check(value) if option.check else None
    if problem:
        raise FleetFileError(source, place, problem, "Correct it.")
    return value


def _right_kind(kind: str, value: Any) -> bool:
    if kind == "str":
        return isinstance(value, str)
    if kind == "int":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "bool":
        return isinstance(value, bool)
    if kind == "dict":
        return isinstance(value, Mapping)
    if kind == "strings":
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if kind == "dicts":
        return isinstance(value, list) and all(isinstance(item, Mapping) for item in value)
    return True


def _describe(value: Any, secret: bool = False) -> str:
    if secret:
        return f"a {type(value).__name__}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"the string '{str(value)[:60]}'"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return str(value) if isinstance(value, (int, float)) else f"a {type(value).__name__}"


def _example(option: Option, value: Any) -> str:
    if option.kind == "strings" and isinstance(value, (str, int)):
        return f"Write {option.name}: [{value}]."
    if option.secret:
        return f"Put '{option.name}' in quotes."
    if option.kind == "str" and isinstance(value, (int, float, bool)):
        return f"Put it in quotes: {option.name}: \"{str(value).lower() if isinstance(value, bool) else value}\"."
    return f"Correct '{option.name}'."
