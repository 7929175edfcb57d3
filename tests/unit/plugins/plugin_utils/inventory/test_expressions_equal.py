# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Our results against those of Ansible's Constructable, expression by expression."""
from __future__ import annotations

import pytest
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.program import Program
from ansible_collections.hybridops.fleet.tests.unit.plugins.plugin_utils.inventory.constructed_twice import (
    HOSTS,
    Config,
    ours,
    outcome,
    theirs,
)

EXPRESSIONS = [
    # names
    "region", "cpu", "price", "public", "nothing", "empty", "missing", "tags", "networks", "names", "lines", "backslash",
    "number_text", "list_text", "true_text", "dict_text", "nested", "no_tags", "name_tag",
    # attributes and items
    "tags.env", "tags['env']", "tags.team", "tags.none", "tags.missing", "tags.missing.more", "missing.more", "image.name",
    "tags.nested.deep[1].x", "networks[0].addr", "networks[-1]['addr']", "networks[9].addr", "networks.0.addr", "names[1:]",
    "region[:2]", "region[0]", "tags[role]", "tags[missing]", "missing[role]", "tags['items']", "tags.items", "region.upper",
    "tags.nested.deep[5]", "region['x']", "tags[cpu]", "tags.__class__", "region.__class__.__mro__", "nothing.x", "cpu.real",
    # constants
    "'root'", "42", "1.5", "true", "none", "[1, 'a', [2]]", "{'a': 1, 'b': {'c': region}}", "('a', cpu)", "'True'", "'[1, 2]'",
    "[]", "''", "'{{ region }}'", "\"{'a': 1}\"", "'ünï'",
    # text
    "'x' ~ region", "region ~ '/' ~ tags.env", "region ~ cpu ~ public ~ nothing ~ price", "'x' + region", "tags ~ names",
    "missing ~ 'x'", "'%s-%s' % (region, cpu)", "'x' * 3", "'a' 'b'", "'line' ~ '\\n'", "lines ~ '\\n\\n'",
    # arithmetic
    "cpu + 1", "cpu * 2 - 1", "cpu / 2", "cpu // 3", "cpu % 3", "-cpu", "2 ** 3", "cpu + price", "cpu + '1'", "1 / 0", "1 + missing",
    "names + ['z']", "numbers + names", "+cpu",
    # comparisons and logic
    "cpu > 2", "1 < cpu <= 16", "region == 'eu-west-1'", "region != missing", "'a' in names", "'env' in tags", "'eu' in region",
    "cpu not in [1, 2]", "missing in names", "region in missing", "region in ('us-east-1', 'eu-west-1')", "names == ['b', 'a', 'b']",
    "public and region", "public or region", "not public", "region and missing", "missing or region", "not missing",
    "role or 'none'", "cpu < region", "tags == {}", "tags.env == 'prod' and role == 'web'", "true and 1", "public is true",
    # conditionals
    "'x' if public else 'y'", "'x' if public", "region if missing else zone", "zone if zone else region", "tags.env if tags else none",
    # default
    "missing | default('d')", "region | default('d')", "empty | default('d', true)", "nothing | default('d')", "missing | default",
    "nothing | default('d', boolean=true)", "tags.x.y | default(region)", "missing | default(other)", "missing | d(1) + 1",
    "missing | default(omit)", "region | default(omit)", "missing | upper | default('u')", "empty | default('d', 1)",
    "(missing ~ 'x') | default('d')", "[missing] | default('d')", "tags | default({})", "missing | default([]) | length",
    # filters
    "region | upper", "region | regex_replace('^(\\w+)-.*$', '\\\\1')", "region | regex_replace('-', '_') | upper", "cpu | string",
    "number_text | int", "number_text | int + 1", "price | round", "names | join(',')", "names | unique | sort | join('-')",
    "names | first", "names | last", "empties | first", "numbers | max", "numbers | sort | list", "numbers | sum", "nested | flatten",
    "networks | selectattr('type', 'eq', 'floating') | map(attribute='addr') | list | first",
    "networks | selectattr('type', 'equalto', 'fixed') | list", "networks | map(attribute='mtu') | list", "names | map('upper') | list",
    "networks | map(attribute='addr', default='none') | list", "networks | rejectattr('mtu', 'none') | map(attribute='name') | join",
    "names | select('match', '^a') | list", "names | map('regex_replace', '^', 'x-') | list", "tags | dict2items", "tags | length",
    "names | reject('equalto', 'a') | list", "[region, zone] | select | join('-')", "names | map('default', 'x') | list",
    "region | split('-') | last", "region | replace('-', '')", "tags | combine({'x': cpu})", "public | bool", "public | ternary('a', 'b')",
    "missing | ternary('a', 'b')", "public | ternary(missing, 'b')", "names | length > 2", "names | union(['q'])", "tags.keys() | list",
    "tags.values() | list", "tags.items() | list", "region.split('-')[0]", "region.startswith('eu')", "tags.get('env', 'none')",
    "tags.get('none', 'none')", "tags.get('absent')", "missing.get('x')", "role.split('-')", "region.replace('-', '_').upper()",
    "names.count('b')", "region.format(1)", "names | no_such_filter", "missing | no_such_filter", "region | upper(1)", "cpu | length",
    "region | ansible.builtin.regex_search('[a-z]+')", "names | batch(2) | list", "tags | to_json", "region | b64encode", "names | zip(names)",
    "names | map('no_such_filter') | list", "names | random(seed=1) if names else 'x'", "region | hash('sha1')", "image | items2dict",
    "names | reverse | list", "region | reverse", "cpu | abs", "role | mandatory", "region | type_debug", "names | string", "tags | string",
    "price | int", "image.version | int(default=7)", "networks | sort(attribute='addr')", "networks | map(attribute='__class__') | list",
    # tests
    "region is defined", "missing is defined", "missing is not defined", "tags.x is undefined", "region is string", "missing is string",
    "cpu is number", "tags is mapping", "names is sequence", "region is match('eu')", "region is search('west', ignorecase=true)",
    "nothing is none", "cpu is even", "names is contains('a')", "region is version('1', '>')", "region is no_such_test", "cpu is divisibleby(2)",
    "['a'] is subset(names)", "empty is truthy", "public is boolean", "cpu is in [4, 16]", "missing is none", "cpu is odd(1)",
    # not pure, or Jinja's own names
    "lookup('env', 'HYBRIDOPS_TEST_ENV')", "q('vars', 'region')", "range(3) | list", "dict(a=1)", "omit", "now().year > 2000", "undef()",
    "lookup('no_such_lookup')", "self", "loop", "namespace(a=1).a", "lookup('env', region)", "inventory_hostname", "group_names",
    # not expressions
    "region zone", "", " ", "(", "region |", "{{ region }}", "region }} {{ zone", "{% if true %}x{% endif %}", "a-b", "1 +", "*", 7, None, True,
    ["a"], {"a": "b"}, "#jinja2: x\nregion",
]

