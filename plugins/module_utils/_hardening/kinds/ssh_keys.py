# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kinds ``host_key`` (makes one that is missing) and ``moduli`` (takes the short ones out)."""
from __future__ import annotations

import os

from .. import undo
from ..plan import Change, Item, Plan
from ..system import System
from . import files


def plan_host_key(system: System, item: Item) -> Plan:
    """path, type. A key that is there stays, whatever it is: clients know it."""
    path = item["path"]
    if system.exists(path):
        return Plan()
    if not system.has("ssh-keygen"):
        return Plan(not_possible="there is no ssh-keygen")

    def act() -> None:
        answer = system.run(["ssh-keygen", "-q", "-t", item["type"], "-N", "", "-C", "", "-f", system.real(path)])
        if answer.rc:
            raise ValueError("ssh-keygen: " + " ".join((answer.err or answer.out).split()))
        system.written += [path, path + ".pub"]

    made = Change("path:" + path, lambda keep: [undo.of_path(system, path, keep)], act, detail=f"host key of type {item['type']} made")
    public = Change("path:" + path + ".pub", lambda keep: [{"do": "path", "path": path + ".pub", "type": "absent"}], lambda: None)
    # both are in the record before the first of them is made
    return Plan([*files.parents(system, path, 0o755), public, made])


def plan_moduli(system: System, item: Item) -> Plan:
    """path, minimum: bits. Groups that a client can ask for; a file without any is left alone, since sshd would fall back to its own."""
    path, minimum = item["path"], int(item["minimum"])
    text = system.text(path)
    lines = text.splitlines(keepends=True)
    kept = [line for line in lines if not _short(line, minimum)]
    if len(kept) == len(lines):
        return Plan()
    if not any(line.strip() and not line.startswith("#") for line in kept):
        return Plan(not_possible=f"{path} holds no group of {minimum} bits or more, so all of it stays")
    found = os.stat(system.real(path))

    def act() -> None:
        system.write(path, "".join(kept).encode(), found.st_mode & 0o7777, found.st_uid, found.st_gid)

    return Plan([Change("path:" + path, lambda keep: [undo.of_path(system, path, keep)], act, before=f"{len(lines)} lines\n",
                        after=f"{len(kept)} lines\n", detail=f"{len(lines) - len(kept)} groups shorter than {minimum} bits taken out")])


def _short(line: str, minimum: int) -> bool:
    """Size is the fifth field, one less than the bits."""
    fields = line.split()
    return len(fields) >= 7 and not line.startswith("#") and fields[4].isdigit() and int(fields[4]) + 1 < minimum
