# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The firewall: what is let in on this host, as one table of nftables. Pure."""
from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError

from ..decision import Decision, Facts, Item, Options
from ..firewall import nft, others
from ..firewall.openings import Openings, containers, number, outside
from ..firewall.packet import Packet, admits
from ..firewall.places import is_container
from ..firewall.policy import Policy

FOLDER = "/etc/hybridops-fleet"
FILE = f"{FOLDER}/firewall.nft"
UNIT = "hybridops-fleet-firewall.service"
DROP_IN = "/etc/systemd/system/nftables.service.d/hybridops-fleet.conf"
CONTAINERS = ("docker", "swarm", "podman", "kubernetes", "containerd", "libvirt", "lxd", "router", "ipsec", "mesh")
"""Workloads that forward packets."""
CLUSTERS = {"swarm": (2377, 7946), "kubernetes": (6443, 10250, 2379, 2380)}

PROGRAMS = ("nft",)
PATHS: tuple[str, ...] = ()


def decide(facts: Facts, options: Options) -> list[Decision]:
    """One decision a control. Raises FleetError where the operator would be shut out, or wrote something that cannot be meant."""
    if not options.on("default_deny"):
        return [Decision(name, False, f"{control.by} leaves it out" if not control.on else "without default_deny there is no table to put it in")
                for name, control in options.controls.items()]
    if (facts.get("virtual") or {}).get("container") and (facts.get("firewall") or {}).get("allowed") is False:
        return [Decision(name, False, "this container may not filter packets (it has no CAP_NET_ADMIN); the machine below it does")
                for name in options.controls]
    switched, told = others.taken_over(facts, options.host, bool(options.variables.get("take_over")))
    opened = Openings(facts, options)
    found = _Decided(facts, options, opened)
    policy = found.policy()
    where = _refusals(facts, options, opened, policy)
    notes = [*told, *others.notes(facts, options.workloads), *opened.notes, *where, *_closed(facts, policy)]
    items = [*_items(options, nft.text(policy), nftables=found.nftables()), *switched]
    package = str(options.distribution.get("package", "nftables"))
    return [Decision("default_deny", True, _opened(policy), tuple(items), tuple(notes), present=(package,)), *found.rest()]


class _Decided:
    """The controls beside the first; each goes into the policy and is told with its reason."""

    def __init__(self, facts: Facts, options: Options, opened: Openings) -> None:
        self._facts, self._options, self._opened = facts, options, opened
        self._names, self._real = containers(facts, options.workloads, tuple(options.variables.get("container_interfaces") or ()))
        self._outside = outside(facts, opened.mine)
        self._forwards = options.works_for(*CONTAINERS) or (
            "it forwards packets now" if any((facts.get("forwarding") or {}).values()) else "" if self._outside else "its interfaces are not known")

    def policy(self) -> Policy:
        options = self._options
        guarded = options.on("published_ports")
        rate = number(options.controls["ssh_rate"].values, "per_minute", "control ssh_rate") if options.on("ssh_rate") else 0
        return Policy(openings=self._opened.all(rate, guarded), containers=self._names, not_containers=self._real,
                      forward=self._outside if options.on("forward") and not self._forwards else (), guard=self._outside if guarded else (),
                      ping=options.on("ping"), log=options.on("log"))

    def nftables(self) -> bool:
        """Whether nftables.service is to load this table at boot."""
        return self._options.on("nftables_service") and not self._own_rules()

    def rest(self) -> list[Decision]:
        why = {"forward": self._forwards and f"left alone: {self._forwards}",
               "nftables_service": self._own_rules() and f"its file has rules of yours, which stay: {self._own_rules()}"}
        decided = []
        for name, control in self._options.controls.items():
            if name != "default_deny":
                reason = (why.get(name) or "") if control.on else f"{control.by} leaves it out"
                if name == "published_ports" and not control.on and self._options.works_for("docker", "swarm", "podman"):
                    reason = "ports that containers publish stay reachable as the container engine says, whatever the rules here"
                decided.append(Decision(name, control.on and not why.get(name), reason, part_of="default_deny"))
        return decided

    def _own_rules(self) -> str:
        configuration = (self._facts.get("firewall") or {}).get("configuration") or {}
        return str(configuration.get("path")) if configuration.get("rules") else ""


def _items(options: Options, text: str, nftables: bool) -> list[Item]:
    program = str(options.distribution.get("nft", "/usr/sbin/nft"))
    table = {"kind": "nft_table", "family": nft.FAMILY, "name": nft.TABLE, "content": text, "unit": UNIT, "guarded": True, "package": "nftables"}
    items: list[Item] = [
        {"kind": "file", "path": FILE, "content": text, "mode": "0600", "validate": ["nft", "-c", "-f", "%s"], "guarded": True},
        {"kind": "file", "path": f"/etc/systemd/system/{UNIT}", "content": _unit(program), "mode": "0644", "notify": ["systemd"], "guarded": True},
        {"kind": "file", "path": DROP_IN, "content": _drop_in(program, nftables), "mode": "0644", "notify": ["systemd"], "guarded": True},
        table,
    ]
    if nftables:
        items.append({"kind": "unit", "name": "nftables.service", "enabled": True, "active": True, "package": "nftables", "guarded": True})
    return items


def _unit(program: str) -> str:
    """Loads the table before the network is up, and again whenever it is asked to; it stays while the system goes down."""
    return f"""# Written by role hybridops.fleet.firewall.
[Unit]
Description=Firewall of the fleet (table {nft.FAMILY} {nft.TABLE})
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target
After=local-fs.target systemd-modules-load.service nftables.service hybridops-fleet-hardening-restore.service
ConditionPathExists={FILE}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={program} -f {FILE}
ExecReload={program} -f {FILE}
ExecStop=-{program} delete table {nft.FAMILY} {nft.TABLE}

[Install]
WantedBy=multi-user.target
"""