CONDITIONS = [
    "public", "public == true", "cpu > 2", "tags.env == 'prod'", "tags.env | default('') == 'dev'", "region is match('eu')", "region",
    "cpu", "names", "names | length > 0", "'a' in names", "missing", "missing is defined", "not missing is defined",
    "tags.env is defined and tags.env == 'prod'", "true", "false", True, False, None, "", " ", "'x'", "region ==",
    "inventory_hostname == 'bare'", "'web' in group_names",
    "inventory_hostname_short == 'db-02'", "composed == 'eu-west-1'", "lookup('env', 'HYBRIDOPS_TEST_ENV') == 'set'", "{{ public }}",
    "'{{ region }}' == 'eu-west-1'", "public | bool", "  cpu > 2  ", "cpu > 2 or missing", "inventory_file is none", 1, ["cpu > 2"], "omit",
    "region == 'a\\tb'", "cpu > 'x'", "group_names | length > 1", "no_such | filter",
]

KEYED = [
    {"key": "region"}, {"key": "region", "prefix": "region"}, {"key": "tags.env", "prefix": "env", "separator": ""}, {"key": "missing"},
    {"key": "region", "separator": "-"}, {"key": "tags"}, {"key": "tags", "prefix": "tag", "trailing_separator": False}, {"key": "names"},
    {"key": "tags", "prefix": "tag", "default_value": "none"}, {"key": "zone", "default_value": "nowhere"}, {"key": "empty"}, {"key": "nothing"},
    {"key": "empty", "default_value": "nothing"}, {"key": "tags.team", "prefix": "team", "default_value": "nobody"}, {"key": "cpu"},
    {"key": "public"},
    {"key": "names", "prefix": "n", "parent_group": "named"}, {"key": "region", "parent_group": "{{ role }}"}, {"key": "empties"}, {"key": "no_tags"},
    {"key": "region", "parent_group": "{{ missing }}"}, {"key": "region", "parent_group": "{{ omit }}"}, {"key": "region", "parent_group": "a b-c"},
    {"key": "tags", "default_value": "x", "trailing_separator": True}, {"key": "'fixed'", "prefix": "é ü"}, {"key": "[region, zone]"},
    {"prefix": "x"},
    {"key": "[1, none, '']", "prefix": "p"}, {"key": "{'a': none, 'b': ''}", "trailing_separator": False}, {"key": "{'a': 0, '': 1}"},
    {}, None, "region",
    {"key": "group_names", "prefix": "was"}, {"key": "inventory_hostname"}, {"key": "image.distro", "prefix": "distro", "parent_group": "distros"},
    {"key": "composed", "prefix": "c"}, {"key": "region | upper"}, {"key": "no_such | filter"}, {"key": "networks | map(attribute='name') | list"},
    {"key": "lookup('env', 'HYBRIDOPS_TEST_ENV')"}, {"key": 3}, {"key": "tags.tricky", "prefix": "t"}, {"key": "region", "parent_group": ""},
    {"key": "region", "parent_group": 5}, {"key": "true_text"}, {"key": "list_text"}, {"key": "omit"}, {"key": "region", "parent_group": "all"},
]


