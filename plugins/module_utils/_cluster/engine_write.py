# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Settings of a container engine: laid over what stands there, judged by the engine itself, and put back when it does not start with them.

Runs on nodes: Python 3.7 is enough.
"""
from __future__ import annotations

import json
import os
import time
from typing import Any, Mapping, NamedTuple

from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import System

from . import toml
from .docker_api import Docker, DockerError
from .engine_look import CONTAINERD, DAEMON, STATE, WAITING

RELOADED = {"debug", "labels", "live-restore", "registry-mirrors", "insecure-registries", "max-concurrent-downloads", "max-concurrent-uploads",
            "max-download-attempts", "runtimes", "default-runtime", "features", "shutdown-timeout", "log-level"}
"""Settings of dockerd that it takes over without a restart."""
OURS = "# Written by role hybridops.fleet.container_engine.\n"
OWN = STATE + "/engine.json"
"""Names of the settings of daemon.json that come from us, so that one which is no longer wanted goes."""


class EngineError(Exception):
    """In words for an operator."""


class Written(NamedTuple):
    """before, after: the file's text, for the difference. restart: whether the running engine must be started anew; reload: or only told."""

    changed: bool
    before: str
    after: str
    restart: bool = False
    reload: bool = False


def docker(system: System, wanted: Mapping[str, Any], check: bool) -> Written:
    """Lay the settings over daemon.json; keys that others wrote stay. wanted: {} takes ours out. Raises EngineError, OSError."""
    before = system.text(DAEMON)
    try:
        present = json.loads(before) if before.strip() else {}
        own = json.loads(system.text(OWN) or "[]")
    except ValueError as problem:
        raise EngineError(f"{DAEMON} is no JSON ({problem}). Mend or remove it, then run again") from None
    if not isinstance(present, dict):
        raise EngineError(f"{DAEMON} holds no settings but a {type(present).__name__}. Mend or remove it, then run again")
    merged = {key: value for key, value in present.items() if key not in own or key in wanted}
    merged.update(wanted)
    changes = {key for key in {*present, *merged} if present.get(key) != merged.get(key)}
    after = json.dumps(merged, indent=2, sort_keys=True) + "\n" if merged else ""
    if changes and not check:
        _judge(system, after)
        _put(system, DAEMON, after, before, "docker", restart=not changes <= RELOADED)
    if not check and sorted(wanted) != own:
        _keep(system, OWN, json.dumps(sorted(wanted)) + "\n")
    if not changes:
        return Written(False, before, before)
    return Written(True, before, after, restart=not changes <= RELOADED, reload=changes <= RELOADED)


def containerd(system: System, wanted: Mapping[str, Any], hosts: Mapping[str, Any], check: bool) -> Written:
    """containerd's whole configuration, and a hosts.toml for each registry (``hosts``: registry -> its content). Raises EngineError, OSError."""
    before, changed = system.text(CONTAINERD), False
    try:
        after = OURS + toml.text(wanted)
        files = {f"/etc/containerd/certs.d/{name}/hosts.toml": toml.text(content) for name, content in hosts.items()}
    except ValueError as problem:
        raise EngineError(str(problem)) from None
    for path, content in files.items():  # read at every pull, so they need no restart
        if system.text(path) != content:
            changed = True
            if not check:
                os.makedirs(system.real(os.path.dirname(path)), exist_ok=True)
                system.write(path, content.encode(), 0o644)
    if before == after:
        return Written(changed, before, before)
    if not check:
        _put(system, CONTAINERD, after, before, "containerd", restart=True)
    return Written(True, before, after, restart=True)


def no_containerd(system: System, check: bool) -> Written:
    """Its configuration goes where it came from here."""
    before = system.text(CONTAINERD)
    if not before.startswith(OURS):
        return Written(False, before, before)
    if not check:
        os.unlink(system.real(CONTAINERD))
    return Written(True, before, "")


