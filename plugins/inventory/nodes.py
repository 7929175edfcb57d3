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
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
options:
  plugin:
    description: Says that the file is a fleet file.
    type: str
    required: true
    choices: [hybridops.fleet.nodes]
  clouds:
    description:
      - The clouds, by a name of your choice. The name becomes C(fleet_cloud) and group C(cloud_NAME).
      - Several accounts, projects and regions of one provider are several entries, or lists in one entry.
    type: dict
    required: true
    suboptions:
      provider:
        description: The kind of infrastructure.
        type: str
        required: true
        choices: [openstack, aws, gce, metal]
      enabled:
        description: Whether the cloud is read at all.
        type: bool
        default: true
      login_user:
        description: The account to log in with on all nodes of the cloud. Overrides what would be found out.
        type: str
      ssh_port:
        description: The port of the SSH server on all nodes of the cloud.
        type: int
      bastion:
        description: A host to jump through to the nodes of the cloud.
        type: dict
        suboptions:
          host:
            description: Name or address of the bastion.
            type: str
            required: true
          user:
            description: The account on the bastion. Without it, what your SSH configuration says.
            type: str
          port:
            description: Its SSH port.
            type: int
            default: 22
      networks:
        description:
          - What you know of the networks of the cloud and it does not tell. Overrides what would be found out.
          - The key is the name or id of a network, or a CIDR. A CIDR speaks of every address inside it, a name or id of
            the addresses configured on that network.
          - The value is a mapping with C(role), one of V(public), V(floating), V(external), V(private),
            V(management), V(unknown).
        type: dict
      filters:
        description: Which nodes of the cloud are wanted. Asked of its API where that can filter.
        type: dict
        suboptions:
          states:
            description: States wanted, instead of O(states).
            type: list
            elements: str
            choices: [pending, running, stopping, stopped, paused, error, deleting, unknown]
          tags:
            description: Tags that a node must have, with the value, or a list of possible values. Empty for any value.
            type: dict
          names:
            description: Names wanted. Shell patterns are possible.
            type: list
            elements: str
      cloud:
        description:
          - For C(provider=openstack), the name of the cloud in C(clouds.yaml).
          - Without it E(OS_CLOUD), else the C(OS_*) variables, else the only cloud of C(clouds.yaml).
        type: str
      regions:
        description:
          - For C(provider=openstack) and C(provider=aws), the regions to read.
          - Without it the regions of C(clouds.yaml); on AWS E(AWS_REGION), E(AWS_DEFAULT_REGION) or the region of the
            profile, else all regions the account has enabled. V(all) means all enabled ones.
        type: list
        elements: str
      all_projects:
        description: For C(provider=openstack), the servers of all projects. Needs an administrator.
        type: bool
        default: false
      profile:
        description: For C(provider=aws), the profile of the shared configuration and credentials files.
        type: str
      assume_role:
        description: For C(provider=aws), a role to assume before reading.
        type: dict
        suboptions:
          arn:
            description: The role.
            type: str
            required: true
          external_id:
            description: The external id that the role asks for.
            type: str
          session_name:
            description: The name of the session, as the other account's logs show it.
            type: str
            default: hybridops-fleet
          duration:
            description: Seconds the session lasts.
            type: int
      endpoint_url:
        description: For C(provider=aws), another endpoint than Amazon's. E(AWS_ENDPOINT_URL) is honoured too.
        type: str
      projects:
        description:
          - For C(provider=gce), the projects to read.
          - Without it the project of the credentials or of E(GOOGLE_CLOUD_PROJECT).
        type: list
        elements: str
      zones:
        description: For C(provider=gce), the zones to read. Without it all.
        type: list
        elements: str
      credentials_file:
        description:
          - For C(provider=gce), a file with a service account's key, a workload identity federation or a user's
            credentials. Relative to the fleet file.
          - Without it the application default credentials, which include the metadata server.
        type: path
      impersonate_service_account:
        description: For C(provider=gce), the email address of a service account to act as.
        type: str
      endpoint:
        description:
          - For C(provider=gce), another endpoint than Google's.
            E(CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE) is honoured too.
        type: str
      sources:
        description: For C(provider=metal), where the machines are listed.
        type: list
        elements: dict
        suboptions:
          kind:
            description: A rack file, an Ironic, or one or more Redfish services.
            type: str
            required: true
            choices: [file, ironic, redfish]
          path:
            description: For C(kind=file), the rack file. Relative to the fleet file.
            type: path
          cloud:
            description: For C(kind=ironic), the name of the cloud in C(clouds.yaml).
            type: str
          baseuri:
            description: For C(kind=redfish), the address of the service, for example V(https://bmc.example.com).
            type: str
          username:
            description: For C(kind=redfish), the account of the service.
            type: str
          password:
            description: For C(kind=redfish), its password. Keep it in a vault or an environment variable.
            type: str
          validate_certs:
            description: For C(kind=redfish), whether the certificate of the service is verified.
            type: bool
            default: true
          images:
            description:
              - For C(kind=ironic), the images that module M(hybridops.fleet.node) may deploy, as Ironic itself has no list of them.
            type: list
            elements: dict
            suboptions:
              name:
                description: Name to choose it by.
                type: str
                required: true
              source:
                description: What Ironic fetches (its C(image_source)), for example V(https://images.example.com/debian-12.qcow2).
                type: str
                required: true
              checksum:
                description: SHA-512, SHA-256 or MD5 checksum of the image, or the address of a file of checksums.
                type: str
              distro:
                description: Distribution in the image, for example V(debian).
                type: str
              version:
                description: Version of the distribution, for example V("12").
                type: str
              arch:
                description: Processor architecture that it is for, for example V(x86_64).
                type: str
              login_user:
                description: Account that the key of a new node is for. Default the one that the distribution has.
                type: str
          pool:
            description:
              - For C(kind=redfish), names or ids of the systems that nodes may be bound to. All others are in use, and never touched.
              - A machine of a rack file is in the pool when the file says C(pool=true) of it. A machine of Ironic is when it is available.
            type: list
            elements: str
          addresses:
            description:
              - For C(kind=redfish), addresses of the systems that run, by name or id of the machine. A management board rarely knows them.
            type: dict
          boot:
            description:
              - For C(kind=redfish), how a machine is started when a node is bound to it. V(pxe) lets it boot from the network once, to be
                installed. Default is to switch it on as it is.
            type: str
            choices: [pxe]
          reservations:
            description:
              - For C(kind=file) and C(kind=redfish), the file in which module M(hybridops.fleet.node) notes which machines are taken.
                Relative to the fleet file.
              - Default is the rack file's name with C(.reservations.yml) at its end, or C(redfish-HOST.reservations.yml) beside the fleet file.
            type: path
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
