# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible's Constructable at arm's length: its own methods, with a Templar that compiles once and cleaned results."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.plugins.inventory import BaseInventoryPlugin, Constructable
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.templar import caching_templar
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.trust import clean

_NO_KEY: Any = object()


class Ledger:
    """The inventory, with composed variables cleaned.

    ``composed`` notes their names and ``joined`` the groups that a host was put into; the reader empties them. ``member`` is
    the host that Constructable is about to put into a composed group.
    """

    def __init__(self, inventory: Any) -> None:
        self.composed: set[str] = set()
        self.joined: list[str] = []
        self.member: str | None = None
        self._inventory = inventory
        self._hosts, self._groups = inventory.hosts, inventory.groups

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inventory, name)

    def set_variable(self, entity: str, name: str, value: Any) -> None:
        """As InventoryData's. A host is told directly: the wrapper that ansible-core 2.19+ gives to plugins would walk
        and copy the value again, to tag what ``clean`` has tagged."""
        self.composed.add(name)
        if entity in self._hosts and entity not in self._groups:
            self._hosts[entity].set_variable(name, clean(value))
        else:
            self._inventory.set_variable(entity, name, clean(value))

    def add_child(self, group: str, child: str) -> Any:
        """As InventoryData's, but for the host that ``member`` names: InventoryData would take it for a group of its name."""
        if child == self.member:
            return self._inventory.add_host(child, group)
        return self._inventory.add_child(group, child)

    def add_host(self, host: str, group: str) -> None:
        """Put a host the inventory holds into a group."""
        self.joined.append(group)
        self._groups[group].add_host(self._hosts[host])  # InventoryData's looks everything up by name again


class AnsibleOwn(BaseInventoryPlugin, Constructable):
    """What Constructable does for an inventory plugin, one expression at a time. It stands in for ``plugin``."""

    NAME = "hybridops.fleet.nodes"

    def __init__(self, plugin: Any) -> None:
        super().__init__()
        self._plugin = plugin
        self._key = _NO_KEY
        self._vars = plugin._vars
        self._sanitize_group_name = plugin._sanitize_group_name
        self.loader = plugin.loader
        self.templar = caching_templar(plugin.loader)

    def get_option(self, option: str, hostvars: Any = None) -> Any:
        """The plugin's option. Raises KeyError when it has none of this name."""
        return self._plugin.get_option(option, hostvars)

    def extra_variables(self) -> Mapping[str, Any]:
        """The extra variables that ``compose`` and ``keyed_groups`` see before the host's, if ``use_extra_vars``."""
        try:
            used = self.get_option("use_extra_vars")
        except Exception:  # as Constructable, for plugins without the option
            used = False
        return self._vars or {} if used else {}

    def safe_group(self, name: str) -> str:
        """``name`` as a group's name."""
        return str(self._sanitize_group_name(name))

    def work_on(self, inventory: Any) -> Ledger:
        """Let the methods below change this inventory, through the ledger returned."""
        self.inventory = Ledger(inventory)
        return self.inventory

    def evaluate(self, source: str, scope: Mapping[str, Any]) -> Any:
        """An expression's value, or whatever ansible-core raises."""
        return self._compose(source, scope)

    def holds(self, source: str, scope: Mapping[str, Any]) -> bool:
        """A condition's value, or whatever ansible-core (2.19+) raises."""
        self.templar.available_variables = scope
        return bool(self.templar.evaluate_conditional(source))

    def compose_variable(self, name: str, source: Any, variables: Mapping[str, Any], host: str, strict: bool) -> None:
        """One entry of ``compose``. Raises AnsibleError when strict."""
        self._set_composite_vars({name: source}, variables, host, strict)

    def add_to_group(self, name: str, condition: Any, scope: Mapping[str, Any], host: str, strict: bool) -> None:
        """One entry of ``groups``; scope is all that the condition sees. Raises AnsibleParserError when strict."""
        self.inventory.member = host
        try:
            self._add_host_to_composed_groups({name: condition}, scope, host, strict, fetch_hostvars=False)
        finally:
            self.inventory.member = None

    def add_to_keyed(self, entry: Any, variables: Mapping[str, Any], host: str, strict: bool) -> None:
        """One entry of ``keyed_groups``. Raises AnsibleParserError when it cannot be used at all, or when strict."""
        self._add_host_to_keyed_groups([entry], variables, host, strict)

    def add_by_key(self, entry: Mapping[str, Any], key: Any, host: str, strict: bool) -> list[str]:
        """The same with the key known. Returns the groups that the host was put into."""
        self.inventory.joined.clear()
        self._key = key
        try:
            self._add_host_to_keyed_groups([entry], {}, host, strict, fetch_hostvars=False)
        finally:
            self._key = _NO_KEY
        return list(self.inventory.joined)

    def _compose(self, template: Any, variables: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        if self._key is not _NO_KEY:
            return self._key
        return super()._compose(template, variables, *args, **kwargs)
