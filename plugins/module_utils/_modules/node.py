# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What module node does, between its arguments and ``making``."""
from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .._fleet import ending, finding, key_ring, making, powering, requirement
from .._fleet.errors import FleetError
from .._fleet.fleet_file import Cloud
from .._fleet.outcomes import Making, Outcome, at_once, copied
from .._fleet.providers.actions import MARK
from .._fleet.records import as_dict
from .._fleet.requirement import Requirement
from .front import Clouds, described, mapping_of, progress, settings_of

_OWN = ("image", "flavor", "network", "scope", "zone", "ssh_key", "public_key", "login_user", "tags", "security", "user_data")
_LONGEST_LIST = 1000  # nodes of one task
OF_ALL = "all"
"""Key of the task's own user data in option hidden_user_data, where that of a row has the row's number."""


def node(module: AnsibleModule, clouds: Clouds) -> dict[str, Any]:
    """The module's result. Nodes of several clouds are worked on at the same time."""
    given = module.params
    plan = Making(
        timeout=given["timeout"], workers=given["workers"], settings=settings_of(module), check=module.check_mode,
        keep_failed=given["keep_failed"], say=progress(given["progress_file"]))
    if given["id"]:
        if given["state"] != "absent":
            raise FleetError("'id' is for state: absent only", fix="Name the node with 'name'.", code="argument")
        return _result(module, ending.absent(clouds.named(), [], [given["id"]], plan))
    rows = _rows(given)
    batches: dict[str, list[dict[str, Any]]] = {}
    places = [(row.pop("cloud", None) or given["cloud"] or "", str(row.get("name"))) for row in rows]
    for (cloud, _name), row in zip(places, rows, strict=True):
        batches.setdefault(cloud, []).append(row)
    work = {name: _batch(module, clouds.named(name), batch) for name, batch in batches.items()}  # all are checked before any is asked
    done: dict[tuple[str, str], Outcome] = {}

    def go(name: str) -> None:
        done.update({(name, outcome.name): outcome for outcome in _go(module, work[name], plan)})

    at_once(list(work), go, len(work))
    return _result(module, [done[place] for place in places])


@dataclasses.dataclass(frozen=True)
class _Batch:
    """What is wanted of one cloud."""

    cloud: Cloud
    names: list[str]
    wanted: list[Requirement]


def _batch(module: AnsibleModule, cloud: Cloud, rows: Sequence[Mapping[str, Any]]) -> _Batch:
    given = module.params
    names = [str(row.get("name")) for row in rows]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise FleetError(f"'nodes' names {', '.join(twice)} more than once", fix="Give every node of a cloud a name of its own.", code="argument")
    return _Batch(cloud, names, [_requirement(row, cloud, given) for row in rows])


def _go(module: AnsibleModule, batch: _Batch, plan: Making) -> list[Outcome]:
    """Bring one cloud's nodes to the state; a cloud that cannot be asked fails all of its nodes, and no others."""
    state = module.params["state"]
    cloud = batch.cloud
    try:
        if state == "absent":
            return ending.absent(cloud, batch.names, [], plan)
        outcomes = finding.there(cloud, batch.names, plan) if state in ("stopped", "rebooted") else making.present(cloud, batch.wanted, plan)
        strangers = [f"{outcome.name} ({outcome.node.id})" for outcome in outcomes if outcome.node and MARK not in outcome.node.tags]
        if strangers and state in ("present", "started"):
            module.warn(f"cloud '{cloud.name}': not made by this collection, and taken as it is: {', '.join(strangers)}")
        if state != "present":
            powering.bring(cloud, outcomes, state, plan)
        return outcomes
    except FleetError as failure:
        return [Outcome(name, failure=copied(failure).at(cloud.name)) for name in batch.names]


