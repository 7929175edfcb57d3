# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lab's metal: rack file and Redfish systems, as data."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import yaml
from fleetlab import metal
from fleetlab.metal.systems import SYSTEMS, fake_driver_systems

RACK = yaml.safe_load((Path(metal.__file__).parent / "r42.yml").read_text(encoding="utf-8"))
KEYS = {"name", "id", "state", "interfaces", "image", "flavor", "login_user", "ssh_port", "arch", "tags", "pool", "vcpus", "memory_mib", "disk_gib"}


def test_rack_keeps_to_the_format() -> None:
    assert RACK["site"] == "r42"
    assert set(RACK["defaults"]) == {"login_user", "ssh_port", "region", "zone", "arch"}
    names = [node["name"] for node in RACK["nodes"]]
    assert len(names) == len(set(names)) == 6
    for node in RACK["nodes"]:
        assert set(node) <= KEYS
        for interface in node["interfaces"]:
            assert set(interface) <= {"name", "mac", "mtu", "network", "role", "addresses"}


def test_public_addresses_of_the_rack_are_documentation_addresses() -> None:
    documentation = [ipaddress.ip_network(text) for text in ("198.51.100.0/24", "2001:db8::/32")]
    public = [
        ipaddress.ip_address(address)
        for node in RACK["nodes"]
        for interface in node["interfaces"]
        if interface["role"] == "public"
        for address in interface["addresses"]
    ]
    assert len(public) == 5
    assert all(any(address in network for network in documentation) for address in public)


def test_redfish_systems_are_distinct_and_not_the_racks() -> None:
    assert len({system.uuid for system in SYSTEMS}) == len({system.serial for system in SYSTEMS}) == 4
    assert not {system.name for system in SYSTEMS} & {node["name"] for node in RACK["nodes"]}
    assert [system["power_state"] for system in fake_driver_systems()] == ["On", "On", "Off", "On"]
