# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kind ``mount``: options of what is mounted, now and at the next boot."""
from __future__ import annotations

import re

from .. import undo
from ..plan import Change, Item, Plan
from ..system import System
from ..undo import Step

OPPOSITE = {"nodev": "dev", "nosuid": "suid", "noexec": "exec"}
LASTING = ("defaults", "nofail", "relatime", "noatime", "mode", "size", "uid", "gid")


def plan(system: System, item: Item) -> Plan:
    """path, options (nodev, nosuid, noexec ...). What is not a mount of its own is told and no failure. fstab: false where a unit of
    systemd that another item writes holds the options for the next boot."""
    path, wanted = item["path"], list(item["options"])
    if system.image:
        return Plan(not_possible="this is an image; what is mounted there belongs to the machine that builds it")
    now = mounted(system, path)
    if now is None:
        return Plan(not_possible=f"{path} is no file system of its own")
    missing = [option for option in wanted if option not in now["options"].split(",")]
    changes: list[Change] = []
    if missing:
        changes.append(_remount(system, path, now["options"], missing))
    text = system.text("/etc/fstab")
    if item.get("fstab", True) and with_options(text, path, now, wanted) != text:
        changes.append(_fstab(system, path, now, wanted))
    return Plan(changes)


def mounted(system: System, path: str) -> dict[str, str] | None:
    """device, type, options of the last file system mounted there."""
    found = None
    for line in system.text("/proc/self/mounts").splitlines():
        fields = line.split()
        if len(fields) >= 4 and fields[1].replace("\\040", " ") == path:
            found = {"device": fields[0], "type": fields[2], "options": fields[3]}
    return found


def with_options(text: str, path: str, now: dict[str, str], wanted: list[str]) -> str:
    """fstab with these options for a path; a new row where there is none, for file systems in memory only: others are mounted by somebody
    who knows more than this table."""
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        fields = re.findall(r"\S+", line)
        if len(fields) >= 4 and not line.lstrip().startswith("#") and fields[1] == path:
            options = fields[3].split(",")
            add = [option for option in wanted if option not in options]
            if add:
                drop = [OPPOSITE.get(option) for option in wanted]
                fields[3] = ",".join([option for option in options if option not in drop] + add)
                lines[number] = "\t".join(fields) + "\n"
            return "".join(lines)
    if now["type"] != "tmpfs":
        return text
    kept = [option for option in now["options"].split(",") if option.split("=")[0] in ("mode", "size", "nr_inodes")]
    row = "\t".join(["tmpfs", path, "tmpfs", ",".join(["rw", *wanted, *kept]), "0", "0"])
    return text + ("" if not text or text.endswith("\n") else "\n") + row + "\n"


# ---------------------------------------------------------------------------------------------------- details
def _remount(system: System, path: str, options: str, missing: list[str]) -> Change:
    had = options.split(",")
    old = ",".join(option if option in had else OPPOSITE[option] for option in OPPOSITE)

    def back(_keep: undo.Keep) -> list[Step]:
        return [{"do": "command", "words": ["mount", "-o", "remount," + old, path]}]

    def act() -> None:
        answer = system.run(["mount", "-o", "remount," + ",".join(missing), path])
        if answer.rc:
            raise ValueError("mount: " + (answer.err or answer.out).strip())

    return Change("mount:" + path, back, act, before=f"{path} {options}\n", after="{} {}\n".format(path, ",".join(had + missing)),
                  detail="{} {}".format(path, ",".join(missing)))


def _fstab(system: System, path: str, now: dict[str, str], wanted: list[str]) -> Change:
    def act() -> None:  # read again: another item may have changed its own row meanwhile
        system.write("/etc/fstab", with_options(system.text("/etc/fstab"), path, now, wanted).encode(), 0o644)

    text = system.text("/etc/fstab")
    return Change("path:/etc/fstab", lambda keep: [undo.of_path(system, "/etc/fstab", keep)], act, before=text,
                  after=with_options(text, path, now, wanted), detail="/etc/fstab: {} {}".format(path, ",".join(wanted)))
