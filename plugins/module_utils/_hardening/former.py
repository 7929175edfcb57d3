# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What was before the first run, asked what it would mean for the account that is connected now. Reads only."""
from __future__ import annotations

import tempfile
from typing import Any

from . import sshd_copy
from .facts import accounts
from .facts.sshd import STACKS, access
from .record import Record
from .system import System


def look(system: System, record: Record) -> dict[str, Any]:
    """sshd: what its former configuration comes to for the login, {} where it stays; refused: what sshd says against it; access: the keys that it
    would find; shell: the one the account would have, empty where it stays; ages: whether keys would open nothing once a password is too old."""
    login = accounts.login(system)
    texts: dict[str, str] = {}
    modes: dict[str, int] = {}
    shell = ""
    for step in [step for entry in reversed(record.entries) for step in entry["steps"]]:
        if step["do"] == "path" and step["type"] in ("file", "absent"):
            texts[step["path"]] = record.blob(step["blob"]).decode("utf-8", "replace") if step["type"] == "file" else ""
        if "mode" in step:
            modes[step["path"]] = step["mode"]
        if step["do"] == "command" and step["words"][:2] == ["usermod", "-s"] and step["words"][3:] == [login["user"]]:
            shell = step["words"][2]
    values, refused = _sshd(system, texts, login)
    stack = next((path for path in STACKS if path in texts), "")
    return {"sshd": values, "refused": refused, "access": access(system, str(login["user"]), values or _sshd(system, {}, login)[0], modes),
            "shell": shell, "ages": bool(stack) and "no_pass_expiry" in system.text(stack) and "no_pass_expiry" not in texts[stack]}


def _sshd(system: System, texts: dict[str, str], login: dict[str, Any]) -> tuple[sshd_copy.Values, str]:
    program, main = sshd_copy.server(system), sshd_copy.main_file(system)
    if not program or not main:
        return {}, ""
    with tempfile.TemporaryDirectory(prefix="hybridops-fleet-") as folder:
        trial = sshd_copy.Trial(system, program, main, folder)
        # a file that was not there says as little as an empty one
        mine = {path: text for path, text in texts.items() if path.startswith("/etc/ssh/sshd_config")}
        if texts and not mine:
            return {}, ""
        return trial.values(mine, login), trial.refused(mine)
