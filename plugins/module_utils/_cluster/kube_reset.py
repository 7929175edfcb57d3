# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Takes Kubernetes off a node: what kubeadm takes back, and what it leaves behind. Runs on nodes: Python 3.7 is enough."""
from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Sequence

from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import System

from .kube_look import ADMIN, KUBELET, MARK
from .kube_work import KubeadmError, failure, patiently

LINKS = ("cni0", "fleetpods", "kube-ipvs0", "flannel.1", "nodelocaldns")
TABLES = (("ip", "hybridops_fleet_pods"), ("ip", "kube-proxy"), ("ip6", "kube-proxy"))
FOLDERS = ("/etc/kubernetes", "/var/lib/kubelet", "/var/lib/etcd", "/var/lib/cni", "/var/log/pods", "/var/log/containers", "/run/kubernetes",
           "/usr/libexec/kubernetes", "/root/.kube/cache", os.path.dirname(MARK))
EMPTIED = ("/etc/cni/net.d",)
"""Folders that stay: containerd looks into this one no more once it was gone."""
SLICES = 30.0
"""Seconds for the pods' slices to go: what is in them has to end first."""
_OURS = re.compile(r"\b(KUBE|CNI)-")


def present(system: System, files: Sequence[str]) -> list[str]:
    """What there is of it, in words; empty when there is nothing to take off. files: those that the collection writes."""
    found = [path for path in (ADMIN, KUBELET, MARK, *files) if system.exists(path)]
    found += [f"interface {name}" for name in LINKS if _link(system, name)]
    return found + _slices(system)


def reset(system: System, files: Sequence[str], units: Sequence[str], whole: bool) -> list[str]:
    """Take it off. A member of etcd leaves first, unless the whole cluster goes. Returns what could not be taken away."""
    if system.has("kubeadm") and (system.exists("/etc/kubernetes") or system.exists(MARK)):
        skipped = ["--skip-phases=remove-etcd-member"] if whole else []  # there is soon nobody left to tell
        system.run(["kubeadm", "reset", "--force", *skipped], timeout=240)
    system.run(["systemctl", "disable", "--now", "kubelet.service", *units], timeout=120)
    for path in files:
        if system.exists(path):
            os.unlink(system.real(path))
    system.run(["systemctl", "daemon-reload"])
    for name in LINKS:
        if _link(system, name):
            system.run(["ip", "link", "delete", name])
    _without_slices(system)
    for family, table in TABLES:
        system.run(["nft", "delete", "table", family, table])
    for program in ("iptables", "ip6tables", "iptables-legacy", "ip6tables-legacy"):
        _without_chains(system, program)
    _unmount(system, "/var/lib/kubelet")
    for folder in FOLDERS:
        _empty(system, folder, keep=False)
    for folder in EMPTIED:
        _empty(system, folder, keep=True)
    if os.path.isdir(system.real("/root/.kube")) and not os.listdir(system.real("/root/.kube")):
        os.rmdir(system.real("/root/.kube"))
    for path in (MARK, *files):
        _without_empty(system, os.path.dirname(path))
    return present(system, files)


def _link(system: System, name: str) -> bool:
    """Asked of ip, as sysfs may show another network namespace's in a container."""
    return name in system.run(["ip", "link", "show", "dev", name]).out


def _slices(system: System) -> list[str]:
    """Units of systemd in which pods run, or have run."""
    lines = system.run(["systemctl", "list-units", "--all", "--plain", "--no-legend", "kubepods*.slice"]).out.splitlines()
    return [line.split()[0] for line in lines if line.strip()]


def _without_slices(system: System) -> None:
    """All of them and what runs in them. One that something is still in when it is stopped stays, and goes at a later try."""
    ends = time.monotonic() + SLICES
    while True:
        names = _slices(system)
        if not names or time.monotonic() > ends:
            return
        system.run(["systemctl", "stop", *names], timeout=60)
        system.run(["systemctl", "reset-failed", *names])
        time.sleep(0.5)


def without_chains(saved: str) -> str:
    """What iptables-save wrote, without the chains of Kubernetes and CNI and the rules that lead to or lie in them. Pure."""
    return "".join(f"{line}\n" for line in saved.splitlines() if not _OURS.search(line))


