# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Groups and variables of a node that joins a running inventory, as the inventory plugin would have set them. Pure."""
from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.fleet_file import Bastion, check_settings, parse_clouds

from .variables import group_names, host_variables

CONNECT_TO = ("public_ipv4", "public_ipv6", "private_ipv4", "private_ipv6")
"""Default of option connect_to of the inventory plugin."""


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """What a fleet file says of connecting to the nodes of one cloud."""

    connect_to: Sequence[str] = CONNECT_TO
    ip_family: str = "any"
    tag_groups: Sequence[str] = ()
    bastion: Bastion | None = None

    @classmethod
    def of(cls, data: Mapping[str, Any], cloud: str, source: str = "fleet file") -> Settings:
        """The settings in a fleet file's data; the defaults for what it leaves out. Raises FleetError."""
        check_settings(data, source)
        entry = (data.get("clouds") or {}).get(cloud)
        found = parse_clouds({cloud: entry}, source) if entry is not None else []
        return cls(
            connect_to=tuple(data.get("connect_to") or CONNECT_TO), ip_family=data.get("ip_family") or "any",
            tag_groups=tuple(data.get("tag_groups") or ()), bastion=found[0].bastion if found else None)


def host_of(node: Mapping[str, Any], settings: Settings) -> tuple[list[str], dict[str, Any]]:
    """The groups of a node, and its host variables."""
    variables = host_variables(node, connect_to=settings.connect_to, ip_family=settings.ip_family, bastion=settings.bastion)
    return group_names(node, settings.tag_groups), variables
