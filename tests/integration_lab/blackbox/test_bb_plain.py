# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one shape from other servers than the lab's: pages, regions, projects, thin services."""

from __future__ import annotations

import bb_ec2
import bb_gce
import bb_openstack
from bb_site import Site, aws, gce, openstack
from bb_wire import Fault, Reply, Server


def test_three_clouds_in_one_shape(clouds: Server, site: Site) -> None:
    amazon = clouds.add(
        "aws",
        bb_ec2.Ec2(
            {
                "us-east-1": [bb_ec2.instance(f"web{number}", number) for number in range(1, 6)],
                "eu-west-1": [bb_ec2.instance("db", 9, public=None, zone="eu-west-1b")],
            }
        ),
    )
    google = clouds.add(
        "gce",
        bb_gce.Gce(
            {
                "acme": [
                    bb_gce.instance(f"g{number}", number, zone=bb_gce.ZONES[number % 2]) for number in range(1, 6)
                ],
                "beta": [bb_gce.instance("only", 9, project="beta", public=None)],
                "empty": [],
            }
        ),
    )
    stack = clouds.add(
        "os",
        bb_openstack.OpenStack(
            {
                "North": [
                    bb_openstack.server(
                        f"n{number}", {"net": [f"10.0.0.{number}", ("floating", f"203.0.113.{number}")]}
                    )
                    for number in range(1, 6)
                ],
                "South": [bb_openstack.server("s1", {"net": ["10.1.0.1"]}, image="")],
            }
        ),
    )
    site.aws_keys()
    site.google_token()
    site.clouds_yaml({"any": {"url": stack.url}})
    site.fleet(
        {
            "amazon": aws(amazon, regions=["us-east-1", "eu-west-1"]),
            "google": gce(google, projects=["acme", "beta", "empty"]),
            "stack": openstack("any"),
        }
    )
    done = site.list().clean()
    hosts = done.hosts()
    assert sorted(hosts) == sorted(
        [
            *(f"web{n}" for n in range(1, 6)),
            "db",
            *(f"g{n}" for n in range(1, 6)),
            "only",
            *(f"n{n}" for n in range(1, 6)),
            "s1",
        ]
    )
    shapes = {frozenset(key for key in one if key.startswith("fleet_")) for one in hosts.values()}
    assert len(shapes) == 1, "the same names on every provider"
    wanted = {
        "id",
        "name",
        "cloud",
        "provider",
        "account",
        "region",
        "zone",
        "state",
        "created",
        "flavor",
        "arch",
        "image",
        "tags",
        "public_ip",
        "public_ipv4",
        "public_ipv6",
        "private_ip",
        "private_ipv4",
        "private_ipv6",
        "interfaces",
        "network_role",
        "login_user",
        "security_groups",
        "why",
        "stale",
        "network_domain",
        "public_ip_on_interface",
        "mtu",
        "host_keys",
    }
    assert {f"fleet_{name}" for name in wanted} <= next(iter(shapes))
    assert [hosts[name]["fleet_network_role"] for name in ("web1", "db", "g1", "only", "n1", "s1")] == [
        "floating",
        "private",
        "floating",
        "private",
        "floating",
        "private" if hosts["s1"]["fleet_network_role"] == "private" else "unknown",
    ]
    assert (
        hosts["n3"]["ansible_host"] == "203.0.113.3"
        and hosts["n3"]["fleet_region"] == "North"
        and hosts["n3"]["fleet_flavor"] == "m1.small"
    )
    assert hosts["s1"]["fleet_region"] == "South" and hosts["s1"]["fleet_image"]["id"] is None
    assert (hosts["web1"]["ansible_user"], hosts["g1"]["ansible_user"]) == ("admin", "ops")
    assert hosts["db"]["ansible_host"] == "172.31.0.9" and hosts["web1"]["fleet_public_ip_on_interface"] is False
    assert set(done.listing()["zone_us_central1_a"]["hosts"]) | set(
        done.listing()["zone_europe_west1_b"]["hosts"]
    ) == {f"g{n}" for n in range(1, 6)} | {"only"}
    assert clouds.worlds["os"].count("POST /identity/v3/auth/tokens") == 1, "one token per credential"


