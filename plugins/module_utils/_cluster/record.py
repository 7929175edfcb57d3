# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where a node keeps what it knows of its mesh, and how that is read. Runs on nodes: Python 3.7 is enough."""
from __future__ import annotations

import json
from typing import Any

from .._hardening.system import System

FOLDER = "/etc/hybridops-fleet/mesh"
KEY = FOLDER + "/private.key"
NEXT_KEY = FOLDER + "/private.key.next"
RECORD = FOLDER + "/record.json"
FIELDS = ("cluster", "interface", "ipv4", "ipv6", "ipv4_pool", "ipv6_pool", "mtu", "port", "public_key", "implementation", "peers")


def read(system: System) -> dict[str, Any] | None:
    """None when the node is in no mesh, or its record cannot be understood (which the next run then writes anew)."""
    try:
        found = json.loads(system.text(RECORD))
    except ValueError:
        return None
    return found if isinstance(found, dict) and all(name in found for name in FIELDS) else None


def text(values: dict[str, Any]) -> str:
    """No secret is in it; keys in a fixed order, so that equal records are equal files."""
    return json.dumps({name: values[name] for name in FIELDS}, indent=1) + "\n"
