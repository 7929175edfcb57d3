# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plugins that are compared: what each is told, so that all read the same machines and make the same of them."""
from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .child import PREFIX
from .ec2_pages import REGION
from .gce_pages import PROJECT

CLOUDS = ("aws", "openstack", "gce")
CLOUDS_YAML = "clouds.yaml"
SERVICE_ACCOUNT = "service-account.json"

_OURS = "hybridops.fleet.nodes"
_FURTHER = {
    "upper": "fleet_tags.role | upper",
    "zone": "fleet_zone",
    "address": "fleet_public_ip | default(fleet_private_ip, true)",
    "system": "fleet_image.distro ~ '-' ~ fleet_image.version",
    "number": "fleet_name.split('-')[2]",
    "networks": "fleet_interfaces | map(attribute='network') | list",
    "inside": "fleet_interfaces | selectattr('role', 'eq', 'private') | map(attribute='network') | list | first | "
              "default('none')",
    "reached": "fleet_network_role in ['public', 'floating'] and fleet_state == 'running'",
}
"""Eight further ones: their cost beside that of the first eight is what one more expression costs."""


@dataclasses.dataclass(frozen=True)
class Contestant:
    """A plugin and its configuration. cloud: one of CLOUDS, or "fleet" for all three; facts: where a host variable of
    the plugin holds name, tags and zone, as expressions."""

    plugin: str
    cloud: str
    file: str
    config: Mapping[str, Any]
    name: str
    tags: str
    zone: str

    @property
    def ours(self) -> bool:
        return self.plugin == _OURS

    def write(self, folder: Path, expressions: int) -> Path:
        """The inventory file with 0, 8 or (ours only) 16 expressions; returns its path."""
        path = folder / self.file
        # "---" so that Ansible takes it for YAML, as an operator's file is
        path.write_text("---\n" + json.dumps({**self.config, **self._constructed(expressions)}), encoding="utf-8")
        return path

    def _constructed(self, count: int) -> dict[str, Any]:
        if not count:
            return {}
        tags = self.tags
        compose = {
            "env": f"{tags}.env",
            "owner": f"{tags}.owner | default('nobody')",
            "label": f"{tags}.env ~ '/' ~ {tags}.role",
            "critical": f"{tags}.env == 'prod' and {tags}.role == 'web'",
            "series": f"{self.name} | regex_replace('-[0-9]+$', '')",
        }
        if count > 8:
            compose |= _FURTHER
        keyed = {"role": f"{tags}.role", "env": f"{tags}.env", "zone": self.zone}
        return {
            "compose": {PREFIX + name: source for name, source in compose.items()},
            "keyed_groups": [{"prefix": PREFIX + name, "key": source} for name, source in keyed.items()],
        }


def ours(cloud: str, url: str) -> Contestant:
    """Our plugin on one cloud, or on "fleet", all three."""
    entries: dict[str, dict[str, Any]] = {
        "aws": {"provider": "aws", "regions": [REGION], "endpoint_url": url},
        "openstack": {"provider": "openstack", "cloud": "bench"},
        "gce": {
            "provider": "gce", "projects": [PROJECT], "credentials_file": SERVICE_ACCOUNT,
            "endpoint": f"{url}/compute/v1"},
    }
    clouds = entries if cloud == "fleet" else {cloud: entries[cloud]}
    return Contestant(
        _OURS, cloud, f"{cloud}.nodes.yml", {"plugin": _OURS, "clouds": clouds},
        name="fleet_name", tags="fleet_tags", zone="fleet_zone")


def theirs(cloud: str, url: str, folder: Path) -> Contestant:
    """The upstream plugin of a cloud; named by the machine's name, as ours is."""
    if cloud == "aws":
        config = {
            "plugin": "amazon.aws.aws_ec2", "regions": [REGION], "endpoint_url": url, "hostnames": ["tag:Name"]}
        return Contestant(
            "amazon.aws.aws_ec2", cloud, "bench.aws_ec2.yml", config,
            name="tags.Name", tags="tags", zone="placement.availability_zone")
    if cloud == "openstack":
        config = {"plugin": "openstack.cloud.openstack", "only_clouds": ["bench"]}
        return Contestant(
            "openstack.cloud.openstack", cloud, "bench.openstack.yml", config,
            name="openstack.name", tags="openstack.metadata", zone="openstack.availability_zone")
    config = {
        "plugin": "google.cloud.gcp_compute", "projects": [PROJECT], "auth_kind": "serviceaccount",
        "service_account_file": str(folder / SERVICE_ACCOUNT), "hostnames": ["name"]}
    return Contestant(
        "google.cloud.gcp_compute", cloud, "bench.gcp_compute.yml", config, name="name", tags="labels", zone="zone")


def credentials(folder: Path) -> dict[str, str]:
    """Environment variables with which the libraries log in to the recorded clouds, and to nothing else."""
    return {
        "AWS_ACCESS_KEY_ID": "AKIABENCHBENCHBENCHB", "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_EC2_METADATA_DISABLED": "true",
        "OS_CLIENT_CONFIG_FILE": str(folder / CLOUDS_YAML), "NO_GCE_CHECK": "true", "NO_PROXY": "127.0.0.1",
    }
