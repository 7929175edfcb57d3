# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A node as plain data (what JSON can hold) and back: for host variables, module results, cache and last good answers."""
from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from .shape import Address, Image, Interface, Node, Why

_FIELDS = tuple(field.name for field in dataclasses.fields(Node))
_PLAIN = tuple(name for name in _FIELDS if name not in ("image", "interfaces", "why", "tags", "security_groups", "host_keys", "extra"))


def as_dict(node: Node) -> dict[str, Any]:
    """Every field of the node, by its name, as str, int, bool, None, list and dict; new containers each time."""
    image, why = node.image, node.why
    data: dict[str, Any] = {name: getattr(node, name) for name in _PLAIN}
    data["image"] = {"id": image.id, "name": image.name, "distro": image.distro, "version": image.version}
    data["tags"] = harmless(node.tags)
    data["interfaces"] = [
        {
            "network": interface.network,
            "network_id": interface.network_id,
            "role": interface.role,
            "mac": interface.mac,
            "mtu": interface.mtu,
            "addresses": [
                {"ip": address.ip, "family": address.family, "role": address.role, "nat_of": address.nat_of, "why": address.why}
                for address in interface.addresses
            ],
        }
        for interface in node.interfaces
    ]
    data["security_groups"] = list(node.security_groups)
    data["host_keys"] = None if node.host_keys is None else list(node.host_keys)
    data["why"] = {"public_ip": why.public_ip, "login_user": why.login_user, "network_role": why.network_role}
    data["extra"] = harmless(node.extra)
    return data


def harmless(value: Any) -> Any:
    """The value with every key that begins with ``__ansible_`` renamed: Ansible's JSON takes such a key for a mark of its
    own (unsafe, vault, type), and whoever may set a tag could forge one."""
    if isinstance(value, Mapping):
        return {f"x{key}" if str(key).startswith("__ansible_") else key: harmless(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [harmless(item) for item in value]
    return value


def from_dict(data: Mapping[str, Any]) -> Node:
    """The node that as_dict made this of. Raises KeyError or TypeError for data of another version."""
    values = dict(data)
    values["image"] = Image(**data["image"])
    values["interfaces"] = tuple(
        Interface(**{**interface, "addresses": tuple(Address(**address) for address in interface["addresses"])})
        for interface in data["interfaces"]
    )
    values["why"] = Why(**data["why"])
    values["security_groups"] = tuple(data["security_groups"])
    values["host_keys"] = None if data["host_keys"] is None else tuple(data["host_keys"])
    return Node(**values)
