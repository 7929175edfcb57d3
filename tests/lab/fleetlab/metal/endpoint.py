# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lab's part "metal": starts the Redfish endpoint and lays down the rack file."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from ..core import LAB_SOURCE, Endpoint

HERE = Path(__file__).parent
USER = "fleet"


class Part(Endpoint):
    """Metal: four systems behind Redfish, four machines in a rack file."""

    name = "metal"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.lab.port('redfish')}"

    @property
    def rack(self) -> Path:
        return self.lab.run / "racks" / "r42.yml"

    def prepare(self) -> None:
        self.lab.venv("metal", HERE / "requirements.txt")

    def start(self) -> None:
        self.rack.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(HERE / "r42.yml", self.rack)
        if any(child.name == "redfish" and child.alive for child in self.lab.children()):
            return
        command = [
            self.lab.venv("metal", HERE / "requirements.txt") / "bin" / "python",
            "-m",
            "fleetlab.metal.server",
            "--port",
            str(self.lab.port("redfish")),
            "--state",
            self._state,
        ]
        child = self.lab.start(
            "redfish",
            command,
            {"PYTHONPATH": str(LAB_SOURCE.parent), "REDFISH_USER": USER, "REDFISH_PASSWORD": self._password()},
        )
        self.lab.wait_http(child, f"{self.url}/redfish/v1/")

    def env(self) -> dict[str, str]:
        return {
            "FLEET_LAB_RACK": str(self.rack),
            "FLEET_LAB_REDFISH": self.url,
            "FLEET_LAB_REDFISH_USER": USER,
            "FLEET_LAB_REDFISH_PASSWORD": self._password(),
        }

    @property
    def _state(self) -> Path:
        return self.lab.run / "redfish"

    def _password(self) -> str:
        """This lab's password, made on first use."""
        file = self._state / "password"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            file.write_text(secrets.token_urlsafe(16), encoding="ascii")
        return file.read_text(encoding="ascii")
