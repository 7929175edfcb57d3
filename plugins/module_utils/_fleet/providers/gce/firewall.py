# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From security rules to firewall rules of the network, for the network tag that only this node has. Pure.

Elsewhere a node lets in what its rules say and nothing else, so two kinds of rule are made: those that allow, and, for each
family, one that denies the rest. It has priority 65533: just before the rules that come with a default network (65534, SSH
from everywhere among them), but after whatever the project's own rules allow on purpose (1000 unless they say otherwise).

The name of a rule ends with a digest of what it says. So rules are never changed, only made and removed: two runs cannot
half overwrite each other, and a rule that is there already needs nothing.
"""
from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..actions import SecurityRule
from .names import LONGEST, digest, mark_words, network_tag, short

ALLOW_PRIORITY = 1000
DENY_PRIORITY = 65533

EVERYWHERE = {"ipv4": "0.0.0.0/0", "ipv6": "::/0"}
_ICMP = {"ipv4": "icmp", "ipv6": "58"}  # ICMPv6 by its number; Google has no word for it


def wanted(
    name: str, network: str, rules: Sequence[SecurityRule], families: Iterable[str], project: str | None = None,
) -> list[dict[str, Any]]:
    """Bodies of the firewall rules for a node.

    network: path of the VPC network; families: those the node's subnetwork has; project: the node's, where it is not the
    network's. Google refuses sources of both families
    in one rule, and all sources of a rule share its ports; so there is one for each family and set of sources.
    """
    grouped: dict[tuple[str, tuple[str, ...]], list[dict[str, Any]]] = {}
    present = tuple(families)
    for rule in rules:
        for family in present:
            sources = tuple(sorted(source for source in rule.sources if (":" in source) == (family == "ipv6")))
            allowed = grouped.setdefault((family, sources), []) if sources else []
            traffic = _traffic(rule, family)
            if traffic not in allowed:
                allowed.append(traffic)
    bodies = [
        _body(name, project, network, ALLOW_PRIORITY, sources, {"allowed": sorted(allowed, key=json.dumps)})
        for (_family, sources), allowed in grouped.items()]
    bodies += [
        _body(name, project, network, DENY_PRIORITY, (EVERYWHERE[family],), {"denied": [{"IPProtocol": "all"}]}) for family in present]
    return bodies


def of_part(
    name: str, part: str, network: str, rules: Sequence[SecurityRule], families: Iterable[str], project: str | None = None,
) -> list[dict[str, Any]]:
    """Bodies of the rules of one part of a node's own, which come and go without the others: see ``wanted``, but nothing is denied."""
    bodies = [body for body in wanted(name, network, rules, families, project) if "allowed" in body]
    return [{**body, "name": f"{_part_front(name, part)}{body['name'].rpartition('-')[2]}"} for body in bodies]


def is_of_part(rule: str, name: str, part: str) -> bool:
    """Whether a rule of that name, which carries the node's mark, is of that part."""
    front = _part_front(name, part)
    return rule.startswith(front) and "-" not in rule.removeprefix(front)


def _part_front(name: str, part: str) -> str:
    return f"{short(name, LONGEST - 10 - len(part))}-{part}-"


def words(body: Mapping[str, Any]) -> str:
    """What a rule allows, for people."""
    traffic = ", ".join(" ".join([row["IPProtocol"], *row.get("ports", [])]) for row in body["allowed"])
    return f"{traffic} from {', '.join(body['sourceRanges'])}"


def _traffic(rule: SecurityRule, family: str) -> dict[str, Any]:
    if rule.protocol == "icmp":
        return {"IPProtocol": _ICMP[family]}
    if rule.port is None:
        return {"IPProtocol": rule.protocol}
    last = rule.last_port if rule.last_port is not None else rule.port
    return {"IPProtocol": rule.protocol, "ports": [str(rule.port) if last == rule.port else f"{rule.port}-{last}"]}


def _body(
    name: str, project: str | None, network: str, priority: int, sources: Sequence[str], action: dict[str, Any],
) -> dict[str, Any]:
    says: dict[str, Any] = {
        "network": network, "direction": "INGRESS", "priority": priority, "sourceRanges": list(sources),
        "targetTags": [network_tag(name, project)], **action}
    suffix = digest(json.dumps([name, says], sort_keys=True))
    return {"name": f"{short(name, LONGEST - 9)}-{suffix}", "description": mark_words(name, project), **says}