def _drop_in(program: str, nftables: bool) -> str:
    """nftables.service empties the whole ruleset when it starts, is reloaded or stops: this table comes back at once. Where that service has
    no rules to load it loads this table, and takes nobody else's away."""
    again = f"-{program} -f {FILE}"
    if nftables:
        return ("# Written by role hybridops.fleet.firewall. Nothing but this firewall is loaded: the service's own file has no rules.\n"
                f"[Service]\nExecStart=\nExecStart={program} -f {FILE}\nExecReload=\nExecReload={program} -f {FILE}\nExecStop=\n")
    return ("# Written by role hybridops.fleet.firewall.\n"
            f"[Service]\nExecStartPost={again}\nExecReload={again}\nExecStopPost={again}\n")


def _refusals(facts: Facts, options: Options, opened: Openings, policy: Policy) -> list[str]:
    """Raises FleetError when the connection of this run, or a member of the node's cluster, could not come again. Gives what could not be told."""
    login = facts.get("login") or {}
    notes = []
    if login.get("address") and login.get("to_address"):
        packet = _packet(facts, str(login["address"]), str(login["to_address"]), int(login["to_port"]))
        if not admits(policy, packet):
            raise FleetError(
                f"{options.host}: firewall", code="lockout",
                why=f"this connection comes from {packet.source} to {packet.destination} port {packet.port}, which would not be let in again; "
                    "nothing was changed",
                fix=_lockout_fix(options, opened, packet))
    elif options.connection.transport == "ssh":
        notes.append("where this connection comes from could not be seen; only the dead man's switch guards it")
    refused, joined = (_shut(facts, policy, kind) for kind in ("peers", "joined"))
    for workload, ports in CLUSTERS.items():
        cut = sorted({str(row["source"]) for row in (*refused, *joined) if row["port"] in ports}) if workload in options.workloads else []
        if cut:
            raise FleetError(
                f"{options.host}: firewall", code="cluster",
                why=f"{workload} runs here and {', '.join(cut[:5])} {'is' if len(cut) == 1 else 'are'} connected to it, but would not be let in; "
                    "nothing was changed",
                fix="Name the cluster's hosts as firewall_members (hosts or a group) or give them one fleet_cluster; or write fleet_firewall_rules.")
    if refused:
        rows = sorted({f"tcp {row['port']} from {row['source']}" for row in refused})
        notes.append(f"connected now, and not let in again: {', '.join(rows[:8])}" + (f" and {len(rows) - 8} more" if len(rows) > 8 else ""))
    return notes


def _shut(facts: Facts, policy: Policy, kind: str) -> list[dict[str, Any]]:
    """Connections of that kind that would not be let in again."""
    return [row for row in (facts.get("firewall") or {}).get(kind) or ()
            if not admits(policy, _packet(facts, str(row["source"]), str(row["destination"]), int(row["port"])))]


def _lockout_fix(options: Options, opened: Openings, packet: Packet) -> str:
    if packet.port not in opened.ssh_ports():
        return f"Add {packet.port} to firewall_ssh_ports."
    if str(options.variables.get("ssh_on") or "any") != "any":
        return f"Add {packet.source} to firewall_ssh_from, and look whether firewall_ssh_on is the role of {packet.destination}."
    return f"Add {packet.source}, or its network, to firewall_ssh_from."


def _packet(facts: Facts, source: str, destination: str, port: int) -> Packet:
    source, destination = source.split("%")[0], destination.split("%")[0]
    networks = facts.get("networks") or ()
    addresses = [(str(row["name"]), ipaddress.ip_interface(str(text).partition("%")[0])) for row in networks for text in row.get("addresses") or ()]
    sender = ipaddress.ip_address(source)
    if any(sender == address.ip for _name, address in addresses):
        return Packet(source, destination, "tcp", port, "lo")  # from itself, whatever interface the address is on
    # a container comes by its bridge, to whichever address of the host
    bridge = next((name for name, address in addresses if is_container(name) and sender in address.network), None)
    interface = next((name for name, address in addresses if str(address.ip) == destination), None)
    return Packet(source, destination, "tcp", port, bridge or (None if interface == "lo" else interface))


def _closed(facts: Facts, policy: Policy) -> list[str]:
    """What listens for others, and only members or nobody will reach."""
    programs = (facts.get("firewall") or {}).get("programs") or {}
    rows: set[tuple[str, int]] = set()
    for row in facts.get("listening") or ():
        protocol, port = str(row["protocol"]), int(row["port"])
        if ipaddress.ip_address(str(row["address"])).is_loopback or (protocol, port) in (("udp", 68), ("udp", 546)):
            continue
        if not any(opening.first is not None and opening.protocol in (None, protocol) and opening.first <= port <= (opening.last or opening.first)
                   for opening in policy.openings):
            rows.add((protocol, port))
    if not rows:
        return []
    shown = [f"{protocol} {port}" for protocol, port in sorted(rows)]
    names = [f"{name} ({programs[name]})" if name in programs else name for name in shown]
    members = any(opening.protocol is None for opening in policy.openings)
    return [f"listens here and is closed{' to all but members' if members else ''} as no rule opens it: {_some(names)}"]


def _opened(policy: Policy) -> str:
    return "let in: " + _some([opening.name for opening in policy.openings])


def _some(words: Sequence[Any]) -> str:
    return ", ".join(str(word) for word in words[:10]) + (f" and {len(words) - 10} more" if len(words) > 10 else "")
