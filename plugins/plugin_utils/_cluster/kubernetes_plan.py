# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What each member needs to be in a Kubernetes cluster, of what was seen on all of them. Pure.

A node is in the cluster when kubelet has an account and the last step of ours there, if any, came to its end.
"""
from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

from .kubernetes_config import version_of

CONTROL_PLANE, WORKER = "control_plane", "worker"
CLOCK = 30.0  # seconds by which a node's clock may differ: certificates of the others are not valid before they were made
TOOLS = ("haproxy", "nftables", "conntrack", "iptables", "ethtool", "socat", "openssl")
PROGRAMS = ("kubeadm", "kubelet", "kubectl")


@dataclass(frozen=True)
class Member:
    """One member. seen: what kube_facts told; clock: by how many seconds its clock is ahead of the controller's."""

    name: str
    role: str
    ip: str
    seen: Mapping[str, Any]
    clock: float = 0.0

    @property
    def node(self) -> str:
        return node_name(self.name)

    @property
    def unfinished(self) -> bool:
        """It began to come in and did not get to the end."""
        step = self.seen.get("step") or {}
        return step.get("step") in ("init", "join") and not step.get("finished")

    @property
    def inside(self) -> bool:
        return bool(self.seen.get("member")) and not self.unfinished

    @property
    def leads(self) -> bool:
        """It is a control plane already."""
        return self.inside and bool(self.seen.get("control_plane"))

    @property
    def days_left(self) -> int:
        """Of the certificate that ends first; negative when it has ended. Of a control plane."""
        return min((int(row["days"]) for row in (self.seen.get("certificates") or {}).values()), default=10 ** 6)


@dataclass(frozen=True)
class Wish:
    """What the operator asked for. version: 1.34 (the newest of the minor that can be had) or 1.34.3."""

    version: str
    pods: str = "10.244.0.0/16"
    services: str = "10.96.0.0/12"
    swap: bool = False
    resolver: bool = False  # a file with name servers is given to kubelet
    proxy_mode: str = "iptables"


@dataclass(frozen=True)
class Step:
    """For one member. node: its name in Kubernetes; step: init, join, leave or nothing; packages: what it is to get, with versions."""

    node: str
    role: str
    ip: str
    step: str
    packages: Sequence[str] = ()


@dataclass(frozen=True)
class Plan:
    """For all members. first: the control plane that is asked for things; version: empty while it is not settled; begins: there is no cluster yet.

    control_planes: name in Kubernetes -> address; joining, coming: such names of those that join, and of all that are new; leads_join: control planes
    are among them.
    """

    first: str
    begins: bool
    control_planes: Mapping[str, str]
    version: str
    hosts: Mapping[str, Step]
    joining: Sequence[str] = ()
    coming: Sequence[str] = ()
    leads_join: bool = False
    leaving: Sequence[str] = ()
    warnings: Sequence[str] = ()


def clock(told: float, before: float, after: float) -> float:
    """By how many seconds a clock is ahead for certain, read some time between ``before`` and ``after``: a slow connection is no wrong clock."""
    return round(told - after if told > after else told - before if told < before else 0.0, 1)


def node_name(name: str) -> str:
    """An inventory's name as Kubernetes takes it."""
    return re.sub(r"[^a-z0-9.-]+", "-", name.lower()).strip("-.")[:253]


