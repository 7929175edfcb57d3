# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the witness programs share: where the emulator is, and how google-auth is kept on this machine."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from google.auth import credentials

URL = os.environ["FLEET_LAB_GCE_URL"]
PROJECT = os.environ["WITNESS_PROJECT"]
ZONE = "us-central1-a"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"


def keep_local() -> None:
    """google-auth asks Google in the background where an account may be used, and has no switch for that."""
    boundary: Any = credentials.CredentialsWithRegionalAccessBoundary
    boundary._maybe_start_regional_access_boundary_refresh = lambda self, request, url: None


def main(*programs: Callable[[], Any]) -> None:
    """Run the program named on the command line and print its result as JSON."""
    keep_local()
    chosen = {program.__name__: program for program in programs}[sys.argv[1]]
    print(json.dumps(chosen()))


def instance_body(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "machineType": f"zones/{ZONE}/machineTypes/e2-small",
        "disks": [
            {
                "boot": True,
                "autoDelete": True,
                "initializeParams": {"sourceImage": "projects/debian-cloud/global/images/family/debian-12"},
            }
        ],
        "networkInterfaces": [{"accessConfigs": [{"type": "ONE_TO_ONE_NAT", "name": "External NAT"}]}],
    }
