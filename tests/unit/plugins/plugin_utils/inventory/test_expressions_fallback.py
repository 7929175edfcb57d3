# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Compiled once, and right even where our own evaluation is not, or where ansible-core or its settings differ."""
from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import jinja2
import pytest
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory import program, templar
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.compiler import (
    UNDEFINED,
    Failed,
    Unsupported,
    compile_expression,
)
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.constructed import AnsibleOwn
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.expressions import Expressions
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.pure_plugins import AskAnsible, PureEnvironment
from ansible_collections.hybridops.fleet.tests.unit.plugins.plugin_utils.inventory.constructed_twice import (
    HOSTS,
    OWN_EVALUATION,
    Config,
    ours,
    outcome,
    theirs,
    trust_as_template,
)
from ansible_collections.hybridops.fleet.tests.unit.plugins.plugin_utils.inventory.test_expressions_equal import EXPRESSIONS

CONFIG = Config(
    compose={"a": "region", "b": "tags.env ~ '/' ~ role", "c": "missing", "d": "names | map('upper') | join('-')", "e": "cpu + 1"},
    groups={"big": "cpu > 2", "west": "region is search('west')"},
    keyed_groups=[{"key": "region", "prefix": "r"}, {"key": "tags", "prefix": "t", "parent_group": "tags"}])
EXPRESSION_COUNT = 9


def test_no_compiled_answer_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison with ansible-core is a net, nothing may fall into it."""

    def differs(self: Any, why: str) -> None:
        pytest.fail(f"{self._source!r}: {why}")

    monkeypatch.setenv("HYBRIDOPS_TEST_ENV", "set")
    monkeypatch.setattr(program.Program, "_retire", differs)
    for expression in EXPRESSIONS:
        config = Config(compose={"composed": expression}, groups={"one": expression}, keyed_groups=[{"key": expression}])
        assert outcome(ours, config) == outcome(theirs, config)


@pytest.mark.parametrize("count", [10, 100])
def test_each_expression_is_compiled_once(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled, asked = Counter[str](), Counter[str]()

    def count_calls(owner: Any, name: str, into: Counter[str]) -> None:
        original = getattr(owner, name)

        def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
            into[str(args[0])] += 1
            return original(self, *args, **kwargs)

        monkeypatch.setattr(owner, name, counted)

    monkeypatch.setattr(templar, "_probe", lambda _templar: True)
    count_calls(jinja2.Environment, "_generate", compiled)
    for method in ("_compose", "holds"):
        count_calls(AnsibleOwn, method, asked)
    hosts = {f"host-{number}": HOSTS["web-01"] for number in range(count)}
    result = outcome(ours, CONFIG, hosts=hosts)
    assert sum(compiled.values()) <= EXPRESSION_COUNT + 2, "the expressions, and the empty template of two environments"
    assert result["hosts"][f"host-{count - 1}"]["d"] == "B-A-B"
    if OWN_EVALUATION:
        # Each once, to compare with; then once for each keyed group, to learn the groups of a key.
        assert sum(asked.values()) == EXPRESSION_COUNT + len(CONFIG.keyed_groups)


def _wrong(_scope: Any) -> Any:
    return "wrong"


def _fails(_scope: Any) -> Any:
    raise Failed


def _breaks(_scope: Any) -> Any:
    raise ZeroDivisionError


@pytest.mark.parametrize("answer", [_wrong, _fails, _breaks])
def test_a_wrong_compiled_answer_is_found_out(answer: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "compile_expression", lambda *args: (answer, frozenset()))
    for strict in (False, True):
        config = Config(CONFIG.compose, CONFIG.groups, CONFIG.keyed_groups, strict=strict)
        assert outcome(ours, config) == outcome(theirs, config)


def test_an_error_of_ansible_is_not_overridden(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value of ours where ansible-core fails."""
    monkeypatch.setattr(program, "compile_expression", lambda *args: (_wrong, frozenset()))
    config = Config(compose={"c": "missing", "d": "1 / 0"})
    assert outcome(ours, config) == outcome(theirs, config)


