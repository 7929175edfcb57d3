# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Writing the reports: whole or not at all, and found out before anything is made whether it can be done."""
from __future__ import annotations

import os
import tempfile

from ansible_collections.hybridops.fleet.plugins.module_utils._fleet.errors import FleetError


def place(path: str | None) -> str | None:
    """The full path of a report, its folder made. Raises FleetError when nothing can be written there."""
    if not path:
        return None
    full = os.path.abspath(os.path.expanduser(path))
    try:
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with tempfile.TemporaryFile(dir=os.path.dirname(full)):
            pass
    except OSError as problem:
        raise FleetError("write the report", why=f"{problem.strerror}: {os.path.dirname(full)}", code="disk",
                         fix="Choose a folder that can be written.") from None
    if os.path.isdir(full):
        raise FleetError("write the report", why=f"{full} is a folder", fix="Name a file in it.", code="argument")
    return full


def write(path: str, text: str) -> None:
    """Raises OSError."""
    number, spare = tempfile.mkstemp(dir=os.path.dirname(path))
    try:
        with os.fdopen(number, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        os.chmod(spare, 0o644)
        os.replace(spare, path)
    except BaseException:
        if os.path.exists(spare):
            os.remove(spare)
        raise
