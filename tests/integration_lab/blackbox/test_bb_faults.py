# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A cloud that misbehaves is retried or reported, never shown with fewer machines in silence."""

from __future__ import annotations

import copy
from typing import Any

import bb_ec2
import bb_gce
import bb_openstack
import bb_trouble
import pytest
from bb_site import Site, aws, gce, openstack, service_account
from bb_wire import Fault, Reply, Request, Server

TROUBLES = {"aws": bb_trouble.EC2, "gce": bb_trouble.GCE, "openstack": bb_trouble.OPENSTACK}
SCOPES = {"aws": "us-east-1", "gce": "acme", "openstack": "R"}


def build(clouds: Server, site: Site, kind: str, faults: dict[str, Fault | None]) -> dict[str, Any]:
    """One cloud of that kind for each name, in that trouble; entries of the fleet file."""
    site.aws_keys()
    site.google_token()
    entries, known = {}, {}
    for name, fault in faults.items():
        world = clouds.add(f"{kind}-{name}", bb_trouble.world(kind, name))
        world.faults = [fault] if fault else []
        known[name] = {"url": world.url}
        entries[f"{kind}-{name}"] = openstack(name) if kind == "openstack" else {"aws": aws, "gce": gce}[kind](world)
    if kind == "openstack":
        site.clouds_yaml(known)
    return entries


@pytest.mark.parametrize("kind", TROUBLES)
def test_lasting_trouble_is_told_and_the_others_are_shown(clouds: Server, site: Site, kind: str) -> None:
    troubles = TROUBLES[kind]
    faults: dict[str, Fault | None] = {name: copy.copy(fault) for name, (fault, _word) in troubles.items()}
    entries = build(clouds, site, kind, {**faults, "good": None})
    site.fleet(entries, on_cloud_failure="warn", retries=1, timeout=25)
    done = site.list("-vvv").clean()
    assert sorted(done.hosts()) == [f"good-{number}" for number in range(1, 6)]
    lines = " ".join(done.err.split()).split("[WARNING]: ")
    silent = []
    for name, (_fault, word) in troubles.items():
        told = [line for line in lines if line.startswith(f"fleet.yml: cloud '{kind}-{name}'")]
        scope = SCOPES[kind] if name not in ("keystone", "notoken") else name
        if not any(word in line and scope in line and "missing from this inventory" in line for line in told):
            silent.append((name, word, told))
    assert not silent, silent
    assert done.seconds < 60


@pytest.mark.parametrize("kind", TROUBLES)
def test_passing_trouble_is_retried(clouds: Server, site: Site, kind: str) -> None:
    passing = (
        "json503",
        "html503",
        "noitems",
        "reset",
        "cut",
        "throttled",
        "portal",
        "unavailable",
        "page2",
        "unreachable",
        "keystone",
        "version",
    )
    faults: dict[str, Fault | None] = {}
    for name, (fault, _word) in TROUBLES[kind].items():
        if name in passing and (kind, name) != ("gce", "page2"):
            faults[name] = copy.copy(fault)
            faults[name].times = 1
            if fault.reply and fault.reply.status in (429, 503):
                faults[name].reply = Reply(
                    fault.reply.status, fault.reply.body, {**fault.reply.headers, "Retry-After": "1"}
                )
    site.fleet(build(clouds, site, kind, faults), retries=3, timeout=40)
    done = site.list().clean()
    assert sorted(done.hosts()) == sorted(f"{name}-{number}" for name in faults for number in range(1, 6))


def test_failure_ends_the_command_within_its_time(clouds: Server, site: Site) -> None:
    entries = {
        kind: build(clouds, site, kind, {"hang": fault})[f"{kind}-hang"]
        for kind, fault in {
            "aws": Fault("DescribeInstances", how="hang", seconds=60),
            "gce": Fault("aggregated", how="hang", seconds=60),
            "openstack": Fault("servers/detail", how="hang", seconds=60),
        }.items()
    }
    site.fleet(entries, timeout=4)
    done = site.list()
    text = done.refused(
        "cloud 'aws' (us-east-1)", "cloud 'gce' (acme)", "cloud 'openstack' (R)", "on_cloud_failure: warn"
    )
    assert text.count("no complete answer within 4 s") + text.count("in time") >= 3
    assert done.seconds < 4 + 16  # starting Ansible takes some of it on a busy machine


def test_asked_to_wait_longer_than_there_is_time(clouds: Server, site: Site) -> None:
    fault = Fault(
        "aggregated", reply=Reply(429, {"error": {"code": 429, "message": "later"}}, {"Retry-After": "3600"})
    )
    site.fleet(build(clouds, site, "gce", {"later": fault}), timeout=10)
    done = site.list()
    done.refused("gce-later", "acme", "later", "timeout")
    assert done.seconds < 10 + 10 and clouds.worlds["gce-later"].count("aggregated") == 1


