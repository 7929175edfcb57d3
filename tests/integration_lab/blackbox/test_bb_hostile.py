# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whatever a machine's owner writes into names, tags and metadata stays text, and nobody else's machines are lost by it."""
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
        "open": "{{ unclosed", "close": "}} {{", "ref": "{{ fleet_name }}",
        "header": "#jinja2: variable_start_string: '<<', variable_end_string: '>>'\n<< " + touch + " >>",
        "bare": touch, "emoji": "\U0001f680 r\u00e9 \u202e", "long": "x" * 4000,
        "__proto__": "p", "vars": "v", "ansible_host": "203.0.113.250", "ansible_connection": "local", "hosts": "h", "children": "c",
        "ssh_user": f"root -oProxyCommand=touch {mark}", "ssh_port": "22 -oProxyCommand=x",
        "{{ " + touch + " }}": "key", "new\nline": "a\nb\r\tc",
    }


EXPRESSIONS: dict[str, Any] = {
    "compose": {"copy_evil": "fleet_tags.evil", "joined": "fleet_tags.evil ~ '!' ~ fleet_tags.header", "all_tags": "fleet_tags",
                "name_twice": "[fleet_name, fleet_name]", "size": "fleet_tags | length", "upper": "fleet_tags.ref | upper"},
    "groups": {"with_evil": "'touch' in fleet_tags.evil", "by_equal": "fleet_tags.ref == fleet_name"},
    "keyed_groups": [
        {"key": "fleet_tags", "prefix": "t"}, {"key": "fleet_tags.evil", "prefix": "", "separator": ""}, {"key": "fleet_security_groups", "prefix": "sg"},
        {"key": "fleet_name", "prefix": "n", "parent_group": "{{ fleet_zone }}"}, {"key": "fleet_image.name", "prefix": "img", "default_value": "none"}],
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
    amazon = clouds.add("aws", bb_ec2.Ec2({"us-east-1": [
        bb_ec2.instance(evil, 1, tags=for_xml, zone=evil, groups=[{"groupId": "sg-1", "groupName": evil}], architecture=evil, instanceType=evil)]}))
    amazon.images[0]["name"] = evil
    amazon.subnets[0]["tagSet"] = [{"key": "Name", "value": evil}]
    google = clouds.add("gce", bb_gce.Gce({"acme": [
        bb_gce.instance(evil + "g", 1, labels=texts, metadata={**texts, "ssh-keys": f"{evil}:ssh-rsa A\nroot -oX=y:ssh-rsa B\nok-user:ssh-rsa C"})]}))
    google.keys = evil
    stack = clouds.add("os", bb_openstack.OpenStack({"R": [
        bb_openstack.server(evil + "o", {evil: ["10.0.0.1"]}, metadata=texts, security_groups=[{"name": evil}, {"name": texts["header"]}],
                            **{"OS-EXT-AZ:availability_zone": evil})]}, services=("compute", "image")))
    stack.images[0].update({"name": evil, "image_original_user": evil, "os_distro": evil, "hw_architecture": evil})
    site.aws_keys()
    site.google_token()
    site.clouds_yaml({"any": {"url": stack.url}})
    site.fleet({"amazon": aws(amazon), "google": gce(google), "stack": openstack("any")},
               **EXPRESSIONS, hostvars_extra=["metadata", "labels", "Tags"], **settings)
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
    texts = hostile_fleet(clouds, site, mark, cache=True, cache_plugin="ansible.builtin.jsonfile", cache_connection=str(site.folder / "cache"))
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


@pytest.mark.parametrize("tags", [
    {"__ansible_unsafe": "{{ 6 * 7 }}", "other": "{{ 6 * 7 }}"}, {"__ansible_vault": "$ANSIBLE_VAULT;1.1;AES256\n6162", "other": "x"},
    {"__ansible_type": "TrustedAsTemplate", "other": "{{ 6 * 7 }}"}], ids=lambda tags: next(iter(tags)))
def test_marks_of_ansible_itself(clouds: Server, site: Site, tags: dict[str, str]) -> None:
    """Ansible's JSON readers (cache plugins, script inventories) give these keys a meaning."""
    stack = clouds.add("os", bb_openstack.OpenStack({"R": [
        bb_openstack.server("odd", {"net": ["10.0.0.1"]}, metadata=tags), bb_openstack.server("plain", {"net": ["10.0.0.2"]})]}))
    site.clouds_yaml({"any": {"url": stack.url}})
    site.fleet({"stack": openstack("any")}, cache=True, cache_plugin="ansible.builtin.jsonfile", cache_connection=str(site.folder / "cache"))
    first = site.list().clean()
    assert set(first.hosts()) == {"odd", "plain"} and literal(first.hosts()["odd"]["fleet_tags"]["other"]) == tags["other"]
    assert site.list().clean().hosts() == first.hosts(), "the cache shows something else"
    site.write("stored.json", first.out)
    site.write("stored.sh", f"#!/bin/sh\nexec cat {site.folder}/stored.json\n").chmod(0o755)
    shown = site.run("ansible", "-i", "stored.sh", "all", "-m", "ansible.builtin.debug", "-a", "msg={{ fleet_tags.other | default('none') }}").clean()
    assert shown.status == 0 and shown.out.count("SUCCESS") == 2 and tags["other"] in shown.out, shown.all[-2000:]


def test_names_that_mean_something_to_ansible(clouds: Server, site: Site) -> None:
    names = ["localhost", "127.0.0.1", "all", "ungrouped", "fleet", "web[1:3]", "a,b",
             "-oProxyCommand=x", "../../x", "~web.*", "!web", "&web", "@file", "host:22", "a b", "", "{{ 1 }}", "WEB", "web", "\u0000nul", "::1", "implicit_localhost"]
    stack = clouds.add("os", bb_openstack.OpenStack({"R": [
        bb_openstack.server(name, {"net": [f"10.0.0.{number}"]}, id=f"{number:08x}-0000-4000-8000-{number:012x}", metadata={"role": "web"})
        for number, name in enumerate(names, start=1)]}, page=100))
    site.clouds_yaml({"any": {"url": stack.url}})
    site.fleet({"stack": openstack("any")}, keyed_groups=[{"key": "fleet_tags.role", "prefix": "t"}], groups={"composed": True})
    done = site.list().clean()
    data = done.listing()
    hosts = data["_meta"]["hostvars"]
    assert sorted(one["fleet_id"][:8] for one in hosts.values()) == [f"{number:08x}" for number in range(1, len(names) + 1)]
    assert not {"localhost", "127.0.0.1", "::1", "all", "ungrouped", "fleet"} & set(hosts)
    assert all(set("[],{}!&~/ ").isdisjoint(name) and not name.startswith("-") for name in hosts), list(hosts)
    assert set(data["provider_openstack"]["hosts"]) == set(hosts) == set(data["t_web"]["hosts"]) == set(data["composed"]["hosts"])
    done = site.run("ansible", "-i", "fleet.yml", "fleet", "-m", "ansible.builtin.debug", "-a", "msg={{ fleet_name }}").clean()
    assert done.status == 0 and done.out.count("SUCCESS") == len(names), done.all[-3000:]


def test_no_name_becomes_an_option_of_ssh(clouds: Server, site: Site) -> None:
    mark = site.folder / "pwned"
    for name in ("ssh", "sftp", "scp"):
        fake = site.write(f"bin/{name}", f"#!/bin/sh\nfor word in \"$@\"; do printf '%s\\n' \"$word\" >> {site.folder}/argv; done\nexit 255\n")
        fake.chmod(0o755)
    names = [f"-oProxyCommand=touch {mark}", "-F/etc/passwd", "$(touch x)"]
    stack = clouds.add("os", bb_openstack.OpenStack({"R": [
        bb_openstack.server(name, {}, metadata={"ssh_user": f"-oProxyCommand=touch {mark}", "alias": name}) for name in names]}))
    site.clouds_yaml({"any": {"url": stack.url}})
    for settings in ({"connect_to": ["name"]}, {"hostnames": ["tag:alias"]}):
        site.fleet({"stack": openstack("any")}, **settings)
        site.run("ansible", "-i", "fleet.yml", "all", "-m", "ansible.builtin.raw", "-a", "true", "--ssh-common-args=-oBatchMode=yes",
                 ANSIBLE_SSH_EXECUTABLE=str(site.folder / "bin" / "ssh"), ANSIBLE_SSH_RETRIES="0", ANSIBLE_SSH_CONTROL_PATH_DIR=str(site.folder / "cp")).clean()
        words = (site.folder / "argv").read_text(encoding="utf-8").splitlines()
        assert words, "ssh was called"
        bad = [word for word in words if word.startswith(("-oProxyCommand", "-F"))]
        assert not bad, (settings, bad)
        (site.folder / "argv").unlink()


def test_names_of_groups(clouds: Server, site: Site) -> None:
    names = ["provider_openstack", "state_running", "cloud_stack", "region_R", "network_role_private", "tag_role_web", "t_web", "composed", "web"]
    stack = clouds.add("os", bb_openstack.OpenStack({"R": [bb_openstack.server(name, {"int": ["10.0.0.1"]}, metadata={"role": "web"}) for name in names]}))
    site.clouds_yaml({"any": {"url": stack.url}})
    site.fleet({"stack": openstack("any")}, keyed_groups=[{"key": "fleet_tags.role", "prefix": "t"}], groups={"composed": True}, tag_groups=["role"])
    data = site.list().clean().listing()
    hosts = data["_meta"]["hostvars"]
    assert sorted(one["fleet_name"] for one in hosts.values()) == sorted(names)
    for group in ("fleet", "provider_openstack", "state_running", "t_web", "composed", "tag_role_web"):
        assert set(data[group]["hosts"]) == set(hosts), group


def test_an_absurd_port(clouds: Server, site: Site) -> None:
    site.google_token()
    google = clouds.add("gce", bb_gce.Gce({"acme": [bb_gce.instance("g", 1, metadata={"ssh_port": "9" * 5000}), bb_gce.instance("h", 2, metadata={"ssh_port": "2222"})]}))
    site.fleet({"google": gce(google)})
    hosts = site.list().clean().hosts()
    assert (hosts["g"]["ansible_port"], hosts["h"]["ansible_port"]) == (22, 2222)


@pytest.mark.parametrize("text", ["lone \ud800 surrogate", "nul \x00 byte"])
def test_text_that_is_no_text(clouds: Server, site: Site, text: str) -> None:
    stack = clouds.add("os", bb_openstack.OpenStack({"R": [
        bb_openstack.server("odd", {"net": ["10.0.0.1"]}, metadata={"note": text}), bb_openstack.server("plain", {"net": ["10.0.0.2"]})]}))
    site.clouds_yaml({"any": {"url": stack.url}})
    site.fleet({"stack": openstack("any")}, cache=True, cache_plugin="ansible.builtin.jsonfile", cache_connection=str(site.folder / "cache"))
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
