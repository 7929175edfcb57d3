# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The store of a cluster: copied with what else is needed, and brought back on its control planes. Runs on nodes: Python 3.7 is enough.

A copy is an archive of ``about.json``, ``snapshot.db``, ``kubeadm.yaml`` and ``pki/``. It is brought back in three steps, so that nothing is lost
where one of them fails: unpacked beside the data that is there, on every control plane; all control planes stopped; exchanged and started.
"""
from __future__ import annotations

import json
import os
import re
import shutil
import tarfile
import time
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import System

from .kube_look import ADMIN, ETCD_MANIFEST, RESTING, SOCKETS
from .kube_work import KubeadmError, failure, patiently, restart_kubelet, steady

FOLDER = "/var/lib/hybridops-fleet/kubernetes"
COPY = FOLDER + "/copy.tar.gz"
WORK = FOLDER + "/copy"
MANIFESTS, PKI = "/etc/kubernetes/manifests", "/etc/kubernetes/pki"
PODS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")
UNPACKED = ".unpacked"
BUMP = ("--bump-revision=1000000000", "--mark-compacted")
"""Watches of the time after the copy end at once, instead of waiting for revisions that others have already seen and that come again."""


def save(system: System, program: str, about: dict[str, Any]) -> str:
    """Write the copy. program: text of etcd_snapshot.py; about: what it is of. Returns its path. Raises KubeadmError and OSError."""
    _folder(system, FOLDER)
    _away(system, WORK)
    _folder(system, WORK)
    try:
        ran = system.run(["/usr/bin/python3", "-", WORK + "/snapshot.db"], text=program, timeout=600)
        if ran.rc:
            raise KubeadmError(failure(ran))
        words = ["get", "configmap", "kubeadm-config", "--output=jsonpath={.data.ClusterConfiguration}"]
        told = patiently(system, ["kubectl", "--kubeconfig", ADMIN, "--namespace", "kube-system", *words])
        if told.rc:
            raise KubeadmError("kubeadm-config: " + failure(told))
        system.write(WORK + "/kubeadm.yaml", told.out.encode(), 0o600)
        system.write(WORK + "/about.json", (json.dumps({"kind": "kubernetes", "made": int(time.time()), **about}, indent=1) + "\n").encode(), 0o600)
        system.write(COPY, b"", 0o600)
        with tarfile.open(system.real(COPY), "w:gz", compresslevel=3) as archive:
            for name in ("about.json", "kubeadm.yaml", "snapshot.db"):
                archive.add(system.real(f"{WORK}/{name}"), name)
            archive.add(system.real(PKI), "pki")
    finally:
        _away(system, WORK)
    return COPY


def unpack(system: System, name: str, url: str, cluster: str, token: str) -> None:
    """Make etcd's data of the copy, beside that which is there; etcd may run. Raises KubeadmError and OSError.

    name, url: of this member; cluster: name=url of all that there will be, by commas; token: the same on all of them, another one each time.
    """
    target = os.path.join(data_folder(system), UNPACKED)
    _away(system, target)
    _away(system, WORK)
    _folder(system, WORK)
    try:
        with tarfile.open(system.real(COPY), "r:gz") as archive:
            inner = archive.extractfile("snapshot.db")
            if inner is None:
                raise KubeadmError("the copy has no snapshot of etcd")
            with open(system.real(WORK + "/snapshot.db"), "wb") as file:
                shutil.copyfileobj(inner, file)
        os.makedirs(os.path.dirname(system.real(target)), mode=0o700, exist_ok=True)
        with _Etcdutl(system) as program:
            known = system.run([program, "snapshot", "restore", "--help"])
            more = BUMP if "--bump-revision" in known.out + known.err else ()
            ran = system.run([program, "snapshot", "restore", WORK + "/snapshot.db", "--data-dir", target, "--name", name,
                              "--initial-cluster", cluster, "--initial-cluster-token", token, "--initial-advertise-peer-urls", url, *more],
                             timeout=600)
        if ran.rc or not os.path.isdir(system.real(target + "/member")):
            raise KubeadmError("etcdutl snapshot restore: " + failure(ran))
    finally:
        _away(system, WORK)


def stop(system: System, seconds: float = 120) -> None:
    """Have no part of the control plane run here. Raises KubeadmError and OSError."""
    _folder(system, RESTING)
    for name in sorted(os.listdir(system.real(MANIFESTS))):
        if name.rpartition(".")[0] in PODS:
            shutil.move(system.real(f"{MANIFESTS}/{name}"), system.real(f"{RESTING}/{name}"))
    ends = time.monotonic() + seconds
    while True:
        left = [one for pod in PODS for one in running(system, pod)]
        if not left:
            return
        if time.monotonic() > ends - seconds / 2:  # kubelet does not run, perhaps
            system.run([*_crictl(system), "stop", "--timeout", "10", *left], timeout=60)
        if time.monotonic() > ends:
            raise KubeadmError(f"parts of the control plane do not stop; their manifests are in {RESTING}")
        time.sleep(1)


def start(system: System) -> None:
    """Exchange the data, if some was unpacked, and let the control plane run; does not wait for it. Raises KubeadmError and OSError."""
    data = data_folder(system)
    fresh = os.path.join(data, UNPACKED)
    if os.path.isdir(system.real(fresh + "/member")):
        _away(system, data + "/member")
        os.rename(system.real(fresh + "/member"), system.real(data + "/member"))
        _away(system, fresh)
    for name in sorted(os.listdir(system.real(RESTING))) if system.exists(RESTING) else ():
        shutil.move(system.real(f"{RESTING}/{name}"), system.real(f"{MANIFESTS}/{name}"))
    _away(system, RESTING)
    if system.exists(COPY):
        os.unlink(system.real(COPY))
    restart_kubelet(system)


def renew_certificates(system: System) -> None:
    """New certificates of this control plane from the authority that is there, and its pods anew with them. Raises KubeadmError."""
    ran = system.run(["kubeadm", "certs", "renew", "all"], timeout=180)
    if ran.rc:
        raise KubeadmError("kubeadm certs renew all: " + failure(ran))
    for pod in reversed(PODS):
        for one in running(system, pod):
            system.run([*_crictl(system), "stop", "--timeout", "20", one], timeout=60)
    steady(system)


def data_folder(system: System) -> str:
    """Of etcd; the same in its pod and on the node."""
    for folder in (os.path.dirname(ETCD_MANIFEST), RESTING):
        found = re.search(r"--data-dir=(\S+)", system.text(f"{folder}/etcd.yaml"))
        if found:
            return found.group(1)
    return "/var/lib/etcd"


def running(system: System, pod: str) -> list[str]:
    """Containers of that name that run."""
    words = ["ps", "--quiet", "--state", "running", "--label", f"io.kubernetes.container.name={pod}"]
    return system.run([*_crictl(system), *words], timeout=30).out.split()


def _crictl(system: System) -> list[str]:
    return ["crictl", "--runtime-endpoint", "unix://" + next((path for path in SOCKETS if system.exists(path)), SOCKETS[0])]


class _Etcdutl:
    """The program out of the image of etcd that this node runs, so that nothing is downloaded; gone afterwards."""

    def __init__(self, system: System) -> None:
        self._system, self._folder = system, FOLDER + "/image"

    def __enter__(self) -> str:
        system = self._system
        text = system.text(ETCD_MANIFEST) or system.text(RESTING + "/etcd.yaml")
        image = re.search(r"(?m)^\s*image:\s*(\S+)", text)
        if not image:
            raise KubeadmError(f"{ETCD_MANIFEST} names no image of etcd")
        _folder(system, self._folder)
        ran = system.run(["ctr", "--namespace", "k8s.io", "images", "mount", image.group(1), self._folder], timeout=120)
        if ran.rc:
            raise KubeadmError(f"the image {image.group(1)} cannot be opened: {failure(ran)}")
        return self._folder + "/usr/local/bin/etcdutl"

    def __exit__(self, *_details: Any) -> None:
        self._system.run(["ctr", "--namespace", "k8s.io", "images", "unmount", "--rm", self._folder], timeout=60)
        if os.path.isdir(self._system.real(self._folder)) and not os.listdir(self._system.real(self._folder)):
            os.rmdir(self._system.real(self._folder))


def _folder(system: System, path: str) -> None:
    os.makedirs(system.real(path), mode=0o700, exist_ok=True)
    os.chmod(system.real(path), 0o700)


def _away(system: System, path: str) -> None:
    shutil.rmtree(system.real(path), ignore_errors=True)
