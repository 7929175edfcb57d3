# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One host as a container: systemd under systemd-nspawn, on an overlay of the base image, in a network namespace made before.

Nothing is left mounted in the machine's own mount namespace: each host has a supervisor (a shell) in one of its own, which mounts the
overlay and starts the container again after a reboot from inside; with the supervisor the mounts go too.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from ..core import Child
from . import cloudinit, kubelet
from .model import Host

_HIERARCHIES = ("systemd", "unified", "memory", "pids", "cpu", "cpuacct", "cpu,cpuacct", "devices")
_POWER_OFF, _REBOOT = 4, 5  # what systemd takes SIGRTMIN+n for
_REBOOTED = 133  # exit status with which nspawn asks to be started again
_WEIGHT = 12
"""CPU of a lab's hosts, all of them together, in ordinary processes: with that of one they would starve beside the controller that works on them,
until their sshd answers nobody."""
TUN = Path("/dev/net/tun")
"""With it a program in a host makes network interfaces, as WireGuard without the kernel's help does; passed on where the machine has it."""
_SUPERVISE = """\
mount -t overlay overlay -o lowerdir={lower},upperdir=upper,workdir=work root || exit 1
while :; do
  sh -c 'for c in {cgroups}; do echo $$ >$c/cgroup.procs; done; exec {nspawn}'
  status=$?
  [ $status = {rebooted} ] || break
done
echo $status >exit
"""


class Container:
    """One host's folder and, while it runs, its processes."""

    def __init__(self, folder: Path, group: str, number: int) -> None:
        """:param group: the lab's own name in the cgroup trees."""
        self.folder = folder
        self.number = number
        self._cgroup = f"{group}/h{number}"
        self._facts = folder / "container.json"

    # -- what is known of it ----------------------------------------------------------------------------------
    def facts(self) -> dict[str, Any]:
        try:
            known: dict[str, Any] = json.loads(self._facts.read_text(encoding="utf-8"))
            return known
        except (FileNotFoundError, ValueError):
            return {}

    def note(self, **facts: object) -> None:
        spare = self._facts.with_suffix(".new")
        spare.write_text(json.dumps({**self.facts(), **facts}), encoding="utf-8")
        spare.replace(self._facts)

    @property
    def supervisor(self) -> Child | None:
        process = self.facts().get("process")
        return Child(**process) if process else None

    @property
    def alive(self) -> bool:
        supervisor = self.supervisor
        return supervisor is not None and supervisor.alive

    @property
    def console(self) -> Path:
        return self.folder / "console"

    @property
    def halted(self) -> bool:
        """It ended by itself and in order, from inside."""
        try:
            return (self.folder / "exit").read_text(encoding="ascii").strip() == "0"
        except FileNotFoundError:
            return False

    def leader(self) -> int | None:
        """PID 1 of the host, as the machine knows it."""
        supervisor = self.supervisor
        return next(_inits(supervisor.pid), None) if supervisor and supervisor.alive else None

    def ready(self) -> bool:
        """cloud-init has done all of its work on this boot."""
        leader = self.leader()
        try:
            return bool(leader) and Path(f"/proc/{leader}/root/run/cloud-init/result.json").exists()
        except OSError:
            return False

    # -- life -------------------------------------------------------------------------------------------------
    def make_disk(self, host: Host, base: Path, install_key: str, password: str | None) -> None:
        """A new disk: what makes this machine differ from its image, laid over it."""
        shutil.rmtree(self.folder / "upper", ignore_errors=True)
        for name in ("upper", "work", "root", "docker", "containerd", *kubelet.FOLDERS):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        cloudinit.write(self.folder / "upper", host, base, install_key, password)
        if host.kubelet:
            kubelet.furnish(self.folder / "upper")
        machine_id = self.folder / "upper/etc/machine-id"
        machine_id.write_text(uuid.uuid4().hex + "\n", encoding="ascii")
        self.console.write_bytes(b"")

    def start(self, host: Host, namespace: Path, base: Path, facts_layer: Path, repository: Path, kubernetes: Path | None = None) -> None:
        """Boot. Returns at once. kubernetes: what a host that may run kubelet sees of what the lab has built."""
        for name in ("exit", "started"):
            (self.folder / name).unlink(missing_ok=True)
        script = _SUPERVISE.format(
            lower=f"{facts_layer}:{base}",
            rebooted=_REBOOTED,
            cgroups=" ".join(map(str, self._make_cgroups(host.kubelet))),
            nspawn=shlex.join(self._nspawn(host, namespace, repository, kubernetes)).replace("'", "'\\''"),
        )
        environment = {
            "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
            "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "0" if host.kubelet and _has_version_1() else "1",
            "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "1",
            "SYSTEMD_SECCOMP": "0",
        }
        with self.console.open("ab") as console:
            process = subprocess.Popen(
                ["unshare", "--mount", "--propagation=slave", "sh", "-c", script],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
                cwd=self.folder,
                env=environment,
            )
        self.note(process={"name": host.key, "pid": process.pid, "started": Child.start_ticks(process.pid) or 0}, began=time.time())

    def _nspawn(self, host: Host, namespace: Path, repository: Path, kubernetes: Path | None) -> list[str]:
        return [
            "systemd-nspawn",
            "--quiet",
            "--register=no",
            "--keep-unit",
            "--console=read-only",
            f"--kill-signal=SIGRTMIN+{_POWER_OFF}",
            f"--directory={self.folder}/root",
            f"--machine=h{self.number}",
            f"--hostname={host.hostname}",
            f"--network-namespace-path={namespace}",
            "--capability=all",
            "--drop-capability=CAP_SYS_TIME",
            "--resolv-conf=off",
            "--timezone=off",
            "--link-journal=no",
            f"--setenv=product_name={cloudinit.PRODUCTS[host.cloud]}",
            f"--bind={self.folder}/docker:/var/lib/docker",
            f"--bind={self.folder}/containerd:/var/lib/containerd",
            f"--bind-ro={repository}:/srv/repo",
            *(kubelet.options(self.folder, kubernetes) if host.kubelet else ()),
            *(["--bind=/dev/net/tun"] if TUN.exists() else []),
            "--boot",
        ]

    def reboot(self) -> None:
        self._signal(signal.SIGRTMIN + _REBOOT)

    def power_off(self) -> None:
        self._signal(signal.SIGRTMIN + _POWER_OFF)

    def _signal(self, number: int) -> None:
        leader = self.leader()
        if leader:
            try:
                os.kill(leader, number)
            except ProcessLookupError:
                return

    def kill(self) -> None:
        """End it now. The container's PID 1 takes all of its processes along; then the supervisor ends by itself."""
        self._signal(signal.SIGKILL)
        supervisor = self.supervisor
        deadline = time.monotonic() + 5
        while supervisor and supervisor.alive and time.monotonic() < deadline:
            time.sleep(0.02)
            self._signal(signal.SIGKILL)  # it may have been about to start
        if supervisor and supervisor.alive:
            try:
                os.killpg(supervisor.pid, signal.SIGKILL)
            except ProcessLookupError:
                return

    def remove(self) -> None:
        """Kill it and delete its disk."""
        self.kill()
        self.remove_cgroups()
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- cgroups ----------------------------------------------------------------------------------------------
    def _make_cgroups(self, all_controllers: bool) -> list[Path]:
        """A cgroup of its own in every tree: the container's are made below the one it is started in."""
        made = []
        for tree in cgroup_trees((*_HIERARCHIES, *kubelet.CONTROLLERS) if all_controllers else _HIERARCHIES):
            folder = tree / self._cgroup
            folder.mkdir(parents=True, exist_ok=True)
            _weigh(folder.parent)
            if all_controllers:
                kubelet.fill_cpuset(folder)
            made.append(folder)
        return made

    def remove_cgroups(self) -> None:
        for tree in cgroup_trees():
            remove_cgroup(tree / self._cgroup)

    def cost(self) -> dict[str, float]:
        """CPU seconds and MiB of memory this boot has used so far."""
        found: dict[str, float] = {}
        for tree in cgroup_trees():
            folder = tree / self._cgroup
            for name, key, unit in (
                ("cpuacct.usage", "cpu_seconds", 1e9),
                ("memory.usage_in_bytes", "memory_mib", 2**20),
                ("memory.current", "memory_mib", 2**20),
            ):
                try:
                    found[key] = round(int((folder / name).read_text(encoding="ascii")) / unit, 1)
                except (OSError, ValueError):
                    continue
            try:
                rows = dict(line.split() for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines())
                found["rss_mib"] = round(int(rows.get("total_rss", rows.get("anon", 0))) / 2**20, 1)
                usage = dict(line.split() for line in (folder / "cpu.stat").read_text(encoding="ascii").splitlines())
                found.setdefault("cpu_seconds", round(int(usage["usage_usec"]) / 1e6, 1))
            except (OSError, ValueError, KeyError):
                continue
        return found


