# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The same hosts and expressions through Ansible's Constructable and through ours."""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.inventory import BaseInventoryPlugin, Constructable
from ansible.template import Templar
from ansible.utils.display import Display
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.expressions import Expressions
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.trust import clean

try:
    from ansible.template import trust_as_template
    OWN_EVALUATION = True
    """Whether this ansible-core is one where we evaluate compiled expressions ourselves."""
except ImportError:
    OWN_EVALUATION = False

    def trust_as_template(value: str) -> str:
        return value

HOSTILE = "{{ lookup('pipe', 'id') }}"

HOSTS: dict[str, dict[str, Any]] = {
    "web-01": {
        "region": "eu-west-1", "zone": "eu-west-1a", "cpu": 4, "price": 0.25, "public": True, "nothing": None, "empty": "",
        "role": "web", "ansible_user": "debian", "name_tag": "Grüße-01", "number_text": "42", "list_text": "[1, 2]",
        "dict_text": "plain", "true_text": "True", "backslash": "a\\1b", "lines": "one\ntwo\n",
        "tags": {"env": "prod", "tier": "front end", "team": "", "none": None, "nested": {"deep": [1, {"x": "y"}]}},
        "image": {"name": "Debian 12", "distro": "debian", "version": "12"},
        "networks": [
            {"type": "fixed", "addr": "10.0.0.5", "mtu": 1450, "name": "net-a"},
            {"type": "floating", "addr": "192.0.2.5", "mtu": None, "name": "net-b"},
        ],
        "names": ["b", "a", "b"], "numbers": [3, 1, 2], "empties": [], "nested": [[1], [2, 3]], "no_tags": {},
    },
    "db-02.example.com": {
        "region": "us-east-1", "zone": None, "cpu": 16, "price": 1.0, "public": False, "role": "db", "ansible_user": "",
        "name_tag": "db 02", "number_text": "x42", "tags": {"env": "dev", "tier": "back"}, "networks": [],
        "image": {"name": None, "distro": None, "version": ""}, "names": [], "numbers": [5], "nested": [],
        "true_text": "yes", "list_text": "text", "empty": "", "backslash": "none", "lines": "x", "nothing": None,
        "empties": [], "no_tags": {}, "dict_text": "",
    },
    "198.51.100.7": {"region": "", "cpu": 0, "tags": {}, "networks": [{"type": "floating"}], "role": None},
    "bare": {},
    "hostile": {
        "region": HOSTILE, "cpu": 1, "role": "{% raw %}x{% endraw %}", "ansible_user": "#jinja2: x\n",
        "tags": {"env": HOSTILE, "tier": "}}", "tricky": HOSTILE, "nested": {"deep": [HOSTILE, {"x": HOSTILE}]}},
        "networks": [{"type": "floating", "addr": HOSTILE, "mtu": 1, "name": HOSTILE}], "names": [HOSTILE, "a"],
        "image": HOSTILE, "numbers": [1], "name_tag": "{", "list_text": "[1, '{{ x }}']", "dict_text": "{'a': 1}",
    },
    "odd-types": {
        "region": 7, "cpu": "four", "role": ["web"], "tags": ["env", "prod"], "networks": "none", "image": 3,
        "ansible_user": {"name": "x"}, "names": "text", "numbers": None, "name_tag": 1.5, "public": "maybe",
    },
}


def trusted(value: Any) -> Any:
    """Configuration as ``_read_config_data`` hands it to a plugin."""
    if isinstance(value, str):
        return trust_as_template(value)
    if isinstance(value, dict):
        return {key: trusted(item) for key, item in value.items()}
    return [trusted(item) for item in value] if isinstance(value, list) else value


@dataclass
class Config:
    """The options of an inventory source that concern expressions."""

    compose: dict[str, Any] = field(default_factory=dict)
    groups: dict[str, Any] = field(default_factory=dict)
    keyed_groups: list[Any] = field(default_factory=list)
    strict: bool = False
    leading_separator: bool = True
    use_extra_vars: bool = False
    extra_vars: dict[str, Any] = field(default_factory=dict)


class Plugin(BaseInventoryPlugin, Constructable):
    """An inventory plugin reduced to what Constructable uses of it."""

    NAME = "hybridops.fleet.nodes"

    def __init__(self, config: Config, inventory: InventoryData) -> None:
        super().__init__()
        self.config, self.inventory = config, inventory
        self.loader = DataLoader()
        self.templar = Templar(loader=self.loader)
        self._vars = trusted(config.extra_vars)

    def get_option(self, option: str, hostvars: Any = None) -> Any:
        return getattr(self.config, option)


def theirs(plugin: Plugin, config: Config, hosts: dict[str, dict[str, Any]]) -> None:
    """The loop of any inventory plugin of today."""
    for host, variables in hosts.items():
        plugin._set_composite_vars(trusted(config.compose), variables, host, config.strict)
        plugin._add_host_to_composed_groups(trusted(config.groups), variables, host, config.strict)
        plugin._add_host_to_keyed_groups(trusted(config.keyed_groups), variables, host, config.strict)


def ours(plugin: Plugin, config: Config, hosts: dict[str, dict[str, Any]]) -> None:
    """The same, compiled once."""
    expressions = Expressions(
        plugin, compose=trusted(config.compose), groups=trusted(config.groups),
        keyed_groups=trusted(config.keyed_groups), strict=config.strict)
    expressions.apply(plugin.inventory, hosts.items())


def outcome(run: Any, config: Config, hosts: dict[str, Any] | None = None, earlier: dict[str, Any] | None = None) -> Any:
    """Everything that a run leaves: the inventory, the error, the warnings. earlier: variables of an earlier source."""
    inventory, messages = InventoryData(), set()
    cleaned = {host: clean(variables) for host, variables in (HOSTS if hosts is None else hosts).items()}
    for host, variables in cleaned.items():
        inventory.add_host(host)
        for name, value in {**trusted(earlier or {}), **variables}.items():
            inventory.set_variable(host, name, value)
    display, error = Display(), None
    for told in (display._warns, display._deprecations):
        told.clear()  # each message is shown once per process
    shown = {kind: getattr(display, kind) for kind in ("warning", "deprecated")}
    for kind in shown:
        setattr(display, kind, lambda msg="", *args, _kind=kind, **kwargs: messages.add((_kind, str(msg))))
    try:
        run(Plugin(config, inventory), config, cleaned)
    except Exception as failure:
        error = (type(failure).__name__, str(failure))
    finally:
        for kind in shown:
            delattr(display, kind)
    return {"error": error, "messages": sorted(messages), **snapshot(inventory)}


def snapshot(inventory: InventoryData) -> dict[str, Any]:
    """Hosts, variables, groups, their members and relatives, in order."""
    return {
        "hosts": {name: plain(host.vars) for name, host in inventory.hosts.items()},
        "host groups": {name: _names(host.groups) for name, host in inventory.hosts.items()},
        "groups": {
            plain(name): {
                "hosts": _names(group.hosts),
                "children": _names(group.child_groups),
                "parents": _names(group.parent_groups),
                "vars": plain(group.vars),
                "depth": group.depth,
            }
            for name, group in inventory.groups.items()
        },
    }


def _names(entities: list[Any]) -> list[str]:
    return [plain(entity.name) for entity in entities]


def plain(value: Any) -> Any:
    """A value without the marks of templating, types kept apart (1, True and "1" differ)."""
    if isinstance(value, str):
        return re.sub(r"at([ _])0x[0-9a-f]+", r"at\1ADDRESS", str.__str__(value))  # methods print so before 2.19
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float)):
        return (type(value).__name__, value)
    return type(value).__name__
