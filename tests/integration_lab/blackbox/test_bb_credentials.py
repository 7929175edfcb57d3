# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whose credentials are used, what the cache keeps of them, and what an operator reads when they are missing."""

from __future__ import annotations

import json
from typing import Any

import bb_ec2
import bb_gce
import bb_openstack
from bb_site import SECRETS, Site, aws, gce, openstack, service_account
from bb_wire import HTML, Fault, Reply, Server

AWAY = Fault("", Reply(503, HTML))


def cached(site: Site) -> dict[str, Any]:
    return {
        "cache": True,
        "cache_plugin": "ansible.builtin.jsonfile",
        "cache_connection": str(site.folder / "cache"),
        "retries": 0,
    }


def test_switching_credentials_misses_the_cache_and_the_same_ones_hit_it(clouds: Server, site: Site) -> None:
    amazon = clouds.add("aws", bb_ec2.Ec2())
    for key, name in (("AKIAPROFILEAAAAAAAA1", "in-a"), ("AKIAPROFILEBBBBBBBB1", "in-b")):
        amazon.machines[key] = {"us-east-1": [bb_ec2.instance(name, 1, userData="SECRET-USER-DATA")]}
    site.write(
        "home/.aws/credentials",
        "".join(
            f"[{profile}]\naws_access_key_id = {key}\naws_secret_access_key = s3cr3t-aws-key\n"
            for profile, key in (("a", "AKIAPROFILEAAAAAAAA1"), ("b", "AKIAPROFILEBBBBBBBB1"))
        ),
    )
    first = clouds.add(
        "os-a",
        bb_openstack.OpenStack(
            {"R": [bb_openstack.server("os-a", {"net": ["10.0.0.1"]}, user_data="SECRET-USER-DATA")]}
        ),
    )
    second = clouds.add("os-b", bb_openstack.OpenStack({"R": [bb_openstack.server("os-b", {"net": ["10.0.0.1"]})]}))
    site.clouds_yaml({"a": {"url": first.url}, "b": {"url": second.url}})
    google = clouds.add(
        "gce",
        bb_gce.Gce(
            {
                project: [bb_gce.instance(project, 1, project=project, metadata={"user-data": "SECRET-USER-DATA"})]
                for project in ("gce-a", "gce-b")
            }
        ),
    )
    site.google_token()
    site.fleet(
        {
            "amazon": aws(amazon),
            "stack": {"provider": "openstack"},
            "google": {"provider": "gce", "endpoint": google.url},
        },
        hostvars_extra=["UserData", "userData", "user_data", "metadata", "OS-EXT-SRV-ATTR:user_data"],
        **cached(site),
    )

    def seen(profile: str, cloud: str, project: str) -> set[str]:
        done = site.list(AWS_PROFILE=profile, OS_CLOUD=cloud, GOOGLE_CLOUD_PROJECT=project).clean()
        assert "SECRET-USER-DATA" not in done.all
        return set(done.hosts())

    assert seen("a", "a", "gce-a") == {"in-a", "os-a", "gce-a"}
    assert seen("b", "a", "gce-a") == {"in-b", "os-a", "gce-a"}
    assert seen("a", "b", "gce-a") == {"in-a", "os-b", "gce-a"}
    assert seen("a", "a", "gce-b") == {"in-a", "os-a", "gce-b"}
    for world in clouds.worlds.values():
        world.faults = [AWAY]
        world.asked.clear()
    assert seen("b", "a", "gce-a") == {"in-b", "os-a", "gce-a"}
    assert not any(world.asked for world in clouds.worlds.values()), "a hit asks no API"
    files = [path for path in (site.folder / "cache").rglob("*") if path.is_file()]
    assert len(files) == 4
    for path in files:
        assert path.stat().st_mode & 0o777 == 0o600, oct(path.stat().st_mode)
        text = path.read_text(encoding="utf-8")
        assert not [secret for secret in (*SECRETS, "SECRET-USER-DATA") if secret in text + path.name]
    site.write(
        "home/.aws/credentials",
        "[b]\naws_access_key_id = AKIACHANGED000000001\naws_secret_access_key = s3cr3t-aws-key\n",
    )
    site.list(AWS_PROFILE="b", OS_CLOUD="a", GOOGLE_CLOUD_PROJECT="gce-a").refused("amazon", "503")


def test_incomplete_answers_are_not_cached_and_flush_asks_again(clouds: Server, site: Site) -> None:
    site.aws_keys()
    amazon = clouds.add(
        "aws", bb_ec2.Ec2({"us-east-1": [bb_ec2.instance("one", 1)], "eu-west-1": [bb_ec2.instance("two", 2)]})
    )
    amazon.faults = [Fault("DescribeInstances eu-west-1", Reply(503, HTML), times=1)]
    site.fleet({"amazon": aws(amazon, regions=["us-east-1", "eu-west-1"])}, on_cloud_failure="warn", **cached(site))
    assert set(site.list().clean().hosts()) == {"one"}
    assert set(site.list().clean().hosts()) == {"one", "two"}
    amazon.machines[""]["us-east-1"].append(bb_ec2.instance("three", 3))
    assert set(site.list().clean().hosts()) == {"one", "two"}
    site.write("play.yml", "[{hosts: all, gather_facts: false}]\n")
    assert site.run("ansible-playbook", "-i", "fleet.yml", "--list-hosts", "--flush-cache", "play.yml").clean().status == 0
    assert set(site.list().clean().hosts()) == {"one", "two", "three"}


