# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The Jinja filters and tests which a compiled expression may call: those whose answer depends on their arguments only.

The functions are ansible-core's own. They run in an environment where nothing is ever undefined: whatever would be
(an attribute that an item lacks, a filter which is not in the tables) raises AskAnsible instead of guessing.
"""
from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import Any

from ansible.plugins.loader import filter_loader, test_loader
from jinja2 import Environment, Undefined

FILTERS = frozenset({
    "abs", "basename", "bool", "capitalize", "combine", "count", "dict2items", "difference", "dirname", "first",
    "flatten", "float", "int", "intersect", "items2dict", "join", "last", "length", "list", "lower", "map", "max",
    "min", "regex_findall", "regex_replace", "regex_search", "reject", "rejectattr", "replace", "reverse", "round",
    "select", "selectattr", "sort", "split", "splitext", "string", "sum", "symmetric_difference", "ternary", "title",
    "trim", "union", "unique", "upper",
})
TESTS = frozenset({
    "!=", "<", "<=", "==", ">", ">=", "boolean", "contains", "divisibleby", "eq", "equalto", "even", "false", "falsy",
    "float", "ge", "greaterthan", "gt", "in", "integer", "iterable", "le", "lessthan", "lower", "lt", "mapping",
    "match", "ne", "none", "number", "odd", "regex", "sameas", "search", "sequence", "string", "subset", "superset",
    "true", "truthy", "upper", "version",
})
_BY_NAME = frozenset({"map", "reject", "rejectattr", "select", "selectattr"})
"""Filters whose text arguments may name another filter or test."""

_LAZY_TYPES = (Iterator, ItemsView, KeysView, ValuesView)
_CORE = "ansible.builtin."


class AskAnsible(Exception):
    """This host and this expression need ansible-core's own engine."""


class _Nothing(Undefined):
    """Stands where Jinja would go on with an undefined value."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise AskAnsible


class PureEnvironment(Environment):
    """A Jinja environment with the filters and tests of the tables above, loaded when an expression names them."""

    def __init__(self) -> None:
        super().__init__(undefined=_Nothing)
        self._known_filters, self._known_tests = dict(self.filters), dict(self.tests)
        self.filters.clear()
        self.tests.clear()
        self._context = self.from_string("").new_context()

    def getitem(self, obj: Any, argument: Any) -> Any:
        """As Jinja's, without its second try at the object's attributes."""
        try:
            return obj[argument]
        except (AttributeError, TypeError, LookupError):
            raise AskAnsible from None

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Filters reach into data by item only."""
        return self.getitem(obj, attribute)

    def load_filter(self, name: str, texts: list[str]) -> str | None:
        """Make filter ``name`` callable, with those which its constant arguments ``texts`` name.

        Returns its short name, None when it is not one of ours.
        """
        short = name.removeprefix(_CORE)
        if short in _BY_NAME:
            for text in texts:
                self.load_filter(text, [])
                self.load_test(text)
        found = short in FILTERS and self._load(short, filter_loader, self._known_filters, self.filters)
        return short if found else None

    def load_test(self, name: str) -> str | None:
        """Make test ``name`` callable. Returns its short name, None when it is not one of ours."""
        short = name.removeprefix(_CORE)
        found = short in TESTS and self._load(short, test_loader, self._known_tests, self.tests)
        return short if found else None

    @staticmethod
    def _load(name: str, loader: Any, builtins: dict[str, Any], into: dict[str, Any]) -> bool:
        if name in into:
            return True
        try:
            plugin = loader.get(name)
        except KeyError:  # how the loader says that it is Jinja's own
            plugin = None
        if plugin is None:
            into[name] = builtins[name]
        elif plugin.ansible_name == _CORE + name:
            into[name] = plugin.j2_function
        else:
            return False  # the operator's own plugin of the same name
        return True

    def run_filter(self, name: str, value: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """Apply a loaded filter; generators become lists, as with ansible-core."""
        result = self.call_filter(name, value, args, kwargs, context=self._context)
        return list(result) if isinstance(result, _LAZY_TYPES) else result

    def run_test(self, name: str, value: Any, args: list[Any], kwargs: dict[str, Any]) -> bool:
        """Apply a loaded test. A test without a clear answer is for ansible-core, which warns."""
        result = self.call_test(name, value, args, kwargs, context=self._context)
        if not isinstance(result, bool):
            raise AskAnsible
        return result
