# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What modules node_power and node_tags do."""
from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .._fleet import powering
from .._fleet.collect import Settings
from .._fleet.errors import FleetError
from .._fleet.finding import living_in, tag_changes
from .._fleet.fleet_file import DEFAULT_STATES, Cloud
from .._fleet.opened import Opened, at
from .._fleet.outcomes import Making, Outcome
from .._fleet.records import as_dict
from .front import described, progress, settings_of
from .reading import select


def power(module: AnsibleModule, cloud: Cloud) -> dict[str, Any]:
    """Result of node_power."""
    given = module.params
    plan = Making(timeout=given["timeout"], workers=given["workers"], settings=settings_of(module), check=module.check_mode,
                  say=progress(given["progress_file"]))
    if not (given["names"] or given["ids"] or given["tags"] or given["all"]):
        raise FleetError("no node is chosen", fix="Give names, ids or tags, or all: true for every node of the cloud.", code="argument")
    opened = Opened(cloud, plan.settings)
    found = select(opened, names=given["names"], ids=given["ids"], tags=given["tags"], states=DEFAULT_STATES)
    outcomes = [Outcome(node.name or node.id, node) for _scope, node in found]
    outcomes += [_missing(cloud, node_id) for node_id in given["ids"] if node_id not in {node.id for _scope, node in found}]
    exact = [name for name in given["names"] if not set("*?[") & set(name)]
    outcomes += [_missing(cloud, name) for name in exact if name not in {node.name or node.id for _scope, node in found}]
    powering.bring(cloud, [outcome for outcome in outcomes if outcome.node], given["state"], plan, wait=given["wait"], opened=opened,
                   scopes={node.id: scope for scope, node in found})
    broken = [outcome for outcome in outcomes if outcome.failure]
    result: dict[str, Any] = {
        "changed": any(outcome.changed for outcome in outcomes), "failed": bool(broken),
        "nodes": [as_dict(outcome.node) for outcome in outcomes if outcome.node],
        "results": [{
            "name": outcome.name, "id": outcome.node.id if outcome.node else None, "changed": outcome.changed,
            "state": outcome.node.state if outcome.node else None, "error": described(outcome.failure) if outcome.failure else None,
        } for outcome in outcomes],
    }
    if module._diff:
        changed = [outcome for outcome in outcomes if outcome.changed]
        states = {name: node.state for name, node in ((node.name or node.id, node) for _scope, node in found)}
        result["diff"] = {
            "before": "".join(f"{outcome.name}: {states.get(outcome.name)}\n" for outcome in changed),
            "after": "".join(f"{outcome.name}: {given['state']}\n" for outcome in changed)}
    if broken:
        result["msg"] = f"{len(broken)} of {len(outcomes)} nodes failed: " + "; ".join(str(outcome.failure) for outcome in broken[:5])
    return result


def _missing(cloud: Cloud, what: str) -> Outcome:
    return Outcome(what, failure=FleetError(f"find node {what}", why="the cloud has no such node", cloud=cloud.name, code="not_found",
                                            fix="Correct it; node_info lists the nodes."))


def tags(module: AnsibleModule, cloud: Cloud) -> dict[str, Any]:
    """Result of node_tags."""
    given = module.params
    settings = settings_of(module, timeout=given["timeout"])
    put = {key: _text(value) for key, value in given["tags"].items() if value is not None}
    drop = [key for key, value in given["tags"].items() if value is None]
    if given["scope"] and not module.check_mode and not module._diff:
        return _tag_at_once(cloud, settings, given["scope"], given["id"], put, drop)
    opened = Opened(cloud, settings)
    found = living_in(opened, [given["id"]]).get(given["id"])
    if not found:
        raise FleetError(f"tag node {given['id']}", why="the cloud has no such node", cloud=cloud.name, code="not_found",
                         fix="Correct 'id'; node_info lists the nodes.")
    scope, node = found
    actions = opened.actions(scope)
    with at(cloud, scope):
        changes = tag_changes(node, actions.adapted_tags(put))
        changes.update({key: None for key in drop if key in node.tags})
        if changes and not module.check_mode:
            actions.tag(node.id, changes)
    after = {key: value for key, value in {**node.tags, **changes}.items() if value is not None}
    result: dict[str, Any] = {"changed": bool(changes), "tags": after}
    if module._diff:
        result["diff"] = {"before": _lines(node.tags), "after": _lines(after)}
    return result


def _tag_at_once(cloud: Cloud, settings: Settings, scope: str, node_id: str, put: dict[str, str], drop: list[str]) -> dict[str, Any]:
    """Set the tags without listing the cloud first: the provider compares for itself."""
    opened = Opened(cloud, settings)
    if scope not in opened.scopes:
        raise FleetError(f"tag node {node_id}", why=f"the cloud has no scope '{scope}', only {', '.join(opened.scopes)}", code="scope",
                         cloud=cloud.name, fix="Correct 'scope'.")
    actions = opened.actions(scope)
    with at(cloud, scope):
        wanted = actions.adapted_tags(put)
        changed = actions.tag(node_id, {**wanted, **dict.fromkeys(drop)})
    return {"changed": changed, "tags": wanted}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _lines(values: Any) -> str:
    return "".join(f"{key}: {value}\n" for key, value in sorted(values.items()))
