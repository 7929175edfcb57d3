# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A Kubernetes cluster on booted hosts of a rack, for its suite: runs of the role on some of them, what the cluster says, pods that answer."""
from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any, Protocol

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "tests" / "lab"))

from fleetlab.core import Lab  # noqa: E402
from fleetlab.hosts.endpoint import inside  # noqa: E402
from fleetlab.hosts.fresh import Machine, Rack  # noqa: E402
from fleetlab.kubernetes import made, settings  # noqa: E402

LAB = Lab(Path(os.environ.get("FLEET_LAB_STATE", CHECKOUT / ".lab")).resolve())
TREE = next((parent.parent for parent in Path(__file__).parents if parent.name == "ansible_collections"), None) or os.environ.get(
    "ANSIBLE_COLLECTIONS_PATH", "")
ADMIN = "kubectl --kubeconfig /etc/kubernetes/admin.conf"
MACHINES = {name: Machine(name, "bookworm", place, "root", True) for place, name in enumerate(("lead-1", "lead-2", "lead-3", "work-1", "work-2"), 1)}
OLD, NEW = ([f"{made.IN_HOST}/images/v{minor}", f"{made.IN_HOST}/images/toolbox"] for minor in ("1.33", "1.34"))
RUNTIME = """
set -e
apt-get -qq update
apt-get install -y -qq --no-install-recommends containerd >/dev/null
mkdir -p /etc/containerd
cat >/etc/containerd/config.toml <<'END'
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  sandbox_image = "registry.k8s.io/pause:3.10"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/opt/cni/bin"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = true
END
systemctl restart containerd
echo nameserver 198.51.100.254 >/etc/resolv-of-pods
"""
PAGES = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: pages}
spec:
  selector: {matchLabels: {app: pages}}
  template:
    metadata: {labels: {app: pages}}
    spec:
      tolerations: [{operator: Exists}]
      terminationGracePeriodSeconds: 1
      containers:
      - name: pages
        image: lab.invalid/toolbox:1
        imagePullPolicy: Never
        command: [sh, -c, 'echo "$NODE" >/www/index.html; echo started; exec httpd -f -p 8080 -h /www']
        env: [{name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 2}
---
apiVersion: v1
kind: Service
metadata: {name: pages}
spec: {type: NodePort, selector: {app: pages}, ports: [{port: 80, targetPort: 8080, nodePort: 30080}]}
"""


class Site:
    """The cluster's hosts, and runs of the role on some of them."""

    def __init__(self, folder: Path, rack: Rack) -> None:
        self.folder, self.rack = folder, rack
        self.kubeconfig = folder / "rights/kube.conf"
        self.copies = folder / "copies"
        self.seconds = 0.0
        self.settled: dict[str, Any] = {"kubernetes_version": "1.33", "kubernetes_image_archives": OLD}

    def run(self, *names: str, ok: bool = True, check: bool = False, tasks: str = "main", limit: str = "", **variables: Any) -> str:
        """The role on these hosts; returns what Ansible said. tasks: main, upgrade, backup, restore or certificates."""
        began = time.monotonic()
        with self.begin(*names, check=check, tasks=tasks, limit=limit, **variables) as process:
            try:
                out = process.communicate(timeout=900)[0]
            finally:
                process.kill()
        self.seconds = time.monotonic() - began
        print(f"{tasks} {', '.join(names)} {limit}: {self.seconds:.0f} s, exit {process.returncode}")
        assert (process.returncode == 0) is ok, out[-6000:]
        assert "Traceback" not in out and not re.search(r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b|\b[0-9a-f]{64}\b", out)
        return out

    def begin(self, *names: str, check: bool = False, tasks: str = "main", limit: str = "", **variables: Any) -> subprocess.Popen[str]:
        """The same, not waited for; a session of its own, so that all of it can be killed."""
        hosts = {name: {**self.rack.variables(MACHINES[name]), "fleet_cluster_ip": MACHINES[name].private, "fleet_provider": "metal",
                        "fleet_region": "rack", "fleet_zone": f"row-{MACHINES[name].place}",
                        "fleet_cluster_role": "control_plane" if name.startswith("lead") else "worker"} for name in names}
        given = {**settings.KUBERNETES, "kubernetes_name": "lab", "kubernetes_kubeconfig": str(self.kubeconfig),
                 "kubernetes_backup_folder": str(self.copies), **self.settled, **variables}
        for name, content in (("inventory.json", {"all": {"hosts": hosts}}), ("given.json", given)):
            (self.folder / name).write_text(json.dumps(content), encoding="utf-8")
        book = self.folder / "play.yml"
        book.write_text("- hosts: all\n  gather_facts: false\n  any_errors_fatal: true\n  tasks:\n"
                        f"    - ansible.builtin.include_role: {{name: hybridops.fleet.kubernetes, tasks_from: {tasks}}}\n", encoding="utf-8")
        environment = {**os.environ, "HOME": str(self.folder), "ANSIBLE_COLLECTIONS_PATH": str(TREE), "ANSIBLE_NOCOLOR": "1",
                       "ANSIBLE_PIPELINING": "1", "ANSIBLE_HOST_KEY_CHECKING": "0", "ANSIBLE_HOME": str(self.folder / ".ansible"),
                       "LC_ALL": "C.UTF-8"}
        program = Path(sys.executable).with_name("ansible-playbook")
        words = ["-i", str(self.folder / "inventory.json"), str(book), "-e", f"@{self.folder / 'given.json'}", *(["--check"] if check else []),
                 *(["--limit", limit] if limit else [])]
        return subprocess.Popen([*inside(LAB), str(program), *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True, env=environment, start_new_session=True)

    def root(self, name: str, script: str) -> str:
        return self.rack.root(MACHINES[name], script).stdout

    def ctl(self, words: str, on: str = "lead-1", text: str = "") -> str:
        return self.root(on, f"{ADMIN} {words} <<'END'\n{text}\nEND\n")

    def nodes(self, on: str = "lead-1") -> dict[str, bool]:
        """Name -> whether it is ready."""
        rows = [line.split() for line in self.ctl("get nodes --no-headers", on).splitlines()]
        return {row[0]: row[1] == "Ready" for row in rows}

    def etcd(self, name: str, words: str) -> str:
        """What the etcd of a control plane answers."""
        keys = "--cacert=/etc/kubernetes/pki/etcd/ca.crt --cert=/etc/kubernetes/pki/etcd/peer.crt --key=/etc/kubernetes/pki/etcd/peer.key"
        return self.ctl(f"-n kube-system exec etcd-{name} -- etcdctl --endpoints=https://127.0.0.1:2379 {keys} {words}", name)

    def served(self, name: str) -> bool:
        """Whether the pages answer on that host's public address."""
        command = [*inside(LAB), "curl", "-s", "-m", "2", f"http://{MACHINES[name].ipv4}:30080/"]
        return bool(subprocess.run(command, capture_output=True, check=False).stdout)

    def outside(self, words: str) -> str:
        """kubectl on the controller, with the rights that it got."""
        program = made.folder(LAB) / "bin/kubernetes-v1.33.5/kubectl"
        told = subprocess.run([*inside(LAB), str(program), "--kubeconfig", str(self.kubeconfig), *words.split()], capture_output=True, text=True,
                              timeout=60, check=False)
        return told.stdout or told.stderr


def versions(site: Site) -> dict[str, str]:
    """Node -> version of its kubelet."""
    rows = site.ctl("get nodes -o jsonpath='{range .items[*]}{.metadata.name} {.status.nodeInfo.kubeletVersion}{\"\\n\"}{end}'").splitlines()
    return dict(row.split() for row in rows)


def changed(out: str) -> dict[str, int]:
    return {name: int(number) for name, number in re.findall(r"(?m)^(\S+)\s+: ok=.* changed=(\d+)", out)}


class Pages(Protocol):
    """A cluster on which kubectl is called as root, on a control plane."""

    def ctl(self, words: str, on: str, text: str = "") -> str: ...


def pages(site: Pages, names: Collection[str], on: str = "lead-1") -> None:
    """A pod on every node; each is reached from a pod on every other, by its address and through the service."""
    site.ctl("apply -f -", on, PAGES)
    site.ctl("rollout status daemonset/pages --timeout=120s", on)
    rows = [line.split() for line in site.ctl(
        "get pods -l app=pages -o jsonpath='{range .items[*]}{.metadata.name} {.spec.nodeName} {.status.podIP}{\"\\n\"}{end}'", on).splitlines()]
    assert {row[1] for row in rows} == set(names)
    for pod, _node, _ip in rows:
        for _other, node, ip in rows:
            assert site.ctl(f"exec {pod} -- curl -s -m 5 http://{ip}:8080/", on).strip() == node
