# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an area of hardening is given and what it answers. Pure data.

An area is a module ``areas/<name>.py`` with ``SYSCTL``, ``PROGRAMS`` and ``PATHS`` (what it asks of the node) and
``decide(facts, options) -> list[Decision]``.
"""
from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

Facts = Mapping[str, Any]
"""What module harden_facts answers."""
Item = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Control:
    """One entry of a role's data. on: whether the profile, or the operator, wants it; by: who says so. values: what it is to set."""

    name: str
    title: str
    on: bool
    by: str
    values: Mapping[str, Any]
    refs: Mapping[str, list[str]]


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """distribution: package, path and unit names of the node's release. workloads: name -> how it is known. node: the one shape and
    other variables of the host. variables: the role's own. check: nothing will be changed, so packages are assumed to have come.
    host: the node's name; hosts, groups: variables and groups of the whole inventory, for what depends on other hosts."""

    profile: str
    controls: Mapping[str, Control]
    distribution: Mapping[str, Any]
    workloads: Mapping[str, str]
    node: Mapping[str, Any]
    variables: Mapping[str, Any]
    connection: Connection
    check: bool = False
    host: str = ""
    hosts: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    groups: Mapping[str, list[str]] = dataclasses.field(default_factory=dict)

    def on(self, name: str) -> bool:
        control = self.controls.get(name)
        return control is not None and control.on

    def works_for(self, *names: str) -> str:
        """How the first of these workloads is known, empty when the node does none of them."""
        return next((f"{name}: {self.workloads[name]}" for name in names if name in self.workloads), "")


@dataclasses.dataclass(frozen=True, slots=True)
class Connection:
    """How Ansible reaches the node. transport: ssh, local, docker ... user: the account it logs in as, before it becomes root. by_password: it has
    a password for the login."""

    transport: str
    user: str
    become: bool = True
    become_password: bool = False
    become_method: str = "sudo"
    by_password: bool = False
    port: int | None = None
    remote_tmp: str = ""
    pipelining: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """What is done about one control, and why. why: of what is left out, or of what differs from the profile. notes: what the operator should
    know. present, absent: packages. replaced: those that the package manager takes away by itself when the others come. part_of: the control
    whose items bring this one about too, where it has none of its own."""

    control: str
    apply: bool
    why: str = ""
    items: tuple[Item, ...] = ()
    notes: tuple[str, ...] = ()
    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    part_of: str = ""


def packages(decisions: Iterable[Decision], facts: Facts) -> tuple[list[str], list[str]]:
    """Those to install and those to remove, each sorted; what is right already is not named, nor what cannot be had."""
    have = set(facts.get("packages") or ())
    wanted = {name for decision in decisions if decision.apply for name in decision.present}
    unwanted = {name for decision in decisions if decision.apply for name in decision.absent}
    return sorted(wanted - have - set(facts.get("unavailable") or ())), sorted((unwanted & have) - wanted)


def replaced(decision: Decision, come: Iterable[str]) -> tuple[str, ...]:
    """Packages that go when these come."""
    return decision.replaced if decision.apply and set(decision.present) & set(come) else ()
