# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lab's Google Compute Engine: where it runs, how it is filled, and how clients find it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from ..core import LAB_SOURCE, Endpoint, Lab, LabError

PROJECT = "acme-prod"  # what gcloud works on unless told otherwise


class Part(Endpoint):
    """The emulator as one part of the lab."""

    name = "gce"

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab)
        self.folder = lab.run / "gce"
        self.key_file = self.folder / "fleet-reader.json"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.lab.port('gce')}"

    def prepare(self) -> None:
        self._venv()

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        for left_over in self.folder.glob("*.json"):  # keys of an emulator that ended; a new one does not know them
            left_over.unlink()
        child = self.lab.start(
            "gce", [self._python(), "-m", "fleetlab.gce.server", "--port", str(self.lab.port("gce"))], self._paths()
        )
        self.lab.wait_http(child, f"{self.url}/_lab/")

    def seed(self) -> None:
        """:raises LabError: with the end of what the seeding said."""
        command = [str(self._python()), "-m", "fleetlab.gce.seed", "--url", self.url, "--keys", str(self.folder)]
        finished = subprocess.run(
            command, check=False, capture_output=True, text=True, env={**os.environ, **self._paths()}
        )
        if finished.returncode:
            raise LabError(f"gce: seeding failed: {finished.stderr.strip()[-1500:]}")

    def env(self) -> dict[str, str]:
        return {
            "GOOGLE_APPLICATION_CREDENTIALS": str(self.key_file),
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE": f"{self.url}/compute/v1/",
            "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE": str(
                self.key_file
            ),  # gcloud asks token_host then, not the file's token_uri
            "CLOUDSDK_AUTH_TOKEN_HOST": f"{self.url}/token",
            "CLOUDSDK_CONFIG": str(self.folder / "gcloud"),
            "CLOUDSDK_CORE_PROJECT": PROJECT,
            "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
            "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
            "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1",
            "FLEET_LAB_GCE_URL": self.url,
        }

    def _venv(self) -> Path:
        return self.lab.venv("gce", Path(__file__).with_name("requirements.txt"))

    def _python(self) -> Path:
        return self._venv() / "bin" / "python"

    @staticmethod
    def _paths() -> dict[str, str]:
        """The emulator is run from this checkout, and writes no bytecode into it."""
        return {"PYTHONPATH": str(LAB_SOURCE.parent), "PYTHONDONTWRITEBYTECODE": "1"}
