# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a cluster costs by the number of its hosts: ``python3 tests/bench/clusters`` (as root, on Linux).

Brings up a lab of its own and, for each kind and size, boots fresh Debian 12 machines of a rack and runs the collection's playbooks over them: from
nothing, again, one host more, a copy, one host fewer, the end. Figures are wall seconds; all hosts and the controller share one machine, so that they
are upper bounds. The last column says how a playbook grows from the smallest to the largest size. The exit status is 0, and 2 when a run failed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(CHECKOUT / "tests" / "lab"))

from fleetlab.controller import controller  # noqa: E402
from fleetlab.core import Lab, LabError  # noqa: E402
from fleetlab.hosts.endpoint import inside  # noqa: E402
from fleetlab.hosts.fresh import Machine, Rack  # noqa: E402
from fleetlab.kubernetes import made, settings  # noqa: E402

KINDS: dict[str, dict[str, Any]] = {
    "swarm": {},
    "kubernetes": {
        **settings.KUBERNETES, "kubernetes_version": "1.34", "kubernetes_image_archives": [f"{made.IN_HOST}/images/v1.34"],
        "container_engine_sandbox_image": "registry.k8s.io/pause:3.10.1", "container_engine_containerd_settings": settings.CONTAINERD}}
Steps = dict[str, float]


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/bench/clusters", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kinds", default=",".join(KINDS), metavar="KIND,...", help="default %(default)s")
    parser.add_argument("--sizes", default="3,5,10", metavar="N,...", help="hosts at first; another one comes in later (default %(default)s)")
    parser.add_argument("--network", default="private", choices=["private", "mesh"], help="by which addresses (default %(default)s)")
    arguments = parser.parse_args()
    lab = Lab(Path(os.environ.get("FLEET_LAB_STATE", CHECKOUT / ".lab")).resolve())
    kinds, sizes = arguments.kinds.split(","), sorted(int(size) for size in arguments.sizes.split(","))
    try:
        if "kubernetes" in kinds:
            _lab(lab, "kubernetes")
        _lab(lab, "up", "--only", "metal", "--hosts")
        for kind in kinds:
            found = {size: _one(lab, kind, size, arguments.network) for size in sizes}
            print(f"\n{kind}, {arguments.network} addresses; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n{table(found)}", flush=True)
    except (LabError, subprocess.SubprocessError) as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 2
    finally:
        _lab(lab, "down")
    return 0


def table(found: Mapping[int, Steps]) -> str:
    """Seconds of each step by size, in Markdown."""
    sizes = sorted(found)
    rows = [["", *(f"{size} hosts" for size in sizes), "growth"], ["---"] * (len(sizes) + 2)]
    for step in found[sizes[0]]:
        seconds = [found[size][step] for size in sizes]
        rows.append([step, *(f"{value:.0f}" for value in seconds), f"{seconds[-1] / seconds[0]:.1f}"])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _one(lab: Lab, kind: str, size: int, network: str) -> Steps:
    rack = Rack(lab, "clusters")
    machines = [Machine(f"bench-{number:02}", "bookworm", number, "root", kind == "kubernetes") for number in range(1, size + 2)]
    rack.renew(machines, 120 + 30 * len(machines))
    for machine in machines:
        rack.root(machine, "echo nameserver 198.51.100.254 >/etc/resolv-of-pods")
    found: Steps = {}
    with tempfile.TemporaryDirectory() as folder:
        play = _player(lab, rack, Path(folder), {**KINDS[kind], "fleet_cluster": kind, "fleet_cluster_network": network,
                                                 "kubernetes_kubeconfig": f"{folder}/kube.conf", "fleet_cluster_backup_folder": folder})

        def step(name: str, book: str, members: list[Machine], **more: Any) -> None:
            began = time.monotonic()
            play(book, members, more)
            found[name] = time.monotonic() - began
            lab.say(f"{kind}, {size} hosts: {name}: {found[name]:.0f} s")

        step("from nothing, with packages", kind, machines[:-1])
        step("nothing to do", kind, machines[:-1])
        step("one host more", kind, machines)
        step("a copy", "cluster_backup", machines)
        step("one host fewer", kind, machines, fleet_cluster_removed=[machines[-1].name])
        step("the end", "cluster_reset", machines[:-1], fleet_cluster_reset="fleet")
    rack.write(())
    return found


def _player(lab: Lab, rack: Rack, folder: Path, given: dict[str, Any]) -> Callable[[str, list[Machine], dict[str, Any]], None]:
    """Runs a playbook of the collection over some machines. Raises LabError with what it told."""
    environment = {**os.environ, **controller(lab), "HOME": str(folder), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_PIPELINING": "1",
                   "ANSIBLE_HOST_KEY_CHECKING": "0", "ANSIBLE_HOME": str(folder / ".ansible"), "ANSIBLE_FORKS": "10",
                   "LC_ALL": "C.UTF-8"}
    inventory = folder / "inventory.json"

    def play(book: str, members: list[Machine], more: dict[str, Any]) -> None:
        hosts = {machine.name: {**rack.variables(machine), "fleet_provider": "metal", "fleet_cloud": "metal", "fleet_region": "rack",
                                "fleet_zone": f"row-{machine.place}", "fleet_network_domain": "rack/inner", "fleet_private_ipv4": machine.private,
                                "fleet_public_ipv4": machine.ipv4} for machine in members}
        inventory.write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
        words = ["ansible-playbook", "-i", str(inventory), f"hybridops.fleet.{book}", "-e", json.dumps({**given, **more})]
        done = subprocess.run([*inside(lab), *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env=environment, timeout=3000, check=False)
        if done.returncode:
            raise LabError(f"{book} over {len(members)} hosts failed:\n{done.stdout[-3000:]}")

    return play


def _lab(lab: Lab, *words: str) -> None:
    command = [sys.executable, str(CHECKOUT / "tests" / "lab"), "--state", str(lab.root), *words]
    if subprocess.run(command, check=False).returncode and words[0] != "down":
        raise LabError(f"the lab does not do: {' '.join(words)}; what it said stands above")


if __name__ == "__main__":
    sys.exit(main())
