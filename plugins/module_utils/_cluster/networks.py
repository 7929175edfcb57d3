# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Networks that a node knows by itself, less those that container engines made. Runs on nodes: Python 3.7 is enough."""
from __future__ import annotations

import json
import re
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import System

OF_CONTAINERS = re.compile(r"^(docker\d*|docker_gwbridge|br-[0-9a-f]{12}|veth.*|cni.*|flannel.*|cali.*|cilium.*|podman.*|nodelocaldns|kube-.*)$")


def known(system: System) -> list[str]:
    """Every network of an address or a route, as CIDR; not the default route."""
    found: list[str] = []
    for row in _asked(system, ["address", "show"]):
        if OF_CONTAINERS.match(str(row.get("ifname", ""))) or row.get("ifname") == "lo":
            continue
        found += ["{}/{}".format(address.get("local"), address.get("prefixlen")) for address in row.get("addr_info") or () if address.get("local")]
    for family in ("-4", "-6"):
        for row in _asked(system, [family, "route", "show"]):
            target = str(row.get("dst", ""))
            if target not in ("", "default") and not OF_CONTAINERS.match(str(row.get("dev", ""))):
                found.append(target)
    return sorted({name for name in found if not name.lower().startswith("fe80")})


def _asked(system: System, words: list[str]) -> list[dict[str, Any]]:
    ran = system.run(["ip", "-j", *words])
    try:
        rows = json.loads(ran.out or "[]")
    except ValueError:
        return []
    return [row for row in rows if isinstance(row, dict)]
