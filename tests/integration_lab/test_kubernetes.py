# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Role kubernetes on booted hosts, with a real kubeadm and pods whose traffic is sent: a cluster is made, grows, loses a control plane, shrinks,
comes to the next version and is taken away.

The tests follow each other on one cluster. Needs a running lab with hosts and what ``tests/lab kubernetes`` builds:
``python3 tests/run.py --only kubernetes`` (as root).
"""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "tests" / "lab"))

from fleetlab.core import Lab, LabError  # noqa: E402
from fleetlab.hosts import netns  # noqa: E402
from fleetlab.hosts.endpoint import inside  # noqa: E402
from fleetlab.hosts.fresh import Machine, Rack  # noqa: E402
from fleetlab.hosts.place import Place  # noqa: E402
from fleetlab.kubernetes import made  # noqa: E402

LAB = Lab(Path(os.environ.get("FLEET_LAB_STATE", CHECKOUT / ".lab")).resolve())
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0 or not netns.exists(Place(LAB.root).core),
                       reason="there is no running lab with hosts: tests/lab up --only metal --hosts"),
    pytest.mark.skipif(made.built(LAB) is None, reason="Kubernetes is not built: python3 tests/lab kubernetes"),
]

TREE = next((parent.parent for parent in Path(__file__).parents if parent.name == "ansible_collections"), None) or os.environ.get(
    "ANSIBLE_COLLECTIONS_PATH", "")
ADMIN = "kubectl --kubeconfig /etc/kubernetes/admin.conf"
MACHINES = {name: Machine(name, "bookworm", place, "root", True) for place, name in enumerate(("lead-1", "lead-2", "lead-3", "work-1", "work-2"), 1)}
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
LEFT = """
find / -xdev \\( -path /proc -o -path /sys -o -path /srv -o -path /var/lib/containerd \\) -prune -o \\( -name '*kube*' -o -name '*etcd*' \
  -o -name '*cni0*' -o -path '*hybridops-fleet*' \\) -print 2>/dev/null |
  grep -vE '^/(usr/share|usr/lib/python3|usr/lib/fleet-lab|var/lib/dpkg|var/lib/apt|var/cache|var/log|var/lib/(etcd|kubelet)$)'
