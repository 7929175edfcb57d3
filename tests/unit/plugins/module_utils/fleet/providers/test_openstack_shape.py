# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Nova's and Neutron's records, as literal payloads, to evidence and through ``assemble`` to the one shape.

The clouds are those of openstacksdk's vendor pages and of users' bug reports; addresses are of documentation ranges.
"""
from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet import assemble
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.openstack import images, networks, shape
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.providers.openstack.clouds_yaml import declarations
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.shape import STATES, Node, NodeEvidence

MAC, MAC2 = "fa:16:3e:00:00:01", "fa:16:3e:00:00:02"


def fixed(ip: str, mac: str = MAC) -> dict[str, Any]:
    return {"addr": ip, "version": 6 if ":" in ip else 4, "OS-EXT-IPS:type": "fixed", "OS-EXT-IPS-MAC:mac_addr": mac}


def floating(ip: str, mac: str = MAC) -> dict[str, Any]:
    return {**fixed(ip, mac), "OS-EXT-IPS:type": "floating"}


def bare(ip: str) -> dict[str, Any]:
    """An address of a cloud without the extension OS-EXT-IPS."""
    return {"addr": ip, "version": 6 if ":" in ip else 4}


def server(addresses: dict[str, list[dict[str, Any]]], **changes: Any) -> dict[str, Any]:
    """A server as compute API 2.98 lists it."""
    return {
        "id": "9168b536-cd40-4630-b43f-b259807c6e87",
        "name": "web-1",
        "status": "ACTIVE",
        "OS-EXT-STS:task_state": None,
        "OS-EXT-STS:vm_state": "active",
        "OS-EXT-AZ:availability_zone": "nova",
        "tenant_id": "6f70656e737461636b20342065766572",
        "created": "2024-05-07T12:34:56Z",
        "updated": "2024-05-07T12:35:20Z",
        "metadata": {"env": "prod"},
        "tags": ["web"],
        "image": {"id": "70a599e0-31e7-49b7-b260-868f441e862b", "properties": {"os_distro": "debian"}},
        "flavor": {"original_name": "m1.small", "vcpus": 1, "ram": 2048, "disk": 20},
        "accessIPv4": "",
        "accessIPv6": "",
        "security_groups": [{"name": "default"}, {"name": "ssh"}, {"name": "default"}],
        "addresses": addresses,
        **changes,
    }


def network(name: str, external: bool = False, **changes: Any) -> dict[str, Any]:
    return {"id": f"id-{name}", "name": name, "router:external": external, "mtu": 1500, **changes}


@dataclasses.dataclass
class Cloud:
    """What Neutron, clouds.yaml and Glance of one cloud say; without networks it has no Neutron."""

    networks: list[dict[str, Any]] | None = None
    subnets: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    router_ports: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    clouds_yaml: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    images: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    ports: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    def evidence(self, record: dict[str, Any], extra: tuple[str, ...] = ()) -> NodeEvidence:
        declared = declarations(self.clouds_yaml)
        known = (networks.Networks([], declared, told=False) if self.networks is None
                 else networks.build(self.networks, self.subnets, self.router_ports, declared))
        known.learn_ports(self.ports)
        book = images.ImageBook()
        book.add_images({"id": each, **record} for each, record in self.images.items())
        return shape.evidence(record, shape.Knowledge(
            "RegionOne", ("6f70656e737461636b20342065766572", "acme"), known, book, {"42": "m1.large"}, extra))

    def node(self, record: dict[str, Any]) -> Node:
        return assemble.node(self.evidence(record), provider="openstack", cloud="dream")


@dataclasses.dataclass
class Expected:
    """The answer for one server: addresses by family, role, and a piece of the reason."""

    ipv4: str | None = None
    ipv6: str | None = None
    private: str | None = None
    role: str = "public"
    why: str = ""
    on_interface: bool | None = True


OVH = Cloud(networks=[network("Ext-Net", external=True), network("vrack", mtu=9000)])
OSIC = Cloud(networks=[network("GATEWAY_NET", external=True), network("GATEWAY_NET_V6", external=True)])
LIMESTONE = [
    {"name": "Public Internet", "routes_externally": True, "default_interface": True, "nat_source": True},
    {"name": "DDoS Protected", "routes_externally": True},
    {"name": "Private Network (10.0.0.0/8 only)", "routes_externally": False},
    {"name": "Private Network (Floating Public)", "routes_externally": False, "nat_destination": True},
]
COMPANY = Cloud(networks=[network("corp", external=True), network("app", mtu=1442)])
TENANT = Cloud(networks=[network("public", external=True), network("tenant", mtu=1450)])

SNOWFLAKES: dict[str, tuple[Cloud, dict[str, Any], Expected]] = {
    "rackspace": (
        Cloud(),
        server({"public": [bare("2001:db8:f::1"), bare("198.51.100.4")], "private": [bare("10.208.1.2")]}),
        Expected("198.51.100.4", "2001:db8:f::1", "10.208.1.2", why="publicly routed address on network 'public'")),
    "ovh: vrack first": (
        OVH,
        server({"vrack": [fixed("192.168.1.4")], "Ext-Net": [fixed("198.51.100.7", MAC2), fixed("2001:db8:1::7", MAC2)]}),
        Expected("198.51.100.7", "2001:db8:1::7", "192.168.1.4", why="network 'Ext-Net' is router:external")),
    "vexxhost: public and tenant network": (
        Cloud(networks=[network("public", external=True, shared=True), network("mine")]),
        server({"mine": [fixed("10.9.0.3")], "public": [fixed("203.0.113.9", MAC2)]}),
        Expected("203.0.113.9", None, "10.9.0.3", why="network 'public' is router:external")),
    "dreamcompute: floating v4, v6 of its own on the tenant network": (
        TENANT,
        server({"tenant": [fixed("10.10.10.5"), fixed("2001:db8:2::5"), floating("203.0.113.50")]}),
        Expected("203.0.113.50", "2001:db8:2::5", "10.10.10.5", why="floating IP for 10.10.10.5", on_interface=False)),
    "hp: v6 only reachable": (
        TENANT,
        server({"tenant": [fixed("10.10.10.6"), fixed("2001:db8:2::6"), fixed("fe80::f816:3eff:fe00:1")]}),
        Expected(None, "2001:db8:2::6", "10.10.10.6", why="publicly routed address on network 'tenant'")),
    "city cloud: floating only": (
        Cloud(networks=[network("ext-net", external=True), network("default")]),
        server({"default": [fixed("192.168.0.7"), floating("198.51.100.77")]}),
        Expected("198.51.100.77", None, "192.168.0.7", "floating", "floating IP for 192.168.0.7", on_interface=False)),
    "internap: names that tell nothing": (
        Cloud(networks=[network("inap-17037-WAN1654"), network("inap-17037-LAN1655")]),
        server({"inap-17037-LAN1655": [fixed("10.250.1.2")], "inap-17037-WAN1654": [fixed("198.51.100.88", MAC2)]}),
        Expected("198.51.100.88", None, "10.250.1.2", why="publicly routed address on network 'inap-17037-WAN1654'")),
    "limestone: public internet": (
        Cloud(networks=[network("Private Network (10.0.0.0/8 only)"), network("Public Internet")], clouds_yaml=LIMESTONE),
        server({"Private Network (10.0.0.0/8 only)": [fixed("10.0.0.8")], "Public Internet": [fixed("203.0.113.8", MAC2)]}),
        Expected("203.0.113.8", None, "10.0.0.8", why="clouds.yaml says network 'Public Internet' routes IPv4 externally")),
    "limestone: floating public": (
        Cloud(networks=[network("Private Network (Floating Public)")], clouds_yaml=LIMESTONE),
        server({"Private Network (Floating Public)": [fixed("10.1.0.8"), floating("203.0.113.18")]}),
        Expected("203.0.113.18", None, "10.1.0.8", "floating", "floating IP for 10.1.0.8", on_interface=False)),
    "osic: split stack": (
        OSIC,
        server({"GATEWAY_NET": [fixed("198.51.100.30")], "GATEWAY_NET_V6": [fixed("2001:db8:30::1", MAC2)]}),
        Expected("198.51.100.30", "2001:db8:30::1", None, why="network 'GATEWAY_NET_V6' is router:external")),
    "private cloud: RFC 1918 on an external network": (
        COMPANY,
        server({"corp": [fixed("10.180.0.12")]}),
        Expected("10.180.0.12", None, None, "external", "is not routed on the internet")),
    "private cloud: 10.x floating IP": (
        COMPANY,
        server({"app": [fixed("172.20.0.11"), floating("10.0.0.147")]}),
        Expected("10.0.0.147", None, "172.20.0.11", "external", "floating IP for 172.20.0.11", on_interface=False)),
    "stale accessIPv4": (
        TENANT,
        server({"tenant": [fixed("10.10.10.5"), floating("203.0.113.51")]}, accessIPv4="192.0.2.99"),
        Expected("203.0.113.51", None, "10.10.10.5", "floating", "access address 192.0.2.99 ignored", on_interface=False)),
    "accessIPv4 that is the server's": (
        Cloud(),
        server({"net0": [bare("10.77.0.5")], "net1": [bare("10.78.0.5")]}, accessIPv4="10.78.0.5"),
        Expected("10.78.0.5", None, "10.77.0.5", "external", "advertises it for access")),
    "ULA is not public": (
        TENANT,
        server({"tenant": [fixed("fd00:5:1::5"), fixed("10.10.10.5")]}),
        Expected(None, None, "10.10.10.5", "private", "unique local", on_interface=None)),
    "100.64/10 is not public": (
        Cloud(networks=[network("wan")]),
        server({"wan": [fixed("100.64.3.4")]}),
        Expected(None, None, "100.64.3.4", "private", "carrier-grade NAT", on_interface=None)),
    "several NICs with misleading names": (
        Cloud(networks=[network("wan"), network("internet"), network("lan")]),
        server({"wan": [fixed("100.64.8.11")], "internet": [fixed("172.16.5.11", MAC2)], "lan": [fixed("198.51.100.211", "fa:16:3e:00:00:03")]}),
        Expected("198.51.100.211", None, "100.64.8.11", why="publicly routed address on network 'lan'")),
    "floating IP of the second NIC": (
        Cloud(networks=[network("wan"), network("storage")]),
        server({"wan": [fixed("100.64.8.13")], "storage": [fixed("10.50.0.13", MAC2), floating("203.0.113.143", MAC2)]}),
        Expected("203.0.113.143", None, "100.64.8.13", "floating", "floating IP for 10.50.0.13", on_interface=False)),
    "network named private is the public one": (
        Cloud(networks=[network("private"), network("public")]),
        server({"public": [fixed("10.5.0.12")], "private": [fixed("198.51.100.72", MAC2)]}),
        Expected("198.51.100.72", None, "10.5.0.12", why="publicly routed address on network 'private'")),
    "only a name tells, and it is weak": (
        Cloud(),
        server({"public": [bare("10.5.5.5")]}),
        Expected("10.5.5.5", None, None, "external", "weak")),
    "nothing tells": (
        Cloud(),
        server({"net0": [bare("10.5.5.5")]}),
        Expected(None, None, "10.5.5.5", "unknown", "does not tell", on_interface=None)),
    "one network name, two networks": (
        Cloud(networks=[network("net", external=True, id="n1"), network("net", id="n2")],
              subnets=[{"network_id": "n1", "cidr": "198.51.100.0/24"}, {"network_id": "n2", "cidr": "10.3.0.0/24"}]),
        server({"net": [fixed("198.51.100.5"), fixed("10.3.0.5", MAC2)]}),
        Expected("198.51.100.5", None, "10.3.0.5", why="network 'net' is router:external")),
    "no address yet": (
        TENANT,
        server({}, status="BUILD"),
        Expected(None, None, None, "unknown", "reports no address", on_interface=None)),
}


@pytest.mark.parametrize("name", SNOWFLAKES)
def test_snowflake(name: str) -> None:
    cloud, record, expected = SNOWFLAKES[name]
    node = cloud.node(record)
    assert (node.public_ipv4, node.public_ipv6, node.private_ip) == (expected.ipv4, expected.ipv6, expected.private)
    assert (node.network_role, node.public_ip_on_interface) == (expected.role, expected.on_interface)
    assert expected.why in node.why.public_ip + node.why.network_role


class TestCloudsYaml:
    """The operator's word on networks, per family, and only where he speaks."""

    def roles(self, entry: dict[str, Any], ips: tuple[str, ...]) -> list[str]:
        cloud = Cloud(networks=[network("net", external=True)], clouds_yaml=[{"name": "net", **entry}])
        node = cloud.node(server({"net": [fixed(ip) for ip in ips]}))
        return [address.role for interface in node.interfaces for address in interface.addresses]

    @pytest.mark.parametrize(("entry", "roles"), [
        ({"routes_externally": True}, ["public", "public"]),
        ({"routes_externally": False}, ["private", "private"]),
        ({"routes_ipv4_externally": False}, ["private", "public"]),
        ({"routes_externally": False, "routes_ipv6_externally": True}, ["private", "public"]),
        ({"routes_externally": "False"}, ["private", "private"]),
        ({"nat_destination": True}, ["public", "public"]),
    ])
    def test_flags(self, entry: dict[str, Any], roles: list[str]) -> None:
        assert self.roles(entry, ("198.51.100.3", "2001:db8::3")) == roles

    def test_class_of_address_still_counts(self) -> None:
        assert self.roles({"routes_externally": True}, ("10.0.0.3",)) == ["external"]

    def test_by_id(self) -> None:
        cloud = Cloud(networks=[network("net")], clouds_yaml=[{"name": "id-net", "routes_externally": False}])
        assert cloud.node(server({"net": [fixed("198.51.100.3")]})).network_role == "private"

    def test_without_neutron(self) -> None:
        cloud = Cloud(clouds_yaml=[{"name": "net", "routes_externally": True}])
        assert cloud.node(server({"net": [bare("10.0.0.3")]})).network_role == "external"

    def test_default_interface_comes_first(self) -> None:
        cloud = Cloud(networks=[network("a"), network("b")], clouds_yaml=[{"name": "b", "default_interface": True}])
        evidence = cloud.evidence(server({"a": [fixed("10.0.0.3")], "b": [fixed("10.1.0.3", MAC2)]}))
        assert [interface.network for interface in evidence.interfaces] == ["b", "a"]

    def test_of_a_network_not_of_its_floating_ips(self) -> None:
        cloud = Cloud(networks=[network("net")], clouds_yaml=[{"name": "net", "routes_externally": False}])
        assert cloud.node(server({"net": [fixed("10.0.0.3"), floating("203.0.113.3")]})).network_role == "floating"


