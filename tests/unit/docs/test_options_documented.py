# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options the code checks and the options the plugin documents are the same ones."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.action import access_key_out, access_login, access_prove, access_switch, container_engine
from ansible_collections.hybridops.fleet.plugins.inventory import nodes
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import COMMON_OPTIONS, SETTINGS
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.options import Option
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.registry import PROVIDERS
from ansible_collections.hybridops.fleet.plugins.modules import access_key_out as key_out_docs
from ansible_collections.hybridops.fleet.plugins.modules import access_login as login_docs
from ansible_collections.hybridops.fleet.plugins.modules import access_prove as prove_docs
from ansible_collections.hybridops.fleet.plugins.modules import access_switch as switch_docs
from ansible_collections.hybridops.fleet.plugins.modules import container_engine as engine_docs
from ansible_collections.hybridops.fleet.plugins.plugin_utils._access.action import COMMON
from ansible_collections.hybridops.fleet.tests.unit.docs.documented import options

DOCUMENTED = options(nodes)
CLOUD: dict[str, Any] = DOCUMENTED["clouds"]["suboptions"]
TYPES = {"str": ("str", "path"), "int": ("int",), "bool": ("bool",), "dict": ("dict",), "strings": ("list",), "dicts": ("list",)}
ELEMENTS = {"strings": "str", "dicts": "dict"}


def _provider_options() -> dict[str, list[tuple[str, Option]]]:
    """Name -> every provider that has such an option, and its own definition of it."""
    found: dict[str, list[tuple[str, Option]]] = {}
    for provider, spec in PROVIDERS.items():
        for option in spec.options:
            found.setdefault(option.name, []).append((provider, option))
    return found


def _pairs() -> Iterator[Any]:
    """(place, option, its documentation, whether the code demands it wherever it is known)"""
    for option in SETTINGS:
        yield from _with_nested(option.name, option, DOCUMENTED.get(option.name), option.required)
    for option in COMMON_OPTIONS:
        yield from _with_nested(f"clouds.{option.name}", option, CLOUD.get(option.name), option.required)
    for name, definitions in _provider_options().items():
        for provider, option in definitions:
            # what one provider demands, the others do not know, so it cannot be documented as required
            yield from _with_nested(f"clouds.{name} ({provider})", option, CLOUD.get(name), False)


def _with_nested(place: str, option: Option, documented: Mapping[str, Any] | None, required: bool) -> Iterator[Any]:
    yield pytest.param(option, documented, required, id=place)
    suboptions = (documented or {}).get("suboptions", {})
    for nested in option.options:
        yield from _with_nested(f"{place}.{nested.name}", nested, suboptions.get(nested.name), nested.required)


def _told_in_words(option: Option, documented: Mapping[str, Any]) -> bool:
    """Possible values that explain themselves best in a sentence, each marked as a value."""
    return bool(option.choices) and all(f"V({choice})" in " ".join(documented["description"]) for choice in option.choices)


@pytest.mark.parametrize(("option", "documented", "required"), list(_pairs()))
def test_an_option_is_documented_as_it_is_checked(option: Option, documented: Mapping[str, Any] | None, required: bool) -> None:
    assert documented is not None, "not documented"
    assert documented["type"] in TYPES[option.kind]
    assert documented.get("elements") == ELEMENTS.get(option.kind)
    assert documented.get("required", False) == required
    assert tuple(documented.get("choices", ())) == option.choices or _told_in_words(option, documented)
    assert set(documented.get("suboptions", {})) == {nested.name for nested in option.options}


@pytest.mark.parametrize(("option", "documented", "required"), [pair for pair in _pairs() if pair.id.startswith("clouds.")])
def test_a_default_of_a_cloud_is_documented(option: Option, documented: Mapping[str, Any], required: bool) -> None:
    """An empty list or mapping counts as none. Defaults of the top level are Ansible's business and only documented."""
    assert not required or option.default is None
    assert documented.get("default") == (option.default if option.default not in ([], {}) else None)


def test_nothing_else_is_documented() -> None:
    assert set(DOCUMENTED) == {"plugin", "clouds"} | {option.name for option in SETTINGS}
    assert set(CLOUD) == {option.name for option in COMMON_OPTIONS} | set(_provider_options())


@pytest.mark.parametrize("name", sorted(_provider_options()))
def test_an_option_of_some_providers_names_them(name: str) -> None:
    description = CLOUD[name]["description"]
    text = description if isinstance(description, str) else " ".join(description)
    for provider, _option in _provider_options()[name]:
        assert f"C(provider={provider})" in text


@pytest.mark.parametrize("name", [option.name for option in SETTINGS])
def test_a_setting_can_come_from_the_environment(name: str) -> None:
    """AWX hands the settings of an inventory source over as environment variables."""
    assert DOCUMENTED[name]["env"] == [{"name": f"HYBRIDOPS_FLEET_{name.upper()}"}]


@pytest.mark.parametrize(("action", "docs"), [
    (access_key_out, key_out_docs), (access_login, login_docs), (access_prove, prove_docs), (access_switch, switch_docs)])
def test_an_action_takes_what_its_module_documents(action: ModuleType, docs: ModuleType) -> None:
    """ansible-test compares the arguments of modules with their documentation, but not those of actions."""
    told = options(docs)
    checked = {**COMMON, **action.ActionModule.options}
    kept = ("type", "elements", "required", "default", "choices")
    assert {name: {key: row[key] for key in kept if key in row} for name, row in told.items()} == {
        name: {key: row[key] for key in kept if key in row} for name, row in checked.items()}


def test_the_engine_s_options_are_taken_as_they_are_documented_to_the_last_one() -> None:
    def kept(told: Mapping[str, Any], nested: str) -> dict[str, Any]:
        return {name: {**{key: row[key] for key in ("type", "elements", "required", "default", "choices") if key in row},
                       "nested": kept(row.get(nested, {}), nested)} for name, row in told.items()}

    assert kept(options(engine_docs), "suboptions") == kept(container_engine.ActionModule.arguments, "options")
