# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is certain of the names that fit a pattern."""
from __future__ import annotations

import fnmatch

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import Filters
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.name_patterns import Start, common_start, pattern_of, start_of


@pytest.mark.parametrize(("pattern", "start"), [
    ("web-1", Start("web-1", True)), ("web-*", Start("web-", False)), ("web-?1", Start("web-", False)), ("a[bc]", Start("a", False)),
    ("", Start("", True)), ("*", Start("", False)), ("a[[]1]", Start("a[1]", True)), ("[*][?]x*", Start("*?x", False)),
    ("a[!]b", Start("a", False)), ("a]b", Start("a]b", True)), ("a\\b\n", Start("a\\b\n", True)), ("[", Start("", False)), ("[[", Start("", False)),
])
def test_the_certain_start_of_a_pattern(pattern: str, start: Start) -> None:
    assert start_of(pattern) == start


@pytest.mark.parametrize("name", ["web-1", "a[b]*?", "[", "[!]", "x]y", "", "{{ x }}\n"])
def test_a_name_as_a_pattern_is_itself(name: str) -> None:
    assert start_of(pattern_of(name)) == Start(name, True)
    assert fnmatch.fnmatchcase(name, pattern_of(name))


@pytest.mark.parametrize(("patterns", "start"), [
    ((), Start("", False)), (("web-1",), Start("web-1", True)), (("web-1", "web-1"), Start("web-1", True)), (("web*",), Start("web", False)),
    (("web-1", "web-2"), Start("web-", False)), (("web", "web-1"), Start("web", False)), (("b", "a"), Start("", False)),
    (("web-1", "we*", "web"), Start("we", False)), (("", "a"), Start("", False)),
])
def test_how_all_names_begin(patterns: tuple[str, ...], start: Start) -> None:
    assert common_start(patterns) == start


def test_when_single_nodes_are_wanted() -> None:
    assert Filters((), {}, ("a", "b[*]")).single
    assert Filters((), {}, ("a*",), ("i-1",)).single
    assert not Filters((), {}, ("a", "b*")).single
    assert not Filters((), {"env": ("x",)}, ()).single
