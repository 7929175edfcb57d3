# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A Templar of ansible-core which compiles each expression once instead of once per host.

Nine tenths of the time of an expression is its compilation, and ansible-core keeps no compiled one. Everything else
stays ansible-core's own code. How a Templar holds its Jinja environment is not public, hence the probe: a core where
this does not work as expected gets its ordinary Templar, which is slow and right.
"""
from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from ansible.template import Templar
from ansible.utils.display import Display

try:
    from ansible.template import trust_as_template
except ImportError:  # ansible-core < 2.19 trusts every string

    def trust_as_template(value: str) -> str:
        return value


_MEMO_SIZE = 1024
"""Distinct templates kept compiled. An inventory has a few dozen; the bound is for those found in extra variables."""


def caching_templar(loader: Any) -> Any:
    """A new Templar for the data loader ``loader``, with a compilation memo when this ansible-core allows it."""
    templar = Templar(loader=loader)
    try:
        environment = templar._engine.environment if hasattr(templar, "_engine") else templar.environment
        environment.__class__ = type("MemoEnvironment", (_CompileOnce, type(environment)), {})
        if _probe(templar):
            return templar
        reason = "wrong result"
    except Exception as error:  # whatever a future core raises, the answer is the same
        reason = repr(error)
    Display().vv(f"Expressions are compiled again for every host: cannot keep them with this ansible-core ({reason})")
    return Templar(loader=loader)


class _CompileOnce:
    """Mix-in before a Jinja environment class: its two ways to compile, with a memo."""

    overlayed: bool
    _compiled: dict[Hashable, Any]

    def compile(self, source: Any, *args: Any, **kwargs: Any) -> Any:
        """Template source -> code. Syntax trees are not kept: they are never seen twice."""
        compiler: Callable[..., Any] = super().compile  # type: ignore[misc]
        if args or kwargs or not isinstance(source, str):
            return compiler(source, *args, **kwargs)
        return self._once(("template", source), compiler, source)

    def compile_expression(self, source: str, *args: Any, **kwargs: Any) -> Any:
        """Expression source -> callable."""
        compiler: Callable[..., Any] = super().compile_expression  # type: ignore[misc]
        if kwargs:
            return compiler(source, *args, **kwargs)
        return self._once(("expression", source, *args), compiler, source, *args)

    def _once(self, key: Hashable, compiler: Callable[..., Any], *args: Any) -> Any:
        if self.overlayed:  # a copy with other delimiters, which shares our memo
            return compiler(*args)
        memo: dict[Hashable, Any] = self.__dict__.setdefault("_compiled", {})
        if key not in memo:
            if len(memo) >= _MEMO_SIZE:
                memo.clear()
            memo[key] = compiler(*args)
        return memo[key]


def _probe(templar: Any) -> bool:
    """Whether the same source evaluated twice follows the variables."""
    answers = []
    for value in ("a", "b"):
        templar.available_variables = {"probe": {"item": value}}
        answers.append(templar.template(trust_as_template("{{ probe.item ~ 'x' }}")))
        if hasattr(templar, "evaluate_expression"):
            answers.append(templar.evaluate_expression(trust_as_template("probe.item ~ 'x'")))
    return answers in (["ax", "bx"], ["ax", "ax", "bx", "bx"])
