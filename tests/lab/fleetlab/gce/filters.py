# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""List filters of the compute API: the AIP-160 form, and the older ``field eq regular-expression`` form.

AIP-160: ``status = RUNNING AND (labels.env = "prod" OR labels.env:*)``; AND may be left out, OR binds tighter than AND.
The older form: ``name eq web-.*`` or ``(name eq web-.*) (status ne TERMINATED)``. The two do not mix.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator
from typing import Any

from .errors import ApiError, Json, invalid
from .schema import SchemaChecker

Predicate = Callable[[Json], bool]
KnownField = Callable[[str], bool]

_TOKEN = re.compile(
    r"""\s*(?:(?P<op><=|>=|!=|=|<|>|:)|(?P<paren>[()])|(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
    r"""|(?P<word>[^\s()=!<>:"']+))"""
)
_OLD_FORM = re.compile(r"\s*\(*\s*[\w.-]+\s+(?:eq|ne)\s")
_OLD_TERM = re.compile(r"\s*(?P<field>[\w.-]+)\s+(?P<op>eq|ne)\s+(?P<literal>.*?)\s*", re.DOTALL)


def parse(text: str, known: KnownField) -> Predicate:
    """A function that tells whether a resource passes the filter.

    :param known: tells whether the listed resource has a field of that name.
    :raises ApiError: 400 for a filter Google would refuse.
    """
    if not text.strip():
        return lambda resource: True
    if _OLD_FORM.match(text):
        return _all([_old_term(term, text, known) for term in _old_terms(text)])
    return _Parser(text, known).filter()


def field_checker(schema: Json, checker: SchemaChecker) -> KnownField:
    """Whether a dotted field exists in a resource's schema; keys of maps (labels) are free."""

    def known(field: str) -> bool:
        node = schema
        for part in field.split("."):
            node = checker.resolve(node)
            while node.get("type") == "array":
                node = checker.resolve(node["items"])
            child = node.get("properties", {}).get(part) or node.get("additionalProperties")
            if child is None:
                return False
            node = child
        return True

    return known


class _Parser:
    """Recursive descent over the AIP-160 grammar (the part the compute API documents)."""

    def __init__(self, text: str, known: KnownField) -> None:
        self._text, self._known = text, known
        self._tokens = list(self._scan(text))
        self._at = 0

    def _scan(self, text: str) -> Iterator[tuple[str, str]]:
        at, end = 0, len(text.rstrip())
        while at < end:
            found = _TOKEN.match(text, at)
            if not found or found.lastgroup is None:
                raise _refused(text)
            yield found.lastgroup, found.group(found.lastgroup)
            at = found.end()

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _take(self, *kinds: str) -> str:
        kind, value = self._peek()
        if kind not in kinds:
            raise _refused(self._text)
        self._at += 1
        return value

    def filter(self) -> Predicate:
        result = self._and()
        if self._peek()[0] != "end":  # a closing parenthesis too many
            raise _refused(self._text)
        return result

    def _and(self) -> Predicate:
        parts = [self._or()]
        while self._peek() not in (("end", ""), ("paren", ")")):
            if self._peek() == ("word", "AND"):
                self._at += 1
            parts.append(self._or())
        return _all(parts)

    def _or(self) -> Predicate:
        parts = [self._term()]
        while self._peek() == ("word", "OR"):
            self._at += 1
            parts.append(self._term())
        return parts[0] if len(parts) == 1 else lambda resource: any(part(resource) for part in parts)

    def _term(self) -> Predicate:
        if self._peek() == ("word", "NOT"):
            self._at += 1
            inner = self._term()
            return lambda resource: not inner(resource)
        if self._peek() == ("paren", "("):
            self._at += 1
            inner = self._and()
            if self._take("paren") != ")":
                raise _refused(self._text)
            return inner
        field = self._take("word")
        negated = field.startswith("-")
        comparison = self._comparison(field.lstrip("-"))
        return (lambda resource: not comparison(resource)) if negated else comparison

    def _comparison(self, field: str) -> Predicate:
        if field in ("AND", "OR") or not self._known(field):
            raise _refused(self._text)
        operator, raw = self._take("op"), self._take("word", "quoted")
        wanted = re.sub(r"\\(.)", r"\1", raw[1:-1]) if raw[0] in "\"'" else raw
        if operator == ":":
            return lambda resource: _has(_lookup(resource, field), wanted)
        if operator in ("=", "!="):
            equal = _equals(wanted)
            positive = operator == "="
            return lambda resource: any(equal(value) for value in _lookup(resource, field)) is positive
        return lambda resource: any(_ordered(value, operator, wanted) for value in _lookup(resource, field))


def _lookup(value: Any, field: str) -> list[Any]:
    """All values a dotted field has in a resource; lists fan out, a missing field has none."""
    found = [value]
    for part in field.split("."):
        found = [
            item[part]
            for node in found
            for item in (node if isinstance(node, list) else [node])
            if isinstance(item, dict) and part in item
        ]
    return found


def _equals(wanted: str) -> Callable[[Any], bool]:
    """Equality of AIP-160: ``*`` in the wanted text stands for anything."""
    pattern = re.compile(".*".join(re.escape(part) for part in wanted.split("*")), re.DOTALL)

    def equal(value: Any) -> bool:
        if isinstance(value, list):
            return any(equal(item) for item in value)
        return bool(pattern.fullmatch(_text(value)))

    return equal


def _has(values: list[Any], wanted: str) -> bool:
    """The ``:`` operator: ``*`` asks for presence, else a list holds it, a map has the key, a string contains it."""
    for value in values:
        if wanted == "*":
            return True
        if isinstance(value, list):
            if any(_equals(wanted)(item) for item in value):
                return True
        elif isinstance(value, dict):
            if wanted in value:
                return True
        elif wanted.strip("*") in _text(value):
            return True
    return False


def _ordered(value: Any, operator: str, wanted: str) -> bool:
    left: Any = _text(value)
    right: Any = wanted
    for convert in (float, datetime.datetime.fromisoformat):
        try:
            left, right = convert(_text(value)), convert(wanted)
        except ValueError:
            continue
        break
    try:
        return bool({"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[operator])
    except TypeError:  # a time with an offset against one without
        return False


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _old_terms(text: str) -> list[str]:
    """Split ``(a eq b) (c ne d)`` into its terms; a literal may hold balanced parentheses."""
    text = text.strip()
    if not text.startswith("("):
        return [text]
    terms, depth, start, quote = [], 0, 0, ""
    for at, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter == "(":
            start = at + 1 if depth == 0 else start
            depth += 1
        elif letter == ")":
            depth -= 1
            if depth == 0:
                terms.append(text[start:at])
        elif depth == 0 and not letter.isspace():
            raise _refused(text)
    if depth or quote:
        raise _refused(text)
    return terms


def _old_term(term: str, text: str, known: KnownField) -> Predicate:
    found = _OLD_TERM.fullmatch(term)
    if not found or not known(found["field"]):
        raise _refused(text)
    field, literal = found["field"], found["literal"]
    if literal[:1] in ("'", '"') and literal[-1:] == literal[:1] and len(literal) > 1:
        literal = literal[1:-1]
    try:
        pattern = re.compile(literal)
    except re.error:
        raise _refused(text) from None
    positive = found["op"] == "eq"
    return lambda resource: any(pattern.fullmatch(_text(value)) for value in _lookup(resource, field)) is positive


def _all(parts: list[Predicate]) -> Predicate:
    return parts[0] if len(parts) == 1 else lambda resource: all(part(resource) for part in parts)


def _refused(text: str) -> ApiError:
    return invalid("filter", text, "Invalid list filter expression.")
