# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Jinja expressions compiled into Python functions, where that is known to give ansible-core's answer.

ansible-core 2.19 and newer spend 50 us and more to evaluate even a compiled expression (lazy containers, contexts,
result checks). The values of our hosts are plain and hold no templates, so most expressions need none of that. Jinja
parses the expression; each node of its syntax tree becomes one function of the variables. What is not known to be the
same is refused when compiling (Unsupported) or for one host (AskAnsible), and then ansible-core evaluates.

How ansible-core treats undefined values, which UNDEFINED follows: an attribute of it is undefined again, a filter or
test given one returns it unless made for it (default, defined), an operator on one fails the whole expression.
"""
from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.pure_plugins import AskAnsible, PureEnvironment
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.trust import might_be_template
from jinja2 import TemplateSyntaxError, nodes
from jinja2.parser import Parser

Scope = Mapping[str, Any]
Evaluator = Callable[[Scope], Any]

UNDEFINED: Any = object()
"""The value of a variable, attribute or item that is not there."""

_BINARY: dict[type[nodes.Expr], Callable[[Any, Any], Any]] = {
    nodes.Add: operator.add, nodes.Sub: operator.sub, nodes.Mul: operator.mul,
    nodes.Div: operator.truediv, nodes.FloorDiv: operator.floordiv, nodes.Mod: operator.mod,
}
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq, "ne": operator.ne,
    "gt": operator.gt, "gteq": operator.ge, "lt": operator.lt, "lteq": operator.le,
    "in": lambda left, right: left in right, "notin": lambda left, right: left not in right,
}
_TEXT_METHODS = frozenset({
    "capitalize", "count", "endswith", "find", "isalnum", "isalpha", "isdigit", "islower", "isupper", "lower", "lstrip",
    "partition", "removeprefix", "removesuffix", "replace", "rfind", "rpartition", "rsplit", "rstrip", "split",
    "splitlines", "startswith", "strip", "title", "upper", "zfill",
})
_DICT_METHODS = frozenset({"get", "items", "keys", "values"})
_JINJA_NAMES = frozenset({
    "caller", "context", "cycler", "dict", "environment", "joiner", "kwargs", "lipsum", "lookup", "loop", "namespace",
    "now", "omit", "q", "query", "range", "self", "super", "undef", "varargs", "vars",
})
"""Names with a meaning of their own in a template."""


class Unsupported(Exception):
    """The expression holds something that only ansible-core evaluates."""


class Failed(Exception):
    """The expression fails for this host, with ansible-core too."""


def compile_expression(source: str, environment: PureEnvironment) -> tuple[Evaluator, frozenset[str]]:
    """The function for a Jinja expression, and the names of the variables it reads.

    Raises Unsupported. The function raises Failed or AskAnsible; any other exception of it means AskAnsible as well.
    """
    compiler = _Compiler(environment)
    try:
        parser = Parser(environment, source, state="variable")
        tree = parser.parse_expression()
    except TemplateSyntaxError:
        return _always_fails, frozenset()
    if not parser.stream.eos:
        return _always_fails, frozenset()
    evaluate = compiler.visit(tree)

    def checked(scope: Scope) -> Any:
        result = evaluate(scope)
        if result is UNDEFINED:
            raise Failed
        return result

    return checked, frozenset(compiler.names)


def _always_fails(_scope: Scope) -> Any:
    raise Failed


class _Compiler:
    """Syntax tree -> closures. ``names`` collects the variables."""

    def __init__(self, environment: PureEnvironment) -> None:
        self.names: set[str] = set()
        self._environment = environment

    def visit(self, node: nodes.Node) -> Evaluator:
        """The function of one node."""
        if type(node) in _BINARY:
            return self._binary(node)
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            raise Unsupported(type(node).__name__)
        evaluate: Evaluator = method(node)
        return evaluate

    def _const(self, node: nodes.Const) -> Evaluator:
        value = node.value
        if might_be_template(value):
            raise Unsupported("a template inside a constant")
        return _constant(value)

    def _name(self, node: nodes.Name) -> Evaluator:
        name = node.name
        if name in _JINJA_NAMES:
            raise Unsupported(name)
        self.names.add(name)
        return lambda scope: scope.get(name, UNDEFINED)

    def _getattr(self, node: nodes.Getattr) -> Evaluator:
        owner, attribute = self.visit(node.node), node.attr
        if attribute.startswith("_") or hasattr(dict, attribute):
            raise Unsupported(attribute)

        def evaluate(scope: Scope) -> Any:
            value = owner(scope)
            if value.__class__ is dict:
                return value.get(attribute, UNDEFINED)
            if hasattr(value, attribute) and value is not UNDEFINED:
                raise AskAnsible
            return UNDEFINED

        return evaluate

    def _getitem(self, node: nodes.Getitem) -> Evaluator:
        owner = self.visit(node.node)
        if isinstance(node.arg, nodes.Slice):
            return self._part(owner, node.arg)
        key = self.visit(node.arg)

        def evaluate(scope: Scope) -> Any:
            value, item = owner(scope), key(scope)
            if value is UNDEFINED:
                return UNDEFINED
            if value.__class__ is dict and isinstance(item, (str, int)):
                found = value.get(item, UNDEFINED)
                if found is UNDEFINED and isinstance(item, str) and hasattr(dict, item):
                    raise AskAnsible
                return found
            if isinstance(value, (list, str)) and isinstance(item, int):
                return value[item] if -len(value) <= item < len(value) else UNDEFINED
            raise AskAnsible

        return evaluate

    def _part(self, owner: Evaluator, node: nodes.Slice) -> Evaluator:
        parts = [self.visit(part) if part else _constant(None) for part in (node.start, node.stop, node.step)]

        def evaluate(scope: Scope) -> Any:
            value, bounds = owner(scope), [part(scope) for part in parts]
            if value is UNDEFINED or any(bound is UNDEFINED for bound in bounds):
                raise AskAnsible
            return value[slice(*bounds)]

        return evaluate

    def _list(self, node: nodes.List) -> Evaluator:
        items = [self.visit(item) for item in node.items]
        return lambda scope: [_defined(item(scope)) for item in items]

    def _tuple(self, node: nodes.Tuple) -> Evaluator:
        items = [self.visit(item) for item in node.items]
        return lambda scope: tuple([_defined(item(scope)) for item in items])

    def _dict(self, node: nodes.Dict) -> Evaluator:
        pairs = [(self.visit(pair.key), self.visit(pair.value)) for pair in node.items]
        return lambda scope: {_defined(key(scope)): _defined(value(scope)) for key, value in pairs}

    def _and(self, node: nodes.And) -> Evaluator:
        left, right = self.visit(node.left), self.visit(node.right)
        return lambda scope: _operand(left(scope)) and right(scope)

    def _or(self, node: nodes.Or) -> Evaluator:
        left, right = self.visit(node.left), self.visit(node.right)
        return lambda scope: _operand(left(scope)) or right(scope)

    def _not(self, node: nodes.Not) -> Evaluator:
        inner = self.visit(node.node)
        return lambda scope: not _operand(inner(scope))

    def _neg(self, node: nodes.Neg) -> Evaluator:
        inner = self.visit(node.node)
        return lambda scope: -_operand(inner(scope))

    def _condexpr(self, node: nodes.CondExpr) -> Evaluator:
        test, then = self.visit(node.test), self.visit(node.expr1)
        otherwise = self.visit(node.expr2) if node.expr2 else _constant(UNDEFINED)
        return lambda scope: then(scope) if _operand(test(scope)) else otherwise(scope)

    def _concat(self, node: nodes.Concat) -> Evaluator:
        parts = [self.visit(part) for part in node.nodes]
        return lambda scope: "".join([_as_text(part(scope)) for part in parts])

    def _binary(self, node: Any) -> Evaluator:
        apply, left, right = _BINARY[type(node)], self.visit(node.left), self.visit(node.right)

        def evaluate(scope: Scope) -> Any:
            first, second = _operand(left(scope)), _operand(right(scope))
            if apply is operator.mod and isinstance(first, str):  # formats, and may reach into any type
                raise AskAnsible
            return apply(first, second)

        return evaluate

    def _compare(self, node: nodes.Compare) -> Evaluator:
        start = self.visit(node.expr)
        rest = [(_COMPARE[item.op], self.visit(item.expr)) for item in node.ops]

        def evaluate(scope: Scope) -> Any:
            left, result = start(scope), True
            for apply, operand in rest:
                right = operand(scope)
                if right is UNDEFINED or (left is UNDEFINED and apply not in (_COMPARE["in"], _COMPARE["notin"])):
                    raise Failed
                result = apply(_defined(left), right)
                if not result:
                    break
                left = right
            return result

        return evaluate

    def _arguments(self, node: Any) -> tuple[list[Evaluator], dict[str, Evaluator]]:
        if node.dyn_args or node.dyn_kwargs:
            raise Unsupported("unpacked arguments")
        return [self.visit(arg) for arg in node.args], {pair.key: self.visit(pair.value) for pair in node.kwargs}

    def _filter(self, node: nodes.Filter) -> Evaluator:
        if node.node is None:
            raise Unsupported("filter block")
        value, (args, kwargs) = self.visit(node.node), self._arguments(node)
        if node.name.removeprefix("ansible.builtin.") in ("default", "d"):
            return _default(value, args, kwargs)
        texts = [arg.value for arg in node.args if isinstance(arg, nodes.Const) and isinstance(arg.value, str)]
        name = self._environment.load_filter(node.name, texts)
        if name is None:
            raise Unsupported(f"filter {node.name}")
        return _plugin_call(self._environment.run_filter, name, value, args, kwargs)

    def _test(self, node: nodes.Test) -> Evaluator:
        value, (args, kwargs) = self.visit(node.node), self._arguments(node)
        if node.name in ("defined", "undefined") and not args and not kwargs:
            expected = node.name == "undefined"
            return lambda scope: (value(scope) is UNDEFINED) is expected
        name = self._environment.load_test(node.name)
        if name is None:
            raise Unsupported(f"test {node.name}")
        return _plugin_call(self._environment.run_test, name, value, args, kwargs)

    def _call(self, node: nodes.Call) -> Evaluator:
        if not isinstance(node.node, nodes.Getattr) or node.kwargs or node.node.attr not in _TEXT_METHODS | _DICT_METHODS:
            raise Unsupported("call")
        method = node.node.attr
        owner, (args, _none) = self.visit(node.node.node), self._arguments(node)

        def evaluate(scope: Scope) -> Any:
            value, given = owner(scope), [_defined(arg(scope)) for arg in args]
            if isinstance(value, str) and method in _TEXT_METHODS:
                return getattr(str, method)(value, *given)
            if value.__class__ is dict and method in _DICT_METHODS:
                result = getattr(value, method)(*given)
                return result if method == "get" else list(result)
            raise AskAnsible

        return evaluate


def _constant(value: Any) -> Evaluator:
    """A node whose value depends on no variable."""
    return lambda _scope: value


def _defined(value: Any) -> Any:
    """A value where ansible-core's answer to an undefined one depends on more than it."""
    if value is UNDEFINED:
        raise AskAnsible
    return value


