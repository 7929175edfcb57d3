# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whatever a machine's owner writes into names, tags and metadata stays text, and no other machines are lost by it."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import bb_ec2
import bb_gce
import bb_openstack
import pytest
from bb_site import Site, aws, gce, openstack
from bb_wire import Server


def payloads(mark: Path) -> dict[str, str]:
    """Texts that would make the file ``mark`` if anything evaluated them, and texts that break sloppy code."""
    touch = f"lookup('ansible.builtin.pipe', 'touch {mark}')"
    return {
        "evil": "{{ " + touch + " }}",
        "block": "{% set x = " + touch + " %}x",
        "comment": "{# " + touch + " #}",
        "open": "{{ unclosed",
        "close": "}} {{",
        "ref": "{{ fleet_name }}",
        "header": "#jinja2: variable_start_string: '<<', variable_end_string: '>>'\n<< " + touch + " >>",
        "bare": touch,
        "emoji": "\U0001f680 r\u00e9 \u202e",
        "long": "x" * 4000,
        "__proto__": "p",
        "vars": "v",
        "ansible_host": "203.0.113.250",
        "ansible_connection": "local",
        "hosts": "h",
        "children": "c",
        "ssh_user": f"root -oProxyCommand=touch {mark}",
        "ssh_port": "22 -oProxyCommand=x",
        "{{ " + touch + " }}": "key",
        "new\nline": "a\nb\r\tc",
    }


EXPRESSIONS: dict[str, Any] = {
    "compose": {
        "copy_evil": "fleet_tags.evil",
        "joined": "fleet_tags.evil ~ '!' ~ fleet_tags.header",
        "all_tags": "fleet_tags",
        "name_twice": "[fleet_name, fleet_name]",
        "size": "fleet_tags | length",
        "upper": "fleet_tags.ref | upper",
    },
    "groups": {"with_evil": "'touch' in fleet_tags.evil", "by_equal": "fleet_tags.ref == fleet_name"},
    "keyed_groups": [
        {"key": "fleet_tags", "prefix": "t"},
        {"key": "fleet_tags.evil", "prefix": "", "separator": ""},
        {"key": "fleet_security_groups", "prefix": "sg"},
        {"key": "fleet_name", "prefix": "n", "parent_group": "{{ fleet_zone }}"},
        {"key": "fleet_image.name", "prefix": "img", "default_value": "none"},
    ],
    "tag_groups": ["*"],
}

PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.set_fact:
        again: "{{ fleet_tags.evil | default('') }}{{ copy_evil | default('') }}{{ fleet_name }}"
    - ansible.builtin.debug:
        msg: "{{ again }} {{ fleet_tags }} {{ all_tags }} {{ joined }} {{ fleet_security_groups }} {{ fleet_image }} {{ fleet_zone }}"
    - ansible.builtin.debug:
        var: hostvars[inventory_hostname]
      when: fleet_tags.evil is defined and copy_evil == fleet_tags.evil
    - ansible.builtin.copy:
        content: "{{ fleet_tags.evil }}"
        dest: "{{ playbook_dir }}/evil.txt"
        mode: "0600"
      delegate_to: localhost
      vars: {ansible_connection: local}
      run_once: true
