# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Nova's fake hypervisor, with a hook by which a test can make each server something real, or make it fail.

When STACK_HOOK is set, ``$STACK_HOOK spawn|destroy FILE`` runs for every server; FILE holds what a hypervisor
would need, as JSON. A spawn that ends with a non-zero status puts the server in ERROR.
"""
from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from nova.conf import CONF
from nova.virt import fake

HOOK_SECONDS = 300


class Driver(fake.FakeDriverWithoutFakeNodes):
    """The variant without fake nodes: plain FakeDriver refuses to start a second time on the same database."""

    def spawn(self, context: Any, instance: Any, image_meta: Any, *args: Any, network_info: Any = None,
              **kwargs: Any) -> None:
        super().spawn(context, instance, image_meta, *args, network_info=network_info, **kwargs)
        if "STACK_HOOK" in os.environ:
            facts = json.dumps(_facts(instance, network_info or []), indent=1)
            _facts_file(instance).write_text(facts, encoding="utf-8")
            _call_hook("spawn", instance)

    def destroy(self, context: Any, instance: Any, *args: Any, **kwargs: Any) -> None:
        super().destroy(context, instance, *args, **kwargs)
        if "STACK_HOOK" in os.environ:
            _call_hook("destroy", instance)

    def get_console_output(self, context: Any, instance: Any) -> bytes:
        """What the lab's real host behind the server printed, where there is one."""
        try:
            return (Path(os.environ["FLEET_LAB_CONSOLES"]) / instance.uuid).read_bytes()
        except (KeyError, OSError):
            console: bytes = super().get_console_output(context, instance)
            return console


def _facts_file(instance: Any) -> Path:
    return Path(CONF.state_path) / f"{instance.uuid}.json"


def _call_hook(event: str, instance: Any) -> None:
    subprocess.run([os.environ["STACK_HOOK"], event, _facts_file(instance)], check=True, timeout=HOOK_SECONDS)


def _facts(instance: Any, network_info: Any) -> dict[str, Any]:
    marker = "image_"  # Nova keeps a copy of the image's properties among its own, with this prefix
    return {
        "uuid": instance.uuid,
        "name": instance.display_name,
        "project": instance.project_id,
        "key_name": instance.key_name,
        "public_key": instance.key_data,
        "user_data": instance.user_data,
        "metadata": instance.metadata,
        "image": {key.removeprefix(marker): value for key, value in instance.system_metadata.items()
                  if key.startswith(marker)},
        "ports": [{"id": vif["id"], "mac": vif["address"], "network": vif["network"]["label"],
                   "ips": [ip["address"] for ip in vif.fixed_ips()]} for vif in network_info],
    }
