# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``compose``, ``groups`` and ``keyed_groups`` for many hosts, with the results of Ansible's Constructable.

Constructable compiles every expression again for every host: about 1 ms each. Here each is compiled once. An
expression is evaluated by a function of our own where that is known to give ansible-core's answer (compiler.py,
program.py), and by Constructable's own methods everywhere else, so that hosts, groups, variables and errors are the
same either way.
"""
from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ansible.utils.vars import combine_vars
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.compiler import Failed
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.constructed import AnsibleOwn, Ledger
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.program import Program
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.pure_plugins import AskAnsible, PureEnvironment
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.trust import clean, might_be_template

_REPLAY_LIMIT = 4096
"""Distinct keys of one keyed_groups entry whose groups are remembered."""


class Expressions:
    """The expressions of one inventory source.

    plugin: the inventory plugin, after its ``parse`` has set ``loader`` and ``_vars``; its options ``use_extra_vars``
    and ``leading_separator`` and its way to make group names safe are respected. The other arguments are its options of
    the same names. On ansible-core 2.19+ expressions must be trusted, as those read from a configuration file are.
    """

    def __init__(
        self, plugin: Any, *, compose: Mapping[str, Any] | None = None, groups: Mapping[str, Any] | None = None,
        keyed_groups: Sequence[Any] | None = None, strict: bool = False,
    ) -> None:
        self._strict = strict
        self._ansible = ansible = AnsibleOwn(plugin)
        self._extra = ansible.extra_variables()
        environment = PureEnvironment()
        # Names as plain strings: a tagged one would be copied into the variables of every host (2.7 kB each).
        self._compose = [
            (str.__str__(name) if isinstance(name, str) else name, source, Program(source, environment, ansible.evaluate))
            for name, source in (compose or {}).items()
        ]
        self._groups = [
            _Group(name, condition, ansible, environment, strict) for name, condition in (groups or {}).items()
        ]
        self._keyed = [_KeyedGroups(entry, ansible, environment, strict) for entry in keyed_groups or ()]

    def apply(self, inventory: Any, hosts: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """Add to each host its composed variables, its groups and its keyed groups, in this order.

        inventory: what the plugin's ``parse`` was given. hosts: names of hosts that it holds, each with a dict of the
        variables set on it (not the host's own), which have been through ``trust.clean``. Raises AnsibleError and
        AnsibleParserError with Constructable's texts.
        """
        if not self._compose and not self._groups and not self._keyed:
            return
        ledger = self._ansible.work_on(inventory)
        for host, variables in hosts:
            self._compose_variables(ledger, host, variables)
            if self._groups or self._keyed:
                self._add_groups(ledger, host, variables)

    def _compose_variables(self, ledger: Ledger, host: str, variables: dict[str, Any]) -> None:
        ledger.composed.clear()
        scope = combine_vars(variables, self._extra) if self._extra else variables
        for name, source, program in self._compose:
            try:
                value = program.evaluate(scope, self._extra)
            except (AskAnsible, Failed) as outcome:
                if self._strict or isinstance(outcome, AskAnsible):
                    self._ansible.compose_variable(name, source, variables, host, self._strict)
            else:
                ledger.set_variable(host, name, value)

    def _add_groups(self, ledger: Ledger, host: str, variables: dict[str, Any]) -> None:
        held = ledger.get_host(host)
        scope = combine_vars(variables, held.get_vars())
        # Variables that the host has from another inventory source may hold templates.
        foreign: Collection[str] = held.vars.keys() - variables.keys() - ledger.composed
        for group in self._groups:
            group.add(ledger, host, scope, foreign)
        if self._extra:
            scope, foreign = combine_vars(scope, self._extra), {*foreign, *self._extra}
        for keyed in self._keyed:
            keyed.add(ledger, host, variables, scope, foreign)


class _Group:
    """One entry of ``groups``."""

    def __init__(
        self, name: Any, condition: Any, ansible: AnsibleOwn, environment: PureEnvironment, strict: bool
    ) -> None:
        self._name, self._condition, self._ansible, self._strict = name, condition, ansible, strict
        named = isinstance(name, str)  # ansible-core has its own answer to ``1: condition``
        self._safe_name = ansible.safe_group(name) if named else ""
        self._program = Program(condition if named else None, environment, ansible.holds, condition=True)

    def add(self, ledger: Ledger, host: str, scope: Mapping[str, Any], foreign: Collection[str]) -> None:
        """Put a host into the group if the condition holds for ``scope``; foreign: names in it that may hold templates."""
        try:
            member = self._program.evaluate(scope, foreign)
        except (AskAnsible, Failed) as outcome:
            if self._strict or isinstance(outcome, AskAnsible):
                self._ansible.add_to_group(self._name, self._condition, scope, host, self._strict)
            return
        if member:
            ledger.add_host(host, ledger.add_group(self._safe_name))


class _KeyedGroups:
    """One entry of ``keyed_groups``.

    Which groups follow from a key is ansible-core's code, with all its options. It runs for the first host of each key;
    the hosts after it join the same groups.
    """

    def __init__(self, entry: Any, ansible: AnsibleOwn, environment: PureEnvironment, strict: bool) -> None:
        self._entry, self._ansible, self._strict = entry, ansible, strict
        self._joined: dict[str, list[str]] = {}
        key, parent = (entry.get("key"), entry.get("parent_group")) if isinstance(entry, dict) else (None, None)
        self._program = Program(key, environment, ansible.evaluate)
        # A template as parent's name depends on the host; the names of its groups change with every entry.
        self._by_key = not might_be_template(parent) and "group_names" not in self._program.names

    def add(
        self, ledger: Ledger, host: str, variables: dict[str, Any], scope: Mapping[str, Any], foreign: Collection[str]
    ) -> None:
        """Put a host into its groups. scope: all that the key sees; foreign: names in it that may hold templates."""
        try:
            if not self._by_key:
                raise AskAnsible
            key = clean(self._program.evaluate(scope, foreign))
        except (AskAnsible, Failed) as outcome:
            if self._strict or isinstance(outcome, AskAnsible):
                self._ansible.add_to_keyed(self._entry, variables, host, self._strict)
            return
        fingerprint = repr(key)  # tells 1 from True and "1"
        joined = self._joined.get(fingerprint)
        if joined is not None:
            for group in joined:
                ledger.add_host(host, group)
            return
        joined = self._ansible.add_by_key(self._entry, key, host, self._strict)
        if len(self._joined) < _REPLAY_LIMIT:
            self._joined[fingerprint] = joined
