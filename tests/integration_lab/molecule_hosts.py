# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Makes the lab's hosts for molecule's scenarios anew and writes their inventory: ``molecule_hosts.py FILE [fresh] [docker]``."""
from __future__ import annotations

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))

from fleetlab.core import Lab
from fleetlab.hosts import image
from fleetlab.hosts.docker import SCRIPT
from fleetlab.hosts.fresh import Machine, Rack


def main(target: Path, kinds: list[str]) -> None:
    rack = Rack(Lab(Path(os.environ["FLEET_LAB_STATE"]).resolve()), "molecule")
    suites = image.suites(os.environ.get("FLEET_LAB_SUITES"))
    wanted = [(kind, suite) for kind in kinds for suite in suites]
    rack.renew([Machine(f"{kind}-{suite}", suite, 31 + number) for number, (kind, suite) in enumerate(wanted)])
    groups: dict[str, dict[str, object]] = {kind: {} for kind in kinds}
    for (kind, _suite), machine in zip(wanted, rack.machines, strict=True):
        if kind == "docker":
            rack.root(machine, SCRIPT)
        # a connection that is open to the machine of the last scenario, which had this address, leads nowhere
        groups[kind][machine.name] = {**rack.variables(machine), "ansible_control_path_dir": str(target.with_name(f"cp{os.getpid()}"))}
    target.write_text(json.dumps({"all": {"children": {kind: {"hosts": hosts} for kind, hosts in groups.items()}}}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2:] or ["fresh"])
