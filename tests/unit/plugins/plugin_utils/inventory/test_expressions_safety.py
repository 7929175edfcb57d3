# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A hostile tag goes through variables, compose and groups, and the export that AWX stores: it stays text.

Runs the real command lines. The template would create a file; that it can is proved with a plugin that does not clean.
"""
from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory import trust

PLUGIN = '''
from ansible.plugins.inventory import BaseInventoryPlugin, Constructable
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.expressions import Expressions
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.trust import clean
try:
    from ansible.template import trust_as_template
except ImportError:
    trust_as_template = str
DOCUMENTATION = """
name: hostile
short_description: A cloud with a hostile tag
description: For tests.
options:
  plugin: {description: Name., type: str}
  marker: {description: File that the tag creates., type: str}
  careless: {description: Do not clean., type: bool}
extends_documentation_fragment: constructed
"""

class InventoryModule(BaseInventoryPlugin, Constructable):
    NAME = "hostile"

    def verify_file(self, path):
        return True

    def parse(self, inventory, loader, path, cache=True):
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        act = "lookup('pipe', 'touch " + self.get_option("marker") + "')"
        tag = "{{ " + act + " }}"
        header = "#jinja2:variable_start_string:'[%', variable_end_string:'%]'\\n[% " + act + " %]"
        tags = {"tricky": tag, "block": "{% set x = " + act + " %}x", "header": header, "deep": [{"deeper": tag}], "env": "prod"}
        variables = {"tags_of": tags, "region": tag, "zone": "zone-a", "number": 3}
        mark = trust_as_template if self.get_option("careless") else clean
        variables = {"region": mark(tag)} if self.get_option("careless") else clean(variables)
        for host in ("one", "two"):
            inventory.add_host(host)
            for name, value in variables.items():
                inventory.set_variable(host, name, value)
        Expressions(
            self, compose=self.get_option("compose"), groups=self.get_option("groups"), keyed_groups=self.get_option("keyed_groups"),
            strict=self.get_option("strict")).apply(inventory, [(host, variables) for host in ("one", "two")])
'''
CONFIG: dict[str, Any] = {
    "plugin": "hostile", "strict": True,
    "compose": {
        "plain": "tags_of.env", "literal": "'fixed'", "number_text": "number ~ ''", "tricky": "tags_of.tricky",
        "block": "tags_of.block", "header": "tags_of.header", "joined": "'x' ~ tags_of.tricky", "copied": "tags_of",
        "deep": "tags_of.deep", "listed": "[tags_of.tricky, zone]", "filtered": "tags_of.tricky | replace('a', 'a')",
        "pieces": "'{' ~ '{ 6 * 7 }' ~ '}'", "wanted": "{'k': tags_of.deep | first}", "seen": "tags_of | string",
    },
    "groups": {"chosen": "tags_of.tricky is match('.*lookup')", "never": "tags_of.tricky == ''"},
    "keyed_groups": [
        {"key": "tags_of.tricky", "prefix": "tricky"}, {"key": "tags_of.deep | map(attribute='deeper') | list", "prefix": "deep"},
        {"key": "region", "separator": ""}, {"key": "tags_of.env", "prefix": "env", "parent_group": "parents"},
    ],
}
SHOWN = "{{ [region, tags_of, plain, tricky, block, header, joined, copied, deep, listed, filtered, pieces, wanted, seen] }}"


class Site:
    """A folder with the plugin and its configuration."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.marker, self.source = folder, folder / "evaluated", folder / "source.yml"
        (folder / "plugins").mkdir()
        (folder / "plugins" / "hostile.py").write_text(PLUGIN, encoding="utf-8")

    def configure(self, **options: Any) -> None:
        self.source.write_text(json.dumps({**CONFIG, "marker": str(self.marker), **options}), encoding="utf-8")

    def run(self, *command: str) -> str:
        collections = next(parent.parent for parent in Path(trust.__file__).parents if parent.name == "ansible_collections")
        environment = {
            **os.environ, "ANSIBLE_INVENTORY_PLUGINS": str(self.folder / "plugins"), "ANSIBLE_INVENTORY_ENABLED": "script,hostile",
            "ANSIBLE_COLLECTIONS_PATH": str(collections), "PYTHONPATH": os.pathsep.join([str(collections), *sys.path]),
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOME": str(self.folder / "home"),
            "ANSIBLE_LOCAL_TEMP": str(self.folder / "tmp"), "ANSIBLE_DEPRECATION_WARNINGS": "0",
        }
        done = subprocess.run(
            # the command's own entry point: ansible-test runs Ansible from a folder, without its installed commands
            [sys.executable, "-c", f"from ansible.cli.{command[0]} import main; main()", *command[1:]],
            env=environment, cwd=self.folder, capture_output=True, text=True, timeout=120,
            check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def debug(self, source: Path, message: str) -> str:
        return self.run("adhoc", "all", "-i", str(source), "-m", "debug", "-a", json.dumps({"msg": message}))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_the_template_would_work(site: Site) -> None:
    """The trap is armed: without cleaning the command runs."""
    site.configure(careless=True, compose={}, groups={}, keyed_groups=[])
    site.debug(site.source, "{{ region }}")
    assert site.marker.exists()


def test_direct(site: Site) -> None:
    site.configure()
    shown = site.debug(site.source, SHOWN)
    assert not site.marker.exists()
    assert shown.count("lookup(") >= 2 * 12 and "{ 6 * 7 }" in shown


def test_awx_round_trip(site: Site) -> None:
    """AWX stores the export, and gives it to its jobs as the output of a script."""
    site.configure()
    exported = site.run("inventory", "-i", str(site.source), "--list", "--export")
    stored = json.loads(exported)
    variables = stored["_meta"]["hostvars"]["one"]
    harmless = {name: variables[name] for name in ("zone", "number", "plain", "literal", "number_text")}
    assert harmless == {"zone": "zone-a", "number": 3, "plain": "prod", "literal": "fixed", "number_text": "3"}
    assert variables["tags_of"]["env"] == variables["copied"]["env"] == "prod"
    assert variables["listed"][1] == "zone-a"
    script = site.folder / "stored.sh"
    script.write_text(f"#!/bin/sh\ncat <<'END'\n{exported}\nEND\n", encoding="utf-8")
    script.chmod(stat.S_IRWXU)
    shown = site.debug(script, SHOWN)
    assert not site.marker.exists()
    assert shown.count("lookup(") >= 2 * 12 and "{ 6 * 7 }" in shown


def test_groups(site: Site) -> None:
    site.configure()
    groups = json.loads(site.run("inventory", "-i", str(site.source), "--list"))
    assert not site.marker.exists()
    assert groups["chosen"]["hosts"] == groups["env_prod"]["hosts"] == ["one", "two"]
    assert groups["parents"]["children"] == ["env_prod"]
    assert "never" not in groups
    named = [name for name in groups if "lookup__pipe" in name]
    assert len(named) == 3 and all(set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") for name in named)
