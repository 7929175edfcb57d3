# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lab's part "ec2": starts the EC2 and STS server, fills it, and writes the profiles the AWS tools read."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from ..core import LAB_SOURCE, Endpoint, LabError
from . import accounts


class Part(Endpoint):
    """EC2 and STS: two accounts, two regions."""

    name = "ec2"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.lab.port('ec2')}"

    @property
    def folder(self) -> Path:
        """Keys, and the AWS tools' `config` and `credentials`."""
        return self.lab.run / "aws"

    def prepare(self) -> None:
        self.lab.venv("ec2", Path(__file__).with_name("requirements.txt"))

    def start(self) -> None:
        if any(child.name == self.name and child.alive for child in self.lab.children()):
            return
        keys = accounts.load_keys(self.folder / "keys.json")
        accounts.write_profiles(self.folder, keys)
        child = self.lab.start(self.name, self._program("server", "--port", str(self.lab.port("ec2"))), _ENVIRONMENT)
        self.lab.wait_http(child, f"{self.url}/_lab/requests")

    def seed(self) -> None:
        finished = subprocess.run(
            self._program("seed", "--endpoint", self.url),
            check=False,
            capture_output=True,
            text=True,
            env={**_without_aws(), **_ENVIRONMENT},
        )
        if finished.returncode:
            raise LabError(
                f"EC2 could not be filled; the server's own log is {self.lab.log / 'ec2.log'}:\n"
                f"{finished.stderr.strip()[-1500:]}"
            )

    def env(self) -> dict[str, str]:
        return {
            "AWS_CONFIG_FILE": str(self.folder / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.folder / "credentials"),
            "AWS_PROFILE": "lab",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",  # else a tool without keys asks a metadata server, and waits
        }

    def _program(self, module: str, *words: str) -> list[str]:
        python = self.lab.venv("ec2", Path(__file__).with_name("requirements.txt")) / "bin" / "python"
        return [str(python), "-m", f"fleetlab.ec2.{module}", "--keys", str(self.folder / "keys.json"), *words]


_ENVIRONMENT = {"PYTHONPATH": str(LAB_SOURCE.parent)}


def _without_aws() -> dict[str, str]:
    """This environment without the caller's own AWS settings, which would lead the seeder elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