def rack(site: Site, name: str) -> None:
    site.write("rack.yml", {"nodes": [{"name": name, "interfaces": [{"addresses": ["10.9.0.1"]}]}]})
    site.fleet({"rack": {"provider": "metal", "sources": [{"kind": "file", "path": "rack.yml"}]}}, **cached(site))


def test_an_edited_rack_file_misses_the_cache(site: Site) -> None:
    for name in ("r1", "r2"):
        rack(site, name)
        assert set(site.list().clean().hosts()) == {name}


def test_a_cache_that_something_else_wrote(site: Site) -> None:
    rack(site, "r1")
    assert set(site.list().clean().hosts()) == {"r1"}
    for path in (site.folder / "cache").rglob("*"):
        path.write_text('[{"from": "another program"}]', encoding="utf-8")
    done = site.list().clean()
    assert done.status != 0 or set(done.hosts()) == {"r1"}, f"exit status 0 and no hosts: {done.err[-2000:]}"


def test_missing_libraries_are_named_with_the_mend(clouds: Server, site: Site) -> None:
    site.aws_keys()
    site.google_token()
    for package in ("botocore", "boto3", "openstack", "keystoneauth1"):
        site.write(
            f"shim/{package}/__init__.py",
            f"raise ModuleNotFoundError(\"No module named '{package}'\", name='{package}')\n",
        )
    site.write("shim/google/__init__.py", "")
    site.clouds_yaml({"any": {"url": clouds.url}})
    site.fleet(
        {
            "amazon": {"provider": "aws", "regions": ["us-east-1"]},
            "google": {"provider": "gce", "projects": ["acme"]},
            "stack": openstack("any"),
            "ironic": {"provider": "metal", "sources": [{"kind": "ironic", "cloud": "any"}]},
        }
    )
    site.list(PYTHONPATH=str(site.folder / "shim")).refused(
        "cloud 'amazon'",
        "boto3",
        "cloud 'google'",
        "google-auth",
        "cloud 'stack'",
        "cloud 'ironic' (ironic any)",
        "openstacksdk",
        "pip install",
    )


def test_missing_credentials_are_named_with_the_mend(site: Site) -> None:
    site.fleet(
        {
            "amazon": {"provider": "aws", "regions": ["us-east-1"]},
            "google": {"provider": "gce", "projects": ["acme"]},
            "stack": {"provider": "openstack"},
            "profile": {"provider": "aws", "profile": "nobody"},
            "named": openstack("nobody"),
            "file": {"provider": "gce", "projects": ["acme"], "credentials_file": "gone.json"},
        }
    )
    text = site.list().refused(
        "cloud 'amazon'",
        "AWS_ACCESS_KEY_ID",
        "cloud 'google'",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "cloud 'stack'",
        "OS_CLIENT_CONFIG_FILE",
        "cloud 'profile'",
        "nobody",
        "cloud 'named'",
        "cloud 'file'",
        "gone.json",
    )
    assert text.count("find") >= 5


def test_which_cloud_of_clouds_yaml_is_meant(clouds: Server, site: Site) -> None:
    worlds = {
        name: clouds.add(name, bb_openstack.OpenStack({"R": [bb_openstack.server(name, {"net": ["10.0.0.1"]})]}))
        for name in ("one", "two")
    }
    site.fleet({"stack": {"provider": "openstack"}})
    site.clouds_yaml({"one": {"url": worlds["one"].url}})
    assert set(site.list().clean().hosts()) == {"one"}
    assert set(
        site.list(
            OS_AUTH_URL=worlds["two"].url + "/identity/v3",
            OS_USERNAME="ops",
            OS_PASSWORD="Passw0rd-env",
            OS_PROJECT_NAME="acme",
            OS_USER_DOMAIN_NAME="Default",
            OS_PROJECT_DOMAIN_NAME="Default",
        )
        .clean()
        .hosts()
    ) == {"two"}
    site.clouds_yaml({name: {"url": world.url} for name, world in worlds.items()})
    site.list().refused("cloud 'stack'", "several clouds", "one", "two", "OS_CLOUD")
    site.clouds_yaml({"one": {"url": worlds["one"].url, "password": "wrong-Passw0rd"}})
    text = site.list("-vvv").refused("cloud 'stack'", "401", "clouds.yaml")
    assert "cloud 'one'" in text


def test_kinds_of_google_credentials(clouds: Server, site: Site) -> None:
    google = clouds.add("gce", bb_gce.Gce({"acme": [bb_gce.instance("g", 1)]}))
    service_account(site, google.url + "/token")
    site.write("subject", "adv-token-subject")
    external = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": google.url + "/token",
        "credential_source": {"file": str(site.folder / "subject")},
    }
    site.write("federation.json", json.dumps(external))
    site.write(
        "workforce.json",
        json.dumps(
            {
                "type": "external_account_authorized_user",
                "audience": "//iam.googleapis.com/locations/global/workforcePools/p/providers/q",
                "refresh_token": "adv-token-refresh",
                "client_id": "i",
                "client_secret": "adv-token-c",
                "token_url": google.url + "/token",
                "token_info_url": google.url + "/info",
            }
        ),
    )
    names = ["sa", "federation", "workforce"]
    site.fleet(
        {name: gce(google, credentials_file=f"{name}.json") for name in names}, on_cloud_failure="warn", retries=0
    )
    done = site.list().clean()
    assert {one["fleet_cloud"] for one in done.hosts().values()} == set(names), done.err[-3000:]