def test_openstack_all_projects_and_no_permission_for_it(clouds: Server, site: Site) -> None:
    rows = [
        bb_openstack.server("mine", {"net": ["10.0.0.1"]}),
        bb_openstack.server("theirs", {"net": ["10.0.0.2"]}, project="p2"),
        bb_openstack.server("mine", {"net": ["10.0.0.3"]}, project="p3", created="2025-03-01T00:00:00Z"),
    ]
    stack = clouds.add("os", bb_openstack.OpenStack({"R": rows}))
    site.clouds_yaml({"any": {"url": stack.url}})
    site.fleet({"stack": openstack("any", all_projects=True)})
    done = site.list().clean()
    hosts = done.hosts()
    assert hosts["mine"]["fleet_account"] == "p3" and hosts["theirs"]["fleet_account"] == "p2"
    (twin,) = set(hosts) - {"mine", "theirs"}
    assert twin == f"mine-{hosts[twin]['fleet_id'][:8]}" and hosts[twin]["fleet_account"] == "acme"
    assert "WARNING" in done.err and twin in done.err
    stack.admin = False
    site.list().refused("stack", "R", "403", "all_projects")


def test_openstack_without_network_service_or_with_a_refused_one(clouds: Server, site: Site) -> None:
    answers = {
        "gone": Reply(404, {"NeutronError": "no"}),
        "refused": Reply(403, {"NeutronError": {"message": "policy", "type": "x", "detail": ""}}),
    }
    entries = {}
    for name, reply in answers.items():
        world = clouds.add(
            name,
            bb_openstack.OpenStack(
                {
                    "R": [
                        bb_openstack.server(name, {"public": ["198.51.100.7"], "private": ["10.1.1.1"]}, types=False)
                    ]
                },
                services=("compute", "network", "image"),
            ),
        )
        world.faults = [
            Fault("GET /network", reply=reply),
            Fault("GET /image", reply=Reply(404, b"<html>gone</html>")),
        ]
        entries[name] = {"url": world.url}
    site.clouds_yaml(entries)
    site.fleet({name: openstack(name) for name in entries})
    for name, one in site.list().clean().hosts().items():
        assert one["ansible_host"] == "198.51.100.7" and one["fleet_network_role"] == "public", name
        assert one["fleet_private_ip"] == "10.1.1.1"


def test_openstack_networks_with_equal_names(clouds: Server, site: Site) -> None:
    stack = clouds.add(
        "os",
        bb_openstack.OpenStack(
            {"R": [bb_openstack.server("a", {"net": ["10.5.0.4"]}), bb_openstack.server("b", {"net": ["10.6.0.4"]})]},
            services=("compute", "network"),
        ),
    )
    stack.networks = [
        {"id": "n1", "name": "net", "router:external": True, "mtu": 1400, "shared": True},
        {"id": "n2", "name": "net", "router:external": False, "mtu": 1500},
    ]
    stack.subnets = [
        {"id": "s1", "network_id": "n1", "cidr": "10.5.0.0/24", "ip_version": 4},
        {"id": "s2", "network_id": "n2", "cidr": "10.6.0.0/24", "ip_version": 4},
    ]
    site.clouds_yaml({"any": {"url": stack.url}})
    site.fleet({"stack": openstack("any")})
    hosts = site.list().clean().hosts()
    assert (hosts["a"]["fleet_network_role"], hosts["a"]["fleet_mtu"]) == ("external", 1400)
    assert (hosts["b"]["fleet_network_role"], hosts["b"]["fleet_mtu"]) == ("private", 1500)
    assert hosts["a"]["fleet_public_ip"] == "10.5.0.4" and hosts["b"]["fleet_public_ip"] is None
    assert hosts["a"]["fleet_network_domain"] != hosts["b"]["fleet_network_domain"]
