# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""As AWX calls it: its command line, its variables, its credential types, settings by the environment only."""

from __future__ import annotations

import json

import bb_ec2
import bb_gce
import bb_openstack
from bb_site import Site, aws, gce, service_account
from bb_wire import HTML, Fault, Reply, Server

AWX = {
    "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
    "ANSIBLE_INVENTORY_EXPORT": "True",
    "ANSIBLE_VERBOSE_TO_STDERR": "True",
    "ANSIBLE_HOST_PATTERN_MISMATCH": "error",
    "INVENTORY_SOURCE_ID": "7",
    "INVENTORY_UPDATE_ID": "42",
}


def test_managed_credentials_and_plain_strings(clouds: Server, site: Site) -> None:
    amazon = clouds.add(
        "aws", bb_ec2.Ec2({"us-east-1": [bb_ec2.instance("a", 1, tags={"env": "prod", "odd": "{{ 1 }}"})]})
    )
    google = clouds.add("gce", bb_gce.Gce({"acme": [bb_gce.instance("g", 1, labels={"env": "prod"})]}))
    stack = clouds.add(
        "os",
        bb_openstack.OpenStack({"R": [bb_openstack.server("o", {"net": ["10.0.0.1"]}, metadata={"env": "prod"})]}),
    )
    key = service_account(site, google.url + "/token", "private/gce.json")
    given = site.write(
        "private/tmpx",
        {
            "clouds": {
                "devstack": {
                    "auth": {
                        "auth_url": stack.url + "/identity/v3",
                        "username": "ops",
                        "password": "Passw0rd-awx",
                        "project_name": "acme",
                        "project_domain_name": "Default",
                        "user_domain_name": "Default",
                    },
                    "verify": False,
                }
            }
        },
    )
    site.fleet(
        {
            "amazon": aws(amazon),
            "google": {"provider": "gce", "endpoint": google.url},
            "stack": {"provider": "openstack"},
        },
        "project/inventory/fleet.yml",
        compose={
            "where": "fleet_cloud ~ '-' ~ fleet_state",
            "is_prod": "fleet_tags.env == 'prod'",
            "n": "fleet_tags | length",
        },
    )
    env = {
        **AWX,
        "AWS_ACCESS_KEY_ID": "AKIAAWX0000000000001",
        "AWS_SECRET_ACCESS_KEY": "s3cr3t-aws-key",
        "OS_CLIENT_CONFIG_FILE": str(given),
        "GCE_CREDENTIALS_FILE_PATH": str(key),
        "GCP_SERVICE_ACCOUNT_FILE": str(key),
        "GOOGLE_APPLICATION_CREDENTIALS": str(key),
        "GCP_AUTH_KIND": "serviceaccount",
        "GCP_PROJECT": "acme",
        "GCP_ENV_TYPE": "tower",
    }
    done = site.run(
        "ansible-inventory",
        "--list",
        "--export",
        "-i",
        "project/inventory/fleet.yml",
        "--output",
        "output.json",
        "--playbook-dir",
        "project/inventory",
        "-v",
        **env,
    ).clean()
    assert done.status == 0, done.all
    hosts = json.loads((site.folder / "output.json").read_text(encoding="utf-8"))["_meta"]["hostvars"]
    assert set(hosts) == {"a", "g", "o"}
    for name, one in hosts.items():
        assert (
            one["fleet_tags"]["env"] == "prod"
            and one["where"] == f"{one['fleet_cloud']}-running"
            and one["is_prod"] is True
        ), name
        odd = json.dumps({key: value for key, value in one.items() if key != "fleet_tags"})
        assert "__ansible_unsafe" not in odd and "__ansible_type" not in odd, odd
    assert hosts["a"]["n"] in (3, "3")  # ansible-core before 2.19 makes text of numbers
    amazon.faults = [Fault("DescribeInstances", Reply(503, HTML))]
    done = site.run(
        "ansible-inventory",
        "--list",
        "--export",
        "-i",
        "project/inventory/fleet.yml",
        "--output",
        "second.json",
        "--playbook-dir",
        "project/inventory",
        **env,
        HYBRIDOPS_FLEET_RETRIES="0",
    )
    done.refused("cloud 'amazon' (us-east-1)", "503")
    assert (
        not (site.folder / "second.json").exists()
        or not json.loads((site.folder / "second.json").read_text())["_meta"]["hostvars"]
    )


def test_settings_by_the_environment_only(clouds: Server, site: Site) -> None:
    site.aws_keys()
    site.google_token()
    stopped = {"instanceState": {"code": 80, "name": "stopped"}}
    amazon = clouds.add(
        "aws",
        bb_ec2.Ec2(
            {"us-east-1": [bb_ec2.instance("a", 1, tags={"alias": "alpha"}), bb_ec2.instance("off", 2, **stopped)]}
        ),
    )
    google = clouds.add("gce", bb_gce.Gce({"acme": [bb_gce.instance("g", 1)]}))
    google.faults = [Fault("aggregated", Reply(503, HTML))]
    site.write(
        "fleet.yml", {"plugin": "hybridops.fleet.nodes", "clouds": {"amazon": aws(amazon), "google": gce(google)}}
    )
    env = {
        "HYBRIDOPS_FLEET_CONNECT_TO": "private_ipv4,public_ipv4",
        "HYBRIDOPS_FLEET_HOSTNAMES": "tag:alias, name",
        "HYBRIDOPS_FLEET_STATES": "running",
        "HYBRIDOPS_FLEET_ON_CLOUD_FAILURE": "warn",
        "HYBRIDOPS_FLEET_TAG_GROUPS": "alias",
        "HYBRIDOPS_FLEET_TIMEOUT": "10",
        "HYBRIDOPS_FLEET_RETRIES": "0",
        "HYBRIDOPS_FLEET_WORKERS": "2",
        "HYBRIDOPS_FLEET_IP_FAMILY": "ipv4",
        "HYBRIDOPS_FLEET_HOSTVARS_EXTRA": "ImageId",
    }
    done = site.list(**env).clean()
    assert {name: one["ansible_host"] for name, one in done.hosts().items()} == {"alpha": "172.31.0.1"}
    assert done.listing()["tag_alias_alpha"]["hosts"] == ["alpha"] and done.hosts()["alpha"]["fleet_extra"] == {
        "ImageId": "ami-0deb12"
    }
    assert google.count("aggregated") == 1 and "cloud 'google' (acme)" in done.err
    site.list(HYBRIDOPS_FLEET_STATES="runing").refused("runing", "states")
    site.list(HYBRIDOPS_FLEET_TIMEOUT="soon").refused("timeout", "HYBRIDOPS_FLEET_TIMEOUT")
