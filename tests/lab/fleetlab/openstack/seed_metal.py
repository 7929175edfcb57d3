# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Enroll the lab's metal nodes in Ironic and bring them where ``racks.py`` wants them."""
from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Iterable
from typing import Any

from .layout import MetalNode, SeedError
from .racks import NODES

STEP_SECONDS = 120
# state to reach -> the step asked of Ironic, from each state on the way
_STEPS = {
    "enroll": {},
    "manageable": {"enroll": "manage"},
    "available": {"enroll": "manage", "manageable": "provide"},
    "active": {"enroll": "manage", "manageable": "provide", "available": "active"},
}
_FAILED = ("clean failed", "deploy failed", "error")


def enroll(baremetal: Any, nodes: Iterable[MetalNode] = NODES) -> int:
    """Make what is missing, all nodes at once; returns how many there are."""
    there = {node.name: node for node in baremetal.nodes(details=True)}
    with concurrent.futures.ThreadPoolExecutor(max_workers=3) as pool:
        return len(list(pool.map(lambda node: _enroll(baremetal, node, there.get(node.name)), nodes)))


def _enroll(baremetal: Any, wanted: MetalNode, node: Any) -> None:
    if node is None:
        node = _create(baremetal, wanted)
    if not list(baremetal.ports(node=node.id)):
        baremetal.create_port(node_id=node.id, address=wanted.mac, physical_network="lan", is_pxe_enabled=True,
                              extra={"ip": wanted.address} if wanted.address else {})
    _bring_to(baremetal, node.id, wanted.provision_state)
    power = f"power {'on' if wanted.provision_state == 'active' else 'off'}"
    if wanted.provision_state != "enroll" and node.power_state != power:
        baremetal.set_node_power_state(node, power, wait=True)
    if wanted.maintenance_reason and not node.is_maintenance:
        baremetal.set_node_maintenance(node, reason=wanted.maintenance_reason)


def _create(baremetal: Any, wanted: MetalNode) -> Any:
    cpus, memory, disk = wanted.size
    return baremetal.create_node(
        name=wanted.name, driver="fake-hardware", resource_class="baremetal",
        properties={"cpus": cpus, "memory_mb": memory, "local_gb": disk, "cpu_arch": "x86_64",
                    "capabilities": "boot_mode:uefi"},
        extra={"rack": "r1", **({"login_user": wanted.login_user} if wanted.login_user else {})},
        instance_info={"image_source": "http://127.0.0.1/image.raw", "image_checksum": "0" * 32, "root_gb": 10,
                       "display_name": wanted.display_name} if wanted.display_name else {},
    )


def _bring_to(baremetal: Any, node_id: str, wanted: str) -> None:
    """Ask for step after step, and wait for each."""
    deadline = time.monotonic() + STEP_SECONDS
    asked_in = None
    while True:
        node = baremetal.get_node(node_id)
        state = node.provision_state
        if state == wanted:
            return
        if state in _FAILED or time.monotonic() > deadline:
            raise SeedError(f"metal node {node.name} is {state}, wanted {wanted}: {node.last_error}")
        step = _STEPS[wanted].get(state)
        if step and asked_in != state:
            baremetal.set_node_provision_state(node, step)
            asked_in = state
        time.sleep(0.2)
