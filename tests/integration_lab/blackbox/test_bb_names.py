# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names of machines that mean something to Ansible or to ssh, and a port that means nothing."""
from __future__ import annotations

import bb_gce
import bb_openstack
from bb_site import Site, gce, openstack
from bb_wire import Server


def test_names_that_mean_something_to_ansible(clouds: Server, site: Site) -> None:
    names = [
        "localhost",
        "127.0.0.1",
        "all",
        "ungrouped",
        "fleet",
        "web[1:3]",
        "a,b",
        "-oProxyCommand=x",
        "../../x",
        "~web.*",
        "!web",
        "&web",
        "@file",
        "host:22",
        "a b",
        "",
        "{{ 1 }}",
        "WEB",
        "web",
        "\u0000nul",
        "::1",
        "implicit_localhost",
    ]
    stack = clouds.add(
        "os",
        bb_openstack.OpenStack(
            {
                "R": [
                    bb_openstack.server(
                        name,
                        {"net": [f"10.0.0.{number}"]},
                        id=f"{number:08x}-0000-4000-8000-{number:012x}",
                        metadata={"role": "web"},
                    )
                    for number, name in enumerate(names, start=1)
                ]
            },
            page=100,
        ),
    )
    site.clouds_yaml({"any": {"url": stack.url}})
    site.fleet(
        {"stack": openstack("any")},
        keyed_groups=[{"key": "fleet_tags.role", "prefix": "t"}],
        groups={"composed": True},
    )
    done = site.list().clean()
    data = done.listing()
    hosts = data["_meta"]["hostvars"]
    assert sorted(one["fleet_id"][:8] for one in hosts.values()) == [
        f"{number:08x}" for number in range(1, len(names) + 1)
    ]
    assert not {"localhost", "127.0.0.1", "::1", "all", "ungrouped", "fleet"} & set(hosts)
    assert all(set("[],{}!&~/ ").isdisjoint(name) and not name.startswith("-") for name in hosts), list(hosts)
    assert (
        set(data["provider_openstack"]["hosts"])
        == set(hosts)
        == set(data["t_web"]["hosts"])
        == set(data["composed"]["hosts"])
    )
    done = site.run(
        "ansible", "-i", "fleet.yml", "fleet", "-m", "ansible.builtin.debug", "-a", "msg={{ fleet_name }}"
    ).clean()
    assert done.status == 0 and done.out.count("SUCCESS") == len(names), done.all[-3000:]


def test_no_name_becomes_an_option_of_ssh(clouds: Server, site: Site) -> None:
    mark = site.folder / "pwned"
    for name in ("ssh", "sftp", "scp"):
        fake = site.write(
            f"bin/{name}",
            f'#!/bin/sh\nfor word in "$@"; do printf \'%s\\n\' "$word" >> {site.folder}/argv; done\nexit 255\n',
        )
        fake.chmod(0o755)
    names = [f"-oProxyCommand=touch {mark}", "-F/etc/passwd", "$(touch x)"]
    stack = clouds.add(
        "os",
        bb_openstack.OpenStack(
            {
                "R": [
                    bb_openstack.server(
                        name, {}, metadata={"ssh_user": f"-oProxyCommand=touch {mark}", "alias": name}
                    )
                    for name in names
                ]
            }
        ),
    )
    site.clouds_yaml({"any": {"url": stack.url}})
    for settings in ({"connect_to": ["name"]}, {"hostnames": ["tag:alias"]}):
        site.fleet({"stack": openstack("any")}, **settings)
        site.run(
            "ansible",
            "-i",
            "fleet.yml",
            "all",
            "-m",
            "ansible.builtin.raw",
            "-a",
            "true",
            "--ssh-common-args=-oBatchMode=yes",
            ANSIBLE_SSH_EXECUTABLE=str(site.folder / "bin" / "ssh"),
            ANSIBLE_SSH_RETRIES="0",
            ANSIBLE_SSH_CONTROL_PATH_DIR=str(site.folder / "cp"),
        ).clean()
        words = (site.folder / "argv").read_text(encoding="utf-8").splitlines()
        assert words, "ssh was called"
        bad = [word for word in words if word.startswith(("-oProxyCommand", "-F"))]
        assert not bad, (settings, bad)
        (site.folder / "argv").unlink()


def test_names_of_groups(clouds: Server, site: Site) -> None:
    names = [
        "provider_openstack",
        "state_running",
        "cloud_stack",
        "region_R",
        "network_role_private",
        "tag_role_web",
        "t_web",
        "composed",
        "web",
    ]
    stack = clouds.add(
        "os",
        bb_openstack.OpenStack(
            {"R": [bb_openstack.server(name, {"int": ["10.0.0.1"]}, metadata={"role": "web"}) for name in names]}
        ),
    )
    site.clouds_yaml({"any": {"url": stack.url}})
    site.fleet(
        {"stack": openstack("any")},
        keyed_groups=[{"key": "fleet_tags.role", "prefix": "t"}],
        groups={"composed": True},
        tag_groups=["role"],
    )
    data = site.list().clean().listing()
    hosts = data["_meta"]["hostvars"]
    assert sorted(one["fleet_name"] for one in hosts.values()) == sorted(names)
    for group in ("fleet", "provider_openstack", "state_running", "t_web", "composed", "tag_role_web"):
        assert set(data[group]["hosts"]) == set(hosts), group


def test_an_absurd_port(clouds: Server, site: Site) -> None:
    site.google_token()
    google = clouds.add(
        "gce",
        bb_gce.Gce(
            {
                "acme": [
                    bb_gce.instance("g", 1, metadata={"ssh_port": "9" * 5000}),
                    bb_gce.instance("h", 2, metadata={"ssh_port": "2222"}),
                ]
            }
        ),
    )
    site.fleet({"google": gce(google)})
    hosts = site.list().clean().hosts()
    assert (hosts["g"]["ansible_port"], hosts["h"]["ansible_port"]) == (22, 2222)
