# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the hosts shall be: the clouds' machines in one shape, and what to do when they are not so. Pure."""

from __future__ import annotations

import dataclasses
import fnmatch
import ipaddress
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal

Cloud = Literal["openstack", "ec2", "gce", "metal"]


@dataclasses.dataclass(frozen=True)
class Address:
    """One fixed address of an interface."""

    ip: str
    prefix: int
    gateway: str | None = None  # the network's, where it has one
    public: str | None = None  # floating, elastic or natIP: mapped 1:1 to this address
    reachable: bool = False  # leads to the host from outside as it is

    @property
    def version(self) -> int:
        return ipaddress.ip_address(self.ip).version


@dataclasses.dataclass(frozen=True)
class Nic:
    """One network interface of a host. Equal ``segment``: the same wire; equal ``domain``: a router between them."""

    domain: str
    segment: str
    name: str
    mac: str
    mtu: int
    addresses: tuple[Address, ...]


@dataclasses.dataclass(frozen=True)
class Host:
    """One machine that its cloud reports as running."""

    key: str
    cloud: Cloud
    ident: str  # what its API calls it; names the console's file
    name: str
    user: str | None  # the image's login user; None where nobody can log in
    nics: tuple[Nic, ...]
    born: float = 0.0  # newest first
    disk: str = ""  # another value: another disk (a rebuild)
    image: str = ""  # what its cloud says it was made from, as it is written there
    restarted: float = 0.0  # when its API was last asked to restart it, seconds since the epoch
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # what the metadata service tells; may change while it runs
    kubelet: bool = False  # may run one: see kubelet.py

    @property
    def hostname(self) -> str:
        return hostname(self.name)


@dataclasses.dataclass(frozen=True)
class World:
    """What one cloud (or all of them) reports. Machines that are neither running nor stopped are gone."""

    running: Mapping[str, Host]
    stopped: frozenset[str]

    @classmethod
    def of(cls, hosts: Iterable[Host], stopped: Iterable[str] = ()) -> World:
        return cls({host.key: host for host in hosts}, frozenset(stopped))

    def only(self, patterns: Sequence[str]) -> World:
        """Those whose name is like one of the shell patterns; the others are not there."""
        running = {key: host for key, host in self.running.items() if any(fnmatch.fnmatchcase(host.name, pattern) for pattern in patterns)}
        return World(running, self.stopped)

    @classmethod
    def union(cls, parts: Iterable[World]) -> World:
        running: dict[str, Host] = {}
        stopped: set[str] = set()
        for part in parts:
            running |= part.running
            stopped |= part.stopped
        return cls(running, frozenset(stopped))


@dataclasses.dataclass(frozen=True)
class Actual:
    """One host as it is on this machine."""

    alive: bool
    disk: str = ""
    restarted: float = 0.0
    halted: bool = False  # ended from inside; stays so until its cloud starts it again


@dataclasses.dataclass(frozen=True)
class Plan:
    """What brings the machine there. Keys; ``boot`` in the order in which to do it."""

    boot: tuple[str, ...] = ()
    fresh: frozenset[str] = frozenset()  # of those: with a new disk
    restart: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


def plan(world: World, actual: Mapping[str, Actual]) -> Plan:
    """Compare what is reported with what is there."""
    boot, fresh, restart = [], set(), []
    for key, host in world.running.items():
        there = actual.get(key)
        if there is None or there.disk != host.disk:
            boot.append(host)
            fresh.add(key)
        elif not there.alive:
            if not there.halted or host.restarted > there.restarted:
                boot.append(host)
        elif host.restarted > there.restarted:
            restart.append(key)
    order = sorted(boot, key=lambda host: (-host.born, host.key))
    return Plan(
        tuple(host.key for host in order),
        frozenset(fresh),
        tuple(restart),
        tuple(key for key in actual if key in world.stopped and actual[key].alive),
        tuple(key for key in actual if key not in world.running and key not in world.stopped),
    )


def hostname(name: str) -> str:
    """A name as a host may have it: what a cloud shows may hold anything."""
    first = re.sub(r"[^a-z0-9-]+", "-", name.split(".")[0].lower()).strip("-")[:60].strip("-")
    return first or "host"


_PRIVATE = tuple(
    map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10"))
)


def is_global(ip: str) -> bool:
    """Whether an address is of the kind the internet routes. Documentation ranges count: they are the lab's internet."""
    address = ipaddress.ip_address(ip)
    return not any(address in network for network in _PRIVATE if network.version == address.version)


def domains(hosts: Collection[Host]) -> dict[str, list[tuple[Host, int]]]:
    """Each layer-3 domain with the interfaces (host, number) that are in it."""
    found: dict[str, list[tuple[Host, int]]] = {}
    for host in hosts:
        for number, nic in enumerate(host.nics):
            found.setdefault(nic.domain, []).append((host, number))
    return found