def _judge(system: System, text: str) -> None:
    """Ask dockerd itself, which can do so from release 23 on. Raises EngineError with what it says."""
    if not text or "--validate" not in system.run(["dockerd", "--help"]).out:
        return
    spare = DAEMON + ".fleet-new"
    os.makedirs(system.real(os.path.dirname(DAEMON)), exist_ok=True)
    system.write(spare, text.encode(), 0o600)
    try:
        ran = system.run(["dockerd", "--validate", "--config-file", spare])
    finally:
        os.unlink(system.real(spare))
    if ran.rc:
        said = (ran.err or ran.out).strip().splitlines()
        raise EngineError("dockerd does not accept these settings, so nothing was changed: " + (said[-1] if said else f"exit {ran.rc}"))


def _put(system: System, path: str, after: str, before: str, engine: str, restart: bool) -> None:
    _keep(system, f"{STATE}/{os.path.basename(path)}.before", before)
    os.makedirs(system.real(os.path.dirname(path)), exist_ok=True)
    if after:
        system.write(path, after.encode(), 0o644)
    else:
        os.unlink(system.real(path))
    if restart and system.unit(engine + ".service").get("ActiveState") == "active":
        os.makedirs(system.real(os.path.dirname(WAITING)), exist_ok=True)
        system.write(WAITING % engine, b"", 0o644)


def _keep(system: System, path: str, text: str) -> None:
    os.makedirs(system.real(STATE), mode=0o700, exist_ok=True)
    system.write(path, text.encode(), 0o600)


# ---------------------------------------------------------------------------------------------------- starting anew
def restart(system: System, engine: str, seconds: float) -> dict[str, Any]:
    """Start the engine anew and wait until it answers; where it does not, its former settings come back. Raises EngineError."""
    path = DAEMON if engine == "docker" else CONTAINERD
    trouble = _start(system, engine, seconds)
    if trouble:
        kept = f"{STATE}/{os.path.basename(path)}.before"
        if not system.exists(kept) or not system.exists(WAITING % engine):
            raise EngineError(f"{engine} does not start: {trouble}. Look at journalctl -u {engine}")
        former = system.text(kept)
        if former:
            system.write(path, former.encode(), 0o644)
        elif system.exists(path):
            os.unlink(system.real(path))
        again = _start(system, engine, seconds)
        state = "its former settings are back and it runs" if not again else f"with its former settings it does not start either: {again}"
        raise EngineError(f"{engine} does not start with the new settings: {trouble}. {state[0].upper() + state[1:]}")
    if system.exists(WAITING % engine):
        os.unlink(system.real(WAITING % engine))
    return {"changed": True}


def _start(system: System, engine: str, seconds: float) -> str:
    """What is wrong, empty when the engine answers."""
    system.run(["systemctl", "reset-failed", engine + ".service"])
    ran = system.run(["systemctl", "restart", engine + ".service"], None, seconds)
    if ran.rc == 0:
        deadline = time.monotonic() + seconds
        while True:
            trouble = answers(system, engine)
            if not trouble or time.monotonic() > deadline:
                return trouble
            time.sleep(0.5)
    journal = system.run(["journalctl", "--no-pager", "-q", "-o", "cat", "-n", "30", "-u", engine + ".service"]).out.splitlines()
    telling = [line for line in journal if "level=fatal" in line or "unable to" in line or "failed to" in line or "level=error" in line]
    return (telling or journal or [ran.err.strip() or "no reason was told"])[-1].strip()[-400:]


def answers(system: System, engine: str) -> str:
    """What keeps it from answering, empty when it does."""
    if engine == "docker":
        try:
            Docker(timeout=5).get("/_ping")
        except DockerError as failure:
            return str(failure)
        return ""
    ran = system.run(["ctr", "version"], None, 10)
    return "" if ran.rc == 0 else (ran.err.strip().splitlines() or ["containerd gives no answer"])[-1]
