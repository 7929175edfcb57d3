# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The release, the kind of machine, the kernel and what is mounted."""
from __future__ import annotations

import os
import platform
from typing import Any, Sequence

from .. import undo
from ..system import System


def release(system: System) -> dict[str, Any]:
    """id, like, version ("12", "24.04"), major (12, 24), codename, name. From os-release."""
    found: dict[str, str] = {}
    text = system.text("/etc/os-release") or system.text("/usr/lib/os-release")
    for line in text.splitlines():
        if "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found[key.strip()] = value.strip().strip("\"'")
    version = found.get("VERSION_ID", "")
    major = version.split(".")[0]
    return {"id": found.get("ID", "linux"), "like": found.get("ID_LIKE", "").split(), "version": version,
            "major": int(major) if major.isdigit() else None, "codename": found.get("VERSION_CODENAME", ""), "name": found.get("PRETTY_NAME", "")}


def virtual(system: System) -> dict[str, Any]:
    """kind: what systemd-detect-virt says ("none", "kvm", "lxc", ...). container: whether the kernel is somebody else's. image: whether
    nothing runs here, as in a chroot or an image that is being built."""
    kind = system.run(["systemd-detect-virt"]).out.strip() or "unknown"
    container = system.run(["systemd-detect-virt", "--container", "--quiet"]).rc == 0
    marks = [path for path in ("/.dockerenv", "/run/.containerenv") if system.exists(path)]
    return {"kind": kind, "container": container or bool(marks), "image": not system.systemd}


def about(system: System) -> dict[str, Any]:
    """release; machine: the architecture; modules: whether any can be loaded; loaded: those that are; efi: booted by UEFI; apparmor, selinux;
    command_line; filesystems that the kernel knows."""
    loaded = [line.split()[0] for line in system.text("/proc/modules").splitlines() if line]
    apparmor = system.text("/sys/module/apparmor/parameters/enabled").strip() == "Y"
    enforce = system.text("/sys/fs/selinux/enforce").strip()
    kernel = platform.release()
    return {"release": kernel, "machine": platform.machine(),
            "modules": bool(loaded) and system.has("modprobe"), "loaded": loaded, "efi": system.exists("/sys/firmware/efi"),
            "apparmor": apparmor, "selinux": {"1": "enforcing", "0": "permissive"}.get(enforce, "off"),
            "command_line": system.text("/proc/cmdline").strip(),
            "filesystems": sorted({line.split()[-1] for line in system.text("/proc/filesystems").splitlines() if line})}


def sysctl(system: System, keys: Sequence[str]) -> dict[str, str]:
    """Running values of those that exist."""
    found: dict[str, str] = {}
    for key in keys:
        value = undo.read_sysctl(system, key)
        if value is not None:
            found[key] = value
    return found


def mounts(system: System) -> list[dict[str, Any]]:
    """What is mounted, without the kernel's own views; a later mount hides an earlier one."""
    found: dict[str, dict[str, Any]] = {}
    for line in system.text("/proc/self/mounts").splitlines():
        fields = line.split()
        if len(fields) >= 4:
            path = _unescaped(fields[1])
            found[path] = {"device": _unescaped(fields[0]), "path": path, "type": fields[2], "options": fields[3].split(",")}
    hidden = ("/sys/", "/proc/", "/run/credentials", "/var/lib/docker/", "/var/lib/containerd/", "/var/lib/kubelet/", "/run/docker/")
    return [mount for path, mount in found.items() if not path.startswith(hidden)]


def fstab(system: System) -> list[dict[str, Any]]:
    rows = []
    for line in system.text("/etc/fstab").splitlines():
        fields = line.split()
        if len(fields) >= 3 and not line.lstrip().startswith("#"):
            rows.append({"device": fields[0], "path": _unescaped(fields[1]), "type": fields[2],
                         "options": (fields[3] if len(fields) > 3 else "defaults").split(",")})
    return rows


def _unescaped(word: str) -> str:
    return word.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")


def boot_loader(system: System) -> str:
    return "grub" if os.path.isdir(system.real("/boot/grub")) or os.path.isdir(system.real("/boot/grub2")) else ""