class TestInterfaces:
    def test_addresses_of_one_mac_belong_together(self) -> None:
        entries = [fixed("10.0.0.1"), fixed("10.0.0.2", MAC2), fixed("2001:db8::1"), floating("203.0.113.1", MAC2)]
        evidence = TENANT.evidence(server({"tenant": entries}))
        assert [(part.mac, [address.ip for address in part.addresses]) for part in evidence.interfaces] == [
            (MAC, ["10.0.0.1", "2001:db8::1"]), (MAC2, ["10.0.0.2", "203.0.113.1"])]
        assert evidence.interfaces[1].addresses[1].nat_of == "10.0.0.2"

    def test_floating_ip_without_mac_belongs_to_the_fixed_address(self) -> None:
        entries = [{"addr": ip, "version": 4, "OS-EXT-IPS:type": kind} for ip, kind in (("203.0.113.1", "floating"), ("10.0.0.1", "fixed"))]
        (interface,) = TENANT.evidence(server({"tenant": entries})).interfaces
        assert [(address.ip, address.nat_of) for address in interface.addresses] == [("203.0.113.1", "10.0.0.1"), ("10.0.0.1", None)]

    def test_facts_of_the_network(self) -> None:
        (interface,) = TENANT.evidence(server({"tenant": [fixed("10.0.0.1")]})).interfaces
        assert (interface.network_id, interface.mtu, interface.domain) == ("id-tenant", 1450, "network:id-tenant")

    def test_mtu_zero_means_untold(self) -> None:
        (interface,) = Cloud(networks=[network("a", mtu=0)]).evidence(server({"a": [fixed("10.0.0.1")]})).interfaces
        assert interface.mtu is None

    def test_ports_tell_which_of_two_networks(self) -> None:
        twins = Cloud(
            networks=[network("net", id="n1"), network("net", id="n2")],
            subnets=[{"network_id": "n1", "cidr": "10.0.0.0/24"}, {"network_id": "n2", "cidr": "10.0.0.0/24"}],
            ports=[{"mac_address": MAC, "network_id": "n2", "fixed_ips": [{"ip_address": "10.0.0.4"}]}])
        found = [part.network_id for part in twins.evidence(server({"net": [fixed("10.0.0.4"), fixed("10.0.0.5", MAC2)]})).interfaces]
        assert found == ["n2", None]

    def test_renamed_network_is_found_by_its_port(self) -> None:
        renamed = Cloud(networks=[network("new", id="n1", external=True)],
                        ports=[{"mac_address": MAC, "network_id": "n1", "fixed_ips": [{"ip_address": "10.0.0.4"}]}])
        (interface,) = renamed.evidence(server({"old": [fixed("10.0.0.4")]})).interfaces
        assert (interface.network, interface.addresses[0].routed) == ("new", True)

    def test_unclear_names_are_known_as_such(self) -> None:
        known = networks.build([network("a"), network("b", id="n1"), network("b", id="n2")], [], [], {})
        assert not known.unclear({"a": [fixed("10.0.0.1")]})
        assert known.unclear({"b": [fixed("10.0.0.1")]})
        assert known.unclear({"gone": [fixed("10.0.0.1")]})
        assert not networks.Networks([], {}, told=False).unclear({"gone": [fixed("10.0.0.1")]})


