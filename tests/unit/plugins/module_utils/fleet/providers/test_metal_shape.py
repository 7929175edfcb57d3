# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Provider metal: rack files, Ironic's records, Redfish records -> nodes."""
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet import assemble
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.metal import ironic, rack_file, redfish
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import Node, NodeEvidence


def conclude(evidence: NodeEvidence) -> Node:
    return assemble.node(evidence, provider="metal", cloud="rack42")


RACK: dict[str, Any] = {
    "site": "r42",
    "defaults": {"login_user": "root", "ssh_port": 2222, "region": "dc1", "zone": "r42", "arch": "x86_64"},
    "nodes": [
        {"name": "r42-u01", "id": "SN-0001", "image": {"distro": "debian", "version": "12"}, "flavor": "16c-64g",
         "tags": {"rack": "r42", "slot": 1, "x": None},
         "interfaces": [
             {"name": "eno1", "mac": "52:54:00:00:01:01", "mtu": 9000, "network": "dmz", "role": "public",
              "addresses": ["198.51.100.21", "2001:db8:42::21"]},
             {"name": "eno2", "network": "rack", "role": "private", "addresses": ["10.42.0.21"]},
             {"name": "bmc", "role": "management", "addresses": ["10.99.0.21"]}]},
        {"name": "r42-u02", "login_user": "ops", "ssh_port": 22, "arch": "aarch64", "host_keys": ["ssh-ed25519 AAAA"],
         "interfaces": [{"name": "eno1", "addresses": ["198.51.100.22"]}, {"name": "lan", "addresses": ["10.42.0.22"]}]},
        {"name": "r42-u03", "state": "stopped"},
    ],
}


def test_a_rack_file() -> None:
    first, second, third = (conclude(evidence) for evidence in rack_file.nodes(RACK, "r42.yml", "file"))
    assert (first.id, first.name, first.state, first.region, first.zone, first.arch, first.flavor) == (
        "SN-0001", "r42-u01", "running", "dc1", "r42", "x86_64", "16c-64g")
    assert (first.public_ipv4, first.public_ipv6, first.private_ipv4, first.public_ip_on_interface) == (
        "198.51.100.21", "2001:db8:42::21", "10.42.0.21", True)
    assert [interface.role for interface in first.interfaces] == ["public", "private", "management"]
    assert (first.login_user, first.ssh_port, first.mtu, first.network_domain) == ("root", 2222, 9000, "site:r42")
    assert first.tags == {"rack": "r42", "slot": "1", "x": ""}
    assert "r42.yml says so" in first.why.public_ip
    assert (second.id, second.login_user, second.ssh_port, second.arch) == ("r42-u02", "ops", 22, "aarch64")
    assert second.host_keys == ("ssh-ed25519 AAAA",)
    assert (second.public_ip, second.private_ip) == ("198.51.100.22", "10.42.0.22")  # no role given: class and name decide
    assert (third.state, third.public_ip, third.network_role) == ("stopped", None, "unknown")


def test_the_site_defaults_to_the_file() -> None:
    node, = rack_file.nodes({"nodes": [{"name": "a", "interfaces": [{"addresses": ["10.0.0.1"]}]}]}, "r.yml", "r")
    assert node.interfaces[0].domain == "site:r"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (None, "r.yml: expected a mapping, found a NoneType"),
        ([], "r.yml: expected a mapping, found a list"),
        ({}, "r.yml: nodes: is missing"),
        ({"nodes": [{"id": "x"}]}, "r.yml: nodes[0].name: is missing"),
        ({"nodes": [{"name": "a", "ip": "10.0.0.1"}]}, "r.yml: nodes[0]: unknown key 'ip'"),
        ({"nodes": [{"name": "a", "interfaces": [{"addresses": ["10.0.0.300"]}]}]},
         "nodes[0].interfaces[0].addresses: '10.0.0.300' is not an IP address"),
        ({"nodes": [{"name": "a", "interfaces": [{"role": "dmz"}]}]}, "nodes[0].interfaces[0].role: 'dmz' is not possible here"),
        ({"nodes": [{"name": "a", "state": "up"}]}, "nodes[0].state: 'up' is not possible here"),
        ({"nodes": [{"name": "a", "ssh_port": 99999}]}, "nodes[0].ssh_port: 99999 is not a TCP port"),
        ({"nodes": [{"name": "a"}, {"name": "b", "id": "a"}]}, "r.yml: nodes[1]: 'a' stands in the file twice"),
    ],
)
def test_a_rack_file_that_cannot_be_meant(data: Any, sentence: str) -> None:
    with pytest.raises(FleetError) as caught:
        rack_file.nodes(data, "r.yml", "r")
    assert sentence in str(caught.value)


def machine(**values: Any) -> dict[str, Any]:
    return {
        "uuid": "6d1f0cc4-1111-4222-8333-444455556666", "name": "rack1-u01", "provision_state": "active", "power_state": "power on",
        "instance_info": {"display_name": "web-metal-1", "configdrive": "******", "image_source": "http://images/debian-12-generic.raw"},
        "properties": {"cpus": 16, "cpu_arch": "x86_64"}, "extra": {"login_user": "rocky", "rack": "1", "ip": "192.0.2.100"},
        "resource_class": "baremetal", "maintenance": False, "created_at": "2026-01-02T03:04:05+00:00", "owner": None, **values}


