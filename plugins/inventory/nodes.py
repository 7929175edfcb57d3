# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Inventory plugin hybridops.fleet.nodes: every machine of every cloud in one shape."""
from __future__ import annotations

DOCUMENTATION = r"""
name: nodes
short_description: Machines of OpenStack, AWS, Google Compute Engine and metal in one shape
version_added: 0.1.0
author:
  - HybridOps contributors (@hybridops)
description:
  - Reads a I(fleet file) and shows every machine of every cloud named in it with the same host variables and groups.
  - Finds the address, the login user and the network role of each machine, and says in C(fleet_why) how.
  - A fleet file is any YAML file with C(plugin=hybridops.fleet.nodes) in it. Without naming the plugin in the
    configuration of Ansible, names that end in C(.nodes.yml), C(.nodes.yaml), or are C(nodes.yml), C(nodes.yaml),
    C(fleet.yml), C(fleet.yaml) are recognised.
  - Credentials come from where the tools of each cloud take them and never become host variables.
  - Text in O(clouds) may hold templates, for example lookups of environment variables; they are evaluated once.
requirements:
  - Python >= 3.11 on the controller
  - openstacksdk for C(provider=openstack) and for Ironic
  - boto3 for C(provider=aws)
  - google-auth and requests for C(provider=gce)
extends_documentation_fragment:
  - hybridops.fleet.clouds
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
options:
  plugin:
    description: Says that the file is a fleet file.
    type: str
    required: true
    choices: [hybridops.fleet.nodes]
  connect_to:
    description:
      - The kinds of address to connect to, in order. The first one a node has becomes C(ansible_host).
      - Possible are V(public_ipv4), V(public_ipv6), V(private_ipv4), V(private_ipv6), V(management_ipv4),
        V(management_ipv6) and V(name).
    type: list
    elements: str
    default: [public_ipv4, public_ipv6, private_ipv4, private_ipv6]
    env:
      - name: HYBRIDOPS_FLEET_CONNECT_TO
  ip_family:
    description: Connect by addresses of this family only.
    type: str
    choices: [any, ipv4, ipv6]
    default: any
    env:
      - name: HYBRIDOPS_FLEET_IP_FAMILY
  hostnames:
    description:
      - What to name a node by, in order. The first one a node has is used, its id when it has none.
      - Possible are V(name), V(id), V(public_ip), V(public_ipv4), V(public_ipv6), V(private_ip), V(private_ipv4),
        V(private_ipv6) and V(tag:KEY).
    type: list
    elements: str
    default: [name]
    env:
      - name: HYBRIDOPS_FLEET_HOSTNAMES
  on_duplicate:
    description:
      - What to do when several nodes have one name. They are never merged.
      - V(suffix) leaves the name to the oldest and appends a short id to the others.
      - V(fail) reads no inventory.
    type: str
    choices: [suffix, fail]
    default: suffix
    env:
      - name: HYBRIDOPS_FLEET_ON_DUPLICATE
  on_cloud_failure:
    description:
      - What to do when a cloud, or a region or project of it, cannot be read completely.
      - V(fail) reads no inventory and makes the command fail. V(warn) goes on without it. V(stale) shows its last good
        answer with C(fleet_stale) true, and fails if there is none.
    type: str
    choices: [fail, warn, stale]
    default: fail
    env:
      - name: HYBRIDOPS_FLEET_ON_CLOUD_FAILURE
  state_dir:
    description: Where the last good answers are kept for O(on_cloud_failure=stale), for the owner's eyes only.
    type: path
    default: ~/.ansible/hybridops.fleet
    env:
      - name: HYBRIDOPS_FLEET_STATE_DIR
  timeout:
    description: Seconds within which each cloud must have answered, retries included.
    type: int
    default: 120
    env:
      - name: HYBRIDOPS_FLEET_TIMEOUT
  retries:
    description: How often a request that failed for a passing reason is tried again.
    type: int
    default: 5
    env:
      - name: HYBRIDOPS_FLEET_RETRIES
  workers:
    description: How many clouds, regions and projects are read at the same time.
    type: int
    default: 16
    env:
      - name: HYBRIDOPS_FLEET_WORKERS
  states:
    description: The states of nodes that are shown.
    type: list
    elements: str
    choices: [pending, running, stopping, stopped, paused, error, deleting, unknown]
    default: [pending, running, stopping, stopped, paused, error, unknown]
    env:
      - name: HYBRIDOPS_FLEET_STATES
  tag_groups:
    description:
      - Tags to make groups of, C(tag_KEY_VALUE), or C(tag_KEY) for a tag without a value. V(*) means all tags.
    type: list
    elements: str
    default: []
    env:
      - name: HYBRIDOPS_FLEET_TAG_GROUPS
  hostvars_extra:
    description:
      - Fields of the cloud's own record of a node to keep in C(fleet_extra), by the names its API uses, for example
        V(key_name), V(KeyName) or V(cpuPlatform).
      - User data and passwords are never kept.
    type: list
    elements: str
    default: []
    env:
      - name: HYBRIDOPS_FLEET_HOSTVARS_EXTRA
seealso:
  - name: The host variables and groups
    description: The table of the one shape.
    link: https://github.com/hybridops/fleet/blob/main/docs/host_variables.md
"""

