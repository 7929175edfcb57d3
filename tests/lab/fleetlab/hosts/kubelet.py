# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a host needs beyond the others to run kubelet: control of its own cgroups in every hierarchy, the kernel's log, a real disk.

On a machine with the hierarchies of cgroup v1 the unified one has none of the controllers that kubelet insists on. A host's cgroup namespace gives
each kubelet a root of its own, so several live side by side. What kubelet writes to kernel.* and vm.* stays in the host: see guest/private-sysctl.
"""

from __future__ import annotations

from pathlib import Path

CONTROLLERS = ("cpuset", "blkio", "freezer")
"""Hierarchies that only these hosts get a cgroup of their own in; in the others every host has one."""
FOLDERS = {"kubelet": "/var/lib/kubelet", "etcd": "/var/lib/etcd"}
"""Folder of the host on this machine -> where the host sees it: overlays and databases want a real file system."""
_UNIT = "lab-cgroups.service"
_SERVICE = """\
[Unit]
Description=Test host: cgroups that kubelet may write, mounts that containers see
DefaultDependencies=no
Before=sysinit.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'for c in /sys/fs/cgroup/*/; do mount -o remount,rw,bind $c || :; done; mount -o remount,rw,bind /sys/fs/cgroup; \
mount --make-rshared /'
[Install]
WantedBy=sysinit.target
"""


def furnish(disk: Path) -> None:
    """Lay the unit that makes the hierarchies writable, which systemd-nspawn mounts otherwise, over a new disk."""
    units = disk / "etc/systemd/system"
    wants = units / "sysinit.target.wants"
    wants.mkdir(parents=True, exist_ok=True)
    (units / _UNIT).write_text(_SERVICE, encoding="ascii")
    (wants / _UNIT).symlink_to(f"../{_UNIT}")


def fill_cpuset(folder: Path) -> None:
    """A cgroup of cpuset takes no process before it has processors and memory, from the hierarchy's root down."""
    tree = next((parent for parent in folder.parents if parent.name == "cpuset"), None)
    if tree is None:
        return
    inner = folder.relative_to(tree).parts
    for count in range(1, len(inner) + 1):
        place = tree.joinpath(*inner[:count])
        for name in ("cpuset.cpus", "cpuset.mems"):
            (place / name).write_text((place.parent / name).read_text(encoding="ascii"), encoding="ascii")


def options(folder: Path, built: Path | None) -> list[str]:
    """For systemd-nspawn. built: what the lab has built of Kubernetes, None where it has not."""
    shared = [f"--bind={folder / name}:{place}" for name, place in FOLDERS.items()]
    return [*shared, "--bind=/dev/kmsg", *([f"--bind-ro={built}:/srv/kubernetes"] if built else [])]
