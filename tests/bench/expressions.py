# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What one expression costs per host: ours beside Ansible's Constructable, CPU time, in one process.

Run with the collection's tree on PYTHONPATH:  python tests/bench/expressions.py [HOSTS]
Constructable runs on a tenth of the hosts, its cost per host does not depend on their number.
"""
from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

from ansible import __version__
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.inventory import BaseInventoryPlugin, Constructable
from ansible.template import Templar
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.expressions import Expressions
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.trust import clean

try:
    from ansible.template import trust_as_template
except ImportError:

    def trust_as_template(value: str) -> str:
        return value


Hosts = dict[str, dict[str, Any]]
COMPOSE = {
    "name": "fleet_region",
    "attribute": "fleet_tags.env",
    "default": "ansible_user | default('root')",
    "concatenation": "fleet_image.distro ~ '/' ~ fleet_image.version",
    "comparison": "fleet_tags.env == 'prod' and fleet_provider == 'aws'",
    "selectattr": "fleet_interfaces | selectattr('role', 'eq', 'floating') | map(attribute='mac') | list | first",
    "regex": "fleet_name | regex_replace('^(\\w+)-.*$', '\\\\1')",
    "method": "fleet_name.split('-')[0]",
    "undefined": "fleet_tags.owner",
    "lookup": "lookup('env', 'HOME')",
}
GROUPS = {"prod": "fleet_tags.env == 'prod'", "big": "fleet_cpus | int > 2", "floating": "fleet_public_ip is not none"}
KEYED = {
    "4 keys": {"key": "fleet_region", "prefix": "region"},
    "dict": {"key": "fleet_tags", "prefix": "tag"},
    "one key a host": {"key": "fleet_id"},
}


class Plugin(BaseInventoryPlugin, Constructable):
    """An inventory plugin reduced to what Constructable uses of it."""

    NAME = "hybridops.fleet.nodes"

    def __init__(self, inventory: InventoryData) -> None:
        super().__init__()
        self.inventory, self.loader, self._vars = inventory, DataLoader(), {}
        self.templar = Templar(loader=self.loader)

    def get_option(self, option: str, hostvars: Any = None) -> Any:
        return {"use_extra_vars": False, "leading_separator": True}[option]


def fleet(count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Hosts with 45 variables, as the inventory plugin sets them."""
    for number in range(count):
        variables: dict[str, Any] = {f"fleet_fact_{fact}": f"value {fact} of {number % 50}" for fact in range(30)}
        variables |= {
            "ansible_host": f"192.0.2.{number % 250}", "ansible_user": "debian", "ansible_port": 22, "fleet_id": f"i-{number:08x}",
            "fleet_name": f"web-{number:05}", "fleet_provider": "aws", "fleet_region": f"eu-west-{number % 4}", "fleet_cpus": number % 8,
            "fleet_tags": {"env": ("prod", "dev", "test")[number % 3], "team": f"team {number % 20}", "cost": "42"},
            "fleet_image": {"name": "Debian 12", "distro": "debian", "version": "12"},
            "fleet_public_ip": None, "fleet_state": "running", "fleet_zone": f"eu-west-{number % 4}a",
            "fleet_interfaces": [
                {"mac": f"00:00:00:00:{number % 256:02x}:01", "role": "private", "mtu": 1500},
                {"mac": f"00:00:00:00:{number % 256:02x}:02", "role": "floating", "mtu": 1500},
            ],
        }
        yield f"web-{number:05}", clean(variables)


def inventory_of(hosts: Hosts) -> InventoryData:
    inventory = InventoryData()
    for host, variables in hosts.items():
        inventory.add_host(host)
        inventory.hosts[host].vars.update(variables)
    return inventory


def theirs(plugin: Plugin, hosts: Hosts, options: dict[str, Any]) -> None:
    for host, variables in hosts.items():
        plugin._set_composite_vars(options.get("compose"), variables, host)
        plugin._add_host_to_composed_groups(options.get("groups"), variables, host)
        plugin._add_host_to_keyed_groups(options.get("keyed_groups"), variables, host)


def ours(plugin: Plugin, hosts: Hosts, options: dict[str, Any]) -> None:
    Expressions(plugin, **options).apply(plugin.inventory, hosts.items())


def cost(run: Callable[[Plugin, Hosts, dict[str, Any]], None], hosts: Hosts, options: dict[str, Any]) -> float:
    """CPU microseconds per host."""
    plugin = Plugin(inventory_of(hosts))
    start = time.process_time()
    run(plugin, hosts, options)
    return (time.process_time() - start) / len(hosts) * 1e6


def trusted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: trusted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [trusted(item) for item in value]
    return trust_as_template(value) if isinstance(value, str) else value


def main(count: int) -> None:
    hosts = dict(fleet(count))
    few = dict(list(hosts.items())[: max(count // 10, 10)])
    everything = {"compose": COMPOSE, "groups": GROUPS, "keyed_groups": list(KEYED.values())}
    cases: list[tuple[str, dict[str, Any]]] = [("no expression", {})]
    cases += [(f"compose {name}: {source}", {"compose": {"result": source}}) for name, source in COMPOSE.items()]
    cases += [(f"groups: {condition}", {"groups": {name: condition}}) for name, condition in GROUPS.items()]
    cases += [("three conditions", {"groups": GROUPS})]
    cases += [(f"keyed_groups {name}: {entry['key']}", {"keyed_groups": [entry]}) for name, entry in KEYED.items()]
    cases += [("all of them", everything)]
    cost(ours, few, trusted(everything)), cost(theirs, few, trusted(everything))  # loads plugins
    print(f"ansible-core {__version__}, Python {sys.version.split()[0]}, {count} hosts, CPU us per host")
    print(f"{'ours':>9} {'Ansible':>9} {'ratio':>6}")
    for title, options in cases:
        mine, other = cost(ours, hosts, trusted(options)), cost(theirs, few, trusted(options))
        print(f"{mine:9.1f} {other:9.1f} {other / mine:6.0f}  {title}")
    plugin = Plugin(inventory_of(hosts))
    tracemalloc.start()
    ours(plugin, hosts, trusted(everything))
    held = tracemalloc.get_traced_memory()[0]
    print(f"memory of all results: {held / 2**20:.1f} MiB, {held / count:.0f} bytes per host")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