EXAMPLES = r"""
# Four kinds of infrastructure as one fleet; a file with one of the clouds is a fleet file too
plugin: hybridops.fleet.nodes
clouds:
  dream:
    provider: openstack
    cloud: dreamcompute  # from clouds.yaml
    regions: [RegionOne]
    networks:
      10.8.0.0/16: {role: management}
  amazon:
    provider: aws
    regions: [us-east-1, eu-west-1]
    profile: prod
    filters:
      tags: {env: [prod, staging]}
  google:
    provider: gce
    projects: [acme-prod]
    bastion: {host: bastion.example.com, user: ops}
  rack42:
    provider: metal
    sources:
      - {kind: file, path: racks/r42.yml}
      - {kind: ironic, cloud: bifrost}
      - {kind: redfish, baseuri: "https://bmc.example.com", username: reader, password: "{{ lookup('env', 'BMC_PASSWORD') }}"}
on_cloud_failure: stale
keyed_groups:
  - prefix: role
    key: fleet_tags.role
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.collect import Settings, collector_paused
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError, FleetFileError
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import (
    SETTINGS,
    Cloud,
    check_settings,
    parse_clouds,
    require_clouds,
)
from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.options import unknown_key
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory import names, store
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.config import templated
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.expressions import Expressions
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.populate import populate
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.read import Policy, read
from ansible_collections.hybridops.fleet.plugins.plugin_utils._inventory.variables import group_names


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Fleet file in, inventory out. Everything that can fail happens before the inventory is touched."""

    NAME = "hybridops.fleet.nodes"
    _FILE_NAMES = ("nodes.yml", "nodes.yaml", "fleet.yml", "fleet.yaml")

    def verify_file(self, path: str) -> bool:
        """Whether this is a fleet file: by its name, or any YAML file that names the plugin."""
        if not super().verify_file(path) or not path.endswith((".yml", ".yaml")):
            return False
        if path.endswith((".nodes.yml", ".nodes.yaml")) or os.path.basename(path) in self._FILE_NAMES:
            return True
        try:
            return self.NAME in Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return False

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Read the fleet and fill the inventory. Raises AnsibleParserError with a sentence for the operator."""
        super().parse(inventory, loader, path)
        source = os.path.basename(path)
        try:
            with collector_paused():
                self._fill(path, source, cache)
        except Exception as failure:
            # Ansible would only warn and go on with fewer machines: an operator must not act on half a fleet.
            C.INVENTORY_ANY_UNPARSED_IS_FAILED = True
            if isinstance(failure, AnsibleError):
                raise
            raise AnsibleParserError(self._sentence(failure, source)) from (failure if self.display.verbosity >= 3 else None)

    @staticmethod
    def _sentence(failure: Exception, source: str) -> str:
        if isinstance(failure, FleetFileError):  # names the file itself
            return str(failure)
        if isinstance(failure, FleetError):
            return f"{source}: {failure}"
        return (f"{source}: {type(failure).__name__}: {failure}. This is a defect of the collection; please report it with the "
                "output of -vvv.")

    def _fill(self, path: str, source: str, cache: bool) -> None:
        clouds = self._clouds(path, source)
        records = self._records(clouds, path, cache)
        tag_groups = self.get_option("tag_groups")
        group_lists = [group_names(record, tag_groups) for record in records]
        host_names = names.assign(
            records, self.get_option("hostnames"), on_duplicate=self.get_option("on_duplicate"),
            taken=self._names_of_others(records), groups=self._group_names(group_lists), warn=self.display.warning)
        self._explain(host_names, records)
        hosts = populate(
            self.inventory, records, host_names, {cloud.name: cloud for cloud in clouds},
            connect_to=self.get_option("connect_to"), ip_family=self.get_option("ip_family"), group_lists=group_lists)
        Expressions(
            self, compose=self.get_option("compose"), groups=self.get_option("groups"),
            keyed_groups=self.get_option("keyed_groups"), strict=self.get_option("strict"),
        ).apply(self.inventory, hosts)

    def _clouds(self, path: str, source: str) -> list[Cloud]:
        """Check the whole file, its keys and its values, before anything is asked."""
        try:
            raw = self.loader.load_from_file(path, cache="none")
        except AnsibleError as failure:
            raise FleetFileError(source, "", f"cannot be read as YAML: {failure.message}", "Correct the file.") from failure
        if not isinstance(raw, Mapping) or "plugin" not in raw:
            raise FleetFileError(source, "", "is not a fleet file", f"Begin it with 'plugin: {self.NAME}'.")
        self._check_keys(raw, source)
        check_settings(raw, source)
        require_clouds(raw.get("clouds"), source)
        config = self._read_config_data(path)
        # once more: environment variables may have had the last word
        check_settings({option.name: self.get_option(option.name) for option in SETTINGS}, "environment or " + source)
        names.check_preferences(self.get_option("hostnames"), source)
        return parse_clouds(templated(config["clouds"], self.templar, self._vars, source), source)

    def _check_keys(self, raw: Mapping[str, Any], source: str) -> None:
        known = set(C.config.get_configuration_definitions("inventory", self._load_name_of_options()))
        for key in raw:
            if key not in known:
                raise unknown_key(source, "", key, sorted(known))

    def _load_name_of_options(self) -> str:
        return getattr(self, "_load_name", self.NAME)

    def _records(self, clouds: list[Cloud], path: str, cache: bool) -> store.Records:
        """The nodes, from the cache when it may be used and has them, else from the clouds."""
        options = {name: self.get_option(name) for name in ("states", "hostvars_extra")}
        settings = Settings(
            timeout=self.get_option("timeout"), retries=self.get_option("retries"), workers=self.get_option("workers"),
            states=tuple(options["states"]), extra=tuple(options["hostvars_extra"]), base_dir=os.path.dirname(os.path.abspath(path)),
            environ=os.environ,
            warn=lambda text: self.display.warning(f"{os.path.basename(path)}: {text}"), note=self.display.vv)
        policy = Policy(self.get_option("on_cloud_failure"), store.LastGood(Path(self.get_option("state_dir")).expanduser()))
        if not self.get_option("cache"):
            return read(clouds, settings, policy, options).records
        key = f"{self.get_cache_key(path)}_{store.fleet_key(clouds, options, os.environ, settings.base_dir)}"
        if cache:
            try:
                return store.thawed(self._cache[key])
            except KeyError:
                pass  # nothing there, or something that is not ours
            except Exception as odd:  # whatever a cache plugin makes of a damaged file
                self.display.warning(f"the inventory cache cannot be read ({type(odd).__name__}); asking the clouds")
        answer = read(clouds, settings, policy, options)
        if answer.complete:
            self._cache[key] = store.frozen(answer.records)
        return answer.records

    def update_cache_if_changed(self) -> None:
        """Called by Ansible after parse: write the cache, for its owner's eyes only."""
        if self.get_option("cache"):
            super().update_cache_if_changed()
            store.protect_cache_files(self._cache)

    def _names_of_others(self, records: store.Records) -> set[str]:
        """Hosts that other sources put into the inventory and that are other machines than ours."""
        ours = {(record["cloud"], record["id"]) for record in records}
        return {name for name, host in self.inventory.hosts.items()
                if (host.vars.get("fleet_cloud"), host.vars.get("fleet_id")) not in ours}

    def _group_names(self, group_lists: list[list[str]]) -> set[str]:
        """Groups there are and will be, as far as that is known before expressions are evaluated."""
        composed = {self._sanitize_group_name(name) for name in self.get_option("groups") or {}}
        return composed.union(self.inventory.groups, *group_lists)

    def _explain(self, host_names: list[str], records: store.Records) -> None:
        if self.display.verbosity < 2:
            return
        for name, record in zip(host_names, records, strict=True):
            for question, why in record["why"].items():
                self.display.vv(f"{name}: {question}: {why}")