@pytest.mark.parametrize("broken", ["raises", "remembers the result"])
def test_a_core_without_memo(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a future ansible-core may do to the memo; its ordinary Templar is used then."""

    def once(self: Any, key: Any, compiler: Any, *args: Any) -> Any:
        if broken == "raises":
            raise AttributeError("moved")
        return lambda *_args, **_kwargs: "ax"

    monkeypatch.setattr(templar._CompileOnce, "_once", once)
    assert type(_environment_of(templar.caching_templar(None))).__name__ != "MemoEnvironment"
    assert outcome(ours, CONFIG) == outcome(theirs, CONFIG)


def _environment_of(engine: Any) -> Any:
    return engine._engine.environment if hasattr(engine, "_engine") else engine.environment


def test_the_memo_knows_delimiters_and_forgets() -> None:
    engine = templar.caching_templar(None)
    assert type(_environment_of(engine)).__name__ == "MemoEnvironment"
    engine.available_variables = {"x": 1}
    text = "[% x %] {{ x }}"
    header = "#jinja2:variable_start_string:'[%', variable_end_string:'%]'\n"
    assert engine.template(trust_as_template(text)) == "[% x %] 1"
    assert engine.template(trust_as_template(header + text)) == "1 {{ x }}"
    assert engine.template(trust_as_template(text)) == "[% x %] 1"
    for number in range(templar._MEMO_SIZE + 5):
        assert engine.template(trust_as_template("{{ x }}-" + str(number))) == f"1-{number}"
    assert len(_environment_of(engine)._compiled) <= templar._MEMO_SIZE


@pytest.mark.parametrize("source", [
    "lookup('env', 'HOME')", "now()", "omit", "names | random", "names | shuffle", "query('env')", "x.__class__", "x | attr('y')",
    "x.format(1)", "cycler(1)", "x | no_such", "x is no_such", "'{{ x }}'", "x.update({})", "x | map(*y)", "x | password_hash",
    "x.pop('a')", "names | groupby('a')",
])
def test_only_pure_expressions_are_compiled(source: str) -> None:
    with pytest.raises(Unsupported):
        compile_expression(source, PureEnvironment())


@pytest.mark.parametrize("source", [
    "x | map(attribute='__class__') | list", "x | map('password_hash') | list", "x | selectattr('a', 'no_such') | list",
    "x | map(attribute='missing') | list", "x | sum", "[missing]", "x | select('defined') | list",
])
def test_doubts_are_for_ansible(source: str) -> None:
    evaluate, names = compile_expression(source, PureEnvironment())
    with pytest.raises((AskAnsible, TypeError, jinja2.TemplateError)):
        assert evaluate({"x": [{"a": 1}]}) is not UNDEFINED
    assert names <= {"x", "missing"}


def test_an_operators_filter_of_a_known_name_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other:
        ansible_name = "acme.site.upper"
        j2_function = staticmethod(str.lower)

    monkeypatch.setattr("ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.pure_plugins.filter_loader",
                        type("Loader", (), {"get": staticmethod(lambda name: Other)}))
    with pytest.raises(Unsupported):
        compile_expression("x | upper", PureEnvironment())


def test_untrusted_expressions_are_refused_as_by_ansible() -> None:
    """Expressions that did not come from a configuration file; before ansible-core 2.19 every string is trusted."""

    def untrusted(plugin: Any, config: Config, hosts: dict[str, Any]) -> None:
        Expressions(plugin, compose=config.compose, strict=config.strict).apply(plugin.inventory, hosts.items())

    lenient = outcome(untrusted, Config(compose={"a": "region"}))
    strict = outcome(untrusted, Config(compose={"a": "region"}, strict=True))
    if OWN_EVALUATION:
        assert "a" not in lenient["hosts"]["web-01"]
        assert strict["error"][1].startswith("Could not set a for host web-01")
    else:
        assert lenient["hosts"]["web-01"]["a"] == "eu-west-1"


SETTINGS = {
    "ANSIBLE_HASH_BEHAVIOUR": "merge", "ANSIBLE_JINJA2_NATIVE": "1", "ANSIBLE_ALLOW_BROKEN_CONDITIONALS": "1",
    "ANSIBLE_JINJA2_EXTENSIONS": "jinja2.ext.do", "_ANSIBLE_TEMPLAR_UNTRUSTED_TEMPLATE_BEHAVIOR": "warning",
    "ANSIBLE_ALLOW_EMBEDDED_TEMPLATES": "0",
}
COMPARISON = """
from ansible_collections.hybridops.fleet.tests.unit.plugins.plugin_utils.inventory import test_expressions_equal as equal
equal.outcome(equal.theirs, equal.Config(compose={"a": "lookup('env', 'HOME')"}))  # loads plugins, which warns of the setting itself
equal.test_everything_at_once()
equal.test_variables_of_an_earlier_source()
equal.test_extra_variables(True)
"""


@pytest.mark.parametrize("setting", SETTINGS)
def test_ansible_settings(setting: str) -> None:
    """Settings of the templating are read when ansible-core is loaded, so each has a process of its own."""
    environment = {**os.environ, setting: SETTINGS[setting], "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", COMPARISON], env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