def case_id(value: object) -> str:
    return ascii(value)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled answers are believed at once: the comparison with ansible-core must not hide a wrong one."""
    monkeypatch.setenv("HYBRIDOPS_TEST_ENV", "set")
    monkeypatch.setattr(Program, "_prove_value", lambda *args: None)
    monkeypatch.setattr(Program, "_prove_failure", lambda *args: None)


def assert_equal(config: Config, **changes: object) -> None:
    assert outcome(ours, config, **changes) == outcome(theirs, config, **changes)


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=case_id)
def test_compose(expression: object) -> None:
    assert_equal(Config(compose={"composed": expression, "after": "'reached'"}))


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("expression", EXPRESSIONS, ids=case_id)
def test_compose_strict(expression: object, host: str) -> None:
    """Strict stops at the first host that fails, so each host is run alone, after one that has proved the expression."""
    hosts = {"web-01": HOSTS["web-01"], "second": HOSTS["web-01"], host: HOSTS[host]}
    assert_equal(Config(compose={"composed": expression}, strict=True), hosts=hosts)


@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
@pytest.mark.parametrize("condition", CONDITIONS, ids=case_id)
def test_groups(condition: object, strict: bool) -> None:
    config = Config(compose={"composed": "region"}, groups={"chosen one": condition, "after": "public == true"}, strict=False)
    assert_equal(config)
    for host in HOSTS if strict else ():
        assert_equal(Config(groups={"chosen one": condition}, strict=True), hosts={"web-01": HOSTS["web-01"], host: HOSTS[host]})


@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
@pytest.mark.parametrize("leading", [True, False], ids=["leading", "no-leading"])
@pytest.mark.parametrize("entry", KEYED, ids=case_id)
def test_keyed_groups(entry: object, leading: bool, strict: bool) -> None:
    config = Config(compose={"composed": "region"}, keyed_groups=[entry, {"key": "cpu | string", "prefix": "after"}], leading_separator=leading)
    assert_equal(config)
    for host in HOSTS if strict else ():
        strictly = Config(keyed_groups=[entry], strict=True, leading_separator=leading)
        assert_equal(strictly, hosts={"web-01": HOSTS["web-01"], "second": HOSTS["web-01"], host: HOSTS[host]})


def test_everything_at_once() -> None:
    """Order matters between entries, and between hosts that share groups."""
    assert_equal(Config(
        compose={f"v{number}": expression for number, expression in enumerate(EXPRESSIONS)},
        groups={f"g{number}": condition for number, condition in enumerate(CONDITIONS)},
        keyed_groups=[entry for entry in KEYED if entry and isinstance(entry, dict) and "trailing_separator" not in entry]))


@pytest.mark.parametrize("used", [True, False], ids=["used", "unused"])
def test_extra_variables(used: bool) -> None:
    """They come before the host's, and may hold templates."""
    assert_equal(Config(
        compose={"a": "region", "b": "extra", "c": "extra ~ region", "d": "cpu + 1", "e": "computed"},
        groups={"g": "extra is defined", "h": "region == 'from-extra'"},
        keyed_groups=[{"key": "region", "prefix": "r"}, {"key": "computed", "prefix": "x"}, {"key": "cpu | string"}],
        use_extra_vars=used, extra_vars={"extra": "{{ cpu }}", "region": "from-extra", "computed": "{{ extra ~ '!' }}"}))