def label_value(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", str(text or ""))[:63].strip("-_.")


def labels(provider: str, region: str, zone: str) -> dict[str, str]:
    """Of a node, as far as something is known of it."""
    told = {"topology.kubernetes.io/region": region, "topology.kubernetes.io/zone": zone, "hybridops.fleet/provider": provider}
    return {name: label for name, value in told.items() if (label := label_value(value))}


def decide(members: Sequence[Member], wish: Wish, leaving: Sequence[str] = ()) -> Plan:
    """leaving: hosts that are to be in it no more. Raises FleetError with everything that stands in the way."""
    if not members:
        raise FleetError("kubernetes", why="the cluster has no members", code="argument")
    wrong = [*_names(members), *_networks(members, wish), *_nodes(members, wish), *_belonging(members)]
    if wrong:
        raise FleetError("kubernetes: nothing was changed", why="; ".join(wrong), code="preflight")
    first = leader(members)
    version = settled(first, wish)
    leads = control_planes(members, first, leaving)
    warnings = []
    if len(leads) % 2 == 0:
        warnings.append(f"{len(leads)} control planes bear the loss of no more of them than {len(leads) - 1} do: an odd number is better")
    steps = {member.name: Step(member.node, member.role, member.ip, "" if member.inside else "init" if member is first else "join",
                               packages(member, wish, version)) for member in members}
    joining = [member for member in members if steps[member.name].step == "join"]
    begins = steps[first.name].step == "init"
    steps.update({name: Step(node_name(name), "", "", "leave") for name in leaving})
    names = tuple(member.node for member in joining)
    return Plan(first.name, begins, leads, version, steps, names, (*names, first.node) if begins else names,
                any(member.role == CONTROL_PLANE for member in joining), tuple(sorted(map(node_name, leaving))), tuple(warnings))


def removal(members: Sequence[Member], leaving: Sequence[str]) -> Plan:
    """Who leaves, and nothing else: of those that stay nothing is asked, as they may not be ready for the cluster yet. leaving: hosts that leave.

    Nobody leaves where there is no cluster. Raises FleetError.
    """
    wrong = _belonging(members)
    if wrong:
        raise FleetError("kubernetes: nothing was changed", why="; ".join(wrong), code="preflight")
    steps = {member.name: Step(member.node, member.role, member.ip, "") for member in members}
    if not any(member.leads for member in members):
        return Plan("", True, {}, "", {**steps, **{name: Step(node_name(name), "", "", "") for name in leaving}})
    first = leader(members)
    steps.update({name: Step(node_name(name), "", "", "leave") for name in leaving})
    return Plan(first.name, False, control_planes(members, first, leaving), str(first.seen.get("api_version") or ""), steps,
                leaving=tuple(sorted(map(node_name, leaving))))


def control_planes(members: Sequence[Member], first: Member, leaving: Sequence[str] = ()) -> dict[str, str]:
    """Name -> address of those that there will be: those of the run, and those of the cluster that are not in it."""
    gone = set(map(node_name, leaving))
    known = (first.seen.get("cluster") or {}).get("nodes") or () if first.leads else ()
    there = {row["name"]: row["ip"] for row in known if row.get("control_plane") and row.get("ip") and row["name"] not in gone}
    return {**there, **{member.node: member.ip for member in members if member.role == CONTROL_PLANE}}


def leader(members: Sequence[Member]) -> Member:
    """A control plane whose API answers; where there is no cluster yet, the first by name. Raises FleetError."""
    leads = sorted((member for member in members if member.leads), key=lambda member: member.name)
    for member in leads:
        if (member.seen.get("cluster") or {}).get("answers"):
            return member
    if leads:
        raise FleetError("kubernetes: the API answers on no control plane",
                         why="; ".join(f"{member.name}: {(member.seen.get('cluster') or {}).get('why')}" for member in leads), code="api",
                         fix="Certificates have ended: renew them by tasks_from certificates of role kubernetes (playbook cluster_certificates)."
                         if any(member.days_left < 0 for member in leads) else
                         "Look at kubelet and the containers of the control planes there, or bring the cluster back from a copy (cluster_restore).")
    return min((member for member in members if member.role == CONTROL_PLANE), key=lambda member: member.name)


def settled(first: Member, wish: Wish) -> str:
    """The cluster's own version; of a new one that which was asked for, empty when that is only a minor. Raises FleetError."""
    try:
        asked = version_of(wish.version)
    except ValueError as wrong:
        raise FleetError("kubernetes_version", why=str(wrong), code="argument", fix="Write 1.34 or 1.34.3.") from None
    whole = wish.version.count(".") == 2
    if not first.leads:
        return wish.version.lstrip("v") if whole else ""
    there = str(first.seen.get("api_version") or "")
    now = version_of(there)
    if asked[:2] != now[:2] or (whole and asked != now):
        raise FleetError(f"kubernetes: the cluster runs {there} and kubernetes_version is {wish.version}", code="version",
                         why="a run that adds nodes does not upgrade a cluster",
                         fix=f"Set kubernetes_version to {now[0]}.{now[1]}, or upgrade it first.")
    return there


def packages(member: Member, wish: Wish, version: str) -> list[str]:
    """What is to be installed there, with versions; nothing where it has all of it in a version that will do."""
    asked = version or wish.version.lstrip("v")
    there = member.seen.get("packages") or {}
    have = [str((there.get(name) or {}).get("version", "")) for name in PROGRAMS]
    held = all((there.get(name) or {}).get("held") for name in PROGRAMS)
    if held and "haproxy" in there and all(text.startswith((f"{asked}-", f"{asked}.")) for text in have):
        return []
    exact = f"{asked}-*" if asked.count(".") == 2 else f"{asked}.*"
    return [*(f"{name}={exact}" for name in PROGRAMS), *TOOLS]


# -- what stands in the way ------------------------------------------------------------------------------------------
def _names(members: Sequence[Member]) -> list[str]:
    wrong = []
    strange = sorted(f"{member.name} ({member.role or 'none'})" for member in members if member.role not in (CONTROL_PLANE, WORKER))
    if strange:
        wrong.append(f"fleet_cluster_role must be control_plane or worker: {', '.join(strange)}")
    elif not any(member.role == CONTROL_PLANE for member in members):
        wrong.append("no member is a control_plane (fleet_cluster_role)")
    for what, values in (
        ("name in Kubernetes", [member.node for member in members]),
        ("cluster address", [member.ip for member in members if member.ip]),
        ("machine id", [str((member.seen.get("ids") or {}).get("machine_id")) for member in members]),
    ):
        wrong += [f"{count} members have the same {what} {value}" for value, count in Counter(values).items()
                  if count > 1 and value not in ("", "None")]
    return wrong


def _networks(members: Sequence[Member], wish: Wish) -> list[str]:
    wrong = []
    ranges = {}
    for name, text in (("kubernetes_pod_network", wish.pods), ("kubernetes_service_network", wish.services)):
        try:
            ranges[name] = ipaddress.IPv4Network(text)
        except ValueError as said:
            wrong.append(f"{name}: {said}")
    if len(ranges) == 2 and ranges["kubernetes_pod_network"].overlaps(ranges["kubernetes_service_network"]):
        wrong.append(f"kubernetes_pod_network {wish.pods} and kubernetes_service_network {wish.services} overlap")
    for member in members:
        for text in member.seen.get("addresses") or ():
            interface = ipaddress.ip_interface(text)
            for name, network in ranges.items():
                if interface.version == 4 and interface.network.overlaps(network) and not member.inside:
                    wrong.append(f"{member.name} has {text}, which lies in {name} {network}")
    return wrong


def _nodes(members: Sequence[Member], wish: Wish) -> list[str]:
    wrong = []
    for member in members:
        seen, own = member.seen, {text.partition("/")[0] for text in member.seen.get("addresses") or ()}
        runtime, features = seen.get("runtime") or {}, seen.get("features") or {}
        if not member.ip:
            wrong.append(f"{member.name} has no fleet_cluster_ip: run hybridops.fleet.cluster_members first")
        elif ":" in member.ip:
            wrong.append(f"{member.name}: the cluster address {member.ip} is IPv6, for which there is no pod network yet")
        elif own and member.ip not in own:
            wrong.append(f"{member.name}: its cluster address {member.ip} stands on no interface")
        if abs(member.clock) > CLOCK:
            wrong.append(f"{member.name}: its clock is {abs(member.clock):.0f} s {'ahead' if member.clock > 0 else 'behind'}; have it set by NTP")
        if seen.get("swap") and not wish.swap:
            wrong.append(f"{member.name} swaps to {', '.join(seen['swap'])}: switch it off, or set failSwapOn: false in kubernetes_kubelet_settings")
        resolvers = seen.get("resolvers") or ()
        if resolvers and not wish.resolver and not member.inside and all(text.startswith("127.") or text == "::1" for text in resolvers):
            wrong.append(f"{member.name} asks only itself for names ({', '.join(resolvers)}), which CoreDNS in a pod cannot: name another file in "
                         "resolvConf of kubernetes_kubelet_settings")
        if not runtime.get("socket"):
            wrong.append(f"{member.name} has no container runtime: run role container_engine with container_engine: containerd")
        elif runtime.get("off"):
            wrong.append(f"{member.name}: containerd's part for kubelet is off (disabled_plugins): run role container_engine with "
                         "container_engine: containerd")
        if not seen.get("apt"):
            wrong.append(f"{member.name} has no apt, by which the packages of Kubernetes come")
        if not seen.get("modular") and not (features.get("overlay") and features.get("br_netfilter")):
            lacking = [name for name in ("overlay", "br_netfilter") if not features.get(name)]
            wrong.append(f"{member.name}: its kernel has neither modules nor {', '.join(lacking)}")
        if wish.proxy_mode == "ipvs" and not features.get("ip_vs") and not seen.get("modular"):
            wrong.append(f"{member.name}: kubernetes_proxy_mode is ipvs and its kernel has no IP_VS; use iptables or nftables")
    return wrong


def _belonging(members: Sequence[Member]) -> list[str]:
    inside = [member for member in members if member.inside]
    wrong = []
    clusters: dict[str, list[str]] = {}
    for member in inside:
        clusters.setdefault(str(member.seen.get("authority") or ""), []).append(member.name)
    if len(clusters) > 1:
        wrong.append("members are in different clusters: " + " against ".join(", ".join(sorted(names)) for names in clusters.values()))
    if inside and not any(member.leads for member in inside):
        wrong.append(f"{', '.join(sorted(member.name for member in inside))}: in a cluster of which no control plane is a member here; add it, "
                     "or reset them")
    for member in inside:
        if member.leads != (member.role == CONTROL_PLANE) and member.role in (CONTROL_PLANE, WORKER):
            now = CONTROL_PLANE if member.leads else WORKER
            wrong.append(f"{member.name} is a {now} and is to be a {member.role}: take it out of the cluster, then add it again")
        if member.seen.get("node") and member.seen["node"] != member.node:
            wrong.append(f"{member.name} is in the cluster as {member.seen['node']}, not as {member.node}")
    return wrong