UUID = "6d1f0cc4-1111-4222-8333-444455556666"
PORTS = [
    {"address": "52:54:00:00:02:01", "node_uuid": UUID, "physical_network": "lan", "extra": {"ips": ["10.1.0.5/24", "fd00::5"]}},
    {"address": "52:54:00:00:02:02", "node_uuid": UUID, "physical_network": "storage", "extra": {"ip": "not yet"}},
    {"address": "52:54:00:00:02:99", "node_uuid": "somebody-else", "physical_network": "lan", "extra": {}},
]


def test_an_ironic_node() -> None:
    evidence, = ironic.nodes([machine()], PORTS, "bifrost", extra=("resource_class", "driver_info"))
    node = conclude(evidence)
    assert (node.id, node.name, node.state, node.arch, node.flavor) == (
        "6d1f0cc4-1111-4222-8333-444455556666", "rack1-u01", "running", "x86_64", "baremetal")
    assert node.created == "2026-01-02T03:04:05Z"
    assert (node.image.distro, node.image.version) == ("debian", "12")
    assert (node.public_ip, node.private_ip, node.private_ipv6) == ("192.0.2.100", "10.1.0.5", "fd00::5")
    assert [interface.mac for interface in node.interfaces] == ["52:54:00:00:02:01", "52:54:00:00:02:02"]
    assert node.login_user == "rocky"
    assert node.tags == {"login_user": "rocky", "rack": "1", "display_name": "web-metal-1"}
    assert node.extra == {"resource_class": "baremetal"}  # driver_info holds credentials and is never kept


def test_an_ironic_node_without_ports_or_name() -> None:
    evidence, = ironic.nodes([machine(name=None, maintenance=True)], [], "bifrost")
    assert evidence.name == "web-metal-1"
    assert evidence.tags["maintenance"] == "true"
    assert conclude(evidence).public_ip == "192.0.2.100"


@pytest.mark.parametrize(
    ("provision", "power", "expected"),
    [
        ("active", "power on", "running"), ("active", "power off", "stopped"), ("active", None, "running"), ("available", "power off", "stopped"),
        ("deploying", "power on", "pending"), ("wait call-back", "power on", "pending"), ("deploy failed", "power off", "error"),
        ("error", "power on", "error"), ("clean wait", None, "pending"), ("deleting", "power on", "deleting"), ("enroll", None, "stopped"),
        ("something new", "power on", "unknown"), (None, None, "unknown"),
    ],
)
def test_states_of_ironic(provision: str | None, power: str | None, expected: str) -> None:
    assert ironic.state(provision, power) == expected


SYSTEM: dict[str, Any] = {
    "@odata.id": "/redfish/v1/Systems/1", "UUID": "38947555-7742-3448-3784-823347823834", "Name": "Web Front End",
    "HostName": "web483", "PowerState": "On",
    "SerialNumber": "437XR1138R2", "Manufacturer": "Contoso", "Model": "3500", "AssetTag": "", "ProcessorSummary": {"Count": 2, "Model": "x86-64"},
    "MemorySummary": {"TotalSystemMemoryGiB": 96},
}
NICS = [
    {"Id": "NIC1", "MACAddress": "12:44:6A:3B:04:11", "MTUSize": 1500, "IPv4Addresses": [{"Address": "192.0.2.10"}, {"Address": ""}],
     "IPv6Addresses": [{"Address": "fe80::1"}, {"Address": "2001:db8::10"}]},
    {"Id": "NIC2", "PermanentMACAddress": "12:44:6A:3B:88:90", "IPv4Addresses": [{"Address": "0.0.0.0"}], "IPv6Addresses": None},
]


def test_a_redfish_system() -> None:
    node = conclude(redfish.node(SYSTEM, NICS, "lab", extra=("PowerState", "Oem")))
    assert (node.id, node.name, node.state, node.flavor, node.arch) == (
        "38947555-7742-3448-3784-823347823834", "web483", "running", "2p-96g", "x86_64")
    assert (node.public_ipv4, node.public_ipv6) == ("192.0.2.10", "2001:db8::10")
    assert [(interface.network, interface.mac, len(interface.addresses)) for interface in node.interfaces] == [
        ("NIC1", "12:44:6a:3b:04:11", 2), ("NIC2", "12:44:6a:3b:88:90", 0)]
    assert node.tags == {"serial_number": "437XR1138R2", "manufacturer": "Contoso", "model": "3500"}
    assert node.extra == {"PowerState": "On"}


def test_a_redfish_system_that_tells_little() -> None:
    node = conclude(redfish.node({"@odata.id": "/redfish/v1/Systems/x"}, [], "lab"))
    assert (node.id, node.name, node.state, node.flavor, node.public_ip) == ("/redfish/v1/Systems/x", None, "unknown", None, None)


@pytest.mark.parametrize(
    ("power", "state"), [("Off", "stopped"), ("PoweringOn", "pending"), ("PoweringOff", "stopping"), ("Paused", "paused"), ("Odd", "unknown")]
)
def test_power_states_of_redfish(power: str, state: str) -> None:
    assert redfish.node({**SYSTEM, "PowerState": power}, [], "lab").state == state