def _rows(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One requirement for each node, the task's own options filled in."""
    hidden = mapping_of(given["hidden_user_data"], "'hidden_user_data' is not a mapping", "Use 'user_data', here or in 'nodes'.")
    common = {**{key: given[key] for key in _OWN}, **({"user_data": hidden[OF_ALL]} if OF_ALL in hidden else {})}
    if given["nodes"] is not None:
        if given["count"] != 1:
            raise FleetError("'count' and 'nodes' are both given", fix="Leave 'count' out; 'nodes' names each node.", code="argument")
        rows = []
        for number, row in enumerate(given["nodes"]):
            unknown = sorted(set(row) - {"name", "cloud", *_OWN})
            if unknown:
                raise FleetError(f"nodes[{number}]: unknown key '{unknown[0]}'", fix=f"Known keys: cloud, name, {', '.join(_OWN)}.", code="argument")
            own = {"user_data": hidden[str(number)]} if str(number) in hidden else {}
            rows.append({**common, **row, **own, "tags": {**common["tags"], **(row.get("tags") or {})}})
    else:
        count = given["count"]
        if not 0 < count <= _LONGEST_LIST:
            raise FleetError(f"count: {count} is not between 1 and {_LONGEST_LIST}", fix="Correct it.", code="argument")
        names = [given["name"]] if count == 1 else [f"{given['name']}-{number}" for number in range(1, count + 1)]
        rows = [{**common, "name": name} for name in names]
    if not rows:
        raise FleetError("'nodes' is empty", fix="Give at least one node.", code="argument")
    return rows


def _requirement(row: Mapping[str, Any], cloud: Cloud, given: Mapping[str, Any]) -> Requirement:
    told = {key: _without_none(value) for key, value in row.items() if value is not None}
    wanted = requirement.parse(told, f"node '{row.get('name')}'")
    if wanted.ssh_key and not wanted.public_key:
        ring = key_ring.folder(given["key_dir"], os.environ)
        known = key_ring.read(ring, cloud.name, wanted.ssh_key)
        if known:
            wanted = requirement.with_key(wanted, known)
    return wanted


def _without_none(value: Any) -> Any:
    """Ansible fills suboptions that were not given with null; left out they mean the same."""
    if isinstance(value, Mapping):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_none(item) for item in value]
    return value


def _result(module: AnsibleModule, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    nodes = [as_dict(outcome.node) for outcome in outcomes if outcome.node]
    results = [_told(outcome) for outcome in outcomes]
    broken = [outcome for outcome in outcomes if outcome.failure]
    result: dict[str, Any] = {
        "changed": any(outcome.changed for outcome in outcomes), "failed": bool(broken), "nodes": nodes,
        "node": nodes[0] if nodes else None, "chosen": results[0]["chosen"], "results": results,
    }
    if module._diff:
        result["diff"] = _diff(outcomes, module.params["state"])
    if broken:
        rest = "in check mode" if module.check_mode else f"{len(outcomes) - len(broken)} are there"
        head = f"{len(broken)} of {len(outcomes)} nodes failed ({rest}): " if len(outcomes) > 1 else ""
        result["msg"] = head + "; ".join(str(outcome.failure) for outcome in broken)
    return result


def _told(outcome: Outcome) -> dict[str, Any]:
    return {
        "name": outcome.name, "changed": outcome.changed, "did": list(outcome.did), "id": outcome.node.id if outcome.node else None,
        "chosen": outcome.choice.as_dict() if outcome.choice else None,
        "error": described(outcome.failure) if outcome.failure else None, "left": list(outcome.left),
    }


def _diff(outcomes: Sequence[Outcome], state: str) -> dict[str, str]:
    """Names before and after, and what is done in between."""
    before, after = [], []
    for outcome in outcomes:
        existed = outcome.node is not None and not any(word.startswith("made ") for word in outcome.did)
        if existed:
            before.append(f"{outcome.name}: there")
        if outcome.failure and (state == "absent" or outcome.node is None):
            if existed:
                after.append(f"{outcome.name}: there")
        elif state != "absent":
            after.append(f"{outcome.name}: there" + (f" ({'; '.join(outcome.did)})" if outcome.did else ""))
        elif not existed and outcome.did:
            before.append(f"{outcome.name}: leftovers ({'; '.join(outcome.did)})")
    return {"before": "".join(f"{line}\n" for line in before), "after": "".join(f"{line}\n" for line in after)}