def _weigh(group: Path) -> None:
    """Give the lab's group its share, in a tree that counts CPU (of version 1, of version 2)."""
    for name, of_one_process in (("cpu.shares", 1024), ("cpu.weight", 100)):
        with contextlib.suppress(OSError):
            if (group / name).exists():
                (group / name).write_text(str(_WEIGHT * of_one_process), encoding="ascii")


def _has_version_1() -> bool:
    return any(tree.name == "memory" for tree in cgroup_trees())


def cgroup_trees(named: Collection[str] = (*_HIERARCHIES, *kubelet.CONTROLLERS)) -> list[Path]:
    """Where this machine's cgroup hierarchies of these names are mounted: several with v1, one with v2, whatever it is called."""
    trees = []
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _device, place, kind, *_rest = line.split()
        if kind == "cgroup2" or (kind == "cgroup" and Path(place).name in named):
            trees.append(Path(place))
    return trees


def remove_cgroup(folder: Path) -> None:
    """Remove a cgroup and those in it; a process that still ends is waited for."""
    if not folder.is_dir():
        return
    for _attempt in range(50):
        for inner, _folders, _files in os.walk(folder, topdown=False):  # which goes on where a folder goes while it looks
            with contextlib.suppress(OSError):
                os.rmdir(inner)
        if not folder.is_dir():
            return
        try:
            folder.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.02)


def _inits(pid: int) -> Iterator[int]:
    """Descendants of a process that are PID 1 of a namespace."""
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            listed = children.read_text(encoding="ascii").split()
        except OSError:
            continue
        for child in map(int, listed):
            try:
                status = Path(f"/proc/{child}/status").read_text(encoding="ascii", errors="replace")
            except OSError:
                continue
            namespaced = next((line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:")), [])
            if len(namespaced) > 1 and namespaced[-1] == "1":
                yield child
            else:
                yield from _inits(child)
