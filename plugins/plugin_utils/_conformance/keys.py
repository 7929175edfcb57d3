# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Key pairs of a run: one for the first login, one that stands for the fleet's."""
from __future__ import annotations

import os
import subprocess

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError


def make(place: str, name: str) -> tuple[str, str]:
    """An ed25519 pair in that folder: file of the private part (0600), and the public line. Raises FleetError."""
    path = os.path.join(place, name)
    try:
        done = subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path],
                              capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise FleetError("make a key", why=f"ssh-keygen: {problem}", fix="Install the OpenSSH client.", code="ssh_keygen") from None
    if done.returncode:
        raise FleetError("make a key", why=done.stderr.strip()[-200:], fix="Look at ssh-keygen on this machine.", code="ssh_keygen")
    os.chmod(path, 0o600)
    with open(f"{path}.pub", encoding="utf-8") as file:
        return path, file.read().strip()
