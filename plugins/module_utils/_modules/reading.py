# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the _info modules do: read and choose, nothing else."""
from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .._fleet import catalog as catalogs
from .._fleet.errors import FleetError
from .._fleet.finding import passing
from .._fleet.fleet_file import DEFAULT_STATES, Cloud, Filters
from .._fleet.opened import Opened
from .._fleet.outcomes import at_once
from .._fleet.records import as_dict
from .._fleet.shape import Node
from .front import settings_of

COMMON_WORDS = ("debian", "ubuntu", "rocky", "almalinux", "amazon", "rhel", "centos", "fedora")
"""Distributions that are asked for where a list of all images would have no end."""


def nodes(module: AnsibleModule, cloud: Cloud) -> list[dict[str, Any]]:
    """Result of node_info."""
    given = module.params
    opened = Opened(cloud, settings_of(module, timeout=given["timeout"]))
    found = select(opened, names=given["names"], ids=given["ids"], tags=given["tags"], states=given["states"] or DEFAULT_STATES)
    if given["host_keys"]:
        found = _with_host_keys(opened, found)
    return [as_dict(node) for _scope, node in found]


def select(
    opened: Opened, *, names: Sequence[str], ids: Sequence[str], tags: Mapping[str, Any], states: Sequence[str],
) -> list[tuple[str, Node]]:
    """(scope, node) of those that pass all filters. Raises the first FleetError of any part of the cloud."""
    own = opened.cloud.filters
    return passing(opened, Filters(
        states=tuple(states), names=tuple(names) or own.names, ids=tuple(ids),
        tags={**own.tags, **{str(key): _wanted(value) for key, value in tags.items()}}))


def _wanted(value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    return tuple(str(item).lower() if isinstance(item, bool) else str(item) for item in items if item is not None)


def _with_host_keys(opened: Opened, found: list[tuple[str, Node]]) -> list[tuple[str, Node]]:
    told: dict[tuple[str, str], tuple[str, ...] | None] = {}

    def ask(pair: tuple[str, Node]) -> None:
        scope, node = pair
        told[scope, node.id] = opened.actions(scope).host_keys(node.id)

    at_once([pair for pair in found if pair[1].state == "running"], ask, opened.settings.workers)
    return [(scope, dataclasses.replace(node, host_keys=told.get((scope, node.id)) or node.host_keys)) for scope, node in found]


def catalog(module: AnsibleModule, cloud: Cloud) -> dict[str, Any]:
    """Result of catalog_info."""
    given = module.params
    opened = Opened(cloud, settings_of(module, timeout=given["timeout"]))
    scope = given["scope"] or opened.first_scope()
    if scope and scope not in opened.scopes:
        raise FleetError("read the catalog", why=f"the cloud has no scope '{scope}', only {', '.join(opened.scopes)}", cloud=cloud.name,
                         fix="Correct 'scope'.", code="scope")
    words = tuple(word.lower() for word in given["images"]) or COMMON_WORDS
    try:
        offer = opened.actions(scope).catalog(frozenset(given["parts"]), words)
    except FleetError as failure:
        raise failure.at(cloud.name, scope) from None
    return {"scope": scope, **catalogs.as_dict(cloud.provider, offer, cloud.login_user)}
