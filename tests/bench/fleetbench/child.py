# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One measurement, in a process of its own: CPU seconds inside ``parse`` of one inventory plugin.

    python child.py PLUGIN FILE CLOUD URL [--cold]

Ansible's own inventory manager loads the plugin and calls it; only the plugin's ``parse`` is measured. The libraries
of the cloud are imported before, for every plugin alike, unless --cold. The answer is a JSON object on stdout.
"""
from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

LIBRARIES = {
    "aws": ("boto3", "botocore.session"),
    "openstack": ("openstack", "openstack.config.loader", "keystoneauth1.session"),
    "gce": ("google.auth", "google.auth.transport.requests", "google.oauth2.service_account", "requests"),
}
PREFIX = "same_"
"""Of all variables and groups that the expressions make, by which the plugins' results are compared."""


def main(plugin: str, file: str, cloud: str, url: str, *, cold: bool) -> dict[str, Any]:
    from ansible.inventory.manager import InventoryManager
    from ansible.parsing.dataloader import DataLoader
    from ansible.plugins.loader import init_plugin_loader, inventory_loader

    init_plugin_loader([])
    if not cold:
        for library in LIBRARIES[cloud]:
            importlib.import_module(library)
    module_class = inventory_loader.get(plugin, class_only=True)
    if plugin == "google.cloud.gcp_compute":
        _keep_on_this_machine(module_class, url)
    spent = _measured(module_class)
    manager = InventoryManager(loader=DataLoader(), sources=[file])
    return {
        **spent,
        "hosts": len(manager.hosts),
        "peak_mib": _peak_mib(),
        "results": _fingerprint(manager),
    }


def _measured(module_class: Any) -> dict[str, float]:
    """Make the class note what its ``parse`` costs: CPU (user and system, all threads) and wall seconds."""
    spent: dict[str, float] = {}
    parse = module_class.parse

    def measured(self: Any, *args: Any, **kwargs: Any) -> None:
        began, wall = time.process_time(), time.monotonic()
        parse(self, *args, **kwargs)
        spent.update(cpu=time.process_time() - began, wall=time.monotonic() - wall)

    module_class.parse = measured
    return spent


def _keep_on_this_machine(module_class: Any, url: str) -> None:
    """gcp_compute has Google's address written into it. Its library also looks up "regional access boundaries" at
    Google, once for each page, which is left out here in its favour."""
    from google.auth import credentials

    module_class._instances = f"{url}/compute/v1/projects/%s/aggregated/instances"
    for name in ("CredentialsWithRegionalAccessBoundary", "CredentialsWithTrustBoundary"):
        bounded = getattr(credentials, name, None)
        if bounded is not None and hasattr(bounded, "_maybe_start_regional_access_boundary_refresh"):
            bounded._maybe_start_regional_access_boundary_refresh = lambda *args, **kwargs: None


def _peak_mib() -> float:
    """Greatest resident size of this process. (ru_maxrss would count the parent's, from before exec.)"""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _fingerprint(manager: Any) -> dict[str, Any]:
    """What the expressions made, so that plugins can be compared: a digest of all values, and the sizes of groups."""
    values = sorted(
        str(sorted((key, str(value)) for key, value in host.vars.items() if key.startswith(PREFIX)))
        for host in manager.hosts.values())
    groups = {str(name): len(group.hosts) for name, group in manager.groups.items() if name.startswith(PREFIX)}
    return {"variables": hashlib.sha256("\n".join(values).encode()).hexdigest()[:16], "groups": groups}


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--cold"]
    with contextlib.redirect_stdout(sys.stderr):  # warnings and notices of plugins
        outcome = main(*arguments, cold="--cold" in sys.argv)
    print(json.dumps(outcome))
