# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Marking of values that come from clouds."""
from __future__ import annotations

import datetime
from typing import Any

import pytest
from ansible.template import Templar
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.trust import clean, might_be_template
from ansible_collections.hybridops.fleet.tests.unit.plugins.plugin_utils.inventory.constructed_twice import (
    OWN_EVALUATION,
    trust_as_template,
)

HEADER = "#jinja2:variable_start_string:'[%', variable_end_string:'%]'\n[% 6 * 7 %]"


@pytest.mark.parametrize("text", ["{{ 6 * 7 }}", "a {% if true %}b{% endif %}", "{# c #}", "}}", "{", HEADER])
@pytest.mark.parametrize("marked_before", [False, True])
def test_templates_are_never_evaluated(text: str, marked_before: bool) -> None:
    """Neither alone nor in containers, not even when something trusted them before."""
    text = trust_as_template(text) if marked_before else text
    for value in (text, [text], {"key": {"nested": [text, (text,)]}}):
        templar = Templar(loader=None)
        templar.available_variables = {"value": clean(value)}
        shown = repr(templar.template(trust_as_template("{{ value }}")))
        assert "42" not in shown and repr(str(text))[1:-1] in shown
        assert templar.template(clean(value)) == clean(value)
    assert might_be_template(text)


@pytest.mark.parametrize("text", ["", "eu-west-1", "a (b) [c] %d", "Grüße", "# jinja2:", "$x"])
def test_harmless_text_is_plain(text: str) -> None:
    """Plain where untrusted strings would be written as ``__ansible_unsafe``."""
    assert clean(text) == text
    assert not might_be_template(text)
    assert not hasattr(clean(text), "__UNSAFE__")
    if OWN_EVALUATION:
        from ansible.template import is_trusted_as_template
        assert is_trusted_as_template(clean(text))
        assert not is_trusted_as_template(clean(text + "{"))


@pytest.mark.parametrize("value", [None, True, False, 0, 1, -1.5, datetime.date(2026, 1, 2)])
def test_other_scalars_are_untouched(value: Any) -> None:
    assert clean(value) is value


def test_containers_are_rebuilt_of_plain_types() -> None:
    inner = {"b": [1]}
    result = clean({trust_as_template("key"): inner, 5: (inner, "x"), "{{ k }}": None})
    assert result == {"key": {"b": [1]}, 5: [{"b": [1]}, "x"], "{{ k }}": None}
    assert result["key"] is not inner and result["key"]["b"] is not inner["b"]
    assert [type(key) for key in result] == [str, int, str]
    assert [result.__class__, result[5].__class__] == [dict, list]


def test_marks_do_not_leak_between_equal_texts() -> None:
    """The memo holds what was cleaned, whatever type of string asked first."""
    assert type(clean("first {{ x }}")) is type(clean(trust_as_template("first {{ x }}")))
    assert type(clean(trust_as_template("second"))) is type(clean("second"))