def _operand(value: Any) -> Any:
    """A value given to an operator, which fails on an undefined one."""
    if value is UNDEFINED:
        raise Failed
    return value


def _as_text(value: Any) -> str:
    """A part of a concatenation. How a container prints is ansible-core's affair."""
    if value is UNDEFINED:
        raise Failed
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, (bool, int, float)):
        return str(value)
    raise AskAnsible


def _default(value: Evaluator, args: list[Evaluator], kwargs: dict[str, Evaluator]) -> Evaluator:
    """The ``default`` filter: the one that takes an undefined value, and returns one if told to."""
    if len(args) > 2 or set(kwargs) - {"default_value", "boolean"}:
        raise Unsupported("arguments of default")
    named = dict(zip(("default_value", "boolean"), args, strict=False), **kwargs)
    if len(named) != len(args) + len(kwargs):
        raise Unsupported("arguments of default")
    fallback, also_false = named.get("default_value", _constant("")), named.get("boolean", _constant(False))

    def evaluate(scope: Scope) -> Any:
        found, other, boolean = value(scope), fallback(scope), also_false(scope)
        if not isinstance(boolean, bool):
            raise AskAnsible
        return other if found is UNDEFINED or (boolean and not found) else found

    return evaluate


def _plugin_call(
    run: Callable[[str, Any, list[Any], dict[str, Any]], Any],
    name: str, value: Evaluator, args: list[Evaluator], kwargs: dict[str, Evaluator],
) -> Evaluator:
    """A filter or test; an undefined argument is its answer."""

    def evaluate(scope: Scope) -> Any:
        first, rest = value(scope), [arg(scope) for arg in args]
        named = {key: arg(scope) for key, arg in kwargs.items()}
        if first is UNDEFINED or any(item is UNDEFINED for item in (*rest, *named.values())):
            if name == "ternary":  # looks at the chosen argument only
                raise AskAnsible
            return UNDEFINED
        return run(name, first, rest, named)

    return evaluate
