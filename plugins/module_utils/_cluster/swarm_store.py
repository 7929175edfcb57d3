# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The raft store of a manager: a copy of it, and back from a copy. Runs on nodes: Python 3.7 is enough."""
from __future__ import annotations

import os
import shutil
import tarfile
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import System

from .engine_write import EngineError, answers
from .swarm_act import SwarmError, wait

FOLDER = "/var/lib/docker/swarm"
KEY = "certificates/swarm-node.key"
SEALED = ("the store is locked, and Docker brings no locked one back: with --force-new-cluster it forgets the swarm instead of asking for the key "
          "(github.com/moby/moby/issues/36852)")


def save(system: System, path: str, seconds: float) -> dict[str, Any]:
    """Stop Docker, as the store is only whole while nobody writes, copy, start Docker again whatever happened. path: of the copy, 0600."""
    if not system.exists(FOLDER + "/raft"):
        raise SwarmError("it has no raft store: it is no manager of a swarm")
    if not wait(lambda: not sealed(system.text(f"{FOLDER}/{KEY}")), min(20, seconds)):  # a manager hears a moment later that locks are off
        raise SwarmError(f"no copy is made: {SEALED}. Turn autolock off for as long as the copy takes, as docker_swarm_backup_unlocked does")
    _stop(system)
    try:
        number = os.open(system.real(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(number, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
            archive.add(system.real(FOLDER), arcname="swarm")
    finally:
        _start(system, seconds)
    return {"changed": True, "bytes": os.stat(system.real(path)).st_size}


def load(system: System, path: str, seconds: float) -> dict[str, Any]:
    """The store of a copy in place of what there is; what there was is kept beside it until the next time."""
    with tarfile.open(system.real(path), "r:gz") as archive:
        if locked(archive):
            raise SwarmError(f"nothing was changed: {SEALED}. Take another copy")
        members = archive.getmembers()
        strange = [one.name for one in members
                   if one.name.split("/")[0] != "swarm" or ".." in one.name.split("/") or not (one.isfile() or one.isdir())]
        if strange or not any(one.name.startswith("swarm/raft") for one in members):
            raise SwarmError(f"{path} is no copy of a raft store" + (f": it holds {strange[0]}" if strange else ""))
        _stop(system)
        try:
            before = system.real(FOLDER + ".before-restore")
            if os.path.isdir(system.real(FOLDER)):
                shutil.rmtree(before, ignore_errors=True)
                os.rename(system.real(FOLDER), before)
            archive.extractall(os.path.dirname(system.real(FOLDER)), members)  # noqa: S202 - every name was looked at above
        finally:
            _start(system, seconds)
    return {"changed": True}


def sealed(key: str) -> bool:
    """Whether a manager's private key is of use only with the key that unlocks it."""
    return "ENCRYPTED" in key


def locked(archive: tarfile.TarFile) -> bool:
    """Whether a copy is of a store that was locked."""
    try:
        file = archive.extractfile(f"swarm/{KEY}")
    except KeyError:
        return False
    return bool(file and sealed(file.read().decode("ascii", "replace")))


def _stop(system: System) -> None:
    """Both: the socket would start Docker again at the first question."""
    ran = system.run(["systemctl", "stop", "docker.socket", "docker.service"], None, 120)
    if ran.rc and system.run(["systemctl", "is-active", "--quiet", "docker.service"]).rc == 0:
        raise EngineError("Docker does not stop: " + ran.err.strip())


def _start(system: System, seconds: float) -> None:
    system.run(["systemctl", "reset-failed", "docker.service"])
    ran = system.run(["systemctl", "start", "docker.service"], None, seconds)
    if ran.rc or not wait(lambda: not answers(system, "docker"), seconds):
        raise EngineError("Docker does not start again: {}. Look at journalctl -u docker".format(ran.err.strip() or "no answer"))