def test_expired_token_is_renewed_once(clouds: Server, site: Site) -> None:
    once = {
        "openstack": Fault(
            "servers/detail", Reply(401, {"error": {"code": 401, "message": "expired"}}), times=1, after=1
        )
    }
    entries = build(clouds, site, "openstack", {"renewed": once["openstack"]})
    google = clouds.add(
        "google", bb_gce.Gce({"acme": [bb_gce.instance(f"g{number}", number) for number in range(1, 6)]})
    )
    google.gives = ["adv-token-old", "adv-token-1"]
    service_account(site, google.url + "/token")
    del site.env["GOOGLE_OAUTH_ACCESS_TOKEN"]
    site.fleet({**entries, "google": gce(google, credentials_file="sa.json")})
    hosts = site.list().clean().hosts()
    assert sorted(hosts) == [f"g{n}" for n in range(1, 6)] + [f"renewed-{n}" for n in range(1, 6)]
    assert google.count("POST /token") == 2


def test_stale_answers_are_marked_and_only_the_failed_part_is_stale(clouds: Server, site: Site) -> None:
    entries = build(clouds, site, "aws", {"one": None}) | build(clouds, site, "gce", {"two": None})
    amazon = clouds.worlds["aws-one"]
    amazon.machines[""]["eu-west-1"] = [bb_ec2.instance("euro", 9, zone="eu-west-1a")]
    entries["aws-one"]["regions"] = ["us-east-1", "eu-west-1"]
    site.fleet(entries, on_cloud_failure="stale", retries=0)
    assert not any(one["fleet_stale"] for one in site.list().clean().hosts().values())
    amazon.faults = [Fault("DescribeInstances eu-west-1", bb_trouble.BUSY_HTML)]
    clouds.worlds["gce-two"].faults = [Fault("aggregated", bb_gce.error(403, "no", "forbidden"))]
    amazon.machines[""]["us-east-1"].pop()
    done = site.list().clean()
    hosts = done.hosts()
    assert sorted(name for name, one in hosts.items() if one["fleet_stale"]) == [
        "euro",
        *(f"two-{n}" for n in range(1, 6)),
    ]
    assert sorted(name for name, one in hosts.items() if not one["fleet_stale"]) == [f"one-{n}" for n in range(1, 5)]
    assert "eu-west-1" in done.err and "acme" in done.err
    for kept in (site.home / ".ansible" / "hybridops.fleet").iterdir():
        assert kept.stat().st_mode & 0o777 == 0o600
    site.env["AWS_ACCESS_KEY_ID"] = "AKIAANOTHERACCOUNT01"
    site.list().refused("aws-one", "eu-west-1", "no earlier good answer")


def test_what_a_server_echoes_is_not_shown(clouds: Server, site: Site) -> None:
    """Debug pages of proxies and services quote the request's headers."""

    class Echo(bb_openstack.OpenStack):
        def answer(self, request: Request) -> Reply:
            if "servers" in request.path:
                return Reply(
                    400,
                    {
                        "badRequest": {
                            "code": 400,
                            "message": f"bad header X-Auth-Token: {request.headers['X-Auth-Token']}",
                        }
                    },
                )
            return super().answer(request)

    site.google_token()
    site.clouds_yaml({"any": {"url": clouds.add("echo", Echo({"R": []})).url}})
    google = clouds.add("gce", bb_gce.Gce({"acme": []}))
    google.faults = [Fault("aggregated", bb_gce.error(403, "refused for adv-token-1", "forbidden"))]
    site.fleet({"stack": openstack("any"), "google": gce(google)}, retries=0)
    site.list("-vvv").refused("cloud 'stack' (R)", "cloud 'google' (acme)")


def test_password_in_an_address_is_not_shown(clouds: Server, site: Site) -> None:
    site.aws_keys()
    site.fleet(
        {
            "rack": {
                "provider": "metal",
                "sources": [{"kind": "redfish", "baseuri": clouds.url.replace("://", "://ops:Passw0rd-bmc@")}],
            },
            "amazon": {
                "provider": "aws",
                "regions": ["us-east-1"],
                "endpoint_url": clouds.url.replace("://", "://ops:Passw0rd-aws@"),
            },
        },
        retries=0,
    )
    site.list("-vvv").refused("rack")


def test_region_that_is_not_enabled(clouds: Server, site: Site) -> None:
    entries = build(clouds, site, "aws", {"closed": None})
    entries["aws-closed"]["regions"] = ["us-east-1", "ap-east-1"]
    site.fleet(entries)
    site.list().refused("aws-closed", "ap-east-1", "not enabled", "'regions'")


def test_role_that_may_not_be_assumed(clouds: Server, site: Site) -> None:
    entries = build(
        clouds,
        site,
        "aws",
        {"role": Fault("sts", bb_ec2.error("AccessDenied", "not authorized to perform: sts:AssumeRole", 403))},
    )
    entries["aws-role"]["assume_role"] = {
        "arn": "arn:aws:iam::444455556666:role/reader",
        "external_id": "ext-id-s3cr3t",
    }
    site.fleet(entries)
    site.list("-vvv").refused("aws-role", "arn:aws:iam::444455556666:role/reader", "external_id")