class TestDomains:
    """Networks that routers join are one layer-3 domain, however many hops."""

    def domain(self, name: str, *joins: tuple[str, str]) -> str | None:
        cloud = Cloud(networks=[network(each) for each in "abcd"],
                      router_ports=[{"device_id": router, "network_id": f"id-{each}"} for router, each in joins])
        return cloud.evidence(server({name: [fixed("10.0.0.1")]})).interfaces[0].domain

    def test_joined_by_one_router(self) -> None:
        joins = (("r1", "a"), ("r1", "b"))
        assert self.domain("a", *joins) == self.domain("b", *joins) == "router:r1"

    def test_joined_through_another_network(self) -> None:
        joins = (("r2", "a"), ("r2", "b"), ("r1", "b"), ("r1", "c"))
        assert {self.domain(name, *joins) for name in "abc"} == {"router:r1"}
        assert {self.domain(name, *reversed(joins)) for name in "abc"} == {"router:r1"}

    def test_not_joined(self) -> None:
        joins = (("r1", "a"), ("r2", "b"))
        assert self.domain("a", *joins) != self.domain("b", *joins)
        assert self.domain("c", *joins) == "network:id-c"


class TestFields:
    def test_everything_else(self) -> None:
        node = TENANT.node(server({}))
        assert (node.id, node.name, node.region, node.zone) == ("9168b536-cd40-4630-b43f-b259807c6e87", "web-1", "RegionOne", "nova")
        assert (node.account, node.created, node.flavor) == ("acme", "2024-05-07T12:34:56Z", "m1.small")
        assert node.tags == {"web": "", "env": "prod"}
        assert node.security_groups == ("default", "ssh")
        assert (node.image.id, node.image.distro) == ("70a599e0-31e7-49b7-b260-868f441e862b", "debian")

    def test_project_of_others_by_id(self) -> None:
        assert TENANT.node(server({}, tenant_id="other")).account == "other"

    def test_metadata_wins_over_a_server_tag_of_the_same_name(self) -> None:
        assert TENANT.node(server({}, tags=["env"])).tags == {"env": "prod"}

    def test_least_that_an_old_cloud_tells(self) -> None:
        node = Cloud().node({"id": "1", "status": "ACTIVE"})
        assert (node.name, node.state, node.flavor, node.zone, node.image.id, node.tags) == (None, "running", None, None, None, {})

    def test_flavor_by_id(self) -> None:
        assert TENANT.node(server({}, flavor={"id": "42", "links": []})).flavor == "m1.large"
        assert TENANT.node(server({}, flavor={"id": "43"})).flavor is None

    def test_extra_fields_but_no_secrets(self) -> None:
        record = server({}, hostId="h", adminPass="x", **{"OS-EXT-SRV-ATTR:user_data": "x", "locked": False})
        wanted = ("hostId", "adminPass", "OS-EXT-SRV-ATTR:user_data", "locked", "absent")
        assert TENANT.evidence(record, extra=wanted).extra == {"hostId": "h", "locked": False}

    @pytest.mark.parametrize(("status", "task", "state"), [
        ("ACTIVE", None, "running"), ("ACTIVE", "powering-off", "stopping"), ("ACTIVE", "deleting", "deleting"),
        ("ACTIVE", "image_uploading", "running"), ("ACTIVE", "suspending", "stopping"), ("BUILD", "spawning", "pending"),
        ("REBUILD", "rebuild_spawning", "pending"), ("SHUTOFF", None, "stopped"), ("SHUTOFF", "powering-on", "pending"),
        ("SUSPENDED", None, "paused"), ("PAUSED", None, "paused"), ("SHELVED", None, "stopped"), ("SHELVED_OFFLOADED", None, "stopped"),
        ("SHELVED_OFFLOADED", "unshelving", "pending"), ("ERROR", None, "error"), ("ERROR", "deleting", "deleting"),
        ("DELETED", None, "deleting"), ("SOFT_DELETED", None, "deleting"), ("REBOOT", "rebooting", "running"),
        ("HARD_REBOOT", None, "running"), ("RESIZE", "resize_migrating", "pending"), ("VERIFY_RESIZE", None, "running"),
        ("RESCUE", None, "running"), ("PASSWORD", None, "running"), ("MIGRATING", "migrating", "running"),
        ("UNKNOWN", None, "unknown"), ("SOMETHING_NEW", None, "unknown"),
    ])
    def test_states(self, status: str, task: str | None, state: str) -> None:
        assert TENANT.node(server({}, status=status, **{"OS-EXT-STS:task_state": task})).state == state

    def test_every_state_is_one_of_ours(self) -> None:
        assert {*shape.STATUSES.values(), *shape.TASKS.values()} <= set(STATES)

    def test_server_of_a_cell_that_is_down(self) -> None:
        assert shape.is_partial({"id": "1", "status": "UNKNOWN", "tenant_id": "p", "created": "2024-05-07T12:34:56Z", "links": []})
        assert not shape.is_partial(server({}))

    @pytest.mark.parametrize("addresses", [{"net": [{"addr": "banana"}]}, {"net": [{**floating("banana")}]}, {"net": [{}]}, {"net": ["x"]}])
    def test_malformed_address_is_no_silence(self, addresses: dict[str, Any]) -> None:
        with pytest.raises((ValueError, KeyError, AttributeError)):
            TENANT.evidence(server(addresses))


