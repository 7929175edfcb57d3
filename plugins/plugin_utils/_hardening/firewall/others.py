# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Other filters of packets on the host: live with them, take over, or refuse. Pure."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

from ..decision import Facts, Item

_UNITS = {"firewalld": "firewalld.service", "netfilter-persistent": "netfilter-persistent.service", "iptables-services": "iptables.service"}


def managers(facts: Facts) -> dict[str, str]:
    """Programs that filter packets by rules of their own -> their unit."""
    seen = facts.get("firewall") or {}
    found = {}
    if seen.get("ufw"):
        found["ufw"] = "ufw.service"
    for name, unit in _UNITS.items():
        state = (facts.get("units") or {}).get(unit) or {}
        runs = state.get("active") or state.get("enabled") == "enabled"
        if runs and (name == "firewalld" or seen.get("persistent")):
            found[name] = unit
    return found


def taken_over(facts: Facts, host: str, allowed: bool) -> tuple[list[Item], list[str]]:
    """Items that switch the others off, and what the operator should know. Raises FleetError when there are some and it is not allowed."""
    found = managers(facts)
    if not found:
        return [], []
    if not allowed:
        raise FleetError(
            f"{host}: firewall", code="conflict",
            why=f"{' and '.join(found)} {'filters' if len(found) == 1 else 'filter'} packets here already; two sets of rules would each drop what "
                "the other lets in. Nothing was changed",
            fix="Write what is to be let in as fleet_firewall_rules and set firewall_take_over: true, which switches the other off until a restore; "
                "or leave this host to it.")
    items: list[Item] = [{"kind": "unit", "name": unit, "enabled": False, "active": False, "guarded": True} for unit in found.values()]
    notes = [f"{name} is switched off; a restore switches it on again" for name in found]
    if set(found) & {"netfilter-persistent", "iptables-services"}:
        files = ", ".join((facts.get("firewall") or {}).get("persistent") or ())
        notes.append(f"the rules of {files} that are in the kernel stay there until the next boot")
    return items, notes


def notes(facts: Facts, workloads: Mapping[str, str]) -> list[str]:
    """What of others goes on filtering beside this firewall."""
    seen: Mapping[str, Any] = facts.get("firewall") or {}
    told = []
    if seen.get("filters"):
        told.append(f"what {', '.join(seen['filters'])} drops stays dropped, as packets must pass every table")
    configuration = seen.get("configuration") or {}
    nftables = (facts.get("units") or {}).get("nftables.service") or {}
    if configuration.get("flush") and workloads and (nftables.get("active") or nftables.get("enabled") == "enabled"):
        told.append(f"{configuration['path']} begins with 'flush ruleset': a restart of nftables.service takes away the tables of "
                    f"{', '.join(sorted(workloads))}; this firewall comes back by itself, theirs by a restart of their own")
    return told
