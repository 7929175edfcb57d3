# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kinds ``file`` (whole file, written once), ``absent`` and ``mode``."""
from __future__ import annotations

import glob
import os
import stat
import tempfile

from .. import undo
from ..plan import Change, Item, Plan
from ..system import System


def plan_file(system: System, item: Item) -> Plan:
    """path, content, mode ("0644"), owner, group, validate (words with "%s"; the file is refused when the program fails),
    secret (its content is never shown), parents_mode ("0755")."""
    path, data = system.target(item["path"]), item["content"].encode()
    try:
        uid, gid = system.owner(item.get("owner", system.uid)), system.group(item.get("group", system.gid))
        mode = int(str(item.get("mode", "0644")), 8)
        now = system.read(path)
    except KeyError as missing:
        return Plan(failed=f"there is no account or group {missing}")
    except OSError as failure:
        return Plan(failed=f"{path}: {failure.strerror}")
    if os.path.isdir(system.real(path)):
        return Plan(failed=f"{path} is a folder")
    if now == data and _owned(system, path) == (mode, uid, gid):
        return Plan()
    told = "" if now == data else _refused(system, item, data)
    if told:
        return Plan(failed=told)

    def act() -> None:
        system.write(path, data, mode, uid, gid)

    hidden = bool(item.get("secret"))
    change = Change("path:" + path, lambda keep: [undo.of_path(system, path, keep)], act,
                    before="" if hidden or now is None else now.decode("utf-8", "replace"), after="" if hidden else item["content"],
                    detail="written" if now is None or now != data else "mode and owner")
    return Plan([*parents(system, path, int(str(item.get("parents_mode", "0755")), 8)), change])


def plan_absent(system: System, item: Item) -> Plan:
    """path: a file or link; a folder is refused."""
    path = item["path"]
    if not system.exists(path):
        return Plan()
    real = system.real(path)
    if os.path.isdir(real) and not os.path.islink(real):
        return Plan(failed=f"{path} is a folder")
    return Plan([Change("path:" + path, lambda keep: [undo.of_path(system, path, keep)], lambda: os.unlink(real),
                        before=system.text(path) if os.path.isfile(real) else "", detail="removed")])


def plan_mode(system: System, item: Item) -> Plan:
    """path or paths (patterns), mode, owner, group. tighten (default true): only takes permissions away, never gives any.
    folders: whether folders that match are meant too (default true). besides: patterns of what is not meant. Paths that do not exist are none
    of our business."""
    patterns = item.get("paths") or [item["path"]]
    besides = set(_matches(system, item.get("besides") or []))
    wanted = None if item.get("mode") is None else int(str(item["mode"]), 8)
    changes: list[Change] = []
    for path in _matches(system, patterns):
        real = system.real(path)
        if os.path.islink(real) or path in besides:
            continue
        found = os.stat(real)
        if stat.S_ISDIR(found.st_mode) and not item.get("folders", True):
            continue
        now = stat.S_IMODE(found.st_mode)
        mode = now if wanted is None else now & wanted if item.get("tighten", True) else wanted
        try:
            uid = system.owner(item["owner"]) if item.get("owner") is not None else found.st_uid
            gid = system.group(item["group"]) if item.get("group") is not None else found.st_gid
        except KeyError as missing:
            return Plan(failed=f"there is no account or group {missing}")
        if (now, found.st_uid, found.st_gid) == (mode, uid, gid):
            continue
        changes.append(_mode_change(system, path, mode, uid, gid, f"{now:04o} {found.st_uid}:{found.st_gid}"))
    return Plan(changes)


def parents(system: System, path: str, mode: int) -> list[Change]:
    """The folders that are missing above a path, outermost first."""
    missing: list[str] = []
    folder = os.path.dirname(path)
    while folder not in ("", "/") and not system.exists(folder):
        missing.insert(0, folder)
        folder = os.path.dirname(folder)

    def change(path: str) -> Change:
        def act() -> None:
            os.makedirs(system.real(path), exist_ok=True)
            os.chmod(system.real(path), mode)
            system.written.append(path)

        return Change("path:" + path, lambda keep: [undo.of_path(system, path, keep)], act, detail="folder made")

    return [change(folder) for folder in missing]


# ---------------------------------------------------------------------------------------------------- details
def _mode_change(system: System, path: str, mode: int, uid: int, gid: int, before: str) -> Change:
    def act() -> None:
        os.chown(system.real(path), uid, gid)  # first, as it takes the set-uid bits away
        os.chmod(system.real(path), mode)

    return Change("mode:" + path, lambda keep: [undo.of_mode(system, path)], act, before=f"{before} {path}\n",
                  after=f"{mode:04o} {uid}:{gid} {path}\n", detail=f"{path} is {mode:04o} now")


def _owned(system: System, path: str) -> object:
    found = os.stat(system.real(path))
    return stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid


def _matches(system: System, patterns: list[str]) -> list[str]:
    found: list[str] = []
    for pattern in patterns:
        for real in sorted(glob.glob(system.real(pattern))):
            path = real[len(system.root):]
            if path not in found:
                found.append(path)
    return found


def _refused(system: System, item: Item, data: bytes) -> str:
    """What the program that is to validate the content says against it; empty when it is content or not there yet."""
    words = item.get("validate")
    if not words or not system.has(words[0]):
        return ""
    with tempfile.NamedTemporaryFile(prefix="hybridops-fleet-", suffix=item.get("validate_suffix", "")) as file:
        file.write(data)
        file.flush()
        answer = system.run([word.replace("%s", file.name) for word in words])
    if not answer.rc:
        return ""
    said = " ".join((answer.err.strip() or answer.out.strip()).replace(file.name, item["path"]).split())
    return "{} refuses the new {}: {}".format(words[0], item["path"], said[:500] or f"exit code {answer.rc}")