class TestImages:
    """Embedded properties, Glance records, volumes; the login user that follows."""

    ID = "70a599e0-31e7-49b7-b260-868f441e862b"

    def node(self, record: dict[str, Any] | None, embedded: dict[str, Any] | None = None, **changes: Any) -> Node:
        image = {"id": self.ID} if embedded is None else {"id": self.ID, "properties": embedded}
        return Cloud(images={self.ID: record} if record else {}).node(server({}, image=image, **changes))

    @pytest.mark.parametrize(("record", "embedded", "user", "distro"), [
        ({"name": "Ubuntu 24.04"}, {"os_distro": "ubuntu", "image_original_user": "ops"}, "ops", ("ubuntu", "24.04")),
        ({"name": "Ubuntu 24.04", "image_original_user": "ops"}, {"os_distro": "ubuntu"}, "ops", ("ubuntu", "24.04")),
        ({"name": "x", "os_distro": "fedora"}, {"os_distro": "debian"}, "debian", ("debian", None)),
        ({"name": "x", "image_original_user": "none"}, None, None, (None, None)),
        ({"name": "AlmaLinux 9", "os_distro": "centos"}, None, "almalinux", ("almalinux", "9")),
        ({"name": "Flatcar 4152.2.3", "os_distro": "fedora"}, None, "core", ("flatcar", "4152.2.3")),
        ({"name": "CentOS Stream 9"}, {}, "cloud-user", ("centos", "9")),
        ({"name": "corp", "os_distro": "Kali", "os_version": "2026.3"}, None, None, ("kali", "2026.3")),
        ({"name": "corp", "os_distro": "others", "os_version": "1"}, None, None, (None, None)),
        ({"name": "corp", "os_distro": "{{ x }}"}, None, None, (None, None)),
        ({"name": "corp", "os_distro": "rocky", "os_version": "9.4"}, None, "rocky", ("rocky", "9.4")),
        ({"name": "corp", "org.openstack__1__os_distro": "org.debian", "org.openstack__1__os_version": "12"}, None, "debian", ("debian", "12")),
        (None, {"os_distro": "debian", "os_version": "12"}, "debian", ("debian", "12")),
        (None, None, None, (None, None)),
    ])
    def test_distribution_and_user(
        self, record: dict[str, Any] | None, embedded: dict[str, Any] | None, user: str | None, distro: tuple[str | None, str | None]
    ) -> None:
        node = self.node(record, embedded)
        assert (node.login_user, (node.image.distro, node.image.version)) == (user, distro)

    def test_metadata_of_the_server_wins(self) -> None:
        assert self.node({"name": "Debian 12"}, metadata={"ssh_user": "backup"}).login_user == "backup"

    @pytest.mark.parametrize(("told", "arch"), [("x86_64", "x86_64"), ("arm64", "aarch64"), ("AMD64", "x86_64"), ("", None)])
    def test_architecture(self, told: str, arch: str | None) -> None:
        assert self.node({"name": "x", "hw_architecture": told}).arch == arch

    def test_properties_with_credentials_are_not_kept(self) -> None:
        record = {"name": "x", "os_distro": "debian", "direct_url": "swift+https://user:key@store/x", "locations": ["x"]}
        evidence = Cloud(images={self.ID: record}).evidence(server({}, image={"id": self.ID}))
        assert evidence.login.image_properties == {"os_distro": "debian"}

    @pytest.mark.parametrize("image", ["", None, {}])
    def test_boot_from_volume_without_cinder(self, image: Any) -> None:
        node = Cloud().node(server({}, image=image))
        assert (node.image.id, node.image.name, node.image.distro) == (None, None, None)


def test_an_access_address_is_the_server_s_however_it_is_written() -> None:
    record = server({"net0": [fixed("2001:db8::5")]}, accessIPv6="2001:DB8:0::0005")
    assert Cloud().evidence(record).access_ips == ("2001:db8::5",)
