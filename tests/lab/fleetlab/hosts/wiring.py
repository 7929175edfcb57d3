# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Brings the namespaces of this machine to what ``network`` says they should be."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from . import netns, network
from .model import Host, Nic
from .place import Numbers, Place


class Wiring:
    """Routers, wires and routes. What is there already is left alone, so it can take over from one that was killed."""

    def __init__(self, place: Place, numbers: Numbers, router_up: Callable[[str, str], None], router_down: Callable[[str], None]) -> None:
        """:param router_up: told of each router (domain, namespace) that can be listened in."""
        self._place, self._numbers = place, numbers
        self._router_up, self._router_down = router_up, router_down
        self._routers: dict[str, network.Router] = {}
        self._bridges: set[str] = set()
        self._hosts: dict[str, tuple[Nic, ...]] = {}
        self._routes: dict[str, int] = {}
        netns.add(place.core)
        netns.forward(place.core)
        netns.ip(place.core, [*network.core_setup(), "-4 route flush proto boot", "-6 route flush proto boot"])

    def apply(self, hosts: Mapping[str, Host]) -> None:
        """Bring every router, and the wires of hosts that are connected, in line with those hosts."""
        wanted = network.routers(list(hosts.values()))
        for domain, router in wanted.items():
            if self._routers.get(domain) != router:
                self._router(domain, router)
        for key, nics in list(self._hosts.items()):
            if key in hosts and hosts[key].nics != nics:
                self._rewire(hosts[key], nics)
        for domain in set(self._routers) - set(wanted):
            self._remove_router(domain)
        self._core_routes(wanted)

    def connect(self, host: Host) -> str:
        """A host's namespace with its interfaces; returns the namespace."""
        number = self._numbers.of("hosts", host.key)
        namespace = self._place.host(number)
        if host.key not in self._hosts:
            netns.add(namespace)
            self._plug(host, range(len(host.nics)))
            netns.ip(namespace, network.host_setup(host.nics))
            self._hosts[host.key] = host.nics
        return namespace

    def disconnect(self, key: str) -> None:
        """A namespace lives on as long as anything in it does, and so would its links, whose names the next ones need: they go first."""
        number = self._numbers.of("hosts", key)
        for index, nic in enumerate(self._hosts.pop(key, ())):
            if nic.domain in self._routers:
                netns.ip(self._place.router(self._numbers.of("domains", nic.domain)), [f"link del {network.port(number, index)}"])
        netns.delete(self._place.host(number))

    # -- parts ------------------------------------------------------------------------------------------------
    def _bridge(self, domain: str, segment: str) -> str:
        return f"b{self._numbers.of('wires', f'{domain} {segment}')}"

    def _router(self, domain: str, router: network.Router) -> None:
        number = self._numbers.of("domains", domain)
        namespace = self._place.router(number)
        new = domain not in self._routers
        if new:
            netns.add(namespace)
            netns.forward(namespace)
            netns.ip(self._place.core, network.core_link(number, namespace))
            netns.ip(namespace, network.router_setup(number))
            self._router_up(domain, namespace)
        old = self._routers.get(domain)
        for segment, gateways in router.bridges.items():
            if new or old is None or old.bridges.get(segment) != gateways:
                netns.ip(namespace, network.bridge_setup(self._bridge(domain, segment), router.mtu[segment], gateways))
        if old is None or old.ruleset != router.ruleset:
            netns.nft(namespace, router.ruleset)
        self._routers[domain] = router

    def _remove_router(self, domain: str) -> None:
        del self._routers[domain]
        self._router_down(domain)
        number = self._numbers.of("domains", domain)
        netns.ip(self._place.core, [f"link del r{number}"])  # see disconnect
        netns.delete(self._place.router(number))

    def _plug(self, host: Host, which: range | list[int]) -> None:
        number = self._numbers.of("hosts", host.key)
        for index in which:
            nic = host.nics[index]
            bridge = self._bridge(nic.domain, nic.segment)
            router = self._place.router(self._numbers.of("domains", nic.domain))
            netns.ip(router, [*network.host_port(number, index, nic, self._place.host(number), bridge), *network.route_to_host(bridge, nic)])

    def _rewire(self, host: Host, old: tuple[Nic, ...]) -> None:
        """Addresses and interfaces that changed while the host runs."""
        namespace = self._place.host(self._numbers.of("hosts", host.key))
        before, after = {nic.name: nic for nic in old}, {nic.name: nic for nic in host.nics}
        lines = []
        for name, nic in before.items():
            now = after.get(name)
            if now is None or (now.domain, now.segment, now.mac) != (nic.domain, nic.segment, nic.mac):
                lines.append(f"link del {name}")
                before = {other: kept for other, kept in before.items() if other != name}
            else:
                gone = {(address.ip, address.prefix) for address in nic.addresses} - {(address.ip, address.prefix) for address in now.addresses}
                lines += [f"addr del {ip}/{prefix} dev {name}" for ip, prefix in gone]
        netns.ip(namespace, lines)
        self._plug(host, [index for index, nic in enumerate(host.nics) if nic.name not in before])
        for nic in host.nics:
            netns.ip(self._place.router(self._numbers.of("domains", nic.domain)), network.route_to_host(self._bridge(nic.domain, nic.segment), nic))
        netns.ip(namespace, network.host_setup(host.nics))
        self._hosts[host.key] = host.nics

    def _core_routes(self, wanted: Mapping[str, network.Router]) -> None:
        routes = network.core_routes(wanted, self._numbers.all("domains"))
        lines = [network.core_route("del", address, number) for address, number in self._routes.items() if address not in routes]
        lines += [network.core_route("replace", address, number) for address, number in routes.items() if self._routes.get(address) != number]
        netns.ip(self._place.core, lines)
        self._routes = routes