def test_variables_of_an_earlier_source() -> None:
    """A host may have variables already; their templates are evaluated for groups, as Constructable does."""
    assert_equal(
        Config(
            compose={"fails": "missing", "merged": "tags", "unseen": "theirs"},
            groups={"a": "theirs == 'eu-west-1'", "b": "fails == 'eu-west-1'", "c": "merged.env == 'prod'"},
            keyed_groups=[{"key": "theirs", "prefix": "t"}, {"key": "fails", "prefix": "f"}, {"key": "merged", "prefix": "m"}]),
        earlier={"theirs": "{{ region }}", "fails": "{{ theirs }}", "merged": {"env": "{{ role }}", "old": 1}})


def test_group_names_follow_the_groups_made() -> None:
    """Conditions see the groups from before all of them; each keyed group sees those of the entries before it."""
    assert_equal(Config(
        groups={"first": "public == true", "second": "'first' in group_names", "third": "group_names == []"},
        keyed_groups=[
            {"key": "group_names", "prefix": "a"}, {"key": "region", "prefix": "r"}, {"key": "group_names", "prefix": "b"},
            {"key": "group_names | join", "prefix": "c", "parent_group": "{{ group_names | first }}"}]))


def test_host_named_as_a_group() -> None:
    """Ansible then sets the group's variable."""
    hosts = {"first": {"region": "twin"}, "twin": {"region": "x"}}
    assert_equal(Config(compose={"composed": "region"}, keyed_groups=[{"key": "region", "separator": ""}]), hosts=hosts)
    hosts = {"first": {"region": "ungrouped"}, "ungrouped": {"region": "x"}}
    assert_equal(Config(compose={"composed": "region"}), hosts=hosts)


@pytest.mark.parametrize("strict", [False, True])
def test_names_that_are_no_text(strict: bool) -> None:
    """YAML reads ``1: condition`` so."""
    assert_equal(Config(compose={1: "region", None: "cpu"}, strict=strict))
    assert_equal(Config(groups={1: "cpu > 2"}, strict=strict))


def test_many_keys() -> None:
    """More distinct keys than are remembered, each seen twice."""
    hosts = {f"h{number}": {"key": f"k{number % 5000}"} for number in range(6000)}
    assert_equal(Config(keyed_groups=[{"key": "key", "prefix": "p", "parent_group": "keys"}]), hosts=hosts)