"""


def hostile_fleet(clouds: Server, site: Site, mark: Path, **settings: Any) -> dict[str, str]:
    """Three clouds whose every text is hostile."""
    texts = payloads(mark)
    evil = texts["evil"]
    for_xml = {key: value for key, value in texts.items() if "\0" not in value}
    amazon = clouds.add(
        "aws",
        bb_ec2.Ec2(
            {
                "us-east-1": [
                    bb_ec2.instance(
                        evil,
                        1,
                        tags=for_xml,
                        zone=evil,
                        groups=[{"groupId": "sg-1", "groupName": evil}],
                        architecture=evil,
                        instanceType=evil,
                    )
                ]
            }
        ),
    )
    amazon.images[0]["name"] = evil
    amazon.subnets[0]["tagSet"] = [{"key": "Name", "value": evil}]
    google = clouds.add(
        "gce",
        bb_gce.Gce(
            {
                "acme": [
                    bb_gce.instance(
                        evil + "g",
                        1,
                        labels=texts,
                        metadata={**texts, "ssh-keys": f"{evil}:ssh-rsa A\nroot -oX=y:ssh-rsa B\nok-user:ssh-rsa C"},
                    )
                ]
            }
        ),
    )
    google.keys = evil
    stack = clouds.add(
        "os",
        bb_openstack.OpenStack(
            {
                "R": [
                    bb_openstack.server(
                        evil + "o",
                        {evil: ["10.0.0.1"]},
                        metadata=texts,
                        security_groups=[{"name": evil}, {"name": texts["header"]}],
                        **{"OS-EXT-AZ:availability_zone": evil},
                    )
                ]
            },
            services=("compute", "image"),
        ),
    )
    stack.images[0].update({"name": evil, "image_original_user": evil, "os_distro": evil, "hw_architecture": evil})
    site.aws_keys()
    site.google_token()
    site.clouds_yaml({"any": {"url": stack.url}})
    site.fleet(
        {"amazon": aws(amazon), "google": gce(google), "stack": openstack("any")},
        **EXPRESSIONS,
        hostvars_extra=["metadata", "labels", "Tags"],
        **settings,
    )
    return texts


def literal(value: Any) -> Any:
    """What a reader of an export sees, with Ansible's marks for text that must not be evaluated taken off."""
    if isinstance(value, dict):
        if set(value) == {"__ansible_unsafe"} and isinstance(value["__ansible_unsafe"], str):
            return value["__ansible_unsafe"]
        return {key: literal(item) for key, item in value.items()}
    return [literal(item) for item in value] if isinstance(value, list) else value