ls /var/lib/kubelet /var/lib/etcd /opt/cni/bin 2>/dev/null | grep -vE ':$|^$'
ip -brief link | grep -E 'cni0|fleetpods|veth[0-9a-f]{8}'
ip route | grep 10.244
iptables-save | grep -E 'KUBE|CNI'
nft list tables | grep -E 'hybridops|kube'
systemctl list-unit-files --no-legend | grep -E 'kube|fleet-k'
ps -eo args | grep -E '^(/usr/bin/)?(kube|etcd|haproxy)'
true
"""
"""Prints what a reset must not leave."""


class Site:
    """The cluster's hosts, and runs of the role on some of them."""

    def __init__(self, folder: Path, rack: Rack) -> None:
        self.folder, self.rack = folder, rack
        self.kubeconfig = folder / "rights/kube.conf"
        self.seconds = 0.0

    def run(self, *names: str, ok: bool = True, check: bool = False, tasks: str = "main", **variables: Any) -> str:
        """The role on these hosts; returns what Ansible said. tasks: main or upgrade."""
        hosts = {name: {**self.rack.variables(MACHINES[name]), "fleet_cluster_ip": MACHINES[name].private, "fleet_provider": "metal",
                        "fleet_region": "rack", "fleet_zone": f"row-{MACHINES[name].place}",
                        "fleet_cluster_role": "control_plane" if name.startswith("lead") else "worker"} for name in names}
        given = {"kubernetes_packages_repository": f"file://{made.IN_HOST}/repo/v{{minor}}/", "kubernetes_name": "lab",
                 "kubernetes_version": "1.33",
                 "kubernetes_ignored_checks": ["HTTPProxyCIDR"],  # written for a Go that took addresses of IPv4 in brackets
                 "kubernetes_image_archives": [f"{made.IN_HOST}/images/v1.33", f"{made.IN_HOST}/images/toolbox"],
                 "kubernetes_proxy_settings": {"conntrack": {"maxPerCore": 0}}, "kubernetes_kubeconfig": str(self.kubeconfig),
                 "kubernetes_kubelet_settings": {"resolvConf": "/etc/resolv-of-pods"}, **variables}
        for name, content in (("inventory.json", {"all": {"hosts": hosts}}), ("given.json", given)):
            (self.folder / name).write_text(json.dumps(content), encoding="utf-8")
        book = self.folder / "play.yml"
        book.write_text("- hosts: all\n  gather_facts: false\n  any_errors_fatal: true\n  tasks:\n"
                        f"    - ansible.builtin.include_role: {{name: hybridops.fleet.kubernetes, tasks_from: {tasks}}}\n", encoding="utf-8")
        environment = {**os.environ, "HOME": str(self.folder), "ANSIBLE_COLLECTIONS_PATH": str(TREE), "ANSIBLE_NOCOLOR": "1",
                       "ANSIBLE_PIPELINING": "1", "ANSIBLE_HOST_KEY_CHECKING": "0", "ANSIBLE_HOME": str(self.folder / ".ansible"),
                       "LC_ALL": "C.UTF-8"}
        program = Path(sys.executable).with_name("ansible-playbook")
        words = ["-i", str(self.folder / "inventory.json"), str(book), "-e", f"@{self.folder / 'given.json'}", *(["--check"] if check else [])]
        began = time.monotonic()
        done = subprocess.run([*inside(LAB), str(program), *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=900, env=environment, check=False)
        self.seconds = time.monotonic() - began
        print(f"{', '.join(names)}: {self.seconds:.0f} s, exit {done.returncode}")
        assert (done.returncode == 0) is ok, done.stdout[-6000:]
        assert "Traceback" not in done.stdout and not re.search(r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b|\b[0-9a-f]{64}\b", done.stdout)
        return done.stdout

    def root(self, name: str, script: str) -> str:
        return self.rack.root(MACHINES[name], script).stdout

    def ctl(self, words: str, on: str = "lead-1", text: str = "") -> str:
        return self.root(on, f"{ADMIN} {words} <<'END'\n{text}\nEND\n")

    def nodes(self, on: str = "lead-1") -> dict[str, bool]:
        """Name -> whether it is ready."""
        rows = [line.split() for line in self.ctl("get nodes --no-headers", on).splitlines()]
        return {row[0]: row[1] == "Ready" for row in rows}


def changed(out: str) -> dict[str, int]:
    return {name: int(number) for name, number in re.findall(r"(?m)^(\S+)\s+: ok=.* changed=(\d+)", out)}


def until(look: Callable[[], object], seconds: float = 90) -> None:
    """Return when it is true."""
    ends = time.monotonic() + seconds
    while True:
        try:
            if look():
                return
        except (LabError, subprocess.SubprocessError):
            pass
        assert time.monotonic() < ends, f"not within {seconds:.0f} s"
        time.sleep(1)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    rack = Rack(LAB, "kubernetes")
    rack.renew(list(MACHINES.values()))
    for machine in MACHINES.values():
        rack.root(machine, RUNTIME)
    yield Site(tmp_path_factory.mktemp("kubernetes"), rack)
    rack.write(())


def pages(site: Site, names: tuple[str, ...], on: str = "lead-1") -> None:
    """A pod on every node; each is reached from a pod on every other, by its address and through the service."""
    site.ctl("apply -f -", on, PAGES)
    site.ctl("rollout status daemonset/pages --timeout=120s", on)
    rows = [line.split() for line in site.ctl(
        "get pods -l app=pages -o jsonpath='{range .items[*]}{.metadata.name} {.spec.nodeName} {.status.podIP}{\"\\n\"}{end}'", on).splitlines()]
    assert {row[1] for row in rows} == set(names)
    for pod, _node, _ip in rows:
        for _other, node, ip in rows:
            assert site.ctl(f"exec {pod} -- curl -s -m 5 http://{ip}:8080/", on).strip() == node


def test_what_cannot_go_well_is_refused(site: Site) -> None:
    out = site.run("work-1", "work-2", ok=False)
    assert "no member is a control_plane" in out and changed(out) == {"work-1": 0, "work-2": 0}
    assert "lies in kubernetes_pod_network" in site.run("lead-1", ok=False, kubernetes_pod_network="10.74.0.0/16")


def test_from_nothing_to_pods_that_talk(site: Site) -> None:
    site.run("lead-1", "work-1", check=True)
    assert "kubeadm" not in site.root("lead-1", "ls /usr/bin; ls /etc/kubernetes 2>&1; true")
    site.run("lead-1", "work-1")
    assert site.nodes() == {"lead-1": True, "work-1": True}
    pages(site, ("lead-1", "work-1"))
    answers = {site.root("work-1", f"curl -s -m 5 http://{MACHINES['lead-1'].private}:30080/").strip() for _time in range(20)}
    assert answers == {"lead-1", "work-1"}


def test_names_services_logs_and_the_way_out(site: Site) -> None:
    pod = site.ctl("get pods -l app=pages --field-selector spec.nodeName=work-1 -o name").strip()
    service = site.ctl("get service pages -o jsonpath='{.spec.clusterIP}'").strip()
    until(lambda: "Address" in site.ctl(f"exec {pod} -- nslookup pages.default.svc.cluster.local"))
    assert service in site.ctl(f"exec {pod} -- nslookup pages.default.svc.cluster.local")
    assert site.ctl(f"exec {pod} -- curl -s -m 5 http://pages.default.svc.cluster.local/").strip() in ("lead-1", "work-1")
    assert site.ctl(f"logs {pod}").strip() == "started"
    assert "topology.kubernetes.io/zone=row-4" in site.ctl("get node work-1 --show-labels")
    assert MACHINES["work-1"].private in site.ctl("get node work-1 -o wide")


def test_a_second_run_changes_nothing(site: Site) -> None:
    assert changed(site.run("lead-1", "work-1")) == {"lead-1": 0, "work-1": 0}
    assert changed(site.run("lead-1", "work-1", check=True)) == {"lead-1": 0, "work-1": 0}
    assert "kubernetes_version" in site.run("lead-1", "work-1", ok=False, kubernetes_version="1.34")


def test_the_controller_has_the_rights_and_nobody_else(site: Site) -> None:
    assert stat.S_IMODE(site.kubeconfig.stat().st_mode) == 0o600
    program = made.folder(LAB) / "bin/kubernetes-v1.33.5/kubectl"
    told = subprocess.run([*inside(LAB), str(program), "--kubeconfig", str(site.kubeconfig), "get", "nodes", "-o", "name"], capture_output=True,
                          text=True, timeout=60, check=False)
    assert told.stdout.split() == ["node/lead-1", "node/work-1"], told.stderr


def test_control_planes_and_a_worker_come_in(site: Site) -> None:
    before = site.root("work-1", "cat /etc/kubernetes/kubelet.conf | sha256sum; systemctl show kubelet -P ActiveEnterTimestampMonotonic")
    out = site.run(*MACHINES)
    assert site.nodes() == dict.fromkeys(MACHINES, True)
    assert changed(out)["work-1"] == 1  # its proxy knows the new control planes, and no more
    assert site.root("work-1", "cat /etc/kubernetes/kubelet.conf | sha256sum; systemctl show kubelet -P ActiveEnterTimestampMonotonic") == before
    pages(site, tuple(MACHINES))
    assert site.ctl("-n kube-system get secret kubeadm-certs --ignore-not-found") == ""
    assert changed(site.run(*MACHINES)) == dict.fromkeys(MACHINES, 0)


def test_a_control_plane_dies_and_the_api_answers(site: Site) -> None:
    site.rack.write([machine for name, machine in MACHINES.items() if name != "lead-1"])  # killed at once, its disk with it
    ask = "curl -sk -m 4 https://127.0.0.1:7443/readyz"
    until(lambda: all(site.root(name, ask) == "ok" for name in ("work-1", "work-2", "lead-2")))
    until(lambda: not site.nodes("lead-2")["lead-1"])
    pods = site.ctl("get pods -l app=pages --field-selector spec.nodeName=work-1 -o jsonpath='{.items[0].status.podIP}'", "lead-2")
    assert site.root("work-2", f"curl -s -m 5 http://{pods}:8080/").strip() == "work-1"


def test_the_dead_one_and_a_worker_are_taken_out(site: Site) -> None:
    rest = ("lead-2", "lead-3", "work-1")
    site.run(*rest, "work-2", kubernetes_leaving=["lead-1", "work-2"], kubernetes_drain_seconds=20)
    assert site.nodes("lead-2") == dict.fromkeys(rest, True)
    members = site.ctl("-n kube-system exec etcd-lead-2 -- etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/kubernetes/pki/etcd/ca.crt "
                       "--cert=/etc/kubernetes/pki/etcd/peer.crt --key=/etc/kubernetes/pki/etcd/peer.key member list", "lead-2")
    assert len(members.splitlines()) == 2 and "lead-1" not in members
    assert site.root("work-2", LEFT) == ""
    until(lambda: MACHINES["work-2"].private not in site.root("work-1", "bridge fdb show dev fleetpods"))
    assert changed(site.run(*rest, kubernetes_leaving=["lead-1", "work-2"])) == dict.fromkeys(rest, 0)


def test_the_next_version(site: Site) -> None:
    rest = ("lead-2", "lead-3", "work-1")
    new = {"kubernetes_version": "1.34", "kubernetes_image_archives": [f"{made.IN_HOST}/images/v1.34"]}
    assert "one minor at a time" in site.run(*rest, tasks="upgrade", ok=False, kubernetes_version="1.35")
    site.run(*rest, tasks="upgrade", **new)
    rows = {line.split()[0]: line.split()[1:] for line in site.ctl("get nodes --no-headers", "lead-2").splitlines()}
    assert {name: (row[0], row[-1]) for name, row in rows.items()} == dict.fromkeys(rest, ("Ready", "v1.34.3"))
    images = site.ctl("-n kube-system get pods -o jsonpath='{.items[*].spec.containers[*].image}'", "lead-2")
    assert "v1.33" not in images and "etcd:3.6.5-0" in images and "coredns:v1.12.1" in images
    until(lambda: pages(site, rest, "lead-2") is None)
    assert changed(site.run(*rest, tasks="upgrade", **new)) == dict.fromkeys(rest, 0)
    assert changed(site.run(*rest, **new)) == dict.fromkeys(rest, 0)


def test_a_reset_leaves_nothing(site: Site) -> None:
    rest = ("lead-2", "lead-3", "work-1")
    assert "Nothing was changed" in site.run(*rest, ok=False, kubernetes_state="absent")
    site.run(*rest, kubernetes_state="absent", kubernetes_confirmed="lab")
    assert {name: site.root(name, LEFT) for name in rest} == dict.fromkeys(rest, "")
    assert not site.kubeconfig.exists()
    assert changed(site.run(*rest, kubernetes_state="absent", kubernetes_confirmed="lab")) == dict.fromkeys(rest, 0)
