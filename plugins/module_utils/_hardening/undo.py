# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What was there before, as plain steps that bring it back.

A step is a dict that goes into JSON, so that a later run, or the dead man's switch, can perform it without this code:

``{"do": "path", "path", "type": "absent"}``                                 remove what is there (a folder only when it is empty)
``{"do": "path", "path", "type": "file", "mode", "uid", "gid", "blob"}``      a file; ``blob`` names its content in ``<folder>/blobs``
``{"do": "path", "path", "type": "link", "link"}``                           a symbolic link
``{"do": "path", "path", "type": "folder", "mode", "uid", "gid"}``            a folder
``{"do": "mode", "path", "mode", "uid", "gid"}``                              mode and owner only
``{"do": "sysctl", "key", "value"}``                                         a running value of the kernel
``{"do": "unit", "name", "enabled": "enabled|disabled|masked|...", "active": bool}``
``{"do": "command", "words": [...], "check": [...], "text": str}``            a program; ``check`` prints ``text`` when it is as before
"""
from __future__ import annotations

import hashlib
import os
import stat
from typing import Any, Callable, Dict

from .system import System

Step = Dict[str, Any]
Keep = Callable[[bytes], str]
"""Takes a content into safe-keeping and gives the name under which it is found again."""


def blob_name(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def of_path(system: System, path: str, keep: Keep) -> Step:
    """The step that brings back what is at ``path`` now. Raises OSError."""
    real = system.real(path)
    try:
        found = os.lstat(real)
    except (FileNotFoundError, NotADirectoryError):
        return {"do": "path", "path": path, "type": "absent"}
    if stat.S_ISLNK(found.st_mode):
        return {"do": "path", "path": path, "type": "link", "link": os.readlink(real)}
    common = {"do": "path", "path": path, "mode": stat.S_IMODE(found.st_mode), "uid": found.st_uid, "gid": found.st_gid}
    if stat.S_ISDIR(found.st_mode):
        return dict(common, type="folder")
    return dict(common, type="file", blob=keep(system.read(path) or b""))


def of_mode(system: System, path: str) -> Step:
    found = os.stat(system.real(path))
    return {"do": "mode", "path": path, "mode": stat.S_IMODE(found.st_mode), "uid": found.st_uid, "gid": found.st_gid}


def put_back(system: System, step: Step, blob: Callable[[str], bytes]) -> None:
    """Perform a step. Raises OSError, or ValueError in words."""
    {"path": _path, "mode": _mode, "sysctl": _sysctl, "unit": _unit, "command": _command}[step["do"]](system, step, blob)


def differs(system: System, step: Step, blob: Callable[[str], bytes], modes: bool = True) -> str:
    """What is not as the step says, in words; empty when all is. modes: whether mode and owner count."""
    do = step["do"]
    if do in ("path", "mode"):
        return _path_differs(system, step, modes)
    if do == "sysctl":
        now = read_sysctl(system, step["key"])  # None: gone with its interface
        return "" if now in (step["value"], None) else "{} is {}, was {}".format(step["key"], now, step["value"])
    if do == "unit":
        unit = system.unit(step["name"])
        told: list[str] = []
        if not unit:
            return ""
        if step.get("enabled") and unit.get("UnitFileState", "") != step["enabled"]:
            told.append("is {}, was {}".format(unit.get("UnitFileState"), step["enabled"]))
        if step.get("active") is not None and (unit.get("ActiveState") in ("active", "activating", "reloading")) != step["active"]:
            told.append("runs no more" if step["active"] else "still runs")
        return "{} {}".format(step["name"], ", ".join(told)) if told else ""
    if step.get("check"):
        answer = system.run(step["check"])
        if answer.out.strip() != str(step.get("text", "")).strip():
            return "{} tells something else than before".format(" ".join(step["check"]))
    return ""


def sysctl_path(key: str) -> str:
    """``net.ipv4.conf.eth0/1.x`` is the way to write an interface whose name holds a dot."""
    return "/proc/sys/" + "/".join(part.replace("/", ".") for part in key.split("."))


def read_sysctl(system: System, key: str) -> str | None:
    """Its running value with single blanks; None when the kernel does not have it or does not show it."""
    try:
        data = system.read(sysctl_path(key))
    except OSError:
        return None
    return None if data is None else " ".join(data.decode("utf-8", "replace").split())


def write_sysctl(system: System, key: str, value: str) -> None:
    """Raises OSError."""
    with open(system.real(sysctl_path(key)), "w", encoding="utf-8") as file:
        file.write(value + "\n")


# ---------------------------------------------------------------------------------------------------- details
def _path(system: System, step: Step, blob: Callable[[str], bytes]) -> None:
    path, kind = step["path"], step["type"]
    real = system.real(path)
    there = os.path.lexists(real)
    is_folder = os.path.isdir(real) and not os.path.islink(real)
    if kind == "absent":
        if is_folder:
            if not os.listdir(real):
                os.rmdir(real)
        elif there:
            os.unlink(real)
        return
    if kind == "folder":
        if not is_folder:
            os.makedirs(real)
        _mode(system, step, blob)
        return
    if is_folder:
        raise ValueError(f"{path} is a folder now")
    os.makedirs(os.path.dirname(real), exist_ok=True)
    if kind == "link":
        if there:
            os.unlink(real)
        os.symlink(step["link"], real)
        return
    if there and os.path.islink(real):
        os.unlink(real)
    system.write(path, blob(step["blob"]), step["mode"], step["uid"], step["gid"])


def _mode(system: System, step: Step, _blob: Callable[[str], bytes]) -> None:
    real = system.real(step["path"])
    if os.path.exists(real):
        os.chown(real, step["uid"], step["gid"])
        os.chmod(real, step["mode"])


def _sysctl(system: System, step: Step, _blob: Callable[[str], bytes]) -> None:
    if system.exists(sysctl_path(step["key"])) and read_sysctl(system, step["key"]) != step["value"]:
        write_sysctl(system, step["key"], step["value"])


def _unit(system: System, step: Step, _blob: Callable[[str], bytes]) -> None:
    if not system.systemd:
        return
    for words in unit_commands(step, system.unit(step["name"])):
        answer = system.run(words)
        if answer.rc:
            raise ValueError("{}: {}".format(" ".join(words), answer.err.strip() or answer.rc))
    system.forget_units()


def unit_commands(step: Step, now: dict[str, str]) -> list[list[str]]:
    """The calls of systemctl that bring a unit back from how it is now."""
    name, was, is_now = step["name"], step.get("enabled") or "", now.get("UnitFileState", "")
    commands: list[list[str]] = []
    if is_now != was and was:
        if is_now == "masked":
            commands.append(["systemctl", "unmask", name])
        if was == "masked":
            commands.append(["systemctl", "mask", name])
        elif was == "enabled":
            commands.append(["systemctl", "enable", name])
        elif was == "disabled":
            commands.append(["systemctl", "disable", name])
    if step.get("active") is not None and step["active"] != (now.get("ActiveState") in ("active", "activating", "reloading")):
        commands.append(["systemctl", "start" if step["active"] else "stop", name])
    return commands


def _command(system: System, step: Step, _blob: Callable[[str], bytes]) -> None:
    answer = system.run(step["words"])
    if answer.rc:
        raise ValueError("{}: {}".format(" ".join(step["words"]), (answer.err or answer.out).strip() or answer.rc))


def _path_differs(system: System, step: Step, modes: bool) -> str:
    path = step["path"]
    if step["do"] == "mode":
        if not system.exists(path):
            return ""
        now: Step = of_mode(system, path)
    else:
        now = of_path(system, path, blob_name)
    names = {"type": "kind", "blob": "content", "mode": "mode", "uid": "owner", "gid": "group", "link": "target"}
    if step.get("type") == "absent" and now.get("type") == "folder":
        return ""  # others have put something into it
    told = [word for name, word in names.items()
            if now.get(name) != step.get(name) and (modes or name not in ("mode", "uid", "gid"))]
    return "{}: {}".format(path, ", ".join(told)) if told else ""