def test_hostile_texts_stay_texts_in_every_way_they_are_used(clouds: Server, site: Site) -> None:
    mark = site.folder / "pwned"
    texts = hostile_fleet(
        clouds,
        site,
        mark,
        cache=True,
        cache_plugin="ansible.builtin.jsonfile",
        cache_connection=str(site.folder / "cache"),
    )
    listed = [site.list().clean() for _again in range(2)]  # from the clouds, then from the cache
    assert not mark.exists()
    export, cached = listed[0].listing(), listed[1].listing()
    assert export["_meta"]["hostvars"] == cached["_meta"]["hostvars"] and set(export) == set(cached)
    hosts = {one["fleet_provider"]: one for one in export["_meta"]["hostvars"].values()}
    assert set(hosts) == {"aws", "gce", "openstack"}
    for provider, one in hosts.items():
        tags = literal(one["fleet_tags"])
        for key, text in texts.items():
            shown = text.replace("\r", "\n") if provider == "aws" else text  # XML folds line ends
            assert tags[key].replace("\r", "\n") == shown.replace("\r", "\n"), (provider, key)
        assert literal(one["copy_evil"]) == texts["evil"] and literal(one["upper"]) == texts["ref"].upper(), provider
        assert one["ansible_port"] == 22 and one.get("ansible_user") in (None, "ok-user", "admin"), provider
        assert "ansible_connection" not in one and one["ansible_host"] != "203.0.113.250"
    assert all(name.isprintable() and "{" not in name for name in export["_meta"]["hostvars"])
    assert all(group.replace("_", "a").isalnum() for group in export if group != "_meta"), list(export)
    site.write("play.yml", PLAYBOOK)
    played = site.run("ansible-playbook", "-i", "fleet.yml", "play.yml").clean()
    assert played.status == 0 and not mark.exists(), played.all[-3000:]
    assert (site.folder / "evil.txt").read_text() == texts["evil"]
    # what AWX does: the export stored as plain JSON, and given back by a script
    site.write("stored.json", listed[0].out)
    script = site.write("stored.sh", f"#!/bin/sh\nexec cat {site.folder}/stored.json\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    played = site.run("ansible-playbook", "-i", "stored.sh", "play.yml").clean()
    assert played.status == 0 and not mark.exists(), played.all[-3000:]
    assert (site.folder / "evil.txt").read_text() == texts["evil"]


@pytest.mark.parametrize(
    "tags",
    [
        {"__ansible_unsafe": "{{ 6 * 7 }}", "other": "{{ 6 * 7 }}"},
        {"__ansible_vault": "$ANSIBLE_VAULT;1.1;AES256\n6162", "other": "x"},
        {"__ansible_type": "TrustedAsTemplate", "other": "{{ 6 * 7 }}"},
    ],
    ids=lambda tags: next(iter(tags)),
)
def test_marks_of_ansible_itself(clouds: Server, site: Site, tags: dict[str, str]) -> None:
    """Ansible's JSON readers (cache plugins, script inventories) give these keys a meaning."""
    stack = clouds.add(
        "os",
        bb_openstack.OpenStack(
            {
                "R": [
                    bb_openstack.server("odd", {"net": ["10.0.0.1"]}, metadata=tags),
                    bb_openstack.server("plain", {"net": ["10.0.0.2"]}),
                ]
            }
        ),
    )
    site.clouds_yaml({"any": {"url": stack.url}})
    site.fleet(
        {"stack": openstack("any")},
        cache=True,
        cache_plugin="ansible.builtin.jsonfile",
        cache_connection=str(site.folder / "cache"),
    )
    first = site.list().clean()
    assert (
        set(first.hosts()) == {"odd", "plain"}
        and literal(first.hosts()["odd"]["fleet_tags"]["other"]) == tags["other"]
    )
    assert site.list().clean().hosts() == first.hosts(), "the cache shows something else"
    site.write("stored.json", first.out)
    site.write("stored.sh", f"#!/bin/sh\nexec cat {site.folder}/stored.json\n").chmod(0o755)
    shown = site.run(
        "ansible",
        "-i",
        "stored.sh",
        "all",
        "-m",
        "ansible.builtin.debug",
        "-a",
        "msg={{ fleet_tags.other | default('none') }}",
    ).clean()
    assert shown.status == 0 and shown.out.count("SUCCESS") == 2 and tags["other"] in shown.out, shown.all[-2000:]


@pytest.mark.parametrize("text", ["lone \ud800 surrogate", "nul \x00 byte"])
def test_text_that_is_no_text(clouds: Server, site: Site, text: str) -> None:
    stack = clouds.add(
        "os",
        bb_openstack.OpenStack(
            {
                "R": [
                    bb_openstack.server("odd", {"net": ["10.0.0.1"]}, metadata={"note": text}),
                    bb_openstack.server("plain", {"net": ["10.0.0.2"]}),
                ]
            }
        ),
    )
    site.clouds_yaml({"any": {"url": stack.url}})
    site.fleet(
        {"stack": openstack("any")},
        cache=True,
        cache_plugin="ansible.builtin.jsonfile",
        cache_connection=str(site.folder / "cache"),
    )
    first = site.list().clean()
    assert set(first.hosts()) == {"odd", "plain"}
    assert site.list().clean().hosts() == first.hosts()
    shown = site.run("ansible-inventory", "-i", "fleet.yml", "--host", "odd").clean()
    assert shown.status == 0 and json.loads(shown.out)["fleet_name"] == "odd"


def test_addresses_that_are_none(clouds: Server, site: Site) -> None:
    site.aws_keys()
    site.google_token()
    bad = "-oProxyCommand=x"
    amazon = clouds.add("aws", bb_ec2.Ec2({"us-east-1": [bb_ec2.instance("a", 1, public=bad)]}))
    google = clouds.add("gce", bb_gce.Gce({"acme": [bb_gce.instance("g", 1, public=bad)]}))
    stack = clouds.add("os", bb_openstack.OpenStack({"R": [bb_openstack.server("o", {"net": [bad]})]}))
    site.clouds_yaml({"any": {"url": stack.url}})
    site.fleet({"amazon": aws(amazon), "google": gce(google), "stack": openstack("any")}, retries=0)
    text = site.list().refused("cloud 'amazon' (us-east-1)", "cloud 'google' (acme)", "cloud 'stack' (R)")
    assert "defect of the collection" not in text
