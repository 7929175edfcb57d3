# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""kubeadm on a node: its steps, each marked before it begins and when it has come to its end, so that a run after a failure knows where it is.

Runs on nodes: Python 3.7 is enough.
"""
from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any

from ansible_collections.hybridops.fleet.plugins.module_utils._hardening.system import Ran, System

from .kube_look import ADMIN, API_MANIFEST, MARK

PAUSE = 2.0
"""Seconds between two questions."""
STEADY = 5
"""How many times in a row a control plane must be ready."""
LOCAL = ("--server=https://127.0.0.1:6443", "--tls-server-name=kubernetes")
"""This node's own API instead of any."""

NETWORK_RIGHTS = json.dumps({"apiVersion": "v1", "kind": "List", "items": [
    {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "hybridops-fleet:pod-network"},
     "rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]}]},
    {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "hybridops-fleet:pod-network"},
     "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "hybridops-fleet:pod-network"},
     "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:nodes"}]}]})
"""Nodes may look at each other, as the pod network on each does; from 1.32 on they see only themselves without it."""
_SECRETS = (r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b", r"\b[0-9a-f]{64}\b")
_NOISE = ("[WARNING", "To see the stack trace", "k8s.io/", "cmd/kubeadm", "error execution phase preflight: [preflight] Some fatal")


class KubeadmError(Exception):
    """kubeadm did not come to its end; its text holds what it said, without tokens and keys."""


def without_secrets(text: str) -> str:
    for pattern in _SECRETS:
        text = re.sub(pattern, "(secret)", text)
    return text


def failure(ran: Ran) -> str:
    """The lines that say why, of the hundreds that kubeadm writes."""
    lines = [line.strip() for line in (ran.err + "\n" + ran.out).splitlines() if line.strip()]
    telling = [line for line in lines if re.search(r"(?i)error|fail|fatal|timed out|refused|unable", line) and not line.startswith(_NOISE)]
    return without_secrets("; ".join((telling or lines)[:8]))[:1500] or f"exit status {ran.rc}"


def mark(system: System, step: str, finished: bool, **more: Any) -> None:
    """more: what the next run has to know if this step does not come to its end."""
    path = system.real(MARK)
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    system.write(MARK, (json.dumps({"step": step, "finished": finished, **more}) + "\n").encode(), 0o600)


@contextlib.contextmanager
def alone(system: System, seconds: float) -> Iterator[None]:
    """Wait for what a run that was ended has left going here: the lock is its own as long as it lives. Raises KubeadmError."""
    number = os.open(system.real("/run"), os.O_RDONLY)
    ends = time.monotonic() + seconds
    try:
        while True:
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > ends:
                    raise KubeadmError(f"a step of another run is still going on here after {seconds:.0f} s") from None
                time.sleep(PAUSE)
        yield
    finally:
        os.close(number)


def with_config(system: System, words: Sequence[str], config: str, timeout: float) -> Ran:
    """Run kubeadm with a configuration that may hold secrets: a file of root's own that goes when it ends."""
    number, path = tempfile.mkstemp(prefix=".hybridops-fleet-", suffix=".yaml", dir=system.real("/run"))
    try:
        with os.fdopen(number, "w") as file:
            file.write(config)
        return system.run([*words, "--config", path], timeout=timeout)
    finally:
        os.unlink(path)


def make(system: System, step: str, config: str, timeout: float) -> None:
    """step: init or join. What an earlier run left half-done is taken away first. Raises KubeadmError."""
    before = _marked(system)
    if before.get("step") in ("init", "join") and not before.get("finished"):
        system.run(["kubeadm", "reset", "--force"], timeout=180)
    mark(system, step, False)
    ran = with_config(system, ["kubeadm", step], config, timeout)
    if ran.rc:
        raise KubeadmError(f"kubeadm {step}: {failure(ran)}")
    mark(system, step, True)


def upgrade(system: System, version: str, apply: bool, cordoned: bool, ignored: Sequence[str], timeout: float) -> None:
    """kubeadm's part of a node's way to another version. apply: the cluster's own settings too; cordoned: it was so before. Raises KubeadmError."""
    mark(system, "upgrade", False, cordoned=cordoned)
    flags = [f"--ignore-preflight-errors={','.join(ignored)}"] if ignored else []
    words = ["apply", "v" + version, "--yes"] if apply else ["node"]
    ran = system.run(["kubeadm", "upgrade", *words, *flags], timeout=timeout)
    if ran.rc:
        raise KubeadmError(f"kubeadm upgrade {words[0]}: {failure(ran)}")


def restart_kubelet(system: System) -> None:
    """Raises KubeadmError."""
    system.run(["systemctl", "daemon-reload"])
    ran = system.run(["systemctl", "restart", "kubelet.service"], timeout=90)
    if ran.rc:
        raise KubeadmError("kubelet does not start: " + failure(ran))


def uncordon(system: System, nodes: Sequence[str]) -> None:
    """Raises KubeadmError."""
    ran = patiently(system, ["kubectl", "--kubeconfig", ADMIN, "uncordon", *nodes])
    if ran.rc:
        raise KubeadmError("kubectl uncordon: " + failure(ran))


def patiently(system: System, words: Sequence[str], seconds: float = 120) -> Ran:
    """Again until it goes well: an API that has just started refuses for a while what it will soon allow."""
    ends = time.monotonic() + seconds
    while True:
        ran = system.run(words, timeout=60)
        if ran.rc in (0, 127) or time.monotonic() > ends:
            return ran
        time.sleep(PAUSE)


def steady(system: System, seconds: float = 240) -> None:
    """Return when this control plane's own API, and its etcd with it, has been ready several times in a row. Nothing to do on workers.

    A kubelet of another version starts all of a control plane's pods anew, some seconds after it was started itself. Raises KubeadmError.
    """
    if not system.exists(API_MANIFEST):
        return
    words = ["kubectl", "--kubeconfig", ADMIN, *LOCAL, "--request-timeout=8s", "get", "--raw=/readyz"]
    ends, good = time.monotonic() + seconds, 0
    while good < STEADY:
        ran = system.run(words, timeout=20)
        good = 0 if ran.rc else good + 1
        if time.monotonic() > ends:
            raise KubeadmError(f"the API of this control plane is not ready after {seconds:.0f} s: {failure(ran)}")
        time.sleep(PAUSE)


def allow_network(system: System) -> bool:
    """Give nodes the rights that the built-in pod network needs. True when they had not all of them. Raises KubeadmError."""
    ran = system.run(["kubectl", "--kubeconfig", ADMIN, "apply", "--filename", "-"], text=NETWORK_RIGHTS, timeout=60)
    if ran.rc:
        raise KubeadmError("rights of the pod network: " + failure(ran))
    return "created" in ran.out or "configured" in ran.out


def ticket(system: System, control_plane: bool, minutes: int) -> dict[str, str]:
    """What a node needs to come in: a token for some minutes, the authority's hash, for control planes the key of the certificates.

    Raises KubeadmError.
    """
    ran = system.run(["kubeadm", "--kubeconfig", ADMIN, "token", "create", "--ttl", f"{minutes}m", "--print-join-command"], timeout=60)
    found = re.search(r"--token (\S+) --discovery-token-ca-cert-hash (\S+)", ran.out)
    if ran.rc or not found:
        raise KubeadmError(f"kubeadm token create: {failure(ran)}")
    told = {"token": found.group(1), "hash": found.group(2), "certificate_key": ""}
    if control_plane:
        ran = system.run(["kubeadm", "init", "phase", "upload-certs", "--upload-certs", "--kubeconfig", ADMIN], timeout=120)
        key = re.search(r"(?m)^([0-9a-f]{64})$", ran.out)
        if ran.rc or not key:
            raise KubeadmError(f"kubeadm init phase upload-certs: {failure(ran)}")
        told["certificate_key"] = key.group(1)
    return told


def end_ticket(system: System, token: str) -> None:
    """The token is of no use any more; the certificates' copy ends by itself after two hours, or here."""
    system.run(["kubeadm", "--kubeconfig", ADMIN, "token", "delete", token.partition(".")[0]], timeout=60)
    secret = ["--namespace", "kube-system", "delete", "secret", "kubeadm-certs", "--ignore-not-found"]
    system.run(["kubectl", "--kubeconfig", ADMIN, *secret], timeout=60)


def ready(system: System, nodes: Sequence[str], version: str, timeout: float) -> None:
    """Wait until these nodes are ready, with kubelet of that version if one is given. Raises KubeadmError with what they say of it."""
    names = ["node/" + name for name in nodes]
    wait = ["kubectl", "--kubeconfig", ADMIN, "wait", "--timeout=20s"]
    if version:
        ran = patiently(system, [*wait, f"--for=jsonpath={{.status.nodeInfo.kubeletVersion}}=v{version}", *names], timeout)
        if ran.rc:
            raise KubeadmError(f"kubelet is not v{version} after {timeout:.0f} s on {', '.join(nodes)}: {failure(ran)}")
    ran = patiently(system, [*wait, "--for=condition=Ready", *names], timeout)
    if ran.rc:
        path = '{range .items[*]}{.metadata.name}: {.status.conditions[?(@.type=="Ready")].message}{"\\n"}{end}'
        told = system.run(["kubectl", "--kubeconfig", ADMIN, "get", "nodes", "--output=jsonpath=" + path], timeout=30).out
        why = [line for line in told.splitlines() if line.partition(":")[0] in nodes and "kubelet is posting ready" not in line]
        raise KubeadmError(f"not ready after {timeout:.0f} s: {'; '.join(why) or failure(ran)}")


def import_images(system: System, folders: Sequence[str]) -> list[str]:
    """Read all archives of images in these folders. Returns those that were read. Raises KubeadmError."""
    read: list[str] = []
    for folder in folders:
        for name in sorted(os.listdir(system.real(folder))) if os.path.isdir(system.real(folder)) else ():
            ran = system.run(["ctr", "--namespace", "k8s.io", "images", "import", os.path.join(folder, name)], timeout=300)
            if ran.rc:
                raise KubeadmError(f"{os.path.join(folder, name)} could not be read as images: {failure(ran)}")
            read.append(os.path.join(folder, name))
    return read


def wanted_images(system: System, version: str, repository: str) -> list[str]:
    """What kubeadm would fetch for that version, for its own where only a minor is given. Raises KubeadmError."""
    whole = "v" + version if version.count(".") == 2 else system.run(["kubeadm", "version", "--output", "short"]).out.strip()
    ran = system.run(["kubeadm", "config", "images", "list", "--kubernetes-version", whole, "--image-repository", repository], timeout=60)
    if ran.rc:
        raise KubeadmError(f"kubeadm config images list: {failure(ran)}")
    return ran.out.split()


def _marked(system: System) -> dict[str, Any]:
    try:
        told = json.loads(system.text(MARK) or "{}")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
