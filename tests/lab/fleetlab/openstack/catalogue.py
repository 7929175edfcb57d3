# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keystone's service catalogue, written into its database before Keystone starts.

The addresses hold this lab's ports, so they cannot be part of the snapshot; and writing them first lets every
service start at the same moment instead of waiting for Keystone to take them through its API.
"""
from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from .config import REGION, Stack

# service -> (type in the catalogue, what follows the port in its address)
_TYPES = {
    "keystone": ("identity", "/v3"),
    "glance": ("image", ""),
    "placement": ("placement", ""),
    "neutron": ("network", ""),
    "nova": ("compute", "/v2.1"),
}
# keystonemiddleware looks for the internal address of Keystone, people's tools for the public one
_INTERFACES = ("public", "internal")


def register(database: Path, stack: Stack) -> None:
    """Enter this lab's addresses; entries of an earlier start are replaced."""
    connection = sqlite3.connect(database)
    try:
        with connection:  # one transaction
            for service, (kind, path) in _TYPES.items():
                connection.execute(
                    "INSERT OR REPLACE INTO service (id, type, enabled, extra) VALUES (?, ?, 1, ?)",
                    (service, kind, json.dumps({"name": service})),
                )
                for interface in _INTERFACES:
                    connection.execute(
                        "INSERT OR REPLACE INTO endpoint (id, interface, region_id, service_id, url, enabled, extra)"
                        " VALUES (?, ?, ?, ?, ?, 1, '{}')",
                        (f"{service}-{interface}", interface, REGION, service, stack.url(service) + path),
                    )
    finally:
        connection.close()
