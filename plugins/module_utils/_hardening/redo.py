# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The way forward again: what a restore is about to take away, as steps of ``undo`` that the dead man's switch performs unless somebody confirms.

Steps without such a way (a password that opens again, a group that goes) only ever let more people in, so they need none.
"""
from __future__ import annotations

from . import undo
from .kinds.accounts import AGES
from .kinds.mounts import mounted
from .kinds.nft_table import loads
from .system import System
from .undo import Step

Entry = undo.Step
"""{"key", "steps"} of the record."""
LASTING = ("enabled", "disabled", "masked")


def entry(system: System, old: Entry) -> Entry:
    """What brings back how things are now, for all that an entry of the record would bring back to how they were. Raises OSError."""
    if old["key"].startswith("nft:"):
        return {"key": old["key"], "steps": [loads(system, old["key"].split(":", 1)[1])]}
    steps = [step for one in old["steps"] for step in _now(system, one)]
    return {"key": old["key"], "steps": steps}


def _now(system: System, step: Step) -> list[Step]:
    do = step["do"]
    if do == "path":
        return [undo.of_path(system, step["path"], undo.blob_name)]
    if do == "mode":
        return [undo.of_mode(system, step["path"])] if system.exists(step["path"]) else []
    if do == "sysctl":
        value = undo.read_sysctl(system, step["key"])
        return [] if value is None else [{"do": "sysctl", "key": step["key"], "value": value}]
    if do == "unit":
        unit = system.unit(step["name"])
        state = unit.get("UnitFileState", "")
        return [{"do": "unit", "name": step["name"], "enabled": state if state in LASTING else "",
                 "active": unit.get("ActiveState") in ("active", "activating", "reloading")}] if unit else []
    words = _command(system, step["words"])
    return [{"do": "command", "words": words}] if words else []


def _command(system: System, words: list[str]) -> list[str]:
    if words[:2] == ["usermod", "-s"]:
        fields = _fields(system, "/etc/passwd", words[3], 7)
        return ["usermod", "-s", fields[6], words[3]] if fields else []
    if words[0] == "chage":
        fields = _fields(system, "/etc/shadow", words[3], 8)
        place = next((place for _key, place, option in AGES if option == words[1]), None)
        return ["chage", words[1], fields[place] or "-1", words[3]] if fields and place is not None else []
    if words[:2] == ["mount", "-o"]:
        now = mounted(system, words[-1])
        return ["mount", "-o", "remount," + _flags(now["options"]), words[-1]] if now else []
    if words[:2] == ["authselect", "disable-feature"]:
        return ["authselect", "enable-feature", words[2]]
    return []


def _fields(system: System, path: str, name: str, least: int) -> list[str]:
    return next((line.split(":") for line in system.text(path).splitlines() if line.split(":")[0] == name and line.count(":") >= least - 1), [])


def _flags(options: str) -> str:
    had = options.split(",")
    return ",".join(word if word in had else opposite for word, opposite in (("nodev", "dev"), ("nosuid", "suid"), ("noexec", "exec")))
