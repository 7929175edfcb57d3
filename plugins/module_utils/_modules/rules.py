# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What module node_rules does: one part of the rules of many nodes' own security groups, all clouds at the same time."""
from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .._fleet.collect import Settings
from .._fleet.errors import FleetError
from .._fleet.finding import living_in
from .._fleet.fleet_file import Cloud
from .._fleet.opened import Opened, at
from .._fleet.outcomes import at_once
from .._fleet.providers.actions import MARK, SecurityRule
from .._fleet.requirement import allowed
from .front import Clouds, described, settings_of

PART = re.compile(r"[a-z]{1,12}")


@dataclasses.dataclass
class _Work:
    """One node and what became of it."""

    node_id: str
    rules: tuple[SecurityRule, ...]
    name: str = ""
    did: list[str] = dataclasses.field(default_factory=list)
    failure: FleetError | None = None


def rules(module: AnsibleModule, clouds: Clouds) -> dict[str, Any]:
    """Result of node_rules."""
    given = module.params
    if not PART.fullmatch(given["part"]):
        raise FleetError("'part' is not a word", why=f"it is '{given['part']}'", fix="Use up to twelve small letters.", code="argument")
    settings = settings_of(module, timeout=given["timeout"])
    work: dict[str, list[_Work]] = {}
    for number, row in enumerate(given["nodes"]):
        told = [{key: value for key, value in rule.items() if value is not None} for rule in row["allow"]]
        work.setdefault(row["cloud"] or given["cloud"] or "", []).append(_Work(row["id"], allowed(told, f"nodes[{number}]")))
    named = {name: clouds.named(name) for name in work}  # all are checked before any is asked
    at_once(list(work), lambda name: _bring(named[name], work[name], settings, given, module.check_mode), max(len(work), 1))
    return _result(work)


def _bring(cloud: Cloud, rows: list[_Work], settings: Settings, given: Mapping[str, Any], check: bool) -> None:
    """The nodes of one cloud. A failure is kept with each node that it concerns."""
    try:
        opened = Opened(cloud, settings)
        found = living_in(opened, [row.node_id for row in rows])
    except FleetError as failure:
        for row in rows:
            row.failure = failure
        return

    def go(row: _Work) -> None:
        try:
            if row.node_id not in found:
                raise FleetError(f"change what may reach node {row.node_id}", why="the cloud has no such node", cloud=cloud.name, code="not_found",
                                 fix="Correct 'id'; node_info lists the nodes.")
            scope, node = found[row.node_id]
            row.name = node.name or node.id
            if MARK not in node.tags:
                if row.rules:
                    settings.warn(f"node {row.name} was not made by this collection, so nothing was opened for it")
                return
            with at(cloud, scope):
                row.did = opened.actions(scope).bring_rules(node.tags[MARK], node.id, given["part"], row.rules, check=check)
        except FleetError as failure:
            row.failure = failure

    at_once(rows, go, given["workers"])


def _result(work: Mapping[str, list[_Work]]) -> dict[str, Any]:
    rows = [(cloud, row) for cloud, mine in work.items() for row in mine]
    broken = [row for _cloud, row in rows if row.failure]
    result: dict[str, Any] = {
        "changed": any(row.did for _cloud, row in rows), "failed": bool(broken),
        "results": [{"cloud": cloud, "id": row.node_id, "name": row.name, "changed": bool(row.did), "did": row.did,
                     "error": described(row.failure) if row.failure else None} for cloud, row in rows],
        "diff": {"before": "", "after": "".join(f"{row.name}: {word}\n" for _cloud, row in rows for word in row.did)},
    }
    if broken:
        said = dict.fromkeys(str(row.failure) for row in broken)
        result["msg"] = f"{len(broken)} of {len(rows)} nodes failed: " + "; ".join(list(said)[:5])
    return result