def _without_chains(system: System, program: str) -> None:
    if not system.has(f"{program}-save"):
        return
    saved = system.run([f"{program}-save"]).out
    if _OURS.search(saved):
        system.run([f"{program}-restore"], text=without_chains(saved))


def _unmount(system: System, folder: str) -> None:
    """Volumes of pods that are still mounted, innermost first."""
    places = [line.split()[1] for line in system.text("/proc/mounts").splitlines() if line.split()[1].startswith(f"{folder}/")]
    for place in sorted(places, reverse=True):
        system.run(["umount", "--lazy", place])


def _without_empty(system: System, folder: str) -> None:
    """Take a folder of the collection's own away, and those above it that are, unless something is in it."""
    while "/hybridops-fleet" in folder:
        try:
            os.rmdir(system.real(folder))
        except FileNotFoundError:
            pass
        except OSError:
            return
        folder = os.path.dirname(folder)


def _empty(system: System, folder: str, keep: bool) -> None:
    """Take a folder away with all that is in it; one that something is mounted on is only emptied."""
    real = system.real(folder)
    if not os.path.isdir(real):
        return
    if not keep and not os.path.ismount(real):
        shutil.rmtree(real, ignore_errors=True)
        return
    for name in os.listdir(real):
        inner = os.path.join(real, name)
        if os.path.isdir(inner) and not os.path.islink(inner):
            shutil.rmtree(inner, ignore_errors=True)
        else:
            os.unlink(inner)


def drain(system: System, nodes: Sequence[str], seconds: int) -> tuple[list[str], dict[str, str]]:
    """Move the pods of these nodes elsewhere. Returns the nodes that there are, and those that kept some with what stood in the way.

    Raises KubeadmError when the API does not tell which there are.
    """
    left: dict[str, str] = {}
    told = patiently(system, ["kubectl", "--kubeconfig", ADMIN, "get", "nodes", "--output=name"])
    if told.rc:
        raise KubeadmError("kubectl get nodes: " + failure(told))
    there = [name for name in nodes if "node/" + name in told.out.split()]
    for name in there:
        words = ["drain", name, "--ignore-daemonsets", "--delete-emptydir-data", "--force", f"--timeout={seconds}s"]
        ran = system.run(["kubectl", "--kubeconfig", ADMIN, *words], timeout=seconds + 30)
        if ran.rc:
            left[name] = " ".join(ran.err.split())[-300:]
    return there, left


def remove(system: System, nodes: Sequence[str]) -> list[str]:
    """Have the cluster forget nodes: as members of etcd, then as nodes. Returns those that it knew."""
    known = []
    ids = _etcd_members(system)
    for name in nodes:
        if name in ids:
            _etcdctl(system, ["member", "remove", ids[name]])
        ran = system.run(["kubectl", "--kubeconfig", ADMIN, "delete", "node", name, "--ignore-not-found", "--timeout=60s"], timeout=90)
        if name in ids or "deleted" in ran.out:
            known.append(name)
    return known


def _etcd_members(system: System) -> dict[str, str]:
    """Name -> id of etcd's members; empty where etcd is not among the cluster's pods."""
    rows = [line.split(", ") for line in _etcdctl(system, ["member", "list"]).splitlines()]
    return {row[2]: row[0] for row in rows if len(row) > 3}


def _etcdctl(system: System, words: Sequence[str]) -> str:
    """In the pod of etcd on this control plane, whose kubelet names it by the node."""
    told = system.run(["kubectl", "--kubeconfig", ADMIN, "--namespace", "kube-system", "get", "pods", "--selector", "component=etcd",
                       "--field-selector", "spec.nodeName=" + _node(system), "--output", "name"], timeout=30).out.split()
    if not told:
        return ""
    keys = [f"--{name}=/etc/kubernetes/pki/etcd/{file}" for name, file in (("cacert", "ca.crt"), ("cert", "peer.crt"), ("key", "peer.key"))]
    command = ["kubectl", "--kubeconfig", ADMIN, "--namespace", "kube-system", "exec", told[0], "--"]
    return system.run([*command, "etcdctl", "--endpoints=https://127.0.0.1:2379", *keys, *words], timeout=60).out


def _node(system: System) -> str:
    told = system.run(["openssl", "x509", "-noout", "-subject", "-in", "/var/lib/kubelet/pki/kubelet-client-current.pem"]).out
    found = re.search(r"system:node:([^\s,/]+)", told)
    return found.group(1) if found else ""
