# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Mistakes in fleet files and rack files: one clear sentence with file, cloud and mend."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import bb_ec2
from bb_site import Done, Site, aws
from bb_wire import Reply, Request, Server, World

PLUGIN = "plugin: hybridops.fleet.nodes\n"


def entry(text: str) -> str:
    return PLUGIN + "clouds:\n  c1: {" + text + "}\n"


METAL = "provider: metal, sources: [{%s}]"
WRONG: dict[str, tuple[str, tuple[str, ...]]] = {
    "top": (PLUGIN + "conect_to: [name]\nclouds: {c1: {provider: aws}}\n", ("conect_to", "connect_to")),
    "noclouds": (PLUGIN, ("clouds",)),
    "list": (PLUGIN + "clouds: [{provider: aws}]\n", ("clouds", "mapping")),
    "empty": ("", ("not a fleet file",)),
    "key": (entry("provider: aws, region: [us-east-1]"), ("c1", "region", "regions")),
    "noprovider": (entry("regions: [a]"), ("c1", "provider")),
    "provider": (entry("provider: azure"), ("c1", "azure", "openstack, aws, gce, metal")),
    "string": (entry("provider: aws, regions: us-east-1"), ("c1", "regions", "[us-east-1]")),
    "zone": (entry("provider: aws, regions: [us-east-1a]"), ("c1", "us-east-1a", "us-east-1")),
    "timeout": (PLUGIN + "timeout: soon\nclouds: {c1: {provider: aws}}\n", ("timeout", "soon")),
    "user": (entry("provider: aws, login_user: 'root -oProxyCommand=x'"), ("c1", "login_user", "not a user name")),
    "port": (entry("provider: aws, ssh_port: 99999"), ("c1", "ssh_port", "99999")),
    "role": (entry("provider: aws, networks: {lan: {role: secret}}"), ("c1", "networks", "lan", "management")),
    "bastion": (entry("provider: aws, bastion: {host: '-oProxyCommand=x'}"), ("c1", "bastion", "host")),
    "states": (entry("provider: aws, filters: {states: [runing]}"), ("c1", "runing", "running")),
    "hostnames": (PLUGIN + "hostnames: [nme]\nclouds: {c1: {provider: aws}}\n", ("hostnames", "nme")),
    "connect": (PLUGIN + "connect_to: [public]\nclouds: {c1: {provider: aws}}\n", ("connect_to", "public_ipv4")),
    "arn": (entry("provider: aws, assume_role: {arn: reader}"), ("c1", "assume_role.arn", "reader")),
    "nosources": (entry("provider: metal"), ("c1", "sources")),
    "nopath": (entry(METAL % "kind: file"), ("c1", "path")),
    "nouri": (entry(METAL % "kind: redfish"), ("c1", "baseuri")),
    "norack": (entry(METAL % "kind: file, path: gone.yml"), ("c1", "gone.yml")),
    "kind": (entry(METAL % "kind: ipmi"), ("c1", "ipmi", "redfish")),
    "template": (entry("provider: aws, profile: '{{ nothing }}'"), ("c1", "profile", "nothing")),
    "yaml": (PLUGIN + "clouds: {c1: {provider: aws\n", ("YAML",)),
    "endpoint": (entry("provider: gce, endpoint: 'localhost:8080'"), ("c1", "endpoint", "localhost:8080")),
}


def test_wrong_fleet_files(site: Site) -> None:
    for name, (text, _words) in WRONG.items():
        site.write(f"{name}.nodes.yml", text)
    with ThreadPoolExecutor(3) as pool:
        ended: dict[str, Done] = dict(
            zip(
                WRONG,
                pool.map(
                    lambda name: site.list(
                        fleet=f"{name}.nodes.yml", ANSIBLE_INVENTORY_ENABLED="hybridops.fleet.nodes"
                    ),
                    WRONG,
                ),
                strict=True,
            )
        )
    unclear = {}
    for name, (_text, words) in WRONG.items():
        done = ended[name]
        done.no_secret()
        text = done.one_line()
        missing = [word for word in words if word not in text]
        if (
            done.status == 0
            or missing
            or "Traceback" in text
            or "defect" in text
            or (f"{name}.nodes.yml" not in text)
        ):
            unclear[name] = (done.status, missing, text[:600])
    assert not unclear, unclear


def test_rack_file_and_twins_with_a_cloud(clouds: Server, site: Site) -> None:
    site.aws_keys()
    amazon = clouds.add("aws", bb_ec2.Ec2({"us-east-1": [bb_ec2.instance("r1", 1)]}))
    site.write(
        "racks/r.yml",
        {
            "site": "dc",
            "defaults": {"login_user": "root"},
            "nodes": [
                {
                    "name": "r1",
                    "interfaces": [
                        {"name": "eno1", "role": "public", "addresses": ["198.51.100.21"]},
                        {"name": "eno2", "addresses": ["10.9.0.1", "fd00::1"]},
                    ],
                },
                {"name": "r2 {{ 1 }}", "tags": {"n": 5, "yes": True}, "interfaces": [{"addresses": ["10.9.0.2"]}]},
            ],
        },
    )
    site.fleet(
        {
            "rack": {"provider": "metal", "sources": [{"kind": "file", "path": "racks/r.yml"}]},
            "amazon": aws(amazon, login_user="ops", ssh_port=2222, bastion={"host": "192.0.2.9", "user": "jump"}),
        }
    )
    done = site.list().clean()
    hosts = done.hosts()
    assert len(hosts) == 3 and sum(name.startswith("r1") for name in hosts) == 2 and "r1" in done.err
    by_cloud = {(one["fleet_cloud"], one["fleet_public_ip"]): one for one in hosts.values()}
    assert (
        by_cloud["rack", "198.51.100.21"]["ansible_user"] == "root"
        and by_cloud["rack", "198.51.100.21"]["fleet_private_ipv6"] == "fd00::1"
    )
    jumped = by_cloud["amazon", "198.51.100.10"]
    assert (jumped["ansible_user"], jumped["ansible_port"]) == (
        "ops",
        2222,
    ) and "ProxyJump=jump@192.0.2.9:22" in jumped["ansible_ssh_common_args"]


class Redfish(World):
    """A service with one system and one account."""

    def answer(self, request: Request) -> Reply:
        if request.headers.get("Authorization") != "Basic b3BzOlBhc3N3MHJkLWJtYw==":  # ops:Passw0rd-bmc
            return Reply(401, {"error": {"message": "no"}})
        path = request.path.rstrip("/")
        answers: dict[str, Any] = {
            "/v1": {"Systems": {"@odata.id": "/redfish/v1/Systems"}},
            "/v1/Systems": {"Members": [{"@odata.id": "/redfish/v1/Systems/1"}]},
            "/v1/Systems/1": {"Id": "1", "UUID": "u-1", "Name": "node", "HostName": "bm1", "PowerState": "On"},
        }
        return Reply(200, answers[path]) if path in answers else Reply(404, {})


def test_redfish_refused_and_right(clouds: Server, site: Site) -> None:
    clouds.add("redfish", Redfish())  # Redfish has its path at the root of a host
    source = {
        "kind": "redfish",
        "baseuri": clouds.url,
        "username": "ops",
        "password": "{{ lookup('ansible.builtin.env', 'BMC') }}",
    }
    site.fleet({"rack": {"provider": "metal", "sources": [source]}})
    assert [one["fleet_id"] for one in site.list(BMC="Passw0rd-bmc").clean().hosts().values()] == ["u-1"]
    site.list("-vvv", BMC="Passw0rd-wrong").refused("cloud 'rack'", "401", "password")
