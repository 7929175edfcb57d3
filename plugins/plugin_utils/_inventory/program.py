# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One expression of the configuration, compiled and on probation.

The first value and the first failure of a compiled expression are compared with ansible-core's; on any difference
ansible-core evaluates that expression from then on.
"""
from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from ansible import constants as C
from ansible.utils.display import Display
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.compiler import (
    Evaluator,
    Failed,
    Unsupported,
    compile_expression,
)
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.pure_plugins import AskAnsible, PureEnvironment
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.trust import clean

try:
    from ansible.template import is_trusted_as_template
except ImportError:
    # Before 2.19 a result's type depends on how it prints, and ansible-core takes 20 us once nothing is compiled twice.
    # So nothing is compiled by us there.
    is_trusted_as_template = None

Oracle = Callable[[str, Mapping[str, Any]], Any]
"""ansible-core's own evaluation of a source for given variables; raises when that fails."""


class Program:
    """A source and, when it could be compiled, its function; ``names`` are the variables it reads."""

    def __init__(self, source: Any, environment: PureEnvironment, oracle: Oracle, *, condition: bool = False) -> None:
        """condition: the source must give a bool, as ansible-core 2.19+ demands of conditionals."""
        self.names: frozenset[str] = frozenset()
        self._run: Evaluator | None = None
        self._source, self._oracle = source, oracle
        self._value_proven = self._failure_proven = False
        if not _compilable(source):
            return
        try:
            self._run, self.names = compile_expression(source.strip() if condition else source, environment)
        except Unsupported as reason:
            Display().vvv(f"ansible-core evaluates the expression {source!r}: {reason}")
        if condition and self._run:
            self._run = _must_be_bool(self._run)

    def evaluate(self, scope: Mapping[str, Any], foreign: Collection[str]) -> Any:
        """The value for these variables. foreign: names of those that may hold templates.

        Raises Failed when there is none, AskAnsible when ansible-core has to tell.
        """
        if self._run is None or not self.names.isdisjoint(foreign):
            raise AskAnsible
        try:
            value = self._run(scope)
        except Failed:
            if not self._failure_proven:
                self._prove_failure(scope)
            raise
        except Exception:  # a wrong type, a filter's complaint: ansible-core words it
            raise AskAnsible from None
        if not self._value_proven:
            self._prove_value(value, scope)
        return value

    def _prove_value(self, value: Any, scope: Mapping[str, Any]) -> None:
        try:
            expected = self._oracle(self._source, scope)
        except Exception as error:
            self._retire(f"{value!r} instead of the error {error}")
        if repr(clean(value)) != repr(clean(expected)):  # repr tells 1 from True
            self._retire(f"{value!r} instead of {expected!r}")
        self._value_proven = True

    def _prove_failure(self, scope: Mapping[str, Any]) -> None:
        try:
            expected = self._oracle(self._source, scope)
        except Exception:
            self._failure_proven = True
        else:
            self._retire(f"failed instead of {expected!r}")

    def _retire(self, why: str) -> None:
        self._run = None
        Display().vv(f"ansible-core evaluates the expression {self._source!r}, our own answer was {why}")
        raise AskAnsible


def _compilable(source: Any) -> bool:
    """Whether compiled evaluation can equal ansible-core's under its settings, for this kind of source."""
    return (
        is_trusted_as_template is not None
        and isinstance(source, str)
        and is_trusted_as_template(source)
        and not any(opening in source for opening in ("{{", "{%", "{#", "#jinja2:"))
        and C.DEFAULT_HASH_BEHAVIOUR == "replace"
        and not C.DEFAULT_JINJA2_EXTENSIONS
        and C.config.get_config_value("_TEMPLAR_UNTRUSTED_TEMPLATE_BEHAVIOR") == "ignore"
    )


def _must_be_bool(run: Evaluator) -> Evaluator:
    tolerant = C.config.get_config_value("ALLOW_BROKEN_CONDITIONALS")

    def checked(scope: Mapping[str, Any]) -> Any:
        value = run(scope)
        if not isinstance(value, bool):
            raise AskAnsible if tolerant else Failed
        return value

    return checked
