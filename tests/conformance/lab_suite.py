# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the tests of this folder share: the playbook as an operator starts it, on the running lab."""
from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lab"))

from fleetlab.cli import environment as lab_variables  # noqa: E402
from fleetlab.core import Lab  # noqa: E402
from fleetlab.hosts.endpoint import inside  # noqa: E402

__all__ = ["FLEET_FILE", "NAME", "ROOT", "SHELL_CHECKS", "Lab", "Listing", "Suite", "entries", "hosts_up", "lab", "lab_variables"]

FLEET_FILE = ROOT / "inventories" / "lab" / "fleet.yml"
NAME = re.compile(r"fleet-conformance-[a-z0-9]+-\d+")
SHELL_CHECKS = "login,fleet_keys,node_key_removed,key_stays_out"


def lab() -> Lab:
    """The lab that is meant, whether it runs or not."""
    return Lab(Path(os.environ.get("FLEET_LAB_STATE", ROOT / ".lab")))


def hosts_up() -> bool:
    """Whether hosts boot behind the lab's APIs."""
    return "hosts" in lab().state()["endpoints"]


@dataclasses.dataclass
class Suite:
    """The playbook on the lab. environment: of child processes; state: folder of the runs' notes."""

    environment: dict[str, str]
    state: Path
    folder: Path
    status: int = 0  # of the last run

    def command(self, fleet: Path = FLEET_FILE, **variables: Any) -> list[str]:
        # without hosts no packet may be sent to the lab's public addresses, which exist in its APIs only; with them they lead there
        # from the controller's namespace
        given = {"conformance_ssh": hosts_up(), **variables}
        place = inside(lab()) if hosts_up() else []
        words = [*place, "ansible-playbook", "playbooks/conformance.yml", "-e", f"fleet_file={fleet}", "-e", f"conformance_state_dir={self.state}"]
        return [*words, "-e", json.dumps(given)]

    def start(self, fleet: Path = FLEET_FILE, **variables: Any) -> subprocess.Popen[str]:
        """A run that goes on meanwhile, as the leader of a process group of its own."""
        return subprocess.Popen(self.command(fleet, **variables), cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, start_new_session=True)

    def run(self, fleet: Path = FLEET_FILE, *, status: int | None = 0, **variables: Any) -> str:
        """The output of a run that must end with that status; None: well, or because something could not be asked."""
        done = subprocess.run(self.command(fleet, **variables), cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL)
        text = done.stdout + done.stderr
        self.status = done.returncode
        assert done.returncode in ((0, 2) if status is None else (status,)), text[-6000:]
        assert "Traceback" not in text
        return text

    def sweep(self, **variables: Any) -> str:
        return self.run(conformance_sweep=True, **variables)

    def report(self, fleet: Path = FLEET_FILE, *, status: int | None = 0, **variables: Any) -> Any:
        """The report of a whole run, as its JSON tells it."""
        path = self.folder / "report.json"
        self.run(fleet, status=status, conformance_json=str(path), conformance_junit=str(self.folder / "report.xml"),
                 conformance_html=str(self.folder / "report.html"), **variables)
        return json.loads(path.read_text(encoding="utf-8"))


Listing = Callable[[], dict[str, set[str]]]


def entries(environment: Mapping[str, str]) -> dict[str, Any]:
    """The clouds of the lab's fleet file, their environment look-ups resolved."""
    text = re.sub(r"\{\{ *lookup\('(?:ansible\.builtin\.)?env', *'(\w+)'\) *\}\}", lambda found: environment.get(found[1], ""),
                  FLEET_FILE.read_text(encoding="utf-8"))
    clouds: dict[str, Any] = yaml.safe_load(text)["clouds"]
    return clouds
